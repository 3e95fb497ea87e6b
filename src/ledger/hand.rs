//! The operator's hand: commands that changed the ledger say so, and the running daemon looks every few
//! seconds.

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
}
