//! Sending a plan: deletes, then edits, then adds, as fast as the rate allows, each call written down before
//! it goes and settled when its answer comes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cloud::cfw::ModifyBlockIgnoreList;
use crate::cloud::{
    self, Action as _, Client, Credentials, Keys, Limiter, Limits, Place, Predecessor, Reply,
    Retry, Surroundings, Verdict,
};
use crate::config::Firewall;
use crate::firewall::{self, Upshot};
use crate::ledger::{NewCall, Outcome};
use crate::model::{Action, UnixTime};
use crate::plan::{Batch, Plan, Suspects};

use super::{Context, StageError, trouble};

/// A firewall at run time.
pub struct Link {
    /// Its key in the ledger.
    pub id: i64,
    /// Its part of the config.
    pub config: Firewall,
    client: Client,
    credentials: Credentials,
    limits: Arc<Limits>,
    /// The cloud stopped us: before the next try the keys are looked for anew.
    stopped: AtomicBool,
    /// How far the present round has come, for whoever watches.
    pub progress: watch::Sender<Progress>,
}

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
    /// A repeated call was refused: the lists must be read before anything else is believed.
    ReadFirst,
    /// Too many calls in a row were not taken; the firewall is left alone until then.
    Backoff(UnixTime, String),
    /// A person has to do something; it is tried again then.
    Halted(UnixTime, String),
}

/// Calls in a row that may fail before the firewall is left alone.
const PATIENCE: u32 = 20;

/// What a call that reached nobody counts for among those.
const UNREACHABLE: u32 = 7;

/// How long a firewall that needs a person is left alone.
pub const HALT: Duration = Duration::from_secs(300);

/// The longest that a firewall is left alone after failures that pass by themselves.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// A round that is under way.
struct Round<'a> {
    ctx: &'a Context,
    link: &'a Link,
    keys: Arc<Keys>,
    suspects: Suspects,
    summary: SendSummary,
    failures_in_row: u32,
    new_keys: bool,
    last_trouble: String,
}

/// What came of one batch.
struct Sent {
    action: Action,
    entries: u64,
    outcome: Outcome,
    upshot: Upshot,
    trouble: String,
    told_with: i64,
}

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
            limits,
            config,
            stopped: AtomicBool::new(false),
            progress: watch::Sender::default(),
        })
    }

    /// The keys to sign with, and where they came from.
    ///
    /// # Errors
    /// When there are none.
    pub async fn keys(&self, now: UnixTime) -> Result<Arc<Keys>, StageError> {
        Ok(if self.stopped.swap(false, Ordering::Relaxed) {
            self.credentials.fetch_again(now).await?
        } else {
            self.credentials.keys(now).await?
        })
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
        match reply.verdict() {
            Verdict::Resign { ahead } => correct_clock(ctx, told_with, ahead),
            Verdict::Reauthenticate => drop(self.credentials.fetch_again(ctx.clock.now()).await),
            Verdict::Retry(Retry::Slower { limit }) => {
                self.limiter(&keys, A::NAME).slow_down(limit);
            }
            Verdict::Stop => self.stopped.store(true, Ordering::Relaxed),
            _ => {}
        }
        let told = trouble::sentence(&reply.answer, &self.config.endpoint, &keys);
        Ok((reply, told))
    }

    fn limiter(&self, keys: &Keys, action: &str) -> Arc<Limiter> {
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
    if let (Some(last), Ok(keys)) = (
        ctx.ledger.last_call().await?,
        link.keys(ctx.clock.now()).await,
    ) {
        let age = u64::try_from(now_ms.saturating_sub(last.at_ms)).unwrap_or(0) / 1000;
        let age = Duration::from_secs(age);
        link.limiter(&keys, ModifyBlockIgnoreList::NAME)
            .resume_after(if last.unsettled {
                Predecessor::Unanswered(age)
            } else {
                Predecessor::Answered(age)
            });
    }
    Ok(ctx.ledger.settle_abandoned(link.id, now_ms).await?)
}

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

impl Round<'_> {
    async fn send_all(
        &mut self,
        mut batches: VecDeque<Batch>,
        limiter: &Arc<Limiter>,
        cancel: &CancellationToken,
    ) -> Result<(), StageError> {
        let mut under_way = FuturesUnordered::new();
        loop {
            let stopped = cancel.is_cancelled() || self.ctx.clock.doubt().is_some();
            if self.summary.stop.is_none() && stopped {
                self.summary.stop = Some(Stop::Cancelled);
            }
            let more = !batches.is_empty() && self.summary.stop.is_none();
            tokio::select! {
                biased;
                Some(sent) = under_way.next(), if !under_way.is_empty() => {
                    if let Some(sent) = sent? {
                        self.note(&sent, limiter).await?;
                    }
                }
                () = cancel.cancelled(), if more => {}
                place = limiter.place(), if more => {
                    if let Some(batch) = batches.pop_front() {
                        let tries = self.tries(&batch);
                        let one = send_one(self.ctx, self.link, Arc::clone(&self.keys), batch, tries, place);
                        under_way.push(one);
                    }
                }
                else => return Ok(()),
            }
        }
    }

    /// How often the entries of a batch failed together before.
    fn tries(&self, batch: &Batch) -> u32 {
        batch
            .trial
            .and_then(|trial| self.suspects.trials.get(&trial))
            .map_or(0, |(trial, _)| trial.tries)
    }

    async fn note(&mut self, sent: &Sent, limiter: &Limiter) -> Result<(), StageError> {
        self.summary.calls += 1;
        let applied = sent.outcome == Outcome::Applied;
        if applied {
            self.summary.applied += 1;
            self.summary.entries[sent.action as usize] += sent.entries;
        }
        self.link.progress.send_modify(|progress| {
            progress.calls_settled += 1;
            progress.entries_applied += if applied { sent.entries } else { 0 };
        });
        if sent.upshot != Upshot::Fine {
            self.last_trouble.clone_from(&sent.trouble);
        }
        match &sent.upshot {
            Upshot::Fine => self.failures_in_row = 0,
            Upshot::Trouble { unreachable } => {
                self.failures_in_row += if *unreachable { UNREACHABLE } else { 1 };
            }
            Upshot::TooFast { limit } => {
                limiter.slow_down(*limit);
                self.failures_in_row += 1;
            }
            Upshot::Full => self.full().await?,
            Upshot::NewKeys => self.renew_keys(&sent.trouble).await,
            Upshot::ClockOff { ahead } => {
                correct_clock(self.ctx, sent.told_with, *ahead);
                self.failures_in_row += 1;
            }
            Upshot::ReadFirst => self.read_first(&sent.trouble).await?,
            Upshot::Halt => {
                self.link.stopped.store(true, Ordering::Relaxed);
                self.stop_at(HALT, Stop::Halted, sent.trouble.clone());
            }
        }
        if self.failures_in_row >= PATIENCE && self.summary.stop.is_none() {
            self.back_off().await?;
        }
        Ok(())
    }

    /// The list is full: as many places as it has are held now.
    async fn full(&mut self) -> Result<(), StageError> {
        let now = self.ctx.clock.now();
        let counts = self.ctx.ledger.lease_counts(self.link.id, now).await?;
        let row = super::replan::row(self.ctx, &self.link.config).await?;
        let places = i64::try_from(counts.held + row.foreign).unwrap_or(i64::MAX);
        self.ctx
            .ledger
            .learn(self.link.id, "quota", Some(places), &self.last_trouble, now)
            .await?;
        self.summary.stop.get_or_insert(Stop::Full);
        Ok(())
    }

    async fn read_first(&mut self, trouble: &str) -> Result<(), StageError> {
        let why = format!("a repeated call was refused ({trouble})");
        self.ctx.ledger.want_read(self.link.id, &why).await?;
        self.summary.stop.get_or_insert(Stop::ReadFirst);
        Ok(())
    }

    async fn renew_keys(&mut self, trouble: &str) {
        let again = std::mem::replace(&mut self.new_keys, true);
        if !again
            && let Ok(keys) = self
                .link
                .credentials
                .fetch_again(self.ctx.clock.now())
                .await
        {
            self.keys = keys;
            return;
        }
        // Calls that were under way with the old keys say the same once more.
        self.failures_in_row += 1;
        if self.failures_in_row >= PATIENCE {
            self.stop_at(HALT, Stop::Halted, trouble.to_owned());
        }
    }

    async fn back_off(&mut self) -> Result<(), StageError> {
        let row = super::replan::row(self.ctx, &self.link.config).await?;
        let wait = backoff(row.failures);
        let trouble = format!("calls are not taken at present: {}", self.last_trouble);
        self.stop_at(wait, Stop::Backoff, trouble);
        Ok(())
    }

    fn stop_at(&mut self, wait: Duration, why: fn(UnixTime, String) -> Stop, trouble: String) {
        let until = self.ctx.clock.now().plus(wait);
        self.summary.stop.get_or_insert(why(until, trouble));
    }

    async fn finish(mut self) -> Result<SendSummary, StageError> {
        let nothing_taken = self.summary.applied == 0 && self.failures_in_row > 0;
        if nothing_taken && self.summary.stop.is_none() {
            self.back_off().await?;
        }
        let (ledger, id) = (&self.ctx.ledger, self.link.id);
        let now = self.ctx.clock.now();
        match &self.summary.stop {
            Some(Stop::Backoff(until, trouble) | Stop::Halted(until, trouble)) => {
                ledger.hold_firewall(id, *until, trouble, now).await?;
            }
            _ if self.summary.applied > 0 => ledger.release_firewall(id).await?,
            _ => {}
        }
        Ok(self.summary)
    }
}

/// Takes the cloud's word for the time from now on, and says so once.
fn correct_clock(ctx: &Context, told_with: i64, ahead: i64) {
    if ctx.clock.correct(told_with, ahead) {
        tracing::warn!(
            seconds = ahead,
            "this machine's clock is off by this much against the cloud's; calls are signed with the cloud's time. Set the clock right"
        );
    }
}

/// One attempt at one batch. `None`: it waited so long that its EndTime is too near, and is planned anew.
async fn send_one(
    ctx: &Context,
    link: &Link,
    keys: Arc<Keys>,
    batch: Batch,
    tries: u32,
    place: Place,
) -> Result<Option<Sent>, StageError> {
    let config = &link.config;
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
    let request = firewall::request(&batch, config.time_zone, now);
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
    ctx.ledger
        .settle(id, &settlement, ctx.clock.now_ms())
        .await?;
    Ok(Some(Sent {
        action: batch.action(),
        entries: entries.len() as u64,
        outcome: settlement.outcome,
        upshot,
        trouble: trouble::sentence(&reply.answer, &config.endpoint, &keys),
        told_with,
    }))
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
