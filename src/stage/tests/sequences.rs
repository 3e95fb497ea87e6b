//! Random sequences of polls, of the operator's acts, of config changes and steps of the clock: after each of them the
//! desired set, the leases and their ends are what the model says.
//!
//! `FEEDWALL_MODEL_SEQUENCES` sets how many sequences are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};

use super::model::{
    ADDRESSES, Atom, Feed, GRID, LEASE, Model, NAMES, NETWORKS, RESERVE, Row, Wall, end_time,
    holds, indicator,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::Validators;
use crate::ledger::{
    FeedState, GoodBody, HandWord, Ledger, NewCall, Outcome, PollOutcome, Settlement,
};
use crate::model::{
    Class, Direction, Directions, FeedTerms, Lease, List, Mode, Name, OnDelist, UnixTime,
};
use crate::parse::Record;
use crate::plan::Plan;
use crate::stage::Context;
use crate::stage::memory::Memory;
use crate::stage::replan::{self, GuardMaterial, Heard};

/// Sequences in an ordinary run.
const SEQUENCES: u32 = 150;
const START: i64 = 1_800_000_000;
const TTL: i64 = 40_000;

#[derive(Clone, Debug)]
enum Step {
    Body(usize, BTreeMap<usize, Row>),
    Same(usize),
    Failed(usize),
    Held(usize, BTreeMap<usize, Row>),
    /// The operator approves what is held, and it is polled.
    Approve(usize),
    Block(usize, i64),
    Unblock(usize, i64),
    Allow(usize),
    Disallow(usize),
    Drop(usize),
    Withdraw(bool),
    Terms(usize, FeedTerms),
    Configured(usize, bool),
    Allowed(BTreeSet<usize>),
    Wall(Vec<Class>, bool),
    Restart,
}

fn body(tight: bool) -> impl Strategy<Value = BTreeMap<usize, Row>> {
    let confidence = prop_oneof![3 => Just(None), 1 => Just(Some(90u8)), 1 => Just(Some(30u8))];
    let valid = prop_oneof![6 => Just(None), 1 => (1_000..60_000i64).prop_map(Some)];
    let row = prop::option::of((confidence, valid));
    prop::collection::vec(row, NAMES.len()).prop_map(move |rows| {
        let rows = rows.into_iter().enumerate();
        let rows = rows.filter(|(place, _)| !(tight && NETWORKS.contains(place)));
        rows.filter_map(|(place, row)| Some((place, row?)))
            .collect()
    })
}

fn terms() -> impl Strategy<Value = FeedTerms> {
    let directions = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Directions::IN)),
        1 => Just(Some(Directions::OUT)),
        1 => Just(Some(Directions::BOTH))
    ];
    let mode = prop_oneof![3 => Just(Mode::Snapshot), 1 => Just(Mode::Incremental)];
    let on_delist = prop_oneof![Just(OnDelist::AgeOut), Just(OnDelist::Withdraw)];
    let ttl = prop_oneof![Just(TTL), Just(TTL / 2), Just(TTL * 10)];
    (ttl, 1..=100u8, directions, mode, on_delist).prop_map(
        |(ttl, confidence, directions, mode, on_delist)| FeedTerms {
            ttl: Duration::from_secs(ttl.unsigned_abs()),
            confidence,
            directions,
            list: List::Block,
            mode,
            on_delist,
            max_age: None,
        },
    )
}

fn step(tight: bool) -> impl Strategy<Value = Step> {
    let feed = || 0..3usize;
    let place = move || {
        (0..NAMES.len()).prop_filter("networks have no place here", move |place| {
            !(tight && NETWORKS.contains(place))
        })
    };
    let allowed = prop::collection::btree_set(place(), 0..3);
    let classes = prop_oneof![
        2 => Just(vec![Class::Ipv4, Class::Network, Class::Domain]),
        1 => Just(vec![Class::Ipv4, Class::Domain]),
        1 => Just(vec![Class::Network]),
    ];
    prop_oneof![
        8 => (feed(), body(tight)).prop_map(|(feed, body)| Step::Body(feed, body)),
        3 => feed().prop_map(Step::Same),
        1 => feed().prop_map(Step::Failed),
        1 => (feed(), body(tight)).prop_map(|(feed, body)| Step::Held(feed, body)),
        1 => feed().prop_map(Step::Approve),
        1 => (place(), 300..50_000i64).prop_map(|(place, span)| Step::Block(place, span)),
        1 => (place(), 300..50_000i64).prop_map(|(place, span)| Step::Unblock(place, span)),
        1 => place().prop_map(Step::Allow),
        1 => place().prop_map(Step::Disallow),
        1 => feed().prop_map(Step::Drop),
        1 => any::<bool>().prop_map(Step::Withdraw),
        1 => (feed(), terms()).prop_map(|(feed, terms)| Step::Terms(feed, terms)),
        1 => (feed(), any::<bool>()).prop_map(|(feed, there)| Step::Configured(feed, there)),
        1 => allowed.prop_map(Step::Allowed),
        1 => (classes, any::<bool>()).prop_map(|(accept, expand)| Step::Wall(accept, expand)),
        1 => Just(Step::Restart),
    ]
}

/// A quota that is scarce or not, and steps, each so many seconds after the one before.
fn sequence() -> impl Strategy<Value = (Option<u64>, Vec<(i64, Step)>)> {
    prop_oneof![2 => Just(None), 1 => (3..14u64).prop_map(Some)].prop_flat_map(|tight| {
        let pause = prop_oneof![
            1 => Just(0i64),
            6 => 1..4_000i64,
            2 => 4_000..40_000i64,
            1 => 40_000..300_000i64
        ];
        let steps = prop::collection::vec((pause, step(tight.is_some())), 1..12);
        (Just(tight), steps)
    })
}

/// The real thing, and the model beside it.
struct Bench {
    ctx: Context,
    memory: Memory,
    heard: Heard,
    guards: GuardMaterial,
    config: Config,
    model: Model,
    tight: bool,
    now: i64,
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn name(feed: usize) -> Name {
    Name::try_new(&format!("feed-{feed}")).unwrap()
}

fn config(model: &Model) -> Config {
    let quote = |place: &usize| format!("\"{}\"", NAMES[*place]);
    let allow: Vec<String> = model.allowed.iter().map(quote).collect();
    let accept: Vec<String> = model
        .wall
        .accept
        .iter()
        .map(|class| format!("\"{class}\""))
        .collect();
    let expand = if model.wall.expand { "24" } else { "\"off\"" };
    let text = format!(
        "[guard]\nallow = [{}]\n[[feed]]\nname = \"none\"\nurl = \"https://feeds.other.net/none.txt\"\n
        [[firewall]]\nname = \"prod\"\nquota = {}\nreserve = {RESERVE}\naccept = [{}]\n
        expand_networks = {expand}\nbatch = 5\nmax_delete = 1.0\ncredentials = {{ env = \"MODEL\" }}\n",
        allow.join(", "),
        model.wall.quota,
        accept.join(", "),
    );
    Config::parse(&text, "model.toml").unwrap_or_else(|faults| panic!("{faults}"))
}

impl Bench {
    async fn new(ledger: Ledger, tight: Option<u64>) -> Self {
        let terms = |confidence| FeedTerms {
            ttl: Duration::from_secs(TTL.unsigned_abs()),
            confidence,
            directions: None,
            list: List::Block,
            mode: Mode::Snapshot,
            on_delist: OnDelist::AgeOut,
            max_age: None,
        };
        let model = Model {
            feeds: [60, 75, 90]
                .map(|confidence| Feed::new(terms(confidence)))
                .into(),
            allowed: BTreeSet::new(),
            hand: BTreeMap::new(),
            blocks: BTreeMap::new(),
            started: Some(START),
            wall: Wall {
                accept: vec![Class::Ipv4, Class::Network, Class::Domain],
                expand: false,
                quota: tight.unwrap_or(10_000),
                withdrawn: false,
            },
        };
        let config = config(&model);
        let bench = Self {
            ctx: Context {
                ledger: Arc::new(ledger),
                clock: Clock::held(at(START)),
            },
            memory: Memory::default(),
            heard: Heard {
                started: Some(at(START)),
            },
            guards: GuardMaterial::read(&config).unwrap(),
            config,
            model,
            tight: tight.is_some(),
            now: START,
        };
        bench.configure().await;
        bench
    }

    async fn configure(&self) {
        let names: Vec<Name> = (0..self.model.feeds.len()).map(name).collect();
        let feeds = names.iter().zip(&self.model.feeds);
        let known = feeds
            .filter(|(_, feed)| feed.configured)
            .map(|(name, feed)| (name, &feed.terms, "text".to_owned()));
        let ledger = &self.ctx.ledger;
        ledger.configure_feeds(known).await.unwrap();
        let firewalls = self.config.firewalls.iter().map(|one| &one.name);
        ledger.configure_firewalls(firewalls).await.unwrap();
    }

    async fn step(&mut self, pause: i64, step: &Step) {
        self.now += pause;
        self.ctx.clock.set(at(self.now));
        let (now, ledger) = (self.now, Arc::clone(&self.ctx.ledger));
        let is_polled = |feed: &usize| self.model.feeds[*feed].configured;
        match step {
            Step::Body(feed, body) if is_polled(feed) => self.body(*feed, body).await,
            Step::Same(feed) if is_polled(feed) && self.model.feeds[*feed].last_good.is_some() => {
                self.outcome(*feed, FeedState::Good).await;
                self.model.feeds[*feed].last_good = Some(now);
            }
            Step::Failed(feed) if is_polled(feed) => self.outcome(*feed, FeedState::Failed).await,
            Step::Held(feed, body) if is_polled(feed) => {
                let row = ledger.feed(&name(*feed)).await.unwrap().unwrap();
                ledger
                    .hold_snapshot(row.id, &[3; 32], b"x", "it shrank", at(now))
                    .await
                    .unwrap();
                self.outcome(*feed, FeedState::Held).await;
                self.model.feeds[*feed].held = Some(body.clone());
            }
            Step::Approve(feed) if is_polled(feed) => {
                let row = ledger.feed(&name(*feed)).await.unwrap().unwrap();
                let held = ledger.approve_snapshot(row.id, at(now)).await.unwrap();
                let body = self.model.feeds[*feed].held.clone();
                assert_eq!(held, body.is_some());
                if let Some(body) = body {
                    self.body(*feed, &body).await;
                }
            }
            Step::Block(place, span) => {
                let until = at(now + span);
                ledger
                    .block_by_hand(&indicator(*place), until, "seen", at(now))
                    .await
                    .unwrap();
                let since = self
                    .model
                    .blocks
                    .get(place)
                    .map_or(now, |(since, _)| *since);
                self.model.blocks.insert(*place, (since, now + span));
                self.model.hand.remove(place);
            }
            Step::Unblock(place, span) => self.spare(*place, Some(now + span)).await,
            Step::Allow(place) => self.spare(*place, None).await,
            Step::Disallow(place) => {
                let said = ledger.disallow(&indicator(*place)).await.unwrap();
                assert_eq!(said, self.model.hand.remove(place).is_some());
            }
            Step::Drop(feed) => {
                ledger.drop_feed(&name(*feed), at(now)).await.unwrap();
                self.model.feeds[*feed].drop_all(now);
            }
            Step::Withdraw(withdrawn) => {
                let firewall = ledger.firewalls().await.unwrap().pop().unwrap();
                ledger.withdraw(firewall.id, *withdrawn).await.unwrap();
                self.model.wall.withdrawn = *withdrawn;
            }
            Step::Terms(feed, terms) => {
                self.model.feeds[*feed].terms = match self.model.feeds[*feed].configured {
                    true => terms.clone(),
                    false => self.model.feeds[*feed].terms.clone(),
                };
                self.configure().await;
            }
            Step::Configured(feed, there) => {
                self.model.feeds[*feed].configured = *there;
                self.configure().await;
            }
            Step::Allowed(allowed) => {
                self.model.allowed = allowed.clone();
                self.reload().await;
            }
            Step::Wall(accept, expand) => {
                self.model.wall.accept.clone_from(accept);
                self.model.wall.expand = *expand;
                self.reload().await;
            }
            Step::Restart => {
                self.memory = Memory::default();
                self.heard = Heard {
                    started: Some(at(now)),
                };
                self.model.started = Some(now);
            }
            Step::Body(..)
            | Step::Same(_)
            | Step::Failed(_)
            | Step::Held(..)
            | Step::Approve(_) => {}
        }
    }

    /// A changed config comes with a memory of its own, as a reload does, and is no new start here.
    async fn reload(&mut self) {
        self.config = config(&self.model);
        self.guards = GuardMaterial::read(&self.config).unwrap();
        self.memory = Memory::default();
        self.configure().await;
    }

    async fn body(&mut self, feed: usize, body: &BTreeMap<usize, Row>) {
        let ledger = &self.ctx.ledger;
        let row = ledger.feed(&name(feed)).await.unwrap().unwrap();
        let valid = |span: Option<i64>| span.map(|span| self.now + span);
        let body: BTreeMap<usize, Row> = body
            .iter()
            .map(|(place, (c, span))| (*place, (*c, valid(*span))))
            .collect();
        let mut records: Vec<Record> = body
            .iter()
            .map(|(place, (confidence, valid_until))| Record {
                indicator: indicator(*place),
                confidence: *confidence,
                valid_until: valid_until.map(at),
                dated: None,
            })
            .collect();
        records.sort_by(|one, other| one.indicator.cmp(&other.indicator));
        let good = GoodBody {
            recipe: "text".to_owned(),
            validators: Validators::default(),
            sha256: [7; 32],
            rejected: 0,
            next_poll: at(self.now + 600),
        };
        let records = records.into_iter();
        ledger
            .record_body(&row, &good, records, at(self.now))
            .await
            .unwrap();
        self.model.feeds[feed].body(&body, self.now);
    }

    async fn outcome(&self, feed: usize, state: FeedState) {
        let row = self.ctx.ledger.feed(&name(feed)).await.unwrap().unwrap();
        let outcome = PollOutcome {
            at: at(self.now),
            next_poll: at(self.now + 600),
            state,
            trouble: None,
        };
        self.ctx.ledger.record_poll(row.id, &outcome).await.unwrap();
    }

    async fn spare(&mut self, place: usize, until: Option<i64>) {
        let word = HandWord {
            indicator: indicator(place),
            block: false,
            until: until.map(at),
            reason: "ours".to_owned(),
            at: at(self.now),
        };
        self.ctx.ledger.allow_by_hand(&word).await.unwrap();
        self.model.hand.insert(place, until.unwrap_or(i64::MAX));
        if let Some((_, end)) = self.model.blocks.get_mut(&place)
            && *end > self.now
        {
            // Ended at once, and not by running out.
            *end = i64::MIN;
        }
    }

    async fn plan(&self) -> Plan {
        let firewall = &self.config.firewalls[0];
        replan::turn(&self.ctx, &self.guards, &self.memory, firewall, &self.heard)
            .await
            .unwrap()
    }

    async fn leases(&self) -> Vec<Lease> {
        let firewall = self.ctx.ledger.firewalls().await.unwrap().pop().unwrap();
        let mut leases = self.ctx.ledger.leases(firewall.id).await.unwrap();
        leases.retain(|lease| lease.end_time > at(self.now));
        leases
    }

    /// Does what the sender and a cloud that takes everything do, until nothing is left.
    async fn settle(&self) {
        let firewall = self.ctx.ledger.firewalls().await.unwrap().pop().unwrap();
        for _ in 0..6 {
            let plan = self.plan().await;
            assert!(plan.left_out.values().all(|count| *count > 0));
            if plan.batches.is_empty() {
                // Nothing has changed, so nothing changes; and a memory that knows nothing finds the same.
                assert_eq!(self.plan().await.batches, []);
                assert_eq!(plan.held, plan.desired);
                return;
            }
            for batch in &plan.batches {
                self.check_ends(batch);
                let entries = batch.entries();
                let call = NewCall {
                    firewall: firewall.id,
                    list: batch.list,
                    action: batch.action(),
                    end_time: batch.end_time(),
                    entries: &entries,
                    trial: None,
                };
                let ledger = &self.ctx.ledger;
                let id = ledger.journal(&call, self.now * 1000).await.unwrap();
                let settlement = Settlement {
                    verdict: "applied",
                    code: None,
                    message: None,
                    request_id: None,
                    duration_ms: 1,
                    outcome: Outcome::Applied,
                };
                ledger
                    .settle(id, &settlement, self.now * 1000 + 1)
                    .await
                    .unwrap();
            }
        }
        panic!("six plans did not settle it");
    }

    /// An EndTime is that of a reason to block the entry.
    fn check_ends(&self, batch: &crate::plan::Batch) {
        let Some(end) = batch.end_time() else { return };
        for entry in batch.entries() {
            for atom in atoms_of(&entry.indicator, entry.direction) {
                let reasons = self.model.reasons(atom, self.now);
                let is_reason =
                    |(expires, _): &(i64, bool)| at(end_time(*expires, self.now)) == end;
                assert!(
                    reasons.iter().any(is_reason),
                    "{entry:?} until {end}: {reasons:?}"
                );
            }
        }
    }

    async fn check(&self, before: &BTreeSet<Atom>) {
        self.check_claims().await;
        let leases = self.leases().await;
        let blocked = blocked(&leases);
        if self.tight {
            assert_eq!(blocked, self.model.admitted(before, self.now));
        } else {
            let (must, may) = self.model.bounds(before, self.now);
            let missing: Vec<_> = must.difference(&blocked).collect();
            let wrong: Vec<_> = blocked.difference(&may).collect();
            assert!(
                missing.is_empty() && wrong.is_empty(),
                "missing {missing:?}, wrong {wrong:?}"
            );
        }
        for lease in &leases {
            self.check_lease(lease);
        }
    }

    /// What the feeds say together is what the model says.
    async fn check_claims(&self) {
        let (now, grid) = (at(self.now), Duration::from_secs(GRID.unsigned_abs()));
        let listed = self
            .memory
            .listed(&self.ctx, &self.guards, &self.heard, now)
            .await
            .unwrap();
        let candidates = listed.candidates(List::Block, grid, now);
        for (place, text) in NAMES.iter().enumerate() {
            let ours = candidates
                .iter()
                .find(|one| one.indicator == indicator(place));
            let ours = ours.map(|one| super::model::Claim {
                score: one.score,
                first: one.first_listed.seconds(),
                ends: one
                    .ends
                    .map(|end| end.map(|(end, lapsed)| (end.seconds(), lapsed))),
            });
            assert_eq!(ours, self.model.claim(place, self.now), "{text}");
        }
    }

    /// On the grid, no longer than a lease, and renewed in time while there is reason to.
    fn check_lease(&self, lease: &Lease) {
        let (end, set) = (lease.end_time.seconds(), lease.set_at.seconds());
        assert_eq!(end % GRID, 0);
        assert!(end <= end_time(i64::MAX, set));
        let left = end - self.now;
        // What holds only a part of the entry is no reason to renew all of it.
        let mut atoms = atoms_of(&lease.entry.indicator, lease.entry.direction);
        let over = |atom: Atom| {
            let claims = self.model.claims_on(atom, self.now).into_iter();
            claims.filter(|(_, (_, passed))| !passed)
        };
        let mut whole: BTreeMap<usize, (i64, bool)> =
            atoms.next().into_iter().flat_map(over).collect();
        for atom in atoms {
            let here: BTreeMap<_, _> = over(atom).collect();
            whole.retain(|claimed, _| here.contains_key(claimed));
        }
        let could = whole.values().map(|(end, _)| end_time(*end, self.now));
        let could = could.min().unwrap_or(0);
        let worthwhile = could >= end + GRID && !self.model.wall.withdrawn;
        assert!(
            !worthwhile || left >= (end - set) / 3 - GRID,
            "{lease:?} is not renewed"
        );
    }
}

/// The places of the universe that an entry blocks.
fn atoms_of(
    entry: &crate::model::Indicator,
    direction: Direction,
) -> impl Iterator<Item = Atom> + use<> {
    let entry = entry.clone();
    let is_held = move |(place, to): &Atom| {
        let here = indicator(*place);
        let inside = entry.net().zip(here.net());
        *to == direction && inside.map_or(here == entry, |(net, here)| net.contains(&here))
    };
    Model::atoms().filter(is_held)
}

fn blocked(leases: &[Lease]) -> BTreeSet<Atom> {
    let atoms = leases
        .iter()
        .flat_map(|lease| atoms_of(&lease.entry.indicator, lease.entry.direction));
    atoms.collect()
}

async fn replay(ledger: Ledger, tight: Option<u64>, steps: &[(i64, Step)]) {
    let mut bench = Bench::new(ledger, tight).await;
    for (pause, step) in steps {
        bench.step(*pause, step).await;
        let before = blocked(&bench.leases().await);
        bench.settle().await;
        bench.check(&before).await;
    }
    bench.ctx.ledger.close().await;
}

#[test]
fn the_ledger_and_the_plan_do_what_the_model_says() {
    let cases = std::env::var("FEEDWALL_MODEL_SEQUENCES");
    let cases = cases
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(SEQUENCES);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.db");
    runtime.block_on(async { Ledger::open(&empty).await.unwrap().close().await });
    let mut runner = TestRunner::new(Runs {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..Runs::default()
    });
    let run = |(tight, steps): (Option<u64>, Vec<(i64, Step)>)| {
        let path = dir.path().join("ledger.db");
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.path().join(format!("ledger.db{end}")));
        }
        std::fs::copy(&empty, &path).unwrap();
        let replayed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                let ledger = Ledger::open(&path).await.unwrap();
                replay(ledger, tight, &steps).await;
            });
        }));
        replayed.map_err(|fault| {
            let text = fault.downcast_ref::<String>().cloned();
            TestCaseError::fail(text.unwrap_or_else(|| "it broke off".to_owned()))
        })
    };
    runner
        .run(&sequence(), run)
        .unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn the_universe_is_what_the_model_takes_it_for() {
    for network in NETWORKS {
        for address in 0..ADDRESSES {
            let net = indicator(network).net().unwrap();
            let inside = net.contains(&indicator(address).net().unwrap());
            assert_eq!(inside, holds(network, address));
        }
    }
    assert_eq!(LEASE % GRID, 0);
}
