//! The feeds that are known by name: what they list, where and how often they may be fetched, on what terms, and which
//! of the names that people remember are no more.
//!
//! The data is `catalogue.toml`. A preset's keys are in the config's language, and are read by the config like any
//! other; here they are only kept.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;
use toml::de::DeTable;

mod read;

/// One name that is known.
#[derive(Clone, Debug)]
pub struct Preset {
    /// What `preset` calls it.
    pub name: String,
    /// What stands on it.
    pub lists: String,
    /// Where its publisher describes it.
    pub page: Option<String>,
    /// What it is good for.
    pub standing: Standing,
    /// The licence, as its publisher states it.
    pub licence: Option<String>,
    /// Whether a company may use it.
    pub commercial: Commercial,
    /// The least time between two polls that its publisher takes.
    pub floor: Option<Duration>,
    /// After so long at the latest a living feed has changed.
    pub changes: Option<Duration>,
    /// Where the publisher wants a key.
    pub key: Option<Key>,
    /// The publisher wants to know who reads it.
    pub contact: bool,
    /// What is said here was not read on the publisher's own page.
    pub verify: bool,
    /// What else to know.
    pub notes: Option<String>,
    /// The keys of a `[[feed]]`.
    keys: Keys,
}

/// What a preset is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A feed of what to block.
    Feed,
    /// A list of what must not be blocked.
    Guard,
    /// It is no more; the sentence says why and what to use instead.
    Retired(String),
    /// It is there, and no feed for a firewall; the sentence says why and what to use instead.
    Unfit(String),
}

/// Whether a company may use a feed, as far as its publisher says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Commercial {
    /// It may.
    Yes,
    /// It may not, or not without paying.
    No,
    /// Nothing was found that says so or otherwise.
    #[default]
    Unclear,
}

/// Where a publisher's key goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its place in the request.
    pub place: KeyPlace,
    /// The page that gives keys out.
    pub from: String,
}

/// The place of a key in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A header of this name.
    Header(String),
    /// A parameter of this name in the query.
    Query(String),
    /// In the place of `{key}` in the path.
    Path,
}

/// A table of the config's language.
#[derive(Clone)]
struct Keys(DeTable<'static>);

/// Every name that is known, sorted.
#[must_use]
pub fn all() -> &'static [Preset] {
    #[expect(
        clippy::expect_used,
        reason = "the data is part of the program, and a test reads it"
    )]
    static CATALOGUE: LazyLock<Vec<Preset>> =
        LazyLock::new(|| read::catalogue().expect("the built-in catalogue can be read"));
    &CATALOGUE
}

/// The preset of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Preset> {
    all().iter().find(|preset| preset.name == name)
}

impl Preset {
    /// The keys of a `[[feed]]` that it stands for, in the config's language.
    #[must_use]
    pub fn keys(&self) -> &DeTable<'static> {
        &self.keys.0
    }

    /// How long its body may stay the same before it is taken for frozen.
    #[must_use]
    pub fn max_stale(&self) -> Option<Duration> {
        self.changes.map(|changes| changes * 4)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set()
            .entries(self.0.keys().map(|key| key.get_ref()))
            .finish()
    }
}

#[cfg(test)]
mod tests;
