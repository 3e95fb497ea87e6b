//! What the guards are made of: the built-in tables, the operator's word, and what was downloaded.

use std::sync::Arc;

use ipnet::IpNet;

use super::allowlist::{AllowFile, GuardSet, Matching, SetKind};
use super::error::{GuardError, GuardFaults};
use super::judgement::{Guard, Origin};
use super::ownground::{self, OwnGround};
use super::reserved;
use super::roll::{Roll, What};
use crate::model::Indicator;
use crate::parse::MinPrefix;

/// What guards beside the built-in ranges, names and resolvers.
#[derive(Clone, Debug)]
pub struct Material {
    /// The widest networks that may be listed, or allowed.
    pub min_prefix: MinPrefix,
    /// `[guard] allow`.
    pub allow: Vec<Indicator>,
    /// `[guard] files`, from [`read_allow_files`](super::read_allow_files).
    pub files: Vec<AllowFile>,
    /// What the operator allowed by hand and has not taken back.
    pub by_hand: Vec<Indicator>,
    /// Guard lists and allow feeds, as last recorded.
    pub sets: Vec<GuardSet>,
    /// The hosts that the firewalls and feeds of the config stand on.
    pub own_ground: Vec<OwnGround>,
}

impl Material {
    /// Puts our own ground, what the operator allows and what was downloaded on the roll, and returns what
    /// the downloads hold that is too wide to be meant.
    pub(super) fn add_to(self, roll: &mut Roll) -> Result<Vec<(IpNet, Guard)>, GuardFaults> {
        add_own_ground(roll, &self.own_ground);
        let faults = add_allowed(roll, &self);
        if !faults.is_empty() {
            return Err(GuardFaults(faults));
        }
        let mut refused = Vec::new();
        for set in self.sets {
            add_set(roll, set, self.min_prefix, &mut refused);
        }
        Ok(refused)
    }
}

/// The shortest prefix of its family that may be listed, where `net` is wider.
pub(super) fn too_wide(net: IpNet, min_prefix: MinPrefix) -> Option<u8> {
    let least = match net {
        IpNet::V4(_) => min_prefix.v4,
        IpNet::V6(_) => min_prefix.v6,
    };
    (net.prefix_len() < least).then_some(least)
}

/// Puts the registries' ranges and names on the roll.
pub(super) fn add_reserved(roll: &mut Roll) {
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
