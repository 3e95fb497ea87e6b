//! The ledger as lists: entries of firewalls, listings of a feed. A line each, whatever their number, with
//! the indicator last, so that columns stand straight.

use serde::Serialize;

use crate::model::{Class, Direction, Indicator, Lease, List, Listing, Name, UnixTime};
use crate::plan::expiry;

use super::span::stamp;

/// An entry of a firewall; `feedwall list --json` gives an array of these.
#[derive(Clone, Debug, Serialize)]
pub struct EntryRow {
    /// On which firewall.
    pub firewall: Name,
    /// On which list.
    pub list: List,
    /// What stands there.
    pub indicator: Indicator,
    /// By which firewalls take or refuse it.
    pub class: Class,
    /// In which direction.
    pub direction: Direction,
    /// How it is with it.
    pub state: EntryState,
    /// When the cloud drops it by itself, where we hold it.
    pub end_time: Option<UnixTime>,
}

/// How it is with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Seen in a read-back since it was last set.
    Confirmed,
    /// Set without doubt, and not read back since.
    Held,
    /// A call was never answered.
    Doubtful,
    /// The cloud refused it alone.
    Quarantined,
    /// Somebody else holds it.
    Foreign,
}

/// A feed's listing; `feedwall list --feed NAME --json` gives an array of these.
#[derive(Clone, Debug, Serialize)]
pub struct ListingRow {
    /// The feed.
    pub feed: Name,
    /// What is listed.
    pub indicator: Indicator,
    /// By which firewalls take or refuse it.
    pub class: Class,
    /// How it is with it.
    pub state: ListingState,
    /// When it was first listed.
    pub first_listed: UnixTime,
    /// Since when it is listed no longer.
    pub delisted_at: Option<UnixTime>,
    /// When it ends, if the feed says nothing more; null where the feed was never fetched well.
    pub expires: Option<UnixTime>,
    /// Percent.
    pub confidence: u8,
}

/// How it is with a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListingState {
    /// The feed lists it.
    Listed,
    /// The feed lists it no longer, and it ages out.
    Delisted,
    /// It has ended.
    Ended,
}

impl EntryRow {
    /// A lease, confirmed or not.
    #[must_use]
    pub fn leased(firewall: &Name, lease: Lease, confirmed: bool) -> Self {
        let state = match lease.doubt {
            Some(_) => EntryState::Doubtful,
            None if confirmed => EntryState::Confirmed,
            None => EntryState::Held,
        };
        Self {
            firewall: firewall.clone(),
            list: lease.entry.list,
            class: lease.entry.class(),
            indicator: lease.entry.indicator,
            direction: lease.entry.direction,
            state,
            end_time: Some(lease.end_time),
        }
    }

    /// The row as a line; `width` is that of the longest firewall's name.
    #[must_use]
    pub fn line(&self, width: usize) -> String {
        let until = match self.end_time {
            Some(end) => format!("until {}", stamp(end)),
            None => String::new(),
        };
        let list = match self.list {
            List::Block => "",
            List::Allow => " (allowlist)",
        };
        format!(
            "{:<width$}  {:<11}  {:<3}  {until:<26}  {}{list}",
            self.firewall,
            self.state.as_str(),
            self.direction,
            self.indicator
        )
    }
}

impl ListingRow {
    /// A listing as it is judged by its feed's terms.
    #[must_use]
    pub fn new(feed: &crate::ledger::FeedRow, listing: Listing, now: UnixTime) -> Self {
        let expires = feed
            .last_good
            .map(|good| expiry::expires(&feed.terms, good, &listing, now));
        let state = match (expires, listing.delisted_at) {
            (Some(end), _) if end <= now => ListingState::Ended,
            (_, Some(_)) => ListingState::Delisted,
            (_, None) => ListingState::Listed,
        };
        Self {
            feed: feed.name.clone(),
            class: listing.indicator.class(),
            indicator: listing.indicator,
            state,
            first_listed: listing.first_listed,
            delisted_at: listing.delisted_at,
            expires,
            confidence: listing.confidence.unwrap_or(feed.terms.confidence),
        }
    }

    /// The row as a line.
    #[must_use]
    pub fn line(&self) -> String {
        let until = match self.expires {
            Some(end) => format!("until {}", stamp(end)),
            None => "never fetched well".to_owned(),
        };
        format!(
            "{:<8}  since {}  {until:<26}  {:>3} %  {}",
            self.state.as_str(),
            stamp(self.first_listed),
            self.confidence,
            self.indicator
        )
    }
}

impl EntryState {
    /// The word in lines and for `--state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Held => "held",
            Self::Doubtful => "doubtful",
            Self::Quarantined => "quarantined",
            Self::Foreign => "foreign",
        }
    }
}

impl ListingState {
    /// The word in lines and for `--state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Delisted => "delisted",
            Self::Ended => "ended",
        }
    }
}
