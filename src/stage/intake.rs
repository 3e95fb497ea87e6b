//! One feed's turn: fetch, compare, parse, judge, record.

mod end;

use std::io::{self, Read as _};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Feed;
use crate::fetch::{Body, Fetched, Fetcher, Limits, Validators};
use crate::ledger::{Delta, FeedRow, FeedState, LedgerError};
use crate::model::{FeedTerms, Mode, Name};
use crate::parse::{Recipe, Snapshot, Text};

use self::end::{fail, freeze, hold, hold_for_good, moved, record, renew, retire};
use super::contract;
use super::frozen;
use super::{Context, StageError};

/// What a poll did.
#[derive(Clone, Debug)]
pub struct PollSummary {
    /// Which feed.
    pub feed: Name,
    /// Nothing had been recorded of it before.
    pub first: bool,
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
    /// The body has been the same for too long, so that it renews nothing.
    Frozen(String),
    /// The publisher has ended the feed.
    Retired(String),
}

/// A parsed body and what the contract asks of it.
struct Parsed {
    snapshot: Snapshot,
    html: bool,
    /// The beginning of the body, where it may say when it was made.
    head: Vec<u8>,
}

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
    let end = match (feed.retired, approved_body(ctx, fetcher, &row).await?) {
        (_, Some(body)) => record_approved(ctx, feed, &row, body).await?,
        (Some(why), None) => retire(ctx, feed, &row, why.to_owned()).await?,
        (None, None) => poll(ctx, fetcher, feed, &row).await?,
    };
    Ok(PollSummary {
        feed: feed.name.clone(),
        first: row.last_good.is_none(),
        end,
        took: begun.elapsed(),
    })
}

/// Whether a poll changed what the plan is made of. That a feed was heard at all is much: plans wait for guard lists.
#[must_use]
pub fn changed(summary: &PollSummary) -> bool {
    match &summary.end {
        PollEnd::Recorded { delta, .. } => summary.first || !delta.is_nothing(),
        PollEnd::Unchanged
        | PollEnd::Held(_)
        | PollEnd::Failed(_)
        | PollEnd::Frozen(_)
        | PollEnd::Retired(_) => false,
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
        Err(fault) if fault.is_gone() => {
            return retire(ctx, feed, row, fault.to_string()).await;
        }
        Err(fault) => {
            let retry_after = fault.retry_after();
            return fail(ctx, feed, row, fault.to_string(), retry_after, now).await;
        }
        Ok(Fetched::NotModified) => {
            // Where the feed has moved to, an answer without a body does not say again.
            let note = row.trouble.clone().filter(|_| row.state == FeedState::Good);
            return renew(ctx, feed, row, note, now).await;
        }
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
        return renew(ctx, feed, row, moved(feed, &body), now).await;
    }
    let (body, parsed) = match parse(body, feed).await? {
        (body, Ok(parsed)) => (body, parsed),
        (_, Err(fault)) => {
            let trouble = format!("the body cannot be read: {fault}");
            return fail(ctx, feed, row, trouble, None, now).await;
        }
    };
    if let Some(why) = contract::unreadable(&parsed.snapshot) {
        return hold_for_good(ctx, feed, row, why, now).await;
    }
    let first = row.body_sha256.is_none();
    let word = frozen::Word {
        head: &parsed.head,
        field: parsed.snapshot.tally().made_at,
        last_modified: body.validators.last_modified.as_deref(),
    };
    let frozen = frozen::by_its_word(feed.max_stale, first, &word, now);
    if let Some(why) = frozen {
        return freeze(ctx, feed, row, why, now).await;
    }
    let before = row.last_good.map(|_| row.listed);
    let facts = contract::facts(&parsed.snapshot, parsed.html, before);
    match contract::judge(&feed.brakes, mode, &facts) {
        Ok(()) => record(ctx, feed, row, &body, parsed.snapshot, false).await,
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
    let (body, parsed) = match parse(body, feed).await? {
        (body, Ok(parsed)) => (body, parsed),
        (_, Err(fault)) => {
            let trouble = format!("the approved body cannot be read: {fault}");
            return fail(ctx, feed, row, trouble, None, now).await;
        }
    };
    match contract::unreadable(&parsed.snapshot) {
        Some(why) => fail(ctx, feed, row, why, None, now).await,
        None => record(ctx, feed, row, &body, parsed.snapshot, true).await,
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
    let mut head = Vec::new();
    body.reader(limits)?
        .take(frozen::HEAD)
        .read_to_end(&mut head)?;
    let mut reader = body.reader(limits)?;
    let text = Text {
        body: &mut reader,
        ends_surely: body.ends_surely,
    };
    Ok(Parsed {
        snapshot: Snapshot::read(recipe, text, most)?,
        html: contract::looks_like_html(&head),
        head,
    })
}
