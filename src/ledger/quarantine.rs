//! Entries that the cloud refused alone.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::{Action, Entry, Indicator, UnixTime};

use super::calls::action_of;
use super::trials::{Refusal, read_entry};
use super::{Ledger, Result, Tx};

/// An entry that the cloud refused alone.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// The entry.
    pub entry: Entry,
    /// What was tried.
    pub action: Action,
    /// The cloud's code.
    pub code: String,
    /// The cloud's message.
    pub message: String,
    /// The call that showed it.
    pub request_id: Option<String>,
    /// Since when.
    pub since: UnixTime,
}

impl Ledger {
    /// The entries of a firewall that are quarantined.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn quarantine(&self, firewall: i64) -> Result<Vec<Quarantined>> {
        sqlx::query("SELECT * FROM quarantine WHERE firewall_id = ? ORDER BY list, key, direction")
            .bind(firewall)
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_quarantined)
            .collect()
    }

    /// Lets the quarantined entries of one indicator, or all of a firewall, be sent again. Returns how many.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn release_quarantine(
        &self,
        firewall: i64,
        indicator: Option<&Indicator>,
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        let released = sqlx::query(
            "DELETE FROM quarantine WHERE firewall_id = ?1 AND (?2 IS NULL OR key = ?2)",
        )
        .bind(firewall)
        .bind(indicator.map(Indicator::key))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(released)
    }
}

pub(super) async fn quarantine(tx: &mut Tx, refusal: &Refusal<'_>, entry: &Entry) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO quarantine
             (firewall_id, list, key, direction, action, code, message, request_id, since)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(refusal.call.firewall)
    .bind(entry.list as i64)
    .bind(entry.indicator.key())
    .bind(entry.direction as i64)
    .bind(refusal.call.action.as_str())
    .bind(refusal.code())
    .bind(refusal.said.message.as_deref().unwrap_or_default())
    .bind(refusal.said.request_id.as_deref())
    .bind(refusal.now.seconds())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn quarantine_probes(tx: &mut Tx, rest: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO quarantine (firewall_id, list, key, direction, action, code, message, request_id, since)
         SELECT suspects.firewall_id, list, key, direction, action, coalesce(code, 'no code'),
                coalesce(message, ''), request_id,
                (SELECT max(settled_ms) / 1000 FROM calls WHERE firewall_id = suspects.firewall_id)
         FROM suspects JOIN trials ON trials.id = trial_id
         WHERE trials.parent_id = ? AND trials.role = 'probe'
         ON CONFLICT DO NOTHING",
    )
    .bind(rest)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "DELETE FROM suspects WHERE trial_id IN (SELECT id FROM trials WHERE parent_id = ?)",
    )
    .bind(rest)
    .execute(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM trials WHERE parent_id = ? AND role = 'probe'")
        .bind(rest)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn read_quarantined(row: &SqliteRow) -> Result<Quarantined> {
    let key: Vec<u8> = row.try_get("key")?;
    let action: String = row.try_get("action")?;
    Ok(Quarantined {
        entry: read_entry(row.try_get("list")?, &key, row.try_get("direction")?)?,
        action: action_of(&action)?,
        code: row.try_get("code")?,
        message: row.try_get("message")?,
        request_id: row.try_get("request_id")?,
        since: UnixTime::from_seconds(row.try_get("since")?),
    })
}
