//! How things stand in one line, for `systemctl status`.

use super::layout::count;
use super::report::{FirewallReport, Report};

/// The line: coverage of each firewall, feeds, and how much waits for a person.
#[must_use]
pub fn line(report: &Report) -> String {
    let firewalls = report.firewalls.iter().filter(|one| one.configured);
    let mut parts: Vec<String> = firewalls.map(of_firewall).collect();
    if let Some(doubt) = &report.clock_doubt {
        parts.push(doubt.clone());
    }
    let feeds = report.feeds.iter().filter(|feed| feed.configured);
    let failing = feeds.clone().filter(|feed| feed.failures > 0).count();
    let mut told = count(feeds.count() as u64, "feed", "feeds");
    if failing > 0 {
        told += &format!(", {failing} failing");
    }
    parts.push(told);
    parts.push(match report.needs.len() as u64 {
        0 => "nothing needs you".to_owned(),
        needs => format!(
            "{} (`feedwall status` says what)",
            count(needs, "thing needs you", "things need you")
        ),
    });
    super::escape::escape_whole(&parts.join("; ")).into_owned()
}

fn of_firewall(firewall: &FirewallReport) -> String {
    let (name, coverage) = (&firewall.name, &firewall.coverage);
    let Some(desired) = coverage.desired else {
        return format!("{name}: not planned yet");
    };
    let confirmed = match coverage.confirmed {
        Some(confirmed) => format!(", {confirmed} confirmed"),
        None => String::new(),
    };
    format!(
        "{name}: {} of {desired} entries held{confirmed}",
        coverage.held
    )
}
