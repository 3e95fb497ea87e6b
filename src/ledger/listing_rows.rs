//! The rows of a recorded body: a few thousand in one transaction, a kind in one statement.
//!
//! Statements that change rows are driven by the keys that they are given, in their order: SQLite would
//! rather walk the whole feed for each of them.

use std::sync::Arc;

use sqlx::sqlite::{SqliteArguments, SqlitePool};
use tokio_util::task::AbortOnDropHandle;

use crate::model::{Indicator, Mode, UnixTime};
use crate::parse::Record;

use super::bulk::{self, push_hex, push_number};
use super::feeds::FeedRow;
use super::recent::Recent;
use super::{Result, Tx};

/// What a row says beside its indicator.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) valid_until: Option<i64>,
    pub(super) dated: Option<i64>,
    pub(super) confidence: Option<i64>,
}

/// Changes that wait for their transaction.
#[derive(Default)]
pub(super) struct Changes {
    /// Claims that begin now.
    pub(super) fresh: Vec<(Indicator, Words)>,
    /// Claims that go on, with the number of times that they came back.
    pub(super) kept: Vec<(Indicator, Words, i64)>,
    /// What ends at once.
    pub(super) withdrawn: Vec<Indicator>,
    /// What ends by itself.
    pub(super) aging: Vec<Indicator>,
}

/// What all changes of one recording share.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    feed: i64,
    now: i64,
    /// The end of what is listed now; none while it is derived from the feed.
    ends: Option<i64>,
    /// The end of what was listed last by the fetch before this.
    aged: i64,
    delisted_at: Option<i64>,
}

/// Writes one transaction while the next is being put together. Dropping it writes no further one.
pub(super) struct Writing {
    writer: SqlitePool,
    recent: Arc<Recent>,
    stamp: Stamp,
    under_way: Option<AbortOnDropHandle<Result<()>>>,
}

/// One transaction.
struct Rows {
    tx: Tx,
    stamp: Stamp,
}

impl Changes {
    pub(super) fn rows(&self) -> usize {
        self.fresh.len() + self.kept.len() + self.withdrawn.len() + self.aging.len()
    }

    fn into_indicators(self) -> Vec<Indicator> {
        let fresh = self.fresh.into_iter().map(|(indicator, _)| indicator);
        let kept = self.kept.into_iter().map(|(indicator, ..)| indicator);
        let gone = self.withdrawn.into_iter().chain(self.aging);
        fresh.chain(kept).chain(gone).collect()
    }
}

impl Stamp {
    pub(super) fn new(feed: &FeedRow, now: UnixTime) -> Self {
        let ttl = feed.terms.ttl;
        let last_listed = feed.last_good.unwrap_or(now);
        let snapshot = feed.terms.mode == Mode::Snapshot;
        Self {
            feed: feed.id,
            now: now.seconds(),
            ends: (!snapshot).then(|| now.plus(ttl).seconds()),
            aged: last_listed.plus(ttl).seconds(),
            delisted_at: snapshot.then(|| now.seconds()),
        }
    }
}

impl Writing {
    pub(super) fn new(writer: &SqlitePool, recent: &Arc<Recent>, stamp: Stamp) -> Self {
        Self {
            writer: writer.clone(),
            recent: Arc::clone(recent),
            stamp,
            under_way: None,
        }
    }

    /// Begins to write `changes`, once those before them are committed.
    pub(super) async fn put(&mut self, changes: Changes) -> Result<()> {
        self.finish().await?;
        let (writer, stamp) = (self.writer.clone(), self.stamp);
        let recent = Arc::clone(&self.recent);
        let write = async move {
            let tx = super::begin(&writer).await?;
            let revision = Rows { tx, stamp }.write(&changes).await?;
            if recent.is_followed(stamp.feed) {
                recent.add(stamp.feed, revision, changes.into_indicators());
            }
            Ok(())
        };
        self.under_way = Some(AbortOnDropHandle::new(tokio::spawn(write)));
        Ok(())
    }

    /// Waits until everything is committed.
    pub(super) async fn finish(&mut self) -> Result<()> {
        match self.under_way.take() {
            Some(task) => task.await.map_err(|_| sqlx::Error::WorkerCrashed)?,
            None => Ok(()),
        }
    }
}

impl Words {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            valid_until: record.valid_until.map(UnixTime::seconds),
            dated: record.dated.map(UnixTime::seconds),
            confidence: record.confidence.map(i64::from),
        }
    }
}

impl Rows {
    /// Writes and commits; the feed's revision from then on.
    async fn write(mut self, changes: &Changes) -> Result<i64> {
        self.claim(&changes.fresh).await?;
        self.keep(&changes.kept).await?;
        let withdraw =
            "UPDATE listings SET expires_at = min(coalesce(expires_at, ?3), ?3), delisted_at = ?4
                        WHERE feed_id = ?1 AND key IN (SELECT unhex(value) FROM json_each(?2))";
        self.delist(withdraw, &changes.withdrawn, self.stamp.now)
            .await?;
        // What has an end of its own keeps it.
        let age = "UPDATE listings SET expires_at = coalesce(expires_at, ?3), delisted_at = ?4
                   WHERE feed_id = ?1 AND key IN (SELECT unhex(value) FROM json_each(?2))";
        self.delist(age, &changes.aging, self.stamp.aged).await?;
        // With the rows goes the word that there was a change.
        let revision = sqlx::query_scalar(
            "UPDATE feeds SET last_change = ?2, revision = revision + 1 WHERE id = ?1 RETURNING revision",
        )
        .bind(self.stamp.feed)
        .bind(self.stamp.now)
        .fetch_one(&mut *self.tx)
        .await?;
        self.tx.commit().await?;
        Ok(revision)
    }

    /// Claims that begin now. A row that is there already had ended, or is there because the commit of an
    /// abandoned recording went through after all.
    async fn claim(&mut self, rows: &[(Indicator, Words)]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let plain = rows.iter().all(|(_, words)| *words == Words::default());
        let (sql, json) = if plain {
            (
                "INSERT INTO listings (feed_id, key, first_listed, expires_at)
                 SELECT ?1, unhex(value), ?3, ?4 FROM json_each(?2) WHERE true
                 ON CONFLICT (feed_id, key) DO UPDATE SET first_listed = excluded.first_listed,
                     expires_at = excluded.expires_at, delisted_at = NULL, valid_until = NULL,
                     dated = NULL, confidence = NULL, relisted = 0",
                bulk::keys_json(rows.iter().map(|(indicator, _)| indicator)),
            )
        } else {
            (
                "INSERT INTO listings (feed_id, key, first_listed, expires_at, valid_until, dated, confidence)
                 SELECT ?1, unhex(value ->> 0), ?3, ?4, value ->> 1, value ->> 2, value ->> 3
                 FROM json_each(?2) WHERE true
                 ON CONFLICT (feed_id, key) DO UPDATE SET first_listed = excluded.first_listed,
                     expires_at = excluded.expires_at, delisted_at = NULL,
                     valid_until = excluded.valid_until, dated = excluded.dated,
                     confidence = excluded.confidence, relisted = 0",
                rows_json(rows.iter().map(|(indicator, words)| (indicator, *words, None))),
            )
        };
        let query = sqlx::query(sql).bind(self.stamp.feed).bind(json);
        self.execute(query.bind(self.stamp.now).bind(self.stamp.ends))
            .await
    }

    /// Claims that go on, with the words given now and the number of times that they came back.
    async fn keep(&mut self, rows: &[(Indicator, Words, i64)]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let json = rows_json(
            rows.iter()
                .map(|(indicator, words, times)| (indicator, *words, Some(*times))),
        );
        let query = sqlx::query(
            "INSERT INTO listings (feed_id, key, first_listed, expires_at, valid_until, dated, confidence,
                                   relisted)
             SELECT ?1, unhex(value ->> 0), ?3, ?4, value ->> 1, value ->> 2, value ->> 3, value ->> 4
             FROM json_each(?2) WHERE true
             ON CONFLICT (feed_id, key) DO UPDATE SET expires_at = excluded.expires_at, delisted_at = NULL,
                 valid_until = excluded.valid_until, dated = excluded.dated,
                 confidence = excluded.confidence, relisted = excluded.relisted",
        );
        let query = query.bind(self.stamp.feed).bind(json);
        self.execute(query.bind(self.stamp.now).bind(self.stamp.ends))
            .await
    }

    async fn delist(&mut self, sql: &'static str, keys: &[Indicator], at: i64) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let query = sqlx::query(sql)
            .bind(self.stamp.feed)
            .bind(bulk::keys_json(keys));
        self.execute(query.bind(at).bind(self.stamp.delisted_at))
            .await
    }

    async fn execute(
        &mut self,
        query: sqlx::query::Query<'_, sqlx::Sqlite, SqliteArguments>,
    ) -> Result<()> {
        query.execute(&mut *self.tx).await?;
        Ok(())
    }
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
