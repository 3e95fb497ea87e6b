//! Who gets a place: the highest scores under the quota, without flapping.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::model::{Action, Class, Entry, Indicator, Lease, List, UnixTime};

use super::cover::Cover;
use super::desired::{Candidate, by_entry};
use super::{FirewallTerms, LeftOut, Quota, Standing, Wanted};

/// The order of admission, best first: score (a holder's counts `margin` more), held, last hit, first
/// listed; then canonical bytes.
type Rank = (Reverse<u32>, bool, Reverse<Option<UnixTime>>, UnixTime);

/// Entries that get a place.
#[derive(Debug, Default)]
pub struct Admitted {
    /// They, in their order.
    pub wanted: Vec<Wanted>,
    /// Leases inside networks that stand on the list: to take them off opens nothing.
    pub covered: HashSet<Entry>,
}

/// A contest for the places of one firewall. Entries come in their order, but for those of networks, which come first:
/// what a network holds needs no place of its own. It never holds many more entries than there are places.
pub struct Contest<'a, L> {
    terms: &'a FirewallTerms,
    standing: &'a Standing,
    now: UnixTime,
    margin: u32,
    places: usize,
    held: Held<'a>,
    ranked: Vec<(Rank, Wanted)>,
    /// Worse than this has no chance.
    bar: Option<Rank>,
    /// What others hold, what is quarantined and what we hold, sorted: of all else only the score counts.
    known: std::iter::Peekable<std::vec::IntoIter<(List, &'a Indicator)>>,
    lists: [Networks; 2],
    /// What networks hold that are to have a place themselves.
    inside: Vec<Wanted>,
    left: L,
}

/// The networks of one list that want a place.
#[derive(Default)]
struct Networks {
    wanted: Cover,
    /// Of those, the ones that are known to stand on the list.
    standing: Cover,
}

/// Why an entry takes no part.
enum Barred {
    Left(LeftOut),
    /// A network that stands there holds it.
    Inside,
}

/// Holds the contest over `wanted`, sorted by entry and without duplicates; tells `left` of each entry that gets no
/// place.
pub fn admit(
    terms: &FirewallTerms,
    standing: &Standing,
    wanted: Vec<Wanted>,
    left: impl FnMut(LeftOut, &Wanted),
    now: UnixTime,
) -> Admitted {
    let mut contest = Contest::new(terms, standing, left, now);
    let mut rest = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        if wanted.cleared.indicator().class() == Class::Network {
            contest.enter_network(wanted);
        } else {
            rest.push(wanted);
        }
    }
    for wanted in rest {
        contest.enter(wanted);
    }
    contest.end()
}

/// Places for our entries: the configured quota less the reserve and what others hold. A quota that nobody
/// wrote down bounds nothing here, where it would delete.
#[must_use]
pub fn places(terms: &FirewallTerms, standing: &Standing) -> usize {
    match terms.quota {
        Quota::Auto => usize::MAX,
        Quota::Fixed(quota) => usize::try_from(ours(quota, terms, standing)).unwrap_or(usize::MAX),
    }
}

/// What is left of `quota` for our entries.
#[must_use]
pub fn ours(quota: u64, terms: &FirewallTerms, standing: &Standing) -> u64 {
    quota
        .saturating_sub(terms.reserve)
        .saturating_sub(standing.foreign_places)
}

impl<'a, L: FnMut(LeftOut, &Wanted)> Contest<'a, L> {
    /// Begins a contest; `left` hears of each entry that gets no place, and why.
    pub fn new(terms: &'a FirewallTerms, standing: &'a Standing, left: L, now: UnixTime) -> Self {
        let entries = standing.leases.iter().map(|lease| &lease.entry);
        let entries = entries.chain(&standing.foreign);
        let mut known: Vec<_> = entries
            .chain(standing.quarantined.keys())
            .map(|entry| (entry.list, &entry.indicator))
            .collect();
        known.sort_unstable();
        Self {
            terms,
            standing,
            now,
            known: known.into_iter().peekable(),
            margin: margin(terms),
            places: places(terms, standing),
            held: Held::new(standing),
            ranked: Vec::new(),
            bar: None,
            lists: [Networks::default(), Networks::default()],
            inside: Vec::new(),
            left,
        }
    }

    /// Enters a network. All of a list come before its other entries, in their order.
    pub fn enter_network(&mut self, wanted: Wanted) {
        let entry = wanted.entry();
        let lease = find(self.standing, &entry);
        if let Some(why) = self.barred(&wanted, &entry, lease) {
            return self.leave(why, wanted);
        }
        if !wanted.lapsed {
            let stands = lease.is_some_and(|lease| self.standing.stands(lease, self.now));
            list_of(&mut self.lists, entry.list).add(&entry, stands);
        }
        self.rank(wanted, &entry, lease.is_some());
    }

    /// Enters an address or a domain.
    pub fn enter(&mut self, wanted: Wanted) {
        let entry = wanted.entry();
        let lease = self.held.find(&entry);
        match self.barred(&wanted, &entry, lease) {
            Some(why) => self.leave(why, wanted),
            None => self.rank(wanted, &entry, lease.is_some()),
        }
    }

    /// Whether what was cleared of `candidate` has no chance at all, and nothing but its score decides that. Candidates
    /// are asked about in their order, as they are entered.
    pub(super) fn is_hopeless(&mut self, list: List, candidate: &Candidate) -> bool {
        let one = (list, &candidate.indicator);
        while self.known.next_if(|known| *known < one).is_some() {}
        let Some(bar) = self.bar.filter(|_| !self.standing.unguarded) else {
            return false;
        };
        let networks = list_of(&mut self.lists, list);
        let class = (list, candidate.indicator.class());
        if !(bar.0.0 > candidate.score && networks.wanted.is_empty())
            || self.standing.refused_classes.contains(&class)
            || self.known.peek() == Some(&one)
        {
            return false;
        }
        let soonest = self.now.plus(self.terms.min_term);
        let lasts = |(expires, lapsed): &(UnixTime, bool)| {
            !lapsed && super::lease::end_time(self.terms, *expires, self.now) >= soonest
        };
        candidate.ends.iter().flatten().all(lasts)
    }

    /// Ends the contest.
    pub fn end(mut self) -> Admitted {
        self.cut();
        let mut covered = HashSet::new();
        if !self.inside.is_empty() {
            self.settle_networks(&mut covered);
        }
        let mut wanted: Vec<Wanted> = self.ranked.into_iter().map(|(_, wanted)| wanted).collect();
        wanted.sort_unstable_by(by_entry);
        Admitted { wanted, covered }
    }

    /// What no network holds that got a place takes part after all. It may take the place of a network, and then what
    /// that one held takes part too, until nothing more comes free: so that the same contest, held again over what
    /// then stands, ends the same.
    fn settle_networks(&mut self, covered: &mut HashSet<Entry>) {
        loop {
            let free = self.free();
            if free.is_empty() {
                break;
            }
            for wanted in free {
                let entry = wanted.entry();
                let is_held = find(self.standing, &entry).is_some();
                self.rank(wanted, &entry, is_held);
            }
            self.cut();
        }
        for wanted in std::mem::take(&mut self.inside) {
            (self.left)(LeftOut::Covered, &wanted);
            let entry = wanted.entry();
            if find(self.standing, &entry).is_some() {
                covered.insert(entry);
            }
        }
    }

    /// Takes out what no network holds that has a place. What lies in a network that comes free itself waits for what
    /// becomes of that one, as it did for the first.
    fn free(&mut self) -> Vec<Wanted> {
        let mut admitted = self.admitted_networks();
        let mut is_free = |wanted: &mut Wanted| {
            let entry = wanted.entry();
            !is_inside(list_of(&mut admitted, entry.list), &entry)
        };
        let mut free: Vec<Wanted> = self.inside.extract_if(.., &mut is_free).collect();
        let is_network = |wanted: &Wanted| wanted.cleared.indicator().class() == Class::Network;
        // A network stands before those that it holds, and all of them before the rest.
        free.sort_by(|one, other| {
            (!is_network(one), &one.cleared, one.direction).cmp(&(
                !is_network(other),
                &other.cleared,
                other.direction,
            ))
        });
        let mut lists = [Networks::default(), Networks::default()];
        let (free, waiting): (Vec<Wanted>, Vec<Wanted>) = free.into_iter().partition(|wanted| {
            let entry = wanted.entry();
            let lease = find(self.standing, &entry);
            let networks = list_of(&mut lists, entry.list);
            let is_free = !is_inside(networks.cover(lease), &entry);
            if is_free && is_network(wanted) && !wanted.lapsed {
                networks.add(
                    &entry,
                    lease.is_some_and(|one| self.standing.stands(one, self.now)),
                );
            }
            is_free
        });
        self.inside.extend(waiting);
        free
    }

    /// What the networks hold that have a place as things are.
    fn admitted_networks(&self) -> [Cover; 2] {
        let mut networks: Vec<&Wanted> = self
            .ranked
            .iter()
            .map(|(_, wanted)| wanted)
            .filter(|wanted| wanted.cleared.indicator().class() == Class::Network && !wanted.lapsed)
            .collect();
        networks.sort_unstable_by(|one, other| by_entry(one, other));
        let mut admitted = [Cover::default(), Cover::default()];
        for network in networks {
            let cover = list_of(&mut admitted, network.cleared.list());
            cover.add(network.cleared.indicator(), network.direction);
        }
        admitted
    }

    /// Why an entry takes no part: a guard list unheard, others hold it, the cloud refuses it, it has lapsed or ends too
    /// soon. What we hold stays ours until it is no longer wanted, whatever was learned meanwhile.
    fn barred(&self, wanted: &Wanted, entry: &Entry, lease: Option<&Lease>) -> Option<Barred> {
        let standing = self.standing;
        if lease.is_none() {
            if standing.unguarded {
                return Some(Barred::Left(LeftOut::GuardsUnheard));
            }
            if !standing.foreign.is_empty() && standing.foreign.contains(entry) {
                return Some(Barred::Left(LeftOut::Foreign));
            }
            if !standing.quarantined.is_empty()
                && standing.quarantined.get(entry) == Some(&Action::Add)
            {
                return Some(Barred::Left(LeftOut::Quarantined));
            }
            let class = (entry.list, entry.class());
            if !standing.refused_classes.is_empty() && standing.refused_classes.contains(&class) {
                return Some(Barred::Left(LeftOut::ClassRefused));
            }
            let end = super::lease::end_time(self.terms, wanted.expires, self.now);
            if wanted.lapsed || end < self.now.plus(self.terms.min_term) {
                return Some(Barred::Left(LeftOut::EndsTooSoon));
            }
        }
        let networks = match entry.list {
            List::Block => &self.lists[0],
            List::Allow => &self.lists[1],
        };
        is_inside(networks.cover(lease), entry).then_some(Barred::Inside)
    }

    fn leave(&mut self, why: Barred, wanted: Wanted) {
        match why {
            Barred::Left(reason) => (self.left)(reason, &wanted),
            Barred::Inside => self.inside.push(wanted),
        }
    }

    fn rank(&mut self, wanted: Wanted, entry: &Entry, is_held: bool) {
        let score = wanted.score + if is_held { self.margin } else { 0 };
        let hits = &self.standing.last_hits;
        let hit = (!hits.is_empty())
            .then(|| hits.get(entry).copied())
            .flatten();
        let rank = (Reverse(score), !is_held, Reverse(hit), wanted.first_listed);
        if self.bar.as_ref().is_some_and(|bar| rank > *bar) {
            return (self.left)(LeftOut::Quota, &wanted);
        }
        self.ranked.push((rank, wanted));
        if self.ranked.len() >= self.places.saturating_mul(2).saturating_add(1024) {
            self.cut();
        }
    }

    /// Leaves out what has no place among those that were ranked so far.
    fn cut(&mut self) {
        if self.ranked.len() <= self.places {
            return;
        }
        self.ranked.select_nth_unstable_by(self.places, by_rank);
        for (_, wanted) in self.ranked.drain(self.places..) {
            (self.left)(LeftOut::Quota, &wanted);
        }
        self.bar = self.ranked.iter().map(|(rank, _)| *rank).max();
    }
}

impl Networks {
    fn add(&mut self, network: &Entry, stands: bool) {
        self.wanted.add(&network.indicator, network.direction);
        if stands {
            self.standing.add(&network.indicator, network.direction);
        }
    }

    /// What bars an entry: what we hold goes only once the network is known to stand there.
    fn cover(&self, lease: Option<&Lease>) -> &Cover {
        match lease {
            Some(_) => &self.standing,
            None => &self.wanted,
        }
    }
}

impl Standing {
    /// Whether a lease is known to stand on the list.
    fn stands(&self, lease: &Lease, now: UnixTime) -> bool {
        lease.end_time > now && lease.doubt.is_none()
    }
}

fn list_of<T>(lists: &mut [T; 2], list: List) -> &mut T {
    let [block, allow] = lists;
    match list {
        List::Block => block,
        List::Allow => allow,
    }
}

/// Whether a network of `cover` other than the entry itself holds it.
fn is_inside(cover: &Cover, entry: &Entry) -> bool {
    !cover.is_empty() && cover.holds(&entry.indicator, entry.direction)
}

fn find<'a>(standing: &'a Standing, entry: &Entry) -> Option<&'a Lease> {
    let at = standing
        .leases
        .binary_search_by(|lease| lease.entry.cmp(entry));
    standing.leases.get(at.ok()?)
}

fn by_rank(one: &(Rank, Wanted), other: &(Rank, Wanted)) -> std::cmp::Ordering {
    one.0.cmp(&other.0).then_with(|| by_entry(&one.1, &other.1))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 times a million fits"
)]
pub(super) fn margin(terms: &FirewallTerms) -> u32 {
    (terms.margin.clamp(0.0, 1.0) * 1e6).round() as u32
}

/// Walks the leases beside entries that come in order.
struct Held<'a> {
    leases: std::iter::Peekable<std::slice::Iter<'a, Lease>>,
}

impl<'a> Held<'a> {
    fn new(standing: &'a Standing) -> Self {
        Self {
            leases: standing.leases.iter().peekable(),
        }
    }

    fn find(&mut self, entry: &Entry) -> Option<&'a Lease> {
        while self.leases.next_if(|lease| lease.entry < *entry).is_some() {}
        self.leases
            .peek()
            .copied()
            .filter(|lease| lease.entry == *entry)
    }
}
