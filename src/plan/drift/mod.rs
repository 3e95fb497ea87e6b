//! Drift: where the cloud's list and our leases disagree, and whose word counts. Pure.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::model::{Action, Entry, Lease, UnixTime};

/// A place on the cloud's list, as a read-back shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// What stands there; `None` where it is of a kind that we have no name for.
    pub entry: Option<Entry>,
    /// Until when; `None` where the cloud's text cannot be read.
    pub end_time: Option<UnixTime>,
    /// Who put it there, in the cloud's words.
    pub source: String,
    /// How often it matched.
    pub match_times: u64,
    /// When it last matched.
    pub last_hit: Option<UnixTime>,
}

/// What the ledger knows when a reading is judged.
#[derive(Debug, Default)]
pub struct Known {
    /// What we hold, in the order of entries; ended ones too, for some may still stand.
    pub leases: Vec<Lease>,
    /// The EndTimes that adds and edits of the last day asked for, and whether they were plainly applied.
    pub sent: HashMap<Entry, Vec<(UnixTime, bool)>>,
    /// What we took off so lately that the reading may still show it.
    pub deleted: HashSet<Entry>,
    /// Leases whose shortened EndTime was repaired before.
    pub repaired: HashSet<Entry>,
    /// Quarantined entries, with what was tried.
    pub quarantined: HashMap<Entry, Action>,
}

/// When a reading was made, and how late a change may show in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When the reading began.
    pub started: UnixTime,
    /// How long a change may take to show.
    pub confirm_after: Duration,
}

/// What a reading says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Leases that stand as we hold them.
    pub confirmed: Vec<Entry>,
    /// Entries of ours whose EndTime the cloud knows better: a call that nobody answered was applied.
    pub settled: Vec<(Entry, UnixTime)>,
    /// Leases that somebody shortened; they are repaired once.
    pub shortened: Vec<(Entry, UnixTime)>,
    /// Leases that somebody prolonged: they are theirs now.
    pub taken_over: Vec<Entry>,
    /// Leases that the reading does not show; it is to be made sure of before it counts.
    pub missing: Vec<Entry>,
    /// Leases that still stand after their EndTime, and hold a place.
    pub lingering: Vec<Entry>,
    /// Ended leases that are gone, as they should be.
    pub ended: Vec<Entry>,
    /// Quarantined deletes of what is not there: there is nothing left to do.
    pub released: Vec<Entry>,
    /// Quarantined adds of what stands there, whosever it is: that is why they were refused.
    pub explained: Vec<Entry>,
    /// What others hold.
    pub foreign: Vec<(Entry, Option<UnixTime>, String)>,
    /// Places that others hold, those of kinds without a name included.
    pub foreign_places: u64,
    /// What entries earned: matches, and the last one.
    pub hits: Vec<(Entry, u64, Option<UnixTime>)>,
    /// Seconds by which most EndTimes are off alike: the firewall's zone is another than configured.
    pub zone_fault: Option<i64>,
}

/// A reading in numbers, for `status` and `reconcile`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DriftCounts {
    /// Leases that stand as we hold them.
    pub confirmed: u64,
    /// Entries whose call had no clear answer and that stand all the same.
    pub settled: u64,
    /// Leases that are gone for sure.
    pub gone: u64,
    /// Leases that somebody shortened.
    pub shortened: u64,
    /// Leases that somebody prolonged, and that are theirs now.
    pub taken_over: u64,
    /// Leases that still stand after their EndTime.
    pub lingering: u64,
    /// Places that others hold.
    pub foreign: u64,
    /// Seconds by which most EndTimes are off alike.
    pub zone_fault: Option<i64>,
}

/// EndTimes closer than this are the same.
const CLOSE: i64 = 60;

/// Fewer leases than this show no common offset.
const FEW: usize = 10;

/// Zones differ by quarters of an hour.
const QUARTER: i64 = 900;

/// Judges a reading.
#[must_use]
pub fn judge(observed: Vec<Observed>, known: &Known, moment: Moment, now: UnixTime) -> Drift {
    let mut drift = Drift::default();
    let mut seen = HashSet::new();
    let leases: HashMap<&Entry, &Lease> = known
        .leases
        .iter()
        .map(|lease| (&lease.entry, lease))
        .collect();
    drift.zone_fault = zone_fault(&observed, &leases);
    for row in observed {
        let Some(entry) = row.entry else {
            drift.foreign_places += 1;
            continue;
        };
        seen.insert(entry.clone());
        if row.match_times > 0 {
            drift
                .hits
                .push((entry.clone(), row.match_times, row.last_hit));
        }
        match leases.get(&entry) {
            Some(lease) => drift.of_ours(lease, row.end_time, known, moment, now),
            None => drift.of_nobody(entry, row.end_time, row.source, known),
        }
    }
    for lease in &known.leases {
        if !seen.contains(&lease.entry) {
            drift.absent(lease, moment, now);
        }
    }
    for (entry, action) in &known.quarantined {
        match (action, seen.contains(entry)) {
            (Action::Delete, false) => drift.released.push(entry.clone()),
            (Action::Add, true) => drift.explained.push(entry.clone()),
            _ => {}
        }
    }
    drift
}

impl Known {
    /// Whether a call of ours asked for this EndTime and was not plainly applied.
    fn tried(&self, entry: &Entry, end: UnixTime) -> bool {
        self.any_sent(entry, end, |applied| !applied)
    }

    /// Whether a call of ours asked for this EndTime, whatever was said to it.
    fn sent(&self, entry: &Entry, end: UnixTime) -> bool {
        self.any_sent(entry, end, |_| true)
    }

    fn any_sent(&self, entry: &Entry, end: UnixTime, such: impl Fn(bool) -> bool) -> bool {
        let close = |one: UnixTime| (one.seconds() - end.seconds()).abs() <= CLOSE;
        let sent = self.sent.get(entry).map_or(&[][..], Vec::as_slice);
        sent.iter()
            .any(|(one, applied)| close(*one) && such(*applied))
    }
}

impl Drift {
    /// The reading in numbers; `gone` of the missing ones were not found by a search either.
    #[must_use]
    pub fn counts(&self, gone: usize) -> DriftCounts {
        DriftCounts {
            confirmed: self.confirmed.len() as u64,
            settled: self.settled.len() as u64,
            gone: gone as u64,
            shortened: self.shortened.len() as u64,
            taken_over: self.taken_over.len() as u64,
            lingering: self.lingering.len() as u64,
            foreign: self.foreign_places,
            zone_fault: self.zone_fault,
        }
    }

    /// A row that stands where we hold a lease.
    fn of_ours(
        &mut self,
        lease: &Lease,
        end: Option<UnixTime>,
        known: &Known,
        moment: Moment,
        now: UnixTime,
    ) {
        let entry = lease.entry.clone();
        let Some(end) = end.filter(|_| self.zone_fault.is_none()) else {
            return self.confirmed.push(entry);
        };
        if lease.end_time <= now && end <= now {
            // No two clocks agree to the second, and the cloud may be slow to drop it.
            if end.plus(moment.confirm_after) <= moment.started {
                self.lingering.push(entry);
            }
            return;
        }
        let recent = recent(lease, moment);
        if recent && lease.doubt == Some(Action::Delete) {
            return;
        }
        let later = end.seconds() - lease.end_time.seconds();
        if later != 0 && known.tried(&entry, end) {
            return self.settled.push((entry, end));
        }
        if later.abs() <= CLOSE {
            // An edit without an answer may have been applied, and not show yet.
            if !(recent && lease.doubt == Some(Action::Edit)) {
                self.confirmed.push(entry);
            }
            return;
        }
        if recent {
            // The reading may be older than our last word.
            return;
        }
        if later > 0 {
            self.foreign_places += 1;
            self.foreign.push((
                entry.clone(),
                Some(end),
                "prolonged by somebody else".to_owned(),
            ));
            return self.taken_over.push(entry);
        }
        if known.repaired.contains(&entry) {
            return self.settled.push((entry, end));
        }
        self.shortened.push((entry, end));
    }

    /// A row that stands where we hold nothing.
    fn of_nobody(&mut self, entry: Entry, end: Option<UnixTime>, source: String, known: &Known) {
        if known.deleted.contains(&entry) {
            return;
        }
        // One that was forgotten, because a reading did not show it yet, is ours as much as one that was never
        // confirmed.
        match end.filter(|end| known.sent(&entry, *end)) {
            Some(end) => self.settled.push((entry, end)),
            None => {
                self.foreign_places += 1;
                self.foreign.push((entry, end, source));
            }
        }
    }

    /// A lease that no row shows.
    fn absent(&mut self, lease: &Lease, moment: Moment, now: UnixTime) {
        if lease.end_time <= now {
            return self.ended.push(lease.entry.clone());
        }
        if !recent(lease, moment) {
            self.missing.push(lease.entry.clone());
        }
    }
}

/// Whether a lease was written so late that the reading may not show it yet.
fn recent(lease: &Lease, moment: Moment) -> bool {
    lease.set_at.plus(moment.confirm_after) > moment.started
}

/// One offset that most of our rows share.
fn zone_fault(observed: &[Observed], leases: &HashMap<&Entry, &Lease>) -> Option<i64> {
    let mut offsets: BTreeMap<i64, usize> = BTreeMap::new();
    let mut matched = 0;
    for row in observed {
        let lease = row.entry.as_ref().and_then(|entry| leases.get(entry));
        if let (Some(lease), Some(end)) = (lease, row.end_time) {
            matched += 1;
            *offsets
                .entry(end.seconds() - lease.end_time.seconds())
                .or_default() += 1;
        }
    }
    let (offset, count) = offsets.into_iter().max_by_key(|(_, count)| *count)?;
    let a_zone_s = offset != 0 && offset % QUARTER == 0 && offset.abs() <= 26 * 3600;
    (a_zone_s && matched >= FEW && count * 2 > matched).then_some(offset)
}
