//! What a read-back of the cloud's list leaves in the ledger.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::model::{Action, Entry, UnixTime};
use crate::plan::drift::{Drift, Known};

use super::bulk;
use super::calls::unpack;
use super::leases::{direction_of, list_of};
use super::{Ledger, Result, Tx};

/// How far a firewall's leases are known to stand, for the question when to read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadState {
    /// Leases that run.
    pub leases: u64,
    /// Of those, the ones that no read-back has seen since they were last set.
    pub unconfirmed: u64,
    /// When a call was last applied.
    pub last_applied: Option<UnixTime>,
    /// The earliest and the latest moment of a doubt that no reading has had its say about.
    pub doubts: Option<(UnixTime, UnixTime)>,
    /// Whether the firewall turned out to refuse to do again what it has done, so that only a reading ends a doubt.
    pub repeats_refused: bool,
    /// When an add was last quarantined, and no reading has had its say about it.
    pub quarantined: Option<UnixTime>,
    /// When the list was found full, and no reading has had its say about that.
    pub full: Option<UnixTime>,
}

/// What was sent longer ago than this, several read-backs have had their say about.
const SENT_FOR: Duration = Duration::from_secs(86_400);

/// An entry that was gone, added again, and is gone once more within this time was removed on purpose.
const MISSED_FOR: Duration = Duration::from_secs(7 * 86_400);

impl Ledger {
    /// Asks for a read-back before the next plan.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn want_read(&self, firewall: i64, why: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE firewalls SET read_wanted = ?2 WHERE id = ?1")
            .bind(firewall)
            .bind(why)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Says that a reading begins, so that a successor knows of its calls.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn reading_begins(&self, firewall: i64, now: UnixTime) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE firewalls SET reading_since = ?2 WHERE id = ?1")
            .bind(firewall)
            .bind(now.seconds())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// What bears on when to read a firewall's lists again. `unseen_since`: what was written after this moment, the
    /// last reading may not have shown.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn read_state(
        &self,
        firewall: i64,
        unseen_since: UnixTime,
        now: UnixTime,
    ) -> Result<ReadState> {
        let (leases, confirmed): (i64, i64) = sqlx::query_as(
            "SELECT count(*), coalesce(sum(confirmed_at >= set_at AND doubt IS NULL), 0)
             FROM leases WHERE firewall_id = ? AND end_time > ?",
        )
        .bind(firewall)
        .bind(now.seconds())
        .fetch_one(&self.readers)
        .await?;
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT max(settled_ms) / 1000 FROM calls WHERE firewall_id = ? AND verdict = 'applied'",
        )
        .bind(firewall)
        .fetch_one(&self.readers)
        .await?;
        let doubts: (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT min(set_at), max(set_at) FROM leases
             WHERE firewall_id = ? AND doubt IS NOT NULL AND set_at > ?",
        )
        .bind(firewall)
        .bind(unseen_since.seconds())
        .fetch_one(&self.readers)
        .await?;
        let quarantined: Option<i64> = sqlx::query_scalar(
            "SELECT max(since) FROM quarantine WHERE firewall_id = ? AND action = 'add'
                 AND code <> 'RemovedByOthers' AND since > ?",
        )
        .bind(firewall)
        .bind(unseen_since.seconds())
        .fetch_one(&self.readers)
        .await?;
        let full: Option<i64> = sqlx::query_scalar(
            "SELECT max(learned_at) FROM learned
             WHERE firewall_id = ? AND subject = 'full' AND learned_at > ?",
        )
        .bind(firewall)
        .bind(unseen_since.seconds())
        .fetch_one(&self.readers)
        .await?;
        let at = UnixTime::from_seconds;
        let learned = self
            .learned(firewall, now.minus(super::LEARNED_FOR))
            .await?;
        Ok(ReadState {
            leases: u64::try_from(leases).unwrap_or(0),
            unconfirmed: u64::try_from(leases - confirmed).unwrap_or(0),
            last_applied: last.map(at),
            doubts: doubts.0.map(at).zip(doubts.1.map(at)),
            repeats_refused: learned.iter().any(|(subject, ..)| subject == "repeats"),
            quarantined: quarantined.map(at),
            full: full.map(at),
        })
    }

    /// What the ledger knows when a reading is judged. `unseen_since`: what was taken off after this moment, the
    /// reading may still show.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn known(
        &self,
        firewall: i64,
        unseen_since: UnixTime,
        now: UnixTime,
    ) -> Result<Known> {
        let quarantine = self.quarantine(firewall).await?;
        Ok(Known {
            leases: self.leases(firewall).await?,
            sent: self.sent(firewall, now.minus(SENT_FOR)).await?,
            deleted: self.just_deleted(firewall, unseen_since).await?,
            repaired: self.repaired(firewall).await?,
            quarantined: quarantine
                .into_iter()
                .map(|one| (one.entry, one.action))
                .collect(),
        })
    }

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
        super::leases::remove(&mut tx, firewall, &drift.taken_over).await?;
        super::leases::remove(&mut tx, firewall, &drift.ended).await?;
        let lingering = &drift.lingering;
        super::leases::mark_doubt(&mut tx, firewall, lingering, Action::Delete, None).await?;
        // Their edits and deletes were refused because they are gone; what is to come is another call.
        release(&mut tx, firewall, gone, "action <> 'add'").await?;
        miss(&mut tx, firewall, gone, patient, now).await?;
        super::leases::remove(&mut tx, firewall, &drift.released).await?;
        let found = drift.settled.iter().map(|(entry, _)| entry);
        let free = found.chain(&drift.explained).chain(&drift.released);
        let free: Vec<Entry> = free.cloned().collect();
        release(&mut tx, firewall, &free, "true").await?;
        super::trials::end_empty(&mut tx, firewall).await?;
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
        for chunk in ours.chunks(super::CHUNK) {
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

    /// When each entry was last hit, as last read.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn last_hits(&self, firewall: i64) -> Result<HashMap<Entry, UnixTime>> {
        let rows: Vec<(i64, i64, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT list, direction, key, last_hit FROM hits
             WHERE firewall_id = ? AND last_hit IS NOT NULL",
        )
        .bind(firewall)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|(list, direction, key, hit)| {
                Ok((entry(list, direction, &key)?, UnixTime::from_seconds(hit)))
            })
            .collect()
    }

    /// The EndTimes that adds and edits since `since` asked for, and whether they were plainly applied.
    async fn sent(
        &self,
        firewall: i64,
        since: UnixTime,
    ) -> Result<HashMap<Entry, Vec<(UnixTime, bool)>>> {
        let rows: Vec<(i64, i64, bool, Vec<u8>)> = sqlx::query_as(
            "SELECT list, end_time, verdict IS 'applied', entries FROM calls
             WHERE firewall_id = ? AND action IN ('add', 'edit') AND end_time IS NOT NULL AND sent_ms > ?",
        )
        .bind(firewall)
        .bind(since.seconds().saturating_mul(1000))
        .fetch_all(&self.readers)
        .await?;
        let mut sent: HashMap<Entry, Vec<(UnixTime, bool)>> = HashMap::new();
        for (list, end, applied, packed) in rows {
            let end = UnixTime::from_seconds(end);
            for entry in unpack(list_of(list)?, &packed)? {
                sent.entry(entry).or_default().push((end, applied));
            }
        }
        Ok(sent)
    }

    /// What was taken off since `since`.
    async fn just_deleted(&self, firewall: i64, since: UnixTime) -> Result<HashSet<Entry>> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT list, entries FROM calls
             WHERE firewall_id = ? AND settled_ms > ? AND action = 'delete' AND verdict = 'applied'",
        )
        .bind(firewall)
        .bind(since.seconds().saturating_mul(1000))
        .fetch_all(&self.readers)
        .await?;
        let mut deleted = HashSet::new();
        for (list, packed) in rows {
            deleted.extend(unpack(list_of(list)?, &packed)?);
        }
        Ok(deleted)
    }

    async fn repaired(&self, firewall: i64) -> Result<HashSet<Entry>> {
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT list, direction, key FROM leases WHERE firewall_id = ? AND repaired > 0",
        )
        .bind(firewall)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|(list, direction, key)| entry(list, direction, &key))
            .collect()
    }
}

async fn confirm(tx: &mut Tx, firewall: i64, entries: &[Entry], now: UnixTime) -> Result<()> {
    for chunk in entries.chunks(super::CHUNK) {
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
    for chunk in gone.chunks(super::CHUNK) {
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
    for chunk in entries.chunks(super::CHUNK) {
        super::trials::reduce(tx, firewall, chunk).await?;
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

fn entry(list: i64, direction: i64, key: &[u8]) -> Result<Entry> {
    Ok(Entry {
        list: list_of(list)?,
        indicator: crate::model::Indicator::from_key(key)?,
        direction: direction_of(direction)?,
    })
}
