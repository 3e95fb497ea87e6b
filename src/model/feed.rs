//! The terms on which a feed's listings are believed.

use std::time::Duration;

use super::{Directions, List};

/// Whether a fetch is the whole truth or an addition to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Complete each time: what is missing from a good fetch is delisted.
    Snapshot,
    /// Only adds: a listing ends when nobody lists it again within its ttl.
    Incremental,
}

/// What becomes of a listing that a snapshot no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelist {
    /// It stays until its last listing + ttl.
    AgeOut,
    /// It goes at once.
    Withdraw,
}

/// What a feed's listings are worth and how long they last.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedTerms {
    /// How long a listing is believed after the feed last said it.
    pub ttl: Duration,
    /// Percent, 1 to 100; a row's own confidence goes before it.
    pub confidence: u8,
    /// The directions to block; `None` means both for addresses and networks, outbound for domains.
    pub directions: Option<Directions>,
    /// Blocklist, or allowlist (which also guards).
    pub list: List,
    /// Snapshot or incremental.
    pub mode: Mode,
    /// For snapshots: age out or withdraw.
    pub on_delist: OnDelist,
    /// A row whose own date is older than this is not believed; off unless set.
    pub max_age: Option<Duration>,
}

/// When a good-looking fetch is still not believed (the feed contract).
#[derive(Clone, Debug, PartialEq)]
pub struct Brakes {
    /// An empty snapshot is a true one.
    pub may_be_empty: bool,
    /// Fewer indicators than this hold the snapshot.
    pub min_entries: u64,
    /// More indicators than this hold the snapshot.
    pub max_entries: u64,
    /// The largest part of the last good snapshot that may vanish at once, 0 to 1.
    pub max_shrink: f64,
    /// The largest ratio of new size to old.
    pub max_growth: f64,
}
