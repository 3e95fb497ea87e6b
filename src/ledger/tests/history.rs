//! Random histories of a feed: what the ledger and the plan believe at the end is what the polls said.
//!
//! The yardstick knows no rows and no deltas. It keeps for each indicator when it was last said and by which
//! words, and applies DESIGN §3 to that.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::model::spread;
use crate::plan::expiry::{FeedFacts, believe};

const NAMES: [&str; 7] = [
    "9.9.9.9",
    "9.9.9.10",
    "2001:db8::9",
    "10.0.0.0/24",
    "2001:db8:1::/48",
    "a.example.org",
    "b.example.org",
];
/// Long enough for several polls, short enough that random histories run over its end.
const SHORT_TTL: i64 = 10_000;
const GRID: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
enum Step {
    /// A body: which of the names, and how each of them is rated.
    Body([Option<u8>; 7]),
    /// 304, or the same body.
    Same,
    /// A fetch that failed.
    Failed,
    /// The config's mode and `on_delist` from here on.
    Terms(Mode, OnDelist),
}

#[derive(Clone, Debug)]
struct Said {
    first: i64,
    last: i64,
    confidence: u8,
    /// An incremental body gave it an end of its own.
    own_end: bool,
    /// Since when it is not listed, and when it ends for that.
    gone: Option<(i64, i64)>,
    came_back: u32,
}

/// What the polls said.
#[derive(Default)]
struct Word {
    said: BTreeMap<usize, Said>,
    last_good: Option<i64>,
}

impl Said {
    fn has_ended(&self, now: i64) -> bool {
        self.own_end && self.last + SHORT_TTL <= now
    }

    /// A listing that a snapshot feed does not renew ends spread over half a ttl more.
    fn end(&self, place: usize, mode: Mode, last_good: i64, now: i64) -> i64 {
        let half = SHORT_TTL / 2;
        let silent = mode == Mode::Snapshot && !self.own_end && now >= last_good + half;
        match self.gone {
            Some((_, end)) => end,
            None if silent => {
                let grace = spread(&indicator(NAMES[place]), 0) % half.unsigned_abs();
                self.last + SHORT_TTL + i64::try_from(grace).unwrap()
            }
            None => self.last + SHORT_TTL,
        }
    }
}

impl Word {
    fn body(&mut self, mode: Mode, on_delist: OnDelist, listed: &[Option<u8>; 7], now: i64) {
        for (place, confidence) in listed.iter().enumerate() {
            match (confidence, mode) {
                (Some(confidence), _) => self.says(place, *confidence, now),
                (None, Mode::Incremental) => {}
                (None, Mode::Snapshot) => self.drops(place, on_delist, now),
            }
        }
        for said in self.said.values_mut().filter(|said| said.gone.is_none()) {
            said.own_end = mode == Mode::Incremental || said.has_ended(now);
        }
        self.last_good = Some(now);
    }

    fn says(&mut self, place: usize, confidence: u8, now: i64) {
        let said = self.said.entry(place).or_insert(Said {
            first: now,
            last: now,
            confidence,
            own_end: false,
            gone: None,
            came_back: 0,
        });
        match said.gone {
            Some((since, _)) if now - since <= SHORT_TTL => said.came_back += 1,
            Some(_) => (said.first, said.came_back) = (now, 0),
            None if said.has_ended(now) => (said.first, said.came_back) = (now, 0),
            None => {}
        }
        (said.last, said.confidence, said.gone) = (now, confidence, None);
    }

    fn drops(&mut self, place: usize, on_delist: OnDelist, now: i64) {
        let Some(said) = self.said.get_mut(&place) else {
            return;
        };
        if said.gone.is_some() || said.has_ended(now) {
            return;
        }
        let withdraw = on_delist == OnDelist::Withdraw && said.came_back < 2;
        let end = said.last + SHORT_TTL;
        said.gone = Some((now, if withdraw { now.min(end) } else { end }));
    }

    /// A good fetch repeats what a snapshot feed lists, and nothing of what an incremental one does.
    fn same(&mut self, mode: Mode, now: i64) {
        for said in self.said.values_mut() {
            if mode == Mode::Snapshot && said.gone.is_none() && !said.own_end {
                said.last = now;
            }
        }
        self.last_good = Some(now);
    }

    /// (indicator, first listed, end, weight) of what is believed.
    fn believed(&self, mode: Mode, now: i64) -> Vec<(String, i64, i64, u8)> {
        let Some(last_good) = self.last_good else {
            return Vec::new();
        };
        let mut believed: Vec<_> = self
            .said
            .iter()
            .filter_map(|(place, said)| {
                let end = said.end(*place, mode, last_good, now);
                let halves = if said.gone.is_some() { 1 } else { 2 };
                let text = NAMES[*place].to_owned();
                (end > now).then_some((text, said.first, end, said.confidence * halves))
            })
            .collect();
        believed.sort_by_key(|(text, ..)| indicator(text));
        believed
    }
}

fn step() -> impl Strategy<Value = Step> {
    let rating = prop_oneof![2 => Just(None), 3 => Just(Some(60u8)), 1 => Just(Some(90u8))];
    let mode = prop_oneof![Just(Mode::Snapshot), Just(Mode::Incremental)];
    let on_delist = prop_oneof![Just(OnDelist::AgeOut), Just(OnDelist::Withdraw)];
    prop_oneof![
        6 => prop::array::uniform7(rating).prop_map(Step::Body),
        2 => Just(Step::Same),
        1 => Just(Step::Failed),
        3 => (mode, on_delist).prop_map(|(mode, on_delist)| Step::Terms(mode, on_delist)),
    ]
}

/// Steps, each so many seconds after the one before.
fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let pause = prop_oneof![4 => 1..2_000i64, 1 => 2_000..15_000i64];
    prop::collection::vec((pause, step()), 1..14)
}

async fn replay(
    ledger: &Fixture,
    feed: &str,
    steps: &[(i64, Step)],
) -> std::result::Result<(), TestCaseError> {
    let mut terms = FeedTerms {
        ttl: Duration::from_secs(SHORT_TTL.unsigned_abs()),
        ..terms()
    };
    ledger.feed(feed, &terms).await;
    let mut word = Word::default();
    let mut now = 0;
    for (pause, step) in steps {
        now += pause;
        let row = ledger.feed_row(feed).await;
        match step {
            Step::Body(listed) => {
                let records = listed.iter().zip(NAMES).filter_map(|(rating, text)| {
                    rating.map(|percent| Record {
                        // Half of the ratings are the feed's own word, so that both forms of a row occur.
                        confidence: (percent != 60).then_some(percent),
                        ..record(text)
                    })
                });
                ledger.poll_records(feed, records.collect(), now).await;
                word.body(terms.mode, terms.on_delist, listed, now);
            }
            // The stage takes a body for the same only where the ledger knows its hash.
            Step::Same if row.body_sha256.is_some() => {
                ledger.not_modified(feed, now).await;
                word.same(terms.mode, now);
            }
            Step::Same => {}
            Step::Failed => {
                let outcome = PollOutcome {
                    at: at(now),
                    next_poll: at(now + 60),
                    state: FeedState::Failed,
                    trouble: None,
                };
                ledger.record_poll(row.id, &outcome).await.unwrap();
            }
            Step::Terms(mode, on_delist) => {
                (terms.mode, terms.on_delist) = (*mode, *on_delist);
                ledger.feed(feed, &terms).await;
            }
        }
        let row = ledger.feed_row(feed).await;
        prop_assert_eq!(row.last_good, word.last_good.map(at));
        let believed = believed(ledger, &row, at(now)).await;
        prop_assert_eq!(believed, word.believed(terms.mode, now), "at {}", now);
    }
    Ok(())
}

async fn believed(ledger: &Fixture, row: &FeedRow, now: UnixTime) -> Vec<(String, i64, i64, u8)> {
    let facts = FeedFacts {
        terms: row.terms.clone(),
        last_good: row.last_good,
        patience_until: None,
    };
    let listings = ledger.all_listings(row.name.as_str()).await;
    assert!(listings.is_sorted_by_key(|listing| &listing.indicator));
    listings
        .iter()
        .filter_map(|listing| believe(&facts, listing, GRID, now))
        .map(|belief| {
            let first = belief.first_listed.seconds() - NOW;
            let end = belief.expires.seconds() - NOW;
            (belief.indicator.to_string(), first, end, belief.weight)
        })
        .collect()
}

#[test]
fn what_is_believed_is_what_the_polls_said() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ledger = runtime.block_on(fixture());
    let feeds = std::cell::Cell::new(0);
    let config = Config {
        cases: 400,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            feeds.set(feeds.get() + 1);
            let feed = format!("feed-{}", feeds.get());
            runtime.block_on(replay(&ledger, &feed, &steps))
        })
        .unwrap();
}
