//! `feedwall status` as text: coverage first, what waits for a person last, for that is what the eye finds.

use crate::ledger::BY_HAND;
use crate::model::{Name, UnixTime};

use super::escape::escape;
use super::firewalls;
use super::layout::Side::{Left, Right};
use super::layout::{count, grid, heading, items, prose, warn};
use super::needs::{About, Need};
use super::report::{Coverage, FeedReport, Report};
use super::span::{span, stamp, when, when_or};

/// The whole status, for 80 columns.
#[must_use]
pub fn status(report: &Report) -> String {
    let mut text = head(report);
    if !report.firewalls.is_empty() {
        text += &format!("\n{}", coverage(report));
        text += &format!("\n{}{}", heading("Firewalls"), firewalls::lines(report));
    }
    if !report.feeds.is_empty() {
        text += &format!("\n{}{}", heading("Feeds"), feeds(&report.feeds, report.now));
        text += &troubles(report);
    }
    for note in &report.notes {
        text += &format!("\n{}", prose(0, &format!("Note: {}", escape(note))));
    }
    text + "\n" + &needs(report)
}

/// The table of feeds, without their troubles.
#[must_use]
pub fn feeds(feeds: &[FeedReport], now: UnixTime) -> String {
    let header = [
        ("name", Left),
        ("state", Left),
        ("listed", Right),
        ("rejected", Right),
        ("last good", Right),
        ("next poll", Right),
    ];
    let rows = feeds.iter().map(|feed| {
        vec![
            feed.name.to_string(),
            state(feed),
            feed.listed.to_string(),
            feed.rejected.to_string(),
            when_or(feed.last_good, now, "never"),
            next_poll(feed, now),
        ]
    });
    grid(&header, rows.collect())
}

fn head(report: &Report) -> String {
    let daemon = if report.daemon_running {
        "the daemon is running"
    } else {
        "no daemon is running"
    };
    let ledger = report.ledger.to_string_lossy();
    format!(
        "feedwall {}, {}: {daemon}\nledger {} ({})\n",
        report.version,
        stamp(report.now),
        escape(&ledger),
        mebibytes(report.ledger_bytes)
    )
}

fn coverage(report: &Report) -> String {
    let header = [
        ("firewall", Left),
        ("desired", Right),
        ("held", Right),
        ("confirmed", Right),
        ("pending", Right),
        ("held back", Right),
        ("end in 1 h", Right),
    ];
    let unplanned =
        |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
    let rows = report.firewalls.iter().map(|firewall| {
        let coverage = &firewall.coverage;
        let confirmed = coverage
            .confirmed
            .map_or("not read yet".to_owned(), |entries| entries.to_string());
        vec![
            firewall.name.to_string(),
            unplanned(coverage.desired),
            coverage.held.to_string(),
            confirmed,
            unplanned(coverage.pending),
            unplanned(coverage.held_back),
            coverage.ending_within_hour.to_string(),
        ]
    });
    let mut text = heading("Coverage, in entries (each direction is one)");
    text += &grid(&header, rows.collect());
    for firewall in &report.firewalls {
        let lapse = lapse(&firewall.coverage, report);
        text += &prose(2, &format!("{}: {lapse}", firewall.name));
    }
    text
}

/// How much is there, and for how long without the daemon.
fn lapse(coverage: &Coverage, report: &Report) -> String {
    let share = match coverage.desired {
        None => String::new(),
        Some(0) => "nothing is desired; ".to_owned(),
        Some(desired) => format!(
            "{} of the desired is held; ",
            percent(coverage.held, desired)
        ),
    };
    let Some((from, until)) = coverage.lapses_from.zip(coverage.lapsed_at) else {
        return share + "no entry of ours is there";
    };
    let now = report.now;
    let condition = if report.daemon_running {
        "should the daemon stop now, "
    } else {
        "with no daemon running, "
    };
    let span = if from == until {
        format!("all entries end {} ({})", when(from, now), stamp(from))
    } else {
        format!(
            "entries end from {} ({}) to {} ({})",
            stamp(from),
            when(from, now),
            stamp(until),
            when(until, now)
        )
    };
    share + condition + &span
}

fn state(feed: &FeedReport) -> String {
    let approved = feed
        .held
        .as_ref()
        .is_some_and(|held| held.approved_at.is_some());
    match (feed.configured, approved) {
        _ if feed.name.as_str() == BY_HAND => "by hand".to_owned(),
        (false, _) => "ages out".to_owned(),
        (true, true) => "approved".to_owned(),
        (true, false) => feed.state.as_str().to_owned(),
    }
}

fn next_poll(feed: &FeedReport, now: UnixTime) -> String {
    match feed.next_poll {
        _ if !feed.configured => "-".to_owned(),
        Some(at) if at > now => when(at, now),
        _ => "due".to_owned(),
    }
}

/// Troubles that need nobody yet; those that do are told below.
fn troubles(report: &Report) -> String {
    let told = |feed: &FeedReport| told(report, About::Feed, &feed.name);
    let rows = report
        .feeds
        .iter()
        .filter(|feed| feed.configured && !told(feed));
    let rows: Vec<_> = rows
        .filter_map(|feed| Some((feed, feed.trouble.as_ref()?)))
        .map(|(feed, trouble)| {
            if feed.failures == 0 {
                return (feed.name.to_string(), escape(trouble).into_owned());
            }
            let tries = count(u64::from(feed.failures), "try", "tries");
            let text = format!(
                "{tries} failed, {}: {}",
                patience(feed, report.now),
                escape(trouble)
            );
            (feed.name.to_string(), text)
        })
        .collect();
    items(rows)
}

/// For how long a failing feed may go on failing before anybody is called.
fn patience(feed: &FeedReport, now: UnixTime) -> String {
    match feed.last_good {
        Some(good) => {
            let calm = good.plus(feed.ttl() / 2).since(now);
            format!("which is no harm for another {}", span(calm))
        }
        None => "and none went well yet".to_owned(),
    }
}

fn needs(report: &Report) -> String {
    if report.needs.is_empty() {
        return "Nothing needs you.\n".to_owned();
    }
    let mut text = heading("Needs you");
    for need in &report.needs {
        let who = match &need.name {
            Some(name) => format!("{} {name}", need.about.as_str()),
            None => need.about.as_str().to_owned(),
        };
        text += &warn(&prose(2, &format!("{who}: {}", escape(&need.text))));
        for command in &need.commands {
            text += &format!("      {command}\n");
        }
        // Which chapter, for whoever meets it for the first time.
        text += &format!("      feedwall help {}\n", need.kind.topic());
    }
    text
}

fn told(report: &Report, about: About, name: &Name) -> bool {
    let of_it = |need: &Need| need.about == about && need.name.as_ref() == Some(name);
    report.needs.iter().any(of_it)
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// Rounded down, so that 100 % means all.
fn percent(part: u64, whole: u64) -> String {
    let tenths = part.saturating_mul(1000) / whole.max(1);
    format!("{}.{} %", tenths / 10, tenths % 10)
}
