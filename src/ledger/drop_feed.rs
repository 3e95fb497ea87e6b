//! `feedwall feeds drop`: all that a feed lists is withdrawn at once, by the operator's word.

use crate::model::{Indicator, Name, UnixTime};

use super::snapshots::forget_held;
use super::{Ledger, Result, bulk};

/// Rows of listings whose end is put to now in one transaction, so that no settle waits long behind it.
const AT_ONCE: i64 = 2_000;

impl Ledger {
    /// Withdraws every listing of a feed at once and forgets its body, so that a feed that is still in the config is
    /// read anew when it is due. Returns how many listings that ended; `None` where no feed has that name.
    ///
    /// # Errors
    /// When the ledger cannot be read or written; what was withdrawn until then stays withdrawn.
    pub async fn drop_feed(&self, name: &Name, now: UnixTime) -> Result<Option<u64>> {
        let Some(feed) = self.feed(name).await? else {
            return Ok(None);
        };
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE feeds SET recipe = NULL, validators = NULL, body_sha256 = NULL, listed = 0,
                 last_change = ?2, dropped_at = ?2, revision = revision + 1
             WHERE id = ?1",
        )
        .bind(feed.id)
        .bind(now.seconds())
        .execute(&mut *tx)
        .await?;
        forget_held(&mut tx, feed.id).await?;
        tx.commit().await?;
        let mut withdrawn = 0;
        let mut after = Some(Vec::new());
        while let Some(from) = after {
            let (count, to) = self.withdraw_some(feed.id, &from, now).await?;
            withdrawn += count;
            after = to;
        }
        Ok(Some(withdrawn))
    }

    /// Withdraws the next listings behind the key `from`: how many, and the last key looked at where there are more.
    async fn withdraw_some(
        &self,
        feed: i64,
        from: &[u8],
        now: UnixTime,
    ) -> Result<(u64, Option<Vec<u8>>)> {
        let mut tx = self.begin().await?;
        let to: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT key FROM listings WHERE feed_id = ? AND key > ? ORDER BY key LIMIT 1 OFFSET ?",
        )
        .bind(feed)
        .bind(from)
        .bind(AT_ONCE - 1)
        .fetch_optional(&mut *tx)
        .await?;
        let withdrawn = sqlx::query(
            "UPDATE listings SET expires_at = ?4, delisted_at = ?4
             WHERE feed_id = ?1 AND key > ?2 AND key <= ?3
                 AND (expires_at IS NULL OR expires_at > ?4)",
        )
        .bind(feed)
        .bind(from)
        .bind(to.as_deref().unwrap_or(b"\xff"))
        .bind(now.seconds())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        sqlx::query("UPDATE feeds SET revision = revision + 1 WHERE id = ?")
            .bind(feed)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok((withdrawn, to))
    }

    /// What went when the operator dropped a feed, after `since`: of `indicators` those that the feed listed itself, and
    /// the networks that it listed.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn dropped(
        &self,
        indicators: &[Indicator],
        since: UnixTime,
    ) -> Result<(Vec<Indicator>, Vec<Indicator>)> {
        let feeds: Vec<(i64, i64)> =
            sqlx::query_as("SELECT id, dropped_at FROM feeds WHERE dropped_at > ?")
                .bind(since.seconds())
                .fetch_all(&self.readers)
                .await?;
        let (mut gone, mut networks) = (Vec::new(), Vec::new());
        for (feed, at) in feeds {
            let keys: Vec<Vec<u8>> = sqlx::query_scalar(
                "SELECT key FROM listings WHERE feed_id = ?1 AND delisted_at = ?3 AND expires_at = ?3
                     AND key IN (SELECT unhex(value) FROM json_each(?2))",
            )
            .bind(feed)
            .bind(bulk::keys_json(indicators))
            .bind(at)
            .fetch_all(&self.readers)
            .await?;
            for key in keys {
                gone.push(Indicator::from_key(&key)?);
            }
            // The keys of networks begin with the bytes 3 and 4.
            let keys: Vec<Vec<u8>> = sqlx::query_scalar(
                "SELECT key FROM listings WHERE feed_id = ?1 AND key >= x'03' AND key < x'05'
                     AND delisted_at = ?2 AND expires_at = ?2",
            )
            .bind(feed)
            .bind(at)
            .fetch_all(&self.readers)
            .await?;
            for key in keys {
                networks.push(Indicator::from_key(&key)?);
            }
        }
        for found in [&mut gone, &mut networks] {
            found.sort_unstable();
            found.dedup();
        }
        Ok((gone, networks))
    }
}
