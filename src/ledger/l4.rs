//! Layer-4 proxy rules that we made, and the journal of the calls that made them.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::UnixTime;

use super::calls::LastCall;
use super::{Ledger, LedgerError, Result, Tx};

/// A rule that stands in the cloud by our hand, as far as we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L4RuleRow {
    /// Its key.
    pub id: i64,
    /// The set that owns it.
    pub set: String,
    /// `zone-…`
    pub zone: String,
    /// `sid-…`
    pub proxy: String,
    /// `rule-…`
    pub rule_id: String,
    /// The rule in its one form, as JSON.
    pub rule: String,
    /// Its tag.
    pub tag: Option<String>,
    /// The call that made it or last changed it; `None` where it was found by reading back.
    pub request_id: Option<String>,
    /// Its status as last seen.
    pub status: String,
    /// When it was made.
    pub made_at: UnixTime,
    /// When it was made or last changed.
    pub changed_at: UnixTime,
}

/// What a call on rules does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4Action {
    /// Makes rules.
    Create,
    /// Changes rules.
    Modify,
    /// Takes rules away.
    Delete,
}

/// One rule of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct L4Item {
    /// The cloud's name for it; none while it is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    /// The rule as it is to be, as JSON; none for one that goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// A call that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct NewL4Call<'a> {
    /// The set whose rules it carries.
    pub set: &'a str,
    /// `zone-…`
    pub zone: &'a str,
    /// `sid-…`
    pub proxy: &'a str,
    /// What it does.
    pub action: L4Action,
    /// To what.
    pub items: &'a [L4Item],
}

/// What came of a call.
#[derive(Clone, Debug, Default)]
pub struct L4Settlement {
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
    /// The rules that are now as the call said, each with its RuleId.
    pub applied: Vec<L4Item>,
}

/// A call of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L4CallRow {
    /// Its key.
    pub id: i64,
    /// The set whose rules it carried.
    pub set: String,
    /// `zone-…`
    pub zone: String,
    /// `sid-…`
    pub proxy: String,
    /// What it did.
    pub action: L4Action,
    /// To what.
    pub items: Vec<L4Item>,
    /// When it was written down, in Unix milliseconds.
    pub sent_ms: i64,
    /// When its outcome was known, in Unix milliseconds.
    pub settled_ms: Option<i64>,
    /// The verdict's word.
    pub verdict: Option<String>,
    /// The cloud's code.
    pub code: Option<String>,
    /// The cloud's name for the call.
    pub request_id: Option<String>,
}

impl L4Action {
    /// Its word in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Modify => "modify",
            Self::Delete => "delete",
        }
    }

    fn from_word(word: &str) -> Result<Self> {
        [Self::Create, Self::Modify, Self::Delete]
            .into_iter()
            .find(|action| action.as_str() == word)
            .ok_or_else(|| LedgerError::Row(format!("action `{word}`")))
    }
}

impl Ledger {
    /// Every rule, in the order of set, zone, proxy and making.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn l4_rules(&self) -> Result<Vec<L4RuleRow>> {
        sqlx::query("SELECT * FROM l4_rules ORDER BY rule_set, zone, proxy, id")
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_rule)
            .collect()
    }

    /// Writes a call down, on the disk, before it is sent. Returns its key.
    ///
    /// # Errors
    /// When the ledger cannot be written; then the call must not be sent.
    pub async fn l4_journal(&self, call: &NewL4Call<'_>, now_ms: i64) -> Result<i64> {
        let mut writer = self.writer.acquire().await?;
        sqlx::query("PRAGMA synchronous = FULL")
            .execute(&mut *writer)
            .await?;
        let id = sqlx::query_scalar(
            "INSERT INTO l4_calls (rule_set, zone, proxy, action, items, count, sent_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(call.set)
        .bind(call.zone)
        .bind(call.proxy)
        .bind(call.action.as_str())
        .bind(pack(call.items)?)
        .bind(i64::try_from(call.items.len()).unwrap_or(i64::MAX))
        .bind(now_ms)
        .fetch_one(&mut *writer)
        .await;
        sqlx::query("PRAGMA synchronous = NORMAL")
            .execute(&mut *writer)
            .await?;
        Ok(id?)
    }

    /// Settles a call: what came of it, and its rules as they are now, in one transaction.
    ///
    /// # Errors
    /// When the ledger cannot be written; the call then stays unsettled, as unknown.
    pub async fn l4_settle(&self, id: i64, settlement: &L4Settlement, now_ms: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "UPDATE l4_calls SET settled_ms = ?2, verdict = ?3, code = ?4, message = ?5,
                 request_id = ?6, duration_ms = ?7
             WHERE id = ?1 RETURNING *",
        )
        .bind(id)
        .bind(now_ms)
        .bind(settlement.verdict)
        .bind(settlement.code.as_deref())
        .bind(settlement.message.as_deref())
        .bind(settlement.request_id.as_deref())
        .bind(settlement.duration_ms)
        .fetch_one(&mut *tx)
        .await?;
        let call = read_call(&row)?;
        let request_id = settlement.request_id.as_deref();
        for item in &settlement.applied {
            match call.action {
                L4Action::Create => put(&mut tx, &call, item, request_id, now_ms).await?,
                L4Action::Modify => change(&mut tx, &call, item, request_id, now_ms).await?,
                L4Action::Delete => remove(&mut tx, &call, item).await?,
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Calls whose outcome nobody knows, oldest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn l4_unsettled(&self) -> Result<Vec<L4CallRow>> {
        sqlx::query("SELECT * FROM l4_calls WHERE settled_ms IS NULL ORDER BY id")
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_call)
            .collect()
    }

    /// Creates that were never answered nor seen, and were sent to this proxy since `since_ms`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn l4_lost(&self, zone: &str, proxy: &str, since_ms: i64) -> Result<Vec<L4CallRow>> {
        sqlx::query(
            "SELECT * FROM l4_calls
             WHERE verdict = 'lost' AND action = 'create' AND zone = ? AND proxy = ? AND sent_ms >= ?
             ORDER BY id",
        )
        .bind(zone)
        .bind(proxy)
        .bind(since_ms)
        .fetch_all(&self.readers)
        .await?
        .iter()
        .map(read_call)
        .collect()
    }

    /// The latest calls on rules, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn l4_calls(&self, limit: u32) -> Result<Vec<L4CallRow>> {
        sqlx::query("SELECT * FROM l4_calls ORDER BY id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_call)
            .collect()
    }

    /// Takes answered calls on rules out of the journal that were sent before `until_ms`; the rules stay. Gives how many.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn l4_forget(&self, until_ms: i64) -> Result<u64> {
        let mut writer = self.writer.acquire().await?;
        let gone = sqlx::query("DELETE FROM l4_calls WHERE settled_ms IS NOT NULL AND sent_ms < ?")
            .bind(until_ms)
            .execute(&mut *writer)
            .await?;
        Ok(gone.rows_affected())
    }

    /// When a call on rules was last sent, for the limit that holds over a restart.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn l4_last_call(&self) -> Result<Option<LastCall>> {
        let (at, unsettled): (Option<i64>, i64) = sqlx::query_as(
            "SELECT max(max(sent_ms, coalesce(settled_ms, 0))), count(*) - count(settled_ms)
             FROM (SELECT sent_ms, settled_ms FROM l4_calls ORDER BY id DESC LIMIT 100)",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(at.map(|at_ms| LastCall {
            at_ms,
            unsettled: unsettled > 0,
        }))
    }

    /// Takes rules that stand in the cloud for a set's own.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn l4_adopt(
        &self,
        set: &str,
        zone: &str,
        proxy: &str,
        items: &[L4Item],
        now_ms: i64,
    ) -> Result<()> {
        let call = L4CallRow {
            id: 0,
            set: set.to_owned(),
            zone: zone.to_owned(),
            proxy: proxy.to_owned(),
            action: L4Action::Create,
            items: Vec::new(),
            sent_ms: now_ms,
            settled_ms: None,
            verdict: None,
            code: None,
            request_id: None,
        };
        let mut tx = self.begin().await?;
        for item in items {
            put(&mut tx, &call, item, None, now_ms).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Writes down what a reading of the cloud showed of rules, by their keys: their status, or, for `None`,
    /// that they are gone.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn l4_observe(&self, seen: &[(i64, Option<String>)]) -> Result<()> {
        let mut tx = self.begin().await?;
        for (id, status) in seen {
            let query = match status {
                Some(status) => {
                    sqlx::query("UPDATE l4_rules SET status = ?2 WHERE id = ?1 AND status <> ?2")
                        .bind(id)
                        .bind(status)
                }
                None => sqlx::query("DELETE FROM l4_rules WHERE id = ?1").bind(id),
            };
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn put(
    tx: &mut Tx,
    call: &L4CallRow,
    item: &L4Item,
    request_id: Option<&str>,
    now_ms: i64,
) -> Result<()> {
    let (Some(rule_id), Some(rule)) = (&item.rule_id, &item.rule) else {
        return Err(LedgerError::Row("a new rule without its id".to_owned()));
    };
    sqlx::query(
        "INSERT INTO l4_rules (rule_set, zone, proxy, rule_id, rule, tag, request_id, status, made_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'progress', ?8, ?8)
         ON CONFLICT (zone, proxy, rule_id) DO UPDATE
         SET rule_set = ?1, rule = ?5, tag = ?6, request_id = ?7, changed_at = ?8",
    )
    .bind(&call.set)
    .bind(&call.zone)
    .bind(&call.proxy)
    .bind(rule_id)
    .bind(rule)
    .bind(item.tag.as_deref())
    .bind(request_id)
    .bind(now_ms.div_euclid(1000))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn change(
    tx: &mut Tx,
    call: &L4CallRow,
    item: &L4Item,
    request_id: Option<&str>,
    now_ms: i64,
) -> Result<()> {
    sqlx::query(
        "UPDATE l4_rules SET rule = ?4, tag = ?5, request_id = ?6, status = 'progress', changed_at = ?7
         WHERE zone = ?1 AND proxy = ?2 AND rule_id = ?3",
    )
    .bind(&call.zone)
    .bind(&call.proxy)
    .bind(item.rule_id.as_deref())
    .bind(item.rule.as_deref())
    .bind(item.tag.as_deref())
    .bind(request_id)
    .bind(now_ms.div_euclid(1000))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn remove(tx: &mut Tx, call: &L4CallRow, item: &L4Item) -> Result<()> {
    sqlx::query("DELETE FROM l4_rules WHERE zone = ? AND proxy = ? AND rule_id = ?")
        .bind(&call.zone)
        .bind(&call.proxy)
        .bind(item.rule_id.as_deref())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn read_rule(row: &SqliteRow) -> Result<L4RuleRow> {
    let time = |name| row.try_get(name).map(UnixTime::from_seconds);
    Ok(L4RuleRow {
        id: row.try_get("id")?,
        set: row.try_get("rule_set")?,
        zone: row.try_get("zone")?,
        proxy: row.try_get("proxy")?,
        rule_id: row.try_get("rule_id")?,
        rule: row.try_get("rule")?,
        tag: row.try_get("tag")?,
        request_id: row.try_get("request_id")?,
        status: row.try_get("status")?,
        made_at: time("made_at")?,
        changed_at: time("changed_at")?,
    })
}

fn read_call(row: &SqliteRow) -> Result<L4CallRow> {
    let action: String = row.try_get("action")?;
    let items: String = row.try_get("items")?;
    Ok(L4CallRow {
        id: row.try_get("id")?,
        set: row.try_get("rule_set")?,
        zone: row.try_get("zone")?,
        proxy: row.try_get("proxy")?,
        action: L4Action::from_word(&action)?,
        items: serde_json::from_str(&items)
            .map_err(|fault| LedgerError::Row(format!("a call's rules: {fault}")))?,
        sent_ms: row.try_get("sent_ms")?,
        settled_ms: row.try_get("settled_ms")?,
        verdict: row.try_get("verdict")?,
        code: row.try_get("code")?,
        request_id: row.try_get("request_id")?,
    })
}

fn pack(items: &[L4Item]) -> Result<String> {
    serde_json::to_string(items).map_err(|fault| LedgerError::Row(fault.to_string()))
}

#[cfg(test)]
mod tests;
