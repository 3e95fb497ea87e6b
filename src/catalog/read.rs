//! From the catalogue's text to its entries.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use toml::de::{DeTable, DeValue};

use super::{Commercial, Key, KeyPlace, Keys, Preset, Standing};

const TEXT: &str = include_str!("catalogue.toml");

/// An entry as the file writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    lists: String,
    page: Option<String>,
    licence: Option<String>,
    #[serde(default)]
    commercial: Commercial,
    #[serde(default, deserialize_with = "span")]
    floor: Option<Duration>,
    #[serde(default, deserialize_with = "span")]
    changes: Option<Duration>,
    key: Option<WrittenKey>,
    #[serde(default)]
    contact: bool,
    #[serde(default)]
    verify: bool,
    notes: Option<String>,
    #[serde(default)]
    guard: bool,
    retired: Option<String>,
    unfit: Option<String>,
    instead: Option<String>,
    #[serde(rename = "feed")]
    _feed: Option<IgnoredAny>,
    #[serde(default)]
    also: BTreeMap<String, Sibling>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    header: Option<String>,
    query: Option<String>,
    path: Option<bool>,
    from: String,
}

/// A sibling; its other keys are a feed's.
#[derive(Deserialize)]
struct Sibling {
    lists: String,
}

/// Reads the built-in catalogue.
pub(super) fn catalogue() -> Result<Vec<Preset>, toml::de::Error> {
    let entries: BTreeMap<String, Entry> = toml::from_str(TEXT)?;
    let root = DeTable::parse(TEXT)?.into_inner();
    let mut presets = Vec::new();
    for (name, mut entry) in entries {
        let written = root
            .get(name.as_str())
            .and_then(|item| item.get_ref().as_table());
        let keys = table(written, "feed");
        let also = table(written, "also");
        let siblings = std::mem::take(&mut entry.also);
        let preset = entry.preset(name, keys);
        for (name, sibling) in siblings {
            let mut keys = preset.keys.0.clone();
            let own = table(Some(&also), &name);
            keys.extend(own.into_iter().filter(|(key, _)| key.get_ref() != "lists"));
            presets.push(Preset {
                name,
                lists: sibling.lists,
                keys: Keys(keys),
                ..preset.clone()
            });
        }
        presets.push(preset);
    }
    presets.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(presets)
}

impl Entry {
    fn preset(self, name: String, keys: DeTable<'static>) -> Preset {
        let instead = self
            .instead
            .map(|instead| format!("; use {instead} instead"));
        let advice = instead.unwrap_or_default();
        let standing = match (self.retired, self.unfit) {
            (Some(why), _) => Standing::Retired(format!("{why}{advice}")),
            (None, Some(why)) => Standing::Unfit(format!("{why}{advice}")),
            (None, None) if self.guard => Standing::Guard,
            (None, None) => Standing::Feed,
        };
        Preset {
            name,
            lists: self.lists,
            page: self.page,
            standing,
            licence: self.licence,
            commercial: self.commercial,
            floor: self.floor,
            changes: self.changes,
            key: self.key.and_then(WrittenKey::key),
            contact: self.contact,
            verify: self.verify,
            notes: self.notes,
            keys: Keys(keys),
        }
    }
}

impl WrittenKey {
    fn key(self) -> Option<Key> {
        let place = match (self.header, self.query, self.path) {
            (Some(name), None, None) => KeyPlace::Header(name),
            (None, Some(name), None) => KeyPlace::Query(name),
            (None, None, Some(true)) => KeyPlace::Path,
            _ => return None,
        };
        Some(Key {
            place,
            from: self.from,
        })
    }
}

/// The table under `key`, or an empty one.
fn table(of: Option<&DeTable<'static>>, key: &str) -> DeTable<'static> {
    match of
        .and_then(|table| table.get(key))
        .map(|item| item.get_ref())
    {
        Some(DeValue::Table(table)) => table.clone(),
        _ => DeTable::new(),
    }
}

/// A friendly span in which a day is 24 hours.
fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let exact = text
        .parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .and_then(Duration::try_from);
    exact.map(Some).map_err(serde::de::Error::custom)
}
