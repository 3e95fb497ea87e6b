//! What must never be blocked, and the only maker of [`Cleared`]. Pure, but for [`read_allow_files`].
//!
//! Every listed indicator is judged before it may enter a batch: [`Guards::judge`] for the blocklist,
//! [`Guards::judge_allow`] for the cloud's allowlist. What the operator allows is exact: an allowed
//! address inside a listed network carves the network and does not free it whole. An allowed name guards
//! itself and all below it; a listed name *above* an allowed one is held, since a firewall would block
//! both. Carved pieces may be narrower than any firewall takes; that is the planner's business.
//!
//! Where several guards cover the same thing, the one that is hardest to take away is named: registries,
//! our own ground, the operator, then what was downloaded; among equals the closest.

mod allowlist;
mod carve;
mod judgement;
mod names;
mod ownground;
mod reserved;
mod roll;
mod table;
#[cfg(test)]
mod tests;

pub use allowlist::{
    AllowFile, GuardError, GuardFaults, GuardSet, MOST_FILE_BYTES, Matching, SetKind,
    read_allow_files,
};
pub use judgement::{Cleared, Guard, Hold, Judgement, MOST_PIECES, Origin, Strike};
pub use ownground::OwnGround;

use std::sync::Arc;

use ipnet::IpNet;

use self::carve::{Point, remaining};
use self::names::Names;
use self::roll::{Id, Roll, What};
use self::table::{Cover, Span, Table};
use crate::model::{DomainName, Indicator, List};
use crate::parse::MinPrefix;

/// What guards beside the built-in ranges, names and resolvers.
#[derive(Clone, Debug)]
pub struct Material {
    /// The widest networks that may be listed, or allowed.
    pub min_prefix: MinPrefix,
    /// `[guard] allow`.
    pub allow: Vec<Indicator>,
    /// `[guard] files`, from [`read_allow_files`].
    pub files: Vec<AllowFile>,
    /// What the operator allowed by hand and has not taken back.
    pub by_hand: Vec<Indicator>,
    /// Guard lists and allow feeds, as last recorded.
    pub sets: Vec<GuardSet>,
    /// The hosts that the firewalls and feeds of the config stand on.
    pub own_ground: Vec<OwnGround>,
}

/// All that must never be blocked, ready to judge. It is built anew when any of its [`Material`] changes.
#[derive(Debug)]
pub struct Guards {
    min_prefix: MinPrefix,
    roll: Roll,
    /// Reserved ranges and names alone: what may stand on no list of a firewall.
    reserved: Tables,
    /// Everything: what may not stand on the blocklist.
    all: Tables,
    refused: Vec<Guard>,
    fingerprint: [u8; 32],
}

/// One set of guards, by what they guard.
#[derive(Debug)]
struct Tables {
    v4: Table<u32>,
    v6: Table<u128>,
    names: Names,
}

impl Guards {
    /// Sets up the built-in guards and those of `material`.
    ///
    /// # Errors
    /// Where the operator allows a network wider than `min_prefix`. A downloaded set that holds one is
    /// taken without it: see [`Guards::refused`].
    pub fn try_new(material: Material) -> Result<Self, GuardFaults> {
        let min_prefix = material.min_prefix;
        let mut roll = Roll::default();
        add_reserved(&mut roll);
        let reserved = Tables::of(&roll);
        add_own_ground(&mut roll, &material.own_ground);
        let faults = add_allowed(&mut roll, &material);
        if !faults.is_empty() {
            return Err(GuardFaults(faults));
        }
        let mut refused = Vec::new();
        for set in material.sets {
            add_set(&mut roll, set, min_prefix, &mut refused);
        }
        // What the registries guard anyway is no loss (the multicast /4 stands on many a list of bogons).
        refused.retain(|(net, _)| reserved.cover(*net) != Cover::Whole);
        Ok(Self {
            min_prefix,
            all: Tables::of(&roll),
            fingerprint: roll.fingerprint(min_prefix),
            roll,
            reserved,
            refused: refused.into_iter().map(|(_, guard)| guard).collect(),
        })
    }

    /// Whether `indicator` may go onto a blocklist.
    #[must_use]
    pub fn judge(&self, indicator: &Indicator) -> Judgement {
        self.judge_by(&self.all, List::Block, indicator)
    }

    /// Whether `indicator` may go onto a firewall's allowlist: not if it is reserved, a public suffix, or
    /// wider than `min_prefix`.
    #[must_use]
    pub fn judge_allow(&self, indicator: &Indicator) -> Judgement {
        self.judge_by(&self.reserved, List::Allow, indicator)
    }

    /// Whether guards cover all of `indicator`, so that none of it may be blocked. Quicker than
    /// [`Guards::judge`], and silent about widths, public suffixes and names below.
    #[must_use]
    pub fn covers(&self, indicator: &Indicator) -> bool {
        match indicator {
            Indicator::Address(address) => self.all.cover(address.ip().into()) == Cover::Whole,
            Indicator::Network(network) => self.all.cover(network.net()) == Cover::Whole,
            Indicator::Domain(name) => self.all.names.covering(name.as_str()).next().is_some(),
        }
    }

    /// Entries of downloaded sets that guard nothing because they are wider than `min_prefix`: taken at
    /// their word, they would end most blocking.
    #[must_use]
    pub fn refused(&self) -> &[Guard] {
        &self.refused
    }

    /// SHA-256 over every guard and its origin, whatever their order. Another fingerprint means that
    /// judgements may have changed; the line of an entry in its file does not count.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    fn judge_by(&self, tables: &Tables, list: List, indicator: &Indicator) -> Judgement {
        let net = match indicator {
            Indicator::Domain(name) => return self.judge_name(&tables.names, list, name),
            Indicator::Address(address) => address.ip().into(),
            Indicator::Network(network) => network.net(),
        };
        match net {
            IpNet::V4(four) => self.judge_net(&tables.v4, Span::of4(four), list, net),
            IpNet::V6(six) => self.judge_net(&tables.v6, Span::of6(six), list, net),
        }
    }

    fn judge_net<P: Point>(
        &self,
        table: &Table<P>,
        span: Span<P>,
        list: List,
        net: IpNet,
    ) -> Judgement {
        let cover = table.cover(span);
        if cover == Cover::Whole {
            return Judgement::Struck(Strike::Guarded(self.inside(table, span)));
        }
        if let Some(least) = too_wide(net, self.min_prefix) {
            return Judgement::Struck(Strike::TooWide(least));
        }
        let cleared = |net| Cleared::new(list, Indicator::from_net(net));
        if cover == Cover::Nothing {
            return Judgement::Cleared(cleared(net));
        }
        let by = self.inside(table, span);
        match remaining(table, span) {
            Some(pieces) => Judgement::Carved {
                pieces: pieces.into_iter().map(cleared).collect(),
                by,
            },
            None => Judgement::Held(Hold::TooManyPieces(by)),
        }
    }

    fn judge_name(&self, names: &Names, list: List, name: &DomainName) -> Judgement {
        let covering = names.covering(name.as_str());
        let named = covering.min_by_key(|id| self.roll.preference(*id));
        if let Some(guard) = named.and_then(|id| self.roll.guard(id)) {
            return Judgement::Struck(Strike::Guarded(vec![guard]));
        }
        if name.is_public_suffix() {
            return Judgement::Struck(Strike::PublicSuffix);
        }
        let below = names.below(name.as_str());
        if let Some(guard) = below.and_then(|id| self.roll.guard(id)) {
            return Judgement::Held(Hold::AboveGuarded(guard));
        }
        Judgement::Cleared(Cleared::new(list, Indicator::Domain(name.clone())))
    }

    fn inside<P: Point>(&self, table: &Table<P>, span: Span<P>) -> Vec<Guard> {
        self.roll.first_of_each_origin(table.guards(span))
    }
}

impl Tables {
    fn of(roll: &Roll) -> Self {
        let prefer = |id| roll.preference(id);
        let mut v4: Vec<(Span<u32>, Id)> = Vec::new();
        let mut v6: Vec<(Span<u128>, Id)> = Vec::new();
        let mut names = Names::default();
        for (id, what) in roll.iter() {
            match what {
                What::Net(IpNet::V4(four)) => v4.push((Span::of4(*four), id)),
                What::Net(IpNet::V6(six)) => v6.push((Span::of6(*six), id)),
                What::Name(name, matching) => names.add(name, *matching, id, prefer),
            }
        }
        Self {
            v4: Table::new(v4, prefer),
            v6: Table::new(v6, prefer),
            names,
        }
    }

    fn cover(&self, net: IpNet) -> Cover {
        match net {
            IpNet::V4(four) => self.v4.cover(Span::of4(four)),
            IpNet::V6(six) => self.v6.cover(Span::of6(six)),
        }
    }
}

/// The shortest prefix of its family that may be listed, where `net` is wider.
fn too_wide(net: IpNet, min_prefix: MinPrefix) -> Option<u8> {
    let least = match net {
        IpNet::V4(_) => min_prefix.v4,
        IpNet::V6(_) => min_prefix.v6,
    };
    (net.prefix_len() < least).then_some(least)
}

fn add_reserved(roll: &mut Roll) {
    for range in reserved::RANGES {
        roll.begin(Origin::Reserved {
            purpose: range.purpose,
            source: range.source,
        });
        roll.add(What::Net(range.net), 0);
    }
    for special in reserved::NAMES {
        roll.begin(Origin::Reserved {
            purpose: special.purpose,
            source: special.source,
        });
        roll.add(What::Name(special.name.into(), Matching::Subdomains), 0);
    }
}

fn add_own_ground(roll: &mut Roll, ground: &[OwnGround]) {
    for (name, what) in ownground::DOMAINS {
        roll.begin(Origin::OwnGround((*what).to_owned()));
        roll.add(What::Name((*name).into(), Matching::Subdomains), 0);
    }
    for (address, what) in ownground::RESOLVERS {
        roll.begin(Origin::OwnGround((*what).to_owned()));
        roll.add(What::Net((*address).into()), 0);
    }
    for host in ground {
        if let Some(guard) = host.guard() {
            roll.begin(Origin::OwnGround(host.what().to_owned()));
            roll.add(guard, 0);
        }
    }
}

/// Takes what the operator allows, and returns what is too wide to be meant.
fn add_allowed(roll: &mut Roll, material: &Material) -> Vec<GuardError> {
    let mut faults = Vec::new();
    let mut add = |roll: &mut Roll, indicator: &Indicator, line: u32, place: &str| {
        let what = What::new(indicator, Matching::Subdomains);
        if let Err(least) = add_bounded(roll, what, line, material.min_prefix) {
            let place = match line {
                0 => place.to_owned(),
                line => format!("{place}:{line}"),
            };
            let entry = indicator.to_string();
            faults.push(GuardError::TooWide {
                place,
                entry,
                least,
            });
        }
    };
    roll.begin(Origin::Config);
    for indicator in &material.allow {
        add(roll, indicator, 0, "[guard] allow");
    }
    for file in &material.files {
        roll.begin(Origin::File(file.path.clone()));
        let place = file.path.to_string_lossy();
        for (line, indicator) in &file.entries {
            add(roll, indicator, *line, &place);
        }
    }
    roll.begin(Origin::Hand);
    for indicator in &material.by_hand {
        add(roll, indicator, 0, "allowed by hand");
    }
    faults
}

/// Takes a downloaded set, and puts what is too wide to be meant into `refused`.
fn add_set(
    roll: &mut Roll,
    set: GuardSet,
    min_prefix: MinPrefix,
    refused: &mut Vec<(IpNet, Guard)>,
) {
    let origin = roll.begin(match set.kind {
        SetKind::List => Origin::List(set.name),
        SetKind::Feed => Origin::Feed(set.name),
    });
    for indicator in &set.entries {
        let what = What::new(indicator, set.matching);
        let net = what.net();
        if let (Err(_), Some(net)) = (add_bounded(roll, what, 0, min_prefix), net) {
            let guard = Guard {
                entry: indicator.to_string(),
                origin: Arc::clone(&origin),
                line: None,
            };
            refused.push((net, guard));
        }
    }
}

/// Takes a guard, unless it is a network wider than `min_prefix`: then it says how narrow one must be.
fn add_bounded(roll: &mut Roll, what: What, line: u32, min_prefix: MinPrefix) -> Result<(), u8> {
    match what.net().and_then(|net| too_wide(net, min_prefix)) {
        Some(least) => Err(least),
        None => {
            roll.add(what, line);
            Ok(())
        }
    }
}
