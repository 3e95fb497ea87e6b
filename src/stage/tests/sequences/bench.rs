//! The real thing and the model beside it, to both of which the same happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::steps::Step;
use super::{START, TTL};
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::Validators;
use crate::ledger::{FeedState, GoodBody, HandWord, Ledger, PollOutcome};
use crate::model::{Class, FeedTerms, List, Mode, Name, OnDelist, UnixTime};
use crate::parse::Record;
use crate::stage::Context;
use crate::stage::memory::Memory;
use crate::stage::replan::{GuardMaterial, Heard};
use crate::stage::tests::model::{Feed, Model, NAMES, RESERVE, Row, Wall, indicator};

/// The real thing, and the model beside it.
pub(super) struct Bench {
    pub(super) ctx: Context,
    pub(super) memory: Memory,
    pub(super) heard: Heard,
    pub(super) guards: GuardMaterial,
    pub(super) config: Config,
    pub(super) model: Model,
    pub(super) tight: bool,
    pub(super) now: i64,
}

pub(super) fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

pub(super) fn name(feed: usize) -> Name {
    Name::try_new(&format!("feed-{feed}")).unwrap()
}

pub(super) fn config(model: &Model) -> Config {
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
    pub(super) async fn new(ledger: Ledger, tight: Option<u64>) -> Self {
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

    pub(super) async fn step(&mut self, pause: i64, step: &Step) {
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
}
