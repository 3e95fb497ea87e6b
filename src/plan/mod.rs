//! The difference between what should be on a firewall's list and what is. Pure.

use std::time::Duration;

use crate::model::Class;

/// What a firewall takes and how its leases are cut.
#[derive(Clone, Debug, PartialEq)]
pub struct FirewallTerms {
    /// The classes that it takes, by the config.
    pub accept: Vec<Class>,
    /// Entries in one call, at most.
    pub batch: usize,
    /// Places on the list.
    pub quota: Quota,
    /// Places kept free for entries made by hand.
    pub reserve: u64,
    /// By how much a challenger's score must beat a holder's.
    pub margin: f64,
    /// The largest part of the leases that may be deleted within 24 h, 0 to 1.
    pub max_delete: f64,
    /// How long a lease runs: the dead-man's switch.
    pub lease: Duration,
    /// The step to which EndTimes are rounded up.
    pub grid: Duration,
    /// How far ahead an EndTime must lie when it is sent.
    pub min_term: Duration,
}

/// How many places a firewall's list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// As many as the cloud says, or as its refusals teach. Such a number only stops adds.
    Auto,
    /// As many as the config says. Such a number may also delete, under the brake.
    Fixed(u64),
}
