//! Recording bodies: what is written, in which order, and how much of it.

use super::*;

fn ends(listing: &Listing) -> (Option<i64>, Option<i64>) {
    let relative = |time: UnixTime| time.seconds() - NOW;
    (
        listing.expires_at.map(relative),
        listing.delisted_at.map(relative),
    )
}

fn delta(numbers: [u64; 5]) -> Delta {
    let [added, relisted, renewed, delisted, listed] = numbers;
    Delta {
        added,
        relisted,
        renewed,
        delisted,
        listed,
    }
}

/// Some rows of every class, with separators and zeros among their bytes.
fn every_class(count: u16) -> Vec<Record> {
    let mut records = vec![
        record("44.58.44.58"),
        record("58.0.0.44"),
        record("2c3a:2c3a::3a2c"),
        record("44.58.0.0/16"),
        record("2c3a::/32"),
        record(&long_domain()),
    ];
    for n in 0..count {
        let [high, low] = n.to_be_bytes();
        records.push(record(&format!("9.{high}.{low}.0")));
        records.push(record(&format!("2001:db8:{n:x}::2c3a")));
        records.push(record(&format!("10.{high}.{low}.0/24")));
        records.push(record(&format!("2001:db8:{n:x}::/48")));
        records.push(record(&format!("h{n}.bad-host.example.com")));
    }
    records.sort_by(|one, other| one.indicator.cmp(&other.indicator));
    records
}

/// 253 bytes, the longest name there is.
fn long_domain() -> String {
    let label = "a".repeat(61);
    let text = format!("{label}.{label}.{label}.{label}.x.com");
    assert!(text.len() <= 253);
    format!("{}{text}", "b".repeat(253 - text.len()))
}

fn indicators(records: &[Record]) -> Vec<Indicator> {
    records
        .iter()
        .map(|record| record.indicator.clone())
        .collect()
}

fn listed(listings: &[Listing]) -> Vec<Indicator> {
    listings
        .iter()
        .filter(|listing| listing.delisted_at.is_none())
        .map(|listing| listing.indicator.clone())
        .collect()
}

#[tokio::test]
async fn a_load_then_the_same_then_a_change() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    let first = ["9.9.9.9", "10.0.0.0/8", "bad.example.org"];
    assert_eq!(ledger.poll("a", &first, 0).await, delta([3, 0, 0, 0, 3]));
    assert_eq!(ledger.poll("a", &first, 10).await, delta([0, 0, 0, 0, 3]));
    let feed = ledger.feed_row("a").await;
    assert_eq!(
        (feed.last_good, feed.last_change),
        (Some(at(10)), Some(at(0)))
    );
    assert_eq!((feed.listed, feed.rejected, feed.polls), (3, 2, 2));
    assert_eq!(feed.validators.etag.as_deref(), Some("\"1\""));
    assert_eq!(feed.body_sha256.as_deref(), Some([7; 32].as_slice()));
    let second = ["9.9.9.9", "9.9.9.10", "bad.example.org"];
    assert_eq!(ledger.poll("a", &second, 20).await, delta([1, 0, 0, 1, 3]));
    assert_eq!(ledger.feed_row("a").await.last_change, Some(at(20)));
    let all = ledger.all_listings("a").await;
    let texts: Vec<String> = all.iter().map(|one| one.indicator.to_string()).collect();
    assert_eq!(
        texts,
        ["9.9.9.9", "9.9.9.10", "10.0.0.0/8", "bad.example.org"]
    );
    assert_eq!(all[0].first_listed, at(0));
    assert_eq!(all[1].first_listed, at(20));
    // Last listed by the fetch of second 10.
    assert_eq!(ends(&all[2]), (Some(10 + TTL), Some(20)));
}

#[tokio::test]
async fn keys_of_every_class_keep_their_order_over_many_windows() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    let records = every_class(5_100);
    assert_eq!(records.len(), 25_506);
    let all = ledger.poll_records("a", records.clone(), 0).await;
    assert_eq!(all, delta([25_506, 0, 0, 0, 25_506]));
    assert_eq!(
        listed(&ledger.all_listings("a").await),
        indicators(&records)
    );
    assert_eq!(
        ledger.one_listing("a", &long_domain()).await.first_listed,
        at(0)
    );
    // Around the edges of windows and chunks, and at both ends.
    let gone = [
        0, 1, 4_999, 5_000, 9_998, 9_999, 10_000, 10_001, 19_999, 20_000, 25_505,
    ];
    let mut fewer: Vec<Record> = records.clone();
    for place in gone.iter().rev() {
        fewer.remove(*place);
    }
    let some = ledger.poll_records("a", fewer.clone(), 10).await;
    assert_eq!(some, delta([0, 0, 0, 11, 25_495]));
    assert_eq!(listed(&ledger.all_listings("a").await), indicators(&fewer));
    let back = ledger.poll_records("a", records.clone(), 20).await;
    assert_eq!(back, delta([0, 11, 0, 0, 25_506]));
    // And the other way round: a few rows first, all of them after.
    ledger.feed("b", &terms()).await;
    let edges = gone.iter().map(|place| records[*place].clone()).collect();
    ledger.poll_records("b", edges, 0).await;
    let rest = ledger.poll_records("b", records.clone(), 10).await;
    assert_eq!(rest, delta([25_495, 0, 0, 0, 25_506]));
    assert_eq!(
        listed(&ledger.all_listings("b").await),
        indicators(&records)
    );
}

#[tokio::test]
async fn words_that_change_are_written_and_others_are_not() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    let dated = |valid: Option<i64>, dated: Option<i64>, confidence| Record {
        valid_until: valid.map(at),
        dated: dated.map(at),
        confidence,
        ..record("9.9.9.9")
    };
    let words = [
        (None, None, None),
        (Some(500), None, None),
        (Some(600), Some(-10), None),
        (Some(600), Some(-10), Some(90)),
        (None, Some(-3_000_000_000), Some(1)),
        (None, None, None),
    ];
    for (second, (valid, date, confidence)) in (0..).zip(words) {
        let record = dated(valid, date, confidence);
        let both = vec![super::record("8.8.4.4"), record.clone()];
        let polled = ledger.poll_records("a", both, second).await;
        let renewed = u64::from(second > 0);
        assert_eq!((polled.renewed, polled.listed), (renewed, 2), "{second}");
        let listing = ledger.one_listing("a", "9.9.9.9").await;
        assert_eq!(listing.valid_until, record.valid_until);
        assert_eq!(listing.dated, record.dated);
        assert_eq!(listing.confidence, confidence);
        assert_eq!(ends(&listing), (None, None));
        assert_eq!(listing.first_listed, at(0));
    }
}

#[tokio::test]
async fn what_is_gone_ages_out_or_is_withdrawn() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    ledger.poll("a", &["9.9.9.9", "9.9.9.8"], 0).await;
    ledger.not_modified("a", 3600).await;
    assert_eq!(ledger.poll("a", &["9.9.9.8"], 7200).await.delisted, 1);
    let aged = ledger.one_listing("a", "9.9.9.9").await;
    assert_eq!(ends(&aged), (Some(3600 + TTL), Some(7200)));
    assert!(!aged.is_withdrawn());
    let withdrawing = FeedTerms {
        on_delist: OnDelist::Withdraw,
        ..terms()
    };
    ledger.feed("a", &withdrawing).await;
    assert_eq!(ledger.poll("a", &[], 9000).await.delisted, 1);
    let withdrawn = ledger.one_listing("a", "9.9.9.8").await;
    assert_eq!(ends(&withdrawn), (Some(9000), Some(9000)));
    assert!(withdrawn.is_withdrawn());
    // What aged before is not touched again.
    assert_eq!(ledger.one_listing("a", "9.9.9.9").await, aged);
}

#[tokio::test]
async fn what_comes_back_within_its_ttl_is_the_same_claim_and_later_a_new_one() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    ledger.poll("a", &["9.9.9.9"], 0).await;
    ledger.poll("a", &[], 100).await;
    assert_eq!(ledger.poll("a", &["9.9.9.9"], 100 + TTL).await.relisted, 1);
    let listing = ledger.one_listing("a", "9.9.9.9").await;
    assert_eq!(
        (listing.first_listed, ends(&listing)),
        (at(0), (None, None))
    );
    ledger.poll("a", &[], 200 + TTL).await;
    let late = 201 + 2 * TTL;
    assert_eq!(ledger.poll("a", &["9.9.9.9"], late).await.relisted, 1);
    let listing = ledger.one_listing("a", "9.9.9.9").await;
    assert_eq!(
        (listing.first_listed, ends(&listing)),
        (at(late), (None, None))
    );
}

#[tokio::test]
async fn what_was_listed_again_twice_is_aged_out_from_then_on() {
    let ledger = fixture().await;
    let withdrawing = FeedTerms {
        on_delist: OnDelist::Withdraw,
        ..terms()
    };
    ledger.feed("a", &withdrawing).await;
    let mut gone = Vec::new();
    for round in 0..5 {
        ledger.poll("a", &["9.9.9.9"], round * 1000).await;
        ledger.poll("a", &[], round * 1000 + 500).await;
        gone.push(ledger.one_listing("a", "9.9.9.9").await.is_withdrawn());
    }
    assert_eq!(gone, [true, true, false, false, false]);
    // Away for longer than its ttl, it begins anew.
    ledger.poll("a", &["9.9.9.9"], 5000 + TTL).await;
    ledger.poll("a", &[], 6000 + TTL).await;
    assert!(ledger.one_listing("a", "9.9.9.9").await.is_withdrawn());
}

#[tokio::test]
async fn an_incremental_listing_has_its_own_end_and_silence_means_nothing() {
    let ledger = fixture().await;
    let adding = FeedTerms {
        mode: Mode::Incremental,
        ..terms()
    };
    ledger.feed("a", &adding).await;
    assert_eq!(
        ledger.poll("a", &["9.9.9.9", "9.9.9.8"], 0).await,
        delta([2, 0, 0, 0, 2])
    );
    assert_eq!(
        ledger.poll("a", &["9.9.9.8", "9.9.9.7"], 1000).await,
        delta([1, 0, 1, 0, 3])
    );
    assert_eq!(ledger.poll("a", &[], 2000).await, delta([0, 0, 0, 0, 3]));
    ledger.not_modified("a", 3000).await;
    for (text, end) in [
        ("9.9.9.9", TTL),
        ("9.9.9.8", TTL + 1000),
        ("9.9.9.7", TTL + 1000),
    ] {
        assert_eq!(
            ends(&ledger.one_listing("a", text).await),
            (Some(end), None)
        );
    }
    // One of them has ended, and is no longer counted; named again, it is a new claim.
    assert_eq!(ledger.poll("a", &[], TTL).await, delta([0, 0, 0, 0, 2]));
    assert_eq!(
        ledger.poll("a", &["9.9.9.9"], TTL + 5).await,
        delta([0, 1, 0, 0, 3])
    );
    let again = ledger.one_listing("a", "9.9.9.9").await;
    assert_eq!(again.first_listed, at(TTL + 5));
    assert_eq!(ends(&again), (Some(2 * TTL + 5), None));
}

#[tokio::test]
async fn a_snapshot_feed_that_becomes_incremental_gives_every_listing_an_end() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    ledger.poll("a", &["9.9.9.9", "9.9.9.8"], 0).await;
    let adding = FeedTerms {
        mode: Mode::Incremental,
        ..terms()
    };
    let feed = ledger.feed("a", &adding).await;
    // The body must be read anew, or what is listed would keep the end that a snapshot feed derives.
    assert_eq!(
        (feed.body_sha256, feed.validators.etag, feed.next_poll),
        (None, None, None)
    );
    assert_eq!(ledger.poll("a", &["9.9.9.8"], 1000).await.listed, 2);
    assert_eq!(
        ends(&ledger.one_listing("a", "9.9.9.9").await),
        (Some(TTL), None)
    );
    assert_eq!(
        ends(&ledger.one_listing("a", "9.9.9.8").await),
        (Some(TTL + 1000), None)
    );
}

#[tokio::test]
async fn an_incremental_feed_that_becomes_a_snapshot_revives_nothing() {
    let ledger = fixture().await;
    let adding = FeedTerms {
        mode: Mode::Incremental,
        ..terms()
    };
    ledger.feed("a", &adding).await;
    ledger.poll("a", &["9.9.9.1"], 0).await;
    ledger.poll("a", &["9.9.9.2", "9.9.9.3"], TTL / 2).await;
    ledger.not_modified("a", TTL + 10).await;
    let feed = ledger.feed("a", &terms()).await;
    assert_eq!((feed.body_sha256, feed.next_poll), (None, None));
    let polled = ledger.poll("a", &["9.9.9.3"], TTL + 20).await;
    assert_eq!(polled, delta([0, 0, 1, 1, 1]));
    // Ended long before: it stays ended.
    assert_eq!(
        ends(&ledger.one_listing("a", "9.9.9.1").await),
        (Some(TTL), None)
    );
    // Delisted now: it keeps the end that it had, not one counted from a fetch that did not name it.
    assert_eq!(
        ends(&ledger.one_listing("a", "9.9.9.2").await),
        (Some(TTL / 2 + TTL), Some(TTL + 20))
    );
    assert_eq!(
        ends(&ledger.one_listing("a", "9.9.9.3").await),
        (None, None)
    );
}

#[tokio::test]
async fn the_cost_follows_the_change() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    let records = every_class(2_400);
    ledger.poll_records("a", records.clone(), 0).await;
    let mut changed = records.clone();
    changed.remove(6_000);
    changed.remove(2);
    changed.push(record("9.255.255.255"));
    changed[100].confidence = Some(5);
    let before = ledger.rows_written().await;
    ledger.poll_records("a", changed, 10).await;
    // Two gone, one new, one changed; the word that there was a change; the feed's row.
    assert_eq!(ledger.rows_written().await - before, 6);
    let before = ledger.rows_written().await;
    ledger.not_modified("a", 20).await;
    assert_eq!(ledger.rows_written().await - before, 1);
    assert_eq!(ledger.feed_row("a").await.last_good, Some(at(20)));
}

#[tokio::test]
async fn an_unchanged_body_costs_the_feed_s_row_alone() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    let records = every_class(100);
    ledger.poll_records("a", records.clone(), 0).await;
    let before = ledger.rows_written().await;
    ledger.poll_records("a", records, 10).await;
    assert_eq!(ledger.rows_written().await - before, 1);
}

#[tokio::test]
async fn a_poll_that_failed_renews_nothing() {
    let ledger = fixture().await;
    let feed = ledger.feed("a", &terms()).await;
    ledger.poll("a", &["9.9.9.9"], 0).await;
    for (times, state) in [(1, FeedState::Failed), (2, FeedState::Held)] {
        let outcome = PollOutcome {
            at: at(100),
            next_poll: at(200),
            state,
            trouble: Some("the publisher answered 500".to_owned()),
        };
        ledger.record_poll(feed.id, &outcome).await.unwrap();
        let feed = ledger.feed_row("a").await;
        assert_eq!(
            (feed.last_good, feed.last_poll),
            (Some(at(0)), Some(at(100)))
        );
        assert_eq!((feed.failures, feed.state), (times, state));
        assert!(feed.trouble.is_some());
    }
    ledger.not_modified("a", 300).await;
    let feed = ledger.feed_row("a").await;
    assert_eq!((feed.failures, feed.trouble), (0, None));
}

#[tokio::test]
async fn what_ended_before_a_moment_can_be_left_out() {
    let ledger = fixture().await;
    let feed = ledger.feed("a", &terms()).await;
    let records = every_class(4_200);
    ledger.poll_records("a", records.clone(), 0).await;
    // More than a window of rows that have ended, and live ones behind them.
    let live: Vec<Record> = records[20_500..].to_vec();
    ledger.poll_records("a", live.clone(), 10).await;
    let mut chunks = ledger.listings(feed.id).ended_after(at(TTL));
    let mut left = Vec::new();
    loop {
        let chunk = chunks.next_chunk().await.unwrap();
        if chunk.is_empty() {
            break;
        }
        left.extend(listed(&chunk));
    }
    assert_eq!(left, indicators(&live));
    assert!(chunks.next_chunk().await.unwrap().is_empty());
    assert_eq!(ledger.all_listings("a").await.len(), records.len());
}
