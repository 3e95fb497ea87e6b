//! The difference between what should be on a firewall's lists and what is. Pure: a function of what the
//! ledger holds and of `now`.
//!
//! listings → [`expiry`] → beliefs → [`desired`] → wanted entries → [`admission`] → [`lease`] → [`batch`].
//! The daemon goes that way with one indicator at a time ([`sheet`], [`merge`], [`draw`]); commands, which show what
//! stands in between, with all of them.

pub mod admission;
pub mod bar;
pub mod batch;
mod bounds;
pub mod cover;
pub mod desired;
pub mod draw;
pub mod drift;
pub mod expiry;
pub mod lease;
pub mod merge;
pub mod shares;
pub mod sheet;
pub mod trial;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::guard::Cleared;
use crate::model::{Action, Class, Direction, Entry, Lease, List, UnixTime};

pub use self::admission::Admitted;
pub use self::bar::{Bar, Place};
pub use self::batch::{Addition, Batch, Load};
pub use self::desired::Takes;
pub use self::trial::Suspects;

/// What a firewall takes and how its leases are cut.
#[derive(Clone, Debug, PartialEq)]
pub struct FirewallTerms {
    /// The classes that it takes, by the config.
    pub accept: Vec<Class>,
    /// Networks of this length and longer go in as addresses; off unless set.
    pub expand_networks: Option<u8>,
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

/// How many places a firewall's lists have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// As many as the cloud says, or as its refusals teach. Such a number only stops adds.
    Auto,
    /// As many as the config says. Such a number may also delete, under the brake.
    Fixed(u64),
}

/// An entry that should be on a list, with the proof that it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The proof, the list and the indicator.
    pub cleared: Cleared,
    /// The direction.
    pub direction: Direction,
    /// Millionths: 1 − Π(1 − confidence) over the unexpired listings.
    pub score: u32,
    /// When the first of its listings began.
    pub first_listed: UnixTime,
    /// When the last of its listings ends.
    pub expires: UnixTime,
    /// Its listings have ended, but their feed has not answered since the start: what is there stays, and
    /// nothing is added.
    pub lapsed: bool,
}

/// What the ledger knows of one firewall when a plan is made.
#[derive(Debug, Default)]
pub struct Standing {
    /// What we hold, in the order of entries.
    pub leases: Vec<Lease>,
    /// What others hold.
    pub foreign: HashSet<Entry>,
    /// Places that others hold, as last read (their entries may be of a kind that we cannot name).
    pub foreign_places: u64,
    /// What the cloud refused alone, and what was tried: that is not tried again.
    pub quarantined: HashMap<Entry, Action>,
    /// What is under trial.
    pub suspects: Suspects,
    /// Classes that the firewall turned out to refuse.
    pub refused_classes: HashSet<(List, Class)>,
    /// Calls of a class that it turned out to refuse though it takes the class: its edits, its deletes.
    pub refused_calls: HashSet<(Action, List, Class)>,
    /// What was written after this moment, the last reading may not have shown.
    pub unseen_since: UnixTime,
    /// The firewall turned out to refuse to do again what it has done: a call without an answer is not repeated, but
    /// waits for a reading.
    pub repeats_refused: bool,
    /// A batch size that the firewall turned out to need.
    pub learned_batch: Option<usize>,
    /// A quota that the firewall turned out to have; it stops adds and deletes nothing.
    pub learned_quota: Option<u64>,
    /// When each entry was last hit; the tie-break of admission.
    pub last_hits: HashMap<Entry, UnixTime>,
    /// Entries deleted in the last 24 h.
    pub deleted: u64,
    /// Deletes that the operator approved beyond the brake.
    pub approved_deletes: u64,
    /// Leases that the operator's own hand or config wants gone: the brake does not hold them.
    pub exempt: HashSet<Entry>,
    /// A guard list of the config was never heard of: what it would guard is not known, and nothing is added.
    pub unguarded: bool,
    /// The operator took everything back: nothing is wanted until `feedwall resume`.
    pub withdrawn: bool,
}

/// Why an entry that feeds list is not on a firewall's list, or not yet.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// A guard strikes all of it.
    Guarded,
    /// A guard holds it: a guarded name lies below, or too many pieces would be left.
    HeldByGuard,
    /// The config does not send this class to this firewall.
    ClassNotAccepted,
    /// The firewall turned out to refuse this class.
    ClassRefused,
    /// The cloud refused it alone.
    Quarantined,
    /// Somebody else holds the same entry.
    Foreign,
    /// There is no place for its score.
    Quota,
    /// A network that stands on the list, or is about to, holds it.
    Covered,
    /// It would end before `min_term` is over.
    EndsTooSoon,
    /// A guard list was never heard of, so that nothing is added yet.
    GuardsUnheard,
}

/// What is to be sent to one firewall, and what is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of sending: deletes, edits, adds.
    pub batches: Vec<Batch>,
    /// Entries that should be on the lists.
    pub desired: u64,
    /// Of those, the entries that are there without doubt.
    pub held: u64,
    /// Adds, edits and deletes, sendable or waiting.
    pub pending: u64,
    /// Of those, the ones that wait for a trial, for its time, or for a reading.
    pub waiting: u64,
    /// Deletes that the brake holds.
    pub held_deletes: u64,
    /// Deletes that 24 h would see, done, wanted and held.
    pub wanted_deletes: u64,
    /// Deletes that 24 h may see, approvals included.
    pub allowed_deletes: u64,
    /// What is left out, counted by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// Entries under trial that nothing is wanted of any more.
    pub acquitted: Vec<Entry>,
    /// Leases that nothing is wanted of any more, and that a reading found to be off the list: there is nothing to delete.
    pub absent: Vec<Entry>,
    /// Leases that are no longer wanted, whether or not they can be taken off now; by entry.
    pub unwanted: Vec<Entry>,
    /// When the plan would change though nothing else does.
    pub next_due: Option<UnixTime>,
    /// Where the contest for places ended.
    pub bar: Bar,
}

/// Makes the plan of one firewall. `wanted` is sorted by entry and without duplicates, as
/// [`desired::desired`] gives it.
#[must_use]
pub fn plan(
    terms: &FirewallTerms,
    standing: &Standing,
    wanted: Vec<Wanted>,
    mut left_out: BTreeMap<LeftOut, u64>,
    now: UnixTime,
) -> Plan {
    let wanted = if standing.withdrawn {
        Vec::new()
    } else {
        wanted
    };
    let left = |reason, _: &Wanted| desired::leave_out(&mut left_out, reason, 1);
    let admitted = admission::admit(terms, standing, wanted, left, now);
    conclude(terms, standing, admitted, left_out, now)
}

/// The calls that make what was admitted stand on the lists.
fn conclude(
    terms: &FirewallTerms,
    standing: &Standing,
    admitted: Admitted,
    mut left_out: BTreeMap<LeftOut, u64>,
    now: UnixTime,
) -> Plan {
    let without_place =
        |left_out: &BTreeMap<LeftOut, u64>| left_out.get(&LeftOut::Quota).copied().unwrap_or(0);
    let lost = without_place(&left_out);
    let tally = bar::Tally::of(terms, standing, &admitted.wanted, lost > 0);
    let mut changes = lease::changes(terms, standing, admitted, now);
    if standing.unguarded {
        // What is in doubt would be added again to settle that.
        let adds = std::mem::take(&mut changes.adds);
        desired::leave_out(&mut left_out, LeftOut::GuardsUnheard, adds.len() as u64);
    }
    let mut plan = batch::batches(terms, standing, changes, left_out, now);
    let cut = usize::try_from(without_place(&plan.left_out) - lost).unwrap_or(usize::MAX);
    plan.bar = tally.bar(cut, standing.unguarded);
    plan
}

impl FirewallTerms {
    /// What the firewall is given.
    #[must_use]
    pub fn takes(&self) -> Takes<'_> {
        Takes {
            accept: &self.accept,
            expand_networks: self.expand_networks,
        }
    }
}

impl Standing {
    /// Whether `action` may be tried on `entry`: neither it alone nor its class was refused that.
    #[must_use]
    pub fn may(&self, action: Action, entry: &Entry) -> bool {
        let class = (entry.list, entry.class());
        self.quarantined.get(entry) != Some(&action)
            && !self.refused_calls.contains(&(action, class.0, class.1))
            && !(action == Action::Add && self.refused_classes.contains(&class))
    }

    /// Whether a call for a lease had no answer, and no reading has shown yet what became of it. A doubt that is older
    /// than the last reading is a reading's own word: that something is to be done again.
    #[must_use]
    pub fn is_unsure(&self, lease: &Lease) -> bool {
        lease.doubt.is_some() && lease.set_at > self.unseen_since
    }

    /// Whether only a reading can say what became of a lease, because to repeat the call would be refused.
    #[must_use]
    pub fn must_be_read(&self, lease: &Lease) -> bool {
        self.repeats_refused && self.is_unsure(lease)
    }
}

impl Wanted {
    /// The place that it wants.
    #[must_use]
    pub fn entry(&self) -> Entry {
        self.cleared.entry(self.direction)
    }
}

impl LeftOut {
    /// The words for tables and sentences.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guarded => "guarded",
            Self::HeldByGuard => "held by a guard",
            Self::ClassNotAccepted => "class not accepted",
            Self::ClassRefused => "class refused by the firewall",
            Self::Quarantined => "quarantined",
            Self::Foreign => "held by somebody else",
            Self::Quota => "no place under the quota",
            Self::Covered => "inside a network that is listed",
            Self::EndsTooSoon => "ends too soon",
            Self::GuardsUnheard => "waiting for a guard list",
        }
    }
}
