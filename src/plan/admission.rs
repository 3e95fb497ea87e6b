//! Who gets a place: the highest scores under the quota, without flapping.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{Action, Entry, UnixTime};

use super::desired::leave_out;
use super::{FirewallTerms, LeftOut, Quota, Standing, Wanted};

/// The order of admission, best first: score (a holder's counts `margin` more), held, last hit, first
/// listed, canonical bytes.
type Rank = (Reverse<u32>, bool, Reverse<Option<UnixTime>>, UnixTime);

/// Drops what this firewall cannot be given: refused classes, quarantined entries, entries of others.
#[must_use]
pub fn takeable(
    mut wanted: Vec<Wanted>,
    standing: &Standing,
    left_out: &mut BTreeMap<LeftOut, u64>,
) -> Vec<Wanted> {
    let mut held = Held::new(standing);
    wanted.retain(|wanted| {
        let entry = wanted.entry();
        // What we hold stays ours until it is no longer wanted, whatever was learned meanwhile.
        let reason = if held.holds(&entry) {
            None
        } else if standing.unguarded {
            Some(LeftOut::GuardsUnheard)
        } else if standing.foreign.contains(&entry) {
            Some(LeftOut::Foreign)
        } else if standing.quarantined.get(&entry) == Some(&Action::Add) {
            Some(LeftOut::Quarantined)
        } else if standing
            .refused_classes
            .contains(&(entry.list, entry.class()))
        {
            Some(LeftOut::ClassRefused)
        } else {
            None
        };
        if let Some(reason) = reason {
            leave_out(left_out, reason, 1);
        }
        reason.is_none()
    });
    wanted
}

/// Keeps the entries that get a place, sorted by entry. What could not be added anyway, because it has
/// lapsed or ends too soon, takes part only if it is held.
#[must_use]
pub fn admit(
    terms: &FirewallTerms,
    standing: &Standing,
    wanted: Vec<Wanted>,
    left_out: &mut BTreeMap<LeftOut, u64>,
    now: UnixTime,
) -> Vec<Wanted> {
    let mut held = Held::new(standing);
    let margin = margin(terms);
    let mut ranked: Vec<(Rank, Wanted)> = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let entry = wanted.entry();
        let is_held = held.holds(&entry);
        let too_soon = super::lease::end_time(terms, wanted.expires, now)
            < now.plus(terms.min_term)
            || wanted.lapsed;
        if too_soon && !is_held {
            leave_out(left_out, LeftOut::EndsTooSoon, 1);
            continue;
        }
        let score = wanted.score + if is_held { margin } else { 0 };
        let hit = standing.last_hits.get(&entry).copied();
        let rank = (Reverse(score), !is_held, Reverse(hit), wanted.first_listed);
        ranked.push((rank, wanted));
    }
    let places = places(terms, standing);
    if ranked.len() > places {
        leave_out(left_out, LeftOut::Quota, (ranked.len() - places) as u64);
        ranked.select_nth_unstable_by(places, by_rank);
        ranked.truncate(places);
    }
    let mut admitted: Vec<Wanted> = ranked.into_iter().map(|(_, wanted)| wanted).collect();
    admitted.sort_unstable_by(by_entry);
    admitted
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

/// The order of entries: list, indicator, direction.
#[must_use]
pub fn by_entry(one: &Wanted, other: &Wanted) -> std::cmp::Ordering {
    (&one.cleared, one.direction).cmp(&(&other.cleared, other.direction))
}

fn by_rank(one: &(Rank, Wanted), other: &(Rank, Wanted)) -> std::cmp::Ordering {
    one.0.cmp(&other.0).then_with(|| by_entry(&one.1, &other.1))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 times a million fits"
)]
fn margin(terms: &FirewallTerms) -> u32 {
    (terms.margin.clamp(0.0, 1.0) * 1e6).round() as u32
}

/// Walks the leases beside entries that come in order.
struct Held<'a> {
    leases: std::iter::Peekable<std::slice::Iter<'a, crate::model::Lease>>,
}

impl<'a> Held<'a> {
    fn new(standing: &'a Standing) -> Self {
        Self {
            leases: standing.leases.iter().peekable(),
        }
    }

    fn holds(&mut self, entry: &Entry) -> bool {
        while self.leases.next_if(|lease| lease.entry < *entry).is_some() {}
        self.leases
            .peek()
            .is_some_and(|lease| lease.entry == *entry)
    }
}
