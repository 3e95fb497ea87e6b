//! What a read-back of the cloud's list leaves in the ledger.

mod hits;
mod store;

pub use hits::FeedHits;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::model::{Entry, UnixTime};
use crate::plan::drift::Known;

use super::calls::unpack;
use super::leases::{direction_of, list_of};
use super::{Ledger, Result};

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
    /// When three entries alone were last refused alike, and no reading has had its say about that.
    pub alike: Option<UnixTime>,
}

/// What was sent longer ago than this, several read-backs have had their say about.
const SENT_FOR: Duration = Duration::from_secs(86_400);

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
        let (full, alike): (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT max(iif(subject = 'full', learned_at, NULL)),
                 max(iif(subject LIKE 'alike %', learned_at, NULL))
             FROM learned WHERE firewall_id = ? AND learned_at > ?",
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
            alike: alike.map(at),
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

fn entry(list: i64, direction: i64, key: &[u8]) -> Result<Entry> {
    Ok(Entry {
        list: list_of(list)?,
        indicator: crate::model::Indicator::from_key(key)?,
        direction: direction_of(direction)?,
    })
}
