//! The loop that keeps one firewall's lists as they should be.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ledger::{FeedRow, FirewallRow, Role};
use crate::model::UnixTime;
use crate::plan::{LeftOut, Plan};
use crate::stage::reconcile::{self, ReadSummary};
use crate::stage::send::{self, Link, SendSummary, Stop};
use crate::stage::{Context, StageError, replan};

use super::pulse::{LOOKING, WORKING};
use super::{Session, sleep, watch};

/// The first plan of a ledger waits so long for feeds that were never polled.
const FIRST_WAIT: Duration = Duration::from_secs(120);

/// How often the ledger is looked at for the operator's hand.
const LOOK: Duration = Duration::from_secs(3);

/// The shortest between two plans where the first one had nothing to send.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest between two plans: the lists are planned anew though nobody rang.
const LONGEST: Duration = Duration::from_secs(3600);

/// Why the lists could not be read back.
pub(super) struct Unread {
    pub(super) why: String,
    /// A person has to do something first.
    pub(super) halted: bool,
}

pub(super) async fn run(
    session: Arc<Session>,
    link: Arc<Link>,
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    let who = format!("sends to {}", link.config.name);
    wait_for_feeds(&session, &who, &cancel).await?;
    // Somebody started or reloaded the daemon, perhaps because the trouble is mended: that is worth one try.
    let mut first = true;
    while believed(&session, &who, &cancel).await && !cancel.is_cancelled() {
        session.pulse.promise(&who, LOOKING);
        let hand = session.ctx.ledger.hand().await?;
        let changed = session.changed.notified();
        tokio::pin!(changed);
        // From here on a ring is heard, though the plan is being made.
        changed.as_mut().enable();
        let held = held_until(&session, &link).await?;
        let at_start = std::mem::take(&mut first);
        if let Some(until) = held.filter(|_| !at_start) {
            wait(&session, &who, &cancel, hand, until, None).await?;
            continue;
        }
        let reading = read_back(&session, &link, &cancel);
        let moves = link.progress.subscribe();
        if session.pulse.during(&who, moves, reading).await?.is_some() {
            continue;
        }
        session.pulse.promise(&who, WORKING);
        let plan = session.plan(&link).await?;
        if plan.batches.is_empty() {
            let until = next_due(&session, &link, &plan).await?;
            wait(&session, &who, &cancel, hand, until, Some(changed)).await?;
            continue;
        }
        tell_plan(&link, &plan);
        let sending = send::turn(&session.ctx, &link, plan, &cancel);
        let moves = link.progress.subscribe();
        let summary = session.pulse.during(&who, moves, sending).await?;
        tell(&link, &summary);
    }
    Ok(())
}

/// Nothing is promised while the clock is not believed: the loop that watches it gives the signs of life then.
async fn believed(session: &Session, who: &str, cancel: &CancellationToken) -> bool {
    session.pulse.rest(who);
    watch::believed(session, cancel).await
}

/// Logs what a plan is about to do.
pub(super) fn tell_plan(link: &Link, plan: &Plan) {
    if plan.held_deletes > 0 {
        tracing::warn!(
            firewall = %link.config.name,
            held = plan.held_deletes,
            wanted_in_24_h = plan.wanted_deletes,
            allowed_in_24_h = plan.allowed_deletes,
            "deletes beyond max_delete wait for `feedwall approve --firewall {}`", link.config.name
        );
    }
    if let Some(waiting) = plan.left_out.get(&LeftOut::GuardsUnheard) {
        tracing::warn!(
            firewall = %link.config.name,
            waiting,
            "nothing is added before every guard list has been heard once"
        );
    }
    tracing::info!(
        firewall = %link.config.name,
        desired = plan.desired,
        entries = plan.pending,
        calls = plan.batches.len(),
        "plan"
    );
}

/// Logs how a round ended.
pub(super) fn tell(link: &Link, summary: &SendSummary) {
    let firewall = &link.config.name;
    let [deleted, edited, added] = summary.entries;
    tracing::info!(%firewall, calls = summary.calls, applied = summary.applied, added, edited, deleted, "sent");
    match &summary.stop {
        None | Some(Stop::Cancelled) => {}
        Some(Stop::Full) => {
            tracing::warn!(%firewall, "the list is full; what does not fit is left out for now");
        }
        Some(Stop::Backoff(until, why)) => {
            tracing::warn!(%firewall, %until, why, "sending pauses");
        }
        Some(Stop::Halted(until, why)) => {
            tracing::error!(%firewall, %until, why, "sending has stopped; nothing is lost, and it is tried again by itself");
        }
    }
}

/// Until when the firewall is to be left alone.
pub(super) async fn held_until(session: &Session, link: &Link) -> anyhow::Result<Option<UnixTime>> {
    let row = replan::row(&session.ctx, &link.config).await?;
    let now = session.ctx.clock.now();
    Ok(row.not_before.filter(|until| *until > now))
}

/// Reads the firewall's lists back where that is due. Says why where they could not be read, and whether a
/// person must do something; the firewall is then left alone for a while, for nothing is written to lists
/// that nobody knows.
pub(super) async fn read_back(
    session: &Session,
    link: &Link,
    cancel: &CancellationToken,
) -> anyhow::Result<Option<Unread>> {
    let ctx = &session.ctx;
    let row = replan::row(ctx, &link.config).await?;
    let now = ctx.clock.now();
    let (at, why) = next_reading(ctx, link, &row).await?;
    if at > now {
        return Ok(None);
    }
    tracing::debug!(firewall = %link.config.name, why, "reading the lists back");
    let read = match reconcile::turn(ctx, link, false, cancel).await {
        Ok(summary) => summary,
        Err(StageError::Credentials(fault)) => ReadSummary {
            failure: Some(fault.to_string()),
            halted: true,
            ..ReadSummary::default()
        },
        Err(fault) => return Err(fault.into()),
    };
    tell_reading(link, &read);
    if let Some(failure) = &read.failure
        && !cancel.is_cancelled()
    {
        let trouble = format!("the lists cannot be read back: {failure}");
        let wait = if read.halted {
            send::HALT
        } else {
            send::backoff(row.failures)
        };
        let until = ctx.clock.now().plus(wait);
        ctx.ledger
            .hold_firewall(row.id, until, &trouble, now)
            .await?;
    } else if row.trouble.is_some() {
        ctx.ledger.release_firewall(row.id).await?;
    }
    let halted = read.halted;
    Ok(read.failure.map(|why| Unread { why, halted }))
}

fn tell_reading(link: &Link, read: &ReadSummary) {
    let firewall = &link.config.name;
    let drift = &read.drift;
    if let Some(why) = &read.failure {
        if read.halted {
            tracing::error!(%firewall, why, "the lists cannot be read back, so nothing is sent; nothing is lost, and it is tried again by itself");
        } else {
            tracing::warn!(%firewall, why, "the lists could not be read back");
        }
        return;
    }
    tracing::info!(
        %firewall, calls = read.calls, rows = read.rows, confirmed = drift.confirmed.len(),
        settled = drift.settled.len(), missing = read.gone.len(), foreign = drift.foreign_places,
        "read back"
    );
    if let Some(seconds) = drift.zone_fault {
        tracing::error!(
            %firewall, seconds,
            "most EndTimes on the list are off by this much alike: set the firewall's `time_zone` right"
        );
    }
    let others = drift.shortened.len() + drift.taken_over.len() + read.gone.len();
    if others > 0 {
        tracing::warn!(
            %firewall, shortened = drift.shortened.len(), prolonged = drift.taken_over.len(), gone = read.gone.len(),
            "somebody else changed entries of ours"
        );
    }
}

/// When something is due for a firewall though nothing more happens: never at once, for what is due at once has just
/// been done.
pub(super) async fn next_due(
    session: &Session,
    link: &Link,
    plan: &Plan,
) -> anyhow::Result<UnixTime> {
    let now = session.ctx.clock.now();
    let row = replan::row(&session.ctx, &link.config).await?;
    let (reading, _) = next_reading(&session.ctx, link, &row).await?;
    let due = plan.next_due.map_or(reading, |due| due.min(reading));
    Ok(due.clamp(now.plus(SHORTEST), now.plus(LONGEST)))
}

async fn next_reading(
    ctx: &Context,
    link: &Link,
    row: &FirewallRow,
) -> anyhow::Result<(UnixTime, String)> {
    let unseen_since = reconcile::unseen_since(&link.config, row);
    let state = ctx.ledger.read_state(row.id, unseen_since, ctx.clock.now());
    Ok(reconcile::next_due(&link.config, row, state.await?))
}

/// Waits until `until`, a ring, a raised hand, or the end.
async fn wait(
    session: &Session,
    who: &str,
    cancel: &CancellationToken,
    hand: i64,
    until: UnixTime,
    changed: Option<std::pin::Pin<&mut tokio::sync::futures::Notified<'_>>>,
) -> anyhow::Result<()> {
    let look = async {
        loop {
            session.pulse.promise(who, LOOKING);
            let left = until.since(session.ctx.clock.now());
            if left.is_zero() || !sleep(cancel, left.min(LOOK)).await {
                return anyhow::Ok(());
            }
            if session.ctx.ledger.hand().await? != hand {
                return Ok(());
            }
        }
    };
    match changed {
        None => look.await,
        Some(changed) => tokio::select! {
            () = changed => Ok(()),
            looked = look => looked,
        },
    }
}

/// The first plan waits for feeds that this ledger has never heard, but not for ever: a plan adds nothing until every
/// guard list was heard, and what else it holds need not wait.
async fn wait_for_feeds(
    session: &Session,
    who: &str,
    cancel: &CancellationToken,
) -> anyhow::Result<()> {
    let deadline = session.ctx.clock.now().plus(FIRST_WAIT);
    loop {
        session.pulse.promise(who, LOOKING);
        let feeds = session.ctx.ledger.feeds().await?;
        let unheard = |row: &FeedRow| match row.role {
            _ if !row.configured => false,
            Role::Feed => row.last_poll.is_none(),
            Role::Guard(_) => row.last_good.is_none(),
        };
        let now = session.ctx.clock.now();
        if !feeds.iter().any(unheard) || now >= deadline {
            return Ok(());
        }
        if !sleep(cancel, Duration::from_millis(200)).await {
            return Ok(());
        }
    }
}
