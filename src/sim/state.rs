//! The simulator's state as tests and `GET /_sim/state` see it.

use serde::{Deserialize, Serialize};

use super::ioc::Class;
use super::l4::L4RuleState;
use super::traffic::{CallCount, Pace};

/// Everything that stands and everything that was counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    /// The cloud's clock in the lists' zone.
    pub now: String,
    /// The cloud's clock in Unix seconds.
    pub now_unix: i64,
    /// Every entry, in the order of list, text, direction.
    pub entries: Vec<EntryState>,
    /// Entries on the blocklist.
    pub block_entries: usize,
    /// Entries on the allowlist.
    pub allow_entries: usize,
    /// Entries on either list that were seeded as somebody else's.
    pub foreign_entries: usize,
    /// Places on each list.
    pub quota: usize,
    /// Every layer-4 proxy rule, in the order of zone, proxy and making.
    pub l4_rules: Vec<L4RuleState>,
    /// API calls in all.
    pub calls_total: u64,
    /// Calls by action, IocAction and verdict.
    pub calls: Vec<CallCount>,
    /// How fast the calls of each action came.
    pub paces: Vec<Pace>,
    /// The largest of the paces' most.
    pub max_in_any_second: usize,
}

/// One entry that stands on a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryState {
    /// 1 blocklist, 2 allowlist.
    pub rule_type: u8,
    /// The address, network or domain, in the list's own form.
    pub ioc: String,
    /// Its class.
    pub class: Class,
    /// 0 outbound, 1 inbound.
    pub direction: u8,
    /// StartTime in the lists' zone.
    pub start: String,
    /// EndTime in the lists' zone.
    pub end: String,
    /// StartTime in Unix seconds.
    pub start_unix: i64,
    /// EndTime in Unix seconds.
    pub end_unix: i64,
    /// Whether it is past its EndTime and shown all the same.
    pub expired: bool,
    /// Who put it there, in the vendor's words.
    pub source: String,
    /// Whether it was seeded as somebody else's.
    pub foreign: bool,
    /// How often calls added or edited it, over every time that it stood here.
    pub writes: u64,
    /// How often traffic matched it.
    pub match_times: u64,
    /// The last match in Unix seconds.
    pub last_hit: Option<i64>,
}

/// An entry that somebody else put into the list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foreign {
    /// 1 blocklist (the default), 2 allowlist.
    #[serde(default = "blocklist")]
    pub rule_type: u8,
    /// An address, network or domain.
    pub ioc: String,
    /// 0 outbound, 1 inbound.
    pub direction: u8,
    /// EndTime in Unix seconds; absent: the vendor's for ever.
    #[serde(default)]
    pub end_unix: Option<i64>,
    /// The vendor's source; absent: added by hand.
    #[serde(default)]
    pub source: Option<String>,
}

/// Traffic that matched an entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hits {
    /// 1 blocklist (the default), 2 allowlist.
    #[serde(default = "blocklist")]
    pub rule_type: u8,
    /// The entry's text.
    pub ioc: String,
    /// 0 outbound, 1 inbound.
    pub direction: u8,
    /// How often.
    pub times: u64,
    /// The last of them in Unix seconds; absent: now.
    #[serde(default)]
    pub last_unix: Option<i64>,
}

/// Why an entry cannot be seeded or hit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// The text names no entry.
    #[error("{0:?} is no address, network or domain")]
    Ioc(String),
    /// A number that the cloud does not have.
    #[error("rule_type is 1 or 2 and direction 0 or 1, not {rule_type} and {direction}")]
    Place {
        /// The list's number as given.
        rule_type: u8,
        /// The direction as given.
        direction: u8,
    },
    /// A hit on what does not stand.
    #[error("{0:?} does not stand on that list in that direction")]
    Absent(String),
}

const fn blocklist() -> u8 {
    1
}
