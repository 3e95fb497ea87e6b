//! Format `text`: one indicator a line, with comments and further columns that do not count.

use std::io;

use super::lines::{Line, each_line, each_part, is_comment};
use super::token::{self, Found};
use super::{Out, Reason, Recipe, Said, Text};
use crate::model::{Indicator, ipv4};

/// Between columns, beside the comma.
const BLANK: [char; 4] = [' ', '\t', '\u{b}', '\u{c}'];

pub(super) fn parse(recipe: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    let Some(separator) = recipe.separator else {
        return each_line(text, out, |out, line| take(recipe, out, &line));
    };
    // A comment goes on to the end of its line, whatever signs stand in it.
    let mut comment = None;
    each_part(text, Some(separator), out, |out, part| {
        let line = Some(part.place.line);
        if comment != line {
            take(recipe, out, &part);
        }
        if holds_comment(part.bytes) {
            comment = line;
        }
    })
}

/// Whether a comment begins in a part of a line.
fn holds_comment(part: &[u8]) -> bool {
    let begins = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| part.get(before));
        before.is_none_or(u8::is_ascii_whitespace) && is_comment(&part[at..])
    };
    (0..part.len()).any(begins)
}

fn take(recipe: &Recipe, out: &mut Out<'_>, line: &Line<'_>) {
    match row(recipe, line) {
        Ok(None) => {}
        Ok(Some(found)) => out.row(found, Said::default()),
        Err(reason) => out.reject(line.place, line.bytes, reason),
    }
}

/// What a line says; `None` for a blank one and for a comment, whatever its charset.
fn row(recipe: &Recipe, line: &Line<'_>) -> Result<Option<Found>, Reason> {
    if let Some((ip, [])) = ipv4::leading(line.bytes) {
        return Ok(Some(Found::One(Indicator::from_ip(ip.into()))));
    }
    if is_bare_name(line.bytes) {
        return Ok(Some(Found::One(Indicator::try_new(line.text()?)?)));
    }
    if is_comment(line.bytes.trim_ascii_start()) {
        return Ok(None);
    }
    let text = line.text()?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (first, rest) = text.split_at(first_column(text.as_bytes()));
    let (found, rest) = match spaced_range(first, rest) {
        Some((start, end, rest)) => {
            let range = token::range(recipe, start, end).ok_or(Reason::RangeEnds)??;
            (Found::Many(range), rest)
        }
        None if first == "-" => return Err(Reason::LoneDash),
        None => (token::read(recipe, first)?, rest),
    };
    check_columns(recipe, without_comment(rest))?;
    Ok(Some(found))
}

/// Whether the line is a name and nothing else, which by far the most are that are no address, so that
/// none of the other forms need be looked for. What holds no letter may be a range.
fn is_bare_name(line: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    let letter = |byte: &u8| byte.is_ascii_lowercase();
    line.first().is_some_and(|first| *first != b'.')
        && line.iter().all(plain)
        && line.iter().any(letter)
}

/// Where the first column ends: at a blank, a comma, or a comment's sign.
///
/// A URL goes on to the next blank once its host is over, for commas, `;` and `#` belong to its page. The
/// length of a network does not make one: `192.0.2.0/24;x`.
fn first_column(text: &[u8]) -> usize {
    let column = |text: &[u8], ends: &[u8]| {
        let end = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'\x0b' || ends.contains(byte);
        text.iter().position(end).unwrap_or(text.len())
    };
    let simple = column(text, b",#;/");
    if text.get(simple) != Some(&b'/') {
        return simple;
    }
    let after = &text[simple + 1..];
    if let Some(host) = after.strip_prefix(b"/") {
        let authority = column(host, b",/?#");
        return match host.get(authority) {
            Some(b'/' | b'?' | b'#') => column(text, b""),
            _ => simple + 2 + authority,
        };
    }
    let length = column(after, b",#;");
    if length > 0 && after[..length].iter().all(u8::is_ascii_digit) {
        return simple + 1 + length;
    }
    column(text, b"")
}

/// `a - b`, `a- b` and `a -b`, and what follows them.
fn spaced_range<'a>(first: &'a str, rest: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
    let (start, rest) = match first.strip_suffix('-') {
        Some(start) => (start, rest.trim_start_matches(BLANK)),
        None => {
            let dash = rest.trim_start_matches(BLANK).strip_prefix('-')?;
            (first, dash.trim_start_matches(BLANK))
        }
    };
    let (end, rest) = rest.split_at(first_column(rest.as_bytes()));
    (token::looks_like_address(start) && token::looks_like_address(end))
        .then_some((start, end, rest))
}

/// Cuts the tail that a `#`, `;` or `//` begins, where a column could begin.
fn without_comment(rest: &str) -> &str {
    let bytes = rest.as_bytes();
    let begins = |at: &usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let apart = before.is_none_or(|byte| byte.is_ascii_whitespace() || *byte == b',');
        apart && is_comment(&bytes[*at..])
    };
    match (0..bytes.len()).find(begins) {
        Some(at) => &rest[..at],
        None => rest,
    }
}

/// Further columns may say what they like but name no further indicator.
fn check_columns(recipe: &Recipe, rest: &str) -> Result<(), Reason> {
    let between = |sign: char| sign == ',' || BLANK.contains(&sign);
    for column in rest.split(between).filter(|column| !column.is_empty()) {
        if column == "-" {
            return Err(Reason::LoneDash);
        }
        if is_second(recipe, column) {
            return Err(Reason::SecondIndicator);
        }
    }
    Ok(())
}

/// Whether a further column is an indicator, or was meant for one: `5.6.7.888`, `/24`. A name counts where
/// its suffix is a public one; `setup.exe` and `S.A.` do not.
fn is_second(recipe: &Recipe, column: &str) -> bool {
    let quotes = ['"', '\'', '(', ')', '<', '>', '[', ']', '{', '}', ';', '|'];
    let inner = column.trim_matches(quotes);
    if let Some(length) = inner.strip_prefix('/') {
        return !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    }
    if !inner.contains('.') && !inner.contains("::") && inner.matches(':').count() < 7 {
        return false;
    }
    if token::looks_like_address(inner) {
        return true;
    }
    match token::read(recipe, inner) {
        Ok(Found::One(Indicator::Domain(name))) => name.known_suffix().is_some(),
        Ok(_) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;
    use crate::parse::{Format, Snapshot};

    fn read(separator: u8, body: &str, buffer: usize, ends_surely: bool) -> Snapshot {
        let recipe = Recipe {
            separator: Some(separator),
            ..Recipe::new(Format::Text)
        };
        let mut body = BufReader::with_capacity(buffer, Cursor::new(body));
        let text = Text {
            body: &mut body,
            ends_surely,
        };
        Snapshot::read(&recipe, text, 1_000_000).unwrap()
    }

    #[test]
    fn a_separator_ends_a_row_as_a_line_s_end_does() {
        let body = "# one, two\r\n45.155.205.1, 45.155.205.2,,45.155.205.0/24,\n\
            45.155.205.3 # a comment, 45.155.205.4\n45.155.205.999,evil-host.ch";
        for buffer in [1, 2, 7, 4096] {
            let list = read(b',', body, buffer, true);
            let rows: Vec<_> = list.rows().map(|row| row.indicator.to_string()).collect();
            let expected = [
                "45.155.205.1",
                "45.155.205.2",
                "45.155.205.3",
                "45.155.205.0/24",
                "evil-host.ch",
            ];
            assert_eq!(rows, expected, "{buffer}");
            let rejects = list.rejects().by_reason();
            assert_eq!(list.rejects().total(), 1, "{rejects:?}");
            let at = &rejects[0].1.first[0];
            assert_eq!((list.tally().lines, at.line), (4, 4));
            assert_eq!(list.tally().bytes, body.len() as u64);
            let rest = &body[usize::try_from(at.byte).unwrap()..];
            assert!(rest.starts_with(&at.text), "{at:?}");
            // A row that may be cut short is none.
            let cut = read(b',', body, buffer, false);
            assert_eq!((cut.len(), cut.rejects().total()), (4, 2));
        }
        assert_eq!(read(b';', "45.155.205.1;45.155.205.2", 64, true).len(), 2);
        assert_eq!(
            read(b' ', "45.155.205.1  45.155.205.2\n", 64, true).len(),
            2
        );
    }

    /// One line of two megabytes, as some publishers have it, is read in the memory of one row.
    #[test]
    fn a_line_may_be_as_long_as_the_body() {
        let addresses: Vec<String> = (0..150_000_u32)
            .map(|at| std::net::Ipv4Addr::from_bits(0x2d00_0000 + at).to_string())
            .collect();
        let list = read(b',', &addresses.join(","), 128 << 10, true);
        assert_eq!((list.len(), list.rejects().total()), (150_000, 0));
        assert_eq!(list.tally().lines, 1);
    }
}
