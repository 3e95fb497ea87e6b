//! From the feeds' sheets straight to a plan, an indicator at a time: a million listings pass, and only what may get a
//! place stays in memory.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::net::IpAddr;

use crate::guard::{Guards, Judgement};
use crate::model::{Class, Direction, Indicator, List, UnixTime, tags};

use super::admission::Contest;
use super::desired::{Takes, by_entry, join_same, leave_out};
use super::merge::{Merge, Source};
use super::{FirewallTerms, LeftOut, Plan, Standing, Wanted, conclude};

/// What feeds say, by list.
#[derive(Clone, Debug, Default)]
pub struct Sheets<'a> {
    /// For the blocklist.
    pub block: Vec<Source<'a>>,
    /// For the allowlist.
    pub allow: Vec<Source<'a>>,
}

/// Makes the plan of one firewall, as [`plan`](super::plan) does of the wanted entries that these sheets give.
#[must_use]
pub fn draw(
    terms: &FirewallTerms,
    standing: &Standing,
    sheets: &Sheets<'_>,
    guards: &Guards,
    now: UnixTime,
) -> Plan {
    let mut sifted = BTreeMap::new();
    let mut lost = BTreeMap::new();
    let mut contest = Contest::new(
        terms,
        standing,
        |reason, _: &Wanted| leave_out(&mut lost, reason, 1),
        now,
    );
    let lists = [(List::Block, &sheets.block), (List::Allow, &sheets.allow)];
    for (list, sources) in lists.into_iter().filter(|_| !standing.withdrawn) {
        let mut pass = Pass {
            list,
            guards,
            takes: terms.takes(),
            left_out: &mut sifted,
        };
        let walk = |tags| Merge::of(sources, tags, terms.grid, now);
        let mut extra = pass.networks(walk(tags::NETWORKS), &mut contest);
        pass.addresses(walk(tags::ADDRESSES), &mut extra, &mut contest);
        pass.domains(walk(tags::DOMAINS), &mut contest);
    }
    let admitted = contest.end();
    for (reason, places) in lost {
        leave_out(&mut sifted, reason, places);
    }
    conclude(terms, standing, admitted, sifted, now)
}

/// One list's way through the guards.
struct Pass<'a> {
    list: List,
    guards: &'a Guards,
    takes: Takes<'a>,
    left_out: &'a mut BTreeMap<LeftOut, u64>,
}

impl Pass<'_> {
    /// Enters the networks, and gives the addresses that come of them.
    fn networks<L: FnMut(LeftOut, &Wanted)>(
        &mut self,
        candidates: Merge<'_>,
        contest: &mut Contest<'_, L>,
    ) -> Extra {
        let (mut networks, mut pieces, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        for candidate in candidates {
            let each = &mut |wanted: Wanted, expand| {
                if expand {
                    whole.push(wanted);
                } else if wanted.cleared.indicator().class() == Class::Network {
                    networks.push(wanted);
                } else {
                    pieces.push(wanted);
                }
            };
            candidate.sift(self.list, self.guards, self.takes, self.left_out, each);
        }
        for wanted in [&mut networks, &mut pieces, &mut whole] {
            wanted.sort_unstable_by(by_entry);
            wanted.dedup_by(|again, first| join_same(first, again));
        }
        for network in networks {
            contest.enter_network(network);
        }
        Extra::new(pieces, whole)
    }

    fn addresses<L: FnMut(LeftOut, &Wanted)>(
        &mut self,
        candidates: Merge<'_>,
        extra: &mut Extra,
        contest: &mut Contest<'_, L>,
    ) {
        for candidate in candidates {
            let judgement = candidate.judge(self.list, self.guards);
            if extra.is_past(&candidate.indicator)
                && self.lets_through(&judgement)
                && contest.is_hopeless(self.list, &candidate)
            {
                leave_out(self.left_out, LeftOut::Quota, candidate.places());
                continue;
            }
            let each = &mut |mut wanted: Wanted, _| {
                while let Some(before) = extra.next_before(&wanted) {
                    contest.enter(before);
                }
                extra.join(&mut wanted);
                contest.enter(wanted);
            };
            candidate.sift_judged(judgement, self.takes, self.left_out, each);
        }
        while let Some(wanted) = extra.next() {
            contest.enter(wanted);
        }
    }

    fn domains<L: FnMut(LeftOut, &Wanted)>(
        &mut self,
        candidates: Merge<'_>,
        contest: &mut Contest<'_, L>,
    ) {
        for candidate in candidates {
            let judgement = candidate.judge(self.list, self.guards);
            if self.lets_through(&judgement) && contest.is_hopeless(self.list, &candidate) {
                leave_out(self.left_out, LeftOut::Quota, candidate.places());
                continue;
            }
            let each = &mut |wanted, _| contest.enter(wanted);
            candidate.sift_judged(judgement, self.takes, self.left_out, each);
        }
    }

    /// Whether guards and config let all of it through.
    fn lets_through(&self, judgement: &Judgement) -> bool {
        match judgement {
            Judgement::Cleared(one) => self.takes.accept.contains(&one.indicator().class()),
            _ => false,
        }
    }
}

/// Addresses that come of networks, in their order: pieces of carved ones, and all of those that go in as addresses.
/// No more of the latter are in memory than one for each network that overlaps.
struct Extra {
    pieces: std::iter::Peekable<std::vec::IntoIter<Wanted>>,
    whole: Vec<Wanted>,
    /// The first of `whole` that has not begun.
    begun: usize,
    open: BinaryHeap<Reverse<(IpAddr, Direction, usize)>>,
    next: Option<Wanted>,
}

impl Extra {
    fn new(pieces: Vec<Wanted>, whole: Vec<Wanted>) -> Self {
        let mut extra = Self {
            pieces: pieces.into_iter().peekable(),
            whole,
            begun: 0,
            open: BinaryHeap::new(),
            next: None,
        };
        extra.next = extra.take();
        extra
    }

    fn next(&mut self) -> Option<Wanted> {
        let next = self.take();
        std::mem::replace(&mut self.next, next)
    }

    /// Whether all that is left comes behind `indicator`.
    fn is_past(&self, indicator: &Indicator) -> bool {
        let next = self.next.as_ref();
        next.is_none_or(|next| next.cleared.indicator() > indicator)
    }

    /// The next, if it stands before `wanted`.
    fn next_before(&mut self, wanted: &Wanted) -> Option<Wanted> {
        let next = self.next.as_ref()?;
        (by_entry(next, wanted) == Ordering::Less)
            .then(|| self.next())
            .flatten()
    }

    /// Brings the next together with `wanted`, if it is the same entry.
    fn join(&mut self, wanted: &mut Wanted) {
        if self
            .next
            .as_ref()
            .is_some_and(|next| join_same(wanted, next))
        {
            self.next();
        }
    }

    /// The next of both kinds, with all that is the same entry.
    fn take(&mut self) -> Option<Wanted> {
        let mut first = match (self.expanded(), self.pieces.peek()) {
            (Some(whole), Some(piece)) if by_entry(piece, &whole) == Ordering::Less => {
                self.pieces.next()
            }
            (Some(whole), _) => {
                self.step();
                Some(whole)
            }
            (None, _) => self.pieces.next(),
        }?;
        while self
            .expanded()
            .is_some_and(|whole| join_same(&mut first, &whole))
        {
            self.step();
        }
        if let Some(piece) = self.pieces.next_if(|piece| piece.entry() == first.entry()) {
            first.join(&piece);
        }
        Some(first)
    }

    /// The next address of a network that goes in as its addresses.
    fn expanded(&mut self) -> Option<Wanted> {
        while let Some(network) = self.whole.get(self.begun) {
            let Some(first) = network.cleared.indicator().net().map(|net| net.network()) else {
                self.begun += 1;
                continue;
            };
            if self
                .open
                .peek()
                .is_some_and(|Reverse((at, ..))| *at < first)
            {
                break;
            }
            self.open
                .push(Reverse((first, network.direction, self.begun)));
            self.begun += 1;
        }
        let Reverse((at, _, index)) = self.open.peek()?;
        let network = self.whole.get(*index)?;
        Some(Wanted {
            cleared: network.cleared.address(*at)?,
            ..network.clone()
        })
    }

    fn step(&mut self) {
        let Some(Reverse((at, direction, index))) = self.open.pop() else {
            return;
        };
        let network = self.whole.get(index);
        let last = network.and_then(|one| one.cleared.indicator().net());
        let next = match at {
            IpAddr::V4(four) => u32::from(four)
                .checked_add(1)
                .map(|at| IpAddr::V4(at.into())),
            IpAddr::V6(six) => u128::from(six)
                .checked_add(1)
                .map(|at| IpAddr::V6(at.into())),
        };
        if let Some(next) = next.filter(|next| last.is_some_and(|net| net.contains(next))) {
            self.open.push(Reverse((next, direction, index)));
        }
    }
}
