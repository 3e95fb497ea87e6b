//! What the operator blocks, unblocks and allows.
//!
//! A block by hand is a listing like any other, of a feed that only this file writes. What the operator
//! allows is a guard.

use crate::model::{Indicator, UnixTime};

use super::{Ledger, Result, Tx};

/// The name of the feed that holds the operator's own listings; no feed of the config may have it.
pub const BY_HAND: &str = "by-hand";

/// What the operator said of an indicator: the last word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandWord {
    /// Of what.
    pub indicator: Indicator,
    /// That it is to be blocked; else that it is not to be.
    pub block: bool,
    /// Until when; `None` is for good.
    pub until: Option<UnixTime>,
    /// Why.
    pub reason: String,
    /// When it was said.
    pub at: UnixTime,
}

/// Key, kind, until, reason, at.
type WordRow = (Vec<u8>, String, Option<i64>, String, i64);

impl Ledger {
    /// Lists `indicator` by hand until `until`; an earlier word that guarded it no longer counts.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn block_by_hand(
        &self,
        indicator: &Indicator,
        until: UnixTime,
        reason: &str,
        now: UnixTime,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let feed = feed(&mut tx, now).await?;
        sqlx::query(
            "INSERT OR REPLACE INTO hand_words (key, kind, until, reason, at)
             VALUES (?, 'block', ?, ?, ?)",
        )
        .bind(indicator.key())
        .bind(until.seconds())
        .bind(reason)
        .bind(now.seconds())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO listings (feed_id, key, first_listed, expires_at, confidence)
             VALUES (?1, ?2, ?3, ?4, 100)
             ON CONFLICT (feed_id, key) DO UPDATE SET expires_at = excluded.expires_at, delisted_at = NULL",
        )
        .bind(feed)
        .bind(indicator.key())
        .bind(now.seconds())
        .bind(until.seconds())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Guards `indicator` by hand until `until` (for good: `None`), and ends a block by hand. Returns
    /// whether there was one.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn allow_by_hand(&self, guard: &HandWord) -> Result<bool> {
        let mut tx = self.begin().await?;
        let ended = sqlx::query(
            "UPDATE listings SET expires_at = ?2, delisted_at = ?2
             WHERE feed_id = (SELECT id FROM feeds WHERE name = ?3) AND key = ?1 AND expires_at > ?2",
        )
        .bind(guard.indicator.key())
        .bind(guard.at.seconds())
        .bind(BY_HAND)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        sqlx::query("UPDATE feeds SET revision = revision + 1 WHERE name = ? AND ?")
            .bind(BY_HAND)
            .bind(ended > 0)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT OR REPLACE INTO hand_words (key, kind, until, reason, at) VALUES (?, 'guard', ?, ?, ?)",
        )
        .bind(guard.indicator.key())
        .bind(guard.until.map(UnixTime::seconds))
        .bind(&guard.reason)
        .bind(guard.at.seconds())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(ended > 0)
    }

    /// Takes back what was allowed by hand. Returns whether there was such a word.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn disallow(&self, indicator: &Indicator) -> Result<bool> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM hand_words WHERE key = ? AND kind = 'guard'")
            .bind(indicator.key())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(gone > 0)
    }

    /// What the operator's hand guards at `now`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn hand_guards(&self, now: UnixTime) -> Result<Vec<HandWord>> {
        let words = self.hand_words().await?;
        let counts = |word: &HandWord| !word.block && word.until.is_none_or(|until| until > now);
        Ok(words.into_iter().filter(counts).collect())
    }

    /// Every word of the operator's, ended ones too, by indicator.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn hand_words(&self) -> Result<Vec<HandWord>> {
        let rows: Vec<WordRow> =
            sqlx::query_as("SELECT key, kind, until, reason, at FROM hand_words ORDER BY key")
                .fetch_all(&self.readers)
                .await?;
        rows.into_iter()
            .map(|(key, kind, until, reason, at)| {
                Ok(HandWord {
                    indicator: Indicator::from_key(&key)?,
                    block: kind == "block",
                    until: until.map(UnixTime::from_seconds),
                    reason,
                    at: UnixTime::from_seconds(at),
                })
            })
            .collect()
    }
}

/// The feed of the operator's own listings. Each has its own end, so its ttl means nothing.
async fn feed(tx: &mut Tx, now: UnixTime) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "INSERT INTO feeds (name, configured, ttl, confidence, list, mode, on_delist, last_good, state)
         VALUES (?1, 0, 86400, 100, 1, 'incremental', 'withdraw', ?2, 'good')
         ON CONFLICT (name) DO UPDATE SET last_good = excluded.last_good, revision = revision + 1
         RETURNING id",
    )
    .bind(BY_HAND)
    .bind(now.seconds())
    .fetch_one(&mut **tx)
    .await?)
}
