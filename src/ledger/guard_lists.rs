//! Guard lists: feeds whose listings say what must not be blocked. They are polled and recorded like any feed.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::model::{FeedTerms, Name};
use crate::parse::Reach;

use super::feeds::configure;
use super::{Ledger, LedgerError, Result, Tx};

/// What the listings of a feed are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A `[[feed]]`: they are to be blocked, or allowed.
    Feed,
    /// A `[[guard.list]]`: they must not be blocked, whether the list is heard of again or not.
    Guard(#[serde(skip)] Reach),
}

impl Role {
    /// The word in the ledger and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Guard(_) => "guard",
        }
    }

    pub(super) fn read(row: &SqliteRow) -> Result<Self> {
        let reach = || -> Result<Reach> {
            match row.try_get::<Option<&str>, _>("reach")? {
                None | Some("subdomains") => Ok(Reach::Subdomains),
                Some("exact") => Ok(Reach::Exact),
                Some(other) => Err(LedgerError::Row(format!("reach `{other}`"))),
            }
        };
        match row.try_get("role")? {
            "feed" => Ok(Self::Feed),
            "guard" => Ok(Self::Guard(reach()?)),
            other => Err(LedgerError::Row(format!("role `{other}`"))),
        }
    }
}

impl Ledger {
    /// Makes the ledger's guard lists those of the config. To be called after
    /// [`configure_feeds`](Ledger::configure_feeds), which takes every feed off.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn configure_guard_lists<'a>(
        &self,
        lists: impl IntoIterator<Item = (&'a Name, &'a FeedTerms, String)>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        for (name, terms, recipe) in lists {
            take_role(&mut tx, name, Role::Guard(Reach::Subdomains)).await?;
            configure(&mut tx, name, terms, &recipe).await?;
            sqlx::query("UPDATE feeds SET role = 'guard' WHERE name = ?")
                .bind(name.as_str())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes how far the names of a guard list reach. To be called before its body is recorded.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn set_reach(&self, feed: i64, reach: Reach) -> Result<()> {
        let word = match reach {
            Reach::Exact => "exact",
            Reach::Subdomains => "subdomains",
        };
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE feeds SET reach = ?2 WHERE id = ?1")
            .bind(feed)
            .bind(word)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes something about a feed whose last poll was good.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn note_on_feed(&self, feed: i64, note: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE feeds SET trouble = ?2 WHERE id = ?1 AND state = 'good'")
            .bind(feed)
            .bind(note)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Forgets what a name listed in another role: what was to be blocked must not guard, nor the other way round.
pub(super) async fn take_role(tx: &mut Tx, name: &Name, role: Role) -> Result<()> {
    for sql in [
        "DELETE FROM listings WHERE feed_id IN (SELECT id FROM feeds WHERE name = ?1 AND role <> ?2)",
        "DELETE FROM held_snapshots WHERE feed_id IN (SELECT id FROM feeds WHERE name = ?1 AND role <> ?2)",
        "DELETE FROM held_parts WHERE feed_id IN (SELECT id FROM feeds WHERE name = ?1 AND role <> ?2)",
    ] {
        sqlx::query(sql)
            .bind(name.as_str())
            .bind(role.as_str())
            .execute(&mut **tx)
            .await?;
    }
    sqlx::query(
        "UPDATE feeds SET role = ?2, reach = NULL, recipe = NULL, validators = NULL, body_sha256 = NULL,
             body_since = NULL, listed = 0, rejected = 0, revision = revision + 1, last_good = NULL, last_change = NULL,
             next_poll = NULL, failures = 0, state = 'new', trouble = NULL
         WHERE name = ?1 AND role <> ?2",
    )
    .bind(name.as_str())
    .bind(role.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
