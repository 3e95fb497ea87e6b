//! The ledger's promises, on real files.

mod calls;
mod desk;
mod flaws;
mod history;
mod keeping;
mod listings;
mod opening;
mod samples;
mod sweep;
mod trials;

use std::time::Duration;

use tempfile::TempDir;

use crate::fetch::Validators;
use crate::model::{FeedTerms, Indicator, List, Listing, Mode, Name, OnDelist, UnixTime};
use crate::parse::Record;

use super::*;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
const TTL: i64 = 7 * DAY;

/// What takes each step of the schema back.
const BACK: [(i64, &[&str]); 4] = [
    (
        5,
        &[
            "ALTER TABLE firewalls DROP COLUMN bar",
            "ALTER TABLE firewalls DROP COLUMN made_of",
            "ALTER TABLE firewalls DROP COLUMN next_due",
        ],
    ),
    (
        4,
        &[
            "DROP INDEX leases_unwanted",
            "ALTER TABLE leases DROP COLUMN unwanted",
            "ALTER TABLE firewalls DROP COLUMN allowed_deletes",
        ],
    ),
    (
        3,
        &[
            "DROP TRIGGER calls_counted",
            "DROP TABLE call_totals",
            "DROP TABLE samples",
            "ALTER TABLE leases DROP COLUMN seen_at",
        ],
    ),
    (2, &["DROP TABLE l4_rules", "DROP TABLE l4_calls"]),
];

impl Ledger {
    /// Makes it a ledger of an earlier schema.
    pub async fn go_back_to(&self, version: i64) {
        for (step, statements) in BACK {
            if step <= version {
                break;
            }
            for statement in statements {
                sqlx::query(*statement).execute(&self.writer).await.unwrap();
            }
            sqlx::query("DELETE FROM _sqlx_migrations WHERE version = ?")
                .bind(step)
                .execute(&self.writer)
                .await
                .unwrap();
        }
    }
}

/// A ledger in a folder of its own.
struct Fixture {
    ledger: Ledger,
    dir: TempDir,
}

impl std::ops::Deref for Fixture {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&dir.path().join("ledger.db")).await.unwrap();
    Fixture { ledger, dir }
}

/// `seconds` after the tests' common beginning.
fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(NOW + seconds)
}

fn name(text: &str) -> Name {
    Name::try_new(text).unwrap()
}

fn indicator(text: &str) -> Indicator {
    Indicator::try_new(text).unwrap()
}

fn terms() -> FeedTerms {
    FeedTerms {
        ttl: Duration::from_secs(TTL.unsigned_abs()),
        confidence: 60,
        directions: None,
        list: List::Block,
        mode: Mode::Snapshot,
        on_delist: OnDelist::AgeOut,
        max_age: None,
    }
}

fn record(text: &str) -> Record {
    Record {
        indicator: indicator(text),
        confidence: None,
        valid_until: None,
        dated: None,
    }
}

fn body() -> GoodBody {
    GoodBody {
        recipe: "text".to_owned(),
        validators: Validators {
            etag: Some("\"1\"".to_owned()),
            ..Validators::default()
        },
        sha256: [7; 32],
        rejected: 2,
        next_poll: at(3600),
    }
}

impl Fixture {
    /// Puts one feed into the config, in place of any other.
    async fn feed(&self, text: &str, terms: &FeedTerms) -> FeedRow {
        let name = name(text);
        self.configure_feeds([(&name, terms, "text".to_owned())])
            .await
            .unwrap();
        self.feed_row(text).await
    }

    async fn feed_row(&self, text: &str) -> FeedRow {
        self.ledger.feed(&name(text)).await.unwrap().unwrap()
    }

    /// Records a body of these indicators at `seconds`.
    async fn poll(&self, feed: &str, texts: &[&str], seconds: i64) -> Delta {
        let records = texts.iter().map(|text| record(text)).collect();
        self.poll_records(feed, records, seconds).await
    }

    async fn poll_records(&self, feed: &str, mut records: Vec<Record>, seconds: i64) -> Delta {
        records.sort_by(|one, other| one.indicator.cmp(&other.indicator));
        let feed = self.feed_row(feed).await;
        self.record_body(&feed, &body(), records.into_iter(), at(seconds))
            .await
            .unwrap()
    }

    /// A good fetch that changes nothing.
    async fn not_modified(&self, feed: &str, seconds: i64) {
        let feed = self.feed_row(feed).await;
        let outcome = PollOutcome {
            at: at(seconds),
            next_poll: at(seconds + 3600),
            state: FeedState::Good,
            trouble: None,
        };
        self.record_poll(feed.id, &outcome).await.unwrap();
    }

    async fn all_listings(&self, feed: &str) -> Vec<Listing> {
        let mut chunks = self.listings(self.feed_row(feed).await.id);
        let mut all = Vec::new();
        loop {
            let chunk = chunks.next_chunk().await.unwrap();
            if chunk.is_empty() {
                return all;
            }
            all.extend(chunk);
        }
    }

    async fn one_listing(&self, feed: &str, text: &str) -> Listing {
        let feed = self.feed_row(feed).await;
        let listing = self.listing(feed.id, &indicator(text)).await.unwrap();
        listing.unwrap_or_else(|| panic!("{text} is not in the ledger"))
    }

    /// Rows written by the writer so far.
    async fn rows_written(&self) -> i64 {
        sqlx::query_scalar("SELECT total_changes()")
            .fetch_one(&self.writer)
            .await
            .unwrap()
    }

    /// The one number that a statement gives.
    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.readers)
            .await
            .unwrap()
    }

    /// The key of a firewall, which is put into the config in place of any other.
    async fn firewall(&self, text: &str) -> i64 {
        self.configure_firewalls([&name(text)]).await.unwrap();
        self.ledger.firewall(&name(text)).await.unwrap().unwrap().id
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.writer).await.unwrap();
    }
}
