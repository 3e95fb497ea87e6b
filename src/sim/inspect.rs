//! Looking at the cloud from outside its API, and moving what no call moves.

use super::clock::Moment;
use super::cloud::Cloud;
use super::config::Expired;
use super::ioc::Ioc;
use super::l4::L4RuleState;
use super::list::{BY_HAND, Key, Record, Side};
use super::state::{EntryState, Foreign, Hits, SeedError, State};

/// The vendor's "for ever" in the lists' zone.
const FOR_EVER: &str = "3000-01-01 00:00:00";

impl Cloud {
    pub(super) fn state(&mut self) -> State {
        let now = self.wake();
        let entries = self.entries_at(now);
        let foreign = entries.iter().filter(|entry| entry.foreign).count();
        State {
            now: self.config.zone.write(now.unix),
            now_unix: now.unix,
            entries,
            block_entries: self.lists.used(Side::Block),
            allow_entries: self.lists.used(Side::Allow),
            foreign_entries: foreign,
            quota: self.config.limits.quota,
            l4_rules: self.proxies.state(&self.config.l4, now),
            calls_total: self.traffic.total(),
            calls: self.traffic.counts(),
            paces: self.traffic.paces(),
            max_in_any_second: self.traffic.max_in_any_second(),
        }
    }

    pub(super) fn entries(&mut self) -> Vec<EntryState> {
        let now = self.wake();
        self.entries_at(now)
    }

    pub(super) fn l4_rules(&mut self) -> Vec<L4RuleState> {
        let now = self.wake();
        self.proxies.state(&self.config.l4, now)
    }

    pub(super) fn entry_count(&mut self, rule_type: u8) -> usize {
        self.wake();
        Side::from_rule_type(i64::from(rule_type)).map_or(0, |side| self.lists.used(side))
    }

    pub(super) fn writes(&self, rule_type: u8, ioc: &str, direction: u8) -> u64 {
        key(rule_type, ioc, direction).map_or(0, |key| self.lists.writes(&key))
    }

    /// Seeds all of `entries`, or none where one of them is malformed.
    pub(super) fn seed_foreign(&mut self, entries: &[Foreign]) -> Result<(), SeedError> {
        let now = self.wake();
        let seeds = entries
            .iter()
            .map(|entry| {
                let key = key(entry.rule_type, &entry.ioc, entry.direction)?;
                Ok((key, self.foreign_record(entry, now)))
            })
            .collect::<Result<Vec<_>, SeedError>>()?;
        for (key, record) in seeds {
            self.lists.seed(key, record, now);
        }
        Ok(())
    }

    /// Counts hits in order; the first on what does not stand ends it.
    pub(super) fn seed_hits(&mut self, hits: &[Hits]) -> Result<(), SeedError> {
        let now = self.wake();
        for hit in hits {
            let key = key(hit.rule_type, &hit.ioc, hit.direction)?;
            let at = hit.last_unix.unwrap_or(now.unix);
            if !self.lists.hit(&key, hit.times, at) {
                return Err(SeedError::Absent(hit.ioc.clone()));
            }
        }
        Ok(())
    }

    fn entries_at(&self, now: Moment) -> Vec<EntryState> {
        let zone = self.config.zone;
        let kept = self.config.manners.expired == Expired::Kept;
        self.lists
            .standing()
            .map(|(key, record, writes)| EntryState {
                rule_type: key.side as u8,
                ioc: key.ioc.text.clone(),
                class: key.ioc.class,
                direction: key.direction,
                start: zone.write(record.start),
                end: zone.write(record.end),
                start_unix: record.start,
                end_unix: record.end,
                expired: kept && record.end <= now.unix,
                source: record.source.clone(),
                foreign: record.foreign,
                writes,
                match_times: record.match_times,
                last_hit: record.last_hit,
            })
            .collect()
    }

    fn foreign_record(&self, entry: &Foreign, now: Moment) -> Record {
        let for_ever = self.config.zone.read(FOR_EVER).unwrap_or(i64::MAX);
        Record {
            start: now.unix,
            end: entry.end_unix.unwrap_or(for_ever),
            source: entry.source.clone().unwrap_or_else(|| BY_HAND.to_owned()),
            foreign: true,
            serial: 0,
            match_times: 0,
            last_hit: None,
        }
    }
}

fn key(rule_type: u8, ioc: &str, direction: u8) -> Result<Key, SeedError> {
    match Side::from_rule_type(i64::from(rule_type)) {
        Some(side) if direction <= 1 => {
            let ioc = Ioc::from_any(ioc).ok_or_else(|| SeedError::Ioc(ioc.to_owned()))?;
            Ok(Key {
                side,
                ioc,
                direction,
            })
        }
        _ => Err(SeedError::Place {
            rule_type,
            direction,
        }),
    }
}
