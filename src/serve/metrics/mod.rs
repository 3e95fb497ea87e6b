//! `/metrics`: how things stand in the Prometheus text format, and nothing that costs a look at listings or calls.
//! docs/metrics.md says what each one means; a test holds the two together.

mod feeds;
mod firewalls;
mod histogram;
mod process;
mod text;

use crate::ledger::BY_HAND;

use super::health::Health;
use super::snapshot::Snapshot;
use super::{Desk, ServeError};

pub(super) use self::histogram::Histogram;
pub(super) use self::text::CONTENT_TYPE;
use self::text::Text;

/// All of them, as Prometheus reads them.
pub(super) async fn text(desk: &Desk) -> Result<String, ServeError> {
    let snapshot = desk.snapshot().await?;
    let health = desk.health().await;
    let mut text = Text::default();
    about(&mut text, desk, &snapshot, &health);
    feeds::write(&mut text, &snapshot.report.feeds);
    firewalls::write(&mut text, &snapshot);
    histogram::write(&mut text, &desk.noted().lags);
    process::write(&mut text);
    Ok(text.into_string())
}

/// The daemon as a whole.
fn about(text: &mut Text, desk: &Desk, snapshot: &Snapshot, health: &Health) {
    let report = &snapshot.report;
    text.gauge("feedwall_build_info", "1, with the version as a label.")
        .sample(&[("version", report.version)], 1);
    text.gauge(
        "feedwall_healthy",
        "Whether /healthz is good: feeds are polled, and what they say is sent.",
    )
    .sample(&[], health.healthy);
    let checks = "Whether each check of /healthz is good.";
    let mut family = text.gauge("feedwall_check_healthy", checks);
    for check in &health.checks {
        family.sample(&[("check", check.name)], check.good);
    }
    text.gauge(
        "feedwall_start_timestamp_seconds",
        "When the daemon started.",
    )
    .sample(&[], desk.started.seconds());
    text.gauge(
        "feedwall_clock_offset_seconds",
        "What is added to this machine's clock, as learned from the cloud.",
    )
    .sample(&[], desk.ctx.clock.offset());
    text.gauge(
        "feedwall_ledger_size_bytes",
        "The ledger's file and its write-ahead log.",
    )
    .sample(&[], report.ledger_bytes);
    let mut needs: Vec<(String, u64)> = Vec::new();
    for need in &report.needs {
        let kind = word(&need.kind);
        match needs.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => needs.push((kind, 1)),
        }
    }
    let mut family = text.gauge(
        "feedwall_needs_operator",
        "Things that wait for a person, by kind; `feedwall status` says what to type.",
    );
    for (kind, count) in &needs {
        family.sample(&[("kind", kind)], *count);
    }
    let feeds = report.feeds.iter().filter(|feed| !feed.guard);
    let listed: u64 = feeds
        .filter(|feed| feed.name.as_str() != BY_HAND)
        .map(|feed| feed.listed)
        .sum();
    text.gauge(
        "feedwall_listings",
        "Listings of all feeds together: an indicator counts once for each feed that lists it.",
    )
    .sample(&[], listed);
}

/// A unit variant as its JSON says it.
fn word(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}
