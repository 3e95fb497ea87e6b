//! Listings read back for the plan, a chunk a statement.

use crate::model::{Indicator, Listing, UnixTime};

use super::bulk;
use super::{Ledger, Result};

/// Reads one feed's listings in the indicators' order, chunk by chunk.
#[derive(Debug)]
pub struct FeedListings<'a> {
    ledger: &'a Ledger,
    feed: i64,
    after: Vec<u8>,
}

impl Ledger {
    /// The listings of a feed that have not ended by `now` by their own `expires_at`.
    #[must_use]
    pub fn listings(&self, feed: i64) -> FeedListings<'_> {
        FeedListings {
            ledger: self,
            feed,
            after: Vec::new(),
        }
    }

    /// One feed's listing of one indicator.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn listing(&self, feed: i64, indicator: &Indicator) -> Result<Option<Listing>> {
        let packed: Option<String> = sqlx::query_scalar(
            "SELECT hex(key) || ':' || first_listed || ':' || ifnull(expires_at, '') || ':'
                 || ifnull(delisted_at, '') || ':' || ifnull(valid_until, '') || ':'
                 || ifnull(dated, '') || ':' || ifnull(confidence, '')
             FROM listings WHERE feed_id = ? AND key = ?",
        )
        .bind(feed)
        .bind(indicator.key())
        .fetch_optional(&self.readers)
        .await?;
        packed.as_deref().map(read_listing).transpose()
    }
}

impl FeedListings<'_> {
    /// The next chunk; empty at the end.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn next_chunk(&mut self) -> Result<Vec<Listing>> {
        let packed: Option<String> = sqlx::query_scalar(
            "SELECT group_concat(
                 CASE WHEN expires_at IS NULL AND valid_until IS NULL AND dated IS NULL
                           AND confidence IS NULL
                      THEN hex(key) || ':' || first_listed
                      ELSE hex(key) || ':' || first_listed || ':' || ifnull(expires_at, '') || ':'
                           || ifnull(delisted_at, '') || ':' || ifnull(valid_until, '') || ':'
                           || ifnull(dated, '') || ':' || ifnull(confidence, '')
                 END, ',')
             FROM (SELECT * FROM listings WHERE feed_id = ? AND key > ? ORDER BY key LIMIT 20000)",
        )
        .bind(self.feed)
        .bind(self.after.as_slice())
        .fetch_one(&self.ledger.readers)
        .await?;
        let listings = packed
            .unwrap_or_default()
            .split(',')
            .filter(|row| !row.is_empty())
            .map(read_listing)
            .collect::<Result<Vec<_>>>()?;
        if let Some(last) = listings.last() {
            self.after = last.indicator.key();
        }
        Ok(listings)
    }
}

pub(super) fn read_listing(packed: &str) -> Result<Listing> {
    let mut fields = packed.split(':');
    let indicator = bulk::indicator(fields.next().unwrap_or_default())?;
    let first_listed = bulk::number(fields.next())?.unwrap_or(0);
    let mut time = || -> Result<Option<UnixTime>> {
        Ok(bulk::number(fields.next())?.map(UnixTime::from_seconds))
    };
    let (expires_at, delisted_at, valid_until, dated) = (time()?, time()?, time()?, time()?);
    let confidence = bulk::number(fields.next())?;
    Ok(Listing {
        indicator,
        first_listed: UnixTime::from_seconds(first_listed),
        expires_at,
        delisted_at,
        valid_until,
        dated,
        confidence: confidence.and_then(|percent| u8::try_from(percent).ok()),
    })
}
