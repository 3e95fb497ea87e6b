//! What a pattern accuses.
//!
//! A pattern describes what may be observed. A host is listed where seeing that host alone is enough to
//! match, for only then does the indicator say that the host by itself is bad:
//! - of alternatives (`OR`, `IN`) each counts;
//! - things that must be seen together (`AND`, `FOLLOWEDBY`) accuse none of them alone, unless they are the
//!   same hosts, or, inside one pair of brackets, one of them is a detail of how the host is met: its port
//!   and protocol, as in a text feed's `host:port`, or another property of an object of the same type, as
//!   in "this name, resolving to that address";
//! - a host that must be seen more than once (`REPEATS 5 TIMES`) is not accused by one visit;
//! - what is compared otherwise than with `=`, `IN` and `ISSUBSET` names no host that could be listed.
//!
//! A pattern is taken whole or rejected whole, as a line is. One that accuses no host at all (a file's
//! hash, a mail's subject) says nothing about hosts, and is no reject.

use crate::model::{Indicator, IndicatorError, UnixTime};
use crate::parse::token::{self, Found};
use crate::parse::{Reason, Recipe};

/// What an expression accuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Each of these hosts by itself.
    Hosts(Vec<Host>),
    /// How a host is met, of this kind or of any.
    Detail(Option<Kind>),
    /// Things that are no hosts.
    Elsewhere,
}

/// An accused host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Host {
    pub indicator: Indicator,
    pub kind: Kind,
    /// Where `START … STOP …` ends the time in which it was to be seen.
    pub until: Option<UnixTime>,
}

/// The property of an object that names a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Address,
    Name,
    Url,
    /// The end of a connection, which may be any of them.
    End,
}

impl Claim {
    /// One of the two is seen.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Hosts(mut hosts), Self::Hosts(others)) => {
                hosts.extend(others);
                Self::Hosts(hosts)
            }
            (Self::Hosts(hosts), _) | (_, Self::Hosts(hosts)) => Self::Hosts(hosts),
            (Self::Detail(one), Self::Detail(two)) => details(one, two),
            _ => Self::Elsewhere,
        }
    }

    /// Both are seen.
    ///
    /// # Errors
    /// [`Reason::Together`] where a host is accused only together with something else.
    pub(super) fn and(self, other: Self) -> Result<Self, Reason> {
        match (self, other) {
            (Self::Hosts(hosts), Self::Hosts(others)) => same(hosts, others),
            (Self::Hosts(hosts), other) | (other, Self::Hosts(hosts)) => {
                let fits = |host: &Host| match other {
                    Self::Detail(kind) => kind.is_none_or(|kind| kind == host.kind),
                    _ => false,
                };
                let all = hosts.iter().all(fits);
                all.then_some(Self::Hosts(hosts)).ok_or(Reason::Together)
            }
            (Self::Detail(one), Self::Detail(two)) => Ok(details(one, two)),
            _ => Ok(Self::Elsewhere),
        }
    }

    /// It is one observation, whose details are no other's.
    pub(super) fn observed(self) -> Self {
        match self {
            Self::Detail(_) => Self::Elsewhere,
            other => other,
        }
    }

    /// It is seen more than once.
    ///
    /// # Errors
    /// [`Reason::Repeated`] where it is a host.
    pub(super) fn repeated(self) -> Result<Self, Reason> {
        match self {
            Self::Hosts(_) => Err(Reason::Repeated),
            other => Ok(other),
        }
    }

    /// It is seen before `end`.
    pub(super) fn until(mut self, end: UnixTime) -> Self {
        if let Self::Hosts(hosts) = &mut self {
            for host in hosts {
                host.until = earlier(host.until, Some(end));
            }
        }
        self
    }
}

fn details(one: Option<Kind>, two: Option<Kind>) -> Claim {
    match (one, two) {
        (Some(one), Some(two)) if one != two => Claim::Elsewhere,
        _ => Claim::Detail(one.or(two)),
    }
}

/// The hosts of two sides that must both be seen.
fn same(hosts: Vec<Host>, others: Vec<Host>) -> Result<Claim, Reason> {
    let sorted = |mut hosts: Vec<Host>| {
        hosts.sort_unstable();
        hosts.dedup_by(|later, kept| later.indicator == kept.indicator);
        hosts
    };
    let (mut hosts, others) = (sorted(hosts), sorted(others));
    let names = |hosts: &[Host]| hosts.iter().map(|host| host.indicator.clone()).collect();
    let (one, two): (Vec<_>, Vec<_>) = (names(&hosts), names(&others));
    if one != two {
        return Err(Reason::Together);
    }
    for (host, other) in hosts.iter_mut().zip(others) {
        host.until = earlier(host.until, other.until);
    }
    Ok(Claim::Hosts(hosts))
}

fn earlier(one: Option<UnixTime>, two: Option<UnixTime>) -> Option<UnixTime> {
    one.into_iter().chain(two).min()
}

impl Kind {
    /// By the type of an object whose `value` it is.
    pub(super) fn of_object(kind: &str) -> Option<Self> {
        match kind {
            "ipv4-addr" | "ipv6-addr" => Some(Self::Address),
            "domain-name" | "hostname" => Some(Self::Name),
            "url" => Some(Self::Url),
            _ => None,
        }
    }

    /// Reads the property by the rules of a text feed's line.
    pub(super) fn read(self, recipe: &Recipe, text: &str) -> Result<Indicator, Reason> {
        match token::read(recipe, text.trim())? {
            Found::One(Indicator::Domain(_)) if self == Self::Address => {
                Err(IndicatorError::Address.into())
            }
            Found::One(indicator) => Ok(indicator),
            Found::Many(_) => Err(IndicatorError::Address.into()),
        }
    }
}
