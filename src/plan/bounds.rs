//! What bounds a plan's changes: the brake on deletes, and the room for adds.

use std::collections::BTreeMap;

use crate::model::{Action, Class, Entry, Lease, UnixTime};

use super::desired::leave_out;
use super::lease::Changes;
use super::{FirewallTerms, LeftOut, Standing, Wanted, admission};

/// Fewer deletes than this never wait for an approval.
const ALWAYS_DELETABLE: u64 = 50;

/// The brake's numbers, in deletes of 24 h.
pub(super) struct Brake {
    /// Those that wait.
    pub(super) held: u64,
    /// Those that are done, and all that would follow.
    pub(super) wanted: u64,
    /// Those that may be, approvals included.
    pub(super) allowed: u64,
}

/// Holds back deletes beyond `max_delete` of the leases within 24 h, and renews what is held back. What has ended
/// blocks nothing any more: taking it off is no delete in this sense.
pub(super) fn brake(
    terms: &FirewallTerms,
    standing: &Standing,
    changes: &mut Changes,
    now: UnixTime,
) -> Brake {
    let base = standing.leases.len() as u64 + standing.deleted;
    let allowed = share(base, terms.max_delete)
        .max(ALWAYS_DELETABLE)
        .saturating_add(standing.approved_deletes);
    let mut brake = Brake {
        held: 0,
        wanted: standing.deleted,
        allowed,
    };
    if standing.withdrawn {
        return brake;
    }
    let (exempt, mut braked): (Vec<Lease>, Vec<Lease>) =
        changes.deletes.drain(..).partition(|lease| {
            lease.end_time <= now
                || standing.exempt.contains(&lease.entry)
                || changes.covered.contains(&lease.entry)
        });
    brake.wanted += braked.len() as u64;
    let open = usize::try_from(allowed.saturating_sub(standing.deleted)).unwrap_or(usize::MAX);
    let held = braked.split_off(open.min(braked.len()));
    changes.deletes = exempt;
    changes.deletes.append(&mut braked);
    brake.held = held.len() as u64;
    for lease in held {
        let end = now.plus(terms.lease).round_up(terms.grid);
        let due = super::lease::renewal_time(terms, &lease);
        let may = standing.may(Action::Edit, &lease.entry);
        if due <= now && end >= lease.end_time.plus(terms.grid) && may {
            changes.edits.push((lease, end));
        }
    }
    brake
}

/// How many entries may be added: what the quota leaves beside what we hold, keep and cannot yet delete. A
/// learned quota counts here alone, where it can only stop adds.
pub(super) fn room_for_adds(
    terms: &FirewallTerms,
    standing: &Standing,
    changes: &Changes,
    kept: u64,
) -> usize {
    let doubtful = changes
        .adds
        .iter()
        .filter(|(wanted, _)| is_leased(standing, &wanted.entry()))
        .count();
    let room =
        usize::try_from(most_places(terms, standing).saturating_sub(kept)).unwrap_or(usize::MAX);
    room.max(doubtful)
}

/// Places for our entries, by the config and by what was learned.
pub(super) fn most_places(terms: &FirewallTerms, standing: &Standing) -> u64 {
    let configured = admission::places(terms, standing) as u64;
    let learned = standing
        .learned_quota
        .map_or(u64::MAX, |quota| admission::ours(quota, terms, standing));
    configured.min(learned)
}

/// Leaves the delete of a network to the next plan while what it held goes in by itself, so that nothing of it is open
/// in between; where there is room for both, and only while those adds are tried for the first time.
pub(super) fn put_off(changes: &mut Changes, standing: &Standing, room: u64) {
    let is_network = |lease: &Lease| lease.entry.class() == Class::Network;
    let networks: Vec<usize> = (0..changes.deletes.len())
        .filter(|at| changes.deletes.get(*at).is_some_and(is_network))
        .collect();
    if networks.is_empty() || changes.adds.is_empty() || room < networks.len() as u64 {
        return;
    }
    let is_new = |entry: &Entry| {
        standing.suspects.of(entry, Action::Add).is_none() && !is_leased(standing, entry)
    };
    let mut adds: Vec<Entry> = changes.adds.iter().map(|(add, _)| add.entry()).collect();
    adds.retain(|entry| entry.indicator.net().is_some() && is_new(entry));
    let holds = |lease: &Lease| {
        let net = lease.entry.indicator.net();
        adds.iter().any(|add| {
            let inside = net.zip(add.indicator.net());
            add.list == lease.entry.list
                && add.direction == lease.entry.direction
                && inside.is_some_and(|(net, add)| net.contains(&add))
        })
    };
    changes
        .deletes
        .retain(|lease| !(is_network(lease) && holds(lease)));
}

/// Cuts the lowest scores where there is less room than adds; repeating a doubtful add costs no place.
pub(super) fn fit_adds(
    changes: &mut Changes,
    standing: &Standing,
    room: usize,
    left_out: &mut BTreeMap<LeftOut, u64>,
) {
    let rank = |wanted: &Wanted| {
        let leased = is_leased(standing, &wanted.entry());
        (
            !leased,
            std::cmp::Reverse(wanted.score),
            wanted.first_listed,
        )
    };
    changes
        .adds
        .sort_by_cached_key(|(wanted, _)| (rank(wanted), wanted.entry()));
    if changes.adds.len() > room {
        leave_out(left_out, LeftOut::Quota, (changes.adds.len() - room) as u64);
        changes.admitted -= (changes.adds.len() - room) as u64;
        changes.adds.truncate(room);
    }
}

pub(super) fn is_leased(standing: &Standing, entry: &Entry) -> bool {
    leased(standing, entry).is_some()
}

pub(super) fn leased<'a>(standing: &'a Standing, entry: &Entry) -> Option<&'a Lease> {
    let place = standing
        .leases
        .binary_search_by(|lease| lease.entry.cmp(entry));
    standing.leases.get(place.ok()?)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count of leases"
)]
fn share(of: u64, part: f64) -> u64 {
    (of as f64 * part.clamp(0.0, 1.0)).floor() as u64
}
