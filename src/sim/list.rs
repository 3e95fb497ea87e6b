//! The two lists: plain state, changed by whole calls only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::clock::Moment;
use super::config::{EditAbsent, Expired, Manners, Repeat};
use super::ioc::Ioc;
use super::refusal::Refusal;

/// What the vendor writes as the source of an entry that was added by hand or over the API.
pub(super) const BY_HAND: &str = "手动添加";

/// The blocklist or the allowlist; the numbers are the cloud's `RuleType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    Block = 1,
    Allow = 2,
}

/// Where an entry stands. Each costs one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) side: Side,
    pub(super) ioc: Ioc,
    /// 0 outbound, 1 inbound.
    pub(super) direction: u8,
}

/// An entry as the list holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) source: String,
    /// Put there by somebody else: seeded, not called for.
    pub(super) foreign: bool,
    /// Counts up over the lists' life; the UniqueId.
    pub(super) serial: u64,
    pub(super) match_times: u64,
    pub(super) last_hit: Option<i64>,
}

/// `IocAction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Add,
    Edit,
    Delete,
}

/// One call's worth of change, all or nothing.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) act: Act,
    pub(super) keys: Vec<Key>,
    pub(super) start: i64,
    pub(super) end: i64,
}

/// Both lists, with what a late reader still sees of their past.
#[derive(Debug)]
pub(super) struct Lists {
    slots: BTreeMap<Key, Slot>,
    used: BTreeMap<Side, usize>,
    next_serial: u64,
    /// No entry ends before this, so that a call does not have to look.
    soonest_end: i64,
    /// For how long a late reader may ask for what was.
    kept_for: Duration,
}

#[derive(Debug, Default)]
struct Slot {
    record: Option<Record>,
    /// Adds and edits over the slot's whole life.
    writes: u64,
    /// Until each moment, what stood here before it; kept while a late reader may ask.
    past: Vec<(Duration, Option<Record>)>,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Block, Self::Allow];

    pub(super) fn from_rule_type(number: i64) -> Option<Self> {
        Self::BOTH.into_iter().find(|side| *side as i64 == number)
    }
}

impl Lists {
    pub(super) fn new() -> Self {
        Self {
            slots: BTreeMap::new(),
            used: BTreeMap::new(),
            next_serial: 1,
            soonest_end: i64::MAX,
            kept_for: Duration::ZERO,
        }
    }

    /// Remembers from now on what was for so long.
    pub(super) fn keep_for(&mut self, span: Duration) {
        self.kept_for = span;
    }

    pub(super) fn used(&self, side: Side) -> usize {
        self.used.get(&side).copied().unwrap_or(0)
    }

    /// Every entry that stands now, with how often it was written.
    pub(super) fn standing(&self) -> impl Iterator<Item = (&Key, &Record, u64)> {
        self.slots
            .iter()
            .filter_map(|(key, slot)| Some((key, slot.record.as_ref()?, slot.writes)))
    }

    /// How often an entry was added or edited, whether it still stands or not.
    pub(super) fn writes(&self, key: &Key) -> u64 {
        self.slots.get(key).map_or(0, |slot| slot.writes)
    }

    /// Every entry that a read-back shows at `now`, where changes take so long to show.
    pub(super) fn shown(
        &self,
        now: Moment,
        visible_after: Duration,
    ) -> impl Iterator<Item = (&Key, &Record)> {
        let seen_until = now.true_wall.saturating_sub(visible_after);
        self.slots
            .iter()
            .filter_map(move |(key, slot)| Some((key, slot.seen(seen_until)?)))
    }

    /// Carries out `change`, or refuses it and changes nothing.
    pub(super) fn apply(
        &mut self,
        change: &Change,
        manners: Manners,
        quota: usize,
        now: Moment,
    ) -> Result<(), Refusal> {
        let new = self.judge(change, manners)?;
        for side in Side::BOTH {
            let more = new.iter().filter(|key| key.side == side).count();
            if more > 0 && self.used(side) + more > quota {
                return Err(Refusal::full());
            }
        }
        for key in &change.keys {
            match change.act {
                Act::Delete => self.remove(key, now),
                Act::Add => self.write(key, change, now),
                Act::Edit if manners.edit_absent == EditAbsent::Create || self.has(key) => {
                    self.write(key, change, now);
                }
                Act::Edit => {}
            }
        }
        Ok(())
    }

    /// Takes off what is past its EndTime, where the cloud does that by itself.
    pub(super) fn expire(&mut self, expired: Expired, now: Moment) {
        if expired == Expired::Kept || now.unix < self.soonest_end {
            return;
        }
        let over: Vec<Key> = self
            .standing()
            .filter(|(_, record, _)| record.end <= now.unix)
            .map(|(key, ..)| key.clone())
            .collect();
        for key in &over {
            self.remove(key, now);
        }
        let ends = self.standing().map(|(_, record, _)| record.end);
        self.soonest_end = ends.min().unwrap_or(i64::MAX);
    }

    /// Puts an entry there behind the API's back.
    pub(super) fn seed(&mut self, key: Key, record: Record, now: Moment) {
        let serial = self.take_serial();
        self.put(key, Some(Record { serial, ..record }), now);
    }

    /// Counts hits on an entry; `false` where it does not stand.
    pub(super) fn hit(&mut self, key: &Key, times: u64, at: i64) -> bool {
        let record = self
            .slots
            .get_mut(key)
            .and_then(|slot| slot.record.as_mut());
        record.is_some_and(|record| {
            record.match_times = record.match_times.saturating_add(times);
            record.last_hit = Some(at);
            true
        })
    }

    fn has(&self, key: &Key) -> bool {
        self.slots
            .get(key)
            .is_some_and(|slot| slot.record.is_some())
    }

    /// The places that `change` would newly take. A key that comes twice in one call is a repeat of itself.
    fn judge<'a>(
        &self,
        change: &'a Change,
        manners: Manners,
    ) -> Result<BTreeSet<&'a Key>, Refusal> {
        let mut new = BTreeSet::new();
        let mut gone = BTreeSet::new();
        for key in &change.keys {
            let there = (self.has(key) || new.contains(key)) && !gone.contains(key);
            match (change.act, there) {
                (Act::Add, true) => manners.add_present.judge("is already on the list", key)?,
                (Act::Edit, false) => match manners.edit_absent {
                    EditAbsent::Create => _ = new.insert(key),
                    EditAbsent::Ignore => {}
                    EditAbsent::Refuse(code) => {
                        Repeat::Refuse(code).judge("is not on the list", key)?;
                    }
                },
                (Act::Delete, false) => manners.delete_absent.judge("is not on the list", key)?,
                (Act::Add, false) => _ = new.insert(key),
                (Act::Delete, true) => _ = gone.insert(key),
                (Act::Edit, true) => {}
            }
        }
        Ok(new)
    }

    fn write(&mut self, key: &Key, change: &Change, now: Moment) {
        let held = self.slots.get(key).and_then(|slot| slot.record.clone());
        let record = match held {
            Some(held) => Record {
                start: change.start,
                end: change.end,
                ..held
            },
            None => Record {
                start: change.start,
                end: change.end,
                source: BY_HAND.to_owned(),
                foreign: false,
                serial: self.take_serial(),
                match_times: 0,
                last_hit: None,
            },
        };
        self.put(key.clone(), Some(record), now);
        if let Some(slot) = self.slots.get_mut(key) {
            slot.writes += 1;
        }
    }

    fn remove(&mut self, key: &Key, now: Moment) {
        if self.has(key) {
            self.put(key.clone(), None, now);
        }
    }

    fn put(&mut self, key: Key, record: Option<Record>, now: Moment) {
        let side = key.side;
        if let Some(record) = &record {
            self.soonest_end = self.soonest_end.min(record.end);
        }
        let is = record.is_some();
        let slot = self.slots.entry(key).or_default();
        let before = std::mem::replace(&mut slot.record, record);
        let was = before.is_some();
        if !self.kept_for.is_zero() {
            let forgotten = now.true_wall.saturating_sub(self.kept_for);
            slot.past.retain(|(until, _)| *until > forgotten);
            slot.past.push((now.true_wall, before));
        }
        let used = self.used.entry(side).or_default();
        *used = (*used + usize::from(is)).saturating_sub(usize::from(was));
    }

    fn take_serial(&mut self) -> u64 {
        let serial = self.next_serial;
        self.next_serial += 1;
        serial
    }
}

impl Slot {
    fn seen(&self, at: Duration) -> Option<&Record> {
        let older = self.past.iter().find(|(until, _)| *until > at);
        older.map_or(self.record.as_ref(), |(_, before)| before.as_ref())
    }
}

impl Repeat {
    fn judge(self, what: &str, key: &Key) -> Result<(), Refusal> {
        match self {
            Self::Take => Ok(()),
            Self::Refuse(code) => Err(Refusal::new(code, format!("`{}` {what}.", key.ioc.text))),
        }
    }
}
