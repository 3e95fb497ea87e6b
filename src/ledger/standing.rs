//! What stands on all firewalls' lists together, and what it earned.

use crate::model::{Indicator, UnixTime};

use super::{Ledger, Result};

impl Ledger {
    /// Every indicator that we hold on a blocklist, and how often its entries were hit as last read back, by indicator.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn blocked(&self, now: UnixTime) -> Result<Vec<(Indicator, u64)>> {
        let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT leases.key, coalesce(sum(match_times), 0) FROM leases
             LEFT JOIN hits USING (firewall_id, list, key, direction)
             WHERE list = 1 AND end_time > ? GROUP BY leases.key ORDER BY leases.key",
        )
        .bind(now.seconds())
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|(key, hits)| Ok((Indicator::from_key(&key)?, u64::try_from(hits).unwrap_or(0))))
            .collect()
    }
}
