//! Health, metrics and samples, from ledgers made for the purpose.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::{FeedState, Outcome, PlanSummary};
use crate::model::{Action, Direction, UnixTime};
use crate::plan::drift::Drift;
use crate::stage::Context;
use crate::stage::replan::{GuardMaterial, Heard};
use crate::status::testing::{DAY, Fixture, HOUR, MINUTE, NOW, answer, block, terms};

use super::health::{Facts, Health};
use super::{Desk, View, metrics};

const CONFIG: &str = "\
[[feed]]
name = \"feodo\"
url = \"https://feeds.example.net/a.txt\"

[[firewall]]
name = \"prod\"
quota = 1_000
reserve = 10
";

/// A desk over the fixture, of a daemon that has been up for a day.
fn desk(fixture: &Fixture) -> (Desk, Clock) {
    let clock = Clock::held(NOW.minus(DAY));
    let ctx = Context {
        clock: clock.clone(),
        ..fixture.ctx()
    };
    let desk = Desk::new(&ctx);
    clock.set(NOW);
    let config = Config::parse(CONFIG, "test.toml").unwrap();
    desk.show(View {
        guards: Arc::new(GuardMaterial::read(&config).unwrap()),
        config: Arc::new(config),
        heard: Heard::default(),
        memory: Arc::default(),
        stuck: Arc::new(Vec::new),
    });
    desk.noted().sampled = Some(tokio::time::Instant::now());
    (desk, clock)
}

fn plan(at: UnixTime, desired: u64, pending: u64) -> PlanSummary {
    PlanSummary {
        at,
        desired,
        pending,
        left_out: "{\"guarded\":2}".to_owned(),
        ..PlanSummary::default()
    }
}

/// One feed, polled three minutes ago, and one firewall that holds two of its three entries.
async fn working() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.feeds(&[("feodo", terms())]).await;
    fixture.firewalls(&["prod"]).await;
    let listed = ["45.155.205.7", "45.155.205.8", "45.155.205.9"];
    fixture
        .fetch("feodo", &listed, 2, NOW.minus(3 * MINUTE))
        .await;
    let entries = listed.map(|text| block(text, Direction::In));
    let applied = answer(Outcome::Applied, None, "");
    let end = Some(NOW.plus(2 * HOUR));
    fixture
        .call(
            "prod",
            Action::Add,
            &entries[..2],
            end,
            applied,
            NOW.minus(2 * MINUTE),
        )
        .await;
    let stopped = answer(
        Outcome::NotApplied,
        Some("RequestLimitExceeded"),
        "slow down",
    );
    fixture
        .call(
            "prod",
            Action::Add,
            &entries[2..],
            end,
            stopped,
            NOW.minus(MINUTE),
        )
        .await;
    let prod = fixture.firewall("prod").await;
    let seen = Drift {
        confirmed: entries[..1].to_vec(),
        ..Drift::default()
    };
    fixture
        .ledger
        .store_read_back(prod, &seen, &[], NOW, NOW.minus(MINUTE))
        .await
        .unwrap();
    fixture
        .ledger
        .record_plan(prod, &plan(NOW.minus(MINUTE), 4, 1))
        .await
        .unwrap();
    fixture
}

fn check<'a>(health: &'a Health, name: &str) -> &'a str {
    let check = health.checks.iter().find(|one| one.name == name).unwrap();
    if check.good { "good" } else { &check.sentence }
}

#[tokio::test]
async fn a_working_daemon_is_healthy() {
    let fixture = working().await;
    let (desk, _) = desk(&fixture);
    let health = desk.health().await;
    assert!(health.healthy, "{health:?}");
    assert_eq!(health.checks.len(), 5);
}

#[tokio::test]
async fn polls_that_stand_still_are_told() {
    let fixture = working().await;
    let (desk, clock) = desk(&fixture);
    // The feed is due an hour after its last poll.
    clock.set(NOW.plus(HOUR + 11 * MINUTE));
    assert_eq!(check(&desk.health().await, "polls"), "good");
    let (desk, clock) = self::desk(&fixture);
    clock.set(NOW.plus(HOUR + 13 * MINUTE));
    let late = "the feed feodo has been due for 16 m and was not asked";
    assert_eq!(check(&desk.health().await, "polls"), late);
    // A daemon that has just started had no time to ask.
    let ctx = desk.ctx.clone();
    let fresh = Desk::new(&ctx);
    fresh.show((*desk.view().unwrap()).clone());
    assert!(fresh.health().await.healthy);
}

#[tokio::test]
async fn a_feed_that_fails_is_no_stall() {
    let fixture = working().await;
    let trouble = "https://intel.example.net/list: no answer within 60 s";
    fixture.poll("feodo", FeedState::Failed, trouble, NOW).await;
    let (desk, _) = desk(&fixture);
    assert!(desk.health().await.healthy);
}

#[tokio::test]
async fn sends_that_stand_still_are_told() {
    let fixture = working().await;
    let prod = fixture.firewall("prod").await;
    let ledger = &fixture.ledger;
    let health = async |at: UnixTime| {
        let (desk, clock) = desk(&fixture);
        clock.set(at);
        check(&desk.health().await, "sends").to_owned()
    };
    // Something waits, and no call is answered.
    let at = NOW.plus(28 * MINUTE);
    assert_eq!(health(at).await, "good");
    let waits = "1 entry waits to be sent to the firewall prod, and no call was answered for 31 m";
    assert_eq!(health(NOW.plus(30 * MINUTE)).await, waits);
    // Nothing waits, but nobody plans.
    ledger.record_plan(prod, &plan(NOW, 3, 0)).await.unwrap();
    assert_eq!(health(NOW.plus(70 * MINUTE)).await, "good");
    let unplanned = "nothing was planned for the firewall prod for 1 h";
    assert_eq!(health(NOW.plus(80 * MINUTE)).await, unplanned);
    // Keys that are refused need a person.
    let refused = "AuthFailure.SignatureFailure: the signature does not fit";
    let until = NOW.plus(5 * MINUTE);
    ledger
        .hold_firewall(prod, until, refused, NOW)
        .await
        .unwrap();
    let halted = health(NOW.plus(MINUTE)).await;
    assert!(halted.ends_with(refused), "{halted}");
}

#[tokio::test]
async fn a_clock_and_a_ledger_that_are_not_right_are_told() {
    let fixture = working().await;
    let doubt = "this machine's clock jumped by 7200 s";
    fixture.ledger.tell_clock(Some(doubt)).await.unwrap();
    let (desk, _) = desk(&fixture);
    assert!(check(&desk.health().await, "clock").starts_with(doubt));
    let snapshot = desk.snapshot().await.unwrap();
    let facts = Facts {
        started: desk.started,
        unwritten: Duration::from_secs(301),
        slowest: Duration::ZERO,
        stuck: vec![("polls".to_owned(), 2 * MINUTE)],
    };
    let health = Health::judge(&snapshot, &facts);
    assert!(check(&health, "ledger").contains("nothing has been written"));
    let stuck = "polls should have given a sign of life 2 m ago, and gave none";
    assert_eq!(check(&health, "loops"), stuck);
    let fresh = Desk::new(&fixture.ctx());
    let health = fresh.health().await;
    assert!(check(&health, "ledger").contains("only just started"));
    assert!(!health.healthy);
}

/// Every metric in the text, with its type and help.
fn families(text: &str) -> Vec<(String, String, String)> {
    let mut lines = text.lines();
    let mut families = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            let kind = lines.next().unwrap().rsplit_once(' ').unwrap().1;
            families.push((name.to_owned(), kind.to_owned(), help.to_owned()));
        }
    }
    families
}

#[tokio::test]
async fn metrics_say_how_things_stand() {
    let fixture = working().await;
    let (desk, _) = desk(&fixture);
    desk.sample().await.unwrap();
    let text = metrics::text(&desk).await.unwrap();
    for line in [
        "feedwall_healthy 1",
        "feedwall_listings 3",
        "feedwall_feeds{state=\"good\"} 1",
        "feedwall_feed_listings{feed=\"feodo\"} 3",
        "feedwall_feed_rejected_rows{feed=\"feodo\"} 2",
        "feedwall_desired_entries{firewall=\"prod\"} 4",
        "feedwall_coverage_ratio{firewall=\"prod\"} 0.25",
        "feedwall_leases{firewall=\"prod\",state=\"confirmed\"} 1",
        "feedwall_leases{firewall=\"prod\",state=\"unconfirmed\"} 1",
        "feedwall_left_out_entries{firewall=\"prod\",reason=\"guarded\"} 2",
        "feedwall_protection_lapses_in_seconds{firewall=\"prod\"} 7200",
        "feedwall_quota_entries{firewall=\"prod\"} 1000",
        "feedwall_reserved_entries{firewall=\"prod\"} 10",
        "feedwall_rate_limit_calls_per_second{firewall=\"prod\"} 20",
        "feedwall_calls_total{firewall=\"prod\",action=\"add\",verdict=\"applied\"} 1",
        "feedwall_call_entries_total{firewall=\"prod\",action=\"add\",verdict=\"applied\"} 2",
        "feedwall_calls_total{firewall=\"prod\",action=\"add\",verdict=\"stop\"} 1",
        "feedwall_call_duration_seconds_sum{firewall=\"prod\",action=\"add\"} 0.084",
        "feedwall_call_duration_seconds_count{firewall=\"prod\",action=\"add\"} 2",
        "feedwall_listing_to_confirmed_seconds_bucket{firewall=\"prod\",le=\"120\"} 1",
        "feedwall_listing_to_confirmed_seconds_sum{firewall=\"prod\"} 120",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
    }
    let samples = fixture.ledger.samples(NOW.minus(HOUR)).await.unwrap();
    assert_eq!(samples.len(), 1);
    let sample = samples[0];
    assert_eq!(
        (sample.listed, sample.desired, sample.held, sample.confirmed),
        (3, 4, 2, 1)
    );
    assert_eq!((sample.calls, sample.entries, sample.failed), (2, 2, 1));
    assert_eq!(sample.lag, Some(120));
    // The same reading is counted once.
    let again = desk.sample().await.and(metrics::text(&desk).await).unwrap();
    assert!(again.contains("feedwall_listing_to_confirmed_seconds_count{firewall=\"prod\"} 1"));
}

/// With UPDATE_EXPECT set, the table is written instead of compared, to be read in the diff.
#[tokio::test]
async fn every_metric_is_in_the_docs_in_its_own_words() {
    let fixture = Fixture::new().await;
    let (desk, _) = desk(&fixture);
    let families = families(&metrics::text(&desk).await.unwrap());
    let mut table = String::from("| metric | type | |\n|---|---|---|\n");
    for (name, kind, help) in &families {
        let help = help.replace('|', "\\|");
        table += &format!("| `{name}` | {kind} | {help} |\n");
    }
    assert!(families.len() > 40);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (from, to) = ("<!-- metrics -->\n", "<!-- end of metrics -->\n");
    let (before, rest) = text.split_once(from).unwrap();
    let (within, after) = rest.split_once(to).unwrap();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, format!("{before}{from}{table}{to}{after}")).unwrap();
        return;
    }
    assert_eq!(within, table, "run with UPDATE_EXPECT=1, and read the diff");
}
