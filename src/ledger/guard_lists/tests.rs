use crate::fetch::Validators;
use crate::ledger::{FeedRow, FeedState, GoodBody, PollOutcome};
use crate::model::{Indicator, List, Mode, OnDelist, UnixTime};
use crate::parse::Record;

use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn terms() -> FeedTerms {
    FeedTerms {
        ttl: std::time::Duration::from_secs(86_400),
        confidence: 60,
        directions: None,
        list: List::Block,
        mode: Mode::Snapshot,
        on_delist: OnDelist::Withdraw,
        max_age: None,
    }
}

async fn ledger() -> (Ledger, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    (Ledger::open(&path).await.unwrap(), folder)
}

async fn row(ledger: &Ledger, name: &Name) -> FeedRow {
    ledger.feed(name).await.unwrap().unwrap()
}

async fn record(ledger: &Ledger, name: &Name, sha256: [u8; 32], at: UnixTime) {
    record_row(ledger, name, sha256, "198.51.100.7", at).await;
}

async fn record_row(ledger: &Ledger, name: &Name, sha256: [u8; 32], text: &str, at: UnixTime) {
    let body = GoodBody {
        recipe: "1".to_owned(),
        validators: Validators::default(),
        sha256,
        rejected: 0,
        next_poll: at,
    };
    let record = Record {
        indicator: Indicator::try_new(text).unwrap(),
        confidence: None,
        valid_until: None,
        dated: None,
    };
    let row = row(ledger, name).await;
    let records = std::iter::once(record);
    ledger.record_body(&row, &body, records, at).await.unwrap();
}

/// What was to be blocked must not begin to guard because somebody moved its name.
#[tokio::test]
async fn a_name_that_changes_its_role_begins_anew() {
    let (ledger, _folder) = ledger().await;
    let (name, terms) = (Name::try_new("partner").unwrap(), terms());
    let one = || [(&name, &terms, "1".to_owned())];
    ledger.configure_feeds(one()).await.unwrap();
    record(&ledger, &name, [1; 32], NOW).await;
    assert_eq!(row(&ledger, &name).await.role, Role::Feed);

    ledger.configure_feeds([]).await.unwrap();
    assert!(!row(&ledger, &name).await.configured);
    ledger.configure_guard_lists(one()).await.unwrap();
    let guard = row(&ledger, &name).await;
    assert_eq!(guard.role, Role::Guard(Reach::Subdomains));
    assert!(guard.configured);
    assert_eq!((guard.last_good, guard.state), (None, FeedState::New));
    assert!(
        ledger
            .listings(guard.id)
            .next_chunk()
            .await
            .unwrap()
            .is_empty()
    );

    ledger.set_reach(guard.id, Reach::Exact).await.unwrap();
    record(&ledger, &name, [1; 32], NOW).await;
    for _ in 0..2 {
        ledger.configure_feeds([]).await.unwrap();
        ledger.configure_guard_lists(one()).await.unwrap();
        let again = row(&ledger, &name).await;
        assert_eq!(again.role, Role::Guard(Reach::Exact));
        assert_eq!((again.last_good, again.configured), (Some(NOW), true));
    }
    ledger.configure_feeds(one()).await.unwrap();
    let feed = row(&ledger, &name).await;
    assert_eq!((feed.role, feed.last_good), (Role::Feed, None));
}

#[tokio::test]
async fn a_body_is_the_same_since_it_was_first_recorded() {
    let (ledger, _folder) = ledger().await;
    let (name, terms) = (Name::try_new("partner").unwrap(), terms());
    let feeds = [(&name, &terms, "1".to_owned())];
    ledger.configure_feeds(feeds).await.unwrap();
    let day = std::time::Duration::from_secs(86_400);
    assert_eq!(row(&ledger, &name).await.body_since, None);
    let (one, other) = ("198.51.100.7", "198.51.100.8");
    for (sha256, text, days, since) in [
        ([1; 32], one, 0, 0),
        ([1; 32], one, 1, 0),
        ([2; 32], other, 2, 2),
        ([1; 32], one, 3, 3),
        // Another body with the same rows: only its banner has changed.
        ([3; 32], one, 4, 3),
    ] {
        record_row(&ledger, &name, sha256, text, NOW.plus(day * days)).await;
        let found = row(&ledger, &name).await.body_since;
        assert_eq!(found, Some(NOW.plus(day * since)));
    }
}

/// Where only changes count, a body that has none leaves no trace.
#[tokio::test]
async fn a_body_without_a_change_may_be_no_good_fetch() {
    let (ledger, _folder) = ledger().await;
    let (name, terms) = (Name::try_new("partner").unwrap(), terms());
    let feeds = [(&name, &terms, "1".to_owned())];
    ledger.configure_feeds(feeds).await.unwrap();
    record(&ledger, &name, [1; 32], NOW).await;
    let later = NOW.plus(std::time::Duration::from_secs(60));
    let body = GoodBody {
        recipe: "1".to_owned(),
        validators: Validators::default(),
        sha256: [2; 32],
        rejected: 0,
        next_poll: later,
    };
    for (text, changes) in [("198.51.100.7", false), ("198.51.100.8", true)] {
        let record = Record {
            indicator: Indicator::try_new(text).unwrap(),
            confidence: None,
            valid_until: None,
            dated: None,
        };
        let feed = row(&ledger, &name).await;
        let records = std::iter::once(record);
        let delta = ledger.record_changes(&feed, &body, records, later, true);
        assert_eq!(delta.await.unwrap().is_nothing(), !changes);
        let now = row(&ledger, &name).await;
        let good = if changes { later } else { NOW };
        let sha256 = if changes { [2; 32] } else { [1; 32] };
        assert_eq!(now.last_good, Some(good));
        assert_eq!(now.body_sha256.as_deref(), Some(sha256.as_slice()));
    }
}

/// A frozen feed is heard of, and renews nothing.
#[tokio::test]
async fn states_that_renew_nothing_leave_the_last_good_fetch_as_it_was() {
    let (ledger, _folder) = ledger().await;
    let (name, terms) = (Name::try_new("partner").unwrap(), terms());
    let feeds = [(&name, &terms, "1".to_owned())];
    ledger.configure_feeds(feeds).await.unwrap();
    record(&ledger, &name, [1; 32], NOW).await;
    let feed = row(&ledger, &name).await;
    let later = NOW.plus(std::time::Duration::from_secs(60));
    for state in [FeedState::Frozen, FeedState::Retired] {
        let outcome = PollOutcome {
            at: later,
            next_poll: later,
            state,
            trouble: Some("as it is".to_owned()),
        };
        ledger.record_poll(feed.id, &outcome).await.unwrap();
        let now = row(&ledger, &name).await;
        assert_eq!((now.state, now.last_good), (state, Some(NOW)));
        ledger.note_on_feed(feed.id, "moved").await.unwrap();
        assert_eq!(
            row(&ledger, &name).await.trouble.as_deref(),
            Some("as it is")
        );
    }
    record(&ledger, &name, [2; 32], later).await;
    ledger.note_on_feed(feed.id, "moved").await.unwrap();
    let now = row(&ledger, &name).await;
    assert_eq!(
        (now.state, now.trouble.as_deref()),
        (FeedState::Good, Some("moved"))
    );
}
