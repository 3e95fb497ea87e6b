//! Rules that look at more than one section.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeTable;

use crate::ledger::BY_HAND;
use crate::model::Name;

use super::fault::Fault;
use super::feed::FeedRead;
use super::firewall::FirewallRead;
use super::section::{At, Found, Origin};
use super::value::duration_text;

/// There must be something to read, and somewhere to write.
///
/// A config for layer-4 proxies alone needs neither.
pub(super) fn presence(root: &DeTable<'_>) -> Vec<Fault> {
    let l4_alone = root.contains_key("l4")
        && !["feed", "firewall"]
            .map(|key| root.contains_key(key))
            .contains(&true);
    if l4_alone {
        return Vec::new();
    }
    let absent = |key: &str| {
        let item = root.get(key).map(|item| item.get_ref());
        item.is_none_or(|item| item.as_array().is_some_and(|array| array.is_empty()))
    };
    [
        (
            "feed",
            "there is no [[feed]], so that nothing would ever be blocked; write one",
        ),
        ("firewall", "there is no [[firewall]] to keep; write one"),
    ]
    .into_iter()
    .filter(|(key, _)| absent(key))
    .map(|(_, message)| Fault::new(0, &[], message))
    .collect()
}

/// A name is an identity in the ledger, so no two feeds and no two firewalls share one.
pub(super) fn unique_names<'a>(names: impl Iterator<Item = &'a Found<Name>>) -> Vec<Fault> {
    let mut first: BTreeMap<&Name, &At> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut names: Vec<_> = names.collect();
    names.sort_by_key(|found| found.at.line);
    for Found { value, at } in names {
        if let Some(before) = first.get(value) {
            faults.push(at.fault(format!(
                "the name stands on line {} already, and it is an identity in the ledger; write another",
                before.line
            )));
        } else {
            first.insert(value, at);
        }
    }
    faults
}

/// The ledger keeps what the operator says by hand under a name of its own.
pub(super) fn reserved_names<'a>(names: impl Iterator<Item = &'a Found<Name>>) -> Vec<Fault> {
    let reserved = names.filter(|found| found.value.as_str() == BY_HAND);
    reserved
        .map(|found| {
            found.at.fault(
                "the name is kept for what is blocked by hand (`feedwall block`); write another",
            )
        })
        .collect()
}

/// Two firewalls with one account would each take the other's entries for a stranger's, and both call at the full rate.
pub(super) fn unique_accounts(firewalls: &[FirewallRead]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (place, firewall) in firewalls.iter().enumerate() {
        let twin = firewalls
            .iter()
            .take(place)
            .find(|before| same_account(before, firewall));
        let names = twin.and_then(|twin| twin.name.as_ref().zip(firewall.name.as_ref()));
        if let Some((before, name)) = names {
            let at = At {
                key: String::new(),
                ..name.at.clone()
            };
            faults.push(at.fault(format!(
                "it has the endpoint and the credentials of the firewall on line {}, so both are one list; give it its own `credentials`, or remove it",
                before.at.line
            )));
        }
    }
    faults
}

fn same_account(one: &FirewallRead, other: &FirewallRead) -> bool {
    let places = [one, other].map(|it| [it.endpoint.at.origin, it.credentials.at.origin]);
    !places.as_flattened().contains(&Origin::Faulty)
        && one.endpoint.value == other.endpoint.value
        && one.credentials.value == other.credentials.value
}

/// What is forgotten before it has expired could not be explained.
pub(super) fn history(keep: &Found<Duration>, feeds: &[FeedRead]) -> Option<Fault> {
    let readable = |feed: &&FeedRead| feed.ttl.at.origin != Origin::Faulty;
    let longest = feeds
        .iter()
        .filter(readable)
        .max_by_key(|feed| feed.ttl.value)?;
    let ttl = &longest.ttl;
    if keep.at.origin == Origin::Faulty || keep.value >= ttl.value {
        return None;
    }
    let at = if keep.at.origin == Origin::Own {
        &keep.at
    } else {
        &ttl.at
    };
    Some(at.fault(format!(
        "keep_history ({}) is shorter than the longest ttl ({}), so that a listing could be forgotten before it expires; make it {} or more",
        duration_text(keep.value),
        duration_text(ttl.value),
        duration_text(ttl.value),
    )))
}

/// The same source under two names counts as two witnesses where there is one.
pub(super) fn shared_sources(feeds: &[FeedRead]) -> Vec<Fault> {
    let mut warnings = Vec::new();
    let sources: Vec<_> = feeds
        .iter()
        .filter_map(|feed| feed.source.as_ref())
        .collect();
    for (place, source) in sources.iter().enumerate() {
        let before = sources.iter().take(place);
        if let Some(before) = before.copied().find(|before| before.value == source.value) {
            warnings.push(source.at.fault(format!(
                "the feed on line {} reads the same, so that one source counts as two witnesses",
                before.at.line
            )));
        }
    }
    warnings
}
