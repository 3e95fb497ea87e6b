//! One firewall with the real planner in front of it and a simulated cloud behind it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use super::*;
use crate::guard::{Guards, Material};
use crate::model::{Action, Class, Direction, Directions, Entry};
use crate::parse::MinPrefix;
use crate::plan::desired::{Takes, candidates, desired};
use crate::plan::drift::{self, Moment, Observed};
use crate::plan::expiry::Belief;
use crate::plan::{Batch, FirewallTerms, Plan, Quota, Standing, Wanted, plan};

/// What the cloud says to a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Taken,
    Refused(String),
    TooLarge,
    Failed,
    /// The answer never comes, though the call was taken, or not.
    Lost {
        taken: bool,
    },
}

/// How the calls of a plan go out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sending {
    /// One call, then a new plan.
    OneByOne,
    /// All calls of a plan, answered in some order, then a new plan.
    Together,
    /// A new plan after every answer, while other calls are out.
    Overlapping,
}

pub(super) type Cloud<'a> = dyn FnMut(Action, &[Entry]) -> Answer + 'a;

/// A call that is out.
struct Out {
    id: i64,
    action: Action,
    end_time: Option<UnixTime>,
    entries: Vec<Entry>,
}

pub(super) struct Desk {
    pub(super) ledger: Fixture,
    pub(super) firewall: i64,
    pub(super) terms: FirewallTerms,
    pub(super) wanted: BTreeSet<Entry>,
    /// What the cloud holds, and until when.
    there: BTreeMap<Entry, UnixTime>,
    pub(super) now: i64,
    pub(super) calls: usize,
    /// Entries sent alone, and how often.
    pub(super) alone: BTreeMap<Entry, usize>,
    sending: Sending,
    out: Vec<Out>,
    random: fastrand::Rng,
}

static GUARDS: LazyLock<Guards> = LazyLock::new(|| {
    Guards::try_new(Material {
        min_prefix: MinPrefix { v4: 8, v6: 16 },
        allow: Vec::new(),
        files: Vec::new(),
        by_hand: Vec::new(),
        sets: Vec::new(),
        own_ground: Vec::new(),
    })
    .unwrap()
});

pub(super) fn entry(text: &str) -> Entry {
    Entry {
        list: List::Block,
        indicator: indicator(text),
        direction: Direction::In,
    }
}

/// `45.0.x.y`, in order.
pub(super) fn addresses(count: u32) -> Vec<Entry> {
    (0..count)
        .map(|n| entry(&std::net::Ipv4Addr::from(0x2d00_0000 + n).to_string()))
        .collect()
}

fn wanted(entries: &BTreeSet<Entry>) -> Vec<Wanted> {
    let belief = |entry: &Entry| Belief {
        indicator: entry.indicator.clone(),
        first_listed: at(0),
        expires: at(100 * DAY),
        weight: 120,
        directions: Directions::IN,
        lapsed: false,
    };
    let candidates = candidates(vec![entries.iter().map(belief).collect()]);
    desired(
        List::Block,
        &candidates,
        &GUARDS,
        Takes {
            accept: &Class::ALL,
            expand_networks: None,
        },
        &mut BTreeMap::new(),
    )
}

/// How long a change takes to show in a reading, and how old a reading may get.
const CONFIRM_AFTER: Duration = Duration::from_secs(5);
const READ_EVERY: i64 = 600;

impl Desk {
    pub(super) async fn new(batch: usize, sending: Sending, seed: u64) -> Self {
        let ledger = fixture().await;
        let firewall = ledger.firewall("prod").await;
        let terms = FirewallTerms {
            accept: Class::ALL.to_vec(),
            batch,
            quota: Quota::Fixed(100_000),
            reserve: 0,
            margin: 0.05,
            max_delete: 1.0,
            lease: Duration::from_secs(3 * 86_400),
            grid: Duration::from_secs(3600),
            min_term: Duration::from_secs(600),
            expand_networks: None,
        };
        Self {
            ledger,
            firewall,
            terms,
            wanted: BTreeSet::new(),
            there: BTreeMap::new(),
            now: 0,
            calls: 0,
            alone: BTreeMap::new(),
            sending,
            out: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    async fn standing(&self) -> Standing {
        let ledger = &self.ledger;
        let since = at(self.now - DAY);
        let learned = ledger.learned(self.firewall, since).await.unwrap();
        let class = |word: &str| Class::ALL.into_iter().find(|class| class.as_str() == word);
        let refused = |subject: &str| {
            let (what, class_word) = subject.split_once(" block ")?;
            Some((what.to_owned(), class(class_word)?))
        };
        let refused: Vec<_> = learned
            .iter()
            .filter_map(|(subject, ..)| refused(subject))
            .collect();
        let calls = refused.iter().filter_map(|(what, class)| {
            let action = Action::from_word(what.strip_prefix("call ")?)?;
            Some((action, List::Block, *class))
        });
        let classes = refused
            .iter()
            .filter(|(what, _)| what == "class")
            .map(|(_, class)| (List::Block, *class));
        let quarantined = ledger.quarantine(self.firewall).await.unwrap();
        let row = ledger
            .ledger
            .firewall(&name("prod"))
            .await
            .unwrap()
            .unwrap();
        let read_at = row.read_at.unwrap_or_default();
        Standing {
            leases: ledger.leases(self.firewall).await.unwrap(),
            quarantined: quarantined
                .into_iter()
                .map(|row| (row.entry, row.action))
                .collect(),
            suspects: ledger.suspects(self.firewall).await.unwrap(),
            refused_classes: classes.collect(),
            refused_calls: calls.collect(),
            unseen_since: read_at.minus(CONFIRM_AFTER),
            learned_batch: learned
                .iter()
                .find(|(subject, ..)| subject == "batch")
                .and_then(|(_, size, _)| usize::try_from((*size)?).ok()),
            ..Standing::default()
        }
    }

    /// Reads the list where somebody asked for it, or where it was read long ago.
    async fn read(&mut self) {
        let row = self
            .ledger
            .ledger
            .firewall(&name("prod"))
            .await
            .unwrap()
            .unwrap();
        let stale = |read: UnixTime| at(self.now).since(read).as_secs() > READ_EVERY.unsigned_abs();
        let unseen = row.read_at.map_or(at(0), |read| read.minus(CONFIRM_AFTER));
        let state = self
            .ledger
            .read_state(self.firewall, unseen, at(self.now))
            .await
            .unwrap();
        if row.read_wanted.is_none() && state.alike.is_none() && !row.read_at.is_none_or(stale) {
            return;
        }
        // Late enough for every change to show.
        self.now += 2 * i64::try_from(CONFIRM_AFTER.as_secs()).unwrap();
        let (started, firewall) = (at(self.now), self.firewall);
        let observed = self.there.iter().map(|(entry, end)| Observed {
            entry: Some(entry.clone()),
            end_time: Some(*end),
            source: String::new(),
            match_times: 0,
            last_hit: None,
        });
        let unseen_since = started.minus(CONFIRM_AFTER);
        let ledger = &self.ledger;
        let known = ledger.known(firewall, unseen_since, started).await.unwrap();
        let moment = Moment {
            started,
            confirm_after: CONFIRM_AFTER,
        };
        let drift = drift::judge(observed.collect(), &known, moment, started);
        let patient = started.minus(CONFIRM_AFTER * 10);
        ledger
            .store_read_back(firewall, &drift, &drift.missing, patient, started)
            .await
            .unwrap();
    }

    /// A plan; another where some entries left their trials, whose others may go thereby.
    pub(super) async fn plan(&self) -> Plan {
        loop {
            let wanted = wanted(&self.wanted);
            let standing = self.standing().await;
            let left_out = BTreeMap::new();
            let plan = plan(&self.terms, &standing, wanted, left_out, at(self.now));
            let (acquitted, absent) = (&plan.acquitted, &plan.absent);
            if acquitted.is_empty() && absent.is_empty() {
                return plan;
            }
            self.ledger.acquit(self.firewall, acquitted).await.unwrap();
            self.ledger
                .forget_leases(self.firewall, absent)
                .await
                .unwrap();
        }
    }

    /// Plans and sends until there is nothing left to do; more than `most` calls are too many.
    pub(super) async fn run(&mut self, most: usize, cloud: &mut Cloud<'_>) {
        self.calls = 0;
        let mut waits = 0;
        loop {
            while self.run_once(cloud).await {
                assert!(self.calls <= most, "{} calls, more than {most}", self.calls);
            }
            // What is left waits for its time.
            let plan = self.plan().await;
            let Some(due) = plan.next_due.filter(|_| plan.waiting > 0) else {
                return;
            };
            self.now = self.now.max(due.seconds() - NOW);
            waits += 1;
            assert!(waits < 100, "waits for ever: {plan:?}");
        }
    }

    /// Plans, sends and hears one answer, or all of them. `false` where there was nothing to send or hear.
    pub(super) async fn run_once(&mut self, cloud: &mut Cloud<'_>) -> bool {
        if self.out.is_empty() {
            self.read().await;
        }
        let plan = self.plan().await;
        let busy: HashSet<Entry> = self
            .out
            .iter()
            .flat_map(|call| call.entries.clone())
            .collect();
        let room = match self.sending {
            Sending::OneByOne => 1,
            Sending::Together => usize::MAX,
            Sending::Overlapping => 4_usize.saturating_sub(self.out.len()),
        };
        let is_free = |batch: &&Batch| !batch.entries().iter().any(|entry| busy.contains(entry));
        for batch in plan.batches.iter().filter(is_free).take(room) {
            let call = self.journal(batch).await;
            self.out.push(call);
        }
        let answers = match self.sending {
            Sending::Overlapping => self.out.len().min(1),
            Sending::OneByOne | Sending::Together => self.out.len(),
        };
        for _ in 0..answers {
            let call = self.out.swap_remove(self.random.usize(..self.out.len()));
            self.calls += 1;
            self.answer(call, cloud).await;
        }
        answers > 0
    }

    async fn journal(&mut self, batch: &Batch) -> Out {
        let entries = batch.entries();
        let call = NewCall {
            firewall: self.firewall,
            list: batch.list,
            action: batch.action(),
            end_time: batch.end_time(),
            entries: &entries,
            trial: batch.trial,
        };
        let id = self.ledger.journal(&call, self.now_ms()).await.unwrap();
        if let [only] = entries.as_slice() {
            *self.alone.entry(only.clone()).or_default() += 1;
        }
        Out {
            id,
            action: batch.action(),
            end_time: batch.end_time(),
            entries,
        }
    }

    async fn answer(&mut self, call: Out, cloud: &mut Cloud<'_>) {
        let answer = cloud(call.action, &call.entries);
        let taken = matches!(answer, Answer::Taken | Answer::Lost { taken: true });
        for entry in call.entries.iter().filter(|_| taken) {
            match call.end_time {
                None => self.there.remove(entry),
                Some(end) => self.there.insert(entry.clone(), end),
            };
        }
        self.now += 1;
        let settlement = settlement(&answer, at(self.now + 60));
        let ledger = &self.ledger;
        ledger
            .settle(call.id, &settlement, self.now_ms())
            .await
            .unwrap();
    }

    fn now_ms(&self) -> i64 {
        (NOW + self.now) * 1000
    }

    /// What stands on the cloud's list.
    pub(super) fn there(&self) -> BTreeSet<Entry> {
        self.there.keys().cloned().collect()
    }

    pub(super) async fn quarantined(&self) -> BTreeSet<Entry> {
        let rows = self.ledger.quarantine(self.firewall).await.unwrap();
        rows.into_iter().map(|row| row.entry).collect()
    }

    /// What is leased without doubt.
    pub(super) async fn leased(&self) -> BTreeSet<Entry> {
        let mut leases = self.ledger.leases(self.firewall).await.unwrap();
        leases.retain(|lease| lease.doubt.is_none());
        leases.into_iter().map(|lease| lease.entry).collect()
    }

    pub(super) async fn learned(&self) -> BTreeMap<String, Option<i64>> {
        let since = at(self.now - DAY);
        let rows = self.ledger.learned(self.firewall, since).await.unwrap();
        rows.into_iter()
            // That a reading was asked for is no lesson.
            .filter(|(subject, ..)| !subject.starts_with("alike "))
            .map(|(subject, value, _)| (subject, value))
            .collect()
    }

    /// Nothing is under trial any more, and no row of a trial is left behind.
    pub(super) async fn is_quiet(&self) -> bool {
        let trials = self.ledger.count("SELECT count(*) FROM trials").await;
        let suspects = self.ledger.count("SELECT count(*) FROM suspects").await;
        trials == 0 && suspects == 0
    }
}

pub(super) fn settlement(answer: &Answer, not_before: UnixTime) -> Settlement {
    let (verdict, code, outcome) = match answer {
        Answer::Taken => ("applied", None, Outcome::Applied),
        Answer::Refused(code) => (
            "split",
            Some(code.clone()),
            Outcome::Refused { too_large: false },
        ),
        Answer::TooLarge => (
            "split",
            Some("RequestSizeLimitExceeded".to_owned()),
            Outcome::Refused { too_large: true },
        ),
        Answer::Failed => (
            "retry",
            Some("FailedOperation".to_owned()),
            Outcome::Failed { not_before },
        ),
        Answer::Lost { .. } => ("unknown", None, Outcome::Unknown),
    };
    Settlement {
        verdict,
        message: code.as_ref().map(|code| format!("{code} was said")),
        code,
        request_id: Some("00000000-0000-0000-0000-000000000000".to_owned()),
        duration_ms: 60,
        outcome,
    }
}
