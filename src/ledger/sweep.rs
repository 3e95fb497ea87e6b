//! Housekeeping: what nobody will ask for any more leaves, a little at a time.

use std::time::Duration;

use crate::model::UnixTime;

use super::LEARNED_FOR;
use super::{Ledger, Result};

/// What a sweep took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Listings that had ended.
    pub listings: u64,
    /// Calls of the journal.
    pub calls: u64,
    /// Feeds that had left the config.
    pub feeds: u64,
    /// Firewalls that had left the config.
    pub firewalls: u64,
    /// Things learned that are to be tried again.
    pub learned: u64,
    /// Bytes of the file that went back to the disk.
    pub bytes: u64,
}

/// What there is to do.
#[derive(sqlx::FromRow)]
struct Due {
    listings: bool,
    calls: bool,
    feeds: bool,
    firewalls: bool,
    learned: bool,
}

/// Rows that leave in one transaction.
const CHUNK: i64 = 2_000;

/// Fewer free pages than this stay for what comes next: 4 MB.
const LEAST_FREE: i64 = 1_000;

/// Gives 256 pages back (sqlite.org/pragma.html#pragma_incremental_vacuum): 1 MB, some milliseconds.
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(256)";

/// A feed that left the config, and whose listings have all ended so long ago, or which never had a good fetch:
/// the latest end of what a feed listed last is at one and a half ttls (see `plan::expiry`).
const FORGOTTEN: &str = "SELECT id FROM feeds WHERE NOT configured
     AND (last_good IS NULL OR last_good + ttl + ttl / 2 <= ?1)";

/// A feed that left the config and has no listing.
const EMPTY: &str =
    "NOT configured AND NOT EXISTS (SELECT 1 FROM listings WHERE feed_id = feeds.id)";

/// A firewall that left the config, holds nothing and has no history.
const IDLE: &str =
    "NOT configured AND NOT EXISTS (SELECT 1 FROM leases WHERE firewall_id = firewalls.id)
     AND NOT EXISTS (SELECT 1 FROM calls WHERE firewall_id = firewalls.id)";

impl Ledger {
    /// Takes away listings that ended and calls that were answered `keep_history` ago or earlier, feeds and
    /// firewalls that left the config and have nothing left, and what was learned more than a day ago.
    ///
    /// # Errors
    /// When the ledger cannot be written; what is gone by then is gone.
    pub async fn sweep(&self, now: UnixTime, keep_history: Duration) -> Result<Swept> {
        let until = now.minus(keep_history);
        let mut swept = Swept::default();
        let due = self.due(until, now).await?;
        if due.listings {
            swept.listings += self.sweep_ended(until).await?;
        }
        if due.feeds {
            swept.listings += self.sweep_forgotten(until).await?;
            swept.feeds = self.sweep_feeds().await?;
        }
        if due.calls {
            swept.calls = self.sweep_calls(until).await?;
        }
        if due.firewalls || due.calls {
            swept.firewalls = self.sweep_firewalls().await?;
        }
        if due.learned {
            swept.learned = self.sweep_learned(now).await?;
        }
        if swept != Swept::default() {
            swept.bytes = self.give_back().await?;
        }
        Ok(swept)
    }

    /// Gives pages that hold nothing back to the disk while they are more than a quarter of the file, a few at a time
    /// so that nobody waits; the rest is used anew. Returns the bytes.
    async fn give_back(&self) -> Result<u64> {
        let mut given = 0;
        loop {
            let (free, pages, page) = self.pages().await?;
            if free < LEAST_FREE || free * 4 < pages {
                return Ok(given);
            }
            let mut writer = self.writer.acquire().await?;
            // Each row is a page: the statement has to be stepped to its end.
            sqlx::query(GIVE_BACK).fetch_all(&mut *writer).await?;
            drop(writer);
            let (_, left, _) = self.pages().await?;
            if left >= pages {
                // A file that was not made for it gives nothing back.
                return Ok(given);
            }
            given += u64::try_from((pages - left) * page).unwrap_or(0);
        }
    }

    /// Pages of the file that hold nothing, all its pages, and the bytes of one.
    async fn pages(&self) -> Result<(i64, i64, i64)> {
        Ok(sqlx::query_as(
            "SELECT freelist_count, page_count, page_size
             FROM pragma_freelist_count, pragma_page_count, pragma_page_size",
        )
        .fetch_one(&self.readers)
        .await?)
    }

    /// One look at the ends of a few indexes.
    async fn due(&self, until: UnixTime, now: UnixTime) -> Result<Due> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM listings WHERE expires_at <= ?1) AS listings,
                 EXISTS (SELECT 1 FROM feeds WHERE {EMPTY}) OR EXISTS ({FORGOTTEN}) AS feeds,
                 EXISTS (SELECT 1 FROM firewalls WHERE
                     (SELECT min(settled_ms) FROM calls WHERE firewall_id = firewalls.id) <= ?1 * 1000)
                 OR EXISTS (SELECT 1 FROM calls WHERE settled_ms IS NULL AND sent_ms <= ?1 * 1000) AS calls,
                 EXISTS (SELECT 1 FROM firewalls WHERE {IDLE}) AS firewalls,
                 EXISTS (SELECT 1 FROM learned WHERE learned_at <= ?2) AS learned"
        );
        // Put together from this file's own words, here and below.
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(until.seconds())
            .bind(now.minus(LEARNED_FOR).seconds())
            .fetch_one(&self.readers)
            .await?)
    }

    async fn sweep_ended(&self, until: UnixTime) -> Result<u64> {
        self.in_chunks(
            "DELETE FROM listings WHERE (feed_id, key) IN
                 (SELECT feed_id, key FROM listings WHERE expires_at <= ?1 LIMIT ?2)",
            until.seconds(),
        )
        .await
    }

    async fn sweep_forgotten(&self, until: UnixTime) -> Result<u64> {
        let feeds: Vec<i64> = sqlx::query_scalar(FORGOTTEN)
            .bind(until.seconds())
            .fetch_all(&self.readers)
            .await?;
        let mut gone = 0;
        for feed in feeds {
            gone += self
                .in_chunks(
                    "DELETE FROM listings WHERE feed_id = ?1 AND key IN
                         (SELECT key FROM listings WHERE feed_id = ?1 ORDER BY key LIMIT ?2)",
                    feed,
                )
                .await?;
        }
        Ok(gone)
    }

    async fn sweep_feeds(&self) -> Result<u64> {
        let mut tx = self.begin().await?;
        for table in ["held_snapshots", "held_parts"] {
            let sql = format!(
                "DELETE FROM {table} WHERE feed_id IN (SELECT id FROM feeds WHERE {EMPTY})"
            );
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(&mut *tx)
                .await?;
        }
        let feeds = format!("DELETE FROM feeds WHERE {EMPTY}");
        let gone = sqlx::query(sqlx::AssertSqlSafe(feeds))
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(gone)
    }

    async fn sweep_calls(&self, until: UnixTime) -> Result<u64> {
        let until = until.seconds().saturating_mul(1000);
        let unanswered = self
            .in_chunks(
                "DELETE FROM calls WHERE id IN
                     (SELECT id FROM calls WHERE settled_ms IS NULL AND sent_ms <= ?1 LIMIT ?2)",
                until,
            )
            .await?;
        let answered = self
            .in_chunks(
                "DELETE FROM calls WHERE id IN
                     (SELECT calls.id FROM firewalls CROSS JOIN calls ON firewall_id = firewalls.id
                      WHERE settled_ms <= ?1 LIMIT ?2)",
                until,
            )
            .await?;
        Ok(unanswered + answered)
    }

    async fn sweep_firewalls(&self) -> Result<u64> {
        let mut tx = self.begin().await?;
        for table in [
            "suspects",
            "trials",
            "quarantine",
            "foreign_entries",
            "hits",
            "learned",
            "delete_approvals",
        ] {
            let sql = format!(
                "DELETE FROM {table} WHERE firewall_id IN (SELECT id FROM firewalls WHERE {IDLE})"
            );
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(&mut *tx)
                .await?;
        }
        let firewalls = format!("DELETE FROM firewalls WHERE {IDLE}");
        let gone = sqlx::query(sqlx::AssertSqlSafe(firewalls))
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(gone)
    }

    async fn sweep_learned(&self, now: UnixTime) -> Result<u64> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM learned WHERE learned_at <= ?")
            .bind(now.minus(LEARNED_FOR).seconds())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(gone)
    }

    /// Runs `sql` with `number` and the size of a chunk, a transaction each time, until nothing is left.
    async fn in_chunks(&self, sql: &'static str, number: i64) -> Result<u64> {
        let mut gone = 0;
        loop {
            let mut tx = self.begin().await?;
            let chunk = sqlx::query(sql)
                .bind(number)
                .bind(CHUNK)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            tx.commit().await?;
            gone += chunk;
            if chunk == 0 {
                return Ok(gone);
            }
        }
    }
}
