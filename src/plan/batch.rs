//! Batches: the least number of calls that carry the changes, in the order in which they are safe.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::guard::Cleared;
use crate::model::{Action, Class, Direction, Entry, Lease, List, UnixTime};

use super::bounds::{brake, fit_adds, leased, most_places, put_off, room_for_adds};
use super::lease::Changes;
use super::{FirewallTerms, LeftOut, Plan, Standing, Wanted};

/// Entries of one list and class that go in one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Blocklist or allowlist.
    pub list: List,
    /// The class that all of them are of, so that a refused class hurts only itself.
    pub class: Class,
    /// The trial that keeps them together.
    pub trial: Option<i64>,
    /// What is done to which.
    pub load: Load,
}

/// What a batch carries, with the proof that its action demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Load {
    /// Take our own entries off.
    Delete(Vec<Lease>),
    /// Move our own entries to one EndTime.
    Edit(Vec<Lease>, UnixTime),
    /// Put entries on that the guards have cleared, until one EndTime.
    Add(Vec<Addition>, UnixTime),
}

/// An entry to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The guards' proof.
    pub cleared: Cleared,
    /// The direction.
    pub direction: Direction,
    /// An earlier call for it had no answer, so that it may be there already.
    pub repeat: bool,
}

/// Calls share all of this; the order is the order of sending.
type Group = (Action, Option<i64>, Reach, List, Class);
/// The EndTime of an add or edit.
type Reach = Option<UnixTime>;

impl Batch {
    /// What it does.
    #[must_use]
    pub fn action(&self) -> Action {
        match self.load {
            Load::Delete(_) => Action::Delete,
            Load::Edit(..) => Action::Edit,
            Load::Add(..) => Action::Add,
        }
    }

    /// The EndTime that its entries share; none for a delete.
    #[must_use]
    pub fn end_time(&self) -> Option<UnixTime> {
        match self.load {
            Load::Delete(_) => None,
            Load::Edit(_, end) | Load::Add(_, end) => Some(end),
        }
    }

    /// The places that it changes.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        match &self.load {
            Load::Delete(leases) | Load::Edit(leases, _) => {
                leases.iter().map(|lease| lease.entry.clone()).collect()
            }
            Load::Add(additions, _) => additions
                .iter()
                .map(|addition| addition.cleared.entry(addition.direction))
                .collect(),
        }
    }

    /// How many entries it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.load {
            Load::Delete(leases) | Load::Edit(leases, _) => leases.len(),
            Load::Add(additions, _) => additions.len(),
        }
    }

    /// Whether any of it repeats a call that had no answer: then a refusal may only mean that the first one
    /// was applied.
    #[must_use]
    pub fn repeats(&self) -> bool {
        match &self.load {
            Load::Delete(leases) | Load::Edit(leases, _) => {
                leases.iter().any(|lease| lease.doubt.is_some())
            }
            Load::Add(additions, _) => additions.iter().any(|addition| addition.repeat),
        }
    }

    /// The same, once a call for it has had no answer.
    #[must_use]
    pub fn in_doubt(mut self) -> Self {
        let action = self.action();
        match &mut self.load {
            Load::Delete(leases) | Load::Edit(leases, _) => {
                for lease in leases {
                    lease.doubt = Some(action);
                }
            }
            Load::Add(additions, _) => {
                for addition in additions {
                    addition.repeat = true;
                }
            }
        }
        self
    }

    /// Whether it holds nothing; a plan has no such batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Puts the changes into batches.
#[must_use]
pub fn batches(
    terms: &FirewallTerms,
    standing: &Standing,
    mut changes: Changes,
    mut left_out: BTreeMap<LeftOut, u64>,
    now: UnixTime,
) -> Plan {
    let renewals = changes
        .edits
        .iter()
        .filter(|(lease, _)| lease.doubt.is_none())
        .count();
    let held = changes.steady + renewals as u64;
    let unread = changes.unread.len() as u64;
    let kept = changes.steady + changes.edits.len() as u64 + unread + changes.stuck;
    let brake = brake(terms, standing, &mut changes, now);
    let held_deletes = brake.held;
    let room = room_for_adds(terms, standing, &changes, kept + held_deletes);
    fit_adds(&mut changes, standing, room, &mut left_out);
    let sendable = changes.adds.len() + changes.edits.len() + changes.deletes.len();
    let acquitted = acquitted(standing, &changes);
    let taken = kept + held_deletes + changes.adds.len() as u64;
    put_off(
        &mut changes,
        standing,
        most_places(terms, standing).saturating_sub(taken),
    );
    let mut packer = Packer::new(terms, standing, now);
    for lease in changes.deletes {
        packer.put(
            Action::Delete,
            lease.entry.clone(),
            None,
            Item::Lease(lease),
        );
    }
    for (lease, end) in changes.edits {
        packer.put(
            Action::Edit,
            lease.entry.clone(),
            Some(end),
            Item::Lease(lease),
        );
    }
    for (wanted, end) in changes.adds {
        packer.put(Action::Add, wanted.entry(), Some(end), Item::Wanted(wanted));
    }
    let (waiting, trial_due) = (packer.waiting + unread, packer.next_due);
    Plan {
        batches: packer.into_batches(),
        desired: changes.admitted,
        held,
        pending: sendable as u64 + unread,
        waiting,
        held_deletes,
        wanted_deletes: brake.wanted,
        allowed_deletes: brake.allowed,
        left_out,
        acquitted,
        absent: changes.absent,
        unwanted: changes.unwanted,
        next_due: [changes.next_due, trial_due].into_iter().flatten().min(),
        ..Plan::default()
    }
}

/// Suspects of which nothing is wanted any more, or something else than what they are under trial for.
fn acquitted(standing: &Standing, changes: &Changes) -> Vec<Entry> {
    if standing.suspects.entries.is_empty() {
        return Vec::new();
    }
    let adds = changes
        .adds
        .iter()
        .map(|(add, _)| (add.entry(), Action::Add));
    let edits = changes
        .edits
        .iter()
        .map(|(lease, _)| (lease.entry.clone(), Action::Edit));
    let deletes = changes
        .deletes
        .iter()
        .map(|lease| (lease.entry.clone(), Action::Delete));
    let wanted: HashMap<Entry, Action> = adds.chain(edits).chain(deletes).collect();
    let unread: HashSet<&Entry> = changes.unread.iter().map(|lease| &lease.entry).collect();
    let suspects = standing.suspects.entries.iter();
    let gone: BTreeSet<Entry> = suspects
        .filter(|(entry, (_, action))| {
            wanted.get(*entry) != Some(action) && !unread.contains(*entry)
        })
        .map(|(entry, _)| entry.clone())
        .collect();
    gone.into_iter().collect()
}

/// What stands in a batch that is being packed.
enum Item {
    Lease(Lease),
    Wanted(Wanted),
}

/// Sorts changes into groups that can share a call.
struct Packer<'a> {
    standing: &'a Standing,
    now: UnixTime,
    batch: usize,
    groups: BTreeMap<Group, Vec<Item>>,
    trial_ends: BTreeMap<i64, UnixTime>,
    waiting: u64,
    next_due: Option<UnixTime>,
}

impl<'a> Packer<'a> {
    fn new(terms: &FirewallTerms, standing: &'a Standing, now: UnixTime) -> Self {
        let batch = standing
            .learned_batch
            .map_or(terms.batch, |size| size.min(terms.batch));
        Self {
            standing,
            now,
            batch: batch.max(1),
            groups: BTreeMap::new(),
            trial_ends: BTreeMap::new(),
            waiting: 0,
            next_due: None,
        }
    }

    fn put(&mut self, action: Action, entry: Entry, end: Reach, item: Item) {
        let trial = self.standing.suspects.of(&entry, action);
        if let Some(trial) = trial {
            if !self.standing.suspects.may_go(trial, self.now) {
                self.wait_for(trial);
                return;
            }
            // A trial goes in one call, so its entries share the earliest of their EndTimes.
            if let Some(end) = end {
                let shared = self.trial_ends.entry(trial).or_insert(end);
                *shared = end.min(*shared);
            }
        }
        let end = end.filter(|_| trial.is_none());
        let group = (action, trial, end, entry.list, entry.class());
        self.groups.entry(group).or_default().push(item);
    }

    fn wait_for(&mut self, trial: i64) {
        self.waiting += 1;
        let trials = &self.standing.suspects.trials;
        if let Some((_, not_before)) = trials.get(&trial).filter(|(_, at)| *at > self.now) {
            self.next_due = Some(
                self.next_due
                    .map_or(*not_before, |due| due.min(*not_before)),
            );
        }
    }

    fn into_batches(self) -> Vec<Batch> {
        let mut batches = Vec::new();
        for ((action, trial, end, list, class), mut items) in self.groups {
            let end = end.or_else(|| self.trial_ends.get(&trial?).copied());
            while !items.is_empty() {
                let rest = items.split_off(items.len().min(self.batch));
                let load = load(action, items, end, self.standing);
                batches.extend(load.map(|load| Batch {
                    list,
                    class,
                    trial,
                    load,
                }));
                items = rest;
            }
        }
        batches
    }
}

fn load(action: Action, items: Vec<Item>, end: Reach, standing: &Standing) -> Option<Load> {
    let mut leases = Vec::new();
    let mut additions = Vec::new();
    for item in items {
        match item {
            Item::Lease(lease) => leases.push(Lease {
                doubt: lease.doubt.filter(|_| standing.is_unsure(&lease)),
                ..lease
            }),
            Item::Wanted(wanted) => additions.push(Addition {
                repeat: leased(standing, &wanted.entry())
                    .is_some_and(|lease| standing.is_unsure(lease)),
                cleared: wanted.cleared,
                direction: wanted.direction,
            }),
        }
    }
    match (action, end) {
        (Action::Delete, _) => Some(Load::Delete(leases)),
        (Action::Edit, Some(end)) => Some(Load::Edit(leases, end)),
        (Action::Add, Some(end)) => Some(Load::Add(additions, end)),
        // Edits and adds are always put with an EndTime.
        (Action::Edit | Action::Add, None) => None,
    }
}
