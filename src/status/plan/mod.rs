//! What the next plan would send and why, and what it leaves out and why. Nothing is recorded.

mod sample;
#[cfg(test)]
mod tests;
mod words;

use jiff::tz::Offset;
use serde::Serialize;

use crate::config::Firewall;
use crate::model::{Action, Class, Indicator, List, Name, UnixTime};
use crate::plan::LeftOut;
use crate::stage::replan::Ingredients;

use self::sample::Sample;

/// Examples of each kind that are told.
const SHOWN: usize = 5;

/// One firewall's next plan; `feedwall plan --json` gives an array of these.
#[derive(Clone, Debug, Serialize)]
pub struct Outlook {
    /// The firewall.
    pub firewall: Name,
    /// When the plan was made.
    pub now: UnixTime,
    /// Everything is being taken back, until `feedwall resume`.
    pub withdrawn: bool,
    /// Entries that should be there.
    pub desired: u64,
    /// Of those, the entries that are there without doubt.
    pub held: u64,
    /// Adds, edits and deletes, sendable or waiting.
    pub pending: u64,
    /// Of those, the ones that wait for a trial or its time.
    pub waiting: u64,
    /// Deletes that 24 h would see: done, wanted, and held by `max_delete`.
    pub wanted_deletes: u64,
    /// Deletes that 24 h may see by `max_delete`, approvals included.
    pub allowed_deletes: u64,
    /// Deletes that wait for `feedwall approve --firewall`.
    pub held_deletes: u64,
    /// When the plan would change though nothing else does.
    pub next_due: Option<UnixTime>,
    /// What would be sent, in the order of sending.
    pub groups: Vec<Group>,
    /// What is left out, by reason.
    pub left_out: Vec<Omission>,
    /// The zone in which the firewall writes its times.
    #[serde(skip)]
    pub zone: Offset,
}

/// The calls of one action, list, class and EndTime.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// What they do.
    pub action: Action,
    /// On which list.
    pub list: List,
    /// With which class.
    pub class: Class,
    /// Until when; null for deletes.
    pub end_time: Option<UnixTime>,
    /// How many calls.
    pub calls: u64,
    /// How many entries.
    pub entries: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// What is left out for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct Omission {
    /// Why.
    pub reason: LeftOut,
    /// How many entries.
    pub entries: u64,
    /// Some of them.
    pub examples: Vec<Example>,
}

/// One indicator, and why it is where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Which.
    pub indicator: Indicator,
    /// Why, in a clause.
    pub why: String,
}

impl Outlook {
    /// Makes the plan and picks examples.
    #[must_use]
    pub fn new(config: &Firewall, made: &Ingredients, now: UnixTime) -> Self {
        let plan = made.plan(config, now);
        let sample = Sample { config, made, now };
        let mut examples = sample.left_out();
        let left_out = plan.left_out.iter().map(|(reason, entries)| Omission {
            reason: *reason,
            entries: *entries,
            examples: examples.remove(reason).unwrap_or_default(),
        });
        Self {
            firewall: config.name.clone(),
            now,
            withdrawn: made.standing.withdrawn,
            desired: plan.desired,
            held: plan.held,
            pending: plan.pending,
            waiting: plan.waiting,
            wanted_deletes: plan.wanted_deletes,
            allowed_deletes: plan.allowed_deletes,
            held_deletes: plan.held_deletes,
            next_due: plan.next_due,
            left_out: left_out.collect(),
            groups: sample.groups(&plan.batches),
            zone: config.time_zone,
        }
    }
}
