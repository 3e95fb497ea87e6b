//! What entries earned: how often traffic matched them, and when last, as the cloud counts it.

use std::collections::HashMap;

use crate::ledger::{Ledger, Result};
use crate::model::{Entry, Indicator, UnixTime};

use super::entry;

/// What the entries of one feed earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FeedHits {
    /// Indicators that the feed lists and that traffic matched.
    pub indicators: u64,
    /// How often, on all firewalls together.
    pub match_times: u64,
    /// The last match.
    pub last_hit: Option<UnixTime>,
}

impl Ledger {
    /// When each entry was last hit, as last read.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn last_hits(&self, firewall: i64) -> Result<HashMap<Entry, UnixTime>> {
        let rows: Vec<(i64, i64, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT list, direction, key, last_hit FROM hits
             WHERE firewall_id = ? AND last_hit IS NOT NULL",
        )
        .bind(firewall)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|(list, direction, key, hit)| {
                Ok((entry(list, direction, &key)?, UnixTime::from_seconds(hit)))
            })
            .collect()
    }

    /// How often each entry of one indicator matched on a firewall, and when last, as last read.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn hits_of(
        &self,
        firewall: i64,
        indicator: &Indicator,
    ) -> Result<HashMap<Entry, (u64, Option<UnixTime>)>> {
        let key = indicator.key();
        let rows: Vec<(i64, i64, i64, Option<i64>)> = sqlx::query_as(
            "SELECT list, direction, match_times, last_hit FROM hits
             WHERE firewall_id = ? AND list IN (1, 2) AND key = ?",
        )
        .bind(firewall)
        .bind(&key)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|(list, direction, times, last)| {
                let times = u64::try_from(times).unwrap_or(0);
                let hit = (times, last.map(UnixTime::from_seconds));
                Ok((entry(list, direction, &key)?, hit))
            })
            .collect()
    }

    /// What the indicators that a feed lists earned on all firewalls, as last read.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn feed_hits(&self, feed: i64) -> Result<FeedHits> {
        let (indicators, times, last): (i64, i64, Option<i64>) = sqlx::query_as(
            "SELECT count(DISTINCT hits.key), coalesce(sum(match_times), 0), max(last_hit)
             FROM hits CROSS JOIN listings
             WHERE listings.feed_id = ? AND listings.key = hits.key AND delisted_at IS NULL",
        )
        .bind(feed)
        .fetch_one(&self.readers)
        .await?;
        Ok(FeedHits {
            indicators: u64::try_from(indicators).unwrap_or(0),
            match_times: u64::try_from(times).unwrap_or(0),
            last_hit: last.map(UnixTime::from_seconds),
        })
    }
}
