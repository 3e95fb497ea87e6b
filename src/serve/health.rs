//! Whether the daemon does its work: alive it is where it answers at all.

use std::time::Duration;

use serde::Serialize;

use crate::ledger::BY_HAND;
use crate::model::UnixTime;
use crate::status::layout::count;
use crate::status::needs::Kind;
use crate::status::report::{FeedReport, FirewallReport};
use crate::status::span::span;

use super::snapshot::Snapshot;

/// The answer of `/healthz`, with 200 where it is healthy and 503 where it is not.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// Whether all checks are good.
    pub healthy: bool,
    /// What is wrong, or that nothing is.
    pub sentence: String,
    /// Each thing that was looked at.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// `loops`, `clock`, `ledger`, `polls`, `sends`.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub good: bool,
    /// How it is.
    pub sentence: String,
}

/// What is known of the daemon beside the ledger.
#[derive(Debug)]
pub(super) struct Facts {
    /// When it started.
    pub started: UnixTime,
    /// How long nothing has been written to the ledger.
    pub unwritten: Duration,
    /// The longest that the fetch of a feed may last.
    pub slowest: Duration,
    /// Which loops gave no sign of life in time, and how late each is.
    pub stuck: Vec<(String, Duration)>,
}

/// What a start takes.
const START: Duration = Duration::from_secs(900);

/// How late a poll may be beyond what the slowest fetch may last: four are made at a time.
const QUEUE: Duration = Duration::from_secs(300);

/// Plans are made anew at least once an hour.
const UNPLANNED: Duration = Duration::from_secs(3600 + 900);

/// While there is something to send, calls are answered or given up more often than this; a wait for a read-back
/// is shorter as well.
const UNSENT: Duration = Duration::from_secs(1800);

/// A sample goes into the ledger each minute.
const UNWRITTEN: Duration = Duration::from_secs(300);

impl Health {
    /// Nothing could be gathered.
    pub(super) fn broken(why: &str) -> Self {
        Self::of(vec![Check::new("ledger", Some(why.to_owned()), "")])
    }

    pub(super) fn judge(snapshot: &Snapshot, facts: &Facts) -> Self {
        let report = &snapshot.report;
        let (now, unwritten) = (report.now, facts.unwritten);
        let up = now.since(facts.started);
        let clock = report.clock_doubt.as_ref().map(|doubt| {
            format!("{doubt}: nothing is polled or sent until the cloud has said what time it is")
        });
        let ledger = (unwritten > UNWRITTEN).then(|| {
            format!(
                "nothing has been written to the ledger for {}",
                span(unwritten)
            )
        });
        let polls = report
            .feeds
            .iter()
            .find_map(|feed| overdue(feed, facts.slowest + QUEUE, now, up));
        let sends = report.firewalls.iter().filter(|one| one.configured);
        let sends = sends.filter_map(|one| stalled(one, snapshot, up)).next();
        let stuck = facts.stuck.first().map(|(who, late)| {
            let late = span(*late);
            format!("{who} should have given a sign of life {late} ago, and gave none")
        });
        Self::of(vec![
            Check::new("loops", stuck, "every part of the daemon moves"),
            Check::new("clock", clock, "the clock is believed"),
            Check::new("ledger", ledger, "the ledger is read and written"),
            Check::new("polls", polls, "every feed is asked when it is due"),
            Check::new("sends", sends, "what is planned is sent"),
        ])
    }

    fn of(checks: Vec<Check>) -> Self {
        let bad: Vec<&str> = checks
            .iter()
            .filter(|check| !check.good)
            .map(|check| check.sentence.as_str())
            .collect();
        let sentence = if bad.is_empty() {
            "feeds are polled, and what they say is sent".to_owned()
        } else {
            bad.join("; ")
        };
        Self {
            healthy: bad.is_empty(),
            sentence,
            checks,
        }
    }
}

impl Check {
    fn new(name: &'static str, bad: Option<String>, good: &str) -> Self {
        let sentence = bad.as_deref().unwrap_or(good);
        Self {
            name,
            good: bad.is_none(),
            // Spans are written with a space that does not break, which not every reader shows as one.
            sentence: sentence.replace('\u{a0}', " "),
        }
    }
}

/// A feed that has been due for too long: the polls stand still.
fn overdue(feed: &FeedReport, most: Duration, now: UnixTime, up: Duration) -> Option<String> {
    if !feed.configured || feed.name.as_str() == BY_HAND {
        return None;
    }
    let late = match feed.next_poll {
        Some(due) => now.since(due).min(up),
        None => up,
    };
    (late > most).then(|| {
        format!(
            "the feed {} has been due for {} and was not asked",
            feed.name,
            span(late)
        )
    })
}

/// Why nothing goes out to a firewall that should.
fn stalled(firewall: &FirewallReport, snapshot: &Snapshot, up: Duration) -> Option<String> {
    let name = &firewall.name;
    let report = &snapshot.report;
    let mut needs = report.needs.iter();
    let halt =
        needs.find(|need| need.kind == Kind::FirewallHalted && need.name.as_ref() == Some(name));
    if let Some(need) = halt {
        return Some(format!("the firewall {name}: {}", need.text));
    }
    let coverage = &firewall.coverage;
    let unplanned = coverage
        .planned_at
        .map_or(up, |at| report.now.since(at).min(up));
    let patience = if coverage.planned_at.is_some() {
        UNPLANNED
    } else {
        START
    };
    if firewall.not_before.is_none() && unplanned > patience {
        let ago = span(unplanned);
        return Some(format!(
            "nothing was planned for the firewall {name} for {ago}"
        ));
    }
    let pending = coverage.pending.unwrap_or(0);
    let beside = snapshot.beside.get(name);
    let settled = beside.and_then(|one| one.last_settled);
    let idle = settled.map_or(up, |at| report.now.since(at).min(up));
    let waits = firewall.not_before.is_some() || firewall.read_wanted.is_some();
    (pending > 0 && idle > UNSENT && unplanned > UNSENT && !waits).then(|| {
        format!(
            "{} to be sent to the firewall {name}, and no call was answered for {}",
            count(pending, "entry waits", "entries wait"),
            span(idle)
        )
    })
}
