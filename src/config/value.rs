//! Single values: how each is read, what it may be, and how it is written back. What is written back
//! reads as the same value.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use toml::de::DeValue;

use crate::model::Name;

use super::section::{Item, Problem, Problems, kind};

/// The longest duration that any key takes: ten years of 365 days.
pub(super) const LONGEST: Duration = Duration::from_secs(3650 * 86_400);
/// The shortest duration of most keys, and the unit in which all of them count.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// The farthest that any place on earth is from UTC (Kiribati).
const FARTHEST_ZONE: i32 = 14 * 3600;
const SIZES: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
const DURATION: &str = r#"a duration such as "90s", "15m", "1h 30m" or "3d""#;

/// A fault of the value as a whole.
pub(super) fn wrong<T>(message: impl Into<String>) -> Result<T, Problems> {
    Err(vec![Problem::from(message.into())])
}

/// Text; `takes` says of what kind, for those who wrote something else.
pub(super) fn text<'a>(item: &'a Item<'_>, takes: &str) -> Result<&'a str, Problems> {
    item.get_ref()
        .as_str()
        .map_or_else(|| wrong(format!("takes {takes}, not {}", kind(item))), Ok)
}

/// Text as it is shown in a message: escaped, in quotes, and cut where it is long.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// `true` or `false`.
pub(super) fn boolean(item: &Item<'_>) -> Result<bool, Problems> {
    item.get_ref().as_bool().map_or_else(
        || wrong(format!("takes true or false, not {}", kind(item))),
        Ok,
    )
}

/// A whole number within bounds.
pub(super) fn whole<T>(bounds: RangeInclusive<T>) -> impl Fn(&Item<'_>) -> Result<T, Problems>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    move |item| {
        let DeValue::Integer(written) = item.get_ref() else {
            return wrong(format!("takes a whole number, not {}", kind(item)));
        };
        let number = i64::from_str_radix(written.as_str(), written.radix());
        match number.ok().and_then(|number| T::try_from(number).ok()) {
            Some(number) if bounds.contains(&number) => Ok(number),
            _ => wrong(format!(
                "must lie between {} and {}; it is {written}",
                bounds.start(),
                bounds.end()
            )),
        }
    }
}

/// A number within bounds, with or without a decimal point.
pub(super) fn number(bounds: RangeInclusive<f64>) -> impl Fn(&Item<'_>) -> Result<f64, Problems> {
    move |item| {
        let written = match item.get_ref() {
            DeValue::Float(written) => written.as_str().to_owned(),
            DeValue::Integer(written) => written.to_string(),
            _ => return wrong(format!("takes a number, not {}", kind(item))),
        };
        match f64::from_str(&written) {
            // Adding zero makes -0.0 a plain 0.0.
            Ok(number) if bounds.contains(&number) => Ok(number + 0.0),
            _ => wrong(format!(
                "must lie between {} and {}; it is {written}",
                bounds.start(),
                bounds.end()
            )),
        }
    }
}

/// A duration of whole seconds within bounds.
pub(super) fn duration(
    bounds: RangeInclusive<Duration>,
) -> impl Fn(&Item<'_>) -> Result<Duration, Problems> {
    move |item| {
        let written = text(item, DURATION)?;
        let Some(signed) = parse_duration(written) else {
            return wrong(format!("{} is not {DURATION}", shown(written)));
        };
        match Duration::try_from(signed) {
            Err(_) => wrong(format!("{} is negative", shown(written))),
            Ok(exact) if exact.subsec_nanos() != 0 => wrong(format!(
                "{} is not a whole number of seconds",
                shown(written)
            )),
            Ok(duration) if bounds.contains(&duration) => Ok(duration),
            Ok(duration) => wrong(format!(
                "must lie between {} and {}; it is {}",
                duration_text(*bounds.start()),
                duration_text(*bounds.end()),
                duration_text(duration)
            )),
        }
    }
}

/// Friendly durations, where a day is 24 hours and a week seven days; months and years have no length.
pub(crate) fn parse_duration(text: &str) -> Option<SignedDuration> {
    let span: Span = jiff::fmt::friendly::SpanParser::new()
        .parse_span(text)
        .ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

/// A duration as the config writes it: in one unit where a small number of it is exact (`90s`, `36h`),
/// in several otherwise (`1d 2h 3s`).
pub(super) fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let exact = |(_, length): &&(&str, u64)| seconds != 0 && seconds.is_multiple_of(*length);
    if let Some((unit, length)) = UNITS.iter().find(exact)
        && (seconds / length <= 120 || *unit == "d")
    {
        return format!("{}{unit}", seconds / length);
    }
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, length) in UNITS {
        if rest >= length {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() {
        return "0s".to_owned();
    }
    parts.join(" ")
}

/// A size in bytes, from one byte to 1024 GiB.
pub(super) fn size(item: &Item<'_>) -> Result<u64, Problems> {
    let takes = r#"a size such as "64MiB" (B, KiB, MiB or GiB)"#;
    let written = text(item, takes)?;
    let split = written.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let (digits, unit) = written.split_at(written.len() - split.len());
    let unit = SIZES.iter().find(|(name, _)| *name == unit.trim_start());
    let bytes = unit.and_then(|(_, unit)| digits.parse::<u64>().ok()?.checked_mul(*unit));
    match bytes {
        None => wrong(format!("{} is not {takes}", shown(written))),
        Some(bytes) if (1..=1 << 40).contains(&bytes) => Ok(bytes),
        Some(_) => wrong(format!(
            "must lie between 1B and 1024GiB; it is {}",
            shown(written)
        )),
    }
}

/// A size as the config writes it, in the largest unit that divides it.
pub(super) fn size_text(bytes: u64) -> String {
    let unit = SIZES
        .iter()
        .find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
    let (name, unit) = unit.copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

/// A rate in calls a second.
pub(super) fn rate(item: &Item<'_>) -> Result<u32, Problems> {
    let takes = r#"a rate from "1/s" to "20/s""#;
    let written = text(item, takes)?;
    let number = written.strip_suffix("/s").map(str::trim_end);
    match number.and_then(|number| number.parse::<u32>().ok()) {
        Some(rate @ 1..=20) => Ok(rate),
        Some(_) => wrong(format!(
            "{} is not {takes}; 20 calls a second is the vendor's limit",
            shown(written)
        )),
        None => wrong(format!("{} is not {takes}", shown(written))),
    }
}

/// A fixed offset from UTC, to the minute.
pub(super) fn zone(item: &Item<'_>) -> Result<Offset, Problems> {
    let takes = r#"an offset from UTC such as "+08:00""#;
    let written = text(item, takes)?;
    let offset = BrokenDownTime::parse("%:z", written).ok();
    match offset.and_then(|time| time.offset()) {
        Some(offset) if offset.seconds() % 60 != 0 => {
            wrong(format!("{} is not {takes}", shown(written)))
        }
        Some(offset) if offset.seconds().abs() > FARTHEST_ZONE => wrong(format!(
            "must lie between -14:00 and +14:00; it is {}",
            shown(written)
        )),
        Some(offset) => Ok(offset),
        None => wrong(format!("{} is not {takes}", shown(written))),
    }
}

/// An offset as the config writes it.
pub(super) fn zone_text(zone: Offset) -> String {
    let sign = if zone.is_negative() { '-' } else { '+' };
    let minutes = zone.seconds().abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A feed's or firewall's name.
pub(super) fn name(item: &Item<'_>) -> Result<Name, Problems> {
    let written = text(item, "a name in quotes")?;
    Name::try_new(written)
        .or_else(|broken| wrong(format!("{} is no name: {broken}", shown(written))))
}

/// A path from `/`.
pub(super) fn path(item: &Item<'_>) -> Result<PathBuf, Problems> {
    let written = text(item, "a path in quotes")?;
    absolute(written).map(|()| PathBuf::from(written))
}

/// Refuses relative paths: the service and the command line do not work in the same directory.
pub(super) fn absolute(path: &str) -> Result<(), Problems> {
    if path.contains('\0') {
        return wrong("a path holds no NUL");
    }
    if Path::new(path).is_absolute() {
        return Ok(());
    }
    // The text itself is not repeated: in `credentials` it might be a key.
    wrong(
        "takes a path from `/`; the service and the command line would look for any other in different places",
    )
}

/// An array, each item read by `parse`; all faulty items are told, each on its own line.
pub(super) fn array<T>(
    takes: &'static str,
    parse: impl Fn(&Item<'_>) -> Result<T, Problems>,
) -> impl Fn(&Item<'_>) -> Result<Vec<T>, Problems> {
    move |item| {
        let Some(items) = item.get_ref().as_array() else {
            return wrong(format!("takes {takes}, not {}", kind(item)));
        };
        let mut values = Vec::new();
        let mut problems = Problems::new();
        for item in items {
            match parse(item) {
                Ok(value) => values.push(value),
                Err(found) => problems.extend(found.into_iter().map(|problem| Problem {
                    span: problem.span.or_else(|| Some(item.span())),
                    ..problem
                })),
            }
        }
        if problems.is_empty() {
            Ok(values)
        } else {
            Err(problems)
        }
    }
}

/// A table of names of the operator's choice, each value read by `parse`; all faulty ones are told, each on its own line.
pub(super) fn entries<T>(
    item: &Item<'_>,
    takes: &str,
    parse: impl Fn(&str, &Item<'_>) -> Result<T, Problems>,
) -> Result<Vec<T>, Problems> {
    let Some(table) = item.get_ref().as_table() else {
        return wrong(format!("takes {takes}, not {}", kind(item)));
    };
    let mut values = Vec::new();
    let mut problems = Problems::new();
    for (name, item) in table {
        match parse(name.get_ref(), item) {
            Ok(value) => values.push(value),
            Err(found) => problems.extend(found.into_iter().map(|problem| Problem {
                span: problem.span.or_else(|| Some(item.span())),
                ..problem
            })),
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(problems)
    }
}

/// One of several words.
pub(super) fn word<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl Fn(&Item<'_>) -> Result<T, Problems> {
    move |item| {
        let known = || {
            let quoted = words.iter().map(|(word, _)| format!("{word:?}"));
            either(&quoted.collect::<Vec<_>>())
        };
        let Some(written) = item.get_ref().as_str() else {
            return wrong(format!("takes {}, not {}", known(), kind(item)));
        };
        match words.iter().find(|(word, _)| *word == written) {
            Some((_, value)) => Ok(*value),
            None => wrong(format!("takes {}, not {}", known(), shown(written))),
        }
    }
}

/// The word for a value.
pub(super) fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words
        .iter()
        .find(|(_, known)| known == value)
        .map_or("", |(word, _)| word)
}

fn either(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::DeTable;

    use super::*;

    /// Reads `written` with `parse`, as the value of a key.
    fn read<T>(
        written: &str,
        parse: impl Fn(&Item<'_>) -> Result<T, Problems>,
    ) -> Result<T, Vec<String>> {
        let text = format!("key = {written}\n");
        let root = DeTable::parse(&text).unwrap();
        let messages = |problems: Problems| problems.into_iter().map(|it| it.message).collect();
        parse(&root.get_ref()["key"]).map_err(messages)
    }

    #[test]
    fn durations_are_what_they_say() {
        let any = duration(Duration::ZERO..=LONGEST);
        for (written, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("1h 30m", 5400),
            ("1h30m", 5400),
            ("3d", 259_200),
            ("2 weeks", 1_209_600),
            ("0s", 0),
            ("1.5h", 5400),
            ("3650d", 315_360_000),
        ] {
            let found = read(&format!("{written:?}"), &any);
            assert_eq!(found, Ok(Duration::from_secs(seconds)), "{written}");
        }
        for bad in [
            "",
            "5",
            "1mo",
            "1y",
            "P1D",
            "-3s",
            "1h ago",
            "1h 30",
            "3 651 d",
            "99999999999w",
        ] {
            assert!(read(&format!("{bad:?}"), &any).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_written_short() {
        for (seconds, text) in [
            (0, "0s"),
            (90, "90s"),
            (3600, "1h"),
            (5400, "90m"),
            (129_600, "36h"),
            (31_536_000, "365d"),
            (93_784, "1d 2h 3m 4s"),
        ] {
            assert_eq!(duration_text(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn numbers_keep_their_bounds() {
        assert_eq!(read("0xff", whole(0..=255_u8)), Ok(255));
        assert_eq!(read("1_000", whole(0..=1000_u16)), Ok(1000));
        for bad in ["256", "-1", "1.0", "99999999999999999999"] {
            assert!(read(bad, whole(0..=255_u8)).is_err(), "{bad}");
        }
        assert_eq!(read("-0.0", number(0.0..=1.0)).map(f64::to_bits), Ok(0));
        for bad in ["nan", "inf", "-inf", "1.01", "-1e-9", "1e999", "true"] {
            assert!(read(bad, number(0.0..=1.0)).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn durations_round_trip(seconds in 0u64..=3650 * 86_400) {
            let duration = Duration::from_secs(seconds);
            let text = format!("{:?}", duration_text(duration));
            prop_assert_eq!(read(&text, super::duration(Duration::ZERO..=LONGEST)), Ok(duration));
        }

        #[test]
        fn sizes_round_trip(bytes in 1u64..=1 << 40, shift in 0u32..40) {
            for bytes in [bytes, (bytes >> shift << shift).max(1)] {
                prop_assert_eq!(read(&format!("{:?}", size_text(bytes)), size), Ok(bytes));
            }
        }

        #[test]
        fn zones_round_trip(minutes in -840i32..=840) {
            let offset = Offset::from_seconds(minutes * 60).unwrap();
            prop_assert_eq!(read(&format!("{:?}", zone_text(offset)), zone), Ok(offset));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            let written = toml::Value::from(text).to_string();
            let _ = read(&written, size);
            let _ = read(&written, rate);
            let _ = read(&written, zone);
            let _ = read(&written, name);
            let _ = read(&written, duration(SECOND..=LONGEST));
        }
    }
}
