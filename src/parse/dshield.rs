//! Format `dshield`: block.txt of the Internet Storm Center, TAB between first address, last address,
//! prefix length and further columns, under a line of column names that is no comment.

use std::io;

use super::lines::{Line, each_line, is_comment};
use super::{Out, Reason, Recipe, Said, Text, token, token::Found};
use crate::model::Indicator;

pub(super) fn parse(_: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    each_line(text, out, |out, line| match read(&line) {
        Ok(None) => {}
        Ok(Some(network)) => out.row(Found::One(network), Said::default()),
        Err(reason) => out.reject(line.place, line.bytes, reason),
    })
}

/// The line's network; `None` for a blank line, a comment and the column names.
fn read(line: &Line<'_>) -> Result<Option<Indicator>, Reason> {
    let bytes = line.bytes.trim_ascii();
    if bytes.is_empty() || is_comment(bytes) {
        return Ok(None);
    }
    let mut words = line
        .text()?
        .split(['\t', ' '])
        .filter(|word| !word.is_empty());
    let mut word = || words.next().ok_or(Reason::NoCell);
    let start = word()?;
    if start.eq_ignore_ascii_case("start") {
        return Ok(None);
    }
    token::block(start, word()?, word()?).map(Some)
}
