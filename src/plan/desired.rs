//! From beliefs to wanted entries: one score an indicator, guards applied, one entry a direction.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::guard::{Cleared, Guards, Judgement};
use crate::model::{Class, Direction, Indicator, List, UnixTime};

use super::expiry::{Belief, Worth};
use super::{LeftOut, Wanted};

/// What all beliefs on one indicator say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What is listed.
    pub indicator: Indicator,
    /// Millionths.
    pub score: u32,
    /// When the first of its listings began.
    pub first_listed: UnixTime,
    /// When the last listing for each direction (outbound, inbound) ends, and whether it has lapsed.
    pub ends: [Option<(UnixTime, bool)>; 2],
}

/// What a firewall is given, by its config.
#[derive(Clone, Copy, Debug)]
pub struct Takes<'a> {
    /// The classes.
    pub accept: &'a [Class],
    /// IPv4 networks with a prefix of this length or a longer one, and IPv6 networks of no more addresses, go in as
    /// addresses.
    pub expand_networks: Option<u8>,
}

/// What the listings of one indicator say together, while they are added up.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    first_listed: UnixTime,
    doubt: f64,
    ends: [Option<(UnixTime, bool)>; 2],
}

/// Brings the beliefs of all feeds of one list together; each feed's are sorted by indicator.
#[must_use]
pub fn candidates(feeds: Vec<Vec<Belief>>) -> Vec<Candidate> {
    let mut beliefs: Vec<Belief> = feeds.into_iter().flatten().collect();
    // Stable: what several feeds say of one indicator stays in the order of the feeds.
    beliefs.sort_by(|one, other| one.indicator.cmp(&other.indicator));
    let together = beliefs.chunk_by(|one, other| one.indicator == other.indicator);
    together
        .filter_map(|beliefs| {
            let first = beliefs.first()?;
            let mut sum = Sum::new(first.first_listed);
            for belief in beliefs {
                let worth = Worth {
                    expires: belief.expires,
                    weight: belief.weight,
                    directions: Some(belief.directions),
                    lapsed: belief.lapsed,
                };
                sum.add(belief.first_listed, &worth, first.indicator.class());
            }
            Some(sum.candidate(first.indicator.clone()))
        })
        .collect()
}

/// Applies the guards and what the firewall takes, and gives one wanted entry a direction, sorted by entry and without
/// duplicates; counts what is left out.
#[must_use]
pub fn desired(
    list: List,
    candidates: &[Candidate],
    guards: &Guards,
    takes: Takes<'_>,
    left_out: &mut BTreeMap<LeftOut, u64>,
) -> Vec<Wanted> {
    let mut wanted = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let mut each = |one: Wanted, expand: bool| {
            if expand {
                wanted.extend(one.addresses());
            } else {
                wanted.push(one);
            }
        };
        candidate.sift(list, guards, takes, left_out, &mut each);
    }
    wanted.sort_unstable_by(by_entry);
    // A carved piece may be listed by itself too: the better of each word counts.
    wanted.dedup_by(|again, first| join_same(first, again));
    wanted
}

/// Where `again` is the same entry as `first`, brings what both say together.
pub(super) fn join_same(first: &mut Wanted, again: &Wanted) -> bool {
    let same = again.cleared == first.cleared && again.direction == first.direction;
    if same {
        first.join(again);
    }
    same
}

/// The order of entries: list, indicator, direction.
#[must_use]
pub fn by_entry(one: &Wanted, other: &Wanted) -> std::cmp::Ordering {
    (&one.cleared, one.direction).cmp(&(&other.cleared, other.direction))
}

/// Counts `places` more entries left out for `reason`.
pub fn leave_out(left_out: &mut BTreeMap<LeftOut, u64>, reason: LeftOut, places: u64) {
    if places > 0 {
        *left_out.entry(reason).or_default() += places;
    }
}

impl Sum {
    /// Begins with a listing that was first made then.
    #[must_use]
    pub fn new(first_listed: UnixTime) -> Self {
        Self {
            first_listed,
            doubt: 1.0,
            ends: [None; 2],
        }
    }

    /// Adds a listing of an indicator of this class.
    pub fn add(&mut self, first_listed: UnixTime, worth: &Worth, class: Class) {
        self.first_listed = self.first_listed.min(first_listed);
        // A lapsed listing keeps what is there, but is worth nothing in a contest for places.
        if !worth.lapsed {
            self.doubt *= 1.0 - f64::from(worth.weight) / 200.0;
        }
        let this = (worth.expires, worth.lapsed);
        for direction in worth.directions_of(class).iter() {
            let end = &mut self.ends[direction as usize];
            let latest = |earlier| if later(this, earlier) { this } else { earlier };
            *end = Some(end.map_or(this, latest));
        }
    }

    /// What it comes to.
    #[must_use]
    pub fn candidate(self, indicator: Indicator) -> Candidate {
        Candidate {
            indicator,
            score: millionths(1.0 - self.doubt),
            first_listed: self.first_listed,
            ends: self.ends,
        }
    }
}

impl Takes<'_> {
    /// Whether a network goes in as its addresses.
    fn expands(self, indicator: &Indicator) -> bool {
        let Some(least) = self.expand_networks else {
            return false;
        };
        match indicator.net() {
            Some(IpNet::V4(four)) => four.prefix_len() < 32 && four.prefix_len() >= least,
            // As many addresses as the widest IPv4 network that is expanded.
            Some(IpNet::V6(six)) => six.prefix_len() < 128 && six.prefix_len() >= 96 + least,
            None => false,
        }
    }
}

impl Candidate {
    /// Gives `each` the entries that the guards and the firewall's classes let through, and whether an entry is to go in
    /// as its addresses; counts what is left out.
    pub(super) fn sift(
        &self,
        list: List,
        guards: &Guards,
        takes: Takes<'_>,
        left_out: &mut BTreeMap<LeftOut, u64>,
        each: &mut impl FnMut(Wanted, bool),
    ) {
        let judgement = self.judge(list, guards);
        self.sift_judged(judgement, takes, left_out, each);
    }

    /// What the guards of a list say.
    pub(super) fn judge(&self, list: List, guards: &Guards) -> Judgement {
        match list {
            List::Block => guards.judge(&self.indicator),
            List::Allow => guards.judge_allow(&self.indicator),
        }
    }

    /// As [`Candidate::sift`], once it is judged.
    pub(super) fn sift_judged(
        &self,
        judgement: Judgement,
        takes: Takes<'_>,
        left_out: &mut BTreeMap<LeftOut, u64>,
        each: &mut impl FnMut(Wanted, bool),
    ) {
        match judgement {
            Judgement::Cleared(cleared) => self.want(cleared, takes, left_out, each),
            Judgement::Carved { pieces, .. } => {
                for piece in pieces {
                    self.want(piece, takes, left_out, each);
                }
            }
            Judgement::Struck(_) => leave_out(left_out, LeftOut::Guarded, self.places()),
            Judgement::Held(_) => leave_out(left_out, LeftOut::HeldByGuard, self.places()),
        }
    }

    /// How many places it wants.
    pub(super) fn places(&self) -> u64 {
        self.ends.iter().flatten().map(|_| 1).sum()
    }

    fn want(
        &self,
        cleared: Cleared,
        takes: Takes<'_>,
        left_out: &mut BTreeMap<LeftOut, u64>,
        each: &mut impl FnMut(Wanted, bool),
    ) {
        let indicator = cleared.indicator();
        let expand = takes.expands(indicator);
        let class = match (expand, indicator.net()) {
            (true, Some(IpNet::V4(_))) => Class::Ipv4,
            (true, _) => Class::Ipv6,
            (false, _) => indicator.class(),
        };
        if !takes.accept.contains(&class) {
            return leave_out(left_out, LeftOut::ClassNotAccepted, self.places());
        }
        for direction in Direction::ALL {
            if let Some((expires, lapsed)) = self.ends[direction as usize] {
                let wanted = Wanted {
                    cleared: cleared.clone(),
                    direction,
                    score: self.score,
                    first_listed: self.first_listed,
                    expires,
                    lapsed,
                };
                each(wanted, expand);
            }
        }
    }
}

impl Wanted {
    /// The same for each address of the network that it is.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Self> + '_ {
        let each = |cleared| Self {
            cleared,
            ..self.clone()
        };
        self.cleared.addresses().map(each)
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.score = self.score.max(other.score);
        self.first_listed = self.first_listed.min(other.first_listed);
        let (this, that) = ((self.expires, self.lapsed), (other.expires, other.lapsed));
        if later(that, this) {
            (self.expires, self.lapsed) = that;
        }
    }
}

/// A listing that still runs goes before a lapsed one, else the later end.
fn later(one: (UnixTime, bool), other: (UnixTime, bool)) -> bool {
    (!one.1, one.0) > (!other.1, other.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 times a million fits"
)]
fn millionths(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 1e6).round() as u32
}
