//! Feeds whose pipeline has died and goes on serving what it made last.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{Timestamp, fmt::rfc2822};

use crate::model::UnixTime;

/// So many bytes of a body's beginning are looked at for what it says of itself.
pub const HEAD: u64 = 16 << 10;

/// So many lines at the beginning of a body are looked at for a date.
const LINES: usize = 100;

/// Words that stand in the comment with the date of a list, in lower case.
const WORDS: [&str; 7] = [
    "updated",
    "update",
    "generated",
    "modified",
    "created",
    "date",
    "timestamp",
];

/// No list is older, so that an earlier date is none.
const EARLIEST: UnixTime = UnixTime::from_seconds(946_684_800);

/// What a body, and the server that sent it, say of its age.
#[derive(Clone, Copy, Debug, Default)]
pub struct Word<'a> {
    /// The body's beginning, up to [`HEAD`] bytes.
    pub head: &'a [u8],
    /// The date in the field that the recipe names ([`Tally::made_at`](crate::parse::Tally::made_at)).
    pub field: Option<UnixTime>,
    /// `Last-Modified`, as it came.
    pub last_modified: Option<&'a str>,
}

/// Says so where a body is the same since `since`, longer ago than `max_stale`.
#[must_use]
pub fn frozen(max_stale: Option<Duration>, since: UnixTime, now: UnixTime) -> Option<String> {
    let max_stale = max_stale.filter(|stale| since.plus(*stale) < now)?;
    Some(format!(
        "what the body lists is the same since {since}, for longer than max_stale allows ({}), so that nothing renews its listings; see whether its publisher has given it up",
        words(max_stale)
    ))
}

/// Says so where a body that differs from the one before still says that it was made at `made_at`, longer ago than
/// `max_stale`: its publisher shuffles what nobody keeps up.
fn dated_long_ago(max_stale: Option<Duration>, made_at: UnixTime, now: UnixTime) -> Option<String> {
    let max_stale = max_stale.filter(|stale| made_at.plus(*stale) < now)?;
    Some(format!(
        "the body says that it was made at {made_at}, longer ago than max_stale allows ({}), so that nothing renews its listings; see whether its publisher has given it up",
        words(max_stale)
    ))
}

/// Says so where a body comes from a pipeline that died long ago. Of the `first` one that we see `Last-Modified` tells it,
/// too; later ones changed under our eyes, and only what they say of themselves counts.
#[must_use]
pub fn by_its_word(
    max_stale: Option<Duration>,
    first: bool,
    word: &Word<'_>,
    now: UnixTime,
) -> Option<String> {
    let word = Word {
        last_modified: word.last_modified.filter(|_| first),
        ..*word
    };
    let made_at = made_at(&word, now)?;
    if first {
        return frozen(max_stale, made_at, now);
    }
    dated_long_ago(max_stale, made_at, now)
}

fn words(span: Duration) -> String {
    let (hours, seconds) = (span.as_secs() / 3600, span.as_secs() % 3600);
    match (hours / 24, hours % 24) {
        _ if seconds > 0 => format!("{} s", span.as_secs()),
        (days, 0) => format!("{days} d"),
        _ => format!("{hours} h"),
    }
}

/// When a body says that it was made: the latest date in the comments at its beginning and in the field that the recipe
/// names, or else what the server said (`Last-Modified`). A date that lies ahead of `now` is none.
#[must_use]
pub fn made_at(word: &Word<'_>, now: UnixTime) -> Option<UnixTime> {
    let believable = |at: &UnixTime| (EARLIEST..=now).contains(at);
    let lines = word.head.split(|byte| *byte == b'\n').take(LINES);
    let comments = lines.filter_map(comment);
    let dates = comments.filter_map(|comment| date(&comment));
    let inside = dates.chain(word.field).filter(believable).max();
    inside.or_else(|| {
        word.last_modified
            .and_then(|text| seconds(rfc2822::parse(text).ok()?.timestamp()))
            .filter(believable)
    })
}

fn comment(line: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?.trim();
    let inside = text.trim_start_matches(['#', ';', '/', '!', ' ', '\t']);
    (inside.len() < text.len()).then(|| inside.to_owned())
}

/// The date behind one of the words.
fn date(comment: &str) -> Option<UnixTime> {
    let lower = comment.to_ascii_lowercase();
    let found = WORDS
        .iter()
        .filter_map(|word| Some((lower.find(word)?, word.len())));
    let (start, length) = found.min_by_key(|(start, length)| (*start, Reverse(*length)))?;
    let behind = comment.get(start + length..)?;
    let text = behind.trim_start_matches(|sign: char| !sign.is_ascii_alphanumeric());
    let text = text.trim_end_matches(['#', '*', '-', '.', ')', ' ']);
    let text = ["on ", "at "]
        .iter()
        .find_map(|word| text.strip_prefix(word))
        .unwrap_or(text);
    iso(text)
        .or_else(|| seconds(rfc2822::parse(text).ok()?.timestamp()))
        .or_else(|| as_date_prints(text))
}

/// `2024-01-15 10:25:03`, with or without a zone, a fraction, the seconds or the time; UTC where none is named.
fn iso(text: &str) -> Option<UnixTime> {
    let length = text
        .find(|sign: char| !(sign.is_ascii_digit() || "-:.+TZ ".contains(sign)))
        .unwrap_or(text.len());
    let text = text.get(..length)?.trim_end();
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return seconds(stamp);
    }
    let civil: DateTime = text.parse().ok()?;
    seconds(Offset::UTC.to_timestamp(civil).ok()?)
}

/// `Mon Jan 15 10:25:03 UTC 2024`, as date(1) prints it.
fn as_date_prints(text: &str) -> Option<UnixTime> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, month, day, time, zone @ .., year] = words.as_slice() else {
        return None;
    };
    if !matches!(zone, [] | ["UTC" | "GMT"]) {
        return None;
    }
    let text = format!("{year} {month} {day} {time}");
    let civil = DateTime::strptime("%Y %b %d %H:%M:%S", text).ok()?;
    seconds(Offset::UTC.to_timestamp(civil).ok()?)
}

fn seconds(stamp: Timestamp) -> Option<UnixTime> {
    Some(UnixTime::from_seconds(stamp.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn made(head: &str) -> Option<String> {
        let word = Word {
            head: head.as_bytes(),
            ..Word::default()
        };
        made_at(&word, NOW).map(|at| at.to_string())
    }

    #[test]
    fn bodies_say_when_they_were_made() {
        for (head, at) in [
            (
                "# Last updated: 2024-01-15 10:25:03 UTC                #\r\n1.2.3.4\r\n",
                "2024-01-15T10:25:03Z",
            ),
            (
                "# Last update: Sat, 22 Aug 2026 03:00:02 +0100\n",
                "2026-08-22T02:00:02Z",
            ),
            (
                "; Last-Modified: Mon, 15 Jan 2024 10:25:03 GMT\n",
                "2024-01-15T10:25:03Z",
            ),
            (
                "#   updated: 2024-01-15T10:25:03.123456\n",
                "2024-01-15T10:25:03Z",
            ),
            (
                "# This File Date     : Mon Jan 15 10:25:03 UTC 2024\n",
                "2024-01-15T10:25:03Z",
            ),
            ("# generated on 2024-01-15\n", "2024-01-15T00:00:00Z"),
            (
                "# generated on 2024-01-15\n# updated 2024-01-16T00:00:00Z\n",
                "2024-01-16T00:00:00Z",
            ),
            (
                "// Generated at 2024-01-15T10:25Z\n",
                "2024-01-15T10:25:00Z",
            ),
        ] {
            assert_eq!(made(head).as_deref(), Some(at), "{head}");
        }
        for head in [
            "",
            "198.51.100.7\n",
            "# updated daily\n",
            "# Copyright 2006-01-02\n",
            "# updated: 2006-13-45\n",
            "# updated: 2999-01-01\n",
            "# updated: 1970-01-01\n",
            "updated: 2024-01-15\n",
            "# Date: Mon Jan 15 10:25:03 CST 2024\n",
        ] {
            assert_eq!(made(head), None, "{head}");
        }
    }

    #[test]
    fn the_server_is_asked_where_the_body_does_not_say() {
        let header = Some("Mon, 15 Jan 2024 10:25:03 GMT");
        let of = |head: &str, last_modified| {
            let word = Word {
                head: head.as_bytes(),
                last_modified,
                ..Word::default()
            };
            made_at(&word, NOW).map(|at| at.to_string())
        };
        assert_eq!(
            of("1.2.3.4\n", header).as_deref(),
            Some("2024-01-15T10:25:03Z")
        );
        assert_eq!(
            of("# updated 2024-01-16\n", header).as_deref(),
            Some("2024-01-16T00:00:00Z")
        );
        let field = |seconds| {
            let word = Word {
                head: b"# updated 2024-01-16\n",
                field: Some(UnixTime::from_seconds(seconds)),
                last_modified: header,
            };
            made_at(&word, NOW).map(|at| at.to_string())
        };
        let later = field(1_705_487_400);
        assert_eq!(later.as_deref(), Some("2024-01-17T10:30:00Z"));
        let ahead = field(NOW.seconds() + 1);
        assert_eq!(ahead.as_deref(), Some("2024-01-16T00:00:00Z"));
        for bad in ["Thu, 01 Jan 1970 00:00:01 GMT", "yesterday", ""] {
            assert_eq!(of("", Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn a_body_is_frozen_once_it_is_the_same_for_too_long() {
        let day = Duration::from_secs(86_400);
        let ago = |days: u32| NOW.minus(day * days);
        assert_eq!(frozen(None, ago(1000), NOW), None);
        assert_eq!(frozen(Some(day * 4), ago(4), NOW), None);
        let words = frozen(Some(day * 4), ago(5), NOW).unwrap();
        assert!(
            words.starts_with("what the body lists is the same since 2027-01-10T08:00:00Z, for longer than max_stale allows (4 d)"),
            "{words}"
        );
    }
}
