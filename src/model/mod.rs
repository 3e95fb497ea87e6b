//! The nouns: what a feed lists and what a firewall holds. No I/O, no clock.

mod domain;
mod entry;
mod feed;
mod indicator;
pub(crate) mod ipv4;
mod listing;
mod name;
mod spread;
mod time;

pub use domain::{DomainError, DomainName, names_public_suffix};
pub use entry::{Action, Direction, Directions, Entry, Lease, List};
pub use feed::{Brakes, FeedTerms, Mode, OnDelist};
pub(crate) use indicator::tags;
pub use indicator::{
    Address, Class, DomainRef, Indicator, IndicatorError, IndicatorRef, KeyError, Network,
};
pub use listing::Listing;
pub use name::{Name, NameError};
pub use spread::spread;
pub use time::UnixTime;
