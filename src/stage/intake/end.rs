//! How a poll ends: what of it is recorded, and when the feed is asked again.

use std::time::Duration;

use crate::config::Feed;
use crate::fetch::{self, Body, Past};
use crate::ledger::{FeedRow, FeedState, GoodBody, PollOutcome};
use crate::model::UnixTime;
use crate::parse::{Record, Row, Snapshot};
use crate::stage::frozen::frozen;
use crate::stage::{Context, StageError};

use super::PollEnd;

/// Bodies larger than this are not kept while they are held.
const LARGEST_HELD: u64 = 64 << 20;

pub(super) async fn record(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    body: &Body,
    snapshot: Snapshot,
    approved: bool,
) -> Result<PollEnd, StageError> {
    let now = ctx.clock.now();
    // Another body with the same rows is no sign of life, whatever else in it changes. What was approved is believed.
    let since = row.body_since.filter(|_| !approved);
    let same = since.and_then(|since| frozen(feed.max_stale, since, now));
    let rejected = snapshot.rejects().total();
    let good = GoodBody {
        recipe: feed.recipe.fingerprint(),
        validators: body.validators.clone(),
        sha256: body.sha256,
        rejected,
        next_poll: next_poll(feed, row, 0, None, now),
    };
    // Boxed, because the compiler cannot yet see that a future over this iterator may change threads.
    let records: Box<dyn Iterator<Item = Record> + Send + '_> =
        Box::new(snapshot.rows().map(Row::to_record));
    if let Some(reach) = snapshot.tally().reach {
        ctx.ledger.set_reach(row.id, reach).await?;
    }
    let delta = ctx
        .ledger
        .record_changes(row, &good, records, now, same.is_some())
        .await?;
    if let Some(why) = same.filter(|_| delta.is_nothing()) {
        return freeze(ctx, feed, row, why, now).await;
    }
    if let Some(note) = moved(feed, body) {
        ctx.ledger.note_on_feed(row.id, &note).await?;
    }
    Ok(PollEnd::Recorded { delta, rejected })
}

/// The body is the one that was recorded last.
pub(super) async fn renew(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    word: Option<String>,
    now: UnixTime,
) -> Result<PollEnd, StageError> {
    let since = row.body_since.unwrap_or(now);
    if let Some(why) = frozen(feed.max_stale, since, now) {
        return freeze(ctx, feed, row, why, now).await;
    }
    let next = next_poll(feed, row, 0, None, now);
    note(ctx, row, FeedState::Good, word, next, now).await?;
    Ok(PollEnd::Unchanged)
}

pub(super) async fn freeze(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    why: String,
    now: UnixTime,
) -> Result<PollEnd, StageError> {
    let next = next_poll(feed, row, 0, None, now);
    note(ctx, row, FeedState::Frozen, Some(why.clone()), next, now).await?;
    Ok(PollEnd::Frozen(why))
}

/// Its publisher has ended it, or the catalogue knows so. It is asked once a day, for the case that it was a mistake.
pub(super) async fn retire(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    why: String,
) -> Result<PollEnd, StageError> {
    const AGAIN: Duration = Duration::from_secs(86_400);
    let now = ctx.clock.now();
    let trouble = format!("{why}. Its last listings end in their time; take it out of the config");
    let next = next_poll(feed, row, 0, Some(AGAIN), now);
    note(
        ctx,
        row,
        FeedState::Retired,
        Some(trouble.clone()),
        next,
        now,
    )
    .await?;
    Ok(PollEnd::Retired(trouble))
}

/// What to say of a feed whose address leads elsewhere for good.
pub(super) fn moved(feed: &Feed, body: &Body) -> Option<String> {
    let to = fetch::redact(body.moved_to.as_ref()?);
    Some(format!(
        "{} has moved for good to {to}: write that as its `url`, for the old address will not lead there for ever",
        feed.source
    ))
}

pub(super) async fn fail(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    trouble: String,
    retry_after: Option<Duration>,
    now: UnixTime,
) -> Result<PollEnd, StageError> {
    let next = next_poll(feed, row, row.failures + 1, retry_after, now);
    note(
        ctx,
        row,
        FeedState::Failed,
        Some(trouble.clone()),
        next,
        now,
    )
    .await?;
    Ok(PollEnd::Failed(trouble))
}

pub(super) async fn hold(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    body: &Body,
    doubt: String,
) -> Result<PollEnd, StageError> {
    let now = ctx.clock.now();
    let trouble = if body.stored > LARGEST_HELD {
        format!("{doubt}; the body is too large to be kept for an approval")
    } else {
        let bytes = body.bytes().map_err(StageError::Spool)?;
        ctx.ledger
            .hold_snapshot(row.id, &body.sha256, &bytes, &doubt, now)
            .await?;
        format!(
            "{doubt}; the last good listings stay. Look at it, then `feedwall approve {}` takes it",
            feed.name
        )
    };
    held(ctx, feed, row, trouble, now).await
}

/// A body of which nobody can say what it would have listed: it breaks off, or is a list that must not be read. It is
/// not kept, for no approval makes it whole.
pub(super) async fn hold_for_good(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    why: String,
    now: UnixTime,
) -> Result<PollEnd, StageError> {
    let trouble = format!("{why}; it cannot be approved, and the last good listings stay");
    held(ctx, feed, row, trouble, now).await
}

async fn held(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    trouble: String,
    now: UnixTime,
) -> Result<PollEnd, StageError> {
    let next = next_poll(feed, row, 0, None, now);
    note(ctx, row, FeedState::Held, Some(trouble.clone()), next, now).await?;
    Ok(PollEnd::Held(trouble))
}

/// Records a poll that changed no listing.
async fn note(
    ctx: &Context,
    row: &FeedRow,
    state: FeedState,
    trouble: Option<String>,
    next_poll: UnixTime,
    now: UnixTime,
) -> Result<(), StageError> {
    let outcome = PollOutcome {
        at: now,
        next_poll,
        state,
        trouble,
    };
    Ok(ctx.ledger.record_poll(row.id, &outcome).await?)
}

fn next_poll(
    feed: &Feed,
    row: &FeedRow,
    failures: u32,
    retry_after: Option<Duration>,
    now: UnixTime,
) -> UnixTime {
    let past = Past {
        last: now,
        polls: row.polls + 1,
        failures,
        retry_after,
    };
    fetch::next_poll(&feed.name, feed.interval, feed.floor, &past)
}
