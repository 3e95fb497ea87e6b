//! A parsed body as a sorted set: what the ledger compares with the one before.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::column::{Column, Extra};
use super::names::Names;
use super::{Reason, Recipe, Record, Reject, Sink, Tally, Text, parse};
use crate::model::{Address, Class, DomainRef, Indicator, IndicatorRef, Network, UnixTime};

/// What a body lists: each indicator once, in the order of indicators, and what was rejected.
///
/// One million IPv4 addresses take 4 MB; domains take 16 bytes and their text.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    ipv4: Column<u32>,
    ipv6: Column<u128>,
    networks: Column<Network>,
    names: Names,
    rejects: Rejects,
    tally: Tally,
    overflowed: bool,
}

/// One row of a snapshot. Where a body named an indicator more than once, the row has the highest
/// confidence, the latest date and the latest end of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// What is listed.
    pub indicator: IndicatorRef<'a>,
    /// The row's own confidence, in percent.
    pub confidence: Option<u8>,
    /// The row's own end.
    pub valid_until: Option<UnixTime>,
    /// The row's own date.
    pub dated: Option<UnixTime>,
}

/// What was not taken: counted in full, and the first of each reason kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejects {
    total: u64,
    by_reason: BTreeMap<Reason, ReasonTally>,
}

/// The rejects of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasonTally {
    /// How many there were.
    pub count: u64,
    /// The first [`Rejects::KEPT`] of them, in the body's order.
    pub first: Vec<Reject>,
}

/// A sink that sorts what it takes into a [`Snapshot`].
///
/// It keeps at most about twice as many records as it may, so that no body, of a few bytes a line that
/// each mean hundreds of networks, fills the memory.
#[derive(Debug)]
pub struct Collector {
    snapshot: Snapshot,
    most: usize,
    held: usize,
}

impl Snapshot {
    /// Parses `text` into a snapshot of at most `most` indicators (a feed's `max_entries`).
    ///
    /// # Errors
    /// Only those of reading the body.
    pub fn read(recipe: &Recipe, text: Text<'_>, most: usize) -> io::Result<Self> {
        let mut collector = Collector::new(most);
        let tally = parse(recipe, text, &mut collector)?;
        Ok(collector.finish(tally))
    }

    /// The rows in the order of their indicators, which is that of their keys.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let ipv4 = self.ipv4.iter().map(|(bits, extra)| row4(bits, extra));
        let ipv6 = self.ipv6.iter().map(|(bits, extra)| row6(bits, extra));
        let networks = self.networks.iter();
        let networks = networks.map(|(net, extra)| Row::new(IndicatorRef::Network(net), extra));
        let names = self.names.iter().map(|(name, extra)| {
            Row::new(IndicatorRef::Domain(DomainRef::of_checked(name)), extra)
        });
        ipv4.chain(ipv6).chain(networks).chain(names)
    }

    /// How many indicators it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ipv4.len() + self.ipv6.len() + self.networks.len() + self.names.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many indicators of each class it holds.
    #[must_use]
    pub fn by_class(&self) -> [(Class, usize); 4] {
        Class::ALL.map(|class| {
            let count = match class {
                Class::Ipv4 => self.ipv4.len(),
                Class::Ipv6 => self.ipv6.len(),
                Class::Network => self.networks.len(),
                Class::Domain => self.names.len(),
            };
            (class, count)
        })
    }

    /// What was not taken.
    #[must_use]
    pub fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    /// How much was read.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether the body lists more than `most` indicators, so that some are missing here: such a snapshot
    /// is fit to be counted and shown, and never to be recorded.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Whether the body broke off, so that what it lists is a part only ([`Tally::broken`]): such a snapshot
    /// is held as a truncated one, and never recorded.
    #[must_use]
    pub fn broken(&self) -> bool {
        self.tally.broken
    }

    fn settle(&mut self) {
        self.ipv4.settle(Ord::cmp);
        self.ipv6.settle(Ord::cmp);
        self.networks.settle(Ord::cmp);
        self.names.settle();
    }
}

impl<'a> Row<'a> {
    fn new(indicator: IndicatorRef<'a>, extra: Extra) -> Self {
        Self {
            indicator,
            confidence: extra.confidence(),
            valid_until: extra.valid_until(),
            dated: extra.dated(),
        }
    }

    /// The row as a record of its own.
    #[must_use]
    pub fn to_record(self) -> Record {
        Record {
            indicator: self.indicator.to_owned(),
            confidence: self.confidence,
            valid_until: self.valid_until,
            dated: self.dated,
        }
    }
}

impl Rejects {
    /// How many rejects are kept for each reason.
    pub const KEPT: usize = 20;

    /// How many rows were rejected.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The reasons, the most frequent first.
    #[must_use]
    pub fn by_reason(&self) -> Vec<(Reason, &ReasonTally)> {
        let mut reasons: Vec<_> = self
            .by_reason
            .iter()
            .map(|(r, tally)| (*r, tally))
            .collect();
        reasons.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.count));
        reasons
    }

    fn add(&mut self, reject: Reject) {
        self.total += 1;
        let tally = self.by_reason.entry(reject.reason).or_default();
        tally.count += 1;
        if tally.first.len() < Self::KEPT {
            tally.first.push(reject);
        }
    }
}

impl Collector {
    /// A collector of at most `most` indicators.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            snapshot: Snapshot::default(),
            most,
            held: 0,
        }
    }

    /// The snapshot, once everything has been put in.
    #[must_use]
    pub fn finish(self, tally: Tally) -> Snapshot {
        let mut snapshot = self.snapshot;
        snapshot.settle();
        snapshot.overflowed |= snapshot.len() > self.most;
        snapshot.tally = tally;
        snapshot.ipv4.shrink_to_fit();
        snapshot.ipv6.shrink_to_fit();
        snapshot.networks.shrink_to_fit();
        snapshot.names.shrink_to_fit();
        snapshot
    }

    /// Makes room by dropping what came twice; `false` where there is too much all the same.
    fn make_room(&mut self) -> bool {
        self.snapshot.settle();
        self.held = self.snapshot.len();
        self.snapshot.overflowed = self.held > self.most;
        !self.snapshot.overflowed
    }
}

impl Sink for Collector {
    fn record(&mut self, record: Record) {
        const SLACK: usize = 64 * 1024;
        let full = self.held > self.most.saturating_mul(2).saturating_add(SLACK);
        if self.snapshot.overflowed || (full && !self.make_room()) {
            return;
        }
        self.held += 1;
        let extra = Extra::of(&record);
        let snapshot = &mut self.snapshot;
        match record.indicator {
            Indicator::Address(address) => match address.ip() {
                IpAddr::V4(four) => snapshot.ipv4.push(four.to_bits(), extra),
                IpAddr::V6(six) => snapshot.ipv6.push(six.to_bits(), extra),
            },
            Indicator::Network(network) => snapshot.networks.push(network, extra),
            Indicator::Domain(name) => {
                snapshot.overflowed |= !snapshot.names.push(name.as_str(), extra);
            }
        }
    }

    fn reject(&mut self, reject: Reject) {
        self.snapshot.rejects.add(reject);
    }
}

fn row4(bits: u32, extra: Extra) -> Row<'static> {
    let address = Address::new(Ipv4Addr::from_bits(bits).into());
    Row::new(IndicatorRef::Address(address), extra)
}

fn row6(bits: u128, extra: Extra) -> Row<'static> {
    let address = Address::new(Ipv6Addr::from_bits(bits).into());
    Row::new(IndicatorRef::Address(address), extra)
}

#[cfg(test)]
mod tests;
