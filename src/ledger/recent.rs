//! What changed since a plan last looked, so that it need not read everything again.
//!
//! A feed's `revision` moves with every transaction that changes its listings, whoever makes it. This process remembers
//! which indicators its own transactions changed; where another process made one, or too much changed, the log has a
//! gap, and the feed is read anew. Nothing here needs to outlive the process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::model::{Indicator, Listing};

use super::bulk::{self, Packed};
use super::read::read_listing;
use super::{Ledger, Result};

/// Indicators that one feed's log holds at most; more are cheaper to read anew.
const MOST: usize = 200_000;

/// Keys looked up in one statement.
const AT_ONCE: usize = 5_000;

/// The logs of the feeds that are followed.
#[derive(Debug, Default)]
pub(super) struct Recent {
    logs: Mutex<HashMap<i64, Log>>,
}

#[derive(Debug)]
struct Log {
    /// The revision before the first of `changes`.
    from: i64,
    changes: Vec<Vec<Indicator>>,
    size: usize,
}

impl Recent {
    /// Whether it is worth telling what changed.
    pub(super) fn is_followed(&self, feed: i64) -> bool {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.contains_key(&feed)
    }

    /// A transaction that made `revision` changed these.
    pub(super) fn add(&self, feed: i64, revision: i64, changed: Vec<Indicator>) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(log) = logs.get_mut(&feed) else {
            return;
        };
        log.size += changed.len();
        log.changes.push(changed);
        if log.last() != revision || log.size > MOST {
            logs.remove(&feed);
        }
    }
}

impl Log {
    fn last(&self) -> i64 {
        self.from + i64::try_from(self.changes.len()).unwrap_or(i64::MAX)
    }
}

impl Ledger {
    /// Begins to remember what changes in a feed after `revision`.
    pub fn follow(&self, feed: i64, revision: i64) {
        let log = Log {
            from: revision,
            changes: Vec::new(),
            size: 0,
        };
        let mut logs = self
            .recent
            .logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        logs.insert(feed, log);
    }

    /// What changed in a feed after the revision `since`, sorted, and the revision up to which that is told, which is
    /// `until` or a later one; `None` where this process does not know. It is then followed from there on.
    #[must_use]
    pub fn changes(&self, feed: i64, since: i64, until: i64) -> Option<(Vec<Indicator>, i64)> {
        let mut logs = self
            .recent
            .logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let log = logs.get_mut(&feed)?;
        let last = log.last();
        if log.from != since || last < until {
            return None;
        }
        let mut changed: Vec<Indicator> = log.changes.drain(..).flatten().collect();
        (log.from, log.size) = (last, 0);
        changed.sort_unstable();
        changed.dedup();
        Some((changed, last))
    }

    /// The listings of a feed on `indicators`, in their order.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn listings_on(&self, feed: i64, indicators: &[Indicator]) -> Result<Vec<Listing>> {
        let mut listings = Vec::new();
        for some in indicators.chunks(AT_ONCE) {
            let packed: Option<Vec<u8>> = sqlx::query_scalar(
                "SELECT CAST(group_concat(
                     key || ':' || first_listed || ':' || ifnull(expires_at, '') || ':'
                     || ifnull(delisted_at, '') || ':' || ifnull(valid_until, '') || ':'
                     || ifnull(dated, '') || ':' || ifnull(confidence, ''), ',') AS BLOB)
                 FROM listings WHERE feed_id = ?1 AND key IN (SELECT unhex(value) FROM json_each(?2))",
            )
            .bind(feed)
            .bind(bulk::keys_json(some))
            .fetch_one(&self.readers)
            .await?;
            for row in Packed::new(&packed.unwrap_or_default()) {
                listings.push(read_listing(row?)?);
            }
        }
        listings.sort_unstable_by(|one, other| one.indicator.cmp(&other.indicator));
        Ok(listings)
    }

    /// A number that is another one whenever anything in the file has changed, whoever changed it
    /// (sqlite.org/pragma.html#pragma_data_version).
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn version(&self) -> Result<i64> {
        // The number means something on one and the same connection only.
        Ok(sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&self.watcher)
            .await?)
    }
}
