//! Recording a body: the difference between what a feed listed and what it lists, and only that.

use std::cmp::Ordering;
use std::iter::Peekable;

use crate::model::{Indicator, Mode, OnDelist, UnixTime};
use crate::parse::Record;

use super::bulk::{self, push_hex, push_number};
use super::feeds::{FeedRow, seconds};
use super::snapshots::GoodBody;
use super::{CHUNK, Ledger, LedgerError, Result};

/// How many listings a recorded body added, changed, relisted and delisted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Never listed by this feed before.
    pub added: u64,
    /// Listed before, delisted since, and back.
    pub relisted: u64,
    /// Still listed, with other words beside it (or, for an incremental feed, listed anew).
    pub renewed: u64,
    /// No longer listed.
    pub delisted: u64,
    /// Listed now.
    pub listed: u64,
}

/// A listing as it stood before the poll.
struct Old {
    indicator: Indicator,
    expires_at: Option<i64>,
    delisted_at: Option<i64>,
    relisted: i64,
    words: Words,
}

/// What a row says beside its indicator.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Words {
    valid_until: Option<i64>,
    dated: Option<i64>,
    confidence: Option<i64>,
}

/// Rows that wait for their transaction.
#[derive(Default)]
struct Pending {
    added: Vec<(Indicator, Words)>,
    relisted: Vec<(Indicator, Words, i64)>,
    renewed: Vec<(Indicator, Words)>,
    withdrawn: Vec<Indicator>,
    aging: Vec<Indicator>,
}

/// One body being recorded.
struct Recording<'a> {
    ledger: &'a Ledger,
    feed: &'a FeedRow,
    now: UnixTime,
    pending: Pending,
    delta: Delta,
}

impl Ledger {
    /// Records a good body of `feed`: `records`, sorted and without duplicates. The work follows the
    /// change, in transactions of a few thousand rows; the validators and the time of the good fetch are
    /// committed last, so that a crash on the way only makes the next poll repeat the rest.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub async fn record_body(
        &self,
        feed: &FeedRow,
        body: &GoodBody,
        records: impl Iterator<Item = Record>,
        now: UnixTime,
    ) -> Result<Delta> {
        let mut recording = Recording {
            ledger: self,
            feed,
            now,
            pending: Pending::default(),
            delta: Delta::default(),
        };
        let mut records = records.peekable();
        let mut after = Vec::new();
        loop {
            let old = self.old_listings(feed.id, &after).await?;
            let Some(last) = old.last() else { break };
            after = last.indicator.key();
            for row in old {
                recording.merge(row, &mut records).await?;
            }
        }
        for record in records {
            recording.add(record).await?;
        }
        recording.flush().await?;
        let delta = recording.delta;
        self.commit_body(feed.id, body, &delta, now).await?;
        Ok(delta)
    }

    async fn old_listings(&self, feed: i64, after: &[u8]) -> Result<Vec<Old>> {
        let packed: Option<String> = sqlx::query_scalar(
            "SELECT group_concat(
                 CASE WHEN expires_at IS NULL AND valid_until IS NULL AND dated IS NULL
                           AND confidence IS NULL AND relisted = 0
                      THEN hex(key)
                      ELSE hex(key) || ':' || ifnull(expires_at, '') || ':' || ifnull(delisted_at, '') || ':'
                           || ifnull(valid_until, '') || ':' || ifnull(dated, '') || ':'
                           || ifnull(confidence, '') || ':' || relisted
                 END, ',')
             FROM (SELECT * FROM listings WHERE feed_id = ? AND key > ? ORDER BY key LIMIT 20000)",
        )
        .bind(feed)
        .bind(after)
        .fetch_one(&self.readers)
        .await?;
        packed
            .unwrap_or_default()
            .split(',')
            .filter(|row| !row.is_empty())
            .map(Old::read)
            .collect()
    }
}

impl Old {
    fn read(packed: &str) -> Result<Self> {
        let mut fields = packed.split(':');
        let indicator = bulk::indicator(fields.next().unwrap_or_default())?;
        Ok(Self {
            indicator,
            expires_at: bulk::number(fields.next())?,
            delisted_at: bulk::number(fields.next())?,
            words: Words {
                valid_until: bulk::number(fields.next())?,
                dated: bulk::number(fields.next())?,
                confidence: bulk::number(fields.next())?,
            },
            relisted: bulk::number(fields.next())?.unwrap_or(0),
        })
    }
}

impl Words {
    fn of(record: &Record) -> Self {
        Self {
            valid_until: record.valid_until.map(UnixTime::seconds),
            dated: record.dated.map(UnixTime::seconds),
            confidence: record.confidence.map(i64::from),
        }
    }
}

impl Recording<'_> {
    /// Brings one old row together with the records up to it.
    async fn merge(
        &mut self,
        old: Old,
        records: &mut Peekable<impl Iterator<Item = Record>>,
    ) -> Result<()> {
        while let Some(record) = records.peek() {
            match record.indicator.cmp(&old.indicator) {
                Ordering::Greater => break,
                Ordering::Less => {
                    if let Some(record) = records.next() {
                        self.add(record).await?;
                    }
                }
                Ordering::Equal => {
                    if let Some(record) = records.next() {
                        self.meet(old, &record);
                    }
                    return self.flush_if_full().await;
                }
            }
        }
        self.miss(old);
        self.flush_if_full().await
    }

    async fn add(&mut self, record: Record) -> Result<()> {
        let words = Words::of(&record);
        self.delta.added += 1;
        self.delta.listed += 1;
        self.pending.added.push((record.indicator, words));
        self.flush_if_full().await
    }

    /// The feed lists what the ledger knows.
    fn meet(&mut self, old: Old, record: &Record) {
        let words = Words::of(record);
        self.delta.listed += 1;
        if let Some(delisted_at) = old.delisted_at {
            let within_ttl = self.now.seconds() - delisted_at <= seconds(self.feed.terms.ttl);
            let times = if within_ttl { old.relisted + 1 } else { 0 };
            self.delta.relisted += 1;
            self.pending.relisted.push((old.indicator, words, times));
            return;
        }
        let derived = self.feed.terms.mode == Mode::Snapshot;
        if words != old.words || old.expires_at.is_none() != derived || !derived {
            self.delta.renewed += 1;
            self.pending.renewed.push((old.indicator, words));
        }
    }

    /// The ledger knows what the feed does not list.
    fn miss(&mut self, old: Old) {
        if old.delisted_at.is_some() {
            return;
        }
        match (self.feed.terms.mode, self.feed.terms.on_delist) {
            // Silence of an incremental feed means nothing; a listing from its days as a snapshot feed
            // gets its own end.
            (Mode::Incremental, _) => {
                self.delta.listed += 1;
                if old.expires_at.is_none() {
                    self.pending.aging.push(old.indicator);
                }
                return;
            }
            (Mode::Snapshot, OnDelist::Withdraw) if old.relisted < 2 => {
                self.pending.withdrawn.push(old.indicator);
            }
            (Mode::Snapshot, _) => self.pending.aging.push(old.indicator),
        }
        self.delta.delisted += 1;
    }

    async fn flush_if_full(&mut self) -> Result<()> {
        let pending = &self.pending;
        let rows = pending.added.len()
            + pending.relisted.len()
            + pending.renewed.len()
            + pending.withdrawn.len()
            + pending.aging.len();
        if rows >= CHUNK {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let ttl = seconds(self.feed.terms.ttl);
        let last_listed = self.feed.last_good.unwrap_or(self.now).seconds();
        let now = self.now.seconds();
        // An incremental feed's listing ends by itself; a snapshot feed's while listed does not.
        let ends = match self.feed.terms.mode {
            Mode::Snapshot => None,
            Mode::Incremental => Some(now.saturating_add(ttl)),
        };
        let mut tx = self.ledger.begin().await?;
        if !pending.added.is_empty() {
            insert(&mut tx, self.feed.id, &pending.added, now, ends).await?;
        }
        if !pending.relisted.is_empty() {
            relist(&mut tx, self.feed.id, &pending.relisted, now, ends).await?;
        }
        if !pending.renewed.is_empty() {
            renew(&mut tx, self.feed.id, &pending.renewed, ends).await?;
        }
        let delisted_at = (self.feed.terms.mode == Mode::Snapshot).then_some(now);
        let aged = last_listed.saturating_add(ttl);
        delist(&mut tx, self.feed.id, &pending.withdrawn, now, delisted_at).await?;
        delist(&mut tx, self.feed.id, &pending.aging, aged, delisted_at).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn insert(
    tx: &mut super::Tx,
    feed: i64,
    rows: &[(Indicator, Words)],
    now: i64,
    ends: Option<i64>,
) -> Result<()> {
    let plain = rows.iter().all(|(_, words)| *words == Words::default());
    let (sql, json) = if plain {
        (
            "INSERT INTO listings (feed_id, key, first_listed, expires_at)
             SELECT ?1, unhex(value), ?3, ?4 FROM json_each(?2)",
            bulk::keys_json(rows.iter().map(|(indicator, _)| indicator)),
        )
    } else {
        (
            "INSERT INTO listings (feed_id, key, first_listed, expires_at, valid_until, dated, confidence)
             SELECT ?1, unhex(value ->> 0), ?3, ?4, value ->> 1, value ->> 2, value ->> 3
             FROM json_each(?2)",
            rows_json(rows.iter().map(|(indicator, words)| (indicator, *words, None))),
        )
    };
    execute(
        sqlx::query(sql).bind(feed).bind(json).bind(now).bind(ends),
        tx,
    )
    .await
}

async fn relist(
    tx: &mut super::Tx,
    feed: i64,
    rows: &[(Indicator, Words, i64)],
    now: i64,
    ends: Option<i64>,
) -> Result<()> {
    let json = rows_json(
        rows.iter()
            .map(|(indicator, words, times)| (indicator, *words, Some(*times))),
    );
    // `times` 0: it was away for longer than its ttl, so this is a new claim.
    let query = sqlx::query(
        "UPDATE listings SET delisted_at = NULL, expires_at = ?4, relisted = new.times,
             first_listed = iif(new.times = 0, ?3, first_listed),
             valid_until = new.valid_until, dated = new.dated, confidence = new.confidence
         FROM (SELECT unhex(value ->> 0) AS key, value ->> 1 AS valid_until, value ->> 2 AS dated,
                      value ->> 3 AS confidence, value ->> 4 AS times FROM json_each(?2)) AS new
         WHERE listings.feed_id = ?1 AND listings.key = new.key",
    );
    execute(query.bind(feed).bind(json).bind(now).bind(ends), tx).await
}

async fn renew(
    tx: &mut super::Tx,
    feed: i64,
    rows: &[(Indicator, Words)],
    ends: Option<i64>,
) -> Result<()> {
    let json = rows_json(
        rows.iter()
            .map(|(indicator, words)| (indicator, *words, None)),
    );
    let query = sqlx::query(
        "UPDATE listings SET expires_at = ?3, valid_until = new.valid_until, dated = new.dated,
             confidence = new.confidence
         FROM (SELECT unhex(value ->> 0) AS key, value ->> 1 AS valid_until, value ->> 2 AS dated,
                      value ->> 3 AS confidence FROM json_each(?2)) AS new
         WHERE listings.feed_id = ?1 AND listings.key = new.key",
    );
    execute(query.bind(feed).bind(json).bind(ends), tx).await
}

async fn delist(
    tx: &mut super::Tx,
    feed: i64,
    keys: &[Indicator],
    expires_at: i64,
    delisted_at: Option<i64>,
) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(
        "UPDATE listings SET expires_at = ?3, delisted_at = ?4
         FROM (SELECT unhex(value) AS key FROM json_each(?2)) AS gone
         WHERE listings.feed_id = ?1 AND listings.key = gone.key",
    );
    let query = query
        .bind(feed)
        .bind(bulk::keys_json(keys))
        .bind(expires_at)
        .bind(delisted_at);
    execute(query, tx).await
}

async fn execute(
    query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    tx: &mut super::Tx,
) -> Result<()> {
    query
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(LedgerError::from)
}

/// `[["hex", valid_until, dated, confidence, times], …]`
fn rows_json<'a>(rows: impl Iterator<Item = (&'a Indicator, Words, Option<i64>)>) -> String {
    let mut json = String::from("[");
    let mut key = Vec::with_capacity(32);
    for (indicator, words, times) in rows {
        json.push_str(if json.len() > 1 { ",[\"" } else { "[\"" });
        push_hex(&mut json, indicator, &mut key);
        json.push('"');
        for value in [words.valid_until, words.dated, words.confidence, times] {
            push_number(&mut json, value);
        }
        json.push(']');
    }
    json.push(']');
    json
}
