//! One feed's turn: fetch, compare, parse, judge, record.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Feed;
use crate::fetch::{self, Body, Fetched, Fetcher, Limits, Past, Validators};
use crate::ledger::{Delta, FeedRow, FeedState, GoodBody, LedgerError, PollOutcome};
use crate::model::{FeedTerms, Mode, Name, UnixTime};
use crate::parse::{Recipe, Record, Snapshot, Text};

use super::contract::{self, Facts};
use super::{Context, StageError};

/// What a poll did.
#[derive(Clone, Debug)]
pub struct PollSummary {
    /// Which feed.
    pub feed: Name,
    /// How it ended.
    pub end: PollEnd,
    /// From asking to recorded.
    pub took: Duration,
}

/// How a poll ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollEnd {
    /// The publisher says, or the body shows, that nothing changed.
    Unchanged,
    /// A body was recorded.
    Recorded {
        /// What it changed.
        delta: Delta,
        /// Rows that were rejected.
        rejected: u64,
    },
    /// The body is not believed; it waits for the operator.
    Held(String),
    /// There is no body.
    Failed(String),
}

/// A parsed body and what the contract asks of it.
struct Parsed {
    snapshot: Snapshot,
    html: bool,
}

/// Bodies larger than this are not kept while they are held.
const LARGEST_HELD: u64 = 64 << 20;

/// Polls one feed and records what it brings. A feed that fails is part of the summary, not an error.
///
/// # Errors
/// When the ledger cannot be read or written.
pub async fn turn(
    ctx: &Context,
    fetcher: &Fetcher,
    feed: &Feed,
) -> Result<PollSummary, StageError> {
    let begun = Instant::now();
    let row =
        ctx.ledger.feed(&feed.name).await?.ok_or_else(|| {
            LedgerError::Row(format!("the feed {} was never configured", feed.name))
        })?;
    let end = match approved_body(ctx, fetcher, &row).await? {
        Some(body) => record_approved(ctx, feed, &row, body).await?,
        None => poll(ctx, fetcher, feed, &row).await?,
    };
    Ok(PollSummary {
        feed: feed.name.clone(),
        end,
        took: begun.elapsed(),
    })
}

/// Whether a poll changed what the plan is made of.
#[must_use]
pub fn changed(summary: &PollSummary) -> bool {
    match &summary.end {
        PollEnd::Recorded { delta, .. } => {
            delta.added + delta.relisted + delta.renewed + delta.delisted > 0
        }
        PollEnd::Unchanged | PollEnd::Held(_) | PollEnd::Failed(_) => false,
    }
}

async fn poll(
    ctx: &Context,
    fetcher: &Fetcher,
    feed: &Feed,
    row: &FeedRow,
) -> Result<PollEnd, StageError> {
    let recipe = feed.recipe.fingerprint();
    let known = row.recipe.as_ref() == Some(&recipe);
    let mut validators = if known {
        row.validators.clone()
    } else {
        Validators::default()
    };
    if feed.terms.mode == Mode::Snapshot {
        // Only what was added since would be no snapshot.
        validators.cursor = None;
    }
    let fetched = fetcher.fetch(&feed.source, &validators, &feed.limits).await;
    let now = ctx.clock.now();
    let body = match fetched {
        Err(fault) => {
            let retry_after = fault.retry_after();
            return fail(ctx, feed, row, fault.to_string(), retry_after, now).await;
        }
        Ok(Fetched::NotModified) => return renew(ctx, feed, row, now).await,
        Ok(Fetched::Body(body)) => *body,
    };
    for note in &body.notes {
        tracing::warn!(feed = %feed.name, note, "a note on the fetch");
    }
    // A body that only adds says nothing of what it does not hold.
    let mode = if body.additions {
        Mode::Incremental
    } else {
        feed.terms.mode
    };
    let row = &FeedRow {
        terms: FeedTerms {
            mode,
            ..row.terms.clone()
        },
        ..row.clone()
    };
    if known && row.body_sha256.as_deref() == Some(body.sha256.as_slice()) {
        return renew(ctx, feed, row, now).await;
    }
    let (body, parsed) = match parse(body, feed).await? {
        (body, Ok(parsed)) => (body, parsed),
        (_, Err(fault)) => {
            let trouble = format!("the body cannot be read: {fault}");
            return fail(ctx, feed, row, trouble, None, now).await;
        }
    };
    match contract::judge(&feed.brakes, mode, &facts(&parsed, row)) {
        Ok(()) => record(ctx, feed, row, &body, parsed.snapshot).await,
        Err(doubt) => hold(ctx, feed, row, &body, doubt.to_string()).await,
    }
}

/// The body that the operator approved, if there is one.
async fn approved_body(
    ctx: &Context,
    fetcher: &Fetcher,
    row: &FeedRow,
) -> Result<Option<Body>, StageError> {
    let held = ctx.ledger.held_snapshot(row.id).await?;
    if held.is_none_or(|held| held.approved_at.is_none()) {
        return Ok(None);
    }
    let Some(bytes) = ctx.ledger.held_body(row.id).await? else {
        return Ok(None);
    };
    Ok(Some(fetcher.kept(&bytes)?))
}

async fn record_approved(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    body: Body,
) -> Result<PollEnd, StageError> {
    let now = ctx.clock.now();
    match parse(body, feed).await? {
        (body, Ok(parsed)) => record(ctx, feed, row, &body, parsed.snapshot).await,
        (_, Err(fault)) => {
            let trouble = format!("the approved body cannot be read: {fault}");
            fail(ctx, feed, row, trouble, None, now).await
        }
    }
}

async fn record(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    body: &Body,
    snapshot: Snapshot,
) -> Result<PollEnd, StageError> {
    let now = ctx.clock.now();
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
        Box::new(snapshot.rows().map(crate::parse::Row::to_record));
    let delta = ctx.ledger.record_body(row, &good, records, now).await?;
    Ok(PollEnd::Recorded { delta, rejected })
}

async fn renew(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    now: UnixTime,
) -> Result<PollEnd, StageError> {
    let outcome = PollOutcome {
        at: now,
        next_poll: next_poll(feed, row, 0, None, now),
        state: FeedState::Good,
        trouble: None,
    };
    ctx.ledger.record_poll(row.id, &outcome).await?;
    Ok(PollEnd::Unchanged)
}

async fn fail(
    ctx: &Context,
    feed: &Feed,
    row: &FeedRow,
    trouble: String,
    retry_after: Option<Duration>,
    now: UnixTime,
) -> Result<PollEnd, StageError> {
    let outcome = PollOutcome {
        at: now,
        next_poll: next_poll(feed, row, row.failures + 1, retry_after, now),
        state: FeedState::Failed,
        trouble: Some(trouble.clone()),
    };
    ctx.ledger.record_poll(row.id, &outcome).await?;
    Ok(PollEnd::Failed(trouble))
}

async fn hold(
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
    let outcome = PollOutcome {
        at: now,
        next_poll: next_poll(feed, row, 0, None, now),
        state: FeedState::Held,
        trouble: Some(trouble.clone()),
    };
    ctx.ledger.record_poll(row.id, &outcome).await?;
    Ok(PollEnd::Held(trouble))
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

fn facts(parsed: &Parsed, row: &FeedRow) -> Facts {
    let snapshot = &parsed.snapshot;
    Facts {
        indicators: snapshot.len() as u64,
        overflowed: snapshot.overflowed(),
        rows: snapshot.tally().rows,
        rejected: snapshot.rejects().total(),
        html: parsed.html,
        before: row.last_good.map(|_| row.listed),
    }
}

/// Parses on a thread of its own: it is work for a processor, and not short.
async fn parse(body: Body, feed: &Feed) -> Result<(Body, io::Result<Parsed>), StageError> {
    let (recipe, limits) = (feed.recipe.clone(), feed.limits.clone());
    let most = usize::try_from(feed.brakes.max_entries).unwrap_or(usize::MAX);
    tokio::task::spawn_blocking(move || {
        let parsed = parse_here(&body, &recipe, &limits, most);
        (body, parsed)
    })
    .await
    .map_err(|fault| StageError::Task(fault.to_string()))
}

fn parse_here(body: &Body, recipe: &Recipe, limits: &Limits, most: usize) -> io::Result<Parsed> {
    // By a reader of its own: the first look into a body may give no more than a few bytes.
    let html = contract::begins_like_html(body.reader(limits)?)?;
    let mut reader = body.reader(limits)?;
    let text = Text {
        body: &mut reader,
        ends_surely: body.ends_surely,
    };
    Ok(Parsed {
        snapshot: Snapshot::read(recipe, text, most)?,
        html,
    })
}
