//! The simulator's own calendar and zone: proleptic Gregorian, no leap seconds, fixed offsets.
//!
//! The crate's other half uses a calendar library; this one is written out, so that a mistake in either shows.

use std::fmt;
use std::str::FromStr;

const DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A fixed offset from UTC in whole minutes, written `+08:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    east_seconds: i64,
}

/// Why a text is no zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time zone: write an offset from UTC such as +08:00, at most 18 hours")]
pub struct BadZone(String);

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
}

impl Zone {
    /// UTC+8, in which a sibling call of the vendor's says it writes its times.
    pub const BEIJING: Self = Self {
        east_seconds: 8 * 3600,
    };
    const UTC: Self = Self { east_seconds: 0 };

    /// Unix seconds as `yyyy-MM-dd HH:mm:ss` on this zone's wall clock.
    #[must_use]
    pub fn write(self, unix: i64) -> String {
        let at = self.civil(unix);
        format!(
            "{:04}-{:02}-{:02} {}",
            at.year,
            at.month,
            at.day,
            time_of_day(at.second_of_day)
        )
    }

    /// Reads exactly `yyyy-MM-dd HH:mm:ss`; `None` for another shape or a moment that no calendar has.
    #[must_use]
    pub fn read(self, text: &str) -> Option<i64> {
        let (date, time) = text.split_once(' ')?;
        let [year, month, day] = fields(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
        let on_calendar = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        if !on_calendar || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = days_since_epoch(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
        Some(seconds - self.east_seconds)
    }

    fn civil(self, unix: i64) -> Civil {
        let local = unix.saturating_add(self.east_seconds);
        let (year, month, day) = civil_from_days(local.div_euclid(DAY));
        Civil {
            year,
            month,
            day,
            second_of_day: local.rem_euclid(DAY),
        }
    }
}

/// The UTC date `yyyy-MM-dd` of a Unix time, as the signature's scope carries it.
pub(super) fn utc_date(unix: i64) -> String {
    let at = Zone::UTC.civil(unix);
    format!("{:04}-{:02}-{:02}", at.year, at.month, at.day)
}

/// The form of the `Date` header: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
pub(super) fn http_date(unix: i64) -> String {
    let at = Zone::UTC.civil(unix);
    let weekday = pick(&WEEKDAYS, unix.div_euclid(DAY).rem_euclid(7));
    let month = pick(&MONTHS, at.month - 1);
    let time = time_of_day(at.second_of_day);
    format!("{weekday}, {:02} {month} {:04} {time} GMT", at.day, at.year)
}

impl FromStr for Zone {
    type Err = BadZone;

    fn from_str(text: &str) -> Result<Self, BadZone> {
        let bad = || BadZone(text.to_owned());
        let (sign, rest) = match text.as_bytes().first() {
            Some(b'+') => (1, text.get(1..)),
            Some(b'-') => (-1, text.get(1..)),
            _ => return Err(bad()),
        };
        let parts = rest.and_then(|rest| fields(rest, ':', [2, 2]));
        match parts {
            Some([hours, minutes]) if minutes < 60 && hours * 60 + minutes <= 18 * 60 => Ok(Self {
                east_seconds: sign * (hours * 3600 + minutes * 60),
            }),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.east_seconds < 0 { '-' } else { '+' };
        let minutes = self.east_seconds.abs() / 60;
        write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Reads `N` unsigned numbers of exactly the given widths.
fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut values = [0; N];
    let mut parts = text.split(separator);
    for (value, width) in values.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

fn time_of_day(second: i64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

fn pick<'a>(names: &[&'a str], at: i64) -> &'a str {
    usize::try_from(at)
        .ok()
        .and_then(|at| names.get(at))
        .copied()
        .unwrap_or("")
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Years run from March here, so that the leap day is the last of its year (H. Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let from_march = days.saturating_add(719_468);
    let era = from_march.div_euclid(146_097);
    let day_of_era = from_march.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_moments_are_told_alike() {
        assert_eq!(utc_date(1_551_113_065), "2019-02-25");
        assert_eq!(Zone::BEIJING.write(1_551_113_065), "2019-02-26 00:44:25");
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(
            Zone::UTC.read("3000-01-01 00:00:00"),
            Some(32_503_680_000),
            "the vendor's for ever"
        );
        assert_eq!(Zone::UTC.read("2024-02-29 23:59:59"), Some(1_709_251_199));
    }

    #[test]
    fn other_shapes_are_no_time() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-1-1 00:00:00",
            "2026-02-29 00:00:00",
            "2026-13-01 00:00:00",
            "2026-00-01 00:00:00",
            "2026-01-32 00:00:00",
            "2026-01-01 24:00:00",
            "2026-01-01 00:60:00",
            "2026-01-01 00:00:60",
            "2026-01-01 00:00:00Z",
            "2026-01-01  00:00:00",
            "+026-01-01 00:00:00",
            "2026-01-01 00:00:00:00",
        ] {
            assert_eq!(Zone::UTC.read(text), None, "{text}");
        }
    }

    #[test]
    fn zones_are_offsets() {
        for (text, east) in [("+08:00", 28_800), ("-03:30", -12_600), ("+00:00", 0)] {
            let zone: Zone = text.parse().unwrap();
            assert_eq!(zone.east_seconds, east);
            assert_eq!(zone.to_string(), text);
        }
        for text in [
            "",
            "08:00",
            "+8:00",
            "+0800",
            "UTC",
            "+19:00",
            "+01:60",
            "+08:00:00",
        ] {
            assert!(text.parse::<Zone>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_meet(unix in -50_000_000_000i64..200_000_000_000, east in -18i64..18) {
            let zone = Zone { east_seconds: east * 3600 };
            prop_assert_eq!(zone.read(&zone.write(unix)), Some(unix));
        }

        #[test]
        fn the_calendar_agrees_with_the_library(unix in -50_000_000_000i64..200_000_000_000) {
            let theirs = jiff::Timestamp::from_second(unix).unwrap();
            prop_assert_eq!(Zone::UTC.write(unix), theirs.strftime("%Y-%m-%d %H:%M:%S").to_string());
            prop_assert_eq!(http_date(unix), theirs.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        }

        #[test]
        fn no_moment_panics(unix in any::<i64>()) {
            let _ = Zone::BEIJING.write(unix);
            let _ = http_date(unix);
        }
    }
}
