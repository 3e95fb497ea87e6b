//! The journal of calls: written before a call is sent, settled after, and never forgotten in between.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::{Action, Entry, Indicator, List, UnixTime};

use super::leases::{self, direction_of, list_of};
use super::trials::{self, Refusal};
use super::{Ledger, LedgerError, Result, Tx};

/// A call that is about to be sent.
#[derive(Clone, Debug)]
pub struct NewCall<'a> {
    /// To which firewall.
    pub firewall: i64,
    /// On which list.
    pub list: List,
    /// What it does.
    pub action: Action,
    /// The EndTime that its entries share; none for a delete.
    pub end_time: Option<UnixTime>,
    /// What it holds.
    pub entries: &'a [Entry],
    /// Under which trial.
    pub trial: Option<i64>,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The verdict's word.
    pub verdict: &'static str,
    /// The cloud's code.
    pub code: Option<String>,
    /// The cloud's message.
    pub message: Option<String>,
    /// The cloud's name for the call.
    pub request_id: Option<String>,
    /// From sending to answer.
    pub duration_ms: i64,
    /// What that means for its entries.
    pub outcome: Outcome,
}

/// What a call did to its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of them are as the call said.
    Applied,
    /// None of them is; the next plan sends them anew.
    NotApplied,
    /// Nobody knows.
    Unknown,
    /// None of them is, for no stated reason: together again at `not_before`, three times, then as refused.
    Failed {
        /// When to try again.
        not_before: UnixTime,
    },
    /// None of them is, because of what the call holds.
    Refused {
        /// The cloud said that there are too many.
        too_large: bool,
    },
}

/// A call of the journal.
#[derive(Clone, Debug)]
pub struct CallRow {
    /// Its key.
    pub id: i64,
    /// To which firewall.
    pub firewall: i64,
    /// On which list.
    pub list: List,
    /// What it did.
    pub action: Action,
    /// The EndTime that its entries share.
    pub end_time: Option<UnixTime>,
    /// How many entries it held.
    pub count: u64,
    /// Which attempt at these entries it was.
    pub attempt: u32,
    /// When it was written down, in Unix milliseconds.
    pub sent_ms: i64,
    /// When its answer was, in Unix milliseconds; `None` while the outcome is unknown.
    pub settled_ms: Option<i64>,
    /// The verdict's word.
    pub verdict: Option<String>,
    /// The cloud's code.
    pub code: Option<String>,
    /// The cloud's message.
    pub message: Option<String>,
    /// The cloud's name for the call.
    pub request_id: Option<String>,
    /// From sending to answer.
    pub duration_ms: Option<i64>,
}

/// When this ledger's daemons last called, for the limit that holds over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastCall {
    /// The latest time in the journal, in Unix milliseconds.
    pub at_ms: i64,
    /// Whether a call is unsettled, so that it may have left later than it was written.
    pub unsettled: bool,
}

impl Ledger {
    /// Writes a call down, on the disk, before it is sent. Returns its key.
    ///
    /// # Errors
    /// When the ledger cannot be written; then the call must not be sent.
    pub async fn journal(&self, call: &NewCall<'_>, now_ms: i64) -> Result<i64> {
        let mut writer = self.writer.acquire().await?;
        sqlx::query("PRAGMA synchronous = FULL")
            .execute(&mut *writer)
            .await?;
        let id = sqlx::query_scalar(
            "INSERT INTO calls (firewall_id, list, action, end_time, count, entries, attempt, trial_id, sent_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6,
                     1 + coalesce((SELECT tries FROM trials WHERE id = ?7), 0), ?7, ?8)
             RETURNING id",
        )
        .bind(call.firewall)
        .bind(call.list as i64)
        .bind(call.action.as_str())
        .bind(call.end_time.map(UnixTime::seconds))
        .bind(i64::try_from(call.entries.len()).unwrap_or(i64::MAX))
        .bind(pack(call.entries))
        .bind(call.trial)
        .bind(now_ms)
        .fetch_one(&mut *writer)
        .await;
        sqlx::query("PRAGMA synchronous = NORMAL")
            .execute(&mut *writer)
            .await?;
        Ok(id?)
    }

    /// Settles a call: what came of it, and what that means for leases and trials, in one transaction. A call
    /// that is settled already stays as it is, so that a settle whose own outcome is unknown can be repeated.
    ///
    /// # Errors
    /// When the ledger cannot be written; the call then stays unsettled, as unknown.
    pub async fn settle(&self, call: i64, settlement: &Settlement, now_ms: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        settle(&mut tx, call, settlement, now_ms).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Settles what a predecessor left unsettled as unknown. Returns how many calls that were.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn settle_abandoned(&self, firewall: i64, now_ms: i64) -> Result<usize> {
        let abandoned = Settlement {
            verdict: "unknown",
            code: None,
            message: Some("feedwall stopped before the answer came".to_owned()),
            request_id: None,
            duration_ms: 0,
            outcome: Outcome::Unknown,
        };
        let mut tx = self.begin().await?;
        let calls: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM calls WHERE firewall_id = ? AND settled_ms IS NULL ORDER BY id",
        )
        .bind(firewall)
        .fetch_all(&mut *tx)
        .await?;
        for call in &calls {
            settle(&mut tx, *call, &abandoned, now_ms).await?;
        }
        tx.commit().await?;
        Ok(calls.len())
    }

    /// When this ledger's daemons last called.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn last_call(&self) -> Result<Option<LastCall>> {
        let (at, unsettled): (Option<i64>, i64) = sqlx::query_as(
            "SELECT max(max(sent_ms, coalesce(settled_ms, 0))), count(*) - count(settled_ms)
             FROM (SELECT sent_ms, settled_ms FROM calls ORDER BY id DESC LIMIT 100)",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(at.map(|at_ms| LastCall {
            at_ms,
            unsettled: unsettled > 0,
        }))
    }

    /// How many entries were deleted on a firewall since `since`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn deleted_since(&self, firewall: i64, since: UnixTime) -> Result<u64> {
        let deleted: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(count), 0) FROM calls
             WHERE firewall_id = ? AND settled_ms > ? AND action = 'delete' AND verdict = 'applied'",
        )
        .bind(firewall)
        .bind(since.seconds().saturating_mul(1000))
        .fetch_one(&self.readers)
        .await?;
        Ok(u64::try_from(deleted).unwrap_or(0))
    }

    /// The latest calls, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn calls(&self, failed_only: bool, limit: u32) -> Result<Vec<CallRow>> {
        sqlx::query(
            "SELECT * FROM calls WHERE NOT ?1 OR verdict IS NOT 'applied' ORDER BY id DESC LIMIT ?2",
        )
        .bind(failed_only)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?
        .iter()
        .map(read_call)
        .collect()
    }

    /// One call.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn call(&self, id: i64) -> Result<Option<CallRow>> {
        sqlx::query("SELECT * FROM calls WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?
            .as_ref()
            .map(read_call)
            .transpose()
    }

    /// Calls of a firewall by action and verdict: how many, and with how many entries.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn call_counts(&self, firewall: i64) -> Result<Vec<(Action, String, u64, u64)>> {
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT action, coalesce(verdict, 'unsettled'), count(*), sum(count) FROM calls
             WHERE firewall_id = ? GROUP BY 1, 2 ORDER BY 1, 2",
        )
        .bind(firewall)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|(action, verdict, calls, entries)| {
                let count = |number: i64| u64::try_from(number).unwrap_or(0);
                Ok((action_of(&action)?, verdict, count(calls), count(entries)))
            })
            .collect()
    }
}

async fn settle(tx: &mut Tx, id: i64, settlement: &Settlement, now_ms: i64) -> Result<()> {
    let row = sqlx::query(
        "UPDATE calls SET settled_ms = ?2, verdict = ?3, code = ?4, message = ?5, request_id = ?6,
             duration_ms = ?7
         WHERE id = ?1 AND settled_ms IS NULL RETURNING *",
    )
    .bind(id)
    .bind(now_ms)
    .bind(settlement.verdict)
    .bind(settlement.code.as_deref())
    .bind(settlement.message.as_deref())
    .bind(settlement.request_id.as_deref())
    .bind(settlement.duration_ms)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let call = read_call(&row)?;
    let packed: Vec<u8> = row.try_get("entries")?;
    let entries = unpack(call.list, &packed)?;
    let trial: Option<i64> = row.try_get("trial_id")?;
    match settlement.outcome {
        Outcome::Applied => {
            apply(tx, &call, &entries).await?;
            trials::accepted(tx, trial, &entries, call.firewall).await
        }
        Outcome::Unknown => doubt(tx, &call, &entries, now_ms).await,
        Outcome::NotApplied => Ok(()),
        Outcome::Failed { not_before } => {
            let refusal = Refusal::new(&call, trial, settlement, now_ms);
            trials::failed(tx, &refusal, entries, not_before).await
        }
        Outcome::Refused { too_large } => {
            let refusal = Refusal::new(&call, trial, settlement, now_ms);
            trials::refused(tx, &refusal, entries, too_large).await
        }
    }
}

async fn apply(tx: &mut Tx, call: &CallRow, entries: &[Entry]) -> Result<()> {
    match (call.action, call.end_time) {
        (Action::Delete, _) => leases::remove(tx, call.firewall, entries).await,
        (Action::Add | Action::Edit, Some(end_time)) => {
            let at = UnixTime::from_seconds(call.sent_ms.div_euclid(1000));
            leases::put(tx, call.firewall, entries, end_time, at, call.id, None).await
        }
        (Action::Add | Action::Edit, None) => Err(LedgerError::Row(format!(
            "call {} sets entries without an EndTime",
            call.id
        ))),
    }
}

/// An add whose answer never came may stand on the list: it is held as a lease in doubt, so that it is
/// either added again or taken off, but never forgotten. A reading settles a doubt only if it began late enough after
/// the last moment at which the call can have been applied.
async fn doubt(tx: &mut Tx, call: &CallRow, entries: &[Entry], now_ms: i64) -> Result<()> {
    let at = UnixTime::from_seconds(now_ms.div_euclid(1000));
    match (call.action, call.end_time) {
        (Action::Add, Some(end_time)) => {
            let doubt = Some(Action::Add);
            leases::put(tx, call.firewall, entries, end_time, at, call.id, doubt).await
        }
        (action, _) => leases::mark_doubt(tx, call.firewall, entries, action, Some(at)).await,
    }
}

pub(super) fn read_call(row: &SqliteRow) -> Result<CallRow> {
    let action: String = row.try_get("action")?;
    Ok(CallRow {
        id: row.try_get("id")?,
        firewall: row.try_get("firewall_id")?,
        list: list_of(row.try_get("list")?)?,
        action: action_of(&action)?,
        end_time: row
            .try_get::<Option<i64>, _>("end_time")?
            .map(UnixTime::from_seconds),
        count: super::feeds::count(row, "count")?,
        attempt: row.try_get("attempt")?,
        sent_ms: row.try_get("sent_ms")?,
        settled_ms: row.try_get("settled_ms")?,
        verdict: row.try_get("verdict")?,
        code: row.try_get("code")?,
        message: row.try_get("message")?,
        request_id: row.try_get("request_id")?,
        duration_ms: row.try_get("duration_ms")?,
    })
}

pub(super) fn action_of(word: &str) -> Result<Action> {
    Action::from_word(word).ok_or_else(|| LedgerError::Row(format!("action `{word}`")))
}

/// Entries as (direction, key length, key); a key is at most 254 bytes long.
pub(super) fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(entries.len() * 8);
    for entry in entries {
        let key = entry.indicator.key();
        packed.push(entry.direction as u8);
        packed.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
        packed.extend_from_slice(&key);
    }
    packed
}

pub(super) fn unpack(list: List, mut packed: &[u8]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    while let [direction, length, rest @ ..] = packed {
        let (key, rest) = rest
            .split_at_checked(usize::from(*length))
            .ok_or_else(|| LedgerError::Row("a call whose entries are cut short".to_owned()))?;
        entries.push(Entry {
            list,
            indicator: Indicator::from_key(key)?,
            direction: direction_of(i64::from(*direction))?,
        });
        packed = rest;
    }
    Ok(entries)
}
