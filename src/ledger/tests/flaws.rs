//! Recordings that are broken off.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::*;

/// Polls `future` so many times and drops it.
async fn broken_off<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

fn address(n: u32) -> Record {
    let ip = std::net::Ipv4Addr::from(0x0b00_0000 + n);
    Record {
        indicator: Indicator::from_ip(ip.into()),
        confidence: None,
        valid_until: None,
        dated: None,
    }
}

/// Every third of them is gone, every fifth has other words, as many are new.
fn before_and_after() -> (Vec<Record>, Vec<Record>) {
    let before: Vec<Record> = (0..16_000).map(|n| address(n * 2)).collect();
    let mut after: Vec<Record> = Vec::new();
    for (n, record) in (0u32..).zip(&before) {
        match n % 15 {
            0 | 3 | 6 | 9 | 12 => after.push(address(n * 2 + 1)),
            5 | 10 => after.push(Record {
                confidence: Some(77),
                ..record.clone()
            }),
            _ => after.push(record.clone()),
        }
    }
    (before, after)
}

/// Without the times of first listing and delisting, which tell when each row was written.
fn claims(listings: Vec<Listing>) -> Vec<Listing> {
    listings
        .into_iter()
        .map(|listing| Listing {
            first_listed: at(0),
            delisted_at: listing.delisted_at.map(|_| at(0)),
            ..listing
        })
        .collect()
}

#[tokio::test]
async fn a_recording_broken_off_anywhere_is_made_good_by_the_next() {
    let (before, after) = before_and_after();
    let whole = fixture().await;
    whole.feed("a", &terms()).await;
    whole.poll_records("a", before.clone(), 0).await;
    whole.poll_records("a", after.clone(), 100).await;
    let expected = claims(whole.all_listings("a").await);
    let mut breaks = 0;
    for times in 1.. {
        let ledger = fixture().await;
        ledger.feed("a", &terms()).await;
        ledger.poll_records("a", before.clone(), 0).await;
        let feed = ledger.feed_row("a").await;
        let other = GoodBody {
            sha256: [8; 32],
            ..body()
        };
        let recording = ledger.record_body(&feed, &other, after.clone().into_iter(), at(100));
        if broken_off(recording, times).await.is_some() {
            break;
        }
        breaks += 1;
        // Until the last commit the old body's hash and time count; what is written so far is no lie.
        let now = ledger.feed_row("a").await;
        if now.last_good == Some(at(0)) {
            assert_eq!(now.body_sha256.as_deref(), Some([7; 32].as_slice()));
        }
        ledger.poll_records("a", after.clone(), 200).await;
        assert_eq!(
            claims(ledger.all_listings("a").await),
            expected,
            "after {times} polls"
        );
    }
    assert!(breaks > 5, "broken off {breaks} times");
}

#[tokio::test]
async fn a_first_load_that_breaks_off_is_not_believed() {
    let (before, _) = before_and_after();
    let mut breaks = 0;
    // How much is done by so many polls depends on the machine; by the first it is never all.
    for times in 1..=6 {
        let ledger = fixture().await;
        let feed = ledger.feed("a", &terms()).await;
        let good = body();
        let recording = ledger.record_body(&feed, &good, before.clone().into_iter(), at(0));
        if broken_off(recording, times).await.is_some() {
            break;
        }
        breaks += 1;
        let feed = ledger.feed_row("a").await;
        assert_eq!((feed.last_good, feed.body_sha256), (None, None));
        ledger.poll_records("a", before.clone(), 50).await;
        assert_eq!(ledger.all_listings("a").await.len(), before.len());
    }
    assert!(breaks > 0, "never broken off");
}
