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

use crate::cloud::cfw::{DescribeBlockIgnoreList, ModifyBlockIgnoreList};
use crate::cloud::{
    self, Action as _, Client, Credentials, Keys, Limiter, Limits, Place, Predecessor, Reply,
    Retry, Surroundings, Verdict,
};
use crate::config::Firewall;
use crate::firewall::{self, Upshot};
use crate::ledger::{LEARNED_FOR, NewCall, Outcome};
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
    /// The keys were refused: they are fetched again before the next try.
    refused_keys: AtomicBool,
    limits: Arc<Limits>,
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
    /// Too many calls in a row were not taken; the firewall is left alone until then.
    Backoff(UnixTime, String),
    /// A person has to do something; it is tried again then.
    Halted(UnixTime, String),
}

/// Calls in a row that may fail before the firewall is left alone.
const PATIENCE: u32 = 20;

/// What a call that reached nobody counts for among those.
const UNREACHABLE: u32 = 7;

/// How often a batch is sent in one round.
const ATTEMPTS: u32 = 6;

/// How long a batch rests after its first attempt; doubled after each, and less by chance.
const FIRST_REST: Duration = Duration::from_millis(200);

/// How long it rests at most.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// How long a firewall that needs a person is left alone.
pub const HALT: Duration = Duration::from_secs(300);

/// A reading that began longer ago than this is over.
const LONGEST_READING: Duration = Duration::from_secs(600);

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
    /// How often in a row the firewall was left alone before this round.
    failures: u32,
    /// To do again what has been done is refused: what had no answer waits for a reading.
    repeats_refused: bool,
    /// Why that is believed, where this round found it out.
    refused_repeat: Option<String>,
    /// Entries of the smallest call for which there was no room.
    no_room_for: Option<u64>,
    last_trouble: String,
}

/// A batch and the number of its attempt in this round, from 1.
struct Attempt {
    batch: Batch,
    number: u32,
}

/// What came of an attempt.
struct Sent {
    attempt: Attempt,
    outcome: Outcome,
    upshot: Upshot,
    trouble: String,
    told_with: i64,
    keys: Arc<Keys>,
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
            Verdict::Resign { ahead } => correct_clock(ctx, told_with, ahead),
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
    let row = super::replan::row(ctx, &link.config).await?;
    Ok(match (row.reading_since, row.read_at) {
        (Some(_), _) => Some(Predecessor::Unanswered(Duration::ZERO)),
        // It ended some time after it began.
        (None, Some(at)) if ctx.clock.now().since(at) < LONGEST_READING => {
            Some(Predecessor::Answered(Duration::ZERO))
        }
        _ => None,
    })
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

impl Round<'_> {
    async fn send_all(
        &mut self,
        batches: VecDeque<Batch>,
        limiter: &Arc<Limiter>,
        cancel: &CancellationToken,
    ) -> Result<(), StageError> {
        let first = |batch| Attempt { batch, number: 1 };
        let mut ready: VecDeque<Attempt> = batches.into_iter().map(first).collect();
        let mut under_way = FuturesUnordered::new();
        let mut resting = FuturesUnordered::new();
        loop {
            let stopped = cancel.is_cancelled() || self.ctx.clock.doubt().is_some();
            if stopped {
                self.summary.stop.get_or_insert(Stop::Cancelled);
            }
            if self.summary.stop.is_some() {
                ready.clear();
                resting.clear();
            }
            tokio::select! {
                biased;
                Some(sent) = under_way.next(), if !under_way.is_empty() => {
                    if let Some(sent) = sent?
                        && let Some(again) = self.note(sent, limiter).await
                    {
                        resting.push(rest(again));
                    }
                }
                Some(attempt) = resting.next(), if !resting.is_empty() => ready.push_back(attempt),
                () = cancel.cancelled(), if !ready.is_empty() || !resting.is_empty() => {}
                place = limiter.place(), if !ready.is_empty() => {
                    if let Some(attempt) = self.next(&mut ready) {
                        let tries = self.tries(&attempt.batch);
                        let keys = Arc::clone(&self.keys);
                        under_way.push(send_one(self.ctx, self.link, keys, attempt, tries, place));
                    }
                }
                else => return Ok(()),
            }
        }
    }

    /// The next batch that may go; one whose repetition would be refused waits for a reading, and for the plan after.
    fn next(&self, ready: &mut VecDeque<Attempt>) -> Option<Attempt> {
        let may_go = |attempt: &Attempt| !(self.repeats_refused && attempt.batch.repeats());
        std::iter::from_fn(|| ready.pop_front()).find(may_go)
    }

    /// How often the entries of a batch failed together before.
    fn tries(&self, batch: &Batch) -> u32 {
        batch
            .trial
            .and_then(|trial| self.suspects.trials.get(&trial))
            .map_or(0, |(trial, _)| trial.tries)
    }

    /// Takes note of what came of an attempt, and gives the next one at the same batch, where there is to be one.
    ///
    /// It must not wait for the ledger: a call that is under way may hold the one connection that writes, and nobody
    /// looks after it meanwhile.
    async fn note(&mut self, sent: Sent, limiter: &Limiter) -> Option<Attempt> {
        let (action, entries) = (sent.attempt.batch.action(), sent.attempt.batch.len() as u64);
        self.summary.calls += 1;
        let applied = sent.outcome == Outcome::Applied;
        if applied {
            self.summary.applied += 1;
            self.summary.entries[action as usize] += entries;
        }
        self.link.progress.send_modify(|progress| {
            progress.calls_settled += 1;
            progress.entries_applied += if applied { entries } else { 0 };
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
            Upshot::Full => self.full(entries),
            Upshot::NewKeys => self.renew_keys(&sent).await,
            Upshot::ClockOff { ahead } => {
                correct_clock(self.ctx, sent.told_with, *ahead);
                self.failures_in_row += 1;
            }
            Upshot::ReadFirst => self.read_first(&sent.trouble),
            Upshot::Halt => self.halt(sent.trouble.clone()),
        }
        if self.failures_in_row >= PATIENCE && self.summary.stop.is_none() {
            self.back_off();
        }
        self.again(sent)
    }

    /// The next attempt at a batch of which nothing but the cloud's trouble is known.
    fn again(&self, sent: Sent) -> Option<Attempt> {
        let Attempt { batch, number } = sent.attempt;
        let batch = match (sent.outcome, sent.upshot) {
            (Outcome::Unknown, _) if !self.repeats_refused => batch.in_doubt(),
            (
                Outcome::NotApplied,
                Upshot::Trouble { .. }
                | Upshot::TooFast { .. }
                | Upshot::NewKeys
                | Upshot::ClockOff { .. },
            ) => batch,
            _ => return None,
        };
        if number >= ATTEMPTS || self.summary.stop.is_some() {
            return None;
        }
        self.link
            .progress
            .send_modify(|progress| progress.calls += 1);
        let number = number + 1;
        Some(Attempt { batch, number })
    }

    fn full(&mut self, entries: u64) {
        let least = self.no_room_for.map_or(entries, |least| least.min(entries));
        self.no_room_for = Some(least);
        self.summary.stop.get_or_insert(Stop::Full);
    }

    /// Remembers how many places the list has, once every call is settled: what is held, and half of what did not fit,
    /// until a call for one entry alone does not.
    async fn learn_quota(&self, no_room_for: u64) -> Result<(), StageError> {
        let now = self.ctx.clock.now();
        let counts = self.ctx.ledger.lease_counts(self.link.id, now).await?;
        let row = super::replan::row(self.ctx, &self.link.config).await?;
        let places = counts.held + row.foreign + no_room_for / 2;
        let places = i64::try_from(places).unwrap_or(i64::MAX);
        Ok(self
            .ctx
            .ledger
            .learn(self.link.id, "full", Some(places), &self.last_trouble, now)
            .await?)
    }

    fn read_first(&mut self, trouble: &str) {
        self.failures_in_row += 1;
        if !std::mem::replace(&mut self.repeats_refused, true) {
            self.refused_repeat = Some(format!("a repeated call was refused ({trouble})"));
        }
    }

    /// Fetches the keys again, once; what was signed with the old ones counts no more.
    async fn renew_keys(&mut self, sent: &Sent) {
        if !Arc::ptr_eq(&sent.keys, &self.keys) {
            return;
        }
        self.failures_in_row += 1;
        if std::mem::replace(&mut self.new_keys, true) {
            return self.halt(sent.trouble.clone());
        }
        let now = self.ctx.clock.now();
        match self.link.credentials.fetch_again(now).await {
            Ok(keys) => self.keys = keys,
            Err(fault) => self.halt(fault.to_string()),
        }
    }

    fn halt(&mut self, trouble: String) {
        self.link.refused_keys.store(true, Ordering::Relaxed);
        self.stop_at(HALT, Stop::Halted, trouble);
    }

    fn back_off(&mut self) {
        let trouble = format!("calls are not taken at present: {}", self.last_trouble);
        self.stop_at(backoff(self.failures), Stop::Backoff, trouble);
    }

    fn stop_at(&mut self, wait: Duration, why: fn(UnixTime, String) -> Stop, trouble: String) {
        let until = self.ctx.clock.now().plus(wait);
        self.summary.stop.get_or_insert(why(until, trouble));
    }

    async fn finish(mut self) -> Result<SendSummary, StageError> {
        if let Some(entries) = self.no_room_for {
            self.learn_quota(entries).await?;
        }
        let (ledger, id) = (&self.ctx.ledger, self.link.id);
        let now = self.ctx.clock.now();
        if let Some(why) = &self.refused_repeat {
            ledger.learn(id, "repeats", None, why, now).await?;
        }
        let nothing_taken = self.summary.applied == 0 && self.failures_in_row > 0;
        if nothing_taken && self.summary.stop.is_none() {
            self.back_off();
        }
        match &self.summary.stop {
            Some(Stop::Backoff(until, trouble) | Stop::Halted(until, trouble)) => {
                ledger.hold_firewall(id, *until, trouble, now).await?;
            }
            _ if self.summary.applied > 0 => ledger.release_firewall(id).await?,
            Some(Stop::Full) => {
                let until = now.plus(backoff(self.failures));
                ledger
                    .hold_firewall(id, until, &self.last_trouble, now)
                    .await?;
            }
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

/// Lets a batch rest before its next attempt, the longer the more it has had, and not all of them alike.
async fn rest(attempt: Attempt) -> Attempt {
    let doublings = attempt.number.saturating_sub(2).min(8);
    let longest = (FIRST_REST * 2u32.pow(doublings)).min(LONGEST_REST);
    tokio::time::sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
    attempt
}

async fn are_repeats_refused(ctx: &Context, link: &Link) -> Result<bool, StageError> {
    let since = ctx.clock.now().minus(LEARNED_FOR);
    let learned = ctx.ledger.learned(link.id, since).await?;
    Ok(learned.iter().any(|(subject, ..)| subject == "repeats"))
}

/// One attempt at one batch. `None`: it waited so long that its EndTime is too near, and is planned anew.
async fn send_one(
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
    ctx.ledger
        .settle(id, &settlement, ctx.clock.now_ms())
        .await?;
    Ok(Some(Sent {
        attempt,
        outcome: settlement.outcome,
        upshot,
        trouble: trouble::sentence(&reply.answer, &config.endpoint, &keys),
        told_with,
        keys,
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
