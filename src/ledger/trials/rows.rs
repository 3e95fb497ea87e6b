//! The rows of trials and of the entries that are under them.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::ledger::leases::{direction_of, list_of};
use crate::ledger::{LedgerError, Result, Tx, bulk};
use crate::model::{Entry, Indicator, UnixTime};
use crate::plan::trial::{Role, Trial};

use super::Refusal;

pub(super) async fn open(
    tx: &mut Tx,
    refusal: &Refusal<'_>,
    parent: Option<i64>,
    role: Role,
    entries: &[Entry],
) -> Result<i64> {
    let firewall = refusal.call.firewall;
    let id = open_row(tx, firewall, parent, role, entries.len()).await?;
    note(tx, id, refusal).await?;
    suspect(tx, firewall, refusal.call.action.as_str(), entries, id).await?;
    Ok(id)
}

pub(super) async fn open_row(
    tx: &mut Tx,
    firewall: i64,
    parent: Option<i64>,
    role: Role,
    size: usize,
) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "INSERT INTO trials (firewall_id, parent_id, role, size) VALUES (?, ?, ?, ?) RETURNING id",
    )
    .bind(firewall)
    .bind(parent)
    .bind(role.as_str())
    .bind(i64::try_from(size).unwrap_or(i64::MAX))
    .fetch_one(&mut **tx)
    .await?)
}

pub(super) async fn suspect(
    tx: &mut Tx,
    firewall: i64,
    action: &str,
    entries: &[Entry],
    trial: i64,
) -> Result<()> {
    for group in bulk::groups(entries) {
        sqlx::query(
            "INSERT OR REPLACE INTO suspects (firewall_id, list, direction, key, action, trial_id)
             SELECT ?1, ?2, ?3, unhex(value), ?5, ?6 FROM json_each(?4)",
        )
        .bind(firewall)
        .bind(group.list)
        .bind(group.direction)
        .bind(group.keys)
        .bind(action)
        .bind(trial)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Keeps what the cloud said with the trial that it was said of.
pub(super) async fn note(tx: &mut Tx, trial: i64, refusal: &Refusal<'_>) -> Result<()> {
    // A trial that waits for children counts their codes, and says nothing of its own.
    sqlx::query(
        "UPDATE trials SET message = ?2, request_id = ?3,
             code = iif(role IN ('probe', 'retry'), ?4, code)
         WHERE id = ?1",
    )
    .bind(trial)
    .bind(refusal.said.message.as_deref())
    .bind(refusal.said.request_id.as_deref())
    .bind(refusal.code())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Marks the trials of entries that are about to leave them for another reason than a call's outcome.
pub(in crate::ledger) async fn reduce(tx: &mut Tx, firewall: i64, entries: &[Entry]) -> Result<()> {
    for group in bulk::groups(entries) {
        sqlx::query(
            "UPDATE trials SET reduced = 1 WHERE id IN
                 (SELECT trial_id FROM suspects WHERE firewall_id = ?1 AND list = ?2 AND direction = ?3
                      AND key IN (SELECT unhex(value) FROM json_each(?4)))",
        )
        .bind(firewall)
        .bind(group.list)
        .bind(group.direction)
        .bind(group.keys)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

pub(super) async fn clear_suspects(tx: &mut Tx, firewall: i64, entries: &[Entry]) -> Result<()> {
    for group in bulk::groups(entries) {
        sqlx::query(
            "DELETE FROM suspects WHERE firewall_id = ?1 AND list = ?2 AND direction = ?3
                 AND key IN (SELECT unhex(value) FROM json_each(?4))",
        )
        .bind(firewall)
        .bind(group.list)
        .bind(group.direction)
        .bind(group.keys)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

pub(super) async fn wait_for(tx: &mut Tx, trial: i64, children: usize) -> Result<()> {
    sqlx::query("UPDATE trials SET waiting = ?2 WHERE id = ?1")
        .bind(trial)
        .bind(i64::try_from(children).unwrap_or(i64::MAX))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn set_tries(tx: &mut Tx, trial: i64, tries: u32) -> Result<()> {
    sqlx::query("UPDATE trials SET tries = ?2 WHERE id = ?1")
        .bind(trial)
        .bind(tries)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Counts a failure, and lets the trial rest.
pub(super) async fn put_off(
    tx: &mut Tx,
    trial: i64,
    tries: u32,
    not_before: UnixTime,
) -> Result<()> {
    sqlx::query("UPDATE trials SET tries = ?2, not_before = ?3 WHERE id = ?1")
        .bind(trial)
        .bind(tries)
        .bind(not_before.seconds())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn has_entries(tx: &mut Tx, trial: i64) -> Result<bool> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM suspects WHERE trial_id = ?)")
            .bind(trial)
            .fetch_one(&mut **tx)
            .await?,
    )
}

/// Removes a trial whose entries have gone over to its successors.
pub(super) async fn discard(tx: &mut Tx, trial: Option<Trial>) -> Result<()> {
    match trial {
        Some(trial) => remove(tx, trial.id).await,
        None => Ok(()),
    }
}

/// Lets a batch and its probes go as if nothing had been.
pub(super) async fn dissolve(tx: &mut Tx, rest: &Trial) -> Result<()> {
    let family = "SELECT id FROM trials WHERE id = ?1 OR parent_id = ?1";
    let sql = format!("DELETE FROM suspects WHERE trial_id IN ({family})");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(rest.id)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM trials WHERE parent_id = ?")
        .bind(rest.id)
        .execute(&mut **tx)
        .await?;
    remove(tx, rest.id).await
}

pub(super) async fn remove(tx: &mut Tx, trial: i64) -> Result<()> {
    sqlx::query("DELETE FROM suspects WHERE trial_id = ?")
        .bind(trial)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM trials WHERE id = ?")
        .bind(trial)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn find(tx: &mut Tx, id: i64) -> Result<Option<Trial>> {
    sqlx::query("SELECT * FROM trials WHERE id = ?")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?
        .as_ref()
        .map(read_trial)
        .transpose()
}

pub(in crate::ledger) async fn firewall_of(tx: &mut Tx, trial: i64) -> Result<i64> {
    Ok(
        sqlx::query_scalar("SELECT firewall_id FROM trials WHERE id = ?")
            .bind(trial)
            .fetch_one(&mut **tx)
            .await?,
    )
}

pub(in crate::ledger) async fn latest_settlement(tx: &mut Tx, firewall: i64) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT coalesce(max(settled_ms), 0) / 1000 FROM calls WHERE firewall_id = ?",
    )
    .bind(firewall)
    .fetch_one(&mut **tx)
    .await?)
}

pub(super) fn read_trial(row: &SqliteRow) -> Result<Trial> {
    let role: String = row.try_get("role")?;
    let size: i64 = row.try_get("size")?;
    Ok(Trial {
        id: row.try_get("id")?,
        parent: row.try_get("parent_id")?,
        role: Role::from_word(&role)
            .ok_or_else(|| LedgerError::Row(format!("trial role `{role}`")))?,
        size: usize::try_from(size).unwrap_or(0),
        tries: row.try_get("tries")?,
        waiting: row.try_get("waiting")?,
        accepted: row.try_get("accepted")?,
        refused: row.try_get("refused")?,
        reduced: row.try_get("reduced")?,
        code: row.try_get("code")?,
    })
}

pub(in crate::ledger) fn read_entry(list: i64, key: &[u8], direction: i64) -> Result<Entry> {
    Ok(Entry {
        list: list_of(list)?,
        indicator: Indicator::from_key(key)?,
        direction: direction_of(direction)?,
    })
}
