//! What a reload changes, in sentences.

use toml::Value;

use super::Config;
use super::lines::{Block, Line, blocks};

impl Config {
    /// What is different here from `old`, one sentence each; none where nothing is.
    #[must_use]
    pub fn changes_from(&self, old: &Config) -> Vec<String> {
        let (old, new) = (blocks(old), blocks(self));
        let mut sentences = Vec::new();
        for block in &new {
            match old.iter().find(|before| before.title == block.title) {
                Some(before) => compare(before, block, &mut sentences),
                None => sentences.push(format!("{} added", block.title)),
            }
        }
        for block in &old {
            if !new.iter().any(|after| after.title == block.title) {
                sentences.push(removed(block));
            }
        }
        sentences
    }
}

fn compare(old: &Block, new: &Block, sentences: &mut Vec<String>) {
    for line in &new.lines {
        match old.lines.iter().find(|before| before.key == line.key) {
            Some(before) if before.value == line.value => {}
            Some(before) => sentences.push(changed(&new.title, before, line)),
            None if line.is_default() => {}
            None => sentences.push(format!(
                "{}: {} is now {}",
                new.title,
                line.key,
                plain(&line.value)
            )),
        }
    }
    for line in &old.lines {
        if !line.is_default() && !new.lines.iter().any(|after| after.key == line.key) {
            sentences.push(format!("{}: {} is gone", new.title, line.key));
        }
    }
}

fn changed(title: &str, old: &Line, new: &Line) -> String {
    let key = new.key;
    if let (Value::Array(old), Value::Array(new)) = (&old.value, &new.value) {
        let parts = [("gains", without(new, old)), ("loses", without(old, new))];
        let parts = parts.iter().filter(|(_, items)| !items.is_empty());
        let parts: Vec<_> = parts
            .map(|(verb, items)| format!("{verb} {items}"))
            .collect();
        let parts = if parts.is_empty() {
            "is ordered anew".to_owned()
        } else {
            parts.join(", ")
        };
        return format!("{title}: {key} {parts}");
    }
    format!(
        "{title}: {key} {} → {}",
        plain(&old.value),
        plain(&new.value)
    )
}

fn removed(block: &Block) -> String {
    let title = &block.title;
    let name = block.name.as_deref().unwrap_or_default();
    match block.header {
        "[[feed]]" => format!(
            "{title} removed: its listings age out; `feedwall feeds drop {name}` withdraws them at once"
        ),
        "[[guard.list]]" => format!("{title} removed: it guards nothing any more"),
        "[http]" => format!("{title} removed: nothing is served any more"),
        _ => format!("{title} removed: its leases run out by themselves"),
    }
}

/// The items of `all` that are not among `others`.
fn without(all: &[Value], others: &[Value]) -> String {
    let items = all.iter().filter(|item| !others.contains(item));
    items.map(plain).collect::<Vec<_>>().join(", ")
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
