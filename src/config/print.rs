//! The config that is in force, in its own language.

use toml::Value;

use super::Config;
use super::lines::{Line, blocks};

/// Beyond this column an array is written one item a line, and marks no longer align.
const WIDE: usize = 100;
const HEAD: &str =
    "# What is in force. A line marked `# default` is built in and need not be written.\n";

impl Config {
    /// Writes every key with the value that is in force; `[defaults]` has been dealt out to the feeds.
    /// What is written reads as this same config. It holds no secrets: credentials are places.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = HEAD.to_owned();
        for block in blocks(self) {
            out.push('\n');
            out.push_str(block.header);
            out.push('\n');
            let lines: Vec<_> = block.lines.iter().map(|line| (line, text(line))).collect();
            let widths = lines.iter().map(|(_, text)| text.chars().count());
            let column = widths.filter(|width| *width <= WIDE / 2).max().unwrap_or(0);
            for (line, text) in lines {
                if line.is_default() {
                    out.push_str(&format!("{text:<column$}  # default\n"));
                } else {
                    out.push_str(&text);
                    out.push('\n');
                }
            }
        }
        out
    }
}

fn text(line: &Line) -> String {
    let short = format!("{} = {}", line.key, line.value);
    match &line.value {
        Value::Array(items) if short.chars().count() > WIDE => {
            let items: String = items.iter().map(|item| format!("    {item},\n")).collect();
            format!("{} = [\n{items}]", line.key)
        }
        _ => short,
    }
}
