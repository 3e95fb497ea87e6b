//! One section of the file while it is being read: values by key, faults collected, `[defaults]` behind it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Lines};
use super::keys::{self, Key};

/// A value with its place in the text.
pub(super) type Item<'a> = Spanned<DeValue<'a>>;

/// What is wrong with a value, and where inside it, if not everywhere.
#[derive(Debug)]
pub(super) struct Problem {
    pub message: String,
    pub span: Option<Range<usize>>,
}

/// All that is wrong with a value.
pub(super) type Problems = Vec<Problem>;

/// The value of a key, and whence it came.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub value: T,
    pub at: At,
}

/// Where a value was found, for the faults of rules that look at several.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub line: usize,
    pub place: String,
    pub key: String,
    pub origin: Origin,
}

/// How a key came by its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// Written in the section itself.
    Own,
    /// From the catalogue, by the section's `preset`.
    Preset,
    /// Written in `[defaults]`.
    Defaults,
    /// Built in.
    BuiltIn,
    /// Written, but unreadable and already complained of. The value beside it is a filler.
    Faulty,
}

/// One table, of the file or of the catalogue.
#[derive(Clone, Debug)]
struct Table<'a> {
    origin: Origin,
    place: String,
    /// Where it begins; of a preset, where it is named.
    line: usize,
    values: &'a DeTable<'a>,
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Section<'a> {
    lines: &'a Lines<'a>,
    keys: &'static [Key],
    own: Table<'a>,
    /// What stands before the keys in messages: `credentials.`, or nothing.
    prefix: String,
    /// Where keys are looked up that the section does not have, the nearest first.
    behind: Vec<Table<'a>>,
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self {
            message,
            span: None,
        }
    }
}

impl<'a> Section<'a> {
    /// Takes a table and finds the keys in it that are not to be read.
    pub fn new(
        lines: &'a Lines<'a>,
        place: impl Into<String>,
        line: usize,
        values: &'a DeTable<'a>,
        keys: &'static [Key],
    ) -> Self {
        let mut section = Self {
            lines,
            keys,
            own: Table {
                origin: Origin::Own,
                place: place.into(),
                line,
                values,
            },
            prefix: String::new(),
            behind: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        section.check_keys();
        section
    }

    /// Whether this is `[defaults]` itself, which speaks for no feed alone.
    pub fn is_defaults(&self) -> bool {
        self.own.place == "[defaults]"
    }

    /// Looks into `[defaults]` for what this section and its preset do not say.
    pub fn fall_back_to(&mut self, defaults: &Section<'a>) {
        self.behind.push(Table {
            origin: Origin::Defaults,
            ..defaults.own.clone()
        });
    }

    /// Looks into a preset, named at `at`, before `[defaults]`.
    pub fn take_preset(&mut self, at: &At, values: &'a DeTable<'a>) {
        let preset = Table {
            origin: Origin::Preset,
            place: at.place.clone(),
            line: at.line,
            values,
        };
        self.behind.insert(0, preset);
    }

    /// The table under `key`, as a section of its own; give it back with [`Section::absorb`].
    pub fn inner(
        &mut self,
        key: &'static str,
        keys: &'static [Key],
        takes: &str,
    ) -> Option<Section<'a>> {
        let item = self.own.values.get(key)?;
        let line = self.lines.line(item.span().start);
        let DeValue::Table(values) = item.get_ref() else {
            let message = format!("takes {takes}, not {}", kind(item));
            self.faults
                .push(Fault::new(line, &[&self.own.place, key], message));
            return None;
        };
        let mut inner = Section {
            lines: self.lines,
            keys,
            own: Table {
                origin: Origin::Own,
                place: self.own.place.clone(),
                line,
                values,
            },
            prefix: format!("{key}."),
            behind: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        inner.check_keys();
        Some(inner)
    }

    /// Takes over what an inner section complained of.
    pub fn absorb(&mut self, inner: Section<'a>) {
        self.faults.extend(inner.faults);
        self.warnings.extend(inner.warnings);
    }

    /// Whether the section itself has the key, readable or not.
    pub fn has(&self, key: &str) -> bool {
        self.own.values.contains_key(key)
    }

    /// Whence `key` comes, readable or not.
    pub fn origin(&self, key: &str) -> Origin {
        self.written(key)
            .map_or(Origin::BuiltIn, |(table, _)| table.origin)
    }

    /// The value of `key`, from this section, its preset, `[defaults]`, or `default`.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&Item<'a>) -> Result<T, Problems>,
    ) -> Found<T> {
        let Some((table, item)) = self.written(key) else {
            return Found {
                value: default,
                at: self.at(key, Origin::BuiltIn),
            };
        };
        let mut at = At {
            line: self.line_in(table, item.span().start),
            place: table.place.clone(),
            key: format!("{}{key}", self.prefix),
            origin: table.origin,
        };
        match parse(item) {
            Ok(value) => Found { value, at },
            Err(problems) => {
                self.complain(&at, problems);
                at.origin = Origin::Faulty;
                Found { value: default, at }
            }
        }
    }

    /// The value of `key` in this section; absent, `missing` is the fault.
    pub fn need<T>(
        &mut self,
        key: &'static str,
        missing: &str,
        parse: impl FnOnce(&Item<'a>) -> Result<T, Problems>,
    ) -> Option<Found<T>> {
        let found = self.read(key, None, |item| parse(item).map(Some));
        if found.at.origin == Origin::BuiltIn {
            self.fault(&found.at, missing);
        }
        let at = found.at;
        found.value.map(|value| Found { value, at })
    }

    /// The place of a key that need not be there.
    pub fn at(&self, key: &str, origin: Origin) -> At {
        At {
            line: self.own.line,
            place: self.own.place.clone(),
            key: format!("{}{key}", self.prefix),
            origin,
        }
    }

    /// Complains at a value.
    pub fn fault(&mut self, at: &At, message: impl Into<String>) {
        self.faults.push(at.fault(message));
    }

    /// Remarks on a value.
    pub fn warn(&mut self, at: &At, message: impl Into<String>) {
        self.warnings.push(at.fault(message));
    }

    /// Holds several values to a rule, unless one of them was unreadable. The fault goes to the first of
    /// those that stand nearest: in the section before `[defaults]`.
    pub fn rule(&mut self, among: &[&At], holds: bool, message: impl FnOnce() -> String) {
        let faulty = among.iter().any(|at| at.origin == Origin::Faulty);
        let nearest = among.iter().min_by_key(|at| at.origin);
        if let (false, false, Some(at)) = (holds, faulty, nearest) {
            self.fault(at, message());
        }
    }

    /// The nearest table that has the key, and what stands there.
    fn written(&self, key: &str) -> Option<(&Table<'a>, &'a Item<'a>)> {
        let shared = keys::is_shared(self.keys, key);
        let mut tables = std::iter::once(&self.own).chain(&self.behind);
        tables.find_map(|table| {
            let open = shared || table.origin != Origin::Defaults;
            let item = table.values.get(key).filter(|_| open)?;
            Some((table, item))
        })
    }

    /// The line of a byte; what stands in the catalogue is told where the preset is named.
    fn line_in(&self, table: &Table<'a>, byte: usize) -> usize {
        match table.origin {
            Origin::Preset => table.line,
            _ => self.lines.line(byte),
        }
    }

    fn complain(&mut self, at: &At, problems: Problems) {
        for problem in problems {
            let line = match problem.span {
                Some(span) if at.origin != Origin::Preset => self.lines.line(span.start),
                _ => at.line,
            };
            let at = At { line, ..at.clone() };
            self.fault(&at, problem.message);
        }
    }

    fn check_keys(&mut self) {
        let in_root = self.own.place.is_empty();
        let in_defaults = self.is_defaults();
        for (key, item) in self.own.values {
            let name = key.get_ref();
            let shown = match item.get_ref() {
                DeValue::Table(_) if in_root => format!("[{name}]"),
                DeValue::Array(_) if in_root => format!("[[{name}]]"),
                _ => format!("{}{name}", self.prefix),
            };
            if let Some(message) = keys::refusal(self.keys, name, &shown, in_defaults) {
                let line = self.lines.line(key.span().start);
                self.faults
                    .push(Fault::new(line, &[&self.own.place], message));
            }
        }
    }
}

impl At {
    /// A fault of this value.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.line, &[&self.place, &self.key], message)
    }
}

/// What an item is, with its article.
pub(super) fn kind(item: &Item<'_>) -> String {
    let kind = item.get_ref().type_str();
    let article = if kind.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}
