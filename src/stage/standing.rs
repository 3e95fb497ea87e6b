//! How a firewall stands before a plan is made: what the ledger knows of it.

use std::collections::HashSet;
use std::time::Duration;

use crate::config::Firewall;
use crate::guard::{Guards, Judgement, Strike};
use crate::ledger::{FirewallRow, LEARNED_FOR};
use crate::model::{Action, Class, Direction, Entry, Indicator, Lease, List, UnixTime};
use crate::plan::Standing;
use crate::plan::cover::Cover;

use super::memory::Listed;
use super::{Context, StageError, reconcile};

/// The brake counts deletes over so long.
const BRAKE_WINDOW: Duration = Duration::from_secs(86_400);

/// What the ledger knows of a firewall, beside what the feeds and the operator say.
pub(super) async fn standing_beside(
    ctx: &Context,
    firewall: &Firewall,
    row: &FirewallRow,
    listed: &Listed,
    now: UnixTime,
) -> Result<Standing, StageError> {
    let mut standing = standing(ctx, Some(firewall), row, now).await?;
    standing.exempt = by_own_guards(&listed.guards, &standing.leases);
    let dropped = by_dropped_feeds(ctx, &standing.leases, now).await?;
    standing.exempt.extend(dropped);
    standing.unguarded = !listed.unheard.is_empty();
    Ok(standing)
}

/// What the ledger knows of a firewall.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn standing(
    ctx: &Context,
    firewall: Option<&Firewall>,
    row: &FirewallRow,
    now: UnixTime,
) -> Result<Standing, StageError> {
    let ledger = &ctx.ledger;
    let quarantine = ledger.quarantine(row.id).await?;
    let mut leases = ledger.leases(row.id).await?;
    // An ended lease is gone, unless it was seen to linger.
    leases.retain(|lease| lease.end_time > now || lease.doubt == Some(Action::Delete));
    let mut standing = Standing {
        leases,
        last_hits: ledger.last_hits(row.id).await?,
        foreign: ledger.foreign_entries(row.id).await?,
        foreign_places: row.foreign,
        withdrawn: row.withdrawn,
        unseen_since: firewall.map_or(UnixTime::default(), |firewall| {
            reconcile::unseen_since(firewall, row)
        }),
        quarantined: quarantine
            .into_iter()
            .map(|one| (one.entry, one.action))
            .collect(),
        suspects: ledger.suspects(row.id).await?,
        approved_deletes: ledger
            .delete_approval(row.id, now.minus(BRAKE_WINDOW))
            .await?,
        deleted: ledger
            .deleted_since(row.id, now.minus(BRAKE_WINDOW))
            .await?,
        ..Standing::default()
    };
    for (subject, value, _) in ledger.learned(row.id, now.minus(LEARNED_FOR)).await? {
        let number = value.and_then(|value| u64::try_from(value).ok());
        match subject.as_str() {
            "batch" => standing.learned_batch = number.and_then(|size| usize::try_from(size).ok()),
            // What the cloud says of its quota, and what its refusals say: the lesser counts.
            "quota" | "full" => {
                let least = [standing.learned_quota, number].into_iter().flatten().min();
                standing.learned_quota = least;
            }
            "repeats" => standing.repeats_refused = true,
            other => learned_refusal(&mut standing, other),
        }
    }
    Ok(standing)
}

/// Leases that a guard strikes which nobody downloaded: the operator's word, and not a feed's, wants them gone.
fn by_own_guards(guards: &Guards, leases: &[Lease]) -> HashSet<Entry> {
    let struck = |lease: &&Lease| {
        let guards = match guards.judge(&lease.entry.indicator) {
            Judgement::Struck(Strike::Guarded(guards)) => guards,
            Judgement::Carved { by, .. } => by,
            _ => return false,
        };
        lease.entry.list == List::Block && guards.iter().any(|guard| !guard.origin.is_downloaded())
    };
    leases
        .iter()
        .filter(struck)
        .map(|lease| lease.entry.clone())
        .collect()
}

/// Leases on what a feed listed that the operator dropped: his word wants them gone, if no other feed wants them.
async fn by_dropped_feeds(
    ctx: &Context,
    leases: &[Lease],
    now: UnixTime,
) -> Result<Vec<Entry>, StageError> {
    let since = now.minus(BRAKE_WINDOW);
    let feeds = ctx.ledger.feeds().await?;
    if !feeds
        .iter()
        .any(|feed| feed.dropped_at.is_some_and(|at| at > since))
    {
        return Ok(Vec::new());
    }
    let indicators: Vec<Indicator> = leases
        .iter()
        .map(|lease| lease.entry.indicator.clone())
        .collect();
    let (gone, networks) = ctx.ledger.dropped(&indicators, since).await?;
    // A piece of a carved network, or an address of one that went in as such.
    let mut held = Cover::default();
    for network in &networks {
        held.add(network, Direction::Out);
    }
    let is_gone = |lease: &&Lease| {
        let one = &lease.entry.indicator;
        gone.binary_search(one).is_ok() || held.holds(one, Direction::Out)
    };
    Ok(leases
        .iter()
        .filter(is_gone)
        .map(|lease| lease.entry.clone())
        .collect())
}

/// Reads `class block ipv4` and `call edit block ipv4`, as a trial's end wrote them.
fn learned_refusal(standing: &mut Standing, subject: &str) {
    let place = |list: &str, class: &str| {
        let list = [List::Block, List::Allow]
            .into_iter()
            .find(|one| one.as_str() == list);
        let class = Class::ALL.into_iter().find(|one| one.as_str() == class);
        list.zip(class)
    };
    let words: Vec<&str> = subject.split(' ').collect();
    match *words.as_slice() {
        ["class", list, class] => standing.refused_classes.extend(place(list, class)),
        ["call", action, list, class] => {
            let call = Action::from_word(action).zip(place(list, class));
            let call = call.map(|(action, (list, class))| (action, list, class));
            standing.refused_calls.extend(call);
        }
        _ => {}
    }
}
