//! Words between the daemon and the commands: a raised hand that the daemon looks for every few seconds, and
//! the daemon's trouble with the clock, for `status`.

use crate::model::UnixTime;

use super::{Ledger, Result};

impl Ledger {
    /// Tells a running daemon that a command changed what it plans by.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn raise_hand(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO meta (name, value) VALUES ('hand', '1')
             ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// How often a hand was raised.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn hand(&self) -> Result<i64> {
        let raised: Option<i64> =
            sqlx::query_scalar("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'hand'")
                .fetch_optional(&self.readers)
                .await?;
        Ok(raised.unwrap_or(0))
    }

    /// Takes the right to write and gives it back: the ledger can be written to.
    ///
    /// # Errors
    /// When somebody else holds it for longer than the busy timeout, or it is gone.
    pub async fn probe(&self) -> Result<()> {
        Ok(self.begin().await?.rollback().await?)
    }

    /// Says why the clock is not believed; `None`: it is.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn tell_clock(&self, doubt: Option<&str>) -> Result<()> {
        if self.clock_doubt().await?.as_deref() == doubt {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM meta WHERE name = 'clock'")
            .execute(&mut *tx)
            .await?;
        if let Some(doubt) = doubt {
            sqlx::query("INSERT INTO meta (name, value) VALUES ('clock', ?)")
                .bind(doubt)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Why the daemon does not believe the clock.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn clock_doubt(&self) -> Result<Option<String>> {
        Ok(
            sqlx::query_scalar("SELECT value FROM meta WHERE name = 'clock'")
                .fetch_optional(&self.readers)
                .await?,
        )
    }

    /// Remembers by how many seconds the machine's clock was found to be behind the cloud's, so that the next run begins
    /// with that.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn remember_clock_offset(&self, seconds: i64) -> Result<()> {
        if self.clock_offset().await? == seconds {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO meta (name, value) VALUES ('clock offset', ?)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(seconds.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Seconds by which the machine's clock was last found to be behind the cloud's; 0 where it never was.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn clock_offset(&self) -> Result<i64> {
        let seconds: Option<i64> = sqlx::query_scalar(
            "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'clock offset'",
        )
        .fetch_optional(&self.readers)
        .await?;
        Ok(seconds.unwrap_or(0))
    }

    /// The latest time on record: no clock that lies before it is right.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn last_word(&self) -> Result<Option<UnixTime>> {
        let latest: Option<i64> = sqlx::query_scalar(
            "SELECT max(at) FROM (SELECT max(last_poll) AS at FROM feeds
                 UNION ALL SELECT max(sent_ms) / 1000 FROM calls
                 UNION ALL SELECT max(planned_at) FROM firewalls)",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(latest.map(UnixTime::from_seconds))
    }
}
