//! The TOML file, read whole, judged whole, and turned into the types that the modules work with.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::Offset;
use url::Url;

pub use crate::cloud::CredentialSource;
use crate::fetch::{Limits, Source};
use crate::model::{Brakes, FeedTerms, Indicator, Name};
use crate::parse::{MinPrefix, Recipe};
use crate::plan::FirewallTerms;

/// What is in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[ledger]`
    pub ledger: Ledger,
    /// `[guard]`
    pub guard: Guard,
    /// `[[feed]]`, in the file's order.
    pub feeds: Vec<Feed>,
    /// `[[firewall]]`, in the file's order.
    pub firewalls: Vec<Firewall>,
}

/// Where the ledger is and how long it remembers.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The SQLite file.
    pub path: PathBuf,
    /// How long call history and dead listings stay.
    pub keep_history: Duration,
}

/// What must never be blocked, beside the built-in ranges.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The widest networks that may be blocked.
    pub min_prefix: MinPrefix,
    /// Whether feeds and endpoints may stand on private addresses.
    pub allow_private: bool,
    /// The allowlist of the file itself.
    pub allow: Vec<Indicator>,
}

/// One feed.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Its identity in the ledger.
    pub name: Name,
    /// Where it comes from.
    pub source: Source,
    /// Bounds of a fetch.
    pub limits: Limits,
    /// How its body is read.
    pub recipe: Recipe,
    /// How often it is asked.
    pub interval: Duration,
    /// What its listings are worth.
    pub terms: FeedTerms,
    /// When a fetch is not believed.
    pub brakes: Brakes,
}

/// One firewall.
#[derive(Clone, Debug)]
pub struct Firewall {
    /// Its identity in the ledger.
    pub name: Name,
    /// The API's address: the site's own, or the one in the config.
    pub endpoint: Url,
    /// Calls a second, at most 20.
    pub rate: u32,
    /// What it takes and how leases are cut.
    pub terms: FirewallTerms,
    /// The zone in which it writes its times.
    pub time_zone: Offset,
    /// Where the keys come from.
    pub credentials: CredentialSource,
}
