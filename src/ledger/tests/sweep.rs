//! Housekeeping and copies.

use super::*;
use crate::model::{Action, Direction, Entry};

use std::os::unix::fs::PermissionsExt as _;

const KEEP: Duration = Duration::from_secs(90 * 86_400);

fn ms(seconds: i64) -> i64 {
    (NOW + seconds) * 1000
}

async fn sweep(ledger: &Fixture, seconds: i64) -> Swept {
    ledger.sweep(at(seconds), KEEP).await.unwrap()
}

fn addresses(count: u8) -> Vec<Entry> {
    let entry = |n| Entry {
        list: List::Block,
        indicator: indicator(&format!("45.0.0.{n}")),
        direction: Direction::In,
    };
    (1..=count).map(entry).collect()
}

fn taken() -> Settlement {
    Settlement {
        verdict: "applied",
        code: None,
        message: None,
        request_id: None,
        duration_ms: 1,
        outcome: Outcome::Applied,
    }
}

fn many(count: u32) -> Vec<Record> {
    (0..count)
        .map(|n| record(&std::net::Ipv4Addr::from(0x0b00_0000 + n).to_string()))
        .collect()
}

#[tokio::test]
async fn a_ledger_with_nothing_due_is_not_written_to() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    ledger.firewall("prod").await;
    ledger.poll("a", &["9.9.9.9", "9.9.9.8"], 0).await;
    ledger.poll("a", &["9.9.9.8"], 10).await;
    let before = ledger.rows_written().await;
    assert_eq!(sweep(&ledger, TTL + 90 * DAY - 1).await, Swept::default());
    assert_eq!(ledger.rows_written().await, before);
}

#[tokio::test]
async fn listings_leave_once_they_have_ended_for_long_enough() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    let mut records = many(4_500);
    ledger.poll_records("a", records.clone(), 0).await;
    let kept = records.split_off(4_400);
    ledger.poll_records("a", kept.clone(), 10).await;
    // Delisted at 10, last listed at 0, ended a ttl later.
    assert_eq!(sweep(&ledger, TTL + 90 * DAY - 1).await.listings, 0);
    let swept = sweep(&ledger, TTL + 90 * DAY).await;
    assert_eq!(
        swept,
        Swept {
            listings: 4_400,
            ..Swept::default()
        }
    );
    assert_eq!(ledger.all_listings("a").await.len(), kept.len());
    // A silent feed's listings have no end of their own, and stay while it is in the config.
    assert_eq!(sweep(&ledger, 4_000 * DAY).await, Swept::default());
}

#[tokio::test]
async fn a_listing_swept_away_while_it_came_back_is_listed() {
    let ledger = fixture().await;
    let feed = ledger.feed("a", &terms()).await;
    let records = many(30_000);
    ledger.poll_records("a", records.clone(), 0).await;
    ledger.poll_records("a", Vec::new(), 10).await;
    let late = at(TTL + 90 * DAY);
    let row = ledger.feed_row("a").await;
    let good = body();
    let (recorded, swept) = tokio::join!(
        ledger.record_body(&row, &good, records.clone().into_iter(), late),
        ledger.sweep(late, KEEP)
    );
    assert_eq!(recorded.unwrap().listed, 30_000);
    swept.unwrap();
    let all = ledger.all_listings("a").await;
    let listed = all.iter().filter(|listing| listing.expires_at.is_none());
    assert_eq!(listed.count(), 30_000, "of feed {}", feed.id);
}

#[tokio::test]
async fn a_feed_that_left_the_config_leaves_with_its_last_listing() {
    let ledger = fixture().await;
    ledger.feed("gone", &terms()).await;
    ledger.poll_records("gone", many(4_500), 0).await;
    let gone = ledger.feed_row("gone").await.id;
    ledger
        .hold_snapshot(gone, &[1; 32], b"x", "it shrank", at(10))
        .await
        .unwrap();
    ledger.feed("empty", &terms()).await;
    let half = ledger.feed("half", &terms()).await;
    // A first load that was broken off: listings, and no good fetch.
    let mut tx = ledger.begin().await.unwrap();
    sqlx::query("INSERT INTO listings (feed_id, key, first_listed) VALUES (?, x'0109090909', 0)")
        .bind(half.id)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    ledger.feed("stays", &terms()).await;
    let swept = sweep(&ledger, 20).await;
    assert_eq!(
        swept,
        Swept {
            listings: 1,
            feeds: 2,
            ..Swept::default()
        }
    );
    // The latest of its listings ends at one and a half ttls.
    assert_eq!(
        sweep(&ledger, TTL * 3 / 2 + 90 * DAY - 1).await,
        Swept::default()
    );
    let swept = sweep(&ledger, TTL * 3 / 2 + 90 * DAY).await;
    assert_eq!(
        swept,
        Swept {
            listings: 4_500,
            feeds: 1,
            ..Swept::default()
        }
    );
    let left: Vec<String> = ledger
        .feeds()
        .await
        .unwrap()
        .iter()
        .map(|feed| feed.name.to_string())
        .collect();
    assert_eq!(left, ["stays"]);
}

#[tokio::test]
async fn calls_and_firewalls_leave_when_their_time_is_over() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    let entries: Vec<Entry> = addresses(2);
    let call = |end_time| NewCall {
        firewall: prod,
        list: List::Block,
        action: Action::Add,
        end_time: Some(end_time),
        entries: &entries,
        trial: None,
    };
    for second in [0, 10, DAY] {
        let id = ledger
            .journal(&call(at(2 * DAY)), ms(second))
            .await
            .unwrap();
        ledger.settle(id, &taken(), ms(second + 1)).await.unwrap();
    }
    ledger.journal(&call(at(2 * DAY)), ms(20)).await.unwrap();
    ledger
        .learn(prod, "quota", Some(9), "LimitExceeded", at(DAY))
        .await
        .unwrap();
    ledger.approve_deletes(prod, 9, at(DAY)).await.unwrap();
    assert_eq!(sweep(&ledger, 2 * DAY - 1).await, Swept::default());
    assert_eq!(
        sweep(&ledger, 2 * DAY).await,
        Swept {
            learned: 1,
            ..Swept::default()
        }
    );
    let swept = sweep(&ledger, 90 * DAY + 20).await;
    assert_eq!(
        swept,
        Swept {
            calls: 3,
            ..Swept::default()
        }
    );
    // It leaves the config; its last call keeps it, and so would a lease.
    ledger.firewall("other").await;
    assert_eq!(sweep(&ledger, 91 * DAY).await, Swept::default());
    ledger
        .configure_firewalls([&name("prod"), &name("other")])
        .await
        .unwrap();
    ledger.drop_ended_leases(prod, at(91 * DAY)).await.unwrap();
    let swept = sweep(&ledger, 91 * DAY + 1).await;
    assert_eq!(
        swept,
        Swept {
            calls: 1,
            ..Swept::default()
        }
    );
    ledger.firewall("other").await;
    let swept = sweep(&ledger, 91 * DAY + 1).await;
    assert_eq!(
        swept,
        Swept {
            firewalls: 1,
            ..Swept::default()
        }
    );
    for table in [
        "SELECT count(*) FROM learned",
        "SELECT count(*) FROM delete_approvals",
    ] {
        assert_eq!(ledger.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_copy_is_a_ledger_and_overwrites_nothing() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    ledger.poll_records("a", many(3_000), 0).await;
    let path = ledger.dir.path().join("copy.db");
    let bytes = ledger.backup(&path).await.unwrap();
    let meta = std::fs::metadata(&path).unwrap();
    assert_eq!(
        (meta.len(), meta.permissions().mode() & 0o777),
        (bytes, 0o600)
    );
    ledger.poll_records("a", many(10), 10).await;
    let fault = ledger.backup(&path).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Backup { .. }), "{fault}");
    let fault = ledger
        .backup(&ledger.dir.path().join("no/copy.db"))
        .await
        .unwrap_err();
    assert!(matches!(fault, LedgerError::Backup { .. }), "{fault}");
    let copy = Ledger::open(&path).await.unwrap();
    let feed = copy.feed(&name("a")).await.unwrap().unwrap();
    assert_eq!((feed.listed, feed.last_good), (3_000, Some(at(0))));
}

#[tokio::test]
async fn what_is_swept_goes_back_to_the_disk() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    ledger.poll_records("a", many(300_000), 0).await;
    ledger.poll_records("a", many(10), 10).await;
    let pages = async || ledger.count("PRAGMA page_count").await;
    let full = pages().await;
    let swept = sweep(&ledger, TTL + 90 * DAY).await;
    assert_eq!(swept.listings, 299_990);
    let left = pages().await;
    assert!(left < full / 2, "{left} of {full} pages are left");
    assert!(swept.bytes >= u64::try_from((full - left) * 4096).unwrap());
    assert_eq!(ledger.all_listings("a").await.len(), 10);
}
