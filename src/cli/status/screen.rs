//! A text on a screen that may be narrower and lower than it: long lines are broken, and what does not fit is
//! scrolled.

use unicode_width::UnicodeWidthChar as _;

/// Which part of a long text is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scroll {
    top: usize,
}

/// How far to scroll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
}

impl Scroll {
    /// Moves by `step` over `lines` of which `rows` are seen.
    pub fn by(&mut self, step: Step, lines: usize, rows: usize) {
        let page = rows.saturating_sub(1).max(1);
        self.top = match step {
            Step::Up => self.top.saturating_sub(1),
            Step::Down => self.top + 1,
            Step::PageUp => self.top.saturating_sub(page),
            Step::PageDown => self.top + page,
            Step::Top => 0,
            Step::Bottom => lines,
        };
        self.hold(lines, rows);
    }

    /// Lets no row stay empty that a line could fill.
    fn hold(&mut self, lines: usize, rows: usize) {
        self.top = self.top.min(lines.saturating_sub(rows));
    }

    /// The lines that are seen, and the number of the first.
    pub fn seen<'a>(&mut self, lines: &'a [String], rows: usize) -> (usize, &'a [String]) {
        self.hold(lines.len(), rows);
        let end = (self.top + rows).min(lines.len());
        (self.top, lines.get(self.top..end).unwrap_or_default())
    }
}

/// Breaks `text` into lines of at most `columns`, between words where it can; what goes on stands as deep as its line
/// began, and two blanks. Escape codes of colours count for nothing.
pub fn fit(text: &str, columns: usize) -> Vec<String> {
    text.lines()
        .flat_map(|line| broken(line, columns.max(8)))
        .collect()
}

fn broken(line: &str, columns: usize) -> Vec<String> {
    let indent = line.chars().take_while(|sign| *sign == ' ').count();
    let indent = " ".repeat((indent + 2).min(columns / 2));
    let mut lines = Vec::new();
    let mut rest = line;
    let mut lead = "";
    while let Some(cut) = cut(rest, columns - lead.len()) {
        let (now, later) = rest.split_at(cut);
        lines.push(format!("{lead}{}", now.trim_end()));
        (rest, lead) = (later.trim_start(), &indent);
    }
    // What is left may be codes alone: they belong to the line before.
    match lines.last_mut() {
        Some(last) if width(rest) == 0 => last.push_str(rest),
        _ => lines.push(format!("{lead}{rest}")),
    }
    lines
}

/// Where a text that is too wide is cut: after its last blank that fits, or else wherever it is full.
fn cut(text: &str, columns: usize) -> Option<usize> {
    let mut used = 0;
    let mut blank = None;
    let mut seen_word = false;
    for (at, sign, wide) in signs(text) {
        if used + wide > columns {
            return Some(blank.unwrap_or(at));
        }
        used += wide;
        if sign == ' ' && seen_word {
            blank = Some(at + 1);
        }
        seen_word |= sign != ' ';
    }
    None
}

/// How many columns a text takes.
fn width(text: &str) -> usize {
    signs(text).map(|(_, _, wide)| wide).sum()
}

/// The signs of a text with their places and widths; those of an escape code have none.
fn signs(text: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let mut in_code = false;
    text.char_indices().map(move |(at, sign)| {
        if sign == '\u{1b}' {
            in_code = true;
        }
        let wide = if in_code {
            0
        } else {
            sign.width().unwrap_or(0)
        };
        if in_code && sign.is_ascii_alphabetic() {
            in_code = false;
        }
        (at, sign, wide)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_line_goes_on_below_itself() {
        assert_eq!(
            fit("  prod: one two three four", 14),
            ["  prod: one", "    two three", "    four"]
        );
        assert_eq!(fit("short\n\nlines", 40), ["short", "", "lines"]);
        assert_eq!(fit("abcdefghijkl", 8), ["abcdefgh", "  ijkl"]);
        assert_eq!(fit("中文中文中文", 8), ["中文中文", "  中文"]);
    }

    #[test]
    fn colours_take_no_room() {
        let line = "\u{1b}[33m12345678\u{1b}[0m";
        assert_eq!(fit(line, 8), [line]);
        assert_eq!(
            fit("\u{1b}[33mone two six\u{1b}[0m", 8),
            ["\u{1b}[33mone two", "  six\u{1b}[0m"]
        );
    }

    #[test]
    fn it_scrolls_from_end_to_end() {
        let lines: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        let mut scroll = Scroll::default();
        let first = |scroll: &mut Scroll| scroll.seen(&lines, 4).0;
        for (step, expected) in [
            (Step::Up, 0),
            (Step::Down, 1),
            (Step::PageDown, 4),
            (Step::PageDown, 6),
            (Step::Down, 6),
            (Step::PageUp, 3),
            (Step::Bottom, 6),
            (Step::Top, 0),
        ] {
            scroll.by(step, lines.len(), 4);
            assert_eq!(first(&mut scroll), expected, "{step:?}");
        }
        scroll.by(Step::Bottom, lines.len(), 4);
        assert_eq!(
            scroll.seen(&lines[..3], 4),
            (0, &lines[..3]),
            "a text that shrank"
        );
    }

    proptest! {
        #[test]
        fn every_line_fits_and_no_word_is_lost(text in "[ a-z中\u{1b}\\[0-9m\n]{0,200}", columns in 8_usize..60) {
            let lines = fit(&text, columns);
            for line in &lines {
                prop_assert!(width(line) <= columns, "{line:?}");
            }
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(&lines.join("\n")), bare(&text));
        }
    }
}
