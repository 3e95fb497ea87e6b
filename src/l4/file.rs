//! A rule file as it is written: TOML with one `[[rule]]` a rule, or CSV with one row a rule. What it says is taken down
//! with its lines; `check` judges it.
//!
//! ```toml
//! set = "web"                              # absent: the file's name without its ending
//! zone = "zone-24wjy25v1cwi"               # may stand in each rule instead
//! proxy = "sid-2qwk27xf7j9g"
//!
//! [[rule]]
//! protocol = "TCP"
//! ports = ["90", "81-85"]
//! origin_type = "IP_DOMAIN"                # ORIGIN_GROUP, LB
//! origins = ["93.184.216.34"]
//! origin_port = "90"                       # or a range as long as the ports'
//! pass_through = "TOA"                     # absent: OFF
//! session_persist = "1h"                   # absent: off
//! tag = "web"                              # absent: none; a tag that stands cannot be taken away, only changed
//! ```
//!
//! A CSV has a header of the same names, and blanks or semicolons between several ports or origins of one cell. Its
//! lines that begin with `#` are skipped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, FileError, RuleFaults};
use super::{Defaults, RuleFile, check};
use crate::config::nearest;

/// A file larger than this is no rule file: a proxy has 65,535 ports of each protocol.
const MOST_BYTES: u64 = 32 << 20;

/// The fields of a rule, as keys and as columns.
pub(super) const FIELDS: [&str; 11] = [
    "zone",
    "proxy",
    "protocol",
    "ports",
    "origin_type",
    "origins",
    "origin_port",
    "pass_through",
    "session_persist",
    "session_persist_time",
    "tag",
];

/// Those that hold several values.
const LISTS: [&str; 2] = ["ports", "origins"];

/// A file as it is written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// What holds for each rule that does not say: `set`, `zone`, `proxy`.
    pub head: Fields,
    pub rules: Vec<Draft>,
}

/// A rule as it is written.
#[derive(Debug)]
pub(super) struct Draft {
    pub line: usize,
    pub fields: Fields,
}

pub(super) type Fields = BTreeMap<&'static str, Value>;

/// What stands at a field.
#[derive(Debug)]
pub(super) struct Value {
    pub line: usize,
    /// `None`: something stands there that is no text and no list of texts, and was complained of.
    pub texts: Option<Vec<String>>,
}

impl RuleFile {
    /// Reads the file at `path`: CSV where its name ends so, else TOML. `defaults` hold where the file says nothing.
    ///
    /// # Errors
    /// [`FileError`]: it cannot be read, or holds faults, of which all are told.
    pub fn load(path: &Path, defaults: &Defaults) -> Result<Self, FileError> {
        let unreadable = |fault| FileError::Unreadable {
            path: path.to_owned(),
            fault,
        };
        let mut bytes = Vec::new();
        let mut file = File::open(path).map_err(unreadable)?.take(MOST_BYTES + 1);
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(FileError::TooLarge {
                path: path.to_owned(),
                most: MOST_BYTES,
            });
        }
        Ok(Self::parse(&bytes, path, defaults)?)
    }

    /// Reads `bytes`, as the file at `path` would hold them.
    ///
    /// # Errors
    /// [`RuleFaults`]: every fault in them.
    pub fn parse(bytes: &[u8], path: &Path, defaults: &Defaults) -> Result<Self, RuleFaults> {
        let mut faults = Vec::new();
        let is_csv = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let written = match std::str::from_utf8(bytes) {
            Ok(text) if is_csv => read_csv(text, &mut faults),
            Ok(text) => read_toml(text, &mut faults),
            Err(broken) => {
                let before = bytes.get(..broken.valid_up_to()).unwrap_or_default();
                faults.push(Fault::new(line_of(before), "", "the text is not UTF-8"));
                Written::default()
            }
        };
        let file = path.to_string_lossy();
        check::check(written, path, defaults, faults)
            .map_err(|faults| RuleFaults::collect(&file, faults))
    }
}

fn line_of(before: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', before).count() + 1
}

fn read_toml(text: &str, faults: &mut Vec<Fault>) -> Written {
    let starts: Vec<usize> = std::iter::once(0)
        .chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1))
        .collect();
    let line = |at: usize| starts.partition_point(|start| *start <= at);
    let (root, errors) = DeTable::parse_recoverable(text);
    if let Some(error) = errors.first() {
        // What follows the first error is mostly its echo.
        let at = error
            .span()
            .map_or(0, |span| span.start)
            .min(text.trim_end().len());
        let message = format!("this is no TOML: {}", error.message());
        faults.push(Fault::new(line(at), "", message));
        return Written::default();
    }
    let mut written = Written::default();
    for (key, item) in root.get_ref() {
        let at = line(key.span().start);
        match (key.get_ref().as_ref(), item.get_ref()) {
            ("rule", DeValue::Array(items)) => {
                for item in items {
                    match item.get_ref() {
                        DeValue::Table(table) => written.rules.push(Draft {
                            line: line(item.span().start),
                            fields: toml_fields(table, &FIELDS, &line, faults),
                        }),
                        _ => faults.push(Fault::new(at, "", "a rule is a table: write [[rule]]")),
                    }
                }
            }
            ("rule", _) => faults.push(Fault::new(at, "", "rules are tables: write [[rule]]")),
            _ => {}
        }
    }
    let head = ["set", "zone", "proxy"];
    let rest: DeTable<'_> = root
        .get_ref()
        .iter()
        .filter(|(key, _)| key.get_ref() != "rule")
        .map(|(key, item)| (key.clone(), item.clone()))
        .collect();
    written.head = toml_fields(&rest, &head, &line, faults);
    written
}

fn toml_fields(
    table: &DeTable<'_>,
    known: &[&'static str],
    line: &impl Fn(usize) -> usize,
    faults: &mut Vec<Fault>,
) -> Fields {
    let mut fields = Fields::new();
    for (key, item) in table {
        let at = line(key.span().start);
        let Some(field) = known.iter().find(|field| **field == key.get_ref().as_ref()) else {
            faults.push(unknown(at, "key", key.get_ref(), known));
            continue;
        };
        let texts = toml_texts(item, LISTS.contains(field));
        if texts.is_none() {
            let message = if LISTS.contains(field) {
                "takes a list of texts"
            } else {
                "takes a text in quotes"
            };
            faults.push(Fault::new(at, field, message));
        }
        fields.insert(field, Value { line: at, texts });
    }
    fields
}

/// A text or a number, or several of them where the field is a list.
fn toml_texts(item: &Spanned<DeValue<'_>>, list: bool) -> Option<Vec<String>> {
    let one = |item: &DeValue<'_>| match item {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        _ => None,
    };
    match item.get_ref() {
        DeValue::Array(items) if list => items.iter().map(|item| one(item.get_ref())).collect(),
        other => one(other).map(|text| vec![text]),
    }
}

fn read_csv(text: &str, faults: &mut Vec<Fault>) -> Written {
    // The reader takes a comment that no line feed ends for a row of one empty cell.
    let text = &format!("{}\n", text.trim_start_matches('\u{feff}'));
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(fault) => {
            faults.push(Fault::new(1, "", fault));
            return Written::default();
        }
    };
    let line = header.position().map_or(1, |at| begin(text, at));
    let mut columns: Vec<Option<&'static str>> = Vec::new();
    for name in &header {
        let field = FIELDS.iter().find(|field| **field == name).copied();
        match field {
            None => faults.push(unknown(line, "column", name, &FIELDS)),
            Some(field) if columns.contains(&Some(field)) => {
                faults.push(Fault::new(line, field, "is the name of two columns"));
            }
            Some(_) => {}
        }
        columns.push(field);
    }
    let mut written = Written::default();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, |at| begin(text, at));
                written
                    .rules
                    .push(csv_rule(line, &record, &columns, faults));
            }
            Err(fault) => {
                let line = fault.position().map_or(0, |at| begin(text, at));
                faults.push(Fault::new(line, "", fault));
            }
        }
    }
    written
}

fn csv_rule(
    line: usize,
    record: &csv::StringRecord,
    columns: &[Option<&'static str>],
    faults: &mut Vec<Fault>,
) -> Draft {
    if record.len() != columns.len() {
        let message = format!(
            "the row has {} cells, and the header has {}",
            record.len(),
            columns.len()
        );
        faults.push(Fault::new(line, "", message));
    }
    let mut fields = Fields::new();
    for (cell, field) in record.iter().zip(columns) {
        // An empty cell says nothing.
        if let Some(field) = field
            && !cell.is_empty()
        {
            let parts = || cell.split([';', ' ']).filter(|part| !part.is_empty());
            let texts = if LISTS.contains(field) {
                parts().map(str::to_owned).collect()
            } else {
                vec![cell.to_owned()]
            };
            let texts = Some(texts);
            fields.insert(field, Value { line, texts });
        }
    }
    Draft { line, fields }
}

/// The line on which a record begins: the reader counts empty lines and comments before it as its own.
fn begin(text: &str, at: &csv::Position) -> usize {
    let start = usize::try_from(at.byte()).unwrap_or(usize::MAX);
    let skipped = text
        .get(start..)
        .unwrap_or_default()
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with('#'));
    usize::try_from(at.line()).unwrap_or(usize::MAX) + skipped.count()
}

fn unknown(line: usize, what: &str, name: &str, known: &[&'static str]) -> Fault {
    let advice = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    let name = name.escape_debug();
    Fault::new(line, "", format!("unknown {what} `{name}`; {advice}"))
}
