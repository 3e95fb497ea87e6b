//! Where a contest for places ended, so that of any entry it can be told whether it has a place without holding the
//! contest again: a plan over a million listings is made once, and asked about for as long as nothing changes.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::model::{Action, Class, Entry, Indicator, Lease, UnixTime};

use super::{FirewallTerms, Standing, Wanted, admission, lease};

/// Where the contest of one plan ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// The last that was admitted, by the order of admission.
    last: Line,
    /// The last of those that are to be added for which there was room, by the order in which room is given.
    added: Line,
    /// The lowest score that has a place, in millionths; none where everything has one, or nothing.
    pub lowest: Option<u32>,
}

/// How far down an order there were places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// For all.
    #[default]
    All,
    /// For this one, and all that come before it.
    DownTo(Rank),
    /// For none.
    Nobody,
}

/// A place in either order, the best first. The order of admission is that of the module [`admission`]; where room is
/// given to adds, the first two say the same of all, and nobody's hits count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Rank {
    score: Reverse<u32>,
    is_new: bool,
    hit: Reverse<Option<i64>>,
    first_listed: i64,
    /// The canonical bytes: list, indicator in hex, direction. Hex has the order of the bytes.
    list: i64,
    key: String,
    direction: i64,
}

/// What becomes of an entry that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// It has a place.
    Has,
    /// It needs none: this network on the list, or about to be there, holds it.
    Inside(&'a Indicator),
    /// There is none for it.
    Lost,
}

/// How the contest ended for an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End<'a> {
    /// It has a place.
    Has,
    /// This network holds it, and has one.
    Inside(&'a Indicator),
    /// It won a place, or a network that holds it did, and there is no room on the list yet.
    NoRoom,
    /// It won none.
    Out,
}

/// What was admitted, as far as the bar needs it once the plan is made.
#[derive(Debug, Default)]
pub(super) struct Tally {
    last: Line,
    /// The lowest score of those that no want of room takes away: held, or under trial.
    lowest: Option<u32>,
    /// The others by score and age, where there may be less room than adds.
    adds: Vec<(Reverse<u32>, UnixTime, Entry)>,
}

impl Bar {
    /// What becomes of `one`. `wanted` are the entries that hold it, as the feeds want them; more do no harm.
    #[must_use]
    pub fn place<'a>(
        &self,
        terms: &FirewallTerms,
        standing: &Standing,
        wanted: &'a [Wanted],
        one: &Wanted,
        now: UnixTime,
    ) -> Place<'a> {
        let mut networks: Vec<&Wanted> = wanted
            .iter()
            .filter(|other| holds(other, one) && takes_part(terms, standing, other, now))
            .collect();
        // Those that hold one entry hold each other: what becomes of the wide ones decides about the narrow ones.
        networks.sort_unstable_by_key(|network| {
            network
                .cleared
                .indicator()
                .net()
                .map(|net| net.prefix_len())
        });
        let mut settled: Vec<(&Wanted, End<'a>)> = Vec::with_capacity(networks.len());
        for network in networks {
            let end = match self.end(terms, standing, &settled, network, now) {
                End::Has => End::Inside(network.cleared.indicator()),
                end => end,
            };
            settled.push((network, end));
        }
        match self.end(terms, standing, &settled, one, now) {
            End::Has => Place::Has,
            End::Inside(network) => Place::Inside(network),
            End::NoRoom | End::Out => Place::Lost,
        }
    }

    /// How it ends for `one`, given how it ended for the networks that hold it; of these, `Inside` names the one that
    /// has a place, be it the network itself.
    fn end<'a>(
        &self,
        terms: &FirewallTerms,
        standing: &Standing,
        networks: &[(&Wanted, End<'a>)],
        one: &Wanted,
        now: UnixTime,
    ) -> End<'a> {
        let stands = |network: &Wanted| {
            let lease = find(standing, &network.entry());
            lease.is_some_and(|lease| lease.end_time > now && lease.doubt.is_none())
        };
        // What is held goes only once a network is known to stand there.
        let is_held = find(standing, &one.entry()).is_some();
        if !is_held || networks.iter().any(|(network, _)| stands(network)) {
            let ends = || networks.iter().map(|(_, end)| *end);
            if let Some(inside) = ends().find(|end| matches!(end, End::Inside(_))) {
                return inside;
            }
            if ends().any(|end| end == End::NoRoom) {
                return End::NoRoom;
            }
        }
        if !self.admits(terms, standing, one) {
            End::Out
        } else if self.has_room(standing, one) {
            End::Has
        } else {
            End::NoRoom
        }
    }

    /// Whether an entry that takes part wins a place in the contest.
    fn admits(&self, terms: &FirewallTerms, standing: &Standing, one: &Wanted) -> bool {
        let is_held = find(standing, &one.entry()).is_some();
        self.last.takes(|| Rank::of(terms, standing, one, is_held))
    }

    /// Whether what won a place has one on the list, or finds room there.
    fn has_room(&self, standing: &Standing, one: &Wanted) -> bool {
        let entry = one.entry();
        let rank = || Rank::of_new(Reverse(one.score), one.first_listed, &entry);
        find(standing, &entry).is_some()
            || standing.suspects.entries.contains_key(&entry)
            || self.added.takes(rank)
    }
}

impl Line {
    fn takes(&self, rank: impl FnOnce() -> Rank) -> bool {
        match self {
            Self::All => true,
            Self::DownTo(last) => rank() <= *last,
            Self::Nobody => false,
        }
    }
}

impl Rank {
    fn of(terms: &FirewallTerms, standing: &Standing, one: &Wanted, is_held: bool) -> Self {
        let margin = if is_held { admission::margin(terms) } else { 0 };
        let entry = one.entry();
        let hit = standing.last_hits.get(&entry);
        Self {
            is_new: !is_held,
            hit: Reverse(hit.map(|at| at.seconds())),
            ..Self::of_new(Reverse(one.score + margin), one.first_listed, &entry)
        }
    }

    fn of_new(score: Reverse<u32>, first_listed: UnixTime, entry: &Entry) -> Self {
        Self {
            score,
            is_new: true,
            hit: Reverse(None),
            first_listed: first_listed.seconds(),
            list: entry.list as i64,
            key: hex::encode(entry.indicator.key()),
            direction: entry.direction as i64,
        }
    }
}

impl Tally {
    /// Looks at what was admitted, sorted by entry; `is_cut` says that others were left out for want of a place.
    pub(super) fn of(
        terms: &FirewallTerms,
        standing: &Standing,
        admitted: &[Wanted],
        is_cut: bool,
    ) -> Self {
        let mut tally = Self::default();
        // With nothing held and nothing learned, what is admitted has room.
        let may_lack_room = !standing.leases.is_empty() || standing.learned_quota.is_some();
        if !is_cut && !may_lack_room {
            return tally;
        }
        let mut leases = standing.leases.iter().peekable();
        let mut last: Option<(_, &Wanted, bool)> = None;
        for one in admitted {
            let entry = one.entry();
            while leases.next_if(|lease| lease.entry < entry).is_some() {}
            let is_held = leases.peek().is_some_and(|lease| lease.entry == entry);
            if is_held || standing.suspects.entries.contains_key(&entry) || !may_lack_room {
                let lowest = tally.lowest.unwrap_or(one.score).min(one.score);
                tally.lowest = Some(lowest);
            } else {
                tally
                    .adds
                    .push((Reverse(one.score), one.first_listed, entry.clone()));
            }
            let hit = standing.last_hits.get(&entry).copied();
            let margin = if is_held { admission::margin(terms) } else { 0 };
            let rank = (
                Reverse(one.score + margin),
                !is_held,
                Reverse(hit),
                one.first_listed,
            );
            // They come by entry, so that of equals the later one is the last.
            if last.is_none_or(|(worst, ..)| worst <= rank) {
                last = Some((rank, one, is_held));
            }
        }
        tally.last = match last {
            _ if !is_cut => Line::All,
            None => Line::Nobody,
            Some((_, one, is_held)) => Line::DownTo(Rank::of(terms, standing, one, is_held)),
        };
        tally
    }

    /// The bar, once it is known that there was no room for `cut` of the adds, and whether any were sent at all.
    pub(super) fn bar(mut self, cut: usize, unguarded: bool) -> Bar {
        let mut bar = Bar {
            last: self.last,
            added: Line::All,
            lowest: self.lowest,
        };
        if unguarded {
            return bar;
        }
        if cut > 0 {
            self.adds.sort_unstable();
            self.adds.truncate(self.adds.len().saturating_sub(cut));
            bar.added = match self.adds.last() {
                Some((score, first_listed, entry)) => {
                    Line::DownTo(Rank::of_new(*score, *first_listed, entry))
                }
                None => Line::Nobody,
            };
        }
        let lowest = self.adds.iter().map(|(Reverse(score), ..)| *score).min();
        bar.lowest = [bar.lowest, lowest].into_iter().flatten().min();
        bar
    }
}

/// Whether nothing but its rank keeps an entry from a place: a guard list unheard, others hold it, the cloud refuses
/// it, it has lapsed or ends too soon.
fn takes_part(terms: &FirewallTerms, standing: &Standing, one: &Wanted, now: UnixTime) -> bool {
    if one.lapsed {
        return false;
    }
    let entry = one.entry();
    if find(standing, &entry).is_some() {
        return true;
    }
    let class = (entry.list, entry.class());
    !standing.unguarded
        && !standing.foreign.contains(&entry)
        && standing.quarantined.get(&entry) != Some(&Action::Add)
        && !standing.refused_classes.contains(&class)
        && lease::end_time(terms, one.expires, now) >= now.plus(terms.min_term)
}

/// Whether `network` is another entry, of the same list and direction, that holds `one`.
fn holds(network: &Wanted, one: &Wanted) -> bool {
    let (wide, narrow) = (network.cleared.indicator(), one.cleared.indicator());
    wide.class() == Class::Network
        && wide != narrow
        && network.cleared.list() == one.cleared.list()
        && network.direction == one.direction
        && wide
            .net()
            .zip(narrow.net())
            .is_some_and(|(wide, narrow)| wide.contains(&narrow))
}

fn find<'a>(standing: &'a Standing, entry: &Entry) -> Option<&'a Lease> {
    let leases = &standing.leases;
    let at = leases.binary_search_by(|lease| lease.entry.cmp(entry));
    leases.get(at.ok()?)
}
