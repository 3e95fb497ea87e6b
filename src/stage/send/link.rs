//! A firewall at run time: its client, its keys, its limiters, and what a predecessor left of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::cloud::cfw::{DescribeBlockIgnoreList, ModifyBlockIgnoreList};
use crate::cloud::{
    self, Action as _, Client, Credentials, Keys, Limiter, Limits, Predecessor, Reply, Retry,
    Surroundings, Verdict,
};
use crate::config::Firewall;
use crate::model::UnixTime;
use crate::stage::{Context, StageError, replan, trouble};

use super::Progress;

/// A firewall at run time.
pub struct Link {
    /// Its key in the ledger.
    pub id: i64,
    /// Its part of the config.
    pub config: Firewall,
    pub(super) client: Client,
    pub(super) credentials: Credentials,
    /// The keys were refused: they are fetched again before the next try.
    pub(super) refused_keys: AtomicBool,
    limits: Arc<Limits>,
    /// How far the present round has come, for whoever watches.
    pub progress: watch::Sender<Progress>,
}

/// A reading that began longer ago than this is over.
const LONGEST_READING: Duration = Duration::from_secs(600);

impl Link {
    /// Connects nothing yet.
    ///
    /// # Errors
    /// When the endpoint will not do.
    pub fn new(
        id: i64,
        config: Firewall,
        limits: Arc<Limits>,
        around: Surroundings,
    ) -> Result<Self, StageError> {
        let client = Client::new(&config.endpoint)?;
        let credentials = Credentials::new(config.credentials.clone(), around)
            .map_err(crate::cloud::ClientError::from)?;
        Ok(Self {
            id,
            client,
            credentials,
            refused_keys: AtomicBool::new(false),
            limits,
            config,
            progress: watch::Sender::default(),
        })
    }

    /// The keys to sign with, and where they came from.
    ///
    /// # Errors
    /// When there are none.
    pub async fn keys(&self, now: UnixTime) -> Result<Arc<Keys>, StageError> {
        if self.refused_keys.swap(false, Ordering::Relaxed) {
            return Ok(self.credentials.fetch_again(now).await?);
        }
        Ok(self.credentials.keys(now).await?)
    }

    /// Sends one reading call, on its own permits. Gives the reply, and what it means in a sentence.
    ///
    /// # Errors
    /// When there are no keys.
    pub async fn ask<A: cloud::Action>(
        &self,
        ctx: &Context,
        call: &A,
    ) -> Result<(Reply<A::Response>, String), StageError> {
        let keys = self.keys(ctx.clock.now()).await?;
        let permit = self.limiter(&keys, A::NAME).place().await.permit().await;
        let told_with = ctx.clock.offset();
        let reply = self.client.send(call, &keys, permit, ctx.clock.now()).await;
        // A round of readings has no calls to count, but it moves.
        self.progress.send_modify(|_| {});
        match reply.verdict() {
            Verdict::Resign { ahead } => correct_clock(ctx, told_with, ahead).await?,
            Verdict::Reauthenticate | Verdict::Stop => {
                self.refused_keys.store(true, Ordering::Relaxed);
            }
            Verdict::Retry(Retry::Slower { limit }) => {
                self.limiter(&keys, A::NAME).slow_down(limit);
            }
            _ => {}
        }
        let told = trouble::sentence(&reply.answer, &self.config.endpoint, &keys);
        Ok((reply, told))
    }

    pub(super) fn limiter(&self, keys: &Keys, action: &str) -> Arc<Limiter> {
        let endpoint = self.client.endpoint();
        self.limits
            .of(keys.account(), endpoint, action, self.config.rate)
    }
}

/// Settles what a predecessor left open, and keeps its calls and ours out of the same second. Returns how
/// many calls it left without an answer.
///
/// # Errors
/// When the ledger cannot be read or written.
pub async fn recover(ctx: &Context, link: &Link) -> Result<usize, StageError> {
    let now_ms = ctx.clock.now_ms();
    let keys = link.keys(ctx.clock.now()).await.ok();
    if let (Some(last), Some(keys)) = (ctx.ledger.last_call().await?, &keys) {
        let age = u64::try_from(now_ms.saturating_sub(last.at_ms)).unwrap_or(0) / 1000;
        let age = Duration::from_secs(age);
        link.limiter(keys, ModifyBlockIgnoreList::NAME)
            .resume_after(if last.unsettled {
                Predecessor::Unanswered(age)
            } else {
                Predecessor::Answered(age)
            });
    }
    if let (Some(reader), Some(keys)) = (last_reader(ctx, link).await?, &keys) {
        link.limiter(keys, DescribeBlockIgnoreList::NAME)
            .resume_after(reader);
    }
    Ok(ctx.ledger.settle_abandoned(link.id, now_ms).await?)
}

/// When a predecessor last read: its reading calls are in no journal, but its readings have a beginning and an end.
async fn last_reader(ctx: &Context, link: &Link) -> Result<Option<Predecessor>, StageError> {
    let row = replan::row(ctx, &link.config).await?;
    Ok(match (row.reading_since, row.read_at) {
        (Some(_), _) => Some(Predecessor::Unanswered(Duration::ZERO)),
        // It ended some time after it began.
        (None, Some(at)) if ctx.clock.now().since(at) < LONGEST_READING => {
            Some(Predecessor::Answered(Duration::ZERO))
        }
        _ => None,
    })
}

/// Takes the cloud's word for the time from now on, says so once, and remembers it for the next run.
pub(super) async fn correct_clock(
    ctx: &Context,
    told_with: i64,
    ahead: i64,
) -> Result<(), StageError> {
    if ctx.clock.correct(told_with, ahead) {
        tracing::warn!(
            seconds = ahead,
            "this machine's clock is off by this much against the cloud's; calls are signed with the cloud's time. Set the clock right"
        );
        ctx.ledger.remember_clock_offset(ctx.clock.offset()).await?;
    }
    Ok(())
}
