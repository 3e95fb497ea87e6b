//! Bodies: what belongs to the recorded one, and the one that is held for the operator's word.

use sqlx::Row as _;

use crate::fetch::Validators;
use crate::model::UnixTime;

use super::listings::Delta;
use super::{Ledger, Result, Tx};

/// What is committed together with a recorded body's last row.
#[derive(Clone, Debug)]
pub struct GoodBody {
    /// The recipe by which it was read.
    pub recipe: String,
    /// What the publisher gave to ask again with.
    pub validators: Validators,
    /// SHA-256 of the body as sent.
    pub sha256: [u8; 32],
    /// How many lines or items were rejected.
    pub rejected: u64,
    /// When the feed is due again.
    pub next_poll: UnixTime,
}

/// A snapshot that waits for `feedwall approve`.
#[derive(Clone, Debug)]
pub struct HeldSnapshot {
    /// SHA-256 of the body as sent.
    pub sha256: Vec<u8>,
    /// Why it is held.
    pub reason: String,
    /// Since when.
    pub held_at: UnixTime,
    /// When the operator approved exactly this body.
    pub approved_at: Option<UnixTime>,
}

/// Bytes of a held body in one transaction, so that none of them keeps a settle waiting.
const PART: usize = 1 << 20;

impl Ledger {
    /// Keeps a body that was not believed, in place of an earlier one. An approval of the same body stays.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn hold_snapshot(
        &self,
        feed: i64,
        sha256: &[u8; 32],
        body: &[u8],
        reason: &str,
        now: UnixTime,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let again = sqlx::query(
            "UPDATE held_snapshots SET reason = ?3 WHERE feed_id = ?1 AND body_sha256 = ?2",
        )
        .bind(feed)
        .bind(sha256.as_slice())
        .bind(reason)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if again > 0 {
            return Ok(tx.commit().await?);
        }
        forget_held(&mut tx, feed).await?;
        tx.commit().await?;
        for (part, bytes) in (0i64..).zip(body.chunks(PART)) {
            let mut tx = self.begin().await?;
            sqlx::query(
                "INSERT OR REPLACE INTO held_parts (feed_id, part, bytes) VALUES (?, ?, ?)",
            )
            .bind(feed)
            .bind(part)
            .bind(bytes)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
        }
        // Only what is there whole is held.
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO held_snapshots (feed_id, body_sha256, reason, held_at) VALUES (?, ?, ?, ?)",
        )
        .bind(feed)
        .bind(sha256.as_slice())
        .bind(reason)
        .bind(now.seconds())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets the body held for `feed`: what came after it made it moot.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn forget_held(&self, feed: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        forget_held(&mut tx, feed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The snapshot held for `feed`, without its body.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn held_snapshot(&self, feed: i64) -> Result<Option<HeldSnapshot>> {
        let row = sqlx::query(
            "SELECT body_sha256, reason, held_at, approved_at FROM held_snapshots WHERE feed_id = ?",
        )
        .bind(feed)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(HeldSnapshot {
            sha256: row.try_get("body_sha256")?,
            reason: row.try_get("reason")?,
            held_at: UnixTime::from_seconds(row.try_get("held_at")?),
            approved_at: row
                .try_get::<Option<i64>, _>("approved_at")?
                .map(UnixTime::from_seconds),
        }))
    }

    /// The body held for `feed`, as it was sent.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn held_body(&self, feed: i64) -> Result<Option<Vec<u8>>> {
        let mut reader = self.readers.begin().await?;
        let is_held: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM held_snapshots WHERE feed_id = ?)")
                .bind(feed)
                .fetch_one(&mut *reader)
                .await?;
        if !is_held {
            return Ok(None);
        }
        let mut body = Vec::new();
        for part in 0i64.. {
            let bytes: Option<Vec<u8>> =
                sqlx::query_scalar("SELECT bytes FROM held_parts WHERE feed_id = ? AND part = ?")
                    .bind(feed)
                    .bind(part)
                    .fetch_optional(&mut *reader)
                    .await?;
            let Some(bytes) = bytes else { break };
            body.extend_from_slice(&bytes);
        }
        Ok(Some(body))
    }

    /// Lets the held body of `feed` through; the feed is due at once. `false` where nothing is held.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn approve_snapshot(&self, feed: i64, now: UnixTime) -> Result<bool> {
        let mut tx = self.begin().await?;
        let approved = sqlx::query("UPDATE held_snapshots SET approved_at = ?2 WHERE feed_id = ?1")
            .bind(feed)
            .bind(now.seconds())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        sqlx::query("UPDATE feeds SET next_poll = NULL WHERE id = ?1 AND ?2")
            .bind(feed)
            .bind(approved > 0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(approved > 0)
    }

    /// The last commit of a recorded body: from here on its validators and its time count.
    pub(super) async fn commit_body(
        &self,
        feed: i64,
        body: &GoodBody,
        delta: &Delta,
        now: UnixTime,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE feeds SET recipe = ?2, validators = ?3, body_sha256 = ?4,
                 body_since = iif(body_sha256 IS ?4 OR ?9, ifnull(body_since, ?7), ?7),
                 listed = ?5, rejected = ?6, last_poll = ?7, last_good = ?7,
                 next_poll = ?8, polls = polls + 1,
                 failures = 0, state = 'good', trouble = NULL
             WHERE id = ?1",
        )
        .bind(feed)
        .bind(&body.recipe)
        .bind(serde_json::to_string(&body.validators).ok())
        .bind(body.sha256.as_slice())
        .bind(i64::try_from(delta.listed).unwrap_or(i64::MAX))
        .bind(i64::try_from(body.rejected).unwrap_or(i64::MAX))
        .bind(now.seconds())
        .bind(body.next_poll.seconds())
        .bind(delta.is_nothing())
        .execute(&mut *tx)
        .await?;
        forget_held(&mut tx, feed).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Forgets the body held for `feed`, and what a broken-off keeping of one left.
pub(super) async fn forget_held(tx: &mut Tx, feed: i64) -> Result<()> {
    for sql in [
        "DELETE FROM held_snapshots WHERE feed_id = ?",
        "DELETE FROM held_parts WHERE feed_id = ?",
    ] {
        sqlx::query(sql).bind(feed).execute(&mut **tx).await?;
    }
    Ok(())
}
