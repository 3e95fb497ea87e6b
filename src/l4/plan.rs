//! What to do so that the cloud has what a file asks for: pure, from the file, the ledger's rules and the cloud's.
//!
//! A rule of the file is matched with one of its set's own: by its whole content, then by protocol and ports, by its
//! tag, by any port that both have. Matched and different, it is a change; matched with none, a create. A rule of the
//! file that names no tag leaves the tag that stands, for the cloud's calls cannot take one away. Rules of the
//! set that nothing in the file matches have left it. Rules that others made, and those of other sets, are never touched.

use std::collections::{HashMap, HashSet};

use std::time::Duration;

use super::fault::Fault;
use super::port::PortRange;
use super::rule::{Protocol, Rule};
use super::{Place, RuleFile, Wanted};
use crate::model::UnixTime;

/// How long what was just made or changed may be missing from a reading.
const SETTLES: Duration = Duration::from_secs(90);

/// A rule that we made, as the ledger has it.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its key in the ledger.
    pub key: i64,
    /// The set that owns it.
    pub set: String,
    /// Where it stands.
    pub place: Place,
    /// `rule-…`
    pub rule_id: String,
    /// The rule as we last sent it.
    pub rule: Rule,
    /// Its status as last seen.
    pub status: String,
    /// When it was made.
    pub made_at: UnixTime,
    /// When it was made or last changed.
    pub changed_at: UnixTime,
}

/// A rule that the cloud shows.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where it stands.
    pub place: Place,
    /// `rule-…`
    pub rule_id: String,
    /// `online`, `progress`, `fail`, …
    pub status: String,
    /// Its protocol and ports, as far as they can be read.
    pub ports: Option<(Protocol, Vec<PortRange>)>,
    /// The rule, where all of it can be read.
    pub rule: Option<Rule>,
}

/// What is known when a plan is made.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Every rule of the ledger.
    pub held: Vec<Held>,
    /// Every rule of the places that the file or its set has rules on.
    pub seen: Vec<Seen>,
    /// What creates carried that were never answered: such a rule is ours where it stands.
    pub lost: HashSet<(Place, String)>,
}

/// What may be done beside making what is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Change rules that stand otherwise.
    pub update: bool,
    /// Delete the set's rules that have left the file.
    pub prune: bool,
    /// Take equal rules that others made for the set's own.
    pub adopt: bool,
}

/// What to do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Rules to make.
    pub create: Vec<Wanted>,
    /// Rules that stand otherwise; changed only with [`Options::update`].
    pub change: Vec<Change>,
    /// Rules that stand as the file says.
    pub same: Vec<Standing>,
    /// Rules that stand as the file says and are to be taken for the set's own.
    pub adopt: Vec<Standing>,
    /// The same, made by others and left theirs.
    pub alien: Vec<Standing>,
    /// The set's rules that are not in the file; deleted only with [`Options::prune`].
    pub left: Vec<Held>,
    /// Keys of the set's rules that the cloud has no more: somebody deleted them.
    pub gone: Vec<i64>,
    /// Ports that the file asks for and others have.
    pub clashes: Vec<Fault>,
}

/// A rule that stands otherwise than the file says.
#[derive(Clone, Debug)]
pub struct Change {
    /// As the file says.
    pub wanted: Wanted,
    /// `rule-…`
    pub rule_id: String,
    /// Field by field.
    pub difference: Vec<String>,
}

/// A rule that stands as the file says.
#[derive(Clone, Debug)]
pub struct Standing {
    /// As the file says.
    pub wanted: Wanted,
    /// `rule-…`
    pub rule_id: String,
    /// As just seen.
    pub status: String,
}

/// One of the set's own rules, as it stands now.
struct Own<'a> {
    held: &'a Held,
    rule: &'a Rule,
    status: &'a str,
    taken: bool,
}

impl Plan {
    /// Whether nothing is to be written.
    #[must_use]
    pub fn is_done(&self, options: Options) -> bool {
        self.create.is_empty()
            && (self.change.is_empty() || !options.update)
            && (self.left.is_empty() || !options.prune)
    }
}

/// Makes the plan.
#[must_use]
pub fn plan(file: &RuleFile, known: &Known, options: Options, now: UnixTime) -> Plan {
    let mut plan = Plan::default();
    let mut own = own(file, known, now, &mut plan.gone);
    let strangers = strangers(file, known);
    for (wanted, found) in file.rules.iter().zip(matches(file, &mut own)) {
        let Some(own) = found.and_then(|at| own.get(at)) else {
            let equal = strangers.get(&(&wanted.place, text(&wanted.rule)));
            meet(&mut plan, wanted.clone(), equal.copied(), known, options);
            continue;
        };
        let mut wanted = wanted.clone();
        wanted.rule = wanted.rule.with_tag_of(own.rule);
        let (rule_id, status) = (own.held.rule_id.clone(), own.status.to_owned());
        let difference = own.rule.difference(&wanted.rule);
        if difference.is_empty() {
            plan.same.push(Standing {
                wanted,
                rule_id,
                status,
            });
        } else {
            plan.change.push(Change {
                wanted,
                rule_id,
                difference,
            });
        }
    }
    let left = own.iter().filter(|own| !own.taken);
    plan.left = left.map(|own| own.held.clone()).collect();
    plan.clashes = clashes(&plan, known, options, &file.set.to_string());
    plan
}

/// A rule of the file that none of the set's matches: it is made, unless somebody's equal one stands there already.
fn meet(plan: &mut Plan, wanted: Wanted, equal: Option<&Seen>, known: &Known, options: Options) {
    let Some(seen) = equal else {
        return plan.create.push(wanted);
    };
    let lost = (wanted.place.clone(), text(&wanted.rule));
    let ours = options.adopt || known.lost.contains(&lost);
    let standing = Standing {
        wanted,
        rule_id: seen.rule_id.clone(),
        status: seen.status.clone(),
    };
    if ours {
        plan.adopt.push(standing);
    } else {
        plan.alien.push(standing);
    }
}

/// The set's own rules that stand; what was just made or changed stands though a reading does not show it yet.
fn own<'a>(file: &RuleFile, known: &'a Known, now: UnixTime, gone: &mut Vec<i64>) -> Vec<Own<'a>> {
    let seen: HashMap<(&Place, &str), &Seen> = known
        .seen
        .iter()
        .map(|seen| ((&seen.place, seen.rule_id.as_str()), seen))
        .collect();
    let mut own = Vec::new();
    for held in known
        .held
        .iter()
        .filter(|held| held.set == file.set.as_str())
    {
        let settles = now.since(held.changed_at) < SETTLES;
        let (rule, status) = match seen.get(&(&held.place, held.rule_id.as_str())) {
            Some(seen) if settles => (&held.rule, seen.status.as_str()),
            Some(seen) => (
                seen.rule.as_ref().unwrap_or(&held.rule),
                seen.status.as_str(),
            ),
            None if now.since(held.made_at) < SETTLES => (&held.rule, "progress"),
            None => {
                gone.push(held.key);
                continue;
            }
        };
        own.push(Own {
            held,
            rule,
            status,
            taken: false,
        });
    }
    own
}

/// Rules that no set of ours has, by place and content.
fn strangers<'a>(file: &'a RuleFile, known: &'a Known) -> HashMap<(&'a Place, String), &'a Seen> {
    let places: HashSet<&Place> = file.rules.iter().map(|wanted| &wanted.place).collect();
    let held: HashSet<(&Place, &str)> = known
        .held
        .iter()
        .map(|held| (&held.place, held.rule_id.as_str()))
        .collect();
    known
        .seen
        .iter()
        .filter(|seen| places.contains(&seen.place))
        .filter(|seen| !held.contains(&(&seen.place, seen.rule_id.as_str())))
        .filter_map(|seen| Some(((&seen.place, text(seen.rule.as_ref()?)), seen)))
        .collect()
}

/// For each rule of the file the number of the set's own rule that it is.
fn matches(file: &RuleFile, own: &mut [Own<'_>]) -> Vec<Option<usize>> {
    let mut found = vec![None; file.rules.len()];
    let ports = |rule: &Rule| Some(rule.to_string());
    let tag = |rule: &Rule| rule.tag().map(|tag| tag.as_str().to_owned());
    match_by(file, own, &mut found, |rule| Some(text(rule)));
    match_by(file, own, &mut found, ports);
    match_by(file, own, &mut found, tag);
    for (wanted, found) in file.rules.iter().zip(&mut found) {
        let shares = |own: &Own<'_>| {
            !own.taken && own.held.place == wanted.place && overlap(own.rule, &wanted.rule)
        };
        if found.is_none()
            && let Some(at) = own.iter().position(shares)
            && let Some(own) = own.get_mut(at)
        {
            own.taken = true;
            *found = Some(at);
        }
    }
    found
}

/// Matches what has the same key at the same place, where only one on each side has it.
fn match_by(
    file: &RuleFile,
    own: &mut [Own<'_>],
    found: &mut [Option<usize>],
    key: impl Fn(&Rule) -> Option<String>,
) {
    let mut there: HashMap<(&Place, String), Vec<usize>> = HashMap::new();
    for (at, own) in own.iter().enumerate().filter(|(_, own)| !own.taken) {
        if let Some(key) = key(own.rule) {
            there.entry((&own.held.place, key)).or_default().push(at);
        }
    }
    let mut wanted: HashMap<(&Place, String), Vec<usize>> = HashMap::new();
    for (number, rule) in file.rules.iter().enumerate() {
        if let (Some(None), Some(key)) = (found.get(number), key(&rule.rule)) {
            let entry = wanted.entry((&rule.place, key)).or_default();
            entry.push(number);
        }
    }
    for (key, numbers) in wanted {
        if let ([number], Some([at])) = (numbers.as_slice(), there.get(&key).map(Vec::as_slice))
            && let (Some(found), Some(own)) = (found.get_mut(*number), own.get_mut(*at))
        {
            own.taken = true;
            *found = Some(*at);
        }
    }
}

fn overlap(one: &Rule, other: &Rule) -> bool {
    let mut pairs = one
        .ports()
        .iter()
        .flat_map(|mine| other.ports().iter().map(move |theirs| (mine, theirs)));
    one.protocol() == other.protocol()
        && pairs.any(|(mine, theirs)| mine.overlap(*theirs).is_some())
}

/// Ports that what is to be made or changed shares with what will stand beside it.
fn clashes(plan: &Plan, known: &Known, options: Options, set: &str) -> Vec<Fault> {
    let changed: HashMap<&str, &Change> = plan
        .change
        .iter()
        .map(|change| (change.rule_id.as_str(), change))
        .collect();
    let left: HashSet<&str> = plan.left.iter().map(|held| held.rule_id.as_str()).collect();
    let sets: HashMap<&str, &str> = known
        .held
        .iter()
        .map(|held| (held.rule_id.as_str(), held.set.as_str()))
        .collect();
    let mut stand: HashMap<(&Place, Protocol), Vec<(PortRange, &str)>> = HashMap::new();
    for seen in &known.seen {
        let id = seen.rule_id.as_str();
        let goes = options.prune && left.contains(id) || options.update && changed.contains_key(id);
        if let (Some((protocol, ports)), false) = (&seen.ports, goes) {
            let there = stand.entry((&seen.place, *protocol)).or_default();
            there.extend(ports.iter().map(|range| (*range, id)));
        }
    }
    for ranges in stand.values_mut() {
        ranges.sort_unstable();
    }
    let why = |id: &str| match (changed.get(id), sets.get(id)) {
        (Some(change), _) => format!(
            ", whose change (line {}) waits for --update",
            change.wanted.line
        ),
        _ if left.contains(id) => ", which has left the file: --prune deletes it first".to_owned(),
        (_, Some(other)) if *other != set => format!(" of the set `{other}`"),
        _ => ", which is not in this file".to_owned(),
    };
    let changes = plan.change.iter().filter(|_| options.update);
    let wanted = plan
        .create
        .iter()
        .chain(changes.map(|change| &change.wanted));
    let mut faults = Vec::new();
    for wanted in wanted {
        let there = stand.get(&(&wanted.place, wanted.rule.protocol()));
        let there = there.map(Vec::as_slice).unwrap_or_default();
        for range in wanted.rule.ports() {
            // They are disjoint and in order: the first that does not end before this one begins.
            let at = there.partition_point(|(other, _)| other.last() < range.first());
            if let Some((other, id)) = there.get(at)
                && let Some(both) = other.overlap(*range)
            {
                let message = format!("{both} is taken by {id}{}", why(id));
                faults.push(Fault::new(wanted.line, "ports", message));
            }
        }
    }
    faults
}

/// The rule as the ledger keeps it.
#[must_use]
pub fn text(rule: &Rule) -> String {
    // A rule holds nothing that JSON cannot.
    serde_json::to_string(rule).unwrap_or_default()
}

#[cfg(test)]
mod tests;
