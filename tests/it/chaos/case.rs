//! Everything about a run that its seed decides.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use feedwall::sim::{
    Class, Delay, Expired, FaultRule, FaultSchedule, Manners, Seconds, SimConfig, Site, StrictCode,
    Then, When,
};

use crate::cloudside::addresses;
use crate::support::rig::MODIFY;

/// How long things go wrong.
pub const STORM: Duration = Duration::from_secs(8);

/// These many at the feed's front never leave: entries that are special are among them.
pub const STAY: u32 = 30;

#[derive(Debug)]
pub struct Case {
    pub seed: u64,
    pub strict: Option<&'static str>,
    expired: Expired,
    pub visible_after: Duration,
    pub site: Site,
    page: usize,
    /// Places on the list, where they are fewer than the feed has entries.
    pub places: Option<usize>,
    /// Seconds that the cloud's clock is ahead of this machine's.
    pub skew: i64,
    pub lease: &'static str,
    pub batch: usize,
    /// Addresses that the feed lists at first.
    pub listed: u32,
    /// Domains that it lists all the time, and whether the cloud takes them.
    pub domains: usize,
    pub takes_domains: bool,
    /// Addresses of the feed that others hold from the start.
    pub foreign: BTreeSet<usize>,
    /// Those that the cloud never takes.
    pub poison: BTreeSet<usize>,
    /// Those that it does not take for a while.
    pub passing: BTreeSet<usize>,
    poison_code: &'static str,
    passing_refusal: Then,
    faults: Vec<FaultRule>,
    pub events: Vec<(Duration, Event)>,
}

#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// kill -9, and a new start after so long.
    Kill(Duration),
    /// So many leave the feed at its front, and so many come at its end.
    Feed(u32, u32),
    /// So many of others' entries come, and go by themselves after so many seconds.
    Foreign(u32, i64),
}

impl Case {
    pub fn new(seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed);
        let strict = [None, Some("FailedOperation"), Some("InvalidParameter")];
        let strict = strict[usize::try_from(seed % 3).unwrap()];
        let listed = dice.u32(60..240);
        let foreign = some(&mut dice, 5, listed);
        let mut poison = some(&mut dice, 2, listed);
        poison.retain(|one| !foreign.contains(one));
        let mut passing = some(&mut dice, 2, listed);
        passing.retain(|one| !foreign.contains(one) && !poison.contains(one));
        let faults = (0..dice.usize(1..6)).map(|_| fault(&mut dice)).collect();
        let mut events: Vec<(Duration, Event)> = (0..dice.usize(2..8))
            .map(|_| {
                let at = STORM.mul_f64(dice.f64());
                (at, event(&mut dice))
            })
            .collect();
        events.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            strict,
            expired: if dice.bool() {
                Expired::Gone
            } else {
                Expired::Kept
            },
            visible_after: Duration::from_millis(dice.u64(0..3) * 300),
            site: if dice.u8(0..4) == 0 {
                Site::International
            } else {
                Site::China
            },
            page: if dice.bool() { 100 } else { 20 },
            places: (dice.u8(0..6) == 0).then(|| dice.u32(listed / 3..listed) as usize),
            skew: if dice.u8(0..5) == 0 {
                dice.i64(310..1_200) * if dice.bool() { 1 } else { -1 }
            } else {
                0
            },
            lease: ["20s", "1m", "1h"][dice.usize(0..3)],
            batch: dice.usize(4..25),
            listed,
            domains: dice.usize(0..3) * 8,
            takes_domains: dice.u8(0..3) > 0,
            foreign,
            poison,
            passing,
            // Three tries at each step of the search take minutes; few runs have the time.
            poison_code: if dice.u8(0..8) == 0 {
                "FailedOperation"
            } else {
                "InvalidParameter"
            },
            passing_refusal: if dice.bool() {
                Then::error("InvalidParameterValue")
            } else {
                Then::ReturnCode {
                    code: 1,
                    message: None,
                    applied: false,
                }
            },
            faults,
            events,
        }
    }

    /// Sets the cloud up.
    pub fn cloud(&self, cloud: &mut SimConfig) {
        cloud.manners = self.strict.map_or(Manners::lenient(), Manners::strict);
        cloud.manners.expired = self.expired;
        cloud.visible_after = self.visible_after;
        cloud.site = self.site;
        cloud.limits.page = self.page;
        if let Some(places) = self.places {
            cloud.limits.quota = places;
        }
        if !self.takes_domains {
            cloud.block_classes = vec![Class::Ipv4];
        }
        cloud.seed = self.seed;
    }

    /// What the cloud is like, and with `storm` what goes wrong for a while.
    pub fn schedule(&self, storm: bool) -> FaultSchedule {
        let all = addresses(0..self.listed);
        let mut schedule = FaultSchedule {
            seed: self.seed,
            rules: Vec::new(),
        };
        let carries = |one: &usize| When::default().action(MODIFY).contains(&all[*one]);
        for one in &self.poison {
            schedule = schedule.and(carries(one), Then::error(self.poison_code));
        }
        if storm {
            for one in &self.passing {
                schedule = schedule.and(carries(one), self.passing_refusal.clone());
            }
            schedule.rules.extend(self.faults.iter().cloned());
        }
        schedule
    }

    /// The domains of the feed.
    pub fn names(&self) -> Vec<String> {
        (0..self.domains)
            .map(|n| format!("host-{n}.badhost.com"))
            .collect()
    }
}

fn some(dice: &mut Rng, most: usize, listed: u32) -> BTreeSet<usize> {
    let count = dice.usize(0..=most);
    (0..count).map(|_| dice.usize(0..listed as usize)).collect()
}

fn event(dice: &mut Rng) -> Event {
    match dice.u8(0..5) {
        0 | 1 => Event::Feed(dice.u32(0..60), dice.u32(0..60)),
        2 => Event::Foreign(dice.u32(1..10), dice.i64(2..12)),
        _ => Event::Kill(Duration::from_millis(dice.u64(0..600))),
    }
}

/// A fault of a kind that says nothing of any entry: what a cloud says of those is believed.
fn fault(dice: &mut Rng) -> FaultRule {
    let applied = dice.bool();
    let error = |code: &str, applied| Then::Error {
        code: code.to_owned(),
        message: None,
        applied,
    };
    let (then, most) = match dice.u8(0..23) {
        0 | 1 => (Then::LoseAnswer, 1.0),
        2 => (Then::Reset, 1.0),
        3 => (Then::Garbage, 1.0),
        4 => (Then::Truncate, 1.0),
        5 => {
            let status = [500, 502, 503][dice.usize(0..3)];
            (Then::Http { status, applied }, 1.0)
        }
        6 => {
            let (status, applied) = (429, false);
            (Then::Http { status, applied }, 1.0)
        }
        7 => (error("InternalError", applied), 1.0),
        8 => {
            let codes = ["ResourceUnavailable", "ResourceInUse", "ServiceUnavailable"];
            (error(codes[dice.usize(0..3)], false), 1.0)
        }
        9 => (error("RequestLimitExceeded", false), 1.0),
        10 => (error("FailedOperation", applied), 0.15),
        11 | 12 => (Then::Latency(delay(dice, 300)), 1.0),
        13 | 14 => (Then::Slow(delay(dice, 2_000)), 1.0),
        15 => (
            Then::Batch {
                entries: dice.usize(2..20),
            },
            1.0,
        ),
        16 => (
            Then::Rate {
                per_second: dice.u32(2..15),
            },
            1.0,
        ),
        17 => (
            Then::Late(Delay {
                ms: 0,
                jitter_ms: 800,
            }),
            1.0,
        ),
        18 => {
            let refused = [None, Some(StrictCode::FailedOperation)][dice.usize(0..2)];
            (Then::Repeats { refused }, 1.0)
        }
        19 => {
            let ms = dice.u64(0..1_200);
            (Then::VisibleAfter { ms }, 1.0)
        }
        // These stop the sender until somebody starts it anew.
        20 => (Then::TokenExpired, 0.05),
        21 => (error("AuthFailure.SignatureExpire", false), 0.05),
        _ => (error("UnauthorizedOperation", false), 0.05),
    };
    let from = STORM.as_secs_f64() * dice.f64() * 0.7;
    let probability = if dice.bool() {
        most
    } else {
        most * dice.f64() * 0.5
    };
    FaultRule {
        when: When {
            action: dice.bool().then(|| MODIFY.to_owned()),
            seconds: Some(Seconds {
                from,
                to: from + dice.f64() * 6.0,
            }),
            probability: Some(probability),
            ..When::default()
        },
        then,
    }
}

fn delay(dice: &mut Rng, jitter_ms: u64) -> Delay {
    Delay {
        ms: dice.u64(0..100),
        jitter_ms: dice.u64(0..jitter_ms),
    }
}
