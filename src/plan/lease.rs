//! What has to change for the leases to become what was admitted.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

use crate::model::{Action, Class, Entry, Lease, UnixTime, spread};

use super::{Admitted, FirewallTerms, Standing, Wanted};

/// Every change that a firewall's leases need.
#[derive(Debug, Default)]
pub struct Changes {
    /// To be put on a list until this EndTime.
    pub adds: Vec<(Wanted, UnixTime)>,
    /// To be moved to this EndTime.
    pub edits: Vec<(Lease, UnixTime)>,
    /// To be taken off.
    pub deletes: Vec<Lease>,
    /// In doubt until a reading says what became of them.
    pub unread: Vec<Lease>,
    /// No longer wanted, and found to be off the list already.
    pub absent: Vec<Entry>,
    /// All that is no longer wanted, by entry.
    pub unwanted: Vec<Entry>,
    /// Inside a network that stands on the list: no brake holds what opens nothing.
    pub covered: HashSet<Entry>,
    /// No longer wanted, but their delete is refused: they run out by themselves.
    pub stuck: u64,
    /// Admitted entries that stand as they should.
    pub steady: u64,
    /// Admitted entries in all.
    pub admitted: u64,
    /// When the earliest of the steady ones needs something.
    pub next_due: Option<UnixTime>,
}

/// The EndTime that an entry should get: its expiry, or the lease's length, on the grid.
#[must_use]
pub fn end_time(terms: &FirewallTerms, expires: UnixTime, now: UnixTime) -> UnixTime {
    expires.min(now.plus(terms.lease)).round_up(terms.grid)
}

/// When a lease is due for renewal: between two thirds and one third of its own length left, at the step of the grid
/// that its hash chooses. The steps are those of the clock, not of the lease: so entries that were set in one hour are
/// spread over a whole window at their first renewal, and stay apart at each one after.
#[must_use]
pub fn renewal_time(terms: &FirewallTerms, lease: &Lease) -> UnixTime {
    let length = lease.end_time.since(lease.set_at);
    let opens = lease.end_time.minus(length * 2 / 3).round_up(terms.grid);
    let closes = lease.end_time.minus(length / 3);
    let grid = terms.grid.as_secs().max(1);
    let steps = (closes.since(opens).as_secs() / grid).max(1);
    let mine = spread(&lease.entry.indicator, lease.entry.direction as u8) % steps;
    let first = opens.seconds().unsigned_abs() / grid % steps;
    let step = (mine + steps - first) % steps;
    opens.plus(Duration::from_secs(step * grid))
}

/// Holds admitted entries against leases; both are sorted by entry.
#[must_use]
pub fn changes(
    terms: &FirewallTerms,
    standing: &Standing,
    admitted: Admitted,
    now: UnixTime,
) -> Changes {
    let Admitted { wanted, covered } = admitted;
    let mut changes = Changes {
        admitted: wanted.len() as u64,
        covered,
        ..Changes::default()
    };
    let mut leases = standing.leases.iter().peekable();
    for wanted in wanted {
        let entry = wanted.entry();
        while let Some(lease) = leases.next_if(|lease| lease.entry.cmp(&entry) == Ordering::Less) {
            changes.drop_lease(standing, lease);
        }
        match leases.next_if(|lease| lease.entry == entry) {
            Some(lease) if standing.must_be_read(lease) => changes.unread.push(lease.clone()),
            Some(lease) if lease.end_time > now => {
                changes.keep(terms, standing, lease, wanted, now);
            }
            // It lingers after its end, or a delete of it had no answer: it is taken off before it is added.
            Some(lease) if standing.may(Action::Delete, &entry) => {
                changes.deletes.push(lease.clone());
            }
            _ => changes.add(terms, wanted, now),
        }
    }
    for lease in leases {
        changes.drop_lease(standing, lease);
    }
    changes
}

impl Changes {
    fn keep(
        &mut self,
        terms: &FirewallTerms,
        standing: &Standing,
        lease: &Lease,
        wanted: Wanted,
        now: UnixTime,
    ) {
        self.due(
            wanted
                .expires
                .round_up(terms.grid)
                .max(now.plus(terms.grid)),
        );
        if lease.entry.class() == Class::Network && wanted.expires > now {
            // What it holds comes in its place before it ends.
            self.due(wanted.expires);
        }
        if wanted.lapsed {
            self.steady += 1;
            return self.due(lease.end_time);
        }
        let end = end_time(terms, wanted.expires, now);
        let sendable = end >= now.plus(terms.min_term);
        let may_add = standing.may(Action::Add, &lease.entry);
        let may_edit = standing.may(Action::Edit, &lease.entry);
        match lease.doubt {
            // It may not be there, or may be gone: adding it again settles that.
            Some(Action::Add | Action::Delete) if sendable && may_add => {
                self.adds.push((wanted, end));
            }
            Some(Action::Edit) if sendable && may_edit => self.edits.push((lease.clone(), end)),
            _ => {
                let renewal = renewal_time(terms, lease);
                let worthwhile = end >= lease.end_time.plus(terms.grid);
                if renewal <= now && worthwhile && sendable && may_edit {
                    self.edits.push((lease.clone(), end));
                    return;
                }
                self.steady += 1;
                self.due(if renewal > now {
                    renewal
                } else {
                    lease.end_time
                });
            }
        }
    }

    fn add(&mut self, terms: &FirewallTerms, wanted: Wanted, now: UnixTime) {
        let end = end_time(terms, wanted.expires, now);
        if !wanted.lapsed && end >= now.plus(terms.min_term) {
            self.adds.push((wanted, end));
        }
    }

    /// A lease that has ended needs no call, for the cloud has dropped the entry by itself; a [`Standing`] holds
    /// one only where it was seen to linger, or a delete of it had no answer.
    fn drop_lease(&mut self, standing: &Standing, lease: &Lease) {
        self.unwanted.push(lease.entry.clone());
        if standing.must_be_read(lease) {
            self.unread.push(lease.clone());
        } else if lease.doubt == Some(Action::Add) && !standing.is_unsure(lease) {
            self.absent.push(lease.entry.clone());
        } else if standing.may(Action::Delete, &lease.entry) {
            self.deletes.push(lease.clone());
        } else {
            self.stuck += 1;
        }
    }

    fn due(&mut self, at: UnixTime) {
        self.next_due = Some(self.next_due.map_or(at, |due| due.min(at)));
    }
}
