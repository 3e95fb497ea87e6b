//! One attempt at one batch: written down, let go, sent, settled.

use std::sync::Arc;
use std::time::Duration;

use crate::cloud::{Keys, Place};
use crate::firewall::{self, Upshot};
use crate::ledger::{NewCall, Outcome};
use crate::model::UnixTime;
use crate::plan::Batch;
use crate::stage::{Context, StageError, trouble};

use super::link::{Link, correct_clock};

/// How often a batch is sent in one round.
pub(super) const ATTEMPTS: u32 = 6;

/// How long a batch rests after its first attempt; doubled after each, and less by chance.
const FIRST_REST: Duration = Duration::from_millis(200);

/// How long it rests at most.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// A batch and the number of its attempt in this round, from 1.
pub(super) struct Attempt {
    pub(super) batch: Batch,
    pub(super) number: u32,
}

/// What came of an attempt.
pub(super) struct Sent {
    pub(super) attempt: Attempt,
    pub(super) outcome: Outcome,
    pub(super) upshot: Upshot,
    pub(super) trouble: String,
    pub(super) keys: Arc<Keys>,
}

/// Lets a batch rest before its next attempt, the longer the more it has had, and not all of them alike.
pub(super) async fn rest(attempt: Attempt) -> Attempt {
    let doublings = attempt.number.saturating_sub(2).min(8);
    let longest = (FIRST_REST * 2u32.pow(doublings)).min(LONGEST_REST);
    tokio::time::sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
    attempt
}

/// One attempt at one batch. `None`: it waited so long that its EndTime is too near, and is planned anew.
pub(super) async fn send_one(
    ctx: &Context,
    link: &Link,
    keys: Arc<Keys>,
    attempt: Attempt,
    tries: u32,
    place: Place,
) -> Result<Option<Sent>, StageError> {
    let config = &link.config;
    let batch = &attempt.batch;
    let now = ctx.clock.now();
    let too_near = |end: UnixTime| end < now.plus(config.terms.min_term);
    if batch.end_time().is_some_and(too_near) {
        return Ok(None);
    }
    let entries = batch.entries();
    let call = NewCall {
        firewall: link.id,
        list: batch.list,
        action: batch.action(),
        end_time: batch.end_time(),
        entries: &entries,
        trial: batch.trial,
    };
    let id = ctx.ledger.journal(&call, ctx.clock.now_ms()).await?;
    let permit = place.permit().await;
    let told_with = ctx.clock.offset();
    let now = ctx.clock.now();
    let request = firewall::request(batch, config.time_zone, now);
    let reply = link.client.send(&request, &keys, permit, now).await;
    let (mut settlement, mut upshot) = firewall::settlement(&reply, tries, ctx.clock.now());
    let refused = matches!(
        settlement.outcome,
        Outcome::Refused { .. } | Outcome::Failed { .. }
    );
    if refused && batch.repeats() {
        // A strict cloud refuses to do again what it has done: no entry is under suspicion for that.
        settlement.outcome = Outcome::NotApplied;
        upshot = Upshot::ReadFirst;
    }
    // The clock first, so that the time of the settlement is right.
    if let Upshot::ClockOff { ahead } = upshot {
        correct_clock(ctx, told_with, ahead).await?;
    }
    ctx.ledger
        .settle(id, &settlement, ctx.clock.now_ms())
        .await?;
    Ok(Some(Sent {
        attempt,
        outcome: settlement.outcome,
        upshot,
        trouble: trouble::sentence(&reply.answer, &config.endpoint, &keys),
        keys,
    }))
}
