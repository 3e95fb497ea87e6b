//! Tables and paragraphs of 80 columns, without borders. Styles are escape codes that the printer takes off
//! where there is no terminal.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::model::Direction;

/// Stands between a number and its unit while lines are broken, so that they stay together.
const TIED: char = '\u{a0}';

/// Columns of text.
pub const WIDTH: u16 = 80;

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table under a header, two blanks in, its columns two blanks apart. Each line ends with a newline.
#[must_use]
pub fn grid(header: &[(&str, Side)], rows: Vec<Vec<String>>) -> String {
    let mut table = plain(2);
    table.set_header(header.iter().map(|(title, _)| *title).collect::<Vec<_>>());
    for row in rows {
        table.add_row(row.iter().map(|cell| tie(cell)).collect::<Vec<_>>());
    }
    finish(table, header.iter().map(|(_, side)| *side), 2)
}

/// Labels, and beside each a text that wraps into lines of its own; two blanks in.
#[must_use]
pub fn items<L: ToString, T: ToString>(rows: impl IntoIterator<Item = (L, T)>) -> String {
    let mut table = plain(2);
    table.add_rows(
        rows.into_iter()
            .map(|(label, text)| vec![label.to_string(), tie(&text.to_string())]),
    );
    finish(table, [Side::Left; 2].into_iter(), 2)
}

/// A text that wraps, `indent` blanks in.
#[must_use]
pub fn prose(indent: u16, text: &str) -> String {
    let mut table = plain(indent);
    table.add_row(vec![tie(text)]);
    finish(table, [Side::Left].into_iter(), indent)
}

/// A section's heading, in bold, with its newline.
#[must_use]
pub fn heading(text: &str) -> String {
    format!("\u{1b}[1m{text}\u{1b}[0m\n")
}

/// Text that wants to be seen: yellow.
#[must_use]
pub fn warn(text: &str) -> String {
    // Each line by itself, so that a pager that shows a part of it shows the colour too.
    let mut styled = String::with_capacity(text.len() + 16);
    for line in text.lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(styled, "\u{1b}[33m{line}\u{1b}[0m");
    }
    styled
}

/// `1 feed`, `3 feeds`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{number} {noun}")
}

/// What `max_delete` holds, with the numbers that made it: deletes that wait, and of 24 h those that would be and may be.
#[must_use]
pub fn held_deletes(held: u64, wanted: u64, allowed: u64) -> String {
    let wait = if held == 1 { "waits" } else { "wait" };
    format!(
        "{} {wait}, for {wanted} in 24 h are more than the {allowed} that max_delete allows",
        count(held, "delete", "deletes")
    )
}

/// `outbound`, `inbound`.
#[must_use]
pub const fn bound(direction: Direction) -> &'static str {
    match direction {
        Direction::Out => "outbound",
        Direction::In => "inbound",
    }
}

/// Ties each number to the unit behind it: `48 h`, `60 %`.
fn tie(text: &str) -> String {
    let is_unit = |word: &str| matches!(word, "s" | "m" | "h" | "d" | "ms" | "%");
    let mut tied = String::with_capacity(text.len());
    let mut before = "";
    for word in text.split(' ') {
        if !tied.is_empty() || !before.is_empty() {
            let unit = word.trim_end_matches([')', ',', ';', ':', '.']);
            let number = before.ends_with(|sign: char| sign.is_ascii_digit());
            tied.push(if number && is_unit(unit) { TIED } else { ' ' });
        }
        tied.push_str(word);
        before = word;
    }
    tied
}

fn plain(indent: u16) -> Table {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH.max(indent + 10));
    table
}

fn finish(mut table: Table, sides: impl Iterator<Item = Side>, indent: u16) -> String {
    for (index, (column, side)) in table.column_iter_mut().zip(sides).enumerate() {
        column.set_padding((if index == 0 { indent } else { 2 }, 0));
        column.set_cell_alignment(match side {
            Side::Left => CellAlignment::Left,
            Side::Right => CellAlignment::Right,
        });
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(&line.trim_end().replace(TIED, " "));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_as_wide_as_it_needs() {
        let rows = vec![
            vec!["prod".to_owned(), "8412".to_owned()],
            vec!["中文".to_owned(), "7".to_owned()],
        ];
        let table = grid(&[("firewall", Side::Left), ("held", Side::Right)], rows);
        assert_eq!(
            table,
            "  firewall  held\n  prod      8412\n  中文         7\n"
        );
    }

    #[test]
    fn a_long_text_wraps_beside_its_label() {
        let long = "word ".repeat(40);
        let text = items([("feed-one", long.trim()), ("b", "short")]);
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert!(text.starts_with("  feed-one  word word"));
        assert!(text.lines().nth(1).unwrap().starts_with("            word"));
        assert!(text.ends_with("  b         short\n"), "{text}");
    }

    #[test]
    fn a_number_and_its_unit_stay_on_one_line() {
        for words in 60..75 {
            let text = prose(0, &format!("{} 48 s", "x".repeat(words)));
            assert!(text.contains("48 s") && !text.contains(TIED), "{text}");
        }
    }

    #[test]
    fn prose_keeps_its_words_whole() {
        let text = prose(4, &"sentence ".repeat(30));
        assert!(
            text.lines()
                .all(|line| line.len() <= 80 && line.starts_with("    s"))
        );
        let words = text.split_whitespace().all(|word| word == "sentence");
        assert!(words, "{text}");
    }
}
