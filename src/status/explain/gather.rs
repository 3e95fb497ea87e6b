//! Gathering a story: listings, guards, scores, and then each firewall.

use crate::config::{Config, defaults};
use crate::guard::{Guards, Judgement};
use crate::ledger::{FeedRow, Role};
use crate::model::{Indicator, List, Listing};
use crate::plan::desired::{Candidate, candidates};
use crate::plan::expiry::{Belief, believe, expires};
use crate::stage::memory::Memory;
use crate::stage::replan::{self, GuardMaterial, Heard};
use crate::stage::{Context, StageError};

use super::related::holders;
use super::{ByHand, CallLine, Claim, Story, Subject};

/// The calls that are told.
const CALLS: usize = 10;

/// What a story is gathered with.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The ledger and the clock.
    pub ctx: &'a Context,
    /// The config: what the guards and the firewalls' terms are.
    pub config: &'a Config,
    /// The guards, as the config has them.
    pub material: &'a GuardMaterial,
    /// Which feeds are taken as heard.
    pub heard: &'a Heard,
    /// What the daemon keeps in memory, or an empty one.
    pub memory: &'a Memory,
    /// Whether a daemon is there to do what is to be done.
    pub daemon_running: bool,
}

/// A subject with what the plan would make of it.
pub(super) struct Known {
    pub subject: Subject,
    pub judgement: Judgement,
    /// What blocklist feeds say of it, and what allowlist feeds say.
    pub block: Option<Candidate>,
    pub allow: Option<Candidate>,
}

impl Asked<'_> {
    /// Gathers the story of `indicator`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn story(&self, indicator: &Indicator) -> Result<Story, StageError> {
        let related = holders(indicator);
        let feeds = self.ctx.ledger.feeds().await?;
        let listings = self.ctx.ledger.listings_of(&related).await?;
        let is_listed = |one: &&Indicator| listings.iter().any(|(_, said)| said.indicator == **one);
        let root = related.iter().rfind(is_listed).unwrap_or(indicator);
        let (ctx, material, heard) = (self.ctx, self.material, self.heard);
        let guards = replan::guards_about(ctx, material, heard, &related, root).await?;
        let mut known = Vec::new();
        for one in &related {
            let claims: Vec<(&FeedRow, &Listing)> = listings
                .iter()
                .filter(|(_, listing)| listing.indicator == *one)
                .filter_map(|(feed, listing)| {
                    Some((feeds.iter().find(|row| row.id == *feed)?, listing))
                })
                .collect();
            if one == indicator || !claims.is_empty() {
                known.push(self.known(one, one == indicator, &claims, &guards));
            }
        }
        let unheard = feeds
            .iter()
            .find(|feed| feed.role != Role::Feed && feed.configured && feed.last_good.is_none());
        let unheard = unheard.map(|feed| feed.name.clone());
        let firewalls = self
            .firewalls(indicator, &related, &known, &guards, unheard.as_ref())
            .await?;
        let calls = self.calls(&firewalls, &known).await?;
        Ok(Story {
            now: self.ctx.clock.now(),
            indicator: indicator.clone(),
            class: indicator.class(),
            by_hand: self.by_hand(&related).await?,
            subjects: known.into_iter().map(|known| known.subject).collect(),
            firewalls,
            calls,
        })
    }

    /// What the operator said of any of `related`.
    async fn by_hand(&self, related: &[Indicator]) -> Result<Vec<ByHand>, StageError> {
        let words = self.ctx.ledger.hand_words().await?.into_iter();
        let said = words.filter(|word| related.contains(&word.indicator));
        let said = said.map(|word| ByHand {
            indicator: word.indicator,
            block: word.block,
            at: word.at,
            until: word.until,
            reason: word.reason,
        });
        Ok(said.collect())
    }

    /// What feeds say of indicators that are wanted as pieces of others.
    pub(super) async fn candidates(
        &self,
        list: List,
        pieces: &[Indicator],
    ) -> Result<Vec<Candidate>, StageError> {
        if pieces.is_empty() {
            return Ok(Vec::new());
        }
        let feeds = self.ctx.ledger.feeds().await?;
        let mut beliefs = Vec::new();
        for (feed, listing) in self.ctx.ledger.listings_of(pieces).await? {
            let of_list =
                |row: &&FeedRow| row.id == feed && row.role == Role::Feed && row.terms.list == list;
            if let Some(row) = feeds.iter().find(of_list) {
                beliefs.extend(self.belief(row, &listing));
            }
        }
        Ok(candidates(vec![beliefs]))
    }

    fn known(
        &self,
        indicator: &Indicator,
        itself: bool,
        claims: &[(&FeedRow, &Listing)],
        guards: &Guards,
    ) -> Known {
        let judgement = guards.judge(indicator);
        let candidate = |list: List| {
            let beliefs = claims
                .iter()
                .filter(|(feed, _)| feed.role == Role::Feed && feed.terms.list == list)
                .filter_map(|(feed, listing)| self.belief(feed, listing));
            candidates(beliefs.map(|belief| vec![belief]).collect()).pop()
        };
        let (block, allow) = (candidate(List::Block), candidate(List::Allow));
        Known {
            subject: Subject {
                indicator: indicator.clone(),
                itself,
                listings: claims
                    .iter()
                    .map(|(feed, listing)| self.claim(feed, listing))
                    .collect(),
                guards: judgement.to_string(),
                cleared: matches!(judgement, Judgement::Cleared(_)),
                score: block.as_ref().map(|block| f64::from(block.score) / 1e6),
            },
            judgement,
            block,
            allow,
        }
    }

    fn belief(&self, feed: &FeedRow, listing: &Listing) -> Option<Belief> {
        let grid = self
            .config
            .firewalls
            .first()
            .map_or(defaults::GRID, |one| one.terms.grid);
        believe(
            &replan::facts(feed, self.heard),
            listing,
            grid,
            self.ctx.clock.now(),
        )
    }

    fn claim(&self, feed: &FeedRow, listing: &Listing) -> Claim {
        let now = self.ctx.clock.now();
        let belief = self.belief(feed, listing);
        let directions = belief
            .as_ref()
            .map(|belief| belief.directions.iter().collect());
        Claim {
            feed: feed.name.clone(),
            list: feed.terms.list,
            guards: feed.role != Role::Feed,
            first_listed: listing.first_listed,
            delisted_at: listing.delisted_at,
            expires: feed
                .last_good
                .map(|good| expires(&feed.terms, good, listing, now)),
            counts: belief.is_some_and(|belief| !belief.lapsed),
            confidence: listing.confidence.unwrap_or(feed.terms.confidence),
            directions: directions.unwrap_or_default(),
            last_good: feed.last_good,
        }
    }

    /// The calls that carried the indicator, or whatever of its holders has or had a place.
    async fn calls(
        &self,
        firewalls: &[super::OnFirewall],
        known: &[Known],
    ) -> Result<Vec<CallLine>, StageError> {
        let names = self.ctx.ledger.firewalls().await?;
        let mut carried: Vec<&Indicator> =
            known.iter().map(|known| &known.subject.indicator).collect();
        let entries = firewalls.iter().flat_map(|firewall| &firewall.entries);
        carried.extend(entries.map(|entry| &entry.indicator));
        carried.sort();
        carried.dedup();
        let mut lines = Vec::new();
        for indicator in carried {
            for (call, entries) in self.ctx.ledger.calls_of(indicator, CALLS).await? {
                let firewall = names.iter().find(|row| row.id == call.firewall);
                lines.push(CallLine {
                    id: call.id,
                    sent_at: crate::model::UnixTime::from_seconds(call.sent_ms.div_euclid(1000)),
                    firewall: firewall.map(|row| row.name.to_string()).unwrap_or_default(),
                    action: call.action,
                    indicator: indicator.clone(),
                    directions: entries.iter().map(|entry| entry.direction).collect(),
                    end_time: call.end_time,
                    verdict: call.verdict,
                    code: call.code,
                    message: call.message,
                    request_id: call.request_id,
                });
            }
        }
        lines.sort_by_key(|line| std::cmp::Reverse(line.id));
        lines.truncate(CALLS);
        Ok(lines)
    }
}
