//! Taking over what a reading says.

use crate::ledger::{CHUNK, Ledger, Result, Tx, bulk, leases, trials};
use crate::model::{Action, Entry, UnixTime};
use crate::plan::drift::Drift;

/// An entry that was gone, added again, and is gone once more within this time was removed on purpose.
const MISSED_FOR: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

impl Ledger {
    /// Takes over what a reading says that began at `started`. `gone` are those of its missing leases that a search
    /// did not find; of those, one that was gone before counts as removed for good only if it was added again before
    /// `patient`.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn store_read_back(
        &self,
        firewall: i64,
        drift: &Drift,
        gone: &[Entry],
        patient: UnixTime,
        started: UnixTime,
    ) -> Result<()> {
        let now = started;
        let mut tx = self.begin().await?;
        confirm(&mut tx, firewall, &drift.confirmed, now).await?;
        for (entry, end) in &drift.settled {
            settle(&mut tx, firewall, entry, *end, now).await?;
        }
        for (entry, end) in &drift.shortened {
            shorten(&mut tx, firewall, entry, *end).await?;
        }
        leases::remove(&mut tx, firewall, &drift.taken_over).await?;
        leases::remove(&mut tx, firewall, &drift.ended).await?;
        let lingering = &drift.lingering;
        leases::mark_doubt(&mut tx, firewall, lingering, Action::Delete, None).await?;
        // Their edits and deletes were refused because they are gone; what is to come is another call.
        release(&mut tx, firewall, gone, "action <> 'add'").await?;
        miss(&mut tx, firewall, gone, patient, now).await?;
        leases::remove(&mut tx, firewall, &drift.released).await?;
        let found = drift.settled.iter().map(|(entry, _)| entry);
        let free = found.chain(&drift.explained).chain(&drift.released);
        let free: Vec<Entry> = free.cloned().collect();
        release(&mut tx, firewall, &free, "true").await?;
        trials::end_empty(&mut tx, firewall).await?;
        replace_foreign(&mut tx, firewall, drift).await?;
        replace_hits(&mut tx, firewall, drift).await?;
        sqlx::query(
            "UPDATE firewalls SET read_at = ?2, reading_since = NULL, read_wanted = NULL,
                 \"foreign\" = ?3, drift = ?4
             WHERE id = ?1",
        )
        .bind(firewall)
        .bind(now.seconds())
        .bind(i64::try_from(drift.foreign_places).unwrap_or(i64::MAX))
        .bind(serde_json::to_string(&drift.counts(gone.len())).ok())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes back entries that another ledger of ours once leased: from now on they are leases.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn adopt(
        &self,
        firewall: i64,
        entries: &[(Entry, UnixTime)],
        now: UnixTime,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        for (entry, end) in entries {
            settle(&mut tx, firewall, entry, *end, now).await?;
        }
        let ours: Vec<Entry> = entries.iter().map(|(entry, _)| entry.clone()).collect();
        for chunk in ours.chunks(CHUNK) {
            for group in bulk::groups(chunk) {
                sqlx::query(
                    "DELETE FROM foreign_entries WHERE firewall_id = ?1 AND list = ?2 AND direction = ?3
                         AND key IN (SELECT unhex(value) FROM json_each(?4))",
                )
                .bind(firewall)
                .bind(group.list)
                .bind(group.direction)
                .bind(group.keys)
                .execute(&mut *tx)
                .await?;
            }
        }
        sqlx::query("UPDATE firewalls SET \"foreign\" = max(0, \"foreign\" - ?2) WHERE id = ?1")
            .bind(firewall)
            .bind(i64::try_from(entries.len()).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn confirm(tx: &mut Tx, firewall: i64, entries: &[Entry], now: UnixTime) -> Result<()> {
    for chunk in entries.chunks(CHUNK) {
        for group in bulk::groups(chunk) {
            sqlx::query(
                "UPDATE leases SET confirmed_at = ?5, seen_at = coalesce(seen_at, ?5), doubt = NULL
                 WHERE firewall_id = ?1 AND list = ?2 AND direction = ?3
                     AND key IN (SELECT unhex(value) FROM json_each(?4))",
            )
            .bind(firewall)
            .bind(group.list)
            .bind(group.direction)
            .bind(group.keys)
            .bind(now.seconds())
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}

/// The cloud knows the EndTime better: the call that nobody answered was applied.
async fn settle(
    tx: &mut Tx,
    firewall: i64,
    entry: &Entry,
    end: UnixTime,
    now: UnixTime,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO leases (firewall_id, list, key, direction, end_time, set_at, leased_at, confirmed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6)
         ON CONFLICT (firewall_id, list, key, direction) DO UPDATE SET end_time = excluded.end_time,
             doubt = NULL, confirmed_at = excluded.confirmed_at",
    )
    .bind(firewall)
    .bind(entry.list as i64)
    .bind(entry.indicator.key())
    .bind(entry.direction as i64)
    .bind(end.seconds())
    .bind(now.seconds())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn shorten(tx: &mut Tx, firewall: i64, entry: &Entry, end: UnixTime) -> Result<()> {
    sqlx::query(
        "UPDATE leases SET end_time = ?5, doubt = 'edit', repaired = 1
         WHERE firewall_id = ?1 AND list = ?2 AND key = ?3 AND direction = ?4",
    )
    .bind(firewall)
    .bind(entry.list as i64)
    .bind(entry.indicator.key())
    .bind(entry.direction as i64)
    .bind(end.seconds())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Leases that are gone: an add that was never applied and a delete that was are simply over; one that we
/// held for sure is added again once, and held back when it is gone a second time.
async fn miss(
    tx: &mut Tx,
    firewall: i64,
    gone: &[Entry],
    patient: UnixTime,
    now: UnixTime,
) -> Result<()> {
    let named = "list = ?2 AND direction = ?6 AND key IN (SELECT unhex(value) FROM json_each(?7))";
    // `missed` is when it was missed first.
    let again = "missed > ?3 AND set_at >= missed";
    let statements = [
        format!(
            "DELETE FROM leases WHERE firewall_id = ?1 AND {named} AND doubt IN ('add', 'delete')"
        ),
        format!(
            "INSERT OR REPLACE INTO quarantine
                 (firewall_id, list, key, direction, action, code, message, since)
             SELECT firewall_id, list, key, direction, 'add', 'RemovedByOthers',
                    'somebody took it off the list twice', ?5
             FROM leases WHERE firewall_id = ?1 AND {named} AND {again} AND set_at <= ?4"
        ),
        format!(
            "DELETE FROM leases WHERE firewall_id = ?1 AND {named} AND {again} AND set_at <= ?4"
        ),
        format!(
            "UPDATE leases SET doubt = 'add', missed = ?5
             WHERE firewall_id = ?1 AND {named} AND NOT ({again})"
        ),
    ];
    for chunk in gone.chunks(CHUNK) {
        for group in bulk::groups(chunk) {
            for sql in &statements {
                sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                    .bind(firewall)
                    .bind(group.list)
                    .bind(now.minus(MISSED_FOR).seconds())
                    .bind(patient.seconds())
                    .bind(now.seconds())
                    .bind(group.direction)
                    .bind(&group.keys)
                    .execute(&mut **tx)
                    .await?;
            }
        }
    }
    Ok(())
}

/// Takes entries out of quarantine and trials, where `also` holds; it is SQL of this file.
async fn release(tx: &mut Tx, firewall: i64, entries: &[Entry], also: &str) -> Result<()> {
    for chunk in entries.chunks(CHUNK) {
        trials::reduce(tx, firewall, chunk).await?;
        for group in bulk::groups(chunk) {
            for table in ["quarantine", "suspects"] {
                let sql = format!(
                    "DELETE FROM {table} WHERE firewall_id = ?1 AND {also} AND list = ?2
                         AND direction = ?3 AND key IN (SELECT unhex(value) FROM json_each(?4))"
                );
                sqlx::query(sqlx::AssertSqlSafe(sql))
                    .bind(firewall)
                    .bind(group.list)
                    .bind(group.direction)
                    .bind(&group.keys)
                    .execute(&mut **tx)
                    .await?;
            }
        }
    }
    Ok(())
}

async fn replace_foreign(tx: &mut Tx, firewall: i64, drift: &Drift) -> Result<()> {
    sqlx::query("DELETE FROM foreign_entries WHERE firewall_id = ?")
        .bind(firewall)
        .execute(&mut **tx)
        .await?;
    for (entry, end, source) in &drift.foreign {
        sqlx::query("INSERT OR REPLACE INTO foreign_entries VALUES (?, ?, ?, ?, ?, ?)")
            .bind(firewall)
            .bind(entry.list as i64)
            .bind(entry.indicator.key())
            .bind(entry.direction as i64)
            .bind(end.map(UnixTime::seconds))
            .bind(source)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

async fn replace_hits(tx: &mut Tx, firewall: i64, drift: &Drift) -> Result<()> {
    sqlx::query("DELETE FROM hits WHERE firewall_id = ?")
        .bind(firewall)
        .execute(&mut **tx)
        .await?;
    for (entry, times, last) in &drift.hits {
        sqlx::query("INSERT OR REPLACE INTO hits VALUES (?, ?, ?, ?, ?, ?)")
            .bind(firewall)
            .bind(entry.list as i64)
            .bind(entry.indicator.key())
            .bind(entry.direction as i64)
            .bind(i64::try_from(*times).unwrap_or(i64::MAX))
            .bind(last.map(UnixTime::seconds))
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}
