use serde_json::Value;

use crate::fetch::Source;
use crate::ledger::{FeedState, Outcome, PlanSummary};
use crate::model::{Action, Direction, FeedTerms, List};
use crate::plan::drift::Drift;

use super::calls::{self, CallReport};
use super::feed::FeedDetails;
use super::needs::Kind;
use super::report::Report;
use super::testing::{DAY, Fixture, HOUR, MINUTE, NOW, answer, block, terms};

fn plan(desired: u64, pending: u64, left_out: &str) -> PlanSummary {
    PlanSummary {
        at: NOW.minus(2 * MINUTE),
        desired,
        pending,
        left_out: left_out.to_owned(),
        ..PlanSummary::default()
    }
}

async fn report(fixture: &Fixture, daemon: bool) -> Report {
    Report::gather(&fixture.ledger, None, daemon, NOW)
        .await
        .unwrap()
}

/// The text as a plain terminal shows it, the ledger's place and size left out.
fn plain(report: &Report) -> String {
    let text = super::table::status(report);
    let text = anstream::adapter::strip_str(&text).to_string();
    for line in text.lines() {
        assert!(
            line.chars().count() <= 80 || line.starts_with("ledger "),
            "{line}"
        );
    }
    let keep = |line: &&str| !line.starts_with("ledger ");
    text.lines()
        .filter(keep)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Two addresses both ways and one in doubt, and feeds in every state.
pub(super) async fn troubled() -> Fixture {
    let fixture = Fixture::new().await;
    let allow = FeedTerms {
        list: List::Allow,
        ..terms()
    };
    let all = ["feodo", "fresh", "gone", "held", "new", "silent"];
    let mut feeds: Vec<_> = all.map(|feed| (feed, terms())).into();
    feeds.push(("ours", allow));
    fixture.feeds(&feeds).await;
    fixture.firewalls(&["lab", "old", "prod"]).await;
    fixture
        .fetch(
            "feodo",
            &["45.155.205.7", "45.155.205.8", "bad.example.org"],
            2,
            NOW.minus(3 * MINUTE),
        )
        .await;
    fixture
        .fetch("fresh", &["45.155.205.9"], 0, NOW.minus(2 * HOUR))
        .await;
    fixture
        .fetch("gone", &["45.155.205.10"], 0, NOW.minus(DAY))
        .await;
    fixture
        .fetch("held", &["45.155.205.11"], 0, NOW.minus(2 * HOUR))
        .await;
    fixture
        .fetch("silent", &["45.155.205.12"], 0, NOW.minus(4 * DAY))
        .await;
    fixture
        .fetch("ours", &["example.net"], 0, NOW.minus(HOUR))
        .await;
    let timeout = "https://intel.example.net/list: no answer within 60 s";
    fixture
        .poll("fresh", FeedState::Failed, timeout, NOW.minus(MINUTE))
        .await;
    let evil = "https://intel.example.net/list: 500 \u{1b}[2Joops";
    fixture
        .poll("silent", FeedState::Failed, evil, NOW.minus(5 * MINUTE))
        .await;
    fixture
        .hold(
            "held",
            "the feed shrank from 2000 to 12 indicators, by more than max_shrink allows",
            NOW.minus(HOUR),
        )
        .await;
    feeds.retain(|(feed, _)| *feed != "gone");
    fixture.feeds(&feeds).await;
    on_firewalls(&fixture).await;
    fixture
}

async fn on_firewalls(fixture: &Fixture) {
    let both = |text| Direction::ALL.map(|direction| block(text, direction));
    let end = NOW.plus(3 * DAY);
    fixture
        .add("prod", &both("45.155.205.7"), end, NOW.minus(HOUR))
        .await;
    fixture
        .add(
            "prod",
            &both("45.155.205.8"),
            NOW.plus(30 * MINUTE),
            NOW.minus(HOUR),
        )
        .await;
    fixture
        .add("old", &both("45.155.205.7"), end, NOW.minus(DAY))
        .await;
    let lost = answer(
        Outcome::Unknown,
        Some("NoAnswer"),
        "the connection was reset",
    );
    let doubtful = [block("bad.example.org", Direction::Out)];
    fixture
        .call(
            "prod",
            Action::Add,
            &doubtful,
            Some(end),
            lost,
            NOW.minus(MINUTE),
        )
        .await;
    let refused = answer(
        Outcome::Refused { too_large: false },
        Some("InvalidParameter"),
        "bad \u{7}IOC",
    );
    let four = [
        "45.155.205.1",
        "45.155.205.2",
        "45.155.205.3",
        "45.155.205.4",
    ]
    .map(|text| block(text, Direction::In));
    fixture
        .call(
            "prod",
            Action::Add,
            &four,
            Some(end),
            refused.clone(),
            NOW.minus(10 * MINUTE),
        )
        .await;
    // One alone is the bad one itself.
    let alone = [block("45.155.205.5", Direction::In)];
    fixture
        .call(
            "prod",
            Action::Add,
            &alone,
            Some(end),
            refused,
            NOW.minus(7 * MINUTE),
        )
        .await;
    let id = fixture.firewall("prod").await;
    let full = "LimitExceeded: the list is full";
    fixture
        .ledger
        .learn(id, "quota", Some(20_000), full, NOW.minus(HOUR))
        .await
        .unwrap();
    fixture
        .plan(
            "prod",
            PlanSummary {
                wanted_deletes: 400,
                allowed_deletes: 120,
                held_deletes: 280,
                ..plan(9, 3, r#"{"guarded":2,"class_not_accepted":31}"#)
            },
        )
        .await;
    let id = fixture.firewall("lab").await;
    let stop = "AuthFailure.SecretIdNotFound: the SecretId is not found";
    fixture
        .ledger
        .hold_firewall(id, NOW.plus(4 * MINUTE), stop, NOW.minus(MINUTE))
        .await
        .unwrap();
    fixture.firewalls(&["lab", "prod"]).await;
}

#[tokio::test]
async fn everything_that_can_be_wrong_is_told() {
    let fixture = troubled().await;
    insta::assert_snapshot!(plain(&report(&fixture, true).await));
}

#[tokio::test]
async fn without_a_daemon_what_nobody_looks_after_is_told() {
    let fixture = Fixture::new().await;
    fixture.feeds(&[("feodo", terms())]).await;
    fixture.firewalls(&["prod"]).await;
    fixture
        .fetch(
            "feodo",
            &["45.155.205.7", "45.155.205.8"],
            0,
            NOW.minus(3 * MINUTE),
        )
        .await;
    let entry = [block("45.155.205.7", Direction::In)];
    fixture
        .add("prod", &entry, NOW.plus(30 * MINUTE), NOW.minus(HOUR))
        .await;
    fixture.plan("prod", plan(4, 3, "{}")).await;
    insta::assert_snapshot!(plain(&report(&fixture, false).await));
}

#[tokio::test]
async fn calm_is_short() {
    let fixture = Fixture::new().await;
    fixture.feeds(&[("feodo", terms())]).await;
    fixture.firewalls(&["prod"]).await;
    fixture
        .fetch("feodo", &["45.155.205.7"], 0, NOW.minus(3 * MINUTE))
        .await;
    let both = Direction::ALL.map(|direction| block("45.155.205.7", direction));
    fixture
        .add("prod", &both, NOW.plus(3 * DAY), NOW.minus(HOUR))
        .await;
    fixture.plan("prod", plan(2, 0, "{}")).await;
    let report = report(&fixture, false).await;
    assert_eq!(report.needs, []);
    insta::assert_snapshot!(plain(&report));
}

#[tokio::test]
async fn the_json_keeps_its_shape() {
    let fixture = troubled().await;
    let report = report(&fixture, false).await;
    let mut json = serde_json::to_value(&report).unwrap();
    json["ledger"] = "ledger.db".into();
    json["ledger_bytes"] = 0.into();
    json["version"] = "0".into();
    // One firewall and one feed show the shape.
    for (list, kept) in [("firewalls", "prod"), ("feeds", "held")] {
        let rows = json[list].as_array_mut().unwrap();
        rows.retain(|row| row["name"] == kept);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
    let kinds = |json: &Value| -> Vec<String> {
        let needs = json["needs"].as_array().unwrap();
        needs
            .iter()
            .map(|need| format!("{} {}", need["kind"], need["name"]))
            .collect()
    };
    assert!(kinds(&json).contains(&r#""feed_held" "held""#.to_owned()));
}

#[tokio::test]
async fn fresh_failures_call_nobody_and_long_ones_do() {
    let fixture = Fixture::new().await;
    fixture.feeds(&[("one", terms()), ("never", terms())]).await;
    fixture
        .fetch(
            "one",
            &["45.155.205.7"],
            0,
            NOW.minus(84 * HOUR).plus(MINUTE),
        )
        .await;
    fixture
        .poll("one", FeedState::Failed, "no answer", NOW)
        .await;
    for _ in 0..2 {
        fixture.poll("never", FeedState::Failed, "404", NOW).await;
    }
    assert_eq!(report(&fixture, true).await.needs, []);
    let later = Report::gather(&fixture.ledger, None, true, NOW.plus(MINUTE))
        .await
        .unwrap();
    let kinds: Vec<_> = later
        .needs
        .iter()
        .map(|need| (need.kind, need.name.as_ref().unwrap().as_str()))
        .collect();
    assert_eq!(kinds, [(Kind::FeedSilent, "one")]);
    fixture.poll("never", FeedState::Failed, "404", NOW).await;
    let kinds: Vec<_> = report(&fixture, true)
        .await
        .needs
        .into_iter()
        .map(|need| need.kind)
        .collect();
    assert_eq!(kinds, [Kind::FeedSilent]);
}

#[tokio::test]
async fn feeds_that_died_and_guards_that_were_never_heard_call_somebody() {
    let fixture = Fixture::new().await;
    fixture
        .feeds(&[("stale", terms()), ("gone", terms())])
        .await;
    let (name, terms) = (super::testing::name("resolvers"), terms());
    let list = (&name, &terms, "1".to_owned());
    let lists = [list];
    fixture.ledger.configure_guard_lists(lists).await.unwrap();
    fixture.fetch("stale", &["45.155.205.7"], 0, NOW).await;
    fixture
        .poll("stale", FeedState::Frozen, "the same for years", NOW)
        .await;
    fixture.poll("gone", FeedState::Retired, "410", NOW).await;
    fixture
        .poll("resolvers", FeedState::Failed, "no answer", NOW)
        .await;
    let needs = |report: Report| -> Vec<_> {
        let needs = report.needs.into_iter();
        needs.map(|need| (need.kind, need.text)).collect()
    };
    assert_eq!(
        needs(report(&fixture, true).await),
        [
            (Kind::FeedRetired, "410".to_owned()),
            (
                Kind::GuardUnheard,
                "nothing is added to any firewall before this guard list has been heard once: no answer"
                    .to_owned()
            ),
            (Kind::FeedFrozen, "the same for years".to_owned()),
        ]
    );
    // Nor is a list that answers, and is not believed, a matter of that list alone.
    let (held, frozen) = (FeedState::Held, FeedState::Frozen);
    for (state, trouble) in [(held, "1438 of 1438 rows"), (frozen, "the same for years")] {
        fixture.poll("resolvers", state, trouble, NOW).await;
        let needs = needs(report(&fixture, true).await);
        let text = &needs
            .iter()
            .find(|(kind, _)| *kind == Kind::GuardUnheard)
            .unwrap()
            .1;
        assert!(
            text.starts_with("nothing is added to any firewall before") && text.contains(trouble),
            "{text}"
        );
    }
    fixture.fetch("resolvers", &["45.155.205.8"], 0, NOW).await;
    fixture
        .poll("resolvers", FeedState::Failed, "no answer", NOW)
        .await;
    let later = Report::gather(&fixture.ledger, None, true, NOW.plus(30 * DAY));
    let words = "nothing good came for 30 d; what it listed last stays guarded: no answer";
    let needs = needs(later.await.unwrap());
    let of_list = needs.iter().find(|(kind, _)| *kind == Kind::FeedSilent);
    assert_eq!(of_list.map(|(_, text)| text.as_str()), Some(words));
}

#[tokio::test]
async fn a_short_backoff_calls_nobody_and_a_halt_does() {
    let fixture = Fixture::new().await;
    fixture.firewalls(&["prod"]).await;
    let id = fixture.firewall("prod").await;
    let ledger = &fixture.ledger;
    ledger
        .hold_firewall(id, NOW.plus(3 * MINUTE), "busy", NOW)
        .await
        .unwrap();
    assert_eq!(report(&fixture, true).await.needs, []);
    // The same trouble for longer, in short spells.
    ledger
        .hold_firewall(id, NOW.plus(5 * MINUTE), "busy", NOW.plus(3 * MINUTE))
        .await
        .unwrap();
    let needs = report(&fixture, true).await.needs;
    assert_eq!(
        needs.iter().map(|need| need.kind).collect::<Vec<_>>(),
        [Kind::FirewallHalted]
    );
}

#[tokio::test]
async fn an_approved_snapshot_waits_for_nobody() {
    let fixture = Fixture::new().await;
    fixture.feeds(&[("held", terms())]).await;
    fixture.hold("held", "it shrank", NOW).await;
    assert_eq!(report(&fixture, true).await.needs.len(), 1);
    let row = fixture
        .ledger
        .feed(&super::testing::name("held"))
        .await
        .unwrap()
        .unwrap();
    fixture.ledger.approve_snapshot(row.id, NOW).await.unwrap();
    assert_eq!(report(&fixture, true).await.needs, []);
}

#[tokio::test]
async fn a_feed_is_shown_in_full() {
    let fixture = troubled().await;
    let mut config = crate::config::Config::parse(
        r#"
[[feed]]
name = "held"
url = "https://intel.example.com/v1/list"
direction = "in"
min_entries = 10
[[firewall]]
name = "prod"
"#,
        "feedwall.toml",
    )
    .unwrap();
    let url = "https://me:hunter2@intel.example.com/v1/list?auth-key=hunter2";
    config.feeds[0].source = Source::http(url::Url::parse(url).unwrap());
    let mut texts = String::new();
    for feed in ["held", "gone"] {
        let row = fixture
            .ledger
            .feed(&super::testing::name(feed))
            .await
            .unwrap()
            .unwrap();
        let details = FeedDetails::gather(&fixture.ledger, Some(&config), row, None)
            .await
            .unwrap();
        let text = details.text(NOW);
        assert!(!text.contains("hunter2"), "{text}");
        let json = serde_json::to_string(&details).unwrap();
        assert!(!json.contains("hunter2"), "{json}");
        texts += &anstream::adapter::strip_str(&text).to_string();
    }
    insta::assert_snapshot!(texts);
}

#[tokio::test]
async fn a_firewall_on_which_nothing_has_a_place_calls_somebody() {
    let fixture = Fixture::new().await;
    fixture.firewalls(&["prod"]).await;
    // While calls are under way, places may yet be found.
    fixture.plan("prod", plan(2, 2, r#"{"quota":7}"#)).await;
    assert_eq!(report(&fixture, true).await.needs.len(), 0);
    fixture.plan("prod", plan(0, 0, r#"{"quota":9}"#)).await;
    let report = report(&fixture, true).await;
    let needs: Vec<_> = report.needs.iter().map(|need| need.kind).collect();
    assert_eq!(needs, [Kind::NoPlace]);
    let text = &report.needs[0].text;
    assert!(text.contains("9 entries have no place"), "{text}");
}

#[tokio::test]
async fn drift_and_a_wrong_clock_call_somebody() {
    let fixture = Fixture::new().await;
    fixture.firewalls(&["prod"]).await;
    let entry = block("45.155.205.7", Direction::In);
    fixture
        .add(
            "prod",
            std::slice::from_ref(&entry),
            NOW.plus(DAY),
            NOW.minus(HOUR),
        )
        .await;
    fixture.plan("prod", plan(1, 0, "{}")).await;
    let id = fixture.firewall("prod").await;
    let mut drift = Drift {
        confirmed: vec![entry.clone()],
        ..Drift::default()
    };
    fixture
        .ledger
        .store_read_back(id, &drift, &[], NOW, NOW.minus(MINUTE))
        .await
        .unwrap();
    let calm = report(&fixture, true).await;
    assert_eq!(
        (calm.needs.len(), calm.firewalls[0].coverage.confirmed),
        (0, Some(1))
    );
    drift.taken_over = vec![entry];
    fixture
        .ledger
        .store_read_back(id, &drift, &[], NOW, NOW)
        .await
        .unwrap();
    fixture
        .ledger
        .tell_clock(Some("this machine's clock jumped by 900 s"))
        .await
        .unwrap();
    let text = plain(&report(&fixture, true).await);
    let needs = text.split_once("Needs you").unwrap().1;
    insta::assert_snapshot!(needs);
    // The daemon's word about the clock is its own; without it the ledger's last word counts.
    let early = Report::gather(&fixture.ledger, None, false, NOW.minus(HOUR))
        .await
        .unwrap();
    assert_eq!(early.needs[0].kind, Kind::Clock);
    assert_eq!(report(&fixture, false).await.clock_doubt, None);
}

#[tokio::test]
async fn calls_and_quarantine_are_tables_and_json() {
    let fixture = troubled().await;
    let firewalls = fixture.ledger.firewalls().await.unwrap();
    let rows = fixture.ledger.calls(false, 4).await.unwrap();
    let reports: Vec<_> = rows
        .into_iter()
        .map(|row| CallReport::new(row, &firewalls))
        .collect();
    let prod = super::testing::name("prod");
    let refused = fixture
        .ledger
        .quarantine(fixture.firewall("prod").await)
        .await
        .unwrap();
    let refused: Vec<_> = calls::quarantined(&prod, refused).collect();
    let text = calls::calls(&reports) + "\n" + &calls::quarantine(&refused, NOW);
    let text = anstream::adapter::strip_str(&text).to_string();
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    insta::assert_snapshot!(text);
    let json = serde_json::to_string_pretty(&(&reports[0], &refused[0])).unwrap();
    insta::assert_snapshot!(json);
}
