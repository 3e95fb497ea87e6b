//! Every key of the config for people who look one up: what the example file says of it, and the default that the code
//! would take. The example is the one place where a key is described; a key that it lacks is a fault of a test.

use std::fmt::Write as _;

use super::Config;
use super::keys::{self, Key, State};
use super::lines::{Block, blocks};

/// The example that is shipped, with a word on every key.
const EXAMPLE: &str = include_str!("../../config/feedwall.toml");

/// Feeds of every kind, so that each key has a default to be asked for.
const EVERY_KIND: &str = r#"
[http]
[[guard.list]]
name = "list"
url = "https://lists.example.net/list"
[[feed]]
name = "text"
url = "https://feeds.example.net/text"
[[feed]]
name = "table"
url = "https://feeds.example.net/table"
format = "csv"
[[feed]]
name = "objects"
url = "https://feeds.example.net/objects"
format = "json"
[[feed]]
name = "bundle"
url = "https://feeds.example.net/bundle"
format = "stix"
[[feed]]
name = "events"
url = "https://feeds.example.net/events/"
format = "misp"
[[firewall]]
name = "prod"
"#;

/// Keys that the example has no feed for, or no room.
const BEYOND: [(&str, &str); 5] = [
    (
        "items",
        "JSON: where the records stand, a pointer in which `*` is every one, such as `\"/data/*\"`; `column` is then a pointer inside a record.",
    ),
    (
        "made_at",
        "JSON: where the body says when it was made, from the top, such as `\"/meta/updated\"`; NDJSON: a field of the row with `\"type\": \"metadata\"`. A body that says that it is older than `max_stale` is frozen.",
    ),
    (
        "separator",
        "Text: a sign that ends a row as the end of a line does, such as `\",\"`: for lists that stand in one line, however long it is.",
    ),
    (
        "to_ids",
        "MISP: only attributes that their author marked for detection; false: all of them.",
    ),
    ("kind", "The one kind that there is."),
];

/// What the example says of one key.
#[derive(Debug, Default)]
struct Shown {
    section: String,
    key: String,
    value: String,
    text: String,
}

/// What the example says.
#[derive(Debug, Default)]
struct Example {
    /// What stands above each section.
    intros: Vec<(String, String)>,
    keys: Vec<Shown>,
}

/// Whose keys they are, and whose section of the example describes those that are shared.
struct Part {
    header: &'static str,
    keys: &'static [Key],
    like: &'static str,
}

/// The keys, as Markdown: a section of the file, a table.
#[must_use]
pub fn reference() -> String {
    let example = Example::read();
    let blocks =
        Config::parse(EVERY_KIND, "example").map_or_else(|_| Vec::new(), |one| blocks(&one));
    let mut text = String::new();
    for part in parts() {
        let _ = writeln!(text, "### `{}`\n", part.header);
        if let Some((_, intro)) = example
            .intros
            .iter()
            .find(|(header, _)| header == part.header)
        {
            let _ = writeln!(text, "{intro}\n");
        }
        let _ = writeln!(text, "| key | default | |\n|---|---|---|");
        for key in part.tabled() {
            let default = default_of(&part, key, &blocks);
            let words = example.words(&part, key, default.as_deref());
            let default = default.unwrap_or_else(|| "none".to_owned());
            let _ = writeln!(text, "| `{}` | {default} | {words} |", key.name);
        }
        text.push('\n');
    }
    text
}

fn parts() -> Vec<Part> {
    let part = |header, keys| Part {
        header,
        keys,
        like: header,
    };
    vec![
        part("[ledger]", keys::LEDGER),
        part("[http]", keys::HTTP),
        part("[fetch]", keys::FETCH),
        part("[guard]", keys::GUARD),
        Part {
            header: "[[guard.list]]",
            keys: keys::GUARD_LIST,
            like: "[[feed]]",
        },
        part("[[feed]]", keys::FEED),
        part("[[firewall]]", keys::FIREWALL),
        Part {
            header: "[l4]",
            keys: keys::L4,
            like: "[[firewall]]",
        },
    ]
}

impl Part {
    /// The keys that stand in its table; sections have tables of their own.
    fn tabled(&self) -> impl Iterator<Item = &'static Key> {
        let built = self
            .keys
            .iter()
            .filter(|key| !matches!(key.state, State::Later(_)));
        built.filter(|key| !key.shown.starts_with('['))
    }
}

/// The value that is in force where the file says nothing; `None` for a key that only some formats know.
fn default_of(part: &Part, key: &Key, blocks: &[Block]) -> Option<String> {
    let of_header = blocks.iter().filter(|block| block.header == part.header);
    let mut lines = of_header
        .flat_map(|block| &block.lines)
        .filter(|line| line.key == key.name)
        .peekable();
    lines.peek()?;
    Some(match lines.find_map(|line| line.default.as_ref()) {
        Some(default) => format!("`{}`", cell(&default.to_string())),
        None => "must be written".to_owned(),
    })
}

/// A table's cell holds no bare bar.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

impl Example {
    /// Reads each key with the comment behind it and the paragraph above it, and the paragraphs above each section.
    fn read() -> Self {
        let mut example = Self::default();
        let (mut section, mut above, mut paragraphs) = (String::new(), Vec::new(), Vec::new());
        for line in EXAMPLE.lines() {
            if line.starts_with("# ") && !line.starts_with("# --") {
                above.push(line.trim_start_matches("# "));
                continue;
            }
            let code = line.strip_prefix('#').unwrap_or(line);
            if code.starts_with('[') {
                section = code.split(" #").next().unwrap_or(code).trim().to_owned();
                paragraphs.extend((!above.is_empty()).then(|| sentence(&above.join(" "))));
                let known = example.intros.iter().any(|(header, _)| *header == section);
                if !known && !paragraphs.is_empty() {
                    let intro = std::mem::take(&mut paragraphs).join(" ");
                    example.intros.push((section.clone(), intro));
                }
                paragraphs.clear();
            } else if let Some((key, rest)) = code.split_once(" = ")
                && key
                    .chars()
                    .all(|sign| sign.is_ascii_lowercase() || sign == '_')
            {
                let (value, behind) = value_and_comment(rest);
                let mut text: Vec<String> = behind.map(sentence).into_iter().collect();
                text.extend((!above.is_empty()).then(|| sentence(&above.join(" "))));
                paragraphs.clear();
                example.keys.push(Shown {
                    section: section.clone(),
                    key: key.to_owned(),
                    value: value.to_owned(),
                    text: text.join(" "),
                });
            } else if line.starts_with("# --") {
                // What stands above a rule is about the file, or the section before.
                paragraphs.clear();
            } else if !above.is_empty() {
                paragraphs.push(sentence(&above.join(" ")));
            }
            above.clear();
        }
        example
    }

    /// Every word on a key: of its own section and of what feeds share, or else of the section that is like it; and an
    /// example that is not the default.
    fn words(&self, part: &Part, key: &Key, default: Option<&str>) -> String {
        let of = |homes: &[&str]| -> Vec<&Shown> {
            let here = |one: &&Shown| homes.contains(&&*one.section) && one.key == key.name;
            self.keys.iter().filter(here).collect()
        };
        let mut found = of(&[part.header, "[defaults]"]);
        if found.is_empty() {
            found = of(&[part.like]);
        }
        let beyond = BEYOND.iter().find(|(name, _)| *name == key.name);
        let mut words: Vec<String> = beyond.iter().map(|(_, text)| (*text).to_owned()).collect();
        for one in &found {
            if !one.text.is_empty() && !words.contains(&one.text) {
                words.push(cell(&one.text));
            }
        }
        let plain = |value: &str| value.replace(['_', '`'], "");
        let is_default =
            |value: &str| default.is_some_and(|default| plain(default) == plain(value));
        let values = found.iter().map(|one| cell(&one.value));
        let mut telling = values.filter(|value| value != "[" && !is_default(value));
        words.extend(telling.next().map(|value| format!("Such as `{value}`.")));
        words.join(" ")
    }
}

/// A comment begins behind two blanks, for a single one may stand inside a value.
fn value_and_comment(rest: &str) -> (&str, Option<&str>) {
    match rest.split_once("  #") {
        Some((value, comment)) => (value.trim(), Some(comment.trim())),
        None => match rest.rsplit_once(" # ") {
            Some((value, comment)) if !comment.contains('"') => {
                (value.trim(), Some(comment.trim()))
            }
            _ => (rest.trim(), None),
        },
    }
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut signs = text.chars();
    let text: String = signs
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(signs)
        .collect();
    if text.ends_with(['.', ':', '!', '?']) {
        text
    } else {
        format!("{text}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_told_of() {
        let example = Example::read();
        let mut silent = Vec::new();
        for part in parts() {
            for key in part.tabled() {
                if example.words(&part, key, None).is_empty() {
                    silent.push(format!("{} {}", part.header, key.name));
                }
            }
        }
        assert!(silent.is_empty(), "the example says nothing of {silent:#?}");
    }

    #[test]
    fn a_key_stands_beside_its_default_and_what_the_example_says() {
        let text = reference();
        let row = |key: &str| {
            let begins = format!("| `{key}` |");
            text.lines().find(|line| line.starts_with(&begins)).unwrap()
        };
        let row_is = |key: &str, begins: &str| assert!(row(key).contains(begins), "{}", row(key));
        row_is(
            "keep_history",
            "| `\"90d\"` | Call history and dead listings",
        );
        row_is("max_delete", "| `0.3` |");
        row_is("name", "| must be written |");
        assert!(
            !row("max_delete").contains("Such as"),
            "an example that is the default says nothing"
        );
        assert!(text.contains("The ledger is a SQLite file"), "{text}");
    }
}
