//! Firewalls: whether they may be written to, and what the last plan wanted of them.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::{Name, UnixTime};
use crate::plan::Bar;
use crate::plan::drift::DriftCounts;

use super::feeds::count;
use super::{Ledger, LedgerError, Result};

/// A firewall as the ledger knows it.
#[derive(Clone, Debug)]
pub struct FirewallRow {
    /// Key of its leases and calls.
    pub id: i64,
    /// Its identity.
    pub name: Name,
    /// Whether the config still has it; one that left runs out by itself.
    pub configured: bool,
    /// Nothing is sent before this moment.
    pub not_before: Option<UnixTime>,
    /// Calls in a row that were not taken.
    pub failures: u32,
    /// Why it is not being written to.
    pub trouble: Option<String>,
    /// Since when.
    pub trouble_since: Option<UnixTime>,
    /// What the last plan wanted.
    pub plan: Option<PlanSummary>,
    /// The last whole read-back.
    pub read_at: Option<UnixTime>,
    /// When a reading began that has not come to its end.
    pub reading_since: Option<UnixTime>,
    /// Why its lists must be read before the next plan.
    pub read_wanted: Option<String>,
    /// What the last read-back found.
    pub drift: Option<DriftCounts>,
    /// The operator took everything back; nothing is wanted until `feedwall resume`.
    pub withdrawn: bool,
    /// Entries of others on its lists, as last read.
    pub foreign: u64,
}

/// The last plan in numbers, for `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanSummary {
    /// When it was made.
    pub at: UnixTime,
    /// Entries that should be on the lists.
    pub desired: u64,
    /// Adds, edits and deletes that it still wanted.
    pub pending: u64,
    /// What was left out and why, as JSON: `{"reason": entries}`.
    pub left_out: String,
    /// Deletes that 24 h would see, done, wanted and held.
    pub wanted_deletes: u64,
    /// Deletes that 24 h may see, approvals included.
    pub allowed_deletes: u64,
    /// Deletes that wait for `feedwall approve --firewall`.
    pub held_deletes: u64,
    /// Where its contest for places ended.
    pub bar: Bar,
    /// A digest of what it was made of: while that is the same, and until `next_due`, the bar is where it was.
    pub made_of: String,
    /// When it would change though nothing else does.
    pub next_due: Option<UnixTime>,
}

impl Ledger {
    /// Every firewall, configured or running out, by name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn firewalls(&self) -> Result<Vec<FirewallRow>> {
        sqlx::query("SELECT * FROM firewalls ORDER BY name")
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_firewall)
            .collect()
    }

    /// One firewall by name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn firewall(&self, name: &Name) -> Result<Option<FirewallRow>> {
        sqlx::query("SELECT * FROM firewalls WHERE name = ?")
            .bind(name.as_str())
            .fetch_optional(&self.readers)
            .await?
            .as_ref()
            .map(read_firewall)
            .transpose()
    }

    /// Makes the ledger's firewalls those of the config; one that is gone keeps its leases until they end.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn configure_firewalls(&self, names: impl IntoIterator<Item = &Name>) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE firewalls SET configured = 0")
            .execute(&mut *tx)
            .await?;
        for name in names {
            sqlx::query(
                "INSERT INTO firewalls (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET configured = 1",
            )
            .bind(name.as_str())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Records the operator's consent to `deletes` more deletes than the brake allows, in place of an earlier
    /// one.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn approve_deletes(&self, firewall: i64, deletes: u64, now: UnixTime) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT OR REPLACE INTO delete_approvals (firewall_id, approved_at, deletes) VALUES (?, ?, ?)",
        )
        .bind(firewall)
        .bind(now.seconds())
        .bind(i64::try_from(deletes).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The deletes that the operator has consented to since `since`; a consent counts for 24 h.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn delete_approval(&self, firewall: i64, since: UnixTime) -> Result<u64> {
        let deletes: Option<i64> = sqlx::query_scalar(
            "SELECT deletes FROM delete_approvals WHERE firewall_id = ? AND approved_at > ?",
        )
        .bind(firewall)
        .bind(since.seconds())
        .fetch_optional(&self.readers)
        .await?;
        Ok(deletes.map_or(0, |deletes| u64::try_from(deletes).unwrap_or(0)))
    }

    /// Records what a plan wanted.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn record_plan(&self, firewall: i64, plan: &PlanSummary) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE firewalls SET planned_at = ?2, desired = ?3, pending = ?4, left_out = ?5,
                 wanted_deletes = ?6, held_deletes = ?7, allowed_deletes = ?8, bar = ?9, made_of = ?10,
                 next_due = ?11
             WHERE id = ?1",
        )
        .bind(firewall)
        .bind(plan.at.seconds())
        .bind(i64::try_from(plan.desired).unwrap_or(i64::MAX))
        .bind(i64::try_from(plan.pending).unwrap_or(i64::MAX))
        .bind(&plan.left_out)
        .bind(i64::try_from(plan.wanted_deletes).unwrap_or(i64::MAX))
        .bind(i64::try_from(plan.held_deletes).unwrap_or(i64::MAX))
        .bind(i64::try_from(plan.allowed_deletes).unwrap_or(i64::MAX))
        .bind(serde_json::to_string(&plan.bar).ok())
        .bind(&plan.made_of)
        .bind(plan.next_due.map(UnixTime::seconds))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Records that nothing is to be sent before `not_before`, and why.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn hold_firewall(
        &self,
        firewall: i64,
        not_before: UnixTime,
        trouble: &str,
        now: UnixTime,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE firewalls SET not_before = ?2, trouble = ?3, failures = failures + 1,
                 trouble_since = coalesce(trouble_since, ?4)
             WHERE id = ?1",
        )
        .bind(firewall)
        .bind(not_before.seconds())
        .bind(trouble)
        .bind(now.seconds())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes every entry of ours back, or (with `false`) begins anew to want what the feeds want.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn withdraw(&self, firewall: i64, withdrawn: bool) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE firewalls SET withdrawn = ?2, not_before = NULL WHERE id = ?1")
            .bind(firewall)
            .bind(withdrawn)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Records that the firewall takes calls again.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn release_firewall(&self, firewall: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE firewalls SET not_before = NULL, trouble = NULL, failures = 0, trouble_since = NULL
             WHERE id = ?",
        )
        .bind(firewall)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

fn read_firewall(row: &SqliteRow) -> Result<FirewallRow> {
    let name: String = row.try_get("name")?;
    let time = |column: &str| -> Result<Option<UnixTime>> {
        Ok(row
            .try_get::<Option<i64>, _>(column)?
            .map(UnixTime::from_seconds))
    };
    let plan = time("planned_at")?
        .map(|at| read_plan(row, at))
        .transpose()?;
    Ok(FirewallRow {
        id: row.try_get("id")?,
        name: Name::try_new(&name).map_err(|fault| LedgerError::Row(fault.to_string()))?,
        configured: row.try_get("configured")?,
        not_before: time("not_before")?,
        failures: row.try_get("failures")?,
        trouble: row.try_get("trouble")?,
        trouble_since: time("trouble_since")?,
        plan,
        read_at: time("read_at")?,
        reading_since: time("reading_since")?,
        read_wanted: row.try_get("read_wanted")?,
        withdrawn: row.try_get("withdrawn")?,
        drift: row
            .try_get::<Option<String>, _>("drift")?
            .and_then(|json| serde_json::from_str(&json).ok()),
        foreign: count(row, "foreign")?,
    })
}

fn read_plan(row: &SqliteRow, at: UnixTime) -> Result<PlanSummary> {
    let bar: Option<String> = row.try_get("bar")?;
    let bar = bar.and_then(|json| serde_json::from_str(&json).ok());
    let made_of: String = row.try_get("made_of")?;
    let next_due: Option<i64> = row.try_get("next_due")?;
    Ok(PlanSummary {
        at,
        desired: count(row, "desired")?,
        pending: count(row, "pending")?,
        left_out: row.try_get("left_out")?,
        wanted_deletes: count(row, "wanted_deletes")?,
        allowed_deletes: count(row, "allowed_deletes")?,
        held_deletes: count(row, "held_deletes")?,
        // A bar that this version cannot read says nothing of what it was made of.
        made_of: bar.as_ref().map_or_else(String::new, |_| made_of),
        bar: bar.unwrap_or_default(),
        next_due: next_due.map(UnixTime::from_seconds),
    })
}
