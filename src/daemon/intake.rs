//! The loop that polls each feed when it is due.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::config::Feed;
use crate::ledger::FeedRow;
use crate::model::UnixTime;
use crate::stage::StageError;
use crate::stage::intake::{self, PollEnd, PollSummary};

use super::pulse::{LOOKING, WORKING};
use super::{Session, sleep, watch};

/// Feeds that are polled at a time.
const AT_ONCE: usize = 4;

/// The name of this loop's promise.
const POLLS: &str = "polls";

/// How often the ledger is looked at for what is due: the operator's hand makes a feed due, too.
const LOOK: Duration = Duration::from_secs(2);

pub(super) async fn run(session: Arc<Session>, cancel: CancellationToken) -> anyhow::Result<()> {
    loop {
        // While the clock is not believed, that is what there is to be heard of.
        session.pulse.rest(POLLS);
        if !watch::believed(&session, &cancel).await {
            return Ok(());
        }
        session.pulse.promise(POLLS, LOOKING);
        let now = session.ctx.clock.now();
        let rows = session.ctx.ledger.feeds().await?;
        // A last poll that lies ahead was stamped by a clock that has been set right since.
        let is_due = |row: &FeedRow| {
            row.next_poll.is_none_or(|at| at <= now) || row.last_poll.is_some_and(|at| at > now)
        };
        let due: Vec<Feed> = configured(&session, &rows, is_due).cloned().collect();
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            polled = poll(&session, due) => { polled?; }
        }
        if !sleep(&cancel, LOOK).await {
            return Ok(());
        }
    }
}

/// Polls every feed whose publisher lets itself be asked now, whatever the interval says.
pub(super) async fn poll_all(session: &Arc<Session>) -> anyhow::Result<Vec<PollSummary>> {
    let now = session.ctx.clock.now();
    let rows = session.ctx.ledger.feeds().await?;
    let feeds = configured(session, &rows, |_| true);
    let (due, early): (Vec<&Feed>, Vec<&Feed>) = feeds.partition(|feed| {
        let row = rows.iter().find(|row| row.name == feed.name);
        row.is_none_or(|row| floor_is_past(feed, row, now))
    });
    for feed in early {
        tracing::info!(feed = %feed.name, "not polled: its publisher locks out who asks again so soon");
    }
    poll(session, due.into_iter().cloned().collect()).await
}

async fn poll(session: &Arc<Session>, feeds: Vec<Feed>) -> anyhow::Result<Vec<PollSummary>> {
    // One of those under way ends within this: fetched in its time, then parsed and recorded.
    let longest = feeds.iter().map(|feed| feed.limits.total).max();
    let longest = longest.unwrap_or_default() + WORKING;
    session.pulse.promise(POLLS, longest);
    let polls = feeds
        .into_iter()
        .map(|feed| one(Arc::clone(session), feed).boxed());
    let mut polls = stream::iter(polls.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let mut summaries = Vec::new();
    while let Some(summary) = polls.next().await {
        let summary = summary?;
        session.pulse.promise(POLLS, longest);
        tell(&summary);
        if intake::changed(&summary) {
            session.changed.notify_waiters();
        }
        summaries.push(summary);
    }
    Ok(summaries)
}

async fn one(session: Arc<Session>, feed: Feed) -> Result<PollSummary, StageError> {
    intake::turn(&session.ctx, &session.fetcher, &feed).await
}

fn configured<'a>(
    session: &'a Session,
    rows: &'a [FeedRow],
    wanted: impl Fn(&FeedRow) -> bool + 'a,
) -> impl Iterator<Item = &'a Feed> {
    session.config.polled().filter(move |feed| {
        rows.iter()
            .find(|row| row.name == feed.name)
            .is_some_and(&wanted)
    })
}

fn floor_is_past(feed: &Feed, row: &FeedRow, now: UnixTime) -> bool {
    feed.floor
        .zip(row.last_poll)
        .is_none_or(|(floor, last)| last.plus(floor) <= now)
}

fn tell(summary: &PollSummary) {
    let feed = &summary.feed;
    let duration_ms = summary.took.as_millis();
    match &summary.end {
        PollEnd::Unchanged => tracing::debug!(%feed, duration_ms, "feed unchanged"),
        PollEnd::Recorded { delta, rejected } => tracing::info!(
            %feed,
            listed = delta.listed,
            added = delta.added + delta.relisted,
            delisted = delta.delisted,
            rejected,
            duration_ms,
            "feed recorded"
        ),
        PollEnd::Held(why) => tracing::warn!(%feed, why, "feed held"),
        PollEnd::Failed(why) => tracing::warn!(%feed, why, "feed failed"),
        PollEnd::Frozen(why) => tracing::warn!(%feed, why, "feed frozen"),
        PollEnd::Retired(why) => tracing::warn!(%feed, why, "feed retired"),
    }
}
