//! Samples, the counted calls, and how long entries took to be seen.

use crate::model::{Action, Direction, Entry};
use crate::plan::drift::Drift;

use super::*;

fn sample(minute: i64) -> Sample {
    Sample {
        at: UnixTime::from_seconds(minute * 60),
        listed: 7,
        lag: (minute % 2 == 0).then_some(90),
        ..Sample::default()
    }
}

fn entry(text: &str) -> Entry {
    Entry {
        list: List::Block,
        indicator: indicator(text),
        direction: Direction::In,
    }
}

fn answer(verdict: &'static str, outcome: Outcome) -> Settlement {
    Settlement {
        verdict,
        code: None,
        message: None,
        request_id: None,
        duration_ms: 40,
        outcome,
    }
}

/// A call at `seconds`, answered at once.
async fn call(ledger: &Fixture, firewall: i64, entries: &[Entry], said: &Settlement, seconds: i64) {
    let call = NewCall {
        firewall,
        list: List::Block,
        action: Action::Add,
        end_time: Some(at(DAY)),
        entries,
        trial: None,
    };
    let at_ms = at(seconds).seconds() * 1000;
    let id = ledger.journal(&call, at_ms).await.unwrap();
    ledger.settle(id, said, at_ms + 40).await.unwrap();
}

#[tokio::test]
async fn samples_thin_out_with_age_and_end_with_the_history() {
    let ledger = fixture().await;
    let keep = Duration::from_secs(9 * 86_400);
    // A row every five minutes for ten days, and then once more at the end.
    let minutes = (0..10 * 1440).step_by(5).chain([10 * 1440 - 5]);
    for minute in minutes {
        ledger.record_sample(&sample(minute), keep).await.unwrap();
    }
    let last = 10 * 1440 - 5;
    let all = ledger.samples(UnixTime::from_seconds(0)).await.unwrap();
    let age = |one: &Sample| last - one.at.seconds() / 60;
    assert!(all.iter().all(|one| age(one) <= 9 * 1440));
    let count = |from: i64, to: i64| {
        let within = |one: &&Sample| (from..to).contains(&age(one));
        all.iter().filter(within).count()
    };
    assert_eq!(count(0, 1440), 288, "five minutes");
    assert_eq!(count(1440 + 10, 2 * 1440 + 10), 144, "ten minutes");
    assert_eq!(count(7 * 1440 + 60, 8 * 1440 + 60), 24, "an hour");
    assert_eq!(all.last(), Some(&sample(last)));
    let few = ledger.samples(at(0)).await.unwrap();
    assert!(few.is_empty());
}

#[tokio::test]
async fn calls_are_counted_once_and_outlive_the_journal() {
    let ledger = fixture().await;
    let firewall = ledger.firewall("prod").await;
    let applied = answer("applied", Outcome::Applied);
    let stopped = answer("stop", Outcome::NotApplied);
    let entries = [entry("45.155.205.7"), entry("45.155.205.8")];
    call(&ledger, firewall, &entries, &applied, 0).await;
    call(&ledger, firewall, &entries[..1], &applied, 1).await;
    call(&ledger, firewall, &entries[..1], &stopped, 2).await;
    let total = |verdict: &str, calls, entries| CallTotal {
        firewall,
        action: Action::Add,
        verdict: verdict.to_owned(),
        calls,
        entries,
        duration_ms: 40 * calls,
    };
    let expected = [total("applied", 2, 3), total("stop", 1, 1)];
    assert_eq!(ledger.call_totals().await.unwrap(), expected);
    assert_eq!(ledger.last_settled(firewall).await.unwrap(), Some(at(2)));
    let keep = Duration::from_secs(3600);
    let swept = ledger.sweep(at(DAY), keep).await.unwrap();
    assert_eq!(swept.calls, 3);
    assert_eq!(ledger.call_totals().await.unwrap(), expected);
}

#[tokio::test]
async fn an_entry_is_first_seen_once() {
    let ledger = fixture().await;
    let firewall = ledger.firewall("prod").await;
    ledger.feed("a", &terms()).await;
    ledger.poll("a", &["45.155.205.7", "45.155.205.8"], 0).await;
    let entries = [entry("45.155.205.7"), entry("45.155.205.8")];
    let applied = answer("applied", Outcome::Applied);
    call(&ledger, firewall, &entries, &applied, 10).await;
    let seen = |confirmed: &[Entry]| Drift {
        confirmed: confirmed.to_vec(),
        ..Drift::default()
    };
    for (confirmed, seconds) in [(&entries[..1], 100), (&entries[..], 200)] {
        ledger
            .store_read_back(firewall, &seen(confirmed), &[], at(0), at(seconds))
            .await
            .unwrap();
    }
    let first = |seconds| ledger.first_seen(firewall, at(seconds), 10);
    let span = |seconds| vec![Duration::from_secs(seconds)];
    assert_eq!(first(100).await.unwrap(), span(100));
    assert_eq!(first(200).await.unwrap(), span(200));
    assert_eq!(first(150).await.unwrap(), Vec::<Duration>::new());
}

/// A ledger from before there were samples: its calls are counted, and what was confirmed was seen.
#[tokio::test]
async fn a_ledger_from_before_keeps_its_rows() {
    let ledger = fixture().await;
    let firewall = ledger.firewall("prod").await;
    let applied = answer("applied", Outcome::Applied);
    call(&ledger, firewall, &[entry("45.155.205.7")], &applied, 0).await;
    ledger
        .execute("UPDATE leases SET confirmed_at = set_at + 5")
        .await;
    ledger.go_back_to(2).await;
    let path = ledger.path().to_owned();
    ledger.close().await;
    let ledger = Ledger::open(&path).await.unwrap();
    let totals = ledger.call_totals().await.unwrap();
    assert_eq!(
        (totals.len(), totals[0].calls, totals[0].entries),
        (1, 1, 1)
    );
    let seen: Option<i64> = sqlx::query_scalar("SELECT seen_at FROM leases")
        .fetch_one(&ledger.readers)
        .await
        .unwrap();
    assert_eq!(seen, Some(at(5).seconds()));
}
