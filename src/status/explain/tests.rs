use crate::config::Config;
use crate::ledger::{FeedState, HandWord, Outcome};
use crate::model::{Action, Direction, FeedTerms, List};
use crate::plan::Bar;
use crate::plan::drift::Drift;
use crate::stage::memory::Memory;
use crate::stage::replan::{self, GuardMaterial, Heard};
use crate::status::testing::{DAY, Fixture, HOUR, MINUTE, NOW, answer, block, ioc, name, terms};

use super::{Asked, Fate, Story};

pub const CONFIG: &str = r#"
[guard]
allow = ["45.155.205.99"]
[[feed]]
name = "feodo"
path = "/srv/feodo.txt"
[[feed]]
name = "nets"
path = "/srv/nets.txt"
[[feed]]
name = "never"
path = "/srv/never.txt"
[[feed]]
name = "ours"
path = "/srv/ours.txt"
list = "allow"
[[firewall]]
name = "lab"
accept = ["ipv4", "network"]
credentials = { env = "LAB" }
[[firewall]]
name = "prod"
quota = 210
time_zone = "+08:00"
"#;

async fn explain(fixture: &Fixture, indicator: &str, daemon_running: bool) -> Story {
    let config = Config::parse(CONFIG, "feedwall.toml").unwrap();
    let material = GuardMaterial::read(&config).unwrap();
    let heard = Heard::default();
    let ctx = fixture.ctx();
    let asked = Asked {
        ctx: &ctx,
        config: &config,
        material: &material,
        heard: &heard,
        memory: &Memory::default(),
        daemon_running,
    };
    asked.story(&ioc(indicator)).await.unwrap()
}

async fn text(fixture: &Fixture, indicator: &str) -> String {
    let text = explain(fixture, indicator, true).await.text();
    let text = anstream::adapter::strip_str(&text).to_string();
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    text
}

fn fates(story: &Story) -> Vec<(&str, Fate)> {
    let entries = story.firewalls.iter();
    let entries = entries.flat_map(|one| {
        one.entries
            .iter()
            .map(|entry| (one.firewall.as_str(), entry.fate))
    });
    entries.collect()
}

/// Two firewalls, the second with ten places of ours; what they hold and refuse.
pub async fn place() -> Fixture {
    let fixture = Fixture::new().await;
    let sure = FeedTerms {
        confidence: 90,
        ..terms()
    };
    let allow = FeedTerms {
        list: List::Allow,
        ..terms()
    };
    fixture
        .feeds(&[
            ("feodo", sure),
            ("nets", terms()),
            ("never", terms()),
            ("ours", allow),
        ])
        .await;
    fixture.firewalls(&["lab", "prod"]).await;
    fixture
        .fetch(
            "feodo",
            &[
                "45.155.205.7",
                "45.155.205.8",
                "old.botnet-panel.net",
                "vanished.net",
            ],
            0,
            NOW.minus(8 * DAY),
        )
        .await;
    let feodo = [
        "45.155.205.7",
        "45.155.205.99",
        "45.155.207.1",
        "45.155.207.2",
        "botnet-panel.net",
    ];
    fixture.fetch("feodo", &feodo, 0, NOW.minus(3 * HOUR)).await;
    let nets = [
        "45.155.205.0/24",
        "45.155.205.7",
        "45.155.206.1",
        "45.155.206.2",
        "good.net",
    ];
    fixture.fetch("nets", &nets, 0, NOW.minus(HOUR)).await;
    fixture
        .fetch("ours", &["www.good.net"], 0, NOW.minus(HOUR))
        .await;
    fixture.poll("never", FeedState::Failed, "404", NOW).await;
    let both = |text| Direction::ALL.map(|direction| block(text, direction));
    let end = NOW.plus(2 * DAY);
    fixture
        .add("prod", &both("45.155.205.7"), end, NOW.minus(2 * HOUR))
        .await;
    fixture
        .add("prod", &both("45.155.207.1"), end, NOW.minus(2 * HOUR))
        .await;
    let lost = answer(
        Outcome::Unknown,
        Some("NoAnswer"),
        "the connection was reset",
    );
    fixture
        .call(
            "prod",
            Action::Add,
            &both("45.155.207.2"),
            Some(end),
            lost,
            NOW.minus(HOUR),
        )
        .await;
    let refused = answer(
        Outcome::Refused { too_large: false },
        Some("InvalidParameter"),
        "no \u{1b}[2Jdomain",
    );
    let domain = [block("botnet-panel.net", Direction::Out)];
    fixture
        .call(
            "prod",
            Action::Add,
            &domain,
            Some(end),
            refused,
            NOW.minus(MINUTE),
        )
        .await;
    let id = fixture.firewall("prod").await;
    let foreign = block("45.155.206.1", Direction::Out);
    let drift = Drift {
        confirmed: both("45.155.205.7").into(),
        foreign: vec![(foreign, Some(end), "product".to_owned())],
        foreign_places: 1,
        ..Drift::default()
    };
    fixture
        .ledger
        .store_read_back(id, &drift, &[], NOW, NOW.minus(MINUTE))
        .await
        .unwrap();
    fixture
}

#[tokio::test]
async fn what_is_blocked_is_told_with_its_listings_and_calls() {
    insta::assert_snapshot!(text(&place().await, "45.155.205.7").await);
}

#[tokio::test]
async fn what_is_not_blocked_is_told_with_the_reason() {
    let fixture = place().await;
    let mut texts = String::new();
    for indicator in [
        // Allowed, and inside a listed network.
        "45.155.205.99",
        // Delisted, and ended.
        "vanished.net",
        // The same, and below a listed domain.
        "old.botnet-panel.net",
        // Below a listed domain that the cloud refused.
        "a.b.botnet-panel.net",
        // Held by somebody else in one direction.
        "45.155.206.1",
        // Held by a guard.
        "good.net",
        // Never heard of.
        "61.2.3.4",
    ] {
        texts += &text(&fixture, indicator).await;
        texts += "\n";
    }
    assert!(!texts.contains('\u{1b}'), "{texts}");
    insta::assert_snapshot!(texts);
}

#[tokio::test]
async fn what_an_entry_earned_is_told_and_counted_for_its_feeds() {
    let fixture = place().await;
    let id = fixture.firewall("prod").await;
    let [one, other] = [Direction::In, Direction::Out].map(|way| block("45.155.205.7", way));
    let last = NOW.minus(3 * HOUR);
    let drift = Drift {
        confirmed: vec![one.clone(), other.clone()],
        hits: vec![(one.clone(), 12, Some(last)), (other, 1, None)],
        ..Drift::default()
    };
    let ledger = &fixture.ledger;
    ledger
        .store_read_back(id, &drift, &[], NOW, NOW.minus(MINUTE))
        .await
        .unwrap();
    let told = text(&fixture, "45.155.205.7").await;
    // As one line, wherever it is folded.
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("it matched 12 times, last 3 h ago"), "{told}");
    assert!(told.contains("it matched 1 time"), "{told}");
    let story = explain(&fixture, "45.155.205.7", true).await;
    let mut entries = story.firewalls.iter().flat_map(|one| &one.entries);
    let earned = entries.find(|entry| entry.last_hit.is_some());
    assert_eq!(earned.map(|entry| entry.match_times), Some(12));
    // The tie-break of admission.
    assert_eq!(ledger.last_hits(id).await.unwrap(), [(one, last)].into());
    let claims: Vec<_> = story.subjects[0]
        .listings
        .iter()
        .map(|one| &one.feed)
        .collect();
    assert!(!claims.is_empty());
    for feed in claims {
        let row = ledger.feed(feed).await.unwrap().unwrap();
        let hits = ledger.feed_hits(row.id).await.unwrap();
        assert_eq!(
            (hits.indicators, hits.match_times, hits.last_hit),
            (1, 13, Some(last))
        );
    }
}

#[tokio::test]
async fn fates_are_told_apart() {
    use Fate::{Covered, Doubtful, Foreign, Held, Pending, Quarantined};
    let fixture = place().await;
    let story = explain(&fixture, "45.155.207.2", true).await;
    assert_eq!(fates(&story)[2..], [("prod", Doubtful), ("prod", Doubtful)]);
    let story = explain(&fixture, "45.155.206.1", true).await;
    assert_eq!(fates(&story)[2..], [("prod", Foreign), ("prod", Pending)]);
    assert_eq!(story.firewalls[1].blocked, [Direction::Out]);
    let story = explain(&fixture, "botnet-panel.net", true).await;
    assert_eq!(fates(&story), [("prod", Quarantined)]);
    let story = explain(&fixture, "45.155.205.7", true).await;
    // Lab takes the piece of the network that holds the address, which then needs no place of its own.
    let lab = [Covered, Covered, Pending, Pending].map(|fate| ("lab", fate));
    assert_eq!(
        fates(&story),
        [&lab[..], &[("prod", Held), ("prod", Held)]].concat()
    );
    assert_eq!(story.subjects[0].score, Some(0.96));
}

#[tokio::test]
async fn what_lost_its_place_is_told_with_both_scores() {
    let fixture = place().await;
    let many: Vec<String> = (1..=20).map(|last| format!("45.155.208.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    fixture.fetch("feodo", &many, 0, NOW).await;
    let story = explain(&fixture, "45.155.206.2", true).await;
    let quota = &story.firewalls[1].entries[0];
    assert_eq!(quota.fate, Fate::Quota);
    insta::assert_snapshot!(quota.text);
}

/// The daemon's plan says who has a place; without one, or once something has changed, the contest is held anew.
#[tokio::test]
async fn the_last_plan_tells_what_a_whole_contest_would() {
    let fixture = place().await;
    let many: Vec<String> = (1..=20).map(|last| format!("45.155.208.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    fixture.fetch("feodo", &many, 0, NOW).await;
    let asked = [
        "45.155.206.2",
        "45.155.208.1",
        "45.155.208.20",
        "45.155.205.7",
    ];
    let mut before = Vec::new();
    for indicator in asked {
        before.push(text(&fixture, indicator).await);
    }
    let config = Config::parse(CONFIG, "feedwall.toml").unwrap();
    let material = GuardMaterial::read(&config).unwrap();
    let (ctx, heard, memory) = (fixture.ctx(), Heard::default(), Memory::default());
    let prod = config.firewall(&name("prod")).unwrap();
    replan::turn(&ctx, &material, &memory, prod, &heard)
        .await
        .unwrap();
    let row = replan::row(&ctx, prod).await.unwrap();
    let told = replan::bar(&ctx, &material, &memory, prod, &heard, &row, false).await;
    let told = told.unwrap();
    assert!(told.lowest.is_some(), "the plan on record tells it");
    for (indicator, before) in asked.iter().zip(before) {
        assert_eq!(text(&fixture, indicator).await, before);
    }
    // A poll that changes what is listed makes the record untrue.
    fixture.fetch("feodo", &many[..3], 0, NOW).await;
    let untold = replan::bar(&ctx, &material, &memory, prod, &heard, &row, false).await;
    assert_eq!(untold.unwrap(), Bar::default());
    let whole = replan::bar(&ctx, &material, &memory, prod, &heard, &row, true).await;
    assert_ne!(whole.unwrap(), told);
}

#[tokio::test]
async fn without_a_daemon_what_is_to_be_done_waits_for_one() {
    let fixture = place().await;
    let story = explain(&fixture, "45.155.206.2", false).await;
    let lab = &story.firewalls[0].entries[0];
    assert_eq!(
        (lab.fate, lab.text.as_str()),
        (
            Fate::Pending,
            "to be added, and no daemon is running: `feedwall run`"
        )
    );
}

#[tokio::test]
async fn a_carved_network_is_blocked_in_part() {
    let fixture = place().await;
    let story = explain(&fixture, "45.155.205.0/24", true).await;
    let [lab, prod] = story.firewalls.as_slice() else {
        panic!("two firewalls: {story:?}");
    };
    assert!(
        lab.entries
            .iter()
            .all(|entry| entry.fate == Fate::Pending && entry.indicator != ioc("45.155.205.0/24"))
    );
    assert_eq!(
        (prod.blocked.as_slice(), prod.partly, prod.inside),
        (&[][..], true, 2)
    );
}

#[tokio::test]
async fn what_the_operator_said_is_told_with_the_reason() {
    let fixture = place().await;
    let (blocked, allowed) = (ioc("45.155.209.1"), ioc("45.155.207.1"));
    let until = NOW.plus(DAY);
    fixture
        .ledger
        .block_by_hand(&blocked, until, "incident \u{1b}7", NOW.minus(HOUR))
        .await
        .unwrap();
    let word = HandWord {
        indicator: allowed,
        block: false,
        until: Some(until),
        reason: "a customer's".to_owned(),
        at: NOW.minus(HOUR),
    };
    fixture.ledger.allow_by_hand(&word).await.unwrap();
    let texts = text(&fixture, "45.155.209.1").await + "\n" + &text(&fixture, "45.155.207.1").await;
    insta::assert_snapshot!(texts);
}

#[tokio::test]
async fn guard_lists_guard_and_hold_everything_back_until_they_were_heard() {
    let fixture = place().await;
    let (list, terms) = (name("resolvers"), terms());
    let lists = [(&list, &terms, "1".to_owned())];
    fixture.ledger.configure_guard_lists(lists).await.unwrap();
    let story = explain(&fixture, "45.155.206.2", true).await;
    assert_eq!(fates(&story)[0], ("lab", Fate::GuardsUnheard));
    fixture
        .fetch("resolvers", &["45.155.206.2"], 0, NOW.minus(HOUR))
        .await;
    insta::assert_snapshot!(text(&fixture, "45.155.206.2").await);
}
