//! Thousands of rows in one statement, because a row a call costs more than all the rest: on their way in as
//! JSON arrays with the keys in hex, on their way out as one long value.

use std::fmt::Write as _;

use crate::model::{Direction, Entry, Indicator, List};

use super::{LedgerError, Result};

/// Entries of one list and direction, so that a statement can look each of them up by its whole key.
pub(super) struct Group {
    pub(super) list: i64,
    pub(super) direction: i64,
    /// As [`keys_json`] gives them.
    pub(super) keys: String,
}

/// Entries by list and direction; at most four groups, none of them empty.
pub(super) fn groups(entries: &[Entry]) -> Vec<Group> {
    let mut groups = Vec::new();
    for list in [List::Block, List::Allow] {
        for direction in Direction::ALL {
            let mut of_group = entries
                .iter()
                .filter(|entry| entry.list == list && entry.direction == direction)
                .map(|entry| &entry.indicator)
                .peekable();
            if of_group.peek().is_some() {
                groups.push(Group {
                    list: list as i64,
                    direction: direction as i64,
                    keys: keys_json(of_group),
                });
            }
        }
    }
    groups
}

/// Indicators as the JSON array of hex strings that `json_each` unfolds.
pub(super) fn keys_json<'a>(indicators: impl IntoIterator<Item = &'a Indicator>) -> String {
    let mut json = String::from("[");
    let mut key = Vec::with_capacity(32);
    for indicator in indicators {
        if json.len() > 1 {
            json.push(',');
        }
        json.push('"');
        push_hex(&mut json, indicator, &mut key);
        json.push('"');
    }
    json.push(']');
    json
}

/// Appends an indicator's key in hex; `key` is a scratch buffer.
pub(super) fn push_hex(out: &mut String, indicator: &Indicator, key: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    key.clear();
    indicator.write_key(key);
    for byte in key {
        out.push(DIGITS[usize::from(*byte >> 4)] as char);
        out.push(DIGITS[usize::from(*byte & 15)] as char);
    }
}

/// Appends `,value`, or `,null`.
pub(super) fn push_number(out: &mut String, value: Option<i64>) {
    match value {
        // Writing to a String cannot fail.
        Some(value) => {
            let _ = write!(out, ",{value}");
        }
        None => out.push_str(",null"),
    }
}

/// Rows as one long value: the key as it is, then its numbers, each behind a `:` and empty for NULL, then a
/// `,`. The numbers that are NULL at a row's end may be left out.
pub(super) struct Packed<'a> {
    rest: &'a [u8],
}

/// The numbers behind a packed row's key.
pub(super) struct Numbers<'a> {
    rest: &'a [u8],
}

impl<'a> Packed<'a> {
    pub(super) const fn new(rows: &'a [u8]) -> Self {
        Self { rest: rows }
    }

    fn row(&mut self) -> Result<(Indicator, Numbers<'a>)> {
        let key = key_length(self.rest);
        let (key, rest) = self.rest.split_at_checked(key).ok_or_else(cut_short)?;
        let end = match rest.first() {
            Some(b',') => 0,
            _ => memchr::memchr(b',', rest).unwrap_or(rest.len()),
        };
        let (numbers, rest) = rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        let numbers = Numbers { rest: numbers };
        Ok((Indicator::from_key(key)?, numbers))
    }
}

impl<'a> Iterator for Packed<'a> {
    type Item = Result<(Indicator, Numbers<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let row = self.row();
        if row.is_err() {
            self.rest = &[];
        }
        Some(row)
    }
}

impl Numbers<'_> {
    /// Whether nothing stands behind the key.
    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next number; `None` for NULL.
    pub(super) fn next(&mut self) -> Result<Option<i64>> {
        match self.field() {
            [] => Ok(None),
            digits => number(digits).map(Some),
        }
    }

    /// The word in a number's place; `None` for NULL.
    pub(super) fn word(&mut self) -> Option<&str> {
        let word = self.field();
        std::str::from_utf8(word)
            .ok()
            .filter(|word| !word.is_empty())
    }

    /// The next number, which no version of this program leaves out.
    pub(super) fn expect(&mut self) -> Result<i64> {
        self.next()?.ok_or_else(cut_short)
    }

    /// What stands behind the next `:`, up to the one after.
    fn field(&mut self) -> &[u8] {
        let [b':', rest @ ..] = self.rest else {
            return &[];
        };
        let end = rest.iter().position(|byte| *byte == b':');
        let (field, rest) = rest.split_at(end.unwrap_or(rest.len()));
        self.rest = rest;
        field
    }
}

/// The length of the key that `rows` begins with: an address says it by its tag, and no domain holds a
/// separator.
fn key_length(rows: &[u8]) -> usize {
    let tag = rows.first().copied().unwrap_or_default();
    Indicator::key_length(tag)
        .or_else(|| memchr::memchr2(b':', b',', rows))
        .unwrap_or(rows.len())
}

fn number(digits: &[u8]) -> Result<i64> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| {
            let digits = digits.escape_ascii();
            LedgerError::Row(format!("`{digits}` where a number should stand"))
        })
}

pub(super) fn cut_short() -> LedgerError {
    LedgerError::Row("a row that is cut short".to_owned())
}
