//! The head of a JSON body: by the keys that only one format's bodies have, or else by the field that holds an
//! indicator in most of its items.

use super::{Guess, Score, sample};
use crate::parse::fields::{Column, Take};
use crate::parse::{Fields, Format, Path, Reason, Recipe};

/// Where the items of a body may stand.
const PLACES: [&str; 6] = ["", "/data", "/indicators", "/iocs", "/results", "/items"];

/// What publishers call the field with the indicator; of two that hold as many the first is taken.
const NAMES: [&str; 15] = [
    "indicator",
    "ioc",
    "ioc_value",
    "cidr",
    "network",
    "prefix",
    "ip",
    "ip_address",
    "ipAddress",
    "dst_ip",
    "src_ip",
    "domain",
    "hostname",
    "host",
    "url",
];

/// Guesses what is in a body that begins like JSON.
///
/// # Errors
/// [`Reason::Warninglist`], and [`Reason::Json`] where nothing convinces.
pub(super) fn guess(recipe: &Recipe, head: &[u8], whole: bool) -> Result<Guess, Reason> {
    if has_key(head, "matching_attributes") {
        return Err(Reason::Warninglist);
    }
    let marked = [
        (
            Format::Stix,
            is_stix(head),
            "it is a bundle of STIX objects",
        ),
        (Format::Misp, is_misp(head), "it is an event of MISP"),
    ];
    if let Some((format, _, because)) = marked.into_iter().find(|(_, is, _)| *is) {
        let recipe = Recipe {
            format,
            ..recipe.clone()
        };
        let because = because.to_owned();
        return Ok(Guess { recipe, because });
    }
    by_items(recipe, head, whole).ok_or(Reason::Json)
}

/// The place of the items and their field that make most of the head.
fn by_items(recipe: &Recipe, head: &[u8], whole: bool) -> Option<Guess> {
    let lines = sample(head, whole);
    let free = recipe.fields == Fields::default();
    let column = |name: &str| Take::One(Column::Name(name.into()));
    let fields: Vec<Take> = match free {
        true => [Take::One(Column::Number(1))]
            .into_iter()
            .chain(
                NAMES
                    .into_iter()
                    .filter(|name| has_key(head, name))
                    .map(column),
            )
            .collect(),
        false => vec![recipe.fields.indicator.clone()],
    };
    let mut places = vec![(Format::Ndjson, Path::default(), lines)];
    let there = |place: &&&str| place.is_empty() || has_key(head, &place[1..]);
    let paths = PLACES.iter().filter(there);
    let paths = paths.filter_map(|place| Path::try_new(place).ok());
    places.extend(paths.map(|path| (Format::Json, path, head)));
    let mut best: Option<(Recipe, Score)> = None;
    for (format, items, sample) in places {
        for indicator in &fields {
            let tried = Recipe {
                format,
                items: items.clone(),
                fields: Fields {
                    indicator: indicator.clone(),
                    ..recipe.fields.clone()
                },
                ..recipe.clone()
            };
            let score = Score::of(&tried, sample);
            let better = best.as_ref().is_none_or(|(_, best)| score.read > best.read);
            if score.convinces() && better {
                best = Some((tried, score));
            }
        }
    }
    best.map(|(recipe, score)| Guess {
        because: because(&recipe, score),
        recipe,
    })
}

fn because(recipe: &Recipe, score: Score) -> String {
    let items = match recipe.format {
        Format::Ndjson => "lines, each a JSON value,",
        _ => "JSON items",
    };
    let counts = format!("in {} of its first {} {items}", score.read, score.rows);
    match recipe.fields.indicator.first() {
        Column::Name(name) => format!("{counts} `{name}` is an indicator"),
        Column::Number(number) => format!("{counts} value {number} is an indicator"),
    }
}

fn is_stix(head: &[u8]) -> bool {
    says(head, "type", "bundle")
        || (says(head, "type", "indicator") && has_key(head, "pattern"))
        || (has_key(head, "objects") && has_key(head, "spec_version"))
}

fn is_misp(head: &[u8]) -> bool {
    (has_key(head, "Event") || has_key(head, "Attribute"))
        && ["Attribute", "Object", "info"]
            .into_iter()
            .any(|key| has_key(head, key))
}

/// Whether an object in the head has this key.
fn has_key(head: &[u8], key: &str) -> bool {
    values(head, key).next().is_some()
}

/// Whether a key has this word for its value.
fn says(head: &[u8], key: &str, word: &str) -> bool {
    let word = format!("\"{word}\"");
    values(head, key).any(|value| value.starts_with(word.as_bytes()))
}

/// What follows each `"key":` in the head. One inside a text has its quotes escaped, and so does not count.
fn values<'a>(head: &'a [u8], key: &str) -> impl Iterator<Item = &'a [u8]> {
    let quoted = format!("\"{key}\"");
    let places: Vec<usize> = memchr::memmem::find_iter(head, &quoted).collect();
    let length = quoted.len();
    places.into_iter().filter_map(move |place| {
        let after = head.get(place + length..)?.trim_ascii_start();
        Some(after.strip_prefix(b":")?.trim_ascii_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(head: &str) -> Result<String, Reason> {
        let guess = guess(&Recipe::new(Format::Auto), head.as_bytes(), true)?;
        let Recipe { format, items, .. } = &guess.recipe;
        Ok(format!("{format:?} {items}: {}", guess.because))
    }

    #[test]
    fn each_format_is_known_by_its_keys() {
        let table = [
            (
                "{\"type\": \"bundle\", \"objects\": []}",
                "Stix : it is a bundle of STIX objects",
            ),
            (
                "{\"objects\": [{\"spec_version\": \"2.1\", \"type\": \"report\"}]}",
                "Stix : it is a bundle of STIX objects",
            ),
            (
                "{\"Event\": {\"info\": \"x\", \"Attribute\": []}}",
                "Misp : it is an event of MISP",
            ),
            (
                "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n{\"cidr\":\"198.51.100.0/24\"}\n{\"type\":\"metadata\",\"size\":2}\n",
                "Ndjson : in 2 of its first 2 lines, each a JSON value, `cidr` is an indicator",
            ),
            (
                "[\n \"192.0.2.7\",\n \"evil.test\"\n]\n",
                "Json : in 2 of its first 2 JSON items value 1 is an indicator",
            ),
            (
                "{\"data\": [\n{\"ip\": \"192.0.2.7\", \"n\": 1},\n{\"ip\": \"192.0.2.8\"}]}",
                "Json /data: in 2 of its first 2 JSON items `ip` is an indicator",
            ),
        ];
        for (head, because) in table {
            assert_eq!(guessed(head).as_deref(), Ok(because), "{head}");
        }
    }

    #[test]
    fn what_says_nothing_of_hosts_is_refused() {
        let list = "{\"list\": [\"192.0.2.0/24\"], \"matching_attributes\": [\"ip-dst\"], \"type\": \"cidr\"}";
        assert_eq!(guessed(list), Err(Reason::Warninglist));
        for head in [
            "[]",
            "[\n {}]",
            "{\"message\": \"try later\"}",
            "{",
            "[\"\\\"type\\\": \\\"bundle\\\"\"]",
        ] {
            assert_eq!(guessed(head), Err(Reason::Json), "{head}");
        }
    }

    /// Of a list that goes on behind the head the last item breaks off.
    #[test]
    fn a_head_that_is_cut_is_enough() {
        let items = "{\"ip\": \"192.0.2.7\"}, ".repeat(20);
        let head = format!("[{items}{{\"ip\": \"192.0");
        let guess = guess(&Recipe::new(Format::Auto), head.as_bytes(), false).unwrap();
        assert_eq!(guess.recipe.format, Format::Json);
        assert!(
            guess.because.starts_with("in 20 of its first 21"),
            "{}",
            guess.because
        );
    }
}
