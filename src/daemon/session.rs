//! One config in force, from start or reload to the next reload or the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::cloud::{Limits, Surroundings};
use crate::config::{Config, Feed};
use crate::fetch::Fetcher;
use crate::model::{FeedTerms, Name};
use crate::plan::Plan;
use crate::serve::{Desk, View};
use crate::stage::memory::Memory;
use crate::stage::replan::{self, GuardMaterial, Heard};
use crate::stage::send::{self, Link};
use crate::stage::{Context, StageError};

use super::{Pulse, fetcher, firewall, intake, sampling, watch};

/// How long calls and polls that are under way may take to end when the daemon stops.
const DRAIN: Duration = Duration::from_secs(10);

/// A config in force, and what runs by it.
pub struct Session {
    pub(super) ctx: Context,
    pub(super) config: Arc<Config>,
    pub(super) fetcher: Fetcher,
    pub(super) desk: Arc<Desk>,
    /// What the config says must never be blocked.
    pub guards: Arc<GuardMaterial>,
    pub(super) heard: Heard,
    pub(super) memory: Arc<Memory>,
    /// The firewalls at run time.
    pub links: Vec<Arc<Link>>,
    /// Rung whenever listings changed, so that firewalls plan anew.
    pub(super) changed: Arc<Notify>,
    /// Whether the loops still move.
    pub pulse: Arc<Pulse>,
}

impl Session {
    pub(super) async fn new(
        ctx: &Context,
        limits: &Arc<Limits>,
        desk: &Arc<Desk>,
        config: &Config,
    ) -> anyhow::Result<Self> {
        let guards = GuardMaterial::read(config)?;
        let fetcher = fetcher(config)?;
        ctx.ledger
            .configure_feeds(config.feeds.iter().map(known))
            .await?;
        let lists = config.guard.lists.iter().map(known);
        ctx.ledger.configure_guard_lists(lists).await?;
        let names = config.firewalls.iter().map(|firewall| &firewall.name);
        ctx.ledger.configure_firewalls(names).await?;
        let mut links = Vec::new();
        for firewall in &config.firewalls {
            let row = replan::row(ctx, firewall).await?;
            let around = Surroundings::of_this_process();
            let link = Link::new(row.id, firewall.clone(), Arc::clone(limits), around)?;
            recover(ctx, &link).await?;
            links.push(Arc::new(link));
        }
        Ok(Self {
            ctx: ctx.clone(),
            config: Arc::new(config.clone()),
            fetcher,
            desk: Arc::clone(desk),
            guards: Arc::new(guards),
            heard: Heard {
                started: Some(ctx.clock.now()),
            },
            memory: Arc::default(),
            links,
            changed: Arc::default(),
            pulse: Arc::default(),
        })
    }

    /// Makes the plan of one firewall.
    pub(super) async fn plan(&self, link: &Link) -> Result<Plan, StageError> {
        let (ctx, config) = (&self.ctx, &link.config);
        replan::turn(ctx, &self.guards, &self.memory, config, &self.heard).await
    }

    /// What answers are given by while this config is in force.
    pub(super) fn view(&self) -> View {
        let pulse = Arc::clone(&self.pulse);
        View {
            config: Arc::clone(&self.config),
            guards: Arc::clone(&self.guards),
            heard: self.heard.clone(),
            memory: Arc::clone(&self.memory),
            stuck: Arc::new(move || pulse.overdue()),
        }
    }

    /// Runs until `cancel`, then ends what is under way within seconds. A loop that fails ends them all.
    ///
    /// # Errors
    /// What a loop failed of: the ledger, in the main.
    pub async fn run(self, cancel: &CancellationToken) -> anyhow::Result<()> {
        let stop = cancel.child_token();
        let session = Arc::new(self);
        let mut loops = JoinSet::new();
        loops.spawn(watch::run(Arc::clone(&session), stop.clone()));
        loops.spawn(sampling::run(Arc::clone(&session), stop.clone()));
        loops.spawn(intake::run(Arc::clone(&session), stop.clone()));
        for link in &session.links {
            let link = Arc::clone(link);
            loops.spawn(firewall::run(Arc::clone(&session), link, stop.clone()));
        }
        let mut end = loops.join_next().await.map_or(Ok(()), outcome);
        stop.cancel();
        let drained = tokio::time::timeout(DRAIN, async {
            while let Some(ended) = loops.join_next().await {
                end = std::mem::replace(&mut end, Ok(())).and(outcome(ended));
            }
        });
        if drained.await.is_err() {
            tracing::warn!(
                seconds = DRAIN.as_secs(),
                "stopped before every answer had come; the next start settles what is open"
            );
            loops.abort_all();
        }
        end
    }
}

/// How a loop ended; one that broke off in a panic must not look like a stop that somebody asked for.
fn outcome(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended.map_err(|fault| StageError::Task(fault.to_string()))?
}

/// What the ledger is told of a feed.
fn known(feed: &Feed) -> (&Name, &FeedTerms, String) {
    (&feed.name, &feed.terms, feed.recipe.fingerprint())
}

async fn recover(ctx: &Context, link: &Link) -> anyhow::Result<()> {
    let open = send::recover(ctx, link).await?;
    if open > 0 {
        let why = "calls of an earlier run have no answer on record";
        ctx.ledger.want_read(link.id, why).await?;
        tracing::warn!(
            firewall = %link.config.name,
            calls = open,
            "calls of an earlier run have no answer on record; their entries are settled anew"
        );
    }
    Ok(())
}
