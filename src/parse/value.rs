//! Numbers, percentages and moments as rows write them.

use std::fmt;
use std::hash::{Hash, Hasher};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use super::Reason;
use crate::model::UnixTime;

/// The number of a comparison in `where`, equal to another where it is the same number.
#[derive(Clone, Copy, Debug)]
pub struct Threshold(f64);

impl Threshold {
    /// Reads a plain decimal number.
    pub(super) fn try_new(text: &str) -> Option<Self> {
        decimal(text).map(|value| Self(value + 0.0))
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }
}

impl PartialEq for Threshold {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Threshold {}

impl Hash for Threshold {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Words for "nothing is known".
fn is_blank(cell: &str) -> bool {
    const WORDS: [&str; 8] = ["", "-", "none", "null", "nil", "n/a", "na", "unknown"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(cell))
}

/// A number, a percentage or a word of confidence; `None` for a blank.
pub(super) fn number(cell: &str) -> Result<Option<f64>, Reason> {
    if is_blank(cell) {
        return Ok(None);
    }
    if let Some(percent) = confidence_word(cell) {
        return Ok(Some(f64::from(percent)));
    }
    let plain = cell.strip_suffix('%').map_or(cell, str::trim_end);
    decimal(plain).map(Some).ok_or(Reason::NotANumber)
}

/// 0 to 100, with or without `%`, or a word; `None` for a blank. A fraction such as `0.9` is refused: it
/// may mean 0.9 % or 90 %.
pub(super) fn percent(cell: &str) -> Result<Option<u8>, Reason> {
    let Some(value) = number(cell).map_err(|_| Reason::Confidence)? else {
        return Ok(None);
    };
    let whole = (0..=100_u8).rev().find(|whole| f64::from(*whole) <= value);
    let fraction = value > 0.0 && value < 1.0;
    whole
        .filter(|_| value <= 100.0 && !fraction)
        .map(Some)
        .ok_or(Reason::Confidence)
}

/// RFC 3339, `yyyy-mm-dd hh:mm:ss` and `yyyy-mm-dd` in UTC, or seconds since 1970; `None` for a blank.
pub(super) fn moment(cell: &str) -> Result<Option<UnixTime>, Reason> {
    if is_blank(cell) {
        return Ok(None);
    }
    let seconds = if cell.bytes().all(|byte| byte.is_ascii_digit()) {
        unix_seconds(cell)
    } else if let Ok(stamp) = cell.parse::<Timestamp>() {
        Some(stamp.as_second())
    } else {
        civil_seconds(cell)
    };
    seconds
        .map(UnixTime::from_seconds)
        .map(Some)
        .ok_or(Reason::Date)
}

/// Nine or ten digits, which is 1973 to 2286: `20240131` and milliseconds are not taken for seconds.
fn unix_seconds(digits: &str) -> Option<i64> {
    digits
        .parse()
        .ok()
        .filter(|_| matches!(digits.len(), 9 | 10))
}

fn civil_seconds(text: &str) -> Option<i64> {
    let text = text.strip_suffix("UTC").map_or(text, str::trim_end);
    let civil = match text.parse::<DateTime>() {
        Ok(moment) => moment,
        Err(_) => text
            .parse::<Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::midnight()),
    };
    Some(Offset::UTC.to_timestamp(civil).ok()?.as_second())
}

/// The words of STIX 2.1, appendix A ("None / Low / Med / High"), and their values there.
fn confidence_word(cell: &str) -> Option<u8> {
    const WORDS: [(&str, u8); 4] = [("low", 15), ("med", 50), ("medium", 50), ("high", 85)];
    let mut words = WORDS.into_iter();
    words
        .find(|(word, _)| word.eq_ignore_ascii_case(cell))
        .map(|(_, percent)| percent)
}

fn decimal(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    text.parse().ok().filter(|_| text.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        for (cell, percent_) in [
            ("0", 0),
            ("75", 75),
            ("87.5", 87),
            ("100%", 100),
            ("50 %", 50),
            ("High", 85),
            ("1", 1),
        ] {
            assert_eq!(percent(cell), Ok(Some(percent_)), "{cell}");
        }
        for cell in ["", "-", "None", "n/a"] {
            assert_eq!(percent(cell), Ok(None), "{cell}");
        }
        for cell in [
            "101",
            "100.1",
            "-1",
            "0.9",
            "nan",
            "inf",
            "1e2",
            "very high",
            "7,5",
        ] {
            assert_eq!(percent(cell), Err(Reason::Confidence), "{cell}");
        }
    }

    #[test]
    fn moments() {
        for cell in [
            "2024-01-31T10:00:00Z",
            "2024-01-31T12:00:00+02:00",
            "2024-01-31T10:00:00.9Z",
            "2024-01-31 10:00:00",
            "2024-01-31 10:00:00 UTC",
            "2024-01-31T10:00:00",
            "1706695200",
            "2024-01-31 10:00:00.25",
        ] {
            assert_eq!(
                moment(cell),
                Ok(Some(UnixTime::from_seconds(1_706_695_200))),
                "{cell}"
            );
        }
        assert_eq!(
            moment("2024-01-31"),
            Ok(Some(UnixTime::from_seconds(1_706_659_200)))
        );
        for cell in ["", "none", "-"] {
            assert_eq!(moment(cell), Ok(None), "{cell}");
        }
        for cell in [
            "20240131",
            "1706695200000",
            "31.01.2024",
            "01/31/2024",
            "2024-13-01",
            "yesterday",
            "2024-01-31 25:00:00",
            "5",
        ] {
            assert_eq!(moment(cell), Err(Reason::Date), "{cell}");
        }
    }
}
