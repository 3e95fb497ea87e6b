//! What the feeds want of a firewall, and why it is nothing where it is nothing.

use std::collections::BTreeMap;

use jiff::tz::Offset;

use crate::config::Firewall;
use crate::guard::{Guards, Judgement};
use crate::model::{Indicator, List};
use crate::plan::Wanted;
use crate::plan::desired::{Candidate, desired};

use super::gather::Known;
use super::related::holds;

/// What the feeds want of a firewall that concerns `indicator`: entries that hold it, and the pieces of it
/// where it is a network that was carved. Says why where a listing gives none.
pub(super) fn wanted(
    config: &Firewall,
    indicator: &Indicator,
    known: &[Known],
    guards: &Guards,
    reasons: &mut Vec<String>,
) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for list in [List::Block, List::Allow] {
        let all = candidates(known, list);
        for (one, candidate) in &all {
            let single = [(*candidate).clone()];
            if concerning(config, indicator, list, &single, guards).is_empty() {
                reasons.push(why_not(config, one, list, indicator));
            }
        }
        let all: Vec<Candidate> = all.into_iter().map(|(_, one)| one.clone()).collect();
        wanted.extend(concerning(config, indicator, list, &all, guards));
    }
    if wanted.is_empty() && reasons.is_empty() {
        reasons.push(unlisted(indicator, known));
    }
    wanted
}

/// The same with what feeds say of the pieces themselves, by list.
pub(super) fn with_pieces(
    config: &Firewall,
    indicator: &Indicator,
    known: &[Known],
    pieces: [(List, Vec<Candidate>); 2],
    guards: &Guards,
) -> Vec<Wanted> {
    let wanted = pieces.into_iter().flat_map(|(list, mut all)| {
        let of_known = candidates(known, list).into_iter();
        all.extend(of_known.map(|(_, one)| one.clone()));
        concerning(config, indicator, list, &all, guards)
    });
    wanted.collect()
}

fn candidates(known: &[Known], list: List) -> Vec<(&Known, &Candidate)> {
    let both = known.iter().filter_map(|one| {
        let candidate = match list {
            List::Block => one.block.as_ref(),
            List::Allow => one.allow.as_ref(),
        };
        Some((one, candidate?))
    });
    both.collect()
}

/// What the firewall is given of `candidates`, as far as it concerns `indicator`.
fn concerning(
    config: &Firewall,
    indicator: &Indicator,
    list: List,
    candidates: &[Candidate],
    guards: &Guards,
) -> Vec<Wanted> {
    let takes = config.terms.takes();
    let mut ours = desired(list, candidates, guards, takes, &mut BTreeMap::new());
    ours.retain(|wanted| concerns(wanted.cleared.indicator(), indicator));
    ours
}

/// Whether an entry holds what was asked for, or is a piece of it.
pub(super) fn concerns(entry: &Indicator, asked: &Indicator) -> bool {
    holds(entry, asked) || (asked.net().is_some() && holds(asked, entry))
}

/// Why a listing gives no place.
fn why_not(config: &Firewall, known: &Known, list: List, asked: &Indicator) -> String {
    let one = &known.subject.indicator;
    if list == List::Allow {
        return format!("{one} is listed for the allowlist; {}", takes(config, one));
    }
    match &known.judgement {
        Judgement::Cleared(_) => takes(config, one),
        Judgement::Held(hold) => format!("{one} is listed, and held by a guard: {hold}"),
        Judgement::Struck(strike) => format!("{one} is listed, and guarded: {strike}"),
        carved @ Judgement::Carved { pieces, .. } => {
            let mut pieces = pieces.iter().map(|piece| piece.indicator());
            match pieces.find(|piece| concerns(piece, asked)) {
                Some(piece) => format!(
                    "{one} is listed and {carved}; of the piece that holds it, {}",
                    takes(config, piece)
                ),
                None => {
                    format!("{one} is listed, and what was asked for is left out of it: {carved}")
                }
            }
        }
    }
}

/// That a firewall is not given the class of `one`.
fn takes(config: &Firewall, one: &Indicator) -> String {
    let accept: Vec<&str> = config
        .terms
        .accept
        .iter()
        .map(|class| class.as_str())
        .collect();
    format!(
        "{one} is of the class {}, and {} takes {} (`accept` in the config)",
        one.class(),
        config.name,
        accept.join(", ")
    )
}

/// Why nothing is wanted though nothing is left out.
fn unlisted(indicator: &Indicator, known: &[Known]) -> String {
    let claims = || {
        let claims = known.iter().flat_map(|known| &known.subject.listings);
        claims.filter(|claim| !claim.guards)
    };
    if claims().any(|claim| claim.expires.is_none()) {
        return "its feed has never been fetched well".to_owned();
    }
    match claims().filter_map(|claim| claim.expires).max() {
        Some(end) => format!("its last listing ended {} UTC", end.wall_clock(Offset::UTC)),
        None => match indicator {
            Indicator::Domain(_) => "no feed lists it or a domain above it".to_owned(),
            Indicator::Address(_) | Indicator::Network(_) => {
                "no feed lists it or a network that holds it".to_owned()
            }
        },
    }
}
