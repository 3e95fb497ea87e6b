//! The contest for places: whether an entry has one, and what it would have taken.

use std::collections::HashSet;

use crate::config::Firewall;
use crate::model::{Entry, UnixTime};
use crate::plan::{Batch, Quota, Standing, Wanted, admission};
use crate::stage::StageError;
use crate::stage::replan::Ingredients;

use super::gather::Asked;

/// How a contest for too few places ended.
pub(super) struct Contest {
    placed: HashSet<Entry>,
    lowest: Option<u32>,
    /// What bounds the places, in words.
    bound: String,
}

impl Contest {
    /// Holds the contest, where places may be too few. It reads all that is listed.
    pub async fn hold(
        asked: &Asked<'_>,
        config: &Firewall,
        now: UnixTime,
    ) -> Result<Self, StageError> {
        let made = Ingredients::read(asked.ctx, asked.material, config, asked.heard).await?;
        let plan = made.plan(config, now);
        // A quota that was learned stops adds only; those that still go are in the plan.
        let adds: HashSet<Entry> = plan.batches.iter().flat_map(Batch::entries).collect();
        let Ingredients {
            standing, wanted, ..
        } = made;
        let mut admitted =
            admission::admit(&config.terms, &standing, wanted, |_, _| {}, now).wanted;
        let held: HashSet<&Entry> = standing.leases.iter().map(|lease| &lease.entry).collect();
        admitted.retain(|wanted| {
            let entry = wanted.entry();
            adds.contains(&entry)
                || held.contains(&entry)
                || standing.suspects.entries.contains_key(&entry)
        });
        Ok(Self {
            lowest: admitted.iter().map(|wanted| wanted.score).min(),
            placed: admitted.iter().map(Wanted::entry).collect(),
            bound: bound(config, &standing),
        })
    }

    /// Whether places are so few that not everything that is wanted may have one.
    pub fn is_due(config: &Firewall, standing: &Standing) -> bool {
        matches!(config.terms.quota, Quota::Fixed(_)) || standing.learned_quota.is_some()
    }

    /// Why `wanted` has no place; `None` where it has one.
    pub fn lost(&self, wanted: &Wanted, config: &Firewall) -> Option<String> {
        if self.placed.contains(&wanted.entry()) {
            return None;
        }
        let score = f64::from(wanted.score) / 1e6;
        let Some(lowest) = self.lowest else {
            return Some(format!("no place: {}", self.bound));
        };
        Some(format!(
            "no place: {}. Its score is {score:.2}, the lowest that has a place {:.2} (to displace it takes {} more)",
            self.bound,
            f64::from(lowest) / 1e6,
            config.terms.margin
        ))
    }
}

fn bound(config: &Firewall, standing: &Standing) -> String {
    let configured = match config.terms.quota {
        Quota::Fixed(quota) => Some(quota),
        Quota::Auto => None,
    };
    let quota = [configured, standing.learned_quota]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(0);
    format!(
        "the quota is {quota}, {} are kept free (`reserve`) and {} held by others, which leaves {}",
        config.terms.reserve,
        standing.foreign_places,
        admission::ours(quota, &config.terms, standing)
    )
}
