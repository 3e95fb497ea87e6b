//! A round that is under way: what goes next, what came of it, and when it ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::cloud::{Keys, Limiter};
use crate::firewall::Upshot;
use crate::ledger::Outcome;
use crate::model::UnixTime;
use crate::plan::{Batch, Suspects};
use crate::stage::{Context, StageError, replan};

use super::attempt::{ATTEMPTS, Attempt, Sent, rest, send_one};
use super::link::Link;
use super::{HALT, SendSummary, Stop, backoff};

/// Calls in a row that may fail before the firewall is left alone.
const PATIENCE: u32 = 20;

/// What a call that reached nobody counts for among those.
const UNREACHABLE: u32 = 7;

/// A round that is under way.
pub(super) struct Round<'a> {
    pub(super) ctx: &'a Context,
    pub(super) link: &'a Link,
    pub(super) keys: Arc<Keys>,
    pub(super) suspects: Suspects,
    pub(super) summary: SendSummary,
    pub(super) failures_in_row: u32,
    pub(super) new_keys: bool,
    /// How often in a row the firewall was left alone before this round.
    pub(super) failures: u32,
    /// To do again what has been done is refused: what had no answer waits for a reading.
    pub(super) repeats_refused: bool,
    /// Why that is believed, where this round found it out.
    pub(super) refused_repeat: Option<String>,
    /// Entries of the smallest call for which there was no room.
    pub(super) no_room_for: Option<u64>,
    pub(super) last_trouble: String,
}

impl Round<'_> {
    pub(super) async fn send_all(
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
            Upshot::ClockOff { .. } => self.failures_in_row += 1,
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
        let row = replan::row(self.ctx, &self.link.config).await?;
        let places = counts.there + row.foreign + no_room_for / 2;
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

    pub(super) async fn finish(mut self) -> Result<SendSummary, StageError> {
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
