//! Leases: what we hold on each firewall, and what others hold there.

use std::collections::HashSet;

use crate::model::{Action, Direction, Entry, Indicator, Lease, List, UnixTime};

use super::bulk::{self, Numbers, Packed};
use super::calls::action_of;
use super::{Ledger, LedgerError, Result, Tx};

/// Leases of a firewall in numbers, for `status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseCounts {
    /// Entries that may be there, wanted or not, in doubt or not.
    pub there: u64,
    /// Of those, the wanted ones that are there without doubt.
    pub held: u64,
    /// Wanted entries seen in a read-back since they were last set.
    pub confirmed: u64,
    /// Entries that are there without doubt, and that the last plan no longer wanted.
    pub unwanted: u64,
    /// Entries whose last call had no answer.
    pub doubtful: u64,
    /// Entries whose EndTime lies within the hour.
    pub ending_soon: u64,
    /// The earliest EndTime: when protection begins to lapse if nothing renews it.
    pub first_end: Option<UnixTime>,
    /// The latest EndTime.
    pub last_end: Option<UnixTime>,
}

/// One lease with what the ledger knows beside it, for `explain`.
#[derive(Clone, Debug)]
pub struct LeaseRow {
    /// The lease itself.
    pub lease: Lease,
    /// When the entry was first put on the list by us.
    pub leased_at: UnixTime,
    /// The call that last set it.
    pub call_id: Option<i64>,
    /// When a read-back saw it.
    pub confirmed_at: Option<UnixTime>,
}

impl Ledger {
    /// Every lease on a firewall, in the order of entries.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn leases(&self, firewall: i64) -> Result<Vec<Lease>> {
        let mut leases = Vec::new();
        let mut after = (0i64, Vec::new(), -1i64);
        loop {
            let packed: Option<Vec<u8>> = sqlx::query_scalar(
                "SELECT CAST(group_concat(key || ':' || list || ':' || direction || ':' || end_time || ':'
                     || set_at || ':' || ifnull(doubt, ''), ',') AS BLOB)
                 FROM (SELECT * FROM leases
                       WHERE firewall_id = ? AND (list, key, direction) > (?, ?, ?)
                       ORDER BY list, key, direction LIMIT 20000)",
            )
            .bind(firewall)
            .bind(after.0)
            .bind(after.1.as_slice())
            .bind(after.2)
            .fetch_one(&self.readers)
            .await?;
            let before = leases.len();
            for row in Packed::new(&packed.unwrap_or_default()) {
                leases.push(read_lease(row?)?);
            }
            let Some(Lease { entry, .. }) = leases.get(before..).and_then(<[Lease]>::last) else {
                return Ok(leases);
            };
            after = (
                entry.list as i64,
                entry.indicator.key(),
                entry.direction as i64,
            );
        }
    }

    /// The leases on one indicator, on every firewall.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn leases_of(&self, firewall: i64, indicator: &Indicator) -> Result<Vec<LeaseRow>> {
        let rows = sqlx::query_as::<_, (Vec<u8>, i64, Option<i64>, Option<i64>)>(
            "SELECT CAST(key || ':' || list || ':' || direction || ':' || end_time || ':' || set_at || ':'
                 || ifnull(doubt, '') AS BLOB), leased_at, call_id, confirmed_at
             FROM leases WHERE firewall_id = ? AND list IN (1, 2) AND key = ? ORDER BY list, direction",
        )
        .bind(firewall)
        .bind(indicator.key())
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|(packed, leased_at, call_id, confirmed_at)| {
                let row = Packed::new(&packed)
                    .next()
                    .unwrap_or_else(|| Err(bulk::cut_short()));
                Ok(LeaseRow {
                    lease: read_lease(row?)?,
                    leased_at: UnixTime::from_seconds(leased_at),
                    call_id,
                    confirmed_at: confirmed_at.map(UnixTime::from_seconds),
                })
            })
            .collect()
    }

    /// The leases of a firewall in numbers.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn lease_counts(&self, firewall: i64, now: UnixTime) -> Result<LeaseCounts> {
        let (there, held, confirmed, unwanted, doubtful, soon, first, last): (
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            Option<i64>,
            Option<i64>,
        ) = sqlx::query_as(
            "SELECT count(*), coalesce(sum(doubt IS NULL AND NOT unwanted), 0),
                 coalesce(sum(confirmed_at >= set_at AND NOT unwanted), 0),
                 coalesce(sum(doubt IS NULL AND unwanted), 0), count(doubt),
                 coalesce(sum(end_time < ?2 + 3600), 0), min(end_time), max(end_time)
             FROM leases WHERE firewall_id = ?1 AND end_time > ?2",
        )
        .bind(firewall)
        .bind(now.seconds())
        .fetch_one(&self.readers)
        .await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(LeaseCounts {
            there: count(there),
            held: count(held),
            confirmed: count(confirmed),
            unwanted: count(unwanted),
            doubtful: count(doubtful),
            ending_soon: count(soon),
            first_end: first.map(UnixTime::from_seconds),
            last_end: last.map(UnixTime::from_seconds),
        })
    }

    /// Forgets leases whose EndTime passed before `before`: the cloud has dropped them by itself, and a
    /// read-back has had the time to find one that still stands. Returns how many.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn drop_ended_leases(&self, firewall: i64, before: UnixTime) -> Result<u64> {
        let ended: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM leases WHERE firewall_id = ? AND end_time <= ?)",
        )
        .bind(firewall)
        .bind(before.seconds())
        .fetch_one(&self.readers)
        .await?;
        if !ended {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM leases WHERE firewall_id = ? AND end_time <= ?")
            .bind(firewall)
            .bind(before.seconds())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(gone)
    }

    /// Forgets leases on `entries`: a reading found them off the list, and they are not to be put there again.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn forget_leases(&self, firewall: i64, entries: &[Entry]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        remove(&mut tx, firewall, entries).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Remembers which leases are no longer wanted (`entries`, sorted), and which are again. Where that is as it was,
    /// nothing is written.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub async fn mark_unwanted(&self, firewall: i64, entries: &[Entry]) -> Result<()> {
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT list, direction, key FROM leases WHERE firewall_id = ? AND unwanted = 1",
        )
        .bind(firewall)
        .fetch_all(&self.readers)
        .await?;
        let marked: HashSet<Entry> = rows.into_iter().map(read_entry).collect::<Result<_>>()?;
        let wanted_again = |entry: &&Entry| entries.binary_search(entry).is_err();
        let clear: Vec<Entry> = marked.iter().filter(wanted_again).cloned().collect();
        let is_new = |entry: &&Entry| !marked.contains(entry);
        let mark: Vec<Entry> = entries.iter().filter(is_new).cloned().collect();
        if mark.is_empty() && clear.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for (entries, unwanted) in [(&mark, true), (&clear, false)] {
            for group in bulk::groups(entries) {
                sqlx::query(
                    "UPDATE leases SET unwanted = ?5
                     WHERE firewall_id = ?1 AND list = ?2 AND direction = ?3
                         AND key IN (SELECT unhex(value) FROM json_each(?4))",
                )
                .bind(firewall)
                .bind(group.list)
                .bind(group.direction)
                .bind(group.keys)
                .bind(unwanted)
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The entries that others hold on a firewall, as last read.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn foreign_entries(&self, firewall: i64) -> Result<HashSet<Entry>> {
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT list, direction, key FROM foreign_entries WHERE firewall_id = ?",
        )
        .bind(firewall)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(read_entry).collect()
    }
}

/// Records that `entries` stand on the list until `end_time`.
pub(super) async fn put(
    tx: &mut Tx,
    firewall: i64,
    entries: &[Entry],
    end_time: UnixTime,
    at: UnixTime,
    call: i64,
    doubt: Option<Action>,
) -> Result<()> {
    for group in bulk::groups(entries) {
        sqlx::query(
            "INSERT INTO leases
                 (firewall_id, list, direction, key, end_time, set_at, leased_at, call_id, doubt)
             SELECT ?1, ?2, ?3, unhex(value), ?5, ?6, ?6, ?7, ?8 FROM json_each(?4) WHERE true
             ON CONFLICT (firewall_id, list, key, direction) DO UPDATE SET end_time = excluded.end_time,
                 set_at = excluded.set_at, call_id = excluded.call_id, doubt = excluded.doubt",
        )
        .bind(firewall)
        .bind(group.list)
        .bind(group.direction)
        .bind(group.keys)
        .bind(end_time.seconds())
        .bind(at.seconds())
        .bind(call)
        .bind(doubt.map(Action::as_str))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Marks the leases on `entries`: no answer to `doubt` came until `at`; or a reading says that it is to be done again.
pub(super) async fn mark_doubt(
    tx: &mut Tx,
    firewall: i64,
    entries: &[Entry],
    doubt: Action,
    at: Option<UnixTime>,
) -> Result<()> {
    for group in bulk::groups(entries) {
        sqlx::query(
            "UPDATE leases SET doubt = ?5, set_at = coalesce(?6, set_at)
             WHERE firewall_id = ?1 AND list = ?2 AND direction = ?3
                 AND key IN (SELECT unhex(value) FROM json_each(?4))",
        )
        .bind(firewall)
        .bind(group.list)
        .bind(group.direction)
        .bind(group.keys)
        .bind(doubt.as_str())
        .bind(at.map(UnixTime::seconds))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Forgets the leases on `entries`: they are off the list.
pub(super) async fn remove(tx: &mut Tx, firewall: i64, entries: &[Entry]) -> Result<()> {
    for group in bulk::groups(entries) {
        sqlx::query(
            "DELETE FROM leases WHERE firewall_id = ?1 AND list = ?2 AND direction = ?3
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

pub(super) fn list_of(number: i64) -> Result<List> {
    List::from_number(number).ok_or_else(|| LedgerError::Row(format!("list {number}")))
}

pub(super) fn direction_of(number: i64) -> Result<Direction> {
    Direction::from_number(number).ok_or_else(|| LedgerError::Row(format!("direction {number}")))
}

fn read_entry((list, direction, key): (i64, i64, Vec<u8>)) -> Result<Entry> {
    Ok(Entry {
        list: list_of(list)?,
        indicator: Indicator::from_key(&key)?,
        direction: direction_of(direction)?,
    })
}

fn read_lease((indicator, mut numbers): (Indicator, Numbers<'_>)) -> Result<Lease> {
    let list = list_of(numbers.expect()?)?;
    let direction = direction_of(numbers.expect()?)?;
    let end_time = UnixTime::from_seconds(numbers.expect()?);
    let set_at = UnixTime::from_seconds(numbers.expect()?);
    Ok(Lease {
        entry: Entry {
            list,
            indicator,
            direction,
        },
        end_time,
        set_at,
        doubt: numbers.word().map(action_of).transpose()?,
    })
}
