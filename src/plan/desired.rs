//! From beliefs to wanted entries: one score an indicator, guards applied, one entry a direction.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::guard::{Cleared, Guards, Judgement};
use crate::model::{Class, Direction, Indicator, List, UnixTime};

use super::expiry::Belief;
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

/// Brings the beliefs of all feeds of one list together; each feed's are sorted by indicator.
#[must_use]
pub fn candidates(feeds: Vec<Vec<Belief>>) -> Vec<Candidate> {
    let mut sources: Vec<_> = feeds.into_iter().map(Vec::into_iter).collect();
    let mut heads = BinaryHeap::new();
    let mut beliefs: Vec<Option<Belief>> = sources.iter().map(|_| None).collect();
    for (index, source) in sources.iter_mut().enumerate() {
        if let Some(belief) = source.next() {
            heads.push(Reverse((belief.indicator.clone(), index)));
            beliefs[index] = Some(belief);
        }
    }
    let mut merged: Vec<Candidate> = Vec::new();
    let mut doubt = 1.0;
    while let Some(Reverse((indicator, index))) = heads.pop() {
        let Some(belief) = beliefs[index].take() else {
            continue;
        };
        if let Some(next) = sources[index].next() {
            heads.push(Reverse((next.indicator.clone(), index)));
            beliefs[index] = Some(next);
        }
        match merged.last_mut() {
            Some(candidate) if candidate.indicator == indicator => candidate.join(&belief),
            _ => {
                merged.push(Candidate::new(&belief));
                doubt = 1.0;
            }
        }
        // A lapsed listing keeps what is there, but is worth nothing in a contest for places.
        if !belief.lapsed {
            doubt *= 1.0 - f64::from(belief.weight) / 200.0;
        }
        if let Some(candidate) = merged.last_mut() {
            candidate.score = millionths(1.0 - doubt);
        }
    }
    merged
}

/// Applies the guards and the classes that the firewall takes, and gives one wanted entry a direction,
/// sorted by entry and without duplicates; counts what is left out.
#[must_use]
pub fn desired(
    list: List,
    candidates: &[Candidate],
    guards: &Guards,
    accept: &[Class],
    left_out: &mut BTreeMap<LeftOut, u64>,
) -> Vec<Wanted> {
    let mut wanted = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let judgement = match list {
            List::Block => guards.judge(&candidate.indicator),
            List::Allow => guards.judge_allow(&candidate.indicator),
        };
        match judgement {
            Judgement::Cleared(cleared) => {
                candidate.want(cleared, accept, left_out, &mut wanted);
            }
            Judgement::Carved { pieces, .. } => {
                for piece in pieces {
                    candidate.want(piece, accept, left_out, &mut wanted);
                }
            }
            Judgement::Struck(_) => leave_out(left_out, LeftOut::Guarded, candidate.places()),
            Judgement::Held(_) => leave_out(left_out, LeftOut::HeldByGuard, candidate.places()),
        }
    }
    wanted.sort_unstable_by(|one, other| {
        (&one.cleared, one.direction).cmp(&(&other.cleared, other.direction))
    });
    // A carved piece may be listed by itself too: the better of each word counts.
    wanted.dedup_by(|again, first| {
        let same = again.cleared == first.cleared && again.direction == first.direction;
        if same {
            first.join(again);
        }
        same
    });
    wanted
}

/// Counts `places` more entries left out for `reason`.
pub fn leave_out(left_out: &mut BTreeMap<LeftOut, u64>, reason: LeftOut, places: u64) {
    if places > 0 {
        *left_out.entry(reason).or_default() += places;
    }
}

impl Candidate {
    fn new(belief: &Belief) -> Self {
        let mut candidate = Self {
            indicator: belief.indicator.clone(),
            score: 0,
            first_listed: belief.first_listed,
            ends: [None; 2],
        };
        candidate.join(belief);
        candidate
    }

    fn join(&mut self, belief: &Belief) {
        self.first_listed = self.first_listed.min(belief.first_listed);
        for direction in belief.directions.iter() {
            let end = &mut self.ends[direction as usize];
            let this = (belief.expires, belief.lapsed);
            *end = Some(end.map_or(
                this,
                |earlier| {
                    if later(this, earlier) { this } else { earlier }
                },
            ));
        }
    }

    fn places(&self) -> u64 {
        self.ends.iter().flatten().map(|_| 1).sum()
    }

    fn want(
        &self,
        cleared: Cleared,
        accept: &[Class],
        left_out: &mut BTreeMap<LeftOut, u64>,
        wanted: &mut Vec<Wanted>,
    ) {
        if !accept.contains(&cleared.indicator().class()) {
            return leave_out(left_out, LeftOut::ClassNotAccepted, self.places());
        }
        for direction in Direction::ALL {
            if let Some((expires, lapsed)) = self.ends[direction as usize] {
                wanted.push(Wanted {
                    cleared: cleared.clone(),
                    direction,
                    score: self.score,
                    first_listed: self.first_listed,
                    expires,
                    lapsed,
                });
            }
        }
    }
}

impl Wanted {
    fn join(&mut self, other: &Self) {
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
