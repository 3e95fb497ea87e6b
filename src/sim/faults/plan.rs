//! A schedule at work: which rules strike a call, and what they make of it together.

use std::time::Duration;

use super::super::config::{EditAbsent, Limits, Manners, Repeat};
use super::super::ioc::{Class, Ioc};
use super::super::options::StrictCode;
use super::super::refusal::Refusal;
use super::super::state::Foreign;
use super::{Delay, FaultRule, FaultSchedule, Then, When};

/// A schedule since it was set.
#[derive(Debug)]
pub(in crate::sim) struct Running {
    seed: u64,
    rules: Vec<Counted>,
    since_us: u64,
}

#[derive(Debug)]
struct Counted {
    rule: FaultRule,
    /// `contains` in the form in which calls are compared.
    contains: Option<String>,
    met: u64,
}

/// What a rule can ask about a call.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Facts {
    pub(in crate::sim) action: String,
    pub(in crate::sim) ioc_action: String,
    pub(in crate::sim) rule_type: Option<i64>,
    /// Each entry's text, in the list's own form where it has one, and its class.
    pub(in crate::sim) iocs: Vec<(String, Option<Class>)>,
}

/// What becomes of one call.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim) struct Plan {
    pub(in crate::sim) latency: Duration,
    pub(in crate::sim) slow: Duration,
    pub(in crate::sim) skew_seconds: i64,
    pub(in crate::sim) token_expired: bool,
    pub(in crate::sim) limits: Limits,
    pub(in crate::sim) repeats: Option<Repeat>,
    pub(in crate::sim) visible_after: Option<Duration>,
    /// What somebody else puts there before, and how many seconds it stays.
    pub(in crate::sim) foreign: Vec<(Foreign, Option<u32>)>,
    pub(in crate::sim) ending: Ending,
}

/// How a call ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::sim) enum Ending {
    #[default]
    Plain,
    Error {
        refusal: Refusal,
        applied: bool,
    },
    ReturnCode {
        code: i64,
        message: String,
        applied: bool,
    },
    Http {
        status: u16,
        applied: bool,
    },
    LoseAnswer,
    /// Carried out so much later.
    Late(Duration),
    Reset,
    Garbage,
    Truncate,
}

impl Plan {
    /// The cloud's manners as they are for this call.
    pub(in crate::sim) fn manners(&self, manners: Manners) -> Manners {
        let Some(repeats) = self.repeats else {
            return manners;
        };
        Manners {
            add_present: repeats,
            delete_absent: repeats,
            edit_absent: match repeats {
                Repeat::Refuse(code) => EditAbsent::Refuse(code),
                Repeat::Take => EditAbsent::Create,
            },
            ..manners
        }
    }
}

impl Facts {
    /// An entry as calls and rules are compared by.
    pub(in crate::sim) fn entry(text: &str) -> (String, Option<Class>) {
        match Ioc::from_any(text) {
            Some(ioc) => (ioc.text, Some(ioc.class)),
            None => (text.to_owned(), None),
        }
    }
}

impl Running {
    pub(in crate::sim) fn new(schedule: FaultSchedule, tick_us: u64) -> Self {
        let counted = |rule: FaultRule| Counted {
            contains: rule
                .when
                .contains
                .as_deref()
                .map(|text| Facts::entry(text).0),
            met: 0,
            rule,
        };
        Self {
            seed: schedule.seed,
            rules: schedule.rules.into_iter().map(counted).collect(),
            since_us: tick_us,
        }
    }

    /// Judges every rule against one call, and counts it where it is met.
    pub(in crate::sim) fn plan(&mut self, facts: &Facts, limits: Limits, tick_us: u64) -> Plan {
        let mut plan = Plan {
            latency: Duration::ZERO,
            slow: Duration::ZERO,
            skew_seconds: 0,
            token_expired: false,
            limits,
            repeats: None,
            visible_after: None,
            foreign: Vec::new(),
            ending: Ending::Plain,
        };
        let since = Duration::from_micros(tick_us.saturating_sub(self.since_us));
        for (counted, salt) in self.rules.iter_mut().zip(1_u64..) {
            if !counted.meets(facts, since) {
                continue;
            }
            counted.met += 1;
            let mut chance = draw(self.seed, salt, counted.met);
            if counted.rule.when.strikes(counted.met, &mut chance) {
                counted.rule.then.add_to(&mut plan, &mut chance);
            }
        }
        plan
    }
}

impl Counted {
    fn meets(&self, facts: &Facts, since: Duration) -> bool {
        let when = &self.rule.when;
        let is = |wanted: &Option<String>, given: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == given)
        };
        let carries = |wanted: &str| facts.iocs.iter().any(|(text, _)| text == wanted);
        let has_class = |wanted| facts.iocs.iter().any(|(_, class)| *class == Some(wanted));
        let seconds = since.as_secs_f64();
        is(&when.action, &facts.action)
            && is(&when.ioc_action, &facts.ioc_action)
            && when
                .rule_type
                .is_none_or(|wanted| facts.rule_type == Some(wanted))
            && self.contains.as_deref().is_none_or(carries)
            && when.class.is_none_or(has_class)
            && when
                .seconds
                .is_none_or(|span| (span.from..span.to).contains(&seconds))
    }
}

impl When {
    fn strikes(&self, number: u64, chance: &mut fastrand::Rng) -> bool {
        self.calls
            .is_none_or(|calls| (calls.from..=calls.to).contains(&number))
            && self.every.is_none_or(|every| number.is_multiple_of(every))
            && self
                .probability
                .is_none_or(|probability| chance.f64() < probability)
    }
}

impl Then {
    fn add_to(&self, plan: &mut Plan, chance: &mut fastrand::Rng) {
        match self {
            Self::Latency(delay) => plan.latency += delay.draw(chance),
            Self::Slow(delay) => plan.slow += delay.draw(chance),
            Self::ClockSkew { seconds } => {
                plan.skew_seconds = plan.skew_seconds.saturating_add(*seconds)
            }
            Self::TokenExpired => plan.token_expired = true,
            Self::Quota { places } => plan.limits.quota = *places,
            Self::Batch { entries } => plan.limits.batch = *entries,
            Self::Rate { per_second } => plan.limits.rate = *per_second,
            Self::Repeats { refused } => {
                let refuse = |code: StrictCode| Repeat::Refuse(code.as_str());
                plan.repeats = Some(refused.map_or(Repeat::Take, refuse));
            }
            Self::VisibleAfter { ms } => plan.visible_after = Some(Duration::from_millis(*ms)),
            Self::Foreign {
                ioc,
                direction,
                rule_type,
                seconds,
            } => plan.foreign.push((
                Foreign {
                    rule_type: *rule_type,
                    ioc: ioc.clone(),
                    direction: *direction,
                    end_unix: None,
                    source: None,
                },
                *seconds,
            )),
            _ if plan.ending == Ending::Plain => plan.ending = self.ending(chance),
            _ => {}
        }
    }

    fn ending(&self, chance: &mut fastrand::Rng) -> Ending {
        match self {
            Self::Error {
                code,
                message,
                applied,
            } => Ending::Error {
                refusal: Refusal::injected(code, message.as_deref()),
                applied: *applied,
            },
            Self::ReturnCode {
                code,
                message,
                applied,
            } => Ending::ReturnCode {
                code: *code,
                message: message.clone().unwrap_or_else(|| "fail".to_owned()),
                applied: *applied,
            },
            Self::Http { status, applied } => Ending::Http {
                status: *status,
                applied: *applied,
            },
            Self::LoseAnswer => Ending::LoseAnswer,
            Self::Late(delay) => Ending::Late(delay.draw(chance)),
            Self::Reset => Ending::Reset,
            Self::Garbage => Ending::Garbage,
            Self::Truncate => Ending::Truncate,
            Self::Latency(_)
            | Self::Slow(_)
            | Self::ClockSkew { .. }
            | Self::TokenExpired
            | Self::Quota { .. }
            | Self::Batch { .. }
            | Self::Rate { .. }
            | Self::Repeats { .. }
            | Self::VisibleAfter { .. }
            | Self::Foreign { .. } => Ending::Plain,
        }
    }
}

impl Delay {
    fn draw(self, chance: &mut fastrand::Rng) -> Duration {
        let jitter_us = chance.u64(0..=self.jitter_ms.saturating_mul(1000));
        Duration::from_millis(self.ms).saturating_add(Duration::from_micros(jitter_us))
    }
}

/// Chance that belongs to one rule and one call of it, so that other rules and calls do not move it.
fn draw(seed: u64, rule: u64, call: u64) -> fastrand::Rng {
    // Odd constants of splitmix64 keep neighbouring rules and calls far apart.
    let spread =
        rule.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ call.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mut chance = fastrand::Rng::with_seed(seed ^ spread);
    chance.u64(..);
    chance
}
