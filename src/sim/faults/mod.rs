//! What goes wrong, as data: a schedule of rules, each a condition and an effect, the same again from the same seed.
//!
//! ```toml
//! seed = 7
//!
//! [[rule]]                                  # two outages of the service's own, early on
//! when = { action = "ModifyBlockIgnoreList", calls = { from = 5, to = 6 } }
//! then = { error = { code = "InternalError" } }
//!
//! [[rule]]                                  # an entry that it will not have
//! when = { contains = "192.0.2.66" }
//! then = { error = { code = "InvalidParameter", message = "illegal IP" } }
//!
//! [[rule]]                                  # every hundredth answer never comes, though the call was carried out
//! when = { every = 100 }
//! then = "lose_answer"
//!
//! [[rule]]                                  # a distant data centre, all the time
//! then = { latency = { ms = 60, jitter_ms = 100 } }
//! ```
//!
//! Rules are judged in order. Delays and clock skews add up, the last change of a limit counts, and the first rule that
//! ends the call decides how.

mod plan;

use serde::Deserialize;

pub(super) use plan::{Ending, Facts, Plan, Running};

use super::ioc::Class;

const ACTIONS: [&str; 7] = [
    "ModifyBlockIgnoreList",
    "DescribeBlockIgnoreList",
    "DescribeOverviewResourceQuota",
    "CreateL4ProxyRules",
    "DescribeL4ProxyRules",
    "ModifyL4ProxyRules",
    "DeleteL4ProxyRules",
];

/// The whole schedule; empty by default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSchedule {
    /// Where probabilities and jitter are drawn from.
    #[serde(default)]
    pub seed: u64,
    /// The rules, in the order in which they are judged.
    #[serde(default, rename = "rule")]
    pub rules: Vec<FaultRule>,
}

/// One condition and its effect.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// When it strikes; always, if absent.
    #[serde(default)]
    pub when: When,
    /// What happens then.
    pub then: Then,
}

/// A condition: everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// `X-TC-Action`.
    pub action: Option<String>,
    /// `IocAction`.
    pub ioc_action: Option<String>,
    /// `RuleType`: 1 blocklist, 2 allowlist.
    pub rule_type: Option<i64>,
    /// An entry that the call carries; of a call on proxy rules a rule's tag, without one its id, without that its
    /// protocol and first port: `TCP:80`.
    pub contains: Option<String>,
    /// A class of entry that the call carries.
    pub class: Option<Class>,
    /// Seconds since the schedule was set.
    pub seconds: Option<Seconds>,
    /// Numbers among the calls that meet everything above, from 1.
    pub calls: Option<Calls>,
    /// Every so manieth of them.
    pub every: Option<u64>,
    /// How likely each of those is struck, from 0 to 1.
    pub probability: Option<f64>,
}

/// From the first call to the last, both struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    /// The first call; 1 if absent.
    pub from: u64,
    /// The last call; without end if absent.
    pub to: u64,
}

/// From one moment until just before another.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seconds {
    /// The first moment; 0 if absent.
    pub from: f64,
    /// The end; without end if absent.
    pub to: f64,
}

/// An effect.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Then {
    /// The service answers with an error, after the gateway's own checks.
    Error {
        /// Any code, such as `InternalError`, `RequestLimitExceeded`, `AuthFailure.TokenFailure`.
        code: String,
        /// Its sentence; one that fits the code if absent.
        #[serde(default)]
        message: Option<String>,
        /// Whether the call is carried out first.
        #[serde(default)]
        applied: bool,
    },
    /// No `Error`, but a `ReturnCode` other than 0.
    ReturnCode {
        /// The code.
        code: i64,
        /// `ReturnMsg`; `fail` if absent.
        #[serde(default)]
        message: Option<String>,
        /// Whether the call is carried out first.
        #[serde(default)]
        applied: bool,
    },
    /// Something before the service answers with a bare HTTP status.
    Http {
        /// 400 to 599.
        status: u16,
        /// Whether the call is carried out first.
        #[serde(default)]
        applied: bool,
    },
    /// The request takes its time to arrive.
    Latency(Delay),
    /// The answer takes its time to leave.
    Slow(Delay),
    /// The call is carried out, and the connection closed without an answer.
    LoseAnswer,
    /// The connection is closed without an answer, and the call arrives so much later, from some buffer on the way.
    Late(Delay),
    /// The connection is reset, and nothing is carried out.
    Reset,
    /// The call is carried out, and the answer is no JSON.
    Garbage,
    /// The call is carried out, and the connection closed in the middle of the answer.
    Truncate,
    /// The cloud's clock is ahead by so many seconds; negative: behind.
    ClockSkew {
        /// Whole seconds.
        seconds: i64,
    },
    /// Tokens are no longer taken.
    TokenExpired,
    /// The lists have so many places.
    Quota {
        /// Entries on each list.
        places: usize,
    },
    /// A call may carry so many entries.
    Batch {
        /// Entries in one call.
        entries: usize,
    },
    /// So many calls of one action may come in a second.
    Rate {
        /// Calls in any sliding second.
        per_second: u32,
    },
}

/// A delay in milliseconds, and up to so many more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delay {
    /// The least.
    pub ms: u64,
    /// The most that chance adds.
    pub jitter_ms: u64,
}

/// Why a schedule is not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FaultError {
    /// It does not read; the message has line, column and the line itself.
    #[error("the fault schedule does not read: {0}")]
    Toml(String),
    /// It does not read.
    #[error("the fault schedule does not read: {0}")]
    Json(String),
    /// A rule that could never strike, or could not mean what it says.
    #[error("rule {number} of the fault schedule: {problem}")]
    Rule {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
}

impl FaultSchedule {
    /// Reads TOML.
    ///
    /// # Errors
    /// At the first thing that does not read, and at the first rule that makes no sense.
    pub fn from_toml(text: &str) -> Result<Self, FaultError> {
        let schedule: Self =
            toml::from_str(text).map_err(|fault| FaultError::Toml(fault.to_string()))?;
        schedule.checked()
    }

    /// Reads the same in JSON, with the rules in `rule`.
    ///
    /// # Errors
    /// As [`FaultSchedule::from_toml`].
    pub fn from_json(text: &str) -> Result<Self, FaultError> {
        let schedule: Self =
            serde_json::from_str(text).map_err(|fault| FaultError::Json(fault.to_string()))?;
        schedule.checked()
    }

    /// This schedule with one more rule.
    #[must_use]
    pub fn and(mut self, when: When, then: Then) -> Self {
        self.rules.push(FaultRule { when, then });
        self
    }

    fn checked(self) -> Result<Self, FaultError> {
        for (index, rule) in self.rules.iter().enumerate() {
            if let Some(problem) = rule.when.problem().or_else(|| rule.then.problem()) {
                let number = index + 1;
                return Err(FaultError::Rule { number, problem });
            }
        }
        Ok(self)
    }
}

impl Then {
    /// The service answers with this code, and nothing is carried out.
    #[must_use]
    pub fn error(code: &str) -> Self {
        Self::Error {
            code: code.to_owned(),
            message: None,
            applied: false,
        }
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::Error { code, .. } if code.is_empty() => Some("the error has no code".to_owned()),
            Self::ReturnCode { code: 0, .. } => Some("a ReturnCode of 0 is success".to_owned()),
            Self::Http { status, .. } if !(400..=599).contains(status) => {
                Some(format!("HTTP status {status} is none of 400 to 599"))
            }
            _ => None,
        }
    }
}

impl When {
    /// Calls from number `from` to number `to`.
    #[must_use]
    pub fn calls(self, from: u64, to: u64) -> Self {
        Self {
            calls: Some(Calls { from, to }),
            ..self
        }
    }

    /// Calls that carry this entry.
    #[must_use]
    pub fn contains(self, ioc: &str) -> Self {
        Self {
            contains: Some(ioc.to_owned()),
            ..self
        }
    }

    /// Calls of this `X-TC-Action`.
    #[must_use]
    pub fn action(self, action: &str) -> Self {
        Self {
            action: Some(action.to_owned()),
            ..self
        }
    }

    fn problem(&self) -> Option<String> {
        let word = |given: &Option<String>, known: &[&str], name: &str| {
            let given = given.as_deref().filter(|given| !known.contains(given))?;
            Some(format!("{name} {given:?} is none of {}", known.join(", ")))
        };
        word(&self.action, &ACTIONS, "action")
            .or_else(|| word(&self.ioc_action, &["add", "edit", "delete"], "ioc_action"))
            .or_else(|| self.number_problem())
    }

    fn number_problem(&self) -> Option<String> {
        let list = self.rule_type.filter(|number| !matches!(number, 1 | 2));
        let calls = self
            .calls
            .filter(|calls| calls.from == 0 || calls.from > calls.to);
        // Written so that what is no number fails too.
        let seconds = self
            .seconds
            .filter(|span| !(0.0 <= span.from && span.from < span.to));
        let chance = self
            .probability
            .filter(|chance| !(0.0..=1.0).contains(chance));
        list.map(|number| format!("rule_type {number} is neither 1 nor 2"))
            .or_else(|| {
                calls.map(|calls| {
                    format!(
                        "no call is from {} to {}: they count from 1",
                        calls.from, calls.to
                    )
                })
            })
            .or_else(|| {
                seconds
                    .map(|span| format!("no moment is from {} to {} seconds", span.from, span.to))
            })
            .or_else(|| chance.map(|chance| format!("probability {chance} is not between 0 and 1")))
            .or_else(|| (self.every == Some(0)).then(|| "every 0 calls is never".to_owned()))
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            from: 1,
            to: u64::MAX,
        }
    }
}

impl Default for Seconds {
    fn default() -> Self {
        Self {
            from: 0.0,
            to: f64::INFINITY,
        }
    }
}
