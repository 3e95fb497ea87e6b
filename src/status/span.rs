//! Spans of time in words: one unit, the largest that says enough.

use std::time::Duration;

use jiff::tz::Offset;

use crate::model::UnixTime;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `45 s`, `3 m`, `47 h`, `12 d`: whole units, the smaller part dropped.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} m", seconds / MINUTE),
        // Two days and less are told in hours, for that is where a day more or less matters.
        HOUR..=172_800 => format!("{} h", seconds / HOUR),
        _ => format!("{} d", seconds / DAY),
    }
}

/// `3 m ago` or `in 3 m`, whichever it is at `now`.
#[must_use]
pub fn when(at: UnixTime, now: UnixTime) -> String {
    if at <= now {
        format!("{} ago", span(now.since(at)))
    } else {
        format!("in {}", span(at.since(now)))
    }
}

/// As [`when`], or `never`.
#[must_use]
pub fn when_or(at: Option<UnixTime>, now: UnixTime, never: &str) -> String {
    at.map_or_else(|| never.to_owned(), |at| when(at, now))
}

/// `2026-07-29 14:03 UTC`.
#[must_use]
pub fn stamp(at: UnixTime) -> String {
    let text = at.wall_clock(Offset::UTC);
    format!(
        "{} UTC",
        text.rsplit_once(':').map_or(&*text, |(minutes, _)| minutes)
    )
}

/// `2026-07-29 22:03:00 +08:00`: as a firewall in `zone` writes it, and which zone that is.
#[must_use]
pub fn zoned(at: UnixTime, zone: Offset) -> String {
    let seconds = zone.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!(
        "{} {sign}{:02}:{:02}",
        at.wall_clock(zone),
        minutes / 60,
        minutes % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_is_enough() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 m"),
            (3599, "59 m"),
            (3600, "1 h"),
            (172_800, "48 h"),
            (172_801, "2 d"),
            (900_000, "10 d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn before_and_after() {
        let at = UnixTime::from_seconds;
        assert_eq!(when(at(0), at(200)), "3 m ago");
        assert_eq!(when(at(200), at(0)), format!("in 3 m"));
        assert_eq!(when(at(5), at(5)), format!("0 s ago"));
        assert_eq!(when_or(None, at(5), "never"), "never");
        assert_eq!(stamp(at(0)), "1970-01-01 00:00 UTC");
        assert_eq!(
            zoned(at(0), jiff::tz::offset(8)),
            "1970-01-01 08:00:00 +08:00"
        );
        assert_eq!(
            zoned(at(0), jiff::tz::offset(-3)),
            "1969-12-31 21:00:00 -03:00"
        );
    }
}
