//! What firewalls turned out to refuse. It is forgotten after a day, to be tried again.

use std::time::Duration;

use crate::model::UnixTime;
use crate::plan::trial::Trial;

use super::trials::{firewall_of, latest_settlement};
use super::{LEARNED_FOR, Ledger, Result, Tx};

/// A class whose edits or deletes were refused is left alone for so long: a lease runs on meanwhile.
const CALL_HELD_FOR: Duration = Duration::from_secs(3600);

impl Ledger {
    /// Remembers for a day what a firewall turned out to refuse.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn learn(
        &self,
        firewall: i64,
        subject: &str,
        value: Option<i64>,
        reason: &str,
        now: UnixTime,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        learn(&mut tx, firewall, subject, value, reason, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What was learned about a firewall since `since`: subject, value and reason. Of a class whose edits or
    /// deletes are refused, only what was learned within the last hour of a day since then.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn learned(
        &self,
        firewall: i64,
        since: UnixTime,
    ) -> Result<Vec<(String, Option<i64>, String)>> {
        Ok(sqlx::query_as(
            "SELECT subject, value, reason FROM learned
             WHERE firewall_id = ?1 AND learned_at > iif(subject LIKE 'call %', ?3, ?2) ORDER BY subject",
        )
        .bind(firewall)
        .bind(since.seconds())
        .bind(since.plus(LEARNED_FOR).minus(CALL_HELD_FOR).seconds())
        .fetch_all(&self.readers)
        .await?)
    }
}

pub(super) async fn learn(
    tx: &mut Tx,
    firewall: i64,
    subject: &str,
    value: Option<i64>,
    reason: &str,
    now: UnixTime,
) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO learned (firewall_id, subject, value, reason, learned_at)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(firewall)
    .bind(subject)
    .bind(value)
    .bind(reason)
    .bind(now.seconds())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Both halves of a refused batch were accepted. Of several such the smallest counts: once a size is known, larger
/// halves go in several calls, and their acceptance says nothing.
pub(super) async fn learn_batch(tx: &mut Tx, fork: &Trial) -> Result<()> {
    let firewall = firewall_of(tx, fork.id).await?;
    let size = i64::try_from(fork.size).unwrap_or(i64::MAX);
    let now = UnixTime::from_seconds(latest_settlement(tx, firewall).await?);
    let known: Option<i64> = sqlx::query_scalar(
        "SELECT value FROM learned WHERE firewall_id = ? AND subject = 'batch' AND learned_at > ?",
    )
    .bind(firewall)
    .bind(now.minus(LEARNED_FOR).seconds())
    .fetch_optional(&mut **tx)
    .await?;
    let size = known.map_or(size, |known| known.min(size));
    if took_more(tx, firewall, size, now).await? {
        return Ok(());
    }
    let reason = format!(
        "a batch was refused whole, and both its halves of up to {size} entries were taken"
    );
    learn(tx, firewall, "batch", Some(size), &reason, now).await
}

/// Whether a larger call was applied within the day: then it was not the size, but a failure that has passed.
async fn took_more(tx: &mut Tx, firewall: i64, size: i64, now: UnixTime) -> Result<bool> {
    let since = now.minus(LEARNED_FOR).seconds().saturating_mul(1000);
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM calls WHERE firewall_id = ? AND settled_ms > ?
             AND count > ? AND verdict = 'applied')",
    )
    .bind(firewall)
    .bind(since)
    .bind(size)
    .fetch_one(&mut **tx)
    .await?)
}
