//! Sending a plan: deletes, then edits, then adds, as fast as the rate allows, each call written down before
//! it goes and settled when its answer comes.

mod attempt;
mod link;
mod round;

use std::collections::VecDeque;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cloud::Action as _;
use crate::cloud::cfw::ModifyBlockIgnoreList;
use crate::ledger::LEARNED_FOR;
use crate::model::{Action, UnixTime};
use crate::plan::Plan;

use super::{Context, StageError};

pub use link::{Link, recover};

use round::Round;

/// How far a round has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Calls of the round.
    pub calls: u64,
    /// Of those, the settled ones.
    pub calls_settled: u64,
    /// Entries of the round.
    pub entries: u64,
    /// Of those, the applied ones.
    pub entries_applied: u64,
}

/// What a round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendSummary {
    /// Calls sent.
    pub calls: u64,
    /// Calls applied.
    pub applied: u64,
    /// Entries added, edited and deleted.
    pub entries: [u64; 3],
    /// Why the round ended before its plan was done.
    pub stop: Option<Stop>,
}

/// Why a round ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The daemon is going down, or does not believe its clock any more.
    Cancelled,
    /// The lists are full: a new plan decides what stays.
    Full,
    /// Too many calls in a row were not taken; the firewall is left alone until then.
    Backoff(UnixTime, String),
    /// A person has to do something; it is tried again then.
    Halted(UnixTime, String),
}

/// How long a firewall that needs a person is left alone.
pub const HALT: Duration = Duration::from_secs(300);

/// The longest that a firewall is left alone after failures that pass by themselves.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// Sends a plan. What the cloud does not take stays wanted, and comes back with the next plan.
///
/// # Errors
/// When the ledger cannot be read or written: then nothing more is sent.
pub async fn turn(
    ctx: &Context,
    link: &Link,
    plan: Plan,
    cancel: &CancellationToken,
) -> Result<SendSummary, StageError> {
    let keys = match link.keys(ctx.clock.now()).await {
        Ok(keys) => keys,
        Err(StageError::Credentials(fault)) => return halt(ctx, link, fault.to_string()).await,
        Err(fault) => return Err(fault),
    };
    let limiter = link.limiter(&keys, ModifyBlockIgnoreList::NAME);
    let mut round = Round {
        ctx,
        link,
        keys,
        suspects: ctx.ledger.suspects(link.id).await?,
        summary: SendSummary::default(),
        failures_in_row: 0,
        new_keys: false,
        failures: super::replan::row(ctx, &link.config).await?.failures,
        repeats_refused: are_repeats_refused(ctx, link).await?,
        refused_repeat: None,
        no_room_for: None,
        last_trouble: String::new(),
    };
    link.progress.send_replace(Progress {
        calls: plan.batches.len() as u64,
        entries: plan.batches.iter().map(|batch| batch.len() as u64).sum(),
        ..Progress::default()
    });
    let mut batches = VecDeque::from(plan.batches);
    for action in Action::ALL {
        // Deletes are settled before the first add goes, for they make its place.
        let rest = batches.partition_point(|batch| batch.action() <= action);
        let later = batches.split_off(rest);
        round.send_all(batches, &limiter, cancel).await?;
        batches = later;
    }
    round.finish().await
}

async fn are_repeats_refused(ctx: &Context, link: &Link) -> Result<bool, StageError> {
    let since = ctx.clock.now().minus(LEARNED_FOR);
    let learned = ctx.ledger.learned(link.id, since).await?;
    Ok(learned.iter().any(|(subject, ..)| subject == "repeats"))
}

/// A firewall without keys: nothing can be sent until there are some.
async fn halt(ctx: &Context, link: &Link, trouble: String) -> Result<SendSummary, StageError> {
    let now = ctx.clock.now();
    let until = now.plus(HALT);
    ctx.ledger
        .hold_firewall(link.id, until, &trouble, now)
        .await?;
    Ok(SendSummary {
        stop: Some(Stop::Halted(until, trouble)),
        ..SendSummary::default()
    })
}

/// Full jitter under a doubling cap, and never less than a second.
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    let cap = Duration::from_secs(2u64.saturating_pow(failures.min(16) + 1)).min(LONGEST_BACKOFF);
    Duration::from_secs(1) + cap.mul_f64(fastrand::f64())
}
