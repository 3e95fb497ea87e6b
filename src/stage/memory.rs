//! What a daemon keeps in memory between two plans: the feeds' sheets and the guards, which a change renews in part, and
//! the last plan, which stays while nothing changes. A restart makes all of it anew from the ledger.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _, stream};
use tokio::sync::Mutex;

use crate::guard::{GuardSet, Guards, Matching, SetKind};
use crate::ledger::{FeedRow, PlanSummary, Role};
use crate::model::{Indicator, List, Listing, Name, UnixTime};
use crate::parse::Reach;
use crate::plan::Plan;
use crate::plan::desired::Candidate;
use crate::plan::draw::Sheets;
use crate::plan::expiry::{FeedFacts, LOOK_BACK, worth};
use crate::plan::merge::{Merge, Source};
use crate::plan::shares::{self, Share};
use crate::plan::sheet::Sheet;

use super::replan::{GuardMaterial, Heard, facts};
use super::{Context, StageError};

/// A plan is believed for so long while nothing changes. What depends on the time and is due at no stated moment, such
/// as the brake's 24 h, is looked at again as often.
const BELIEVED: Duration = Duration::from_secs(60);

/// So many sheets are read at once, each by a thread of SQLite's.
const READ_AT_ONCE: usize = 2;

/// The memory of one session; cheap when new.
#[derive(Debug, Default)]
pub struct Memory {
    kept: Mutex<Kept>,
    plans: std::sync::Mutex<HashMap<Name, Done>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By feed, with the revision that they show.
    sheets: HashMap<i64, (i64, Arc<Sheet>)>,
    guards: Option<(GuardKey, Arc<Guards>)>,
}

/// Guards made of the same are the same.
#[derive(Debug, PartialEq)]
struct GuardKey {
    lists: Vec<(i64, i64, Reach)>,
    sets: Vec<(Name, Vec<Indicator>)>,
    by_hand: Vec<Indicator>,
}

/// A plan after which nothing was to be sent.
#[derive(Debug)]
struct Done {
    version: i64,
    plan: Plan,
    summary: PlanSummary,
}

/// What the feeds list, and what must not be blocked.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The guards, with what the allow feeds and guard lists say.
    pub guards: Arc<Guards>,
    /// Guard lists of the config that were never heard: what they guard is not known.
    pub unheard: Vec<Name>,
    feeds: Vec<(FeedFacts, Arc<Sheet>)>,
}

impl Memory {
    /// Brings the sheets and the guards up to date.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn listed(
        &self,
        ctx: &Context,
        guards: &GuardMaterial,
        heard: &Heard,
        now: UnixTime,
    ) -> Result<Listed, StageError> {
        let mut kept = self.kept.lock().await;
        let rows = ctx.ledger.feeds().await?;
        let mut known = std::mem::take(&mut kept.sheets);
        let reading: Vec<_> = rows
            .iter()
            .filter(|row| row.role == Role::Feed)
            .map(|row| {
                let sheet = sheet(ctx, row, known.remove(&row.id), now);
                sheet.map_ok(move |sheet| (row, sheet)).boxed()
            })
            .collect();
        let mut sheets = stream::iter(reading).buffered(READ_AT_ONCE);
        let mut feeds = Vec::new();
        while let Some((row, (revision, sheet))) = sheets.try_next().await? {
            kept.sheets.insert(row.id, (revision, Arc::clone(&sheet)));
            feeds.push((facts(row, heard), sheet));
        }
        let unheard = rows
            .iter()
            .filter(|row| row.role != Role::Feed && row.configured && row.last_good.is_none());
        let unheard = unheard.map(|row| row.name.clone()).collect();
        let key = GuardKey {
            lists: rows.iter().filter_map(guard_key).collect(),
            sets: rows
                .iter()
                .filter(|row| row.role == Role::Feed)
                .zip(&feeds)
                .filter(|(row, _)| row.terms.list == List::Allow)
                .map(|(row, feed)| (row.name.clone(), believed(feed, now)))
                .collect(),
            by_hand: by_hand(ctx, now).await?,
        };
        Ok(Listed {
            guards: kept.guards(ctx, guards, &rows, key).await?,
            unheard,
            feeds,
        })
    }

    /// The last plan of a firewall, if nothing has changed since and nothing is due.
    pub(super) fn still(&self, firewall: &Name, version: i64, now: UnixTime) -> Option<Plan> {
        let plans = self.plans();
        let done = plans.get(firewall)?;
        let at = done.summary.at;
        let fresh = done.version == version && at <= now && now < at.plus(BELIEVED);
        let due = done.plan.next_due.is_some_and(|due| due <= now);
        (fresh && !due).then(|| done.plan.clone())
    }

    /// Keeps a plan, if nothing is to be sent; says whether its numbers are others than those that were last recorded.
    pub(super) fn keep(
        &self,
        firewall: &Name,
        version: i64,
        plan: &Plan,
        summary: &PlanSummary,
    ) -> bool {
        let mut plans = self.plans();
        let same = plans.get(firewall).is_some_and(|done| {
            let recorded = PlanSummary {
                at: done.summary.at,
                next_due: done.summary.next_due,
                ..summary.clone()
            };
            recorded == done.summary && summary.at < done.summary.at.plus(BELIEVED)
        });
        if !plan.batches.is_empty() {
            plans.remove(firewall);
            return true;
        }
        let summary = match plans.get(firewall) {
            Some(done) if same => done.summary.clone(),
            _ => summary.clone(),
        };
        let done = Done {
            version,
            plan: plan.clone(),
            summary,
        };
        plans.insert(firewall.clone(), done);
        !same
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, HashMap<Name, Done>> {
        self.plans
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Kept {
    async fn guards(
        &mut self,
        ctx: &Context,
        material: &GuardMaterial,
        rows: &[FeedRow],
        key: GuardKey,
    ) -> Result<Arc<Guards>, StageError> {
        if let Some((known, guards)) = &self.guards
            && *known == key
        {
            return Ok(Arc::clone(guards));
        }
        let mut sets: Vec<GuardSet> = key.sets.iter().map(allow_set).collect();
        sets.extend(guard_lists(ctx, rows).await?);
        let guards = Arc::new(material.guards(sets, key.by_hand.clone())?);
        self.guards = Some((key, Arc::clone(&guards)));
        Ok(guards)
    }
}

impl Listed {
    /// The sheets, as a plan takes them.
    #[must_use]
    pub fn sheets(&self) -> Sheets<'_> {
        Sheets {
            block: self.sources(List::Block),
            allow: self.sources(List::Allow),
        }
    }

    /// What all feeds of a list say together, by indicator. `grid` is the step to which EndTimes are rounded up.
    #[must_use]
    pub fn candidates(&self, list: List, grid: Duration, now: UnixTime) -> Vec<Candidate> {
        Merge::of(&self.sources(list), 0..u8::MAX, grid, now).collect()
    }

    fn sources(&self, list: List) -> Vec<Source<'_>> {
        let feeds = self
            .feeds
            .iter()
            .filter(|(facts, _)| facts.terms.list == list);
        feeds
            .map(|(facts, sheet)| Source { sheet, facts })
            .collect()
    }
}

/// A feed's sheet as it is now: read anew, or renewed where it is known what changed since `known`. With it the revision
/// that it shows.
async fn sheet(
    ctx: &Context,
    row: &FeedRow,
    known: Option<(i64, Arc<Sheet>)>,
    now: UnixTime,
) -> Result<(i64, Arc<Sheet>), StageError> {
    let ended = now.minus(LOOK_BACK);
    if let Some((revision, sheet)) = known {
        if revision == row.revision {
            return Ok((revision, sheet));
        }
        if let Some((changed, last)) = ctx.ledger.changes(row.id, revision, row.revision) {
            let listings = ctx.ledger.listings_on(row.id, &changed).await?;
            return Ok((last, Arc::new(sheet.with(&changed, &listings, ended))));
        }
    }
    // From here on it is told what changes, though the sheet is still being read.
    ctx.ledger.follow(row.id, row.revision);
    let rows = usize::try_from(row.listed).unwrap_or(0);
    let mut sheet = Sheet::with_capacity(rows + rows / 16);
    let mut listings = ctx.ledger.listings(row.id).ended_after(ended);
    loop {
        let chunk = listings.next_chunk().await?;
        if chunk.is_empty() {
            break;
        }
        chunk.iter().for_each(|listing| sheet.push(listing));
    }
    sheet.shrink();
    Ok((row.revision, Arc::new(sheet)))
}

/// What each feed that blocks is good for, by name.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn shares(ctx: &Context, heard: &Heard) -> Result<BTreeMap<Name, Share>, StageError> {
    let now = ctx.clock.now();
    let mut feeds = Vec::new();
    let blocks = |row: &FeedRow| row.role == Role::Feed && row.terms.list == List::Block;
    for row in ctx.ledger.feeds().await?.into_iter().filter(blocks) {
        let (_, sheet) = sheet(ctx, &row, None, now).await?;
        feeds.push((row.name.clone(), facts(&row, heard), sheet));
    }
    let standing = ctx.ledger.blocked(now).await?.into_iter();
    let standing = standing.map(|(indicator, hits)| shares::Standing { indicator, hits });
    let standing: Vec<shares::Standing> = standing.collect();
    let sources: Vec<Source<'_>> = feeds
        .iter()
        .map(|(_, facts, sheet)| Source { sheet, facts })
        .collect();
    let shares = shares::shares(&sources, &standing, now);
    let names = feeds.iter().map(|(name, ..)| name.clone());
    Ok(names.zip(shares).collect())
}

/// The guards with what the allow feeds and guard lists say now, for a command that judges for itself.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn guards_now(
    ctx: &Context,
    guards: &GuardMaterial,
    heard: &Heard,
) -> Result<Guards, StageError> {
    let now = ctx.clock.now();
    let rows = ctx.ledger.feeds().await?;
    let mut sets = guard_lists(ctx, &rows).await?;
    let allow = |row: &&FeedRow| row.role == Role::Feed && row.terms.list == List::Allow;
    for row in rows.iter().filter(allow) {
        let (_, sheet) = sheet(ctx, row, None, now).await?;
        let entries = believed(&(facts(row, heard), sheet), now);
        sets.push(allow_set(&(row.name.clone(), entries)));
    }
    guards.guards(sets, by_hand(ctx, now).await?)
}

/// The guards as far as they bear on `holders`, which all hold one indicator, and on what lies inside `root`, the widest
/// of those that are to be judged: of guard lists and allow feeds only that is read.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn guards_about(
    ctx: &Context,
    guards: &GuardMaterial,
    heard: &Heard,
    holders: &[Indicator],
    root: &Indicator,
) -> Result<Guards, StageError> {
    let now = ctx.clock.now();
    let rows = ctx.ledger.feeds().await?;
    let mut sets = Vec::new();
    for row in &rows {
        let matching = match row.role {
            Role::Guard(_) if !row.configured => continue,
            Role::Guard(reach) => matching(reach),
            Role::Feed if row.terms.list == List::Allow => Matching::Subdomains,
            Role::Feed => continue,
        };
        let listings = ctx.ledger.listings_bearing(row.id, holders, root).await?;
        let counts = |listing: &Listing| match row.role {
            Role::Guard(_) => listing.delisted_at.is_none(),
            Role::Feed => worth(&facts(row, heard), listing, Duration::ZERO, now).is_some(),
        };
        let listings = listings.into_iter().filter(counts);
        sets.push(GuardSet {
            name: row.name.clone(),
            kind: match row.role {
                Role::Guard(_) => SetKind::List,
                Role::Feed => SetKind::Feed,
            },
            matching,
            entries: listings.map(|listing| listing.indicator).collect(),
        });
    }
    guards.guards(sets, by_hand(ctx, now).await?)
}

/// How far the names of a guard list reach.
fn matching(reach: Reach) -> Matching {
    match reach {
        Reach::Exact => Matching::Exact,
        Reach::Subdomains => Matching::Subdomains,
    }
}

/// What the operator's hand guards.
async fn by_hand(ctx: &Context, now: UnixTime) -> Result<Vec<Indicator>, StageError> {
    let words = ctx.ledger.hand_guards(now).await?;
    Ok(words.into_iter().map(|word| word.indicator).collect())
}

fn believed((facts, sheet): &(FeedFacts, Arc<Sheet>), now: UnixTime) -> Vec<Indicator> {
    let source = Source { sheet, facts };
    let candidates = Merge::of(&[source], 0..u8::MAX, Duration::ZERO, now);
    candidates.map(|candidate| candidate.indicator).collect()
}

fn allow_set((name, entries): &(Name, Vec<Indicator>)) -> GuardSet {
    GuardSet {
        name: name.clone(),
        kind: SetKind::Feed,
        matching: Matching::Subdomains,
        entries: entries.clone(),
    }
}

/// What says that a guard list holds what it held. One that left the config guards nothing any more.
fn guard_key(row: &FeedRow) -> Option<(i64, i64, Reach)> {
    match row.role {
        Role::Guard(reach) if row.configured => Some((row.id, row.revision, reach)),
        Role::Guard(_) | Role::Feed => None,
    }
}

/// What the guard lists hold: all that their last good bodies listed, however long ago.
async fn guard_lists(ctx: &Context, rows: &[FeedRow]) -> Result<Vec<GuardSet>, StageError> {
    let mut sets = Vec::new();
    for row in rows {
        let Some((id, _, reach)) = guard_key(row) else {
            continue;
        };
        let mut entries = Vec::new();
        let mut listings = ctx.ledger.listings(id);
        loop {
            let chunk = listings.next_chunk().await?;
            if chunk.is_empty() {
                break;
            }
            let listed = chunk.into_iter().filter(|one| one.delisted_at.is_none());
            entries.extend(listed.map(|one| one.indicator));
        }
        sets.push(GuardSet {
            name: row.name.clone(),
            kind: SetKind::List,
            matching: matching(reach),
            entries,
        });
    }
    Ok(sets)
}
