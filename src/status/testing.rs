//! Ledgers for tests, made through the ledger's own public calls, with time standing still.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::clock::Clock;
use crate::fetch::Validators;
use crate::ledger::{
    FeedState, GoodBody, Ledger, NewCall, Outcome, PlanSummary, PollOutcome, Settlement,
};
use crate::model::{
    Action, Direction, Entry, FeedTerms, Indicator, List, Mode, Name, OnDelist, UnixTime,
};
use crate::parse::Record;
use crate::stage::Context;

/// 2026-07-29 14:00:00 UTC.
pub const NOW: UnixTime = UnixTime::from_seconds(1_785_333_600);

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// A ledger in a folder of its own.
pub struct Fixture {
    pub ledger: Arc<Ledger>,
    pub folder: TempDir,
    calls: std::sync::atomic::AtomicU64,
}

pub fn name(text: &str) -> Name {
    Name::try_new(text).unwrap()
}

pub fn ioc(text: &str) -> Indicator {
    Indicator::try_new(text).unwrap()
}

/// An entry of a blocklist.
pub fn block(text: &str, direction: Direction) -> Entry {
    Entry {
        list: List::Block,
        indicator: ioc(text),
        direction,
    }
}

pub fn terms() -> FeedTerms {
    FeedTerms {
        ttl: 7 * DAY,
        confidence: 60,
        directions: None,
        list: List::Block,
        mode: Mode::Snapshot,
        on_delist: OnDelist::AgeOut,
        max_age: None,
    }
}

/// An answer to a call.
pub fn answer(outcome: Outcome, code: Option<&str>, message: &str) -> Settlement {
    let verdict = match outcome {
        Outcome::Applied => "applied",
        Outcome::NotApplied => "stop",
        Outcome::Unknown => "unknown",
        Outcome::Failed { .. } => "retry",
        Outcome::Refused { .. } => "refused",
    };
    Settlement {
        verdict,
        code: code.map(str::to_owned),
        message: code.map(|_| message.to_owned()),
        request_id: None,
        duration_ms: 42,
        outcome,
    }
}

impl Fixture {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"))
            .await
            .unwrap();
        Self {
            ledger: Arc::new(ledger),
            folder,
            calls: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// What commands work with, at [`NOW`].
    pub fn ctx(&self) -> Context {
        Context {
            ledger: Arc::clone(&self.ledger),
            clock: Clock::held(NOW),
        }
    }

    /// Makes the ledger's feeds these.
    pub async fn feeds(&self, feeds: &[(&str, FeedTerms)]) {
        let named: Vec<_> = feeds
            .iter()
            .map(|(text, terms)| (name(text), terms))
            .collect();
        let feeds = named
            .iter()
            .map(|(name, terms)| (name, *terms, "1".to_owned()));
        self.ledger.configure_feeds(feeds).await.unwrap();
    }

    /// Makes the ledger's firewalls these.
    pub async fn firewalls(&self, names: &[&str]) {
        let names: Vec<Name> = names.iter().map(|text| name(text)).collect();
        self.ledger.configure_firewalls(&names).await.unwrap();
    }

    pub async fn firewall(&self, text: &str) -> i64 {
        self.ledger.firewall(&name(text)).await.unwrap().unwrap().id
    }

    /// A good fetch of `feed` at `at` that lists `listed`.
    pub async fn fetch(&self, feed: &str, listed: &[&str], rejected: u64, at: UnixTime) {
        let row = self.ledger.feed(&name(feed)).await.unwrap().unwrap();
        let mut listed: Vec<Indicator> = listed.iter().map(|text| ioc(text)).collect();
        listed.sort();
        let body = GoodBody {
            recipe: "1".to_owned(),
            validators: Validators::default(),
            sha256: [7; 32],
            rejected,
            next_poll: at.plus(HOUR),
        };
        let records = listed.into_iter().map(|indicator| Record {
            indicator,
            confidence: None,
            valid_until: None,
            dated: None,
        });
        self.ledger
            .record_body(&row, &body, records, at)
            .await
            .unwrap();
    }

    /// A poll of `feed` at `at` that brought nothing.
    pub async fn poll(&self, feed: &str, state: FeedState, trouble: &str, at: UnixTime) {
        let row = self.ledger.feed(&name(feed)).await.unwrap().unwrap();
        let outcome = PollOutcome {
            at,
            next_poll: at.plus(10 * MINUTE),
            state,
            trouble: Some(trouble.to_owned()),
        };
        self.ledger.record_poll(row.id, &outcome).await.unwrap();
    }

    /// A body of `feed` that is held.
    pub async fn hold(&self, feed: &str, reason: &str, at: UnixTime) {
        let row = self.ledger.feed(&name(feed)).await.unwrap().unwrap();
        let ledger = &self.ledger;
        ledger
            .hold_snapshot(row.id, &[9; 32], b"203.0.113.1\n", reason, at)
            .await
            .unwrap();
        self.poll(feed, FeedState::Held, reason, at).await;
    }

    /// A call to `firewall` at `at`, and its answer.
    pub async fn call(
        &self,
        firewall: &str,
        action: Action,
        entries: &[Entry],
        end: Option<UnixTime>,
        answer: Settlement,
        at: UnixTime,
    ) -> i64 {
        let number = self.calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let firewall = self.firewall(firewall).await;
        let suspects = self.ledger.suspects(firewall).await.unwrap();
        let call = NewCall {
            firewall,
            list: entries[0].list,
            action,
            end_time: end,
            entries,
            trial: suspects.of(&entries[0], Action::Add),
        };
        let at_ms = at.seconds() * 1000;
        let id = self.ledger.journal(&call, at_ms).await.unwrap();
        let answered = Settlement {
            request_id: Some(format!("00000000-0000-4000-8000-{number:012}")),
            ..answer
        };
        self.ledger.settle(id, &answered, at_ms + 42).await.unwrap();
        id
    }

    /// Puts `entries` on `firewall` until `end`.
    pub async fn add(&self, firewall: &str, entries: &[Entry], end: UnixTime, at: UnixTime) {
        let applied = answer(Outcome::Applied, None, "");
        self.call(firewall, Action::Add, entries, Some(end), applied, at)
            .await;
    }

    /// What the last plan of `firewall` wanted.
    pub async fn plan(&self, firewall: &str, plan: PlanSummary) {
        let id = self.firewall(firewall).await;
        self.ledger.record_plan(id, &plan).await.unwrap();
    }
}
