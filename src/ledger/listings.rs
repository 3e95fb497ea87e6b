//! Recording a body: the difference between what a feed listed and what it lists, and only that.

use std::cmp::Ordering;
use std::iter::Peekable;

use crate::model::{Indicator, Mode, OnDelist, UnixTime};
use crate::parse::Record;

use super::bulk::{Numbers, Packed};
use super::feeds::{FeedRow, seconds};
use super::listing_rows::{Changes, Stamp, Words, Writing};
use super::read::ReadAhead;
use super::snapshots::GoodBody;
use super::{CHUNK, Ledger, Result};

/// How many listings a recorded body added, changed, relisted and delisted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Never listed by this feed before.
    pub added: u64,
    /// Listed before, delisted or ended since, and back.
    pub relisted: u64,
    /// Still listed, with other words beside it (or, for an incremental feed, listed anew).
    pub renewed: u64,
    /// No longer listed.
    pub delisted: u64,
    /// Listed now.
    pub listed: u64,
}

impl Delta {
    /// Whether the feed lists what it listed before, in the same words.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.added + self.relisted + self.renewed + self.delisted == 0
    }
}

/// A listing as it stood before the poll.
struct Old {
    indicator: Indicator,
    expires_at: Option<i64>,
    delisted_at: Option<i64>,
    relisted: i64,
    words: Words,
}

/// A window of old listings; most of them have nothing but a key.
const OLD_ROWS: &str = "SELECT CAST(group_concat(
         CASE WHEN plain
              THEN key
              ELSE key || ':' || ifnull(expires_at, '') || ':' || ifnull(delisted_at, '') || ':'
                   || ifnull(valid_until, '') || ':' || ifnull(dated, '') || ':'
                   || ifnull(confidence, '') || ':' || relisted
         END, ',') AS BLOB)
     FROM listings WHERE feed_id = ?1 AND key > ?2 AND key <= ?3";

/// One body being recorded.
struct Recording<'a> {
    feed: &'a FeedRow,
    now: UnixTime,
    writing: Writing,
    pending: Changes,
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
        self.record_changes(feed, body, records, now, false).await
    }

    /// As [`Ledger::record_body`]; with `only_changes`, a body that changes no listing is no good fetch, and nothing of
    /// it is kept.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn record_changes(
        &self,
        feed: &FeedRow,
        body: &GoodBody,
        records: impl Iterator<Item = Record>,
        now: UnixTime,
        only_changes: bool,
    ) -> Result<Delta> {
        let mut recording = Recording {
            feed,
            now,
            writing: Writing::new(&self.writer, &self.recent, Stamp::new(feed, now)),
            pending: Changes::default(),
            delta: Delta::default(),
        };
        let mut records = records.peekable();
        // The last commit of an abandoned recording may still be on its way; behind it in the queue we are safe.
        drop(self.writer.acquire().await?);
        // What is written meanwhile has keys before any that is still to be read.
        let mut windows = ReadAhead::new(&self.readers, feed.id, OLD_ROWS, None);
        while let Some(window) = windows.next().await? {
            for old in Packed::new(&window.rows) {
                recording.merge(Old::read(old?)?, &mut records).await?;
            }
        }
        for record in records {
            recording.add(record).await?;
        }
        let delta = recording.finish().await?;
        if only_changes && delta.is_nothing() {
            return Ok(delta);
        }
        self.commit_body(feed.id, body, &delta, now).await?;
        Ok(delta)
    }
}

impl Old {
    fn plain(indicator: Indicator) -> Self {
        Self {
            indicator,
            expires_at: None,
            delisted_at: None,
            relisted: 0,
            words: Words::default(),
        }
    }

    fn read((indicator, mut numbers): (Indicator, Numbers<'_>)) -> Result<Self> {
        if numbers.is_empty() {
            return Ok(Self::plain(indicator));
        }
        Ok(Self {
            indicator,
            expires_at: numbers.next()?,
            delisted_at: numbers.next()?,
            words: Words {
                valid_until: numbers.next()?,
                dated: numbers.next()?,
                confidence: numbers.next()?,
            },
            relisted: numbers.next()?.unwrap_or(0),
        })
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
        self.pending.fresh.push((record.indicator, words));
        self.flush_if_full().await
    }

    /// The feed lists what the ledger knows.
    fn meet(&mut self, old: Old, record: &Record) {
        let words = Words::of(record);
        self.delta.listed += 1;
        if old.delisted_at.is_some() || self.has_ended(&old) {
            self.delta.relisted += 1;
            match self.relisted(&old) {
                0 => self.pending.fresh.push((old.indicator, words)),
                times => self.pending.kept.push((old.indicator, words, times)),
            }
            return;
        }
        let derived = self.feed.terms.mode == Mode::Snapshot;
        if words != old.words || old.expires_at.is_none() != derived || !derived {
            self.delta.renewed += 1;
            self.pending.kept.push((old.indicator, words, old.relisted));
        }
    }

    /// How often in a row it came back within its ttl; 0 where it was away for longer, which makes this a
    /// new claim.
    fn relisted(&self, old: &Old) -> i64 {
        let ttl = seconds(self.feed.terms.ttl);
        match old.delisted_at {
            Some(gone) if self.now.seconds().saturating_sub(gone) <= ttl => {
                old.relisted.saturating_add(1)
            }
            _ => 0,
        }
    }

    /// Whether it ran out by an end of its own.
    fn has_ended(&self, old: &Old) -> bool {
        old.expires_at.is_some_and(|end| end <= self.now.seconds())
    }

    /// The ledger knows what the feed does not list.
    fn miss(&mut self, old: Old) {
        if old.delisted_at.is_some() || self.has_ended(&old) {
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
        if self.pending.rows() < CHUNK {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.pending);
        self.writing.put(changes).await
    }

    async fn finish(mut self) -> Result<Delta> {
        if self.pending.rows() > 0 {
            self.writing.put(self.pending).await?;
        }
        self.writing.finish().await?;
        Ok(self.delta)
    }
}
