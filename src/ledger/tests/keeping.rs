//! Held bodies, approvals, dropped feeds, and what the config no longer has.

use super::*;
use crate::plan::Bar;

#[tokio::test]
async fn a_held_body_waits_for_the_operator_s_word() {
    let ledger = fixture().await;
    let feed = ledger.feed("a", &terms()).await.id;
    assert!(ledger.held_snapshot(feed).await.unwrap().is_none());
    assert!(!ledger.approve_snapshot(feed, at(0)).await.unwrap());
    ledger
        .hold_snapshot(feed, &[1; 32], b"<html>", "it is HTML", at(10))
        .await
        .unwrap();
    ledger
        .hold_snapshot(feed, &[1; 32], b"<html>", "it is HTML still", at(20))
        .await
        .unwrap();
    let held = ledger.held_snapshot(feed).await.unwrap().unwrap();
    assert_eq!((held.held_at, held.approved_at), (at(10), None));
    assert_eq!(
        (held.reason.as_str(), held.sha256.as_slice()),
        ("it is HTML still", [1; 32].as_slice())
    );
    assert_eq!(ledger.held_body(feed).await.unwrap().unwrap(), b"<html>");
    assert!(ledger.approve_snapshot(feed, at(30)).await.unwrap());
    assert_eq!(ledger.feed_row("a").await.next_poll, None);
    // The same body keeps its approval, another one does not get it.
    ledger
        .hold_snapshot(feed, &[1; 32], b"<html>", "again", at(40))
        .await
        .unwrap();
    assert_eq!(
        ledger
            .held_snapshot(feed)
            .await
            .unwrap()
            .unwrap()
            .approved_at,
        Some(at(30))
    );
    ledger
        .hold_snapshot(feed, &[2; 32], b"<HTML>", "it is HTML", at(50))
        .await
        .unwrap();
    let held = ledger.held_snapshot(feed).await.unwrap().unwrap();
    assert_eq!((held.held_at, held.approved_at), (at(50), None));
    ledger.forget_held(feed).await.unwrap();
    assert!(ledger.held_snapshot(feed).await.unwrap().is_none());
    ledger
        .hold_snapshot(feed, &[3; 32], b"", "it is empty", at(60))
        .await
        .unwrap();
    ledger.poll("a", &["9.9.9.9"], 70).await;
    assert!(
        ledger.held_body(feed).await.unwrap().is_none(),
        "a good body makes it moot"
    );
}

#[tokio::test]
async fn a_held_body_is_kept_in_pieces_and_given_back_whole() {
    let ledger = fixture().await;
    let feed = ledger.feed("a", &terms()).await.id;
    let body: Vec<u8> = (0..(5usize << 20) / 2)
        .map(|place| u8::try_from(place % 251).unwrap_or(0))
        .collect();
    // What a keeping that was broken off left behind is no part of the next one.
    ledger
        .hold_snapshot(
            feed,
            &[1; 32],
            &[&body[..], &body[..]].concat(),
            "it grew",
            at(0),
        )
        .await
        .unwrap();
    ledger.execute("DELETE FROM held_snapshots").await;
    assert!(ledger.held_body(feed).await.unwrap().is_none());
    ledger
        .hold_snapshot(feed, &[2; 32], &body, "it grew", at(10))
        .await
        .unwrap();
    assert!(ledger.held_body(feed).await.unwrap().unwrap() == body);
}

#[tokio::test]
async fn a_dropped_feed_is_withdrawn_at_once_and_read_anew() {
    let ledger = fixture().await;
    assert_eq!(ledger.drop_feed(&name("a"), at(0)).await.unwrap(), None);
    let feed = ledger.feed("a", &terms()).await;
    let records: Vec<Record> = (0..12_001u32)
        .map(|n| record(&std::net::Ipv4Addr::from(0x0b00_0000 + n).to_string()))
        .collect();
    ledger.poll_records("a", records.clone(), 0).await;
    let fewer = records[1..].to_vec();
    ledger.poll_records("a", fewer.clone(), 10).await;
    ledger
        .hold_snapshot(feed.id, &[1; 32], b"x", "it shrank", at(15))
        .await
        .unwrap();
    assert_eq!(
        ledger.drop_feed(&name("a"), at(20)).await.unwrap(),
        Some(12_001)
    );
    let all = ledger.all_listings("a").await;
    assert!(
        all.iter()
            .all(|listing| listing.is_withdrawn() && listing.expires_at == Some(at(20)))
    );
    let row = ledger.feed_row("a").await;
    assert_eq!(
        (row.listed, row.recipe, row.body_sha256, row.next_poll),
        (0, None, None, Some(at(3600))),
        "it is read anew when it is due, and not at once"
    );
    assert_eq!(
        (row.last_change, row.dropped_at),
        (Some(at(20)), Some(at(20)))
    );
    let some = [
        indicator("11.0.0.0"),
        indicator("11.0.0.1"),
        indicator("9.9.9.9"),
    ];
    assert_eq!(ledger.dropped(&some, at(19)).await.unwrap().0, some[..2]);
    assert_eq!(ledger.dropped(&some, at(20)).await.unwrap().0, []);
    assert!(ledger.held_body(feed.id).await.unwrap().is_none());
    assert_eq!(ledger.drop_feed(&name("a"), at(30)).await.unwrap(), Some(0));
    assert_eq!(ledger.poll_records("a", fewer, 40).await.relisted, 12_000);
}

#[tokio::test]
async fn an_approval_of_deletes_counts_for_its_time() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    assert_eq!(ledger.delete_approval(prod, at(0)).await.unwrap(), 0);
    ledger.approve_deletes(prod, 700, at(100)).await.unwrap();
    assert_eq!(ledger.delete_approval(prod, at(99)).await.unwrap(), 700);
    assert_eq!(ledger.delete_approval(prod, at(100)).await.unwrap(), 0);
    ledger.approve_deletes(prod, 5, at(200)).await.unwrap();
    assert_eq!(ledger.delete_approval(prod, at(99)).await.unwrap(), 5);
}

#[tokio::test]
async fn what_leaves_the_config_stays_until_it_has_run_out() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    ledger.feed("a", &terms()).await;
    ledger.poll("a", &["9.9.9.9"], 0).await;
    ledger.feed("b", &terms()).await;
    ledger.firewall("other").await;
    let feeds = ledger.feeds().await.unwrap();
    let seen: Vec<_> = feeds
        .iter()
        .map(|feed| (feed.name.as_str(), feed.configured))
        .collect();
    assert_eq!(seen, [("a", false), ("b", true)]);
    let firewalls = ledger.firewalls().await.unwrap();
    let seen: Vec<_> = firewalls
        .iter()
        .map(|row| (row.name.as_str(), row.configured))
        .collect();
    assert_eq!(seen, [("other", true), ("prod", false)]);
    // It comes back as the one that it was.
    assert_eq!(ledger.firewall("prod").await, prod);
    let again = ledger.feed("a", &terms()).await;
    assert_eq!(
        (again.listed, again.last_good, again.next_poll),
        (1, Some(at(0)), Some(at(3600)))
    );
}

#[tokio::test]
async fn a_feed_s_terms_are_read_as_they_were_configured() {
    let ledger = fixture().await;
    let odd = FeedTerms {
        ttl: Duration::from_secs(1),
        confidence: 100,
        directions: Some(crate::model::Directions::IN),
        list: List::Allow,
        mode: Mode::Incremental,
        on_delist: OnDelist::Withdraw,
        max_age: Some(Duration::from_secs(9)),
    };
    for terms in [terms(), odd, terms()] {
        assert_eq!(ledger.feed("a", &terms).await.terms, terms);
    }
    ledger.poll("a", &["9.9.9.9"], 0).await;
    let name = name("a");
    assert_eq!(
        ledger.feed("a", &terms()).await.next_poll,
        Some(at(3600)),
        "a restart alone makes nothing due"
    );
    let recipe = "csv".to_owned();
    ledger
        .configure_feeds([(&name, &terms(), recipe)])
        .await
        .unwrap();
    assert_eq!(
        ledger.feed_row("a").await.next_poll,
        None,
        "another recipe makes it due"
    );
}

#[tokio::test]
async fn a_feed_that_never_came_keeps_its_pause_over_a_restart() {
    let ledger = fixture().await;
    let feed = ledger.feed("a", &terms()).await;
    assert_eq!((feed.next_poll, feed.state), (None, FeedState::New));
    let outcome = PollOutcome {
        at: at(0),
        next_poll: at(900),
        state: FeedState::Failed,
        trouble: Some("no such host".to_owned()),
    };
    ledger.record_poll(feed.id, &outcome).await.unwrap();
    assert_eq!(ledger.feed("a", &terms()).await.next_poll, Some(at(900)));
}

#[tokio::test]
async fn trouble_and_plans_of_a_firewall_are_kept() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    let row = async || {
        ledger
            .ledger
            .firewall(&name("prod"))
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(row().await.plan, None);
    let mut bar = Bar::default();
    bar.lowest = Some(600_000);
    let plan = PlanSummary {
        at: at(1),
        desired: 20,
        pending: 3,
        left_out: r#"{"quota":7}"#.to_owned(),
        wanted_deletes: 5,
        allowed_deletes: 3,
        held_deletes: 2,
        bar,
        made_of: "4f".to_owned(),
        next_due: Some(at(90)),
    };
    ledger.record_plan(prod, &plan).await.unwrap();
    ledger
        .hold_firewall(prod, at(60), "the keys are wrong", at(10))
        .await
        .unwrap();
    ledger
        .hold_firewall(prod, at(120), "the keys are wrong", at(60))
        .await
        .unwrap();
    let held = row().await;
    assert_eq!(held.plan, Some(plan));
    assert_eq!(
        (held.not_before, held.trouble_since, held.failures),
        (Some(at(120)), Some(at(10)), 2)
    );
    ledger.release_firewall(prod).await.unwrap();
    let free = row().await;
    assert_eq!(
        (free.not_before, free.trouble, free.failures),
        (None, None, 0)
    );
}
