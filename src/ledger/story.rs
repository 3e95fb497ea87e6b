//! What the ledger knows of single indicators and feeds, for commands that ask.

use std::collections::{BTreeMap, HashSet};

use crate::model::{Class, Entry, Indicator, Listing};

use super::calls::{CallRow, read_call, unpack};
use super::leases::{direction_of, list_of};
use super::read::read_listing;
use super::{Ledger, Result, bulk};

/// How many indicators of one class a feed lists, and how many it listed and no longer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ClassCount {
    /// Listed now.
    pub listed: u64,
    /// Delisted since, whether they have ended or still age out.
    pub delisted: u64,
}

impl Ledger {
    /// Every listing of any of `indicators`, with the key of its feed.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn listings_of(&self, indicators: &[Indicator]) -> Result<Vec<(i64, Listing)>> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT feed_id, CAST(listings.key || ':' || first_listed || ':' || ifnull(expires_at, '') || ':'
                 || ifnull(delisted_at, '') || ':' || ifnull(valid_until, '') || ':'
                 || ifnull(dated, '') || ':' || ifnull(listings.confidence, '') AS BLOB)
             FROM feeds CROSS JOIN json_each(?) AS asked CROSS JOIN listings
             WHERE feed_id = feeds.id AND listings.key = unhex(asked.value)
             ORDER BY feeds.name, listings.key",
        )
        .bind(bulk::keys_json(indicators))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .flat_map(|(feed, packed)| {
                bulk::Packed::new(packed).map(|row| Ok((*feed, read_listing(row?)?)))
            })
            .collect()
    }

    /// The calls that held `indicator`, newest first, at most `limit` of them, each with its entries of it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn calls_of(
        &self,
        indicator: &Indicator,
        limit: usize,
    ) -> Result<Vec<(CallRow, Vec<Entry>)>> {
        let key = indicator.key();
        let mut packed = vec![u8::try_from(key.len()).unwrap_or(u8::MAX)];
        packed.extend_from_slice(&key);
        // The bytes may also stand inside another entry's; unpacking tells.
        let rows = sqlx::query("SELECT * FROM calls WHERE instr(entries, ?) > 0 ORDER BY id DESC")
            .bind(packed)
            .fetch_all(&self.readers)
            .await?;
        let mut calls = Vec::new();
        for row in &rows {
            let call = read_call(row)?;
            let mut entries = unpack(call.list, sqlx::Row::try_get(row, "entries")?)?;
            entries.retain(|entry| entry.indicator == *indicator);
            if !entries.is_empty() {
                calls.push((call, entries));
            }
            if calls.len() >= limit {
                break;
            }
        }
        Ok(calls)
    }

    /// The leases of a firewall that a read-back has seen since they were last set.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn confirmed(&self, firewall: i64) -> Result<HashSet<Entry>> {
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT list, direction, key FROM leases
             WHERE firewall_id = ? AND confirmed_at >= set_at AND doubt IS NULL",
        )
        .bind(firewall)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|(list, direction, key)| {
                Ok(Entry {
                    list: list_of(list)?,
                    indicator: Indicator::from_key(&key)?,
                    direction: direction_of(direction)?,
                })
            })
            .collect()
    }

    /// How many indicators of each class a feed lists. It reads all of the feed's listings.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn class_counts(&self, feed: i64) -> Result<BTreeMap<Class, ClassCount>> {
        // The first byte of a key tells the class; networks of either family are one class.
        let rows: Vec<(Vec<u8>, bool, i64)> = sqlx::query_as(
            "SELECT min(key), delisted_at IS NOT NULL, count(*) FROM listings WHERE feed_id = ?
             GROUP BY substr(key, 1, 1), 2",
        )
        .bind(feed)
        .fetch_all(&self.readers)
        .await?;
        let mut counts: BTreeMap<Class, ClassCount> = BTreeMap::new();
        for (key, delisted, count) in rows {
            let class = Indicator::from_key(&key)?.class();
            let counted = counts.entry(class).or_default();
            let count = u64::try_from(count).unwrap_or(0);
            if delisted {
                counted.delisted += count;
            } else {
                counted.listed += count;
            }
        }
        Ok(counts)
    }
}
