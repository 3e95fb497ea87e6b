//! What the guards say about an indicator, and the proof that it may be added to a firewall.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4AddrRange, Ipv6AddrRange};

use crate::model::{Direction, Entry, Indicator, List, Name};

/// The most networks and addresses that one listed network is carved into (DESIGN: guards).
pub const MOST_PIECES: usize = 256;

/// The proof that the guards let an indicator go onto one of a firewall's lists. Only
/// [`Guards`](super::Guards) makes it, and every addition to a firewall demands it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cleared {
    list: List,
    indicator: Indicator,
}

/// What the guards say about a listed indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing guards any of it.
    Cleared(Cleared),
    /// Part of a listed network is guarded; the rest may go in.
    Carved {
        /// Exactly what is left of the network, in the fewest pieces, by address; 1 to [`MOST_PIECES`].
        pieces: Vec<Cleared>,
        /// What was cut out: the first guard of each origin.
        by: Vec<Guard>,
    },
    /// All of it is guarded, or nothing so wide is ever listed.
    Struck(Strike),
    /// It is not guarded itself, and yet listing it would do harm.
    Held(Hold),
}

/// Why an indicator must not be listed at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strike {
    /// These guards, never none, cover all of it together: the first guard of each origin.
    Guarded(Vec<Guard>),
    /// A network wider than `[guard] min_prefix`, whose length for its family is given.
    TooWide(u8),
    /// A name right under which strangers register theirs (publicsuffix.org).
    PublicSuffix,
}

/// Why an indicator waits until the feeds or the guards say something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Blocking this name would block a guarded name below it.
    AboveGuarded(Guard),
    /// Carving would leave more than [`MOST_PIECES`] pieces: the first guard of each origin inside it.
    TooManyPieces(Vec<Guard>),
}

/// One thing that must never be blocked, and who says so. Its text is a clause that `explain` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The guarded address, network or name, in canonical text.
    pub entry: String,
    /// Who guards it.
    pub origin: Arc<Origin>,
    /// The line of an allowlist file, from 1.
    pub line: Option<u32>,
}

/// Who guards an entry. Where several guard the same, the first in this order is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A registry of special-purpose addresses or special-use names.
    Reserved {
        /// What the range or name is for.
        purpose: &'static str,
        /// The RFC (or other document) that reserves it.
        source: &'static str,
    },
    /// What this program or the machines beside it stand on; the text says what the entry is.
    OwnGround(String),
    /// `[guard] allow` of the config.
    Config,
    /// A file under `[guard] files`.
    File(PathBuf),
    /// The operator's `feedwall allow`.
    Hand,
    /// A downloaded `[[guard.list]]`.
    List(Name),
    /// A feed with `list = "allow"`.
    Feed(Name),
}

impl Cleared {
    /// Stays inside the module: this is the only door to the type.
    pub(super) fn new(list: List, indicator: Indicator) -> Self {
        Self { list, indicator }
    }

    /// The list on which it may stand: what was judged for the allowlist proves nothing for the blocklist.
    #[must_use]
    pub fn list(&self) -> List {
        self.list
    }

    /// What may be listed.
    #[must_use]
    pub fn indicator(&self) -> &Indicator {
        &self.indicator
    }

    /// The place on a firewall that this proof opens.
    #[must_use]
    pub fn entry(&self, direction: Direction) -> Entry {
        Entry {
            list: self.list,
            indicator: self.indicator.clone(),
            direction,
        }
    }

    /// The proof for one of its addresses: where nothing guards any of a network, nothing guards that. `None` for an
    /// address outside it.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> Option<Self> {
        let net = self.indicator.net()?;
        net.contains(&address)
            .then(|| Self::new(self.list, Indicator::from_ip(address)))
    }

    /// The proof for each of its addresses; none for a domain.
    pub fn addresses(&self) -> impl Iterator<Item = Self> + '_ {
        let (four, six) = match self.indicator.net() {
            Some(IpNet::V4(four)) => (Some((four.network(), four.broadcast())), None),
            Some(IpNet::V6(six)) => (None, Some((six.network(), six.broadcast()))),
            None => (None, None),
        };
        let four = four
            .into_iter()
            .flat_map(|(first, last)| Ipv4AddrRange::new(first, last).map(IpAddr::V4));
        let six = six
            .into_iter()
            .flat_map(|(first, last)| Ipv6AddrRange::new(first, last).map(IpAddr::V6));
        let addresses = four.chain(six);
        addresses.filter_map(|address| self.address(address))
    }

    /// Gives the indicator back and the proof up.
    #[must_use]
    pub fn into_indicator(self) -> Indicator {
        self.indicator
    }
}

impl Origin {
    /// Whether somebody else's download brought the guard. What the operator, this program or a registry
    /// guards may delete leases beyond the brake (`max_delete`); what was downloaded may not.
    #[must_use]
    pub fn is_downloaded(&self) -> bool {
        matches!(self, Self::List(_) | Self::Feed(_))
    }

    /// The order of the variants as a number; the lower goes before the higher.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Reserved { .. } => 0,
            Self::OwnGround(_) => 1,
            Self::Config => 2,
            Self::File(_) => 3,
            Self::Hand => 4,
            Self::List(_) => 5,
            Self::Feed(_) => 6,
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cleared(_) => out.write_str("cleared by the guards"),
            Self::Carved { pieces, by } => {
                write!(out, "carved into {} around: {}", pieces.len(), Clauses(by))
            }
            Self::Struck(strike) => strike.fmt(out),
            Self::Held(hold) => hold.fmt(out),
        }
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guarded(by) => Clauses(by).fmt(out),
            Self::TooWide(least) => {
                write!(out, "wider than /{least}, which [guard] min_prefix forbids")
            }
            Self::PublicSuffix => {
                out.write_str("a public suffix, under which strangers register names")
            }
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AboveGuarded(guard) => {
                write!(out, "it would block {} below it: {guard}", guard.entry)
            }
            Self::TooManyPieces(by) => write!(
                out,
                "carving it would leave more than {MOST_PIECES} pieces around: {}",
                Clauses(by)
            ),
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = &self.entry;
        match &*self.origin {
            Origin::Reserved { purpose, source } => {
                write!(out, "reserved: {entry} is for {purpose} ({source})")
            }
            Origin::OwnGround(what) => write!(out, "own ground: {entry} is {what}"),
            Origin::Config => write!(out, "allowed by [guard] allow entry {entry}"),
            Origin::File(path) => {
                write!(out, "allowed by {}", path.display())?;
                match self.line {
                    Some(line) => write!(out, ":{line} ({entry})"),
                    None => write!(out, " ({entry})"),
                }
            }
            Origin::Hand => write!(out, "allowed by hand ({entry})"),
            Origin::List(name) => write!(out, "guard list {name} holds {entry}"),
            Origin::Feed(name) => write!(out, "allow feed {name} holds {entry}"),
        }
    }
}

/// Several guards as one clause.
struct Clauses<'a>(&'a [Guard]);

impl fmt::Display for Clauses<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, guard) in self.0.iter().enumerate() {
            if place > 0 {
                out.write_str("; ")?;
            }
            guard.fmt(out)?;
        }
        Ok(())
    }
}
