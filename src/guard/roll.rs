//! Every guard and where it comes from, in the order in which they were taken.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Arc;

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::allowlist::Matching;
use super::judgement::{Guard, Origin};
use crate::model::Indicator;
use crate::parse::MinPrefix;

/// The place of a guard in the roll.
pub(super) type Id = u32;

/// What is guarded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Addresses.
    Net(IpNet),
    /// A name, of one label or more, and perhaps what lies below it.
    Name(Box<str>, Matching),
}

#[derive(Debug)]
struct Item {
    what: What,
    origin: u32,
    /// From 1; 0 where there are no lines.
    line: u32,
}

/// Every guard, by its [`Id`].
#[derive(Debug, Default)]
pub(super) struct Roll {
    items: Vec<Item>,
    origins: Vec<Arc<Origin>>,
}

/// Which of several guards of the same thing is named: by rank of the origin, then the closest, then
/// the one taken first.
pub(super) type Preference = (u8, Reverse<u8>, Id);

impl Roll {
    /// Takes an origin; the guards added next come from it.
    pub(super) fn begin(&mut self, origin: Origin) -> Arc<Origin> {
        let origin = Arc::new(origin);
        self.origins.push(Arc::clone(&origin));
        origin
    }

    /// Takes a guard of the origin begun last; `line` counts from 1, and 0 says that there is none.
    pub(super) fn add(&mut self, what: What, line: u32) {
        let origin = u32::try_from(self.origins.len().saturating_sub(1)).unwrap_or(u32::MAX);
        self.items.push(Item { what, origin, line });
    }

    /// Every guard with its place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &What)> {
        (0..).zip(self.items.iter().map(|item| &item.what))
    }

    /// Sorts `id` among the guards of one thing; the least is named.
    pub(super) fn preference(&self, id: Id) -> Preference {
        let Some(item) = self.items.get(id as usize) else {
            return (u8::MAX, Reverse(0), id);
        };
        let closeness = match &item.what {
            What::Net(net) => net.prefix_len(),
            What::Name(name, _) => u8::try_from(name.len()).unwrap_or(u8::MAX),
        };
        (self.rank(item), Reverse(closeness), id)
    }

    fn rank(&self, item: &Item) -> u8 {
        let origin = self.origins.get(item.origin as usize);
        origin.map_or(u8::MAX, |origin| origin.rank())
    }

    /// The guard at `id`, for people.
    pub(super) fn guard(&self, id: Id) -> Option<Guard> {
        let item = self.items.get(id as usize)?;
        let origin = self.origins.get(item.origin as usize)?;
        Some(Guard {
            entry: item.what.text(),
            origin: Arc::clone(origin),
            line: Some(item.line).filter(|line| *line > 0),
        })
    }

    /// The first guard of each origin among `ids`, in their order.
    pub(super) fn first_of_each_origin(&self, ids: impl Iterator<Item = Id>) -> Vec<Guard> {
        let mut seen = vec![false; self.origins.len()];
        let mut new_origin = |id: &Id| {
            let item = self.items.get(*id as usize);
            let seen = item.and_then(|item| seen.get_mut(item.origin as usize));
            seen.is_some_and(|seen| !std::mem::replace(seen, true))
        };
        ids.filter(|id| new_origin(id))
            .filter_map(|id| self.guard(id))
            .collect()
    }

    /// SHA-256 over all that the judgements depend on: every guard with its origin, in an order of their
    /// own and each once, the widest prefixes, and this program's version, which brings the suffix list.
    pub(super) fn fingerprint(&self, min_prefix: MinPrefix) -> [u8; 32] {
        let mut rows: Vec<(&What, &Origin)> = self
            .items
            .iter()
            .filter_map(|item| Some((&item.what, &**self.origins.get(item.origin as usize)?)))
            .collect();
        rows.sort_unstable();
        rows.dedup();
        let mut hash = Sha256::new();
        let MinPrefix { v4, v6 } = min_prefix;
        hash.update(format!("{}\n{v4} {v6}\n", env!("CARGO_PKG_VERSION")));
        let mut row = String::new();
        for (what, origin) in rows {
            row.clear();
            // Writing to a String cannot fail; neither text can hold the NUL that ends it.
            let _ = write!(row, "{}\0{}\0", what.signature(), origin.signature());
            hash.update(&row);
        }
        hash.finalize().into()
    }
}

impl What {
    /// An indicator as a guard; `matching` says how far a domain reaches.
    pub(super) fn new(indicator: &Indicator, matching: Matching) -> Self {
        match indicator {
            Indicator::Address(address) => Self::Net(address.ip().into()),
            Indicator::Network(network) => Self::Net(network.net()),
            Indicator::Domain(name) => Self::Name(name.as_str().into(), matching),
        }
    }

    /// The network, where it is one.
    pub(super) fn net(&self) -> Option<IpNet> {
        match self {
            Self::Net(net) => Some(*net),
            Self::Name(..) => None,
        }
    }

    /// As indicators are written: an address without a prefix length.
    fn text(&self) -> String {
        match self {
            Self::Net(net) => Indicator::from_net(*net).to_string(),
            Self::Name(name, _) => name.to_string(),
        }
    }

    fn signature(&self) -> String {
        match self {
            Self::Net(net) => net.to_string(),
            Self::Name(name, Matching::Exact) => format!("={name}"),
            Self::Name(name, Matching::Subdomains) => format!(".{name}"),
        }
    }
}

impl Origin {
    fn signature(&self) -> String {
        let text = match self {
            Self::Reserved { purpose, source } => format!("{purpose} {source}"),
            Self::OwnGround(what) => what.clone(),
            Self::Config | Self::Hand => String::new(),
            Self::File(path) => path.display().to_string(),
            Self::List(name) | Self::Feed(name) => name.to_string(),
        };
        format!("{} {text}", self.rank())
    }
}
