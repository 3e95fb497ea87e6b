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
mod error;
mod judgement;
mod material;
mod names;
mod ownground;
mod reserved;
mod roll;
mod span;
mod table;
#[cfg(test)]
mod tests;

pub use allowlist::{AllowFile, GuardSet, MOST_FILE_BYTES, Matching, SetKind, read_allow_files};
pub use error::{GuardError, GuardFaults};
pub use judgement::{Cleared, Guard, Hold, Judgement, MOST_PIECES, Origin, Strike};
pub use material::Material;
pub use ownground::OwnGround;
pub use reserved::{reserved_address, reserved_name};

use ipnet::IpNet;

use self::carve::remaining;
use self::names::Names;
use self::roll::{Id, Roll, What};
use self::span::{Point, Span};
use self::table::{Cover, Table};
use crate::model::{DomainName, Indicator, List};
use crate::parse::MinPrefix;

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
        material::add_reserved(&mut roll);
        let reserved = Tables::of(&roll);
        let mut refused = material.add_to(&mut roll)?;
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
            IpNet::V4(four) => self.judge_net(&tables.v4, Span::of4(four), list, (indicator, net)),
            IpNet::V6(six) => self.judge_net(&tables.v6, Span::of6(six), list, (indicator, net)),
        }
    }

    fn judge_net<P: Point>(
        &self,
        table: &Table<P>,
        span: Span<P>,
        list: List,
        (indicator, net): (&Indicator, IpNet),
    ) -> Judgement {
        let cover = table.cover(span);
        if cover == Cover::Whole {
            return Judgement::Struck(Strike::Guarded(self.inside(table, span)));
        }
        if let Some(least) = material::too_wide(net, self.min_prefix) {
            return Judgement::Struck(Strike::TooWide(least));
        }
        if cover == Cover::Nothing {
            return Judgement::Cleared(Cleared::new(list, indicator.clone()));
        }
        let piece = |net| Cleared::new(list, Indicator::from_net(net));
        let by = self.inside(table, span);
        match remaining(table, span) {
            Some(pieces) => Judgement::Carved {
                pieces: pieces.into_iter().map(piece).collect(),
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
