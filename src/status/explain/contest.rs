//! The contest for places: whether an entry has one, and what it would have taken.

use crate::config::Firewall;
use crate::ledger::FirewallRow;
use crate::model::UnixTime;
use crate::plan::{Bar, Place, Quota, Standing, Wanted, admission};
use crate::stage::StageError;
use crate::stage::replan;

use super::gather::Asked;

/// How the contest for a firewall's places ended.
pub(super) struct Contest {
    bar: Bar,
    /// What bounds the places, in words.
    bound: String,
}

impl Contest {
    /// Finds out how it ended. `doubtful` says that something has no place, or may have none: only then is it worth
    /// going through everything that is listed, where the last plan does not tell.
    pub async fn ended(
        asked: &Asked<'_>,
        config: &Firewall,
        row: &FirewallRow,
        standing: &Standing,
        doubtful: bool,
    ) -> Result<Self, StageError> {
        let bar = if is_due(config, standing) {
            let (ctx, material, heard) = (asked.ctx, asked.material, asked.heard);
            let memory = asked.memory;
            replan::bar(ctx, material, memory, config, heard, row, doubtful).await?
        } else {
            Bar::default()
        };
        Ok(Self {
            bar,
            bound: bound(config, standing),
        })
    }

    /// What becomes of `one`, which is among `wanted`.
    pub fn place<'a>(
        &self,
        config: &Firewall,
        standing: &Standing,
        wanted: &'a [Wanted],
        one: &Wanted,
        now: UnixTime,
    ) -> Place<'a> {
        self.bar.place(&config.terms, standing, wanted, one, now)
    }

    /// Why `wanted` has no place.
    pub fn lost(&self, wanted: &Wanted, config: &Firewall) -> String {
        let score = f64::from(wanted.score) / 1e6;
        let Some(lowest) = self.bar.lowest else {
            return format!("no place: {}", self.bound);
        };
        format!(
            "no place: {}. Its score is {score:.2}, the lowest that has a place {:.2} (to displace it takes {} more)",
            self.bound,
            f64::from(lowest) / 1e6,
            config.terms.margin
        )
    }
}

/// Whether places are so few that not everything that is wanted may have one.
fn is_due(config: &Firewall, standing: &Standing) -> bool {
    matches!(config.terms.quota, Quota::Fixed(_)) || standing.learned_quota.is_some()
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
