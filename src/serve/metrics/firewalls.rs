//! Firewalls, each by its name: coverage, leases, calls.

use std::collections::BTreeMap;

use crate::status::report::{FirewallReport, Report};

use super::super::snapshot::{Beside, Snapshot};
use super::text::{Text, Value};
use super::word;

/// A number of a firewall, where there is one.
type Number = fn(&FirewallReport, &Beside, &Report) -> Option<Value>;

/// Name, help and number of each gauge that a firewall has once.
const GAUGES: &[(&str, &str, Number)] = &[
    (
        "feedwall_coverage_ratio",
        "Entries confirmed by a read-back, over desired ones; 1 where nothing is desired.",
        |firewall, _, _| coverage(firewall).map(Value::from),
    ),
    (
        "feedwall_desired_entries",
        "Entries that should be on the firewall, by the last plan.",
        |firewall, _, _| firewall.coverage.desired.map(Value::from),
    ),
    (
        "feedwall_pending_entries",
        "Adds, edits and deletes that the last plan still wanted.",
        |firewall, _, _| firewall.coverage.pending.map(Value::from),
    ),
    (
        "feedwall_leases_ending_soon",
        "Leases whose EndTime lies within the hour.",
        |firewall, _, _| Some(firewall.coverage.ending_within_hour.into()),
    ),
    (
        "feedwall_protection_lapses_in_seconds",
        "Until the first lease ends, if the daemon stops now.",
        |firewall, _, report| {
            let end = firewall.coverage.lapses_from?;
            Some((end.seconds() - report.now.seconds()).into())
        },
    ),
    (
        "feedwall_protection_gone_in_seconds",
        "Until the last lease ends, if the daemon stops now.",
        |firewall, _, report| {
            let end = firewall.coverage.lapsed_at?;
            Some((end.seconds() - report.now.seconds()).into())
        },
    ),
    (
        "feedwall_held_deletes",
        "Deletes beyond max_delete that wait for `feedwall approve --firewall`.",
        |firewall, _, _| Some(firewall.held_deletes.into()),
    ),
    (
        "feedwall_quarantined_entries",
        "Entries that the cloud refused alone.",
        |firewall, _, _| Some(firewall.quarantined.into()),
    ),
    (
        "feedwall_entries_under_trial",
        "Entries whose calls were refused, while it is being found out why.",
        |firewall, _, _| Some(firewall.under_trial.into()),
    ),
    (
        "feedwall_foreign_entries",
        "Entries of others on the firewall's lists, as last read.",
        |firewall, _, _| Some(firewall.foreign.into()),
    ),
    (
        "feedwall_quota_entries",
        "Places on the firewall's blocklist, where the config or the cloud has said.",
        |_, beside, _| beside.quota.map(Value::from),
    ),
    (
        "feedwall_reserved_entries",
        "Places that are kept free for entries made by hand.",
        |_, beside, _| Some(beside.reserve.into()),
    ),
    (
        "feedwall_rate_limit_calls_per_second",
        "The most calls in any second, by the config.",
        |_, beside, _| beside.rate.map(Value::from),
    ),
    (
        "feedwall_firewall_in_trouble",
        "Whether the firewall takes no calls just now.",
        |firewall, _, _| Some(firewall.trouble.is_some().into()),
    ),
    (
        "feedwall_last_plan_timestamp_seconds",
        "When the last plan was made.",
        |firewall, _, _| Some(firewall.coverage.planned_at?.seconds().into()),
    ),
    (
        "feedwall_last_read_back_timestamp_seconds",
        "When the firewall's lists were last read back whole.",
        |firewall, _, _| Some(firewall.coverage.read_at?.seconds().into()),
    ),
    (
        "feedwall_last_call_timestamp_seconds",
        "When a call to the firewall was last answered or given up.",
        |_, beside, _| Some(beside.last_settled?.seconds().into()),
    ),
];

pub(super) fn write(text: &mut Text, snapshot: &Snapshot) {
    let report = &snapshot.report;
    let nothing = Beside::default();
    let beside = |one: &FirewallReport| snapshot.beside.get(&one.name).unwrap_or(&nothing);
    for (name, help, number) in GAUGES {
        let mut family = text.gauge(name, help);
        for firewall in &report.firewalls {
            if let Some(value) = number(firewall, beside(firewall), report) {
                family.sample(&[("firewall", firewall.name.as_str())], value);
            }
        }
    }
    leases(text, report);
    calls(text, snapshot);
}

/// What a read-back confirmed of what is desired.
fn coverage(firewall: &FirewallReport) -> Option<f64> {
    let desired = firewall.coverage.desired?;
    let confirmed = firewall.coverage.confirmed.unwrap_or(0).min(desired);
    Some(match desired {
        0 => 1.0,
        _ => confirmed as f64 / desired as f64,
    })
}

fn leases(text: &mut Text, report: &Report) {
    let help = "Leases by state: desired and seen in a read-back since they were set, desired and answered but not seen yet, no longer desired, never answered.";
    let mut family = text.gauge("feedwall_leases", help);
    for firewall in &report.firewalls {
        let coverage = &firewall.coverage;
        let confirmed = coverage.confirmed.unwrap_or(0).min(coverage.held);
        for (state, entries) in [
            ("confirmed", confirmed),
            ("unconfirmed", coverage.held - confirmed),
            ("unwanted", coverage.unwanted),
            ("doubtful", coverage.doubtful),
        ] {
            let labels = [("firewall", firewall.name.as_str()), ("state", state)];
            family.sample(&labels, entries);
        }
    }
    let help = "Entries that feeds list and the last plan left out, by reason.";
    let mut family = text.gauge("feedwall_left_out_entries", help);
    for firewall in &report.firewalls {
        for (reason, entries) in &firewall.left_out {
            let reason = word(reason);
            let labels = [("firewall", firewall.name.as_str()), ("reason", &reason)];
            family.sample(&labels, *entries);
        }
    }
}

fn calls(text: &mut Text, snapshot: &Snapshot) {
    let all = || {
        let firewalls = snapshot.beside.iter();
        firewalls.flat_map(|(name, one)| one.totals.iter().map(move |total| (name, total)))
    };
    let calls =
        "Calls that were answered or given up since the ledger began, by what their answer meant.";
    let entries = "Entries in those calls.";
    for (name, help, of_entries) in [
        ("feedwall_calls_total", calls, false),
        ("feedwall_call_entries_total", entries, true),
    ] {
        let mut family = text.counter(name, help);
        for (firewall, total) in all() {
            let labels = [
                ("firewall", firewall.as_str()),
                ("action", total.action.as_str()),
                ("verdict", &total.verdict),
            ];
            let count = if of_entries {
                total.entries
            } else {
                total.calls
            };
            family.sample(&labels, count);
        }
    }
    let mut sums: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for (firewall, total) in all() {
        let key = (firewall.as_str(), total.action.as_str());
        let (calls, duration_ms) = sums.entry(key).or_default();
        *calls += total.calls;
        *duration_ms += total.duration_ms;
    }
    let help = "From sending a call to its answer.";
    let mut family = text.family("feedwall_call_duration_seconds", "summary", help);
    for ((firewall, action), (calls, duration_ms)) in sums {
        let labels = [("firewall", firewall), ("action", action)];
        family.part("_sum", &labels, duration_ms as f64 / 1e3);
        family.part("_count", &labels, calls);
    }
}
