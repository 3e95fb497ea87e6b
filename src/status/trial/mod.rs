//! What a body would do, without recording it: `feedwall feeds try`.

mod parsed;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Class;
use crate::parse::Format;

pub use self::parsed::{Measure, Parsed};

/// How many accepted indicators are shown, and how many rejected lines.
pub const SHOWN: usize = 10;

/// What a body says, and what would become of it.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// Where it came from, without what may be a key.
    pub source: String,
    /// The feed of the config, where it is one.
    pub feed: Option<String>,
    /// The format it was read as.
    pub read_as: Format,
    /// How that was guessed, where the recipe says `auto`.
    pub because: Option<String>,
    /// Bytes as sent.
    pub bytes: u64,
    /// Bytes once unpacked.
    pub unpacked_bytes: u64,
    /// Lines or items that say something.
    pub rows: u64,
    /// Rows that `where` passed over, and objects that say nothing about hosts.
    pub passed_over: u64,
    /// Rows of a guard list that need no guard: what they name is never blocked anyway.
    pub needless: u64,
    /// Different indicators.
    pub indicators: u64,
    /// The same by class.
    pub by_class: BTreeMap<Class, u64>,
    /// The first ones, in the body's order.
    pub first: Vec<String>,
    /// Rows that were not taken.
    pub rejected: u64,
    /// The same by reason, the most frequent first.
    pub rejects: Vec<Rejected>,
    /// Indicators that the guards would not let through whole, by guard, the most frequent first.
    pub guarded: Vec<Guarded>,
    /// Why the feed contract would hold it; null where it would be recorded.
    pub would_hold: Option<String>,
    /// What it would change; null where the ledger does not know the feed.
    pub changes: Option<Changes>,
    /// From asking to the end of all this.
    pub duration_ms: u64,
}

/// Rows rejected for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct Rejected {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Vec<RejectedLine>,
}

/// One rejected row.
#[derive(Clone, Debug, Serialize)]
pub struct RejectedLine {
    /// From 1.
    pub line: u64,
    /// How it begins, raw: escape it to print it.
    pub text: String,
}

/// Indicators that one guard would not let through whole.
#[derive(Clone, Debug, Serialize)]
pub struct Guarded {
    /// Who guards: `reserved ranges`, `[guard] allow`, a file, a list, a feed.
    pub by: String,
    /// What becomes of them.
    pub effect: Effect,
    /// How many.
    pub indicators: u64,
    /// The first of them.
    pub example: String,
    /// Why it, in a clause.
    pub why: String,
}

/// What a guard does to a listed indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// None of it is blocked.
    Struck,
    /// It waits.
    Held,
    /// It is blocked but for what is guarded inside it.
    Carved,
}

/// What recording the body would change, in indicators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// New ones.
    pub added: u64,
    /// Delisted ones that come back.
    pub relisted: u64,
    /// Ones that would be delisted.
    pub delisted: u64,
    /// Ones that stay as they are.
    pub unchanged: u64,
}
