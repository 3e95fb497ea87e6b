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

/// What the example says of one key.
#[derive(Debug, Default)]
struct Shown {
    section: String,
    key: String,
    value: String,
    text: String,
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
    let shown = shown();
    let blocks =
        Config::parse(EVERY_KIND, "example").map_or_else(|_| Vec::new(), |one| blocks(&one));
    let mut text = String::new();
    for part in parts() {
        let _ = writeln!(
            text,
            "### `{}`\n\n| key | default | |\n|---|---|---|",
            part.header
        );
        let built = part
            .keys
            .iter()
            .filter(|key| !matches!(key.state, State::Later(_)));
        for key in built.filter(|key| !key.shown.starts_with('[')) {
            let default = default_of(&part, key, &blocks);
            let words = shown
                .iter()
                .find(|one| is_of(one, &part, key))
                .map_or_else(String::new, words);
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

/// Whether the example's words are about this key: in its own section, or in the one that shares it.
fn is_of(one: &Shown, part: &Part, key: &Key) -> bool {
    one.key == key.name
        && !one.text.is_empty()
        && [part.header, part.like, "[defaults]"].contains(&&*one.section)
}

fn default_of(part: &Part, key: &Key, blocks: &[Block]) -> String {
    let of_header = blocks.iter().filter(|block| block.header == part.header);
    let mut lines = of_header
        .flat_map(|block| &block.lines)
        .filter(|line| line.key == key.name)
        .peekable();
    if lines.peek().is_none() {
        return "none".to_owned();
    }
    match lines.find_map(|line| line.default.as_ref()) {
        Some(default) => format!("`{}`", cell(&default.to_string())),
        None => "must be written".to_owned(),
    }
}

fn words(one: &Shown) -> String {
    let example = cell(&one.value);
    let text = cell(&one.text);
    if one.value.is_empty() || one.value == "[" {
        text
    } else {
        format!("{text} Such as `{example}`.")
    }
}

/// A table's cell holds no bare bar.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Reads the example: each key with the comment behind it and the paragraph above it.
fn shown() -> Vec<Shown> {
    let mut all = Vec::new();
    let (mut section, mut above) = (String::new(), Vec::new());
    for line in EXAMPLE.lines() {
        if line.starts_with("# ") {
            above.push(line.trim_start_matches("# "));
            continue;
        }
        let code = line.strip_prefix('#').unwrap_or(line);
        if code.starts_with('[') {
            section = code.split(" #").next().unwrap_or(code).trim().to_owned();
        } else if let Some((key, rest)) = code.split_once(" = ")
            && key
                .chars()
                .all(|sign| sign.is_ascii_lowercase() || sign == '_')
        {
            let (value, behind) = value_and_comment(rest);
            let mut text: Vec<String> = Vec::new();
            text.extend(behind.map(sentence));
            text.extend((!above.is_empty()).then(|| sentence(&above.join(" "))));
            all.push(Shown {
                section: section.clone(),
                key: key.to_owned(),
                value: value.to_owned(),
                text: text.join(" "),
            });
        }
        above.clear();
    }
    all
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
    fn the_example_has_a_word_on_every_key() {
        let shown = shown();
        let mut silent = Vec::new();
        for part in parts() {
            for key in part
                .keys
                .iter()
                .filter(|key| !matches!(key.state, State::Later(_)))
            {
                let about = shown.iter().any(|one| {
                    one.key == key.name
                        && [part.header, part.like, "[defaults]"].contains(&&*one.section)
                });
                if !key.shown.starts_with('[') && !about {
                    silent.push(format!("{} {}", part.header, key.name));
                }
            }
        }
        assert!(silent.is_empty(), "{silent:#?}");
    }

    #[test]
    fn a_key_is_told_with_its_default_and_what_the_example_says() {
        let text = reference();
        let row = |key: &str| {
            text.lines()
                .find(|line| line.starts_with(&format!("| `{key}` |")))
                .unwrap()
        };
        assert!(
            row("keep_history").contains("| `\"90d\"` | Call history and dead listings"),
            "{}",
            row("keep_history")
        );
        assert!(row("max_delete").contains("`0.3`"), "{}", row("max_delete"));
        assert!(text.contains("| `name` | must be written |"), "{text}");
        assert!(!text.contains("`defaults`"));
    }
}
