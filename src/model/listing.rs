//! Listings: what one feed says of one indicator.

use super::{Indicator, UnixTime};

/// One feed's claim about one indicator, as it was recorded; what it is worth is the plan's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What is listed.
    pub indicator: Indicator,
    /// When the feed first listed it.
    pub first_listed: UnixTime,
    /// Its own end; `None` while a snapshot feed lists it, whose last good fetch then counts.
    pub expires_at: Option<UnixTime>,
    /// Since when the feed lists it no longer.
    pub delisted_at: Option<UnixTime>,
    /// The row's own end.
    pub valid_until: Option<UnixTime>,
    /// The row's own date.
    pub dated: Option<UnixTime>,
    /// The row's own confidence, in percent.
    pub confidence: Option<u8>,
}

impl Listing {
    /// Whether the feed took it back (`on_delist = "withdraw"`), so that it ended at once.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.expires_at
            .zip(self.delisted_at)
            .is_some_and(|(end, gone)| end <= gone)
    }
}
