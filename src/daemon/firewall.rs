//! The loop that keeps one firewall's lists as they should be.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::model::UnixTime;
use crate::plan::Plan;
use crate::stage::replan;
use crate::stage::send::{self, Link, SendSummary, Stop};

use super::{Session, sleep};

/// The first plan of a ledger waits so long for feeds that were never polled.
const FIRST_WAIT: Duration = Duration::from_secs(120);

/// How often the ledger is looked at for the operator's hand.
const LOOK: Duration = Duration::from_secs(3);

/// The longest between two plans: the lists are planned anew though nobody rang.
const LONGEST: Duration = Duration::from_secs(3600);

pub(super) async fn run(
    session: Arc<Session>,
    link: Arc<Link>,
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    wait_for_feeds(&session, &cancel).await?;
    while !cancel.is_cancelled() {
        let hand = session.ctx.ledger.hand().await?;
        let changed = session.changed.notified();
        tokio::pin!(changed);
        // From here on a ring is heard, though the plan is being made.
        changed.as_mut().enable();
        if let Some(until) = held_until(&session, &link).await? {
            wait(&session, &cancel, hand, until, None).await?;
            continue;
        }
        let plan =
            replan::turn(&session.ctx, &session.guards, &link.config, &session.heard).await?;
        if plan.batches.is_empty() {
            let until = next_due(&session, &plan);
            wait(&session, &cancel, hand, until, Some(changed)).await?;
            continue;
        }
        tell_plan(&link, &plan);
        let summary = send::turn(&session.ctx, &link, plan, &cancel).await?;
        tell(&link, &summary);
    }
    Ok(())
}

/// Logs what a plan is about to do.
pub(super) fn tell_plan(link: &Link, plan: &Plan) {
    if plan.held_deletes > 0 {
        tracing::warn!(
            firewall = %link.config.name,
            held = plan.held_deletes,
            wanted = plan.wanted_deletes,
            "deletes beyond max_delete wait for `feedwall approve --firewall {}`", link.config.name
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

fn next_due(session: &Session, plan: &Plan) -> UnixTime {
    let now = session.ctx.clock.now();
    let latest = now.plus(LONGEST);
    plan.next_due.map_or(latest, |due| due.min(latest))
}

/// Waits until `until`, a ring, a raised hand, or the end.
async fn wait(
    session: &Session,
    cancel: &CancellationToken,
    hand: i64,
    until: UnixTime,
    changed: Option<std::pin::Pin<&mut tokio::sync::futures::Notified<'_>>>,
) -> anyhow::Result<()> {
    let look = async {
        loop {
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

/// The first plan waits for feeds that this ledger has never heard, but not for ever.
async fn wait_for_feeds(session: &Session, cancel: &CancellationToken) -> anyhow::Result<()> {
    let deadline = session.ctx.clock.now().plus(FIRST_WAIT);
    loop {
        let feeds = session.ctx.ledger.feeds().await?;
        let unheard = |row: &crate::ledger::FeedRow| row.configured && row.last_poll.is_none();
        let now = session.ctx.clock.now();
        if !feeds.iter().any(unheard) || now >= deadline {
            return Ok(());
        }
        if !sleep(cancel, Duration::from_millis(200)).await {
            return Ok(());
        }
    }
}
