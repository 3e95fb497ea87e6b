//! `run --once`: poll every feed, plan, send until nothing is left.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::Name;
use crate::plan::{LeftOut, Plan};
use crate::stage::intake::{PollEnd, PollSummary};
use crate::stage::replan;
use crate::stage::send::{self, Link, SendSummary, Stop};

use super::{Session, firewall, intake, sleep, watch};

/// How long `--once` goes on trying while nothing at all is taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a single run did.
#[derive(Clone, Debug, Default)]
pub struct OnceSummary {
    /// The polls.
    pub polls: Vec<PollSummary>,
    /// What was sent to each firewall, its last plan, and why it is not done, where it is not.
    pub firewalls: Vec<(Name, SendSummary, Plan, Option<String>)>,
}

impl OnceSummary {
    /// Whether something waits for a person, or failed for now.
    #[must_use]
    pub fn needs_you(&self) -> bool {
        let poll = |poll: &PollSummary| match poll.end {
            PollEnd::Unchanged | PollEnd::Recorded { .. } => false,
            PollEnd::Held(_) | PollEnd::Failed(_) | PollEnd::Frozen(_) | PollEnd::Retired(_) => {
                true
            }
        };
        // What the cloud will not have stays off its list until a person has looked.
        let refused = [LeftOut::Quarantined, LeftOut::ClassRefused];
        let held = |plan: &Plan| {
            let left_out = |reason| plan.left_out.contains_key(reason);
            plan.held_deletes > 0 || refused.iter().any(left_out)
        };
        self.polls.iter().any(poll) || self.firewalls.iter().any(|(_, _, plan, _)| held(plan))
    }

    /// The firewalls that could not be brought up to date, with the reason.
    pub fn failures(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.firewalls
            .iter()
            .filter_map(|(name, _, _, why)| Some((name, why.as_deref()?)))
    }
}

impl Session {
    /// Polls every feed (publishers' floors excepted), plans, and sends until nothing is left.
    /// `dry_run` sends nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub async fn once(
        self: Arc<Self>,
        dry_run: bool,
        cancel: &CancellationToken,
    ) -> anyhow::Result<OnceSummary> {
        if self.ctx.clock.doubt().is_some() {
            watch::ask_the_cloud(&self).await;
            let offset = self.ctx.clock.offset();
            self.ctx.ledger.remember_clock_offset(offset).await?;
        }
        if let Some(doubt) = self.ctx.clock.doubt() {
            anyhow::bail!(
                "{doubt}, and no firewall answered with the right time: nothing was polled or sent. Set the clock right"
            );
        }
        let polls = tokio::select! {
            () = cancel.cancelled() => return Ok(self.stopped()),
            polls = intake::poll_all(&self) => polls?,
        };
        watch::sweep(&self).await?;
        let mut summary = OnceSummary {
            polls,
            firewalls: Vec::new(),
        };
        let rounds = self
            .links
            .iter()
            .map(|link| self.converge(link, dry_run, cancel));
        for (link, end) in self
            .links
            .iter()
            .zip(futures_util::future::join_all(rounds).await)
        {
            let (sent, plan, failure) = end?;
            let name = link.config.name.clone();
            summary.firewalls.push((name, sent, plan, failure));
        }
        Ok(summary)
    }

    /// Plans and sends until nothing is left for one firewall: what was sent, the last plan, and why it is
    /// not done, where it is not. `dry_run` sends nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub async fn converge(
        &self,
        link: &Link,
        dry_run: bool,
        cancel: &CancellationToken,
    ) -> anyhow::Result<(SendSummary, Plan, Option<String>)> {
        let mut total = SendSummary::default();
        let mut give_up = Instant::now() + PATIENCE;
        loop {
            if !dry_run && let Some(unread) = firewall::read_back(self, link, cancel).await? {
                let until = firewall::held_until(self, link).await?;
                if unread.halted
                    || cancel.is_cancelled()
                    || !self.wait(until, give_up, cancel).await
                {
                    return Ok((total, Plan::default(), Some(unread.why)));
                }
                continue;
            }
            let plan = self.plan(link).await?;
            if dry_run || (plan.batches.is_empty() && plan.waiting == 0) {
                return Ok((total, plan, None));
            }
            if cancel.is_cancelled() {
                return Ok((total, plan, Some("stopped before it was done".to_owned())));
            }
            if plan.batches.is_empty() {
                let until = firewall::next_due(self, link, &plan).await?;
                self.wait_until(Some(until), cancel).await;
                continue;
            }
            firewall::tell_plan(link, &plan);
            let round = send::turn(&self.ctx, link, plan.clone(), cancel).await?;
            firewall::tell(link, &round);
            if round.applied > 0 {
                give_up = Instant::now() + PATIENCE;
            }
            add(&mut total, &round);
            if let Some(Stop::Halted(_, why)) = round.stop {
                return Ok((total, plan, Some(why)));
            }
            let held = firewall::held_until(self, link).await?;
            if held.is_some() && !self.wait(held, give_up, cancel).await {
                let trouble = replan::row(&self.ctx, &link.config).await?.trouble;
                return Ok((total, plan, trouble));
            }
        }
    }

    /// Waits until the firewall may be tried again; `false` where that lies behind `give_up`.
    async fn wait(
        &self,
        until: Option<crate::model::UnixTime>,
        give_up: Instant,
        cancel: &CancellationToken,
    ) -> bool {
        let now = self.ctx.clock.now();
        let wait = until.map_or(Duration::ZERO, |until| until.since(now));
        if Instant::now() + wait > give_up {
            return false;
        }
        self.wait_until(until, cancel).await;
        true
    }

    /// What is said of a run that was stopped before it had planned anything.
    fn stopped(&self) -> OnceSummary {
        let not_done = |link: &Arc<Link>| {
            let why = "stopped before it was done".to_owned();
            let name = link.config.name.clone();
            (name, SendSummary::default(), Plan::default(), Some(why))
        };
        OnceSummary {
            polls: Vec::new(),
            firewalls: self.links.iter().map(not_done).collect(),
        }
    }

    async fn wait_until(&self, until: Option<crate::model::UnixTime>, cancel: &CancellationToken) {
        let now = self.ctx.clock.now();
        let wait = until.map_or(Duration::ZERO, |until| until.since(now));
        sleep(cancel, wait.max(Duration::from_secs(1))).await;
    }
}

fn add(total: &mut SendSummary, round: &SendSummary) {
    total.calls += round.calls;
    total.applied += round.applied;
    for (sum, entries) in total.entries.iter_mut().zip(round.entries) {
        *sum += entries;
    }
    total.stop.clone_from(&round.stop);
}
