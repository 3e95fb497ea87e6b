//! The TOML file, read whole, judged whole, and turned into the types that the modules work with.
//!
//! Every fault in the file is found in one reading: a key that cannot be read takes its default for the
//! time being, and rules that would look at it are skipped, so that one mistake is told once. A key that
//! is known but not built is refused by name; nothing that is written is ever ignored.
//!
//! To build a key: make it `built` in `keys`, read it where its section is read, and show it in `lines`.
//! A test fails until all three agree.

mod address;
mod body;
mod changes;
mod credentials;
pub mod defaults;
mod fault;
mod feed;
mod feed_lines;
mod fetching;
mod firewall;
mod guard;
mod guard_list;
mod http;
mod judge;
mod keys;
mod l4;
mod ledger;
mod lines;
mod preset;
mod print;
mod read;
mod reference;
mod section;
mod sent;
mod source;
mod syntax;
mod value;
mod words;

#[cfg(test)]
mod tests;

pub use fault::{ConfigError, ConfigFaults, Fault};
pub(crate) use keys::nearest;
pub use l4::L4;
pub use reference::reference;
pub(crate) use value::parse_duration;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::Offset;
use url::Url;

use crate::catalog::Preset;
pub use crate::cloud::CredentialSource;
use crate::fetch::{Limits, Secret, Source};
use crate::model::{Brakes, FeedTerms, Indicator, Name};
use crate::parse::{MinPrefix, Recipe};
use crate::plan::FirewallTerms;

/// What is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[ledger]`
    pub ledger: Ledger,
    /// `[http]`; without it nothing is served.
    pub http: Option<Http>,
    /// `[fetch]`
    pub fetch: Fetch,
    /// `[guard]`
    pub guard: Guard,
    /// `[[feed]]`, in the file's order.
    pub feeds: Vec<Feed>,
    /// `[[firewall]]`, in the file's order.
    pub firewalls: Vec<Firewall>,
    /// `[l4]`
    pub l4: L4,
    /// What is allowed but probably not meant: sentences with file and line, for the log.
    pub warnings: Vec<String>,
}

/// Where the ledger is and how long it remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The SQLite file.
    pub path: PathBuf,
    /// How long call history and dead listings stay.
    pub keep_history: Duration,
}

/// Where metrics, health and the dashboard are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The address; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// What a reader must send as `Authorization: Bearer`; on any address but loopback there is one.
    pub token: Option<Secret>,
}

/// What holds for every fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// How publishers reach whoever runs this, told in `User-Agent`.
    pub contact: Option<String>,
}

/// What must never be blocked, beside the built-in ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// The widest networks that may be blocked.
    pub min_prefix: MinPrefix,
    /// Whether feeds and endpoints may stand on private addresses.
    pub allow_private: bool,
    /// The allowlist of the file itself.
    pub allow: Vec<Indicator>,
    /// Patterns of absolute paths, valid for the `glob` crate, of plain text allowlists.
    pub files: Vec<String>,
    /// `[[guard.list]]`, in the file's order: feeds whose listings must not be blocked, and never age out.
    pub lists: Vec<Feed>,
}

/// One feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// Its identity in the ledger.
    pub name: Name,
    /// Which feed of the catalogue it is.
    pub preset: Option<&'static str>,
    /// Why it is no more, and what to use instead, where the catalogue knows.
    pub retired: Option<&'static str>,
    /// Where it comes from.
    pub source: Source,
    /// Bounds of a fetch.
    pub limits: Limits,
    /// How its body is read.
    pub recipe: Recipe,
    /// How often it is asked.
    pub interval: Duration,
    /// How long its body may stay the same before it is taken for frozen.
    pub max_stale: Option<Duration>,
    /// The least time between two polls that its publisher takes, where one is known.
    pub floor: Option<Duration>,
    /// What its listings are worth.
    pub terms: FeedTerms,
    /// When a fetch is not believed.
    pub brakes: Brakes,
}

/// One firewall of the kind [`Firewall::KIND`].
#[derive(Clone, Debug, PartialEq)]
pub struct Firewall {
    /// Its identity in the ledger.
    pub name: Name,
    /// Which of the vendor's two sites it belongs to; their calls differ.
    pub site: Site,
    /// The API's address: the site's own, or the one in the config.
    pub endpoint: Url,
    /// Calls a second, 1 to 20.
    pub rate: u32,
    /// What it takes and how leases are cut.
    pub terms: FirewallTerms,
    /// How often its lists are read back.
    pub reconcile_interval: Duration,
    /// How long a change may take to show in a read-back; may be zero.
    pub confirm_after: Duration,
    /// The zone in which it writes its times.
    pub time_zone: Offset,
    /// Where the keys come from.
    pub credentials: CredentialSource,
}

/// The vendor's two sites. They have separate accounts, endpoints, and slightly different calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// <https://cloud.tencent.com>
    China,
    /// <https://www.tencentcloud.com>
    International,
}

impl Config {
    /// The feed of that name.
    #[must_use]
    pub fn feed(&self, name: &Name) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.name == *name)
    }

    /// Whatever is polled: the feeds, and the guard lists.
    pub fn polled(&self) -> impl Iterator<Item = &Feed> {
        self.feeds.iter().chain(&self.guard.lists)
    }

    /// What holds where no file says anything: no feed, and no firewall.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            ledger: Ledger {
                path: defaults::LEDGER_PATH.into(),
                keep_history: defaults::KEEP_HISTORY,
            },
            http: None,
            fetch: Fetch {
                contact: defaults::CONTACT,
            },
            guard: Guard {
                min_prefix: defaults::MIN_PREFIX,
                allow_private: defaults::ALLOW_PRIVATE,
                allow: Vec::new(),
                files: Vec::new(),
                lists: Vec::new(),
            },
            feeds: Vec::new(),
            firewalls: Vec::new(),
            l4: L4::new(defaults::SITE, defaults::CREDENTIALS),
            warnings: Vec::new(),
        }
    }

    /// The firewall of that name.
    #[must_use]
    pub fn firewall(&self, name: &Name) -> Option<&Firewall> {
        self.firewalls
            .iter()
            .find(|firewall| firewall.name == *name)
    }
}

impl Feed {
    /// A feed of which no file says anything but its name and its source.
    #[must_use]
    pub fn plain(name: Name, source: Source, min_prefix: MinPrefix) -> Self {
        feed::plain(name, source, min_prefix)
    }

    /// The feed that a preset stands for, by the preset's own name; `None` where it has no address.
    #[must_use]
    pub fn of_preset(preset: &'static Preset) -> Option<Self> {
        feed::of_preset(preset)
    }

    /// How its body is read, in the config's word.
    #[must_use]
    pub fn format(&self) -> &'static str {
        words::format_word(self.recipe.format, words::Protocol::of(&self.source))
    }

    /// Which way its listings block, in the config's word.
    #[must_use]
    pub fn direction(&self) -> &'static str {
        value::word_of(words::DIRECTIONS, &self.terms.directions)
    }
}

impl Firewall {
    /// The one kind of firewall that there is.
    pub const KIND: &str = "tencent-cfw";
}

impl Site {
    /// Where the site's API listens, when the config names no other endpoint.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::China => "https://cfw.tencentcloudapi.com/",
            Self::International => "https://cfw.intl.tencentcloudapi.com/",
        }
    }
}
