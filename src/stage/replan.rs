//! One firewall's plan, from what the ledger holds.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::config::{Config, Firewall};
use crate::guard::{self, AllowFile, GuardSet, Guards, Material, OwnGround};
use crate::ledger::{FeedRow, FirewallRow, LEARNED_FOR, PlanSummary};
use crate::model::{Class, Entry, Indicator, List, UnixTime};
use crate::plan::desired::{Candidate, Takes, desired};
use crate::plan::draw::draw;
use crate::plan::expiry::FeedFacts;
use crate::plan::{self, Bar, LeftOut, Plan, Standing, Wanted};

use super::memory::{Listed, Memory};
use super::standing::standing_beside;
use super::{Context, StageError};

pub use super::memory::{guards_about, guards_now};

/// An ended lease is remembered for so long, for a read-back may find that the entry still stands.
const SWEPT_AFTER: Duration = Duration::from_secs(86_400);

/// Which feeds have answered since the daemon started.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// When the daemon started; `None` where nobody waits for feeds.
    pub started: Option<UnixTime>,
}

/// What the config says of guards, read once a start or reload.
#[derive(Clone, Debug)]
pub struct GuardMaterial {
    material: Material,
    /// Of the guards that it makes without any downloaded set.
    fingerprint: [u8; 32],
}

/// What the feeds say together, the same for every firewall with the same grid.
#[derive(Debug)]
pub struct Say {
    listed: Listed,
    block: Vec<Candidate>,
    allow: Vec<Candidate>,
}

impl GuardMaterial {
    /// Reads the allowlist files and takes the rest from the config.
    ///
    /// # Errors
    /// Where an allowlist file cannot be read whole: guarding less in silence would be dangerous.
    pub fn read(config: &Config) -> Result<Self, StageError> {
        let files: Vec<AllowFile> = guard::read_allow_files(&config.guard.files)?;
        let endpoints = config
            .firewalls
            .iter()
            .filter_map(|firewall| OwnGround::endpoint(&firewall.name, &firewall.endpoint));
        let feeds = config.polled().filter_map(|feed| {
            let url = feed.source.url()?;
            OwnGround::feed(&feed.name, url)
        });
        let material = Material {
            min_prefix: config.guard.min_prefix,
            allow: config.guard.allow.clone(),
            files,
            by_hand: Vec::new(),
            sets: Vec::new(),
            own_ground: endpoints.chain(feeds).collect(),
        };
        // Tried now, so that a fault is told at the start and not in the middle of the night.
        let guards = Guards::try_new(material.clone())?;
        Ok(Self {
            material,
            fingerprint: guards.fingerprint(),
        })
    }

    /// The guards with what the allow feeds and the operator's hand say now.
    ///
    /// # Errors
    /// Where the operator allowed something wider than `min_prefix` by hand. Downloaded sets are taken
    /// without what is too wide.
    pub fn guards(
        &self,
        sets: Vec<GuardSet>,
        by_hand: Vec<Indicator>,
    ) -> Result<Guards, StageError> {
        let material = Material {
            sets,
            by_hand,
            ..self.material.clone()
        };
        Ok(Guards::try_new(material)?)
    }
}

impl Say {
    /// The guards, with what the allow feeds say.
    #[must_use]
    pub fn guards(&self) -> &Guards {
        &self.listed.guards
    }

    /// What feeds want on a list, by indicator.
    #[must_use]
    pub fn candidates(&self, list: List) -> &[Candidate] {
        match list {
            List::Block => &self.block,
            List::Allow => &self.allow,
        }
    }
}

/// What a plan is made of.
#[derive(Debug)]
pub struct Ingredients {
    /// What all feeds say.
    pub say: Say,
    /// What the ledger knows of the firewall.
    pub standing: Standing,
    /// What the guards and the firewall's classes let through, by entry.
    pub wanted: Vec<Wanted>,
    /// What they did not, counted by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
}

impl Ingredients {
    /// Reads them from the ledger.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn read(
        ctx: &Context,
        guards: &GuardMaterial,
        firewall: &Firewall,
        heard: &Heard,
    ) -> Result<Self, StageError> {
        let now = ctx.clock.now();
        let row = row(ctx, firewall).await?;
        let say = say(ctx, guards, firewall.terms.grid, heard, now).await?;
        let standing = standing_beside(ctx, firewall, &row, &say.listed, now).await?;
        let mut left_out = BTreeMap::new();
        let wanted = wanted(&say, firewall.terms.takes(), &mut left_out);
        Ok(Self {
            say,
            standing,
            wanted,
            left_out,
        })
    }

    /// The plan that they make, for a command that asks: nothing is recorded.
    #[must_use]
    pub fn plan(&self, firewall: &Firewall, now: UnixTime) -> Plan {
        let (wanted, left_out) = (self.wanted.clone(), self.left_out.clone());
        plan::plan(&firewall.terms, &self.standing, wanted, left_out, now)
    }
}

/// Makes the plan of one firewall and records its numbers. While nothing has changed and nothing is due, that is the last
/// one.
///
/// # Errors
/// When the ledger cannot be read or written.
pub async fn turn(
    ctx: &Context,
    guards: &GuardMaterial,
    memory: &Memory,
    firewall: &Firewall,
    heard: &Heard,
) -> Result<Plan, StageError> {
    let now = ctx.clock.now();
    // Asked before anything is read, so that no change falls in between.
    let version = ctx.ledger.version().await?;
    if let Some(plan) = memory.still(&firewall.name, version, now) {
        return Ok(plan);
    }
    let row = row(ctx, firewall).await?;
    ctx.ledger
        .drop_ended_leases(row.id, now.minus(SWEPT_AFTER))
        .await?;
    // Before what it tells of is read: what changes meanwhile makes it untrue, and not the plan.
    let made_of = made_of(ctx, guards, firewall, &row, now).await?;
    let plan = drawn(ctx, guards, memory, firewall, heard, &row, now).await?;
    ctx.ledger.acquit(row.id, &plan.acquitted).await?;
    ctx.ledger.forget_leases(row.id, &plan.absent).await?;
    ctx.ledger.mark_unwanted(row.id, &plan.unwanted).await?;
    let summary = PlanSummary {
        at: now,
        desired: plan.desired,
        pending: plan.pending,
        left_out: serde_json::to_string(&plan.left_out).unwrap_or_default(),
        wanted_deletes: plan.wanted_deletes,
        allowed_deletes: plan.allowed_deletes,
        held_deletes: plan.held_deletes,
        bar: plan.bar.clone(),
        made_of,
        next_due: plan.next_due,
    };
    if memory.keep(&firewall.name, version, &plan, &summary) {
        ctx.ledger.record_plan(row.id, &summary).await?;
    }
    Ok(plan)
}

/// The plan that a turn would make now.
async fn drawn(
    ctx: &Context,
    guards: &GuardMaterial,
    memory: &Memory,
    firewall: &Firewall,
    heard: &Heard,
    row: &FirewallRow,
    now: UnixTime,
) -> Result<Plan, StageError> {
    let listed = memory.listed(ctx, guards, heard, now).await?;
    let standing = standing_beside(ctx, firewall, row, &listed, now).await?;
    let terms = firewall.terms.clone();
    // Work for a processor, and not short where much is listed.
    let drawn = tokio::task::spawn_blocking(move || {
        draw(&terms, &standing, &listed.sheets(), &listed.guards, now)
    });
    drawn
        .await
        .map_err(|fault| StageError::Task(fault.to_string()))
}

/// Where the contest for a firewall's places ends as things are: by the last plan, where nothing has changed since, and
/// else by going through everything that is listed, unless `worthwhile` says that no answer hangs on it.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn bar(
    ctx: &Context,
    guards: &GuardMaterial,
    memory: &Memory,
    firewall: &Firewall,
    heard: &Heard,
    row: &FirewallRow,
    worthwhile: bool,
) -> Result<Bar, StageError> {
    let now = ctx.clock.now();
    if let Some(plan) = &row.plan
        && plan.next_due.is_none_or(|due| now < due)
        && plan.made_of == made_of(ctx, guards, firewall, row, now).await?
    {
        return Ok(plan.bar.clone());
    }
    if !worthwhile {
        return Ok(Bar::default());
    }
    let plan = drawn(ctx, guards, memory, firewall, heard, row, now).await?;
    Ok(plan.bar)
}

/// A digest of all that moves a firewall's bar, but for the time and for calls that are being sent: the terms, the
/// guards, what each feed lists, what the last read-back found, and what the cloud taught.
async fn made_of(
    ctx: &Context,
    guards: &GuardMaterial,
    firewall: &Firewall,
    row: &FirewallRow,
    now: UnixTime,
) -> Result<String, StageError> {
    let mut digest = Sha256::new();
    let mut add = |part: String| {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    };
    add(hex::encode(guards.fingerprint));
    add(format!("{:?}", firewall.terms));
    add(format!("{:?}", (row.read_at, row.withdrawn, row.foreign)));
    for feed in ctx.ledger.feeds().await? {
        let (role, terms) = (feed.role, feed.terms);
        add(format!("{:?}", (feed.id, feed.revision, feed.configured)));
        add(format!("{:?}", (role, terms, feed.last_good.is_some())));
    }
    for word in ctx.ledger.hand_guards(now).await? {
        add(word.indicator.to_string());
    }
    for (subject, value, _) in ctx.ledger.learned(row.id, now.minus(LEARNED_FOR)).await? {
        add(format!("{:?}", (subject, value)));
    }
    Ok(hex::encode(digest.finalize()))
}

/// The ledger's row of a firewall of the config.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn row(ctx: &Context, firewall: &Firewall) -> Result<FirewallRow, StageError> {
    ctx.ledger.firewall(&firewall.name).await?.ok_or_else(|| {
        let name = &firewall.name;
        crate::ledger::LedgerError::Row(format!("the firewall {name} was never configured")).into()
    })
}

/// Everything that should be blocked at `now`, whatever a firewall takes and has room for.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn cleared(
    ctx: &Context,
    guards: &GuardMaterial,
    now: UnixTime,
) -> Result<Vec<Wanted>, StageError> {
    let say = say(ctx, guards, Duration::ZERO, &Heard::default(), now).await?;
    if let Some(name) = say.listed.unheard.first() {
        return Err(StageError::Unguarded(name.clone()));
    }
    let mut left_out = BTreeMap::new();
    Ok(desired(
        List::Block,
        &say.block,
        say.guards(),
        Takes {
            accept: &Class::ALL,
            expand_networks: None,
        },
        &mut left_out,
    ))
}

/// Every entry that the feeds want on a firewall at `now`, whether or not it gets a place.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn wanted_entries(
    ctx: &Context,
    guards: &GuardMaterial,
    firewall: &Firewall,
) -> Result<HashSet<Entry>, StageError> {
    let now = ctx.clock.now();
    let say = say(ctx, guards, firewall.terms.grid, &Heard::default(), now).await?;
    let wanted = wanted(&say, firewall.terms.takes(), &mut BTreeMap::new());
    Ok(wanted.iter().map(Wanted::entry).collect())
}

/// Brings together what all feeds say at `now`.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn say(
    ctx: &Context,
    guards: &GuardMaterial,
    grid: Duration,
    heard: &Heard,
    now: UnixTime,
) -> Result<Say, StageError> {
    let listed = Memory::default().listed(ctx, guards, heard, now).await?;
    Ok(Say {
        block: listed.candidates(List::Block, grid, now),
        allow: listed.candidates(List::Allow, grid, now),
        listed,
    })
}

/// The entries that the feeds want on a firewall, allowlist and blocklist, by entry.
fn wanted(say: &Say, takes: Takes<'_>, left_out: &mut BTreeMap<LeftOut, u64>) -> Vec<Wanted> {
    let guards = say.guards();
    let mut wanted = desired(List::Block, &say.block, guards, takes, left_out);
    wanted.extend(desired(List::Allow, &say.allow, guards, takes, left_out));
    wanted
}

/// What a feed's listings are judged by.
#[must_use]
pub fn facts(feed: &FeedRow, heard: &Heard) -> FeedFacts {
    FeedFacts {
        terms: feed.terms.clone(),
        last_good: feed.last_good,
        patience_until: patience(feed, heard),
    }
}

/// After a start, until a configured feed has answered, or a quarter of its ttl has passed.
fn patience(feed: &FeedRow, heard: &Heard) -> Option<UnixTime> {
    let started = heard.started.filter(|_| feed.configured)?;
    let answered = feed.last_good.is_some_and(|good| good >= started);
    (!answered).then(|| started.plus(feed.terms.ttl / 4))
}
