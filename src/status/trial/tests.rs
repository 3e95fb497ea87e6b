use crate::fetch::{FetchPolicy, Fetcher, Limits};
use crate::guard::{Guards, Material};
use crate::ledger::Ledger;
use crate::model::{Brakes, List, Mode, Name};
use crate::parse::{Format, MinPrefix, Recipe};
use crate::status::testing::{Fixture, HOUR, NOW, ioc, name, terms};

use super::{Changes, Effect, Measure, Parsed, Trial};

const BODY: &str = "# a comment\n45.155.205.7\n45.155.205.8\n45.155.205.0/24\n10.1.2.3\nbotnet-panel.net\n\
    evil\u{1b}[2J.net\n45.155.205.999\n45.155.205.300\n";

fn brakes() -> Brakes {
    Brakes {
        may_be_empty: false,
        min_entries: 1,
        max_entries: 1000,
        max_shrink: 0.5,
        max_growth: 3.0,
    }
}

fn guards() -> Guards {
    Guards::try_new(Material {
        min_prefix: MinPrefix::default(),
        allow: vec![ioc("45.155.205.99")],
        files: Vec::new(),
        by_hand: Vec::new(),
        sets: Vec::new(),
        own_ground: Vec::new(),
    })
    .unwrap()
}

fn parsed(fixture: &Fixture, body: &str) -> Parsed {
    let fetcher = Fetcher::new(FetchPolicy {
        allow_private: false,
        spool_dir: fixture.folder.path().to_owned(),
        contact: None,
    })
    .unwrap();
    let body = fetcher.kept(body.as_bytes()).unwrap();
    Parsed::read(&body, &Recipe::new(Format::Text), &Limits::default(), 1000).unwrap()
}

async fn judge(parsed: &Parsed, ledger: &Ledger, feed: &Name) -> Trial {
    let row = ledger.feed(feed).await.unwrap();
    let measure = Measure {
        list: List::Block,
        mode: Mode::Snapshot,
        brakes: &brakes(),
        guards: &guards(),
        row: row.as_ref(),
    };
    parsed.judge(Some(ledger), &measure).await.unwrap()
}

#[tokio::test]
async fn a_body_is_judged_whole_and_nothing_is_recorded() {
    let fixture = Fixture::new().await;
    fixture.feeds(&[("feodo", terms())]).await;
    let before = ["45.155.205.7", "45.155.205.9", "dropped.net"];
    fixture
        .fetch("feodo", &before, 0, NOW.minus(2 * HOUR))
        .await;
    fixture
        .fetch("feodo", &before[..2], 0, NOW.minus(HOUR))
        .await;
    let again = parsed(&fixture, &format!("{BODY}dropped.net\n"));
    let mut trial = judge(&again, &fixture.ledger, &name("feodo")).await;
    assert_eq!(
        trial.changes,
        Some(Changes {
            added: 4,
            relisted: 1,
            delisted: 1,
            unchanged: 1
        })
    );
    let guarded: Vec<_> = trial
        .guarded
        .iter()
        .map(|one| (one.effect, one.by.as_str()))
        .collect();
    assert_eq!(
        guarded,
        [
            (Effect::Carved, "[guard] allow"),
            (Effect::Struck, "reserved")
        ]
    );
    let row = fixture.ledger.feed(&name("feodo")).await.unwrap().unwrap();
    assert_eq!(row.last_good, Some(NOW.minus(HOUR)));
    assert_eq!(row.listed, 2);

    trial.source = "https://intel.example.net/\u{1b}list".to_owned();
    trial.feed = Some("feodo".to_owned());
    trial.duration_ms = 120;
    let text = trial.text();
    insta::assert_snapshot!(anstream::adapter::strip_str(&text));
    insta::assert_snapshot!(serde_json::to_string_pretty(&trial).unwrap());
}

#[tokio::test]
async fn what_the_contract_would_hold_is_said() {
    let fixture = Fixture::new().await;
    fixture.feeds(&[("feodo", terms())]).await;
    let empty = judge(
        &parsed(&fixture, "# nothing\n"),
        &fixture.ledger,
        &name("feodo"),
    )
    .await;
    assert_eq!(empty.would_hold.as_deref(), Some("the body lists nothing"));
    let many: Vec<String> = (1..=40).map(|last| format!("45.155.205.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    fixture.fetch("feodo", &many, 0, NOW).await;
    let few = parsed(&fixture, "45.155.205.1\n");
    let shrunk = judge(&few, &fixture.ledger, &name("feodo")).await;
    let doubt = shrunk.would_hold.unwrap();
    assert!(doubt.starts_with("the feed shrank from 40 to 1"), "{doubt}");
    // A feed that the ledger does not know has nothing to be held against.
    let stranger = judge(&few, &fixture.ledger, &name("stranger")).await;
    assert_eq!((stranger.would_hold, stranger.changes), (None, None));
}
