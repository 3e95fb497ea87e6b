//! From the file to a [`Config`], or to every fault in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::fault::{ConfigError, ConfigFaults, Fault, Lines};
use super::keys::Key;
use super::section::{Section, kind};
use super::value::shown;
use super::{
    Config, feed, fetching, firewall, guard, guard_list, http, judge, keys, l4, ledger, syntax,
};

/// A file larger than this is no config.
const MOST_BYTES: u64 = 8 << 20;

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`]: it is not there, cannot be read, or holds faults, of which all are told.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable {
            path: path.to_owned(),
            error,
        };
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ConfigError::Missing(path.to_owned()),
            _ => unreadable(error),
        })?;
        let mut bytes = Vec::new();
        let bounded = &mut file.take(MOST_BYTES + 1);
        bounded.read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(ConfigError::TooLarge {
                path: path.to_owned(),
                most: MOST_BYTES,
            });
        }
        Ok(Self::from_bytes(&bytes, &path.to_string_lossy())?)
    }

    /// Reads `text`; `file` is what messages call it.
    ///
    /// # Errors
    /// [`ConfigFaults`]: every fault in it, or, where it is no TOML, what the parser says.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigFaults> {
        let lines = Lines::new(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        let syntax = syntax::faults(&lines, root.get_ref(), &errors);
        if let Some(faults) = ConfigFaults::collect(file, syntax) {
            return Err(faults);
        }
        let mut reading = Reading::default();
        let config = reading.root(&lines, root.get_ref());
        if let Some(faults) = ConfigFaults::collect(file, reading.faults) {
            return Err(faults);
        }
        let mut warnings = reading.warnings;
        warnings.sort();
        warnings.dedup();
        Ok(Self {
            warnings: warnings.iter().map(|it| it.located(file)).collect(),
            ..config
        })
    }

    pub(super) fn from_bytes(bytes: &[u8], file: &str) -> Result<Self, ConfigFaults> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text, file),
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = memchr::memchr_iter(b'\n', before).count() + 1;
                let message = "this is no TOML: the text is not UTF-8";
                Err(ConfigFaults::one(file, Fault::new(line, &[], message)))
            }
        }
    }
}

/// What has been found wrong so far, over all sections.
#[derive(Debug, Default)]
struct Reading {
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Reading {
    fn root(&mut self, lines: &Lines<'_>, root: &DeTable<'_>) -> Config {
        let nothing = DeTable::new();
        self.done(Section::new(lines, "", 0, root, keys::ROOT));

        let http = root.get("http").map(|_| {
            let mut section = self.one(lines, root, &nothing, "http", keys::HTTP);
            let http = http::read(&mut section);
            self.done(section);
            http
        });

        let mut section = self.one(lines, root, &nothing, "fetch", keys::FETCH);
        let fetch = fetching::read(&mut section);
        self.done(section);

        let mut section = self.one(lines, root, &nothing, "guard", keys::GUARD);
        let (guard, allow_private) = guard::read(&mut section);
        self.done(section);

        let mut defaults = self.one(lines, root, &nothing, "defaults", keys::FEED);
        feed::read_defaults(&mut defaults);
        let around = feed::Around {
            min_prefix: guard.min_prefix,
            allow_private: &allow_private,
            contact: fetch.contact.is_some(),
        };
        let mut feeds = Vec::new();
        for mut section in self.several(lines, root, "feed", keys::FEED) {
            section.fall_back_to(&defaults);
            feeds.push(feed::read(&mut section, &around));
            self.done(section);
        }

        let none = DeTable::new();
        let guards = root.get("guard").and_then(|item| item.get_ref().as_table());
        let mut lists = Vec::new();
        for mut section in self.several(
            lines,
            guards.unwrap_or(&none),
            "guard.list",
            keys::GUARD_LIST,
        ) {
            section.fall_back_to(&defaults);
            lists.push(guard_list::read(&mut section, &around));
            self.done(section);
        }
        self.done(defaults);

        let mut firewalls = Vec::new();
        for mut section in self.several(lines, root, "firewall", keys::FIREWALL) {
            firewalls.extend(firewall::read(&mut section, &allow_private));
            self.done(section);
        }

        let read: Vec<_> = firewalls
            .iter()
            .filter_map(|read| read.firewall.clone())
            .collect();
        let mut section = self.one(lines, root, &nothing, "l4", keys::L4);
        let l4 = l4::read(&mut section, &read, &allow_private);
        self.done(section);

        let mut section = self.one(lines, root, &nothing, "ledger", keys::LEDGER);
        let (ledger, keep_history) = ledger::read(&mut section);
        self.done(section);

        self.faults.extend(judge::presence(root));
        self.faults.extend(judge::unique_names(
            feeds
                .iter()
                .chain(&lists)
                .filter_map(|feed| feed.name.as_ref()),
        ));
        self.faults.extend(judge::unique_names(
            firewalls
                .iter()
                .filter_map(|firewall| firewall.name.as_ref()),
        ));
        self.faults.extend(judge::unique_accounts(&firewalls));
        self.faults.extend(judge::history(&keep_history, &feeds));
        self.faults.extend(judge::reserved_names(
            feeds
                .iter()
                .chain(&lists)
                .filter_map(|feed| feed.name.as_ref()),
        ));
        self.warnings.extend(judge::shared_sources(&feeds));
        let lists = lists.into_iter().filter_map(|list| list.feed).collect();
        Config {
            ledger,
            http,
            fetch,
            guard: super::Guard { lists, ..guard },
            feeds: feeds.into_iter().filter_map(|feed| feed.feed).collect(),
            firewalls: firewalls
                .into_iter()
                .filter_map(|firewall| firewall.firewall)
                .collect(),
            l4,
            warnings: Vec::new(),
        }
    }

    fn done(&mut self, section: Section<'_>) {
        self.faults.extend(section.faults);
        self.warnings.extend(section.warnings);
    }

    /// The section `[name]`; an empty one where it is absent.
    fn one<'a>(
        &mut self,
        lines: &'a Lines<'a>,
        root: &'a DeTable<'a>,
        nothing: &'a DeTable<'a>,
        name: &str,
        keys: &'static [Key],
    ) -> Section<'a> {
        let place = format!("[{name}]");
        let Some(item) = root.get(name) else {
            return Section::new(lines, place, 0, nothing, keys);
        };
        let line = lines.line(item.span().start);
        if let DeValue::Table(values) = item.get_ref() {
            return Section::new(lines, place, line, values, keys);
        }
        let message = format!(
            "`{name}` is one section, written `{place}`, and not {}",
            kind(item)
        );
        self.faults.push(Fault::new(line, &[], message));
        Section::new(lines, place, line, nothing, keys)
    }

    /// The sections `[[name]]` of a table, in the file's order; `name` is written with what stands above it.
    fn several<'a>(
        &mut self,
        lines: &'a Lines<'a>,
        root: &'a DeTable<'a>,
        name: &str,
        keys: &'static [Key],
    ) -> Vec<Section<'a>> {
        let key = name.rsplit('.').next().unwrap_or(name);
        let Some(item) = root.get(key) else {
            return Vec::new();
        };
        let items = item
            .get_ref()
            .as_array()
            .map_or_else(|| std::slice::from_ref(item), |array| &**array);
        let mut sections = Vec::new();
        for (place, one) in items.iter().enumerate() {
            let line = lines.line(one.span().start);
            let in_array = item.get_ref().is_array();
            match one.get_ref() {
                DeValue::Table(values) if in_array => {
                    let label = label(values, place + 1);
                    sections.push(Section::new(
                        lines,
                        format!("[[{name}]] {label}"),
                        line,
                        values,
                        keys,
                    ));
                }
                _ => {
                    let message = format!(
                        "there may be several `{name}` sections, so each is written `[[{name}]]`, with two brackets"
                    );
                    self.faults.push(Fault::new(line, &[], message));
                }
            }
        }
        sections
    }
}

/// What messages call a feed or firewall: its name, or its number where it has none.
fn label(values: &DeTable<'_>, number: usize) -> String {
    match values.get("name").and_then(|name| name.get_ref().as_str()) {
        Some(name) => shown(name),
        None => format!("no. {number}"),
    }
}
