//! How things went: a row a minute for the dashboard, calls counted for good, and how long entries took.

use std::time::Duration;

use crate::model::{Action, UnixTime};

use super::calls::action_of;
use super::{Ledger, Result};

/// The whole of it at one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The minute.
    pub at: UnixTime,
    /// Indicators that feeds list.
    pub listed: u64,
    /// Entries that should be on the firewalls.
    pub desired: u64,
    /// Entries that are there without doubt.
    pub held: u64,
    /// Entries seen in a read-back.
    pub confirmed: u64,
    /// Calls answered or given up since the ledger began.
    pub calls: u64,
    /// Entries in those that were applied.
    pub entries: u64,
    /// Those calls that were not applied.
    pub failed: u64,
    /// Median seconds from listing to first confirmation, of the entries that the minute brought.
    pub lag: Option<u64>,
}

/// Calls of one firewall, action and verdict since the ledger began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTotal {
    /// To which firewall.
    pub firewall: i64,
    /// What they did.
    pub action: Action,
    /// The verdict's word.
    pub verdict: String,
    /// How many.
    pub calls: u64,
    /// With how many entries.
    pub entries: u64,
    /// From sending to answer, together.
    pub duration_ms: u64,
}

/// A row each ten minutes is kept of what is older than this,
const DAY: Duration = Duration::from_secs(86_400);
/// and a row each hour of what is older than this.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

impl Ledger {
    /// Records a sample in the place of an earlier one of the same minute, and thins out what is old: ten minutes a
    /// row after a day, an hour a row after a week, none after `keep_history`.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn record_sample(&self, sample: &Sample, keep_history: Duration) -> Result<()> {
        let mut tx = self.begin().await?;
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        sqlx::query("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(sample.at.seconds())
            .bind(number(sample.listed))
            .bind(number(sample.desired))
            .bind(number(sample.held))
            .bind(number(sample.confirmed))
            .bind(number(sample.calls))
            .bind(number(sample.entries))
            .bind(number(sample.failed))
            .bind(sample.lag.map(number))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "DELETE FROM samples WHERE at < ?1
                 OR (at < ?2 AND at % 3600 <> 0) OR (at < ?3 AND at % 600 <> 0)",
        )
        .bind(sample.at.minus(keep_history).seconds())
        .bind(sample.at.minus(WEEK).seconds())
        .bind(sample.at.minus(DAY).seconds())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The samples from `since` on, the oldest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn samples(&self, since: UnixTime) -> Result<Vec<Sample>> {
        type Row = (i64, i64, i64, i64, i64, i64, i64, i64, Option<i64>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT at, listed, desired, held, confirmed, calls, entries, failed, lag
             FROM samples WHERE at >= ? ORDER BY at",
        )
        .bind(since.seconds())
        .fetch_all(&self.readers)
        .await?;
        let sample = |row: Row| Sample {
            at: UnixTime::from_seconds(row.0),
            listed: whole(row.1),
            desired: whole(row.2),
            held: whole(row.3),
            confirmed: whole(row.4),
            calls: whole(row.5),
            entries: whole(row.6),
            failed: whole(row.7),
            lag: row.8.map(whole),
        };
        Ok(rows.into_iter().map(sample).collect())
    }

    /// Every call that was answered or given up, counted; reads no call.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn call_totals(&self) -> Result<Vec<CallTotal>> {
        let rows: Vec<(i64, String, String, i64, i64, i64)> = sqlx::query_as(
            "SELECT firewall_id, action, verdict, calls, entries, duration_ms FROM call_totals",
        )
        .fetch_all(&self.readers)
        .await?;
        let total =
            |(firewall, action, verdict, calls, entries, duration): (i64, String, _, _, _, _)| {
                Ok(CallTotal {
                    firewall,
                    action: action_of(&action)?,
                    verdict,
                    calls: whole(calls),
                    entries: whole(entries),
                    duration_ms: whole(duration),
                })
            };
        rows.into_iter().map(total).collect()
    }

    /// When a call to the firewall was last answered or given up.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn last_settled(&self, firewall: i64) -> Result<Option<UnixTime>> {
        let last: Option<i64> =
            sqlx::query_scalar("SELECT max(settled_ms) / 1000 FROM calls WHERE firewall_id = ?")
                .bind(firewall)
                .fetch_one(&self.readers)
                .await?;
        Ok(last.map(UnixTime::from_seconds))
    }

    /// Of the entries that the reading at `read_at` saw for the first time, the seconds since a feed first listed
    /// them; of `most` of them at most.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn first_seen(
        &self,
        firewall: i64,
        read_at: UnixTime,
        most: u32,
    ) -> Result<Vec<Duration>> {
        let lags: Vec<Option<i64>> = sqlx::query_scalar(
            "SELECT ?2 - (SELECT min(first_listed) FROM listings WHERE key = leases.key
                 AND feed_id IN (SELECT id FROM feeds WHERE feeds.list = leases.list AND role = 'feed'))
             FROM leases WHERE firewall_id = ?1 AND seen_at = ?2 LIMIT ?3",
        )
        .bind(firewall)
        .bind(read_at.seconds())
        .bind(most)
        .fetch_all(&self.readers)
        .await?;
        let lags = lags.into_iter().flatten();
        Ok(lags.map(|lag| Duration::from_secs(whole(lag))).collect())
    }
}

/// Counts and spans are never negative.
fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
