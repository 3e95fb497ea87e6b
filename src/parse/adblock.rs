//! Format `adblock`: only rules that block a whole domain everywhere, `||evil.example^`.

use std::io;

use super::lines::{Line, each_line};
use super::{Out, Reason, Recipe, Said, Text, token::Found};
use crate::model::Indicator;

/// What divides a cosmetic rule from the domains that it is for.
const COSMETIC: [&str; 5] = ["##", "#@#", "#?#", "#$#", "#%#"];

pub(super) fn parse(_: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    each_line(text, out, |out, line| match read(&line) {
        Ok(None) => {}
        Ok(Some(indicator)) => out.row(Found::One(indicator), Said::default()),
        Err(reason) => out.reject(line.place, line.bytes, reason),
    })
}

/// What a line blocks; `None` for a blank, a comment (`!`, or `#` before a blank) and the list's title.
fn read(line: &Line<'_>) -> Result<Option<Indicator>, Reason> {
    let bytes = line.bytes.trim_ascii();
    if matches!(bytes, [] | [b'!', ..] | b"#" | [b'#', b' ' | b'\t', ..]) || is_title(bytes) {
        return Ok(None);
    }
    let rule = line.text()?.trim();
    if rule.starts_with("@@") {
        return Err(Reason::Exception);
    }
    if COSMETIC.iter().any(|sign| rule.contains(sign)) {
        return Err(Reason::Cosmetic);
    }
    let Some((domain, rest)) = rule
        .strip_prefix("||")
        .and_then(|rule| rule.split_once('^'))
    else {
        return Err(Reason::PartOfUrl);
    };
    match rest {
        _ if domain.contains('/') => Err(Reason::PartOfUrl),
        "" => Ok(Some(Indicator::try_new(domain)?)),
        _ if rest.starts_with('$') => Err(Reason::Options),
        _ => Err(Reason::PartOfUrl),
    }
}

/// `[Adblock Plus 2.0]`
fn is_title(line: &[u8]) -> bool {
    let ad = line
        .get(1..3)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"ad"));
    line.starts_with(b"[") && line.ends_with(b"]") && ad
}
