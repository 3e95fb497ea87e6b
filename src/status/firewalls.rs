//! The part of `feedwall status` that says how each firewall is: plan, read-back, what is left out, learned.

use super::escape::escape;
use super::layout::items;
use super::needs::{Kind, Need};
use super::report::{FirewallReport, Report};
use super::span::when;

/// What is to be said of each firewall, its name beside the first of its lines.
pub(super) fn lines(report: &Report) -> String {
    let lines = report.firewalls.iter().flat_map(|firewall| {
        let lines = firewall_lines(firewall, report);
        let names =
            std::iter::once(firewall.name.to_string()).chain(std::iter::repeat(String::new()));
        names.zip(lines).collect::<Vec<_>>()
    });
    items(lines)
}

fn firewall_lines(firewall: &FirewallReport, report: &Report) -> Vec<String> {
    let mut lines = vec![state_of(firewall, report)];
    if firewall.withdrawn {
        let withdrawn = "withdrawn: nothing is wanted here until `feedwall resume`";
        lines.push(withdrawn.to_owned());
    }
    let reasons = firewall.left_out.iter();
    let reasons: Vec<_> = reasons
        .map(|(reason, entries)| format!("{entries} {}", reason.as_str()))
        .collect();
    if !reasons.is_empty() {
        lines.push(format!("left out: {}", reasons.join(", ")));
    }
    let counts = [
        (
            firewall.coverage.doubtful,
            "in doubt (a call had no answer)",
        ),
        (
            firewall.coverage.unwanted,
            "still there and no longer desired",
        ),
        (firewall.under_trial, "under trial (a call was refused)"),
        (firewall.quarantined, "quarantined"),
        (firewall.held_deletes, "deletes held by max_delete"),
        (firewall.foreign, "held there by others"),
        (
            firewall.drift.map_or(0, |drift| drift.lingering),
            "still there after their EndTime",
        ),
    ];
    let counts = counts.iter().filter(|(entries, _)| *entries > 0);
    let counts: Vec<_> = counts
        .map(|(entries, what)| format!("{entries} {what}"))
        .collect();
    if !counts.is_empty() {
        lines.push(counts.join(", "));
    }
    for learned in &firewall.learned {
        let value = learned
            .value
            .map_or(String::new(), |value| format!(" {value}"));
        let (subject, reason) = (escape(&learned.subject), escape(&learned.reason));
        lines.push(format!("learned: {subject}{value}: {reason}"));
    }
    lines
}

fn state_of(firewall: &FirewallReport, report: &Report) -> String {
    let now = report.now;
    if !firewall.configured {
        return "has left the config: its entries run out by themselves".to_owned();
    }
    let planned = match firewall.coverage.planned_at {
        Some(at) => format!("planned {}", when(at, now)),
        None => "not planned yet".to_owned(),
    };
    let mut read = match firewall.coverage.read_at {
        Some(at) => format!("read back {}", when(at, now)),
        None => "never read back".to_owned(),
    };
    if let Some(why) = &firewall.read_wanted {
        read += &format!(", to be read again ({})", escape(why));
    }
    let planned = format!("{planned}; {read}");
    let Some(trouble) = &firewall.trouble else {
        return planned;
    };
    let again = match firewall.not_before {
        Some(until) if until > now => format!("tried again {}", when(until, now)),
        _ => "to be tried again now".to_owned(),
    };
    let halted = |need: &Need| {
        need.kind == Kind::FirewallHalted && need.name.as_ref() == Some(&firewall.name)
    };
    let why = if report.needs.iter().any(halted) {
        ", see below".into()
    } else {
        format!(": {}", escape(trouble))
    };
    format!("{planned}; takes no calls ({again}){why}")
}
