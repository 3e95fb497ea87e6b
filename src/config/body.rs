//! How a feed's body is read: its format, and where in a row the indicator and the rest stand.

use toml::Value as Written;
use toml::de::DeValue;

use crate::parse::{Column, Condition, Fields, Filter, Format, MinPrefix, Path, Recipe, Take};

use super::section::{At, Found, Item, Origin, Problem, Problems, Section, kind};
use super::value::{boolean, entries, shown, text, whole, word, wrong};
use super::words::Protocol;
use super::{defaults, words};

const COLUMN: &str = "a column's name, or its number from 1";
const COLUMNS: &str =
    "{ address, mask }, { start, end } or { start, end, mask }, each with a column";
/// More columns than any table has.
const MOST_COLUMNS: usize = 10_000;

/// How a body is read.
#[derive(Debug)]
pub(super) struct BodyRead {
    pub protocol: Found<Protocol>,
    pub recipe: Recipe,
    pub member: Option<String>,
}

/// Reads every key that says how a body is read; `formats` knows those that may be.
pub(super) fn read(
    section: &mut Section<'_>,
    min_prefix: MinPrefix,
    formats: impl FnOnce(&Item<'_>) -> Result<(Format, Protocol), Problems>,
) -> BodyRead {
    let format = section.read("format", (defaults::FORMAT, Protocol::Plain), formats);
    let urls = section.read("urls", defaults::URLS, word(words::URLS));
    let member = section.read("member", None, member);
    let (format, protocol) = (
        format.value.0,
        Found {
            value: format.value.1,
            at: format.at,
        },
    );
    let mut recipe = Recipe {
        urls: urls.value,
        min_prefix,
        ..Recipe::new(format)
    };
    table(section, &protocol, &mut recipe);
    BodyRead {
        protocol,
        recipe,
        member: member.value,
    }
}

/// The keys of some formats alone. What stands in `[defaults]` or a preset is for those feeds that have use for it.
fn table(section: &mut Section<'_>, format: &Found<Protocol>, recipe: &mut Recipe) {
    let column = section.read("column", Fields::default().indicator, take);
    let confidence = section.read("confidence_column", None, maybe_column);
    let dated = section.read("date_column", None, maybe_column);
    let valid_until = section.read("expires_column", None, maybe_column);
    let filters = section.read("where", Vec::new(), filters);
    let delimiter = section.read("delimiter", None, delimiter);
    let separator = section.read("separator", None, separator);
    let items = section.read("items", Path::default(), items);
    let made_at = section.read("made_at", None, made_at);
    let observables = section.read("observables", defaults::OBSERVABLES, boolean);
    let to_ids = section.read("to_ids", defaults::TO_IDS, boolean);
    let word = words::format_word(recipe.format, format.value);
    let mut refuse = |what: &str, keys: &[&At]| {
        let known = format.at.origin != Origin::Faulty && !section.is_defaults();
        for at in keys.iter().filter(|at| known && at.origin == Origin::Own) {
            section.fault(
                at,
                format!(
                    "the format {word:?} has no {what}; remove it, or name the body's true format"
                ),
            );
        }
    };
    if recipe.format.has_fields() {
        recipe.fields = Fields {
            indicator: column.value,
            filters: filters.value,
            confidence: confidence.value,
            dated: dated.value,
            valid_until: valid_until.value,
        };
    } else {
        let keys = [
            &column.at,
            &confidence.at,
            &dated.at,
            &valid_until.at,
            &filters.at,
        ];
        refuse("columns", &keys);
    }
    if has_delimiter(recipe.format) {
        recipe.delimiter = delimiter.value;
    } else {
        refuse("delimiter", &[&delimiter.at]);
    }
    if recipe.format == Format::Text {
        recipe.separator = separator.value;
    } else {
        refuse("separator", &[&separator.at]);
    }
    if matches!(recipe.format, Format::Json | Format::Ndjson) {
        recipe.made_at = made_at.value;
    } else {
        refuse("field for its date", &[&made_at.at]);
    }
    if recipe.format == Format::Json {
        recipe.items = items.value;
    } else {
        refuse("path to its items", &[&items.at]);
    }
    if recipe.format == Format::Stix {
        recipe.observables = observables.value;
    } else {
        refuse("observables", &[&observables.at]);
    }
    if recipe.format == Format::Misp {
        recipe.all_attributes = !to_ids.value;
    } else {
        refuse("attributes with to_ids", &[&to_ids.at]);
    }
    let inside = recipe.made_at.as_ref();
    let inside = inside.is_some_and(|path| path.is_inside(&recipe.items));
    let judged = recipe.format == Format::Json && !section.is_defaults();
    section.rule(&[&made_at.at, &items.at], !(judged && inside), || {
        "stands inside the items, so that it would be the date of one of them; name a place beside them".to_owned()
    });
}

/// Whether something divides the cells of a row.
pub(super) fn has_delimiter(format: Format) -> bool {
    matches!(format, Format::Csv | Format::Auto)
}

/// A column, or several that make a network or a range.
fn take(item: &Item<'_>) -> Result<Take, Problems> {
    let table = match item.get_ref() {
        DeValue::Table(table) => table,
        DeValue::String(_) | DeValue::Integer(_) => return column(item).map(Take::One),
        _ => {
            return wrong(format!("takes {COLUMN}, or {COLUMNS}, not {}", kind(item)));
        }
    };
    let mut parts: [Option<Column>; 4] = Default::default();
    for (name, item) in table {
        let place = ["address", "start", "end", "mask"]
            .iter()
            .position(|part| *part == name.get_ref());
        let Some(part) = place.and_then(|place| parts.get_mut(place)) else {
            return wrong(format!("takes {COLUMNS}; it has {}", shown(name.get_ref())));
        };
        *part = Some(column(item).map_err(|problems| within(problems, item))?);
    }
    match parts {
        [Some(address), None, None, Some(length)] => Ok(Take::Network { address, length }),
        [None, Some(start), Some(end), None] => Ok(Take::Range { start, end }),
        [None, Some(start), Some(end), Some(length)] => Ok(Take::Block { start, end, length }),
        _ => wrong(format!("takes {COLUMNS}")),
    }
}

fn within(problems: Problems, item: &Item<'_>) -> Problems {
    let span = |problem: Problem| Problem {
        span: problem.span.or_else(|| Some(item.span())),
        ..problem
    };
    problems.into_iter().map(span).collect()
}

fn column(item: &Item<'_>) -> Result<Column, Problems> {
    match item.get_ref() {
        DeValue::Integer(_) => whole(1..=MOST_COLUMNS as i64)(item)
            .map(|number| Column::Number(usize::try_from(number).unwrap_or(MOST_COLUMNS))),
        DeValue::String(name) if name.trim().is_empty() => wrong(format!("takes {COLUMN}")),
        DeValue::String(name) => Ok(Column::Name(name.trim().into())),
        _ => wrong(format!("takes {COLUMN}, not {}", kind(item))),
    }
}

fn maybe_column(item: &Item<'_>) -> Result<Option<Column>, Problems> {
    match item.get_ref().as_str() {
        Some("off") => Ok(None),
        _ => column(item).map(Some),
    }
}

/// `where`, in the order of its columns as they are written back.
fn filters(item: &Item<'_>) -> Result<Vec<Filter>, Problems> {
    let takes = r#"a table such as { confidence = ">=75", status = ["online"] }"#;
    let mut filters = entries(item, takes, |name, item| {
        if name.trim().is_empty() {
            return wrong("names no column");
        }
        Ok(Filter {
            column: Column::from_key(name),
            condition: condition(item)?,
        })
    })?;
    filters.sort_by_key(|filter| key_of(&filter.column));
    for (one, next) in filters.iter().zip(filters.iter().skip(1)) {
        if one.column == next.column {
            return wrong(format!("names the column {} twice", key_of(&one.column)));
        }
    }
    Ok(filters)
}

fn condition(item: &Item<'_>) -> Result<Condition, Problems> {
    match item.get_ref() {
        DeValue::Array(items) if items.is_empty() => {
            wrong("is an empty array, so that every row would be passed over")
        }
        DeValue::Array(items) => {
            let words: Result<Vec<_>, Problems> = items.iter().map(one_word).collect();
            Ok(Condition::OneOf(words?))
        }
        DeValue::Integer(_) | DeValue::Boolean(_) => {
            one_word(item).map(|word| Condition::OneOf(vec![word]))
        }
        _ => {
            let written = text(item, "a condition such as \">=75\", or words")?;
            Condition::try_new(written).or_else(|broken| wrong(broken.to_string()))
        }
    }
}

fn one_word(item: &Item<'_>) -> Result<Box<str>, Problems> {
    match item.get_ref() {
        DeValue::Integer(_) => {
            whole(i64::MIN..=i64::MAX)(item).map(|number| number.to_string().into())
        }
        DeValue::Boolean(truth) => Ok(truth.to_string().into()),
        _ => {
            let written = text(item, "words, numbers or truths")?;
            match Condition::try_new(written) {
                Ok(Condition::OneOf(words)) if words.len() == 1 => {
                    Ok(words.into_iter().next().unwrap_or_default())
                }
                _ => wrong(format!(
                    "{} compares, and stands in an array of words; write the comparison alone",
                    shown(written)
                )),
            }
        }
    }
}

fn delimiter(item: &Item<'_>) -> Result<Option<u8>, Problems> {
    let takes = r#"one sign in quotes such as ";", "|" or "\t", or "auto""#;
    let written = text(item, takes)?;
    match written.as_bytes() {
        b"auto" => Ok(None),
        [b'"'] => wrong("a quote cannot divide cells: it encloses them"),
        [sign] if *sign == b'\t' || *sign == b' ' || sign.is_ascii_punctuation() => Ok(Some(*sign)),
        _ => wrong(format!("takes {takes}, not {}", shown(written))),
    }
}

/// What divides the rows of a text beside the ends of its lines.
fn separator(item: &Item<'_>) -> Result<Option<u8>, Problems> {
    let takes = r#"one of ",", ";", "|", " " and "\t", or "off""#;
    match text(item, takes)? {
        "off" => Ok(None),
        "," => Ok(Some(b',')),
        ";" => Ok(Some(b';')),
        "|" => Ok(Some(b'|')),
        " " => Ok(Some(b' ')),
        "\t" => Ok(Some(b'\t')),
        other => wrong(format!("takes {takes}, not {}", shown(other))),
    }
}

/// Where a JSON body says when it was made.
fn made_at(item: &Item<'_>) -> Result<Option<Path>, Problems> {
    let takes = r#"the path to the date, such as "timestamp" or "/meta/updated", or "off""#;
    let written = text(item, takes)?;
    match Path::try_new(written) {
        _ if written == "off" => Ok(None),
        Ok(path) if path.is_many() || written.is_empty() => {
            wrong(format!("takes {takes}, not {}", shown(written)))
        }
        Ok(path) => Ok(Some(path)),
        Err(broken) => wrong(broken.to_string()),
    }
}

/// Where the items of a JSON body stand.
fn items(item: &Item<'_>) -> Result<Path, Problems> {
    let written = text(item, r#"the path to the items, such as "/data/list""#)?;
    Path::try_new(written).or_else(|broken| wrong(broken.to_string()))
}

/// A member of a zip archive, or a glob of its name.
fn member(item: &Item<'_>) -> Result<Option<String>, Problems> {
    let written = text(item, "the name of a file in a zip archive")?;
    match glob::Pattern::new(written) {
        _ if written == "off" => Ok(None),
        Ok(_) if !written.is_empty() => Ok(Some(written.to_owned())),
        _ => wrong("takes the name of a file in a zip archive, in which * stands for any text"),
    }
}

/// How the config writes a column, or several.
pub(super) fn write_take(take: &Take) -> Written {
    let table = |entries: &[(&str, &Column)]| {
        let entries = entries.iter();
        Written::Table(
            entries
                .map(|(name, column)| ((*name).to_owned(), write_column(column)))
                .collect(),
        )
    };
    match take {
        Take::One(column) => write_column(column),
        Take::Network { address, length } => table(&[("address", address), ("mask", length)]),
        Take::Range { start, end } => table(&[("start", start), ("end", end)]),
        Take::Block { start, end, length } => {
            table(&[("start", start), ("end", end), ("mask", length)])
        }
    }
}

fn write_column(column: &Column) -> Written {
    match column {
        Column::Name(name) => Written::from(&**name),
        Column::Number(number) => Written::from(i64::try_from(*number).unwrap_or(i64::MAX)),
    }
}

/// How the config writes a column that need not be there.
pub(super) fn write_maybe(column: Option<&Column>) -> Written {
    column.map_or_else(|| Written::from("off"), write_column)
}

/// How the config writes `where`.
pub(super) fn write_filters(filters: &[Filter]) -> Written {
    let entries = filters.iter();
    Written::Table(
        entries
            .map(|filter| (key_of(&filter.column), write_condition(&filter.condition)))
            .collect(),
    )
}

fn write_condition(condition: &Condition) -> Written {
    let compared = |sign: &str, number| Written::from(format!("{sign}{number}"));
    match condition {
        Condition::OneOf(words) => match words.as_slice() {
            [one] => write_word(one),
            words => Written::Array(words.iter().map(|word| write_word(word)).collect()),
        },
        Condition::Not(word) => Written::from(format!("!={word}")),
        Condition::AtLeast(number) => compared(">=", number),
        Condition::Above(number) => compared(">", number),
        Condition::AtMost(number) => compared("<=", number),
        Condition::Below(number) => compared("<", number),
    }
}

/// A word that looks like a comparison is written with the sign that says it is none.
fn write_word(word: &str) -> Written {
    let sign = if word.starts_with(['<', '>', '=', '!']) {
        "=="
    } else {
        ""
    };
    Written::from(format!("{sign}{word}"))
}

fn key_of(column: &Column) -> String {
    match column {
        Column::Name(name) => name.to_string(),
        Column::Number(number) => number.to_string(),
    }
}

/// How the config writes a separator.
pub(super) fn write_separator(separator: Option<u8>) -> Written {
    separator.map_or_else(
        || Written::from("off"),
        |sign| Written::from(char::from(sign).to_string()),
    )
}

/// How the config writes the place of a date.
pub(super) fn write_made_at(path: Option<&Path>) -> Written {
    path.map_or_else(|| Written::from("off"), |path| path.to_string().into())
}

/// How the config writes a delimiter.
pub(super) fn write_delimiter(delimiter: Option<u8>) -> Written {
    delimiter.map_or_else(
        || Written::from("auto"),
        |sign| Written::from(char::from(sign).to_string()),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::DeTable;

    use super::*;

    fn read<T>(
        written: &str,
        parse: impl Fn(&Item<'_>) -> Result<T, Problems>,
    ) -> Result<T, String> {
        let text = format!("key = {written}\n");
        let root = DeTable::parse(&text).unwrap();
        parse(&root.get_ref()["key"]).map_err(|problems| problems[0].message.clone())
    }

    #[test]
    fn conditions_are_written_as_they_read() {
        for (written, again) in [
            (r#"{ a = ">= 75" }"#, r#"{ a = ">=75" }"#),
            (r#"{ a = 3, b = true }"#, r#"{ a = "3", b = "true" }"#),
            (
                r#"{ 03 = "x", 1 = ["on", 5] }"#,
                r#"{ 1 = ["on", "5"], 3 = "x" }"#,
            ),
            (r#"{ a = "!= off" }"#, r#"{ a = "!=off" }"#),
            (r#"{ a = "==>5" }"#, r#"{ a = "==>5" }"#),
            (r#"{ a = "<0.50" }"#, r#"{ a = "<0.5" }"#),
            (r#"{ a = "" }"#, r#"{ a = "" }"#),
        ] {
            let found = read(written, filters).unwrap();
            assert_eq!(write_filters(&found).to_string(), again);
            assert_eq!(read(again, filters), Ok(found));
        }
    }

    #[test]
    fn columns_are_written_as_they_read() {
        for written in [
            "3",
            r#""ip""#,
            r#"{ address = 1, mask = "bits" }"#,
            "{ end = 2, start = 1 }",
            "{ end = 2, mask = 3, start = 1 }",
        ] {
            let found = read(written, take).unwrap();
            assert_eq!(write_take(&found).to_string(), written);
        }
    }

    proptest! {
        #[test]
        fn any_word_round_trips(word in "[<>=!a ]{0,6}") {
            let condition = Condition::try_new(&word);
            if let Ok(condition) = condition {
                let filters = vec![Filter { column: Column::Number(1), condition }];
                let written = write_filters(&filters).to_string();
                prop_assert_eq!(read(&written, super::filters), Ok(filters), "{}", written);
            }
        }
    }
}
