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
//! [[rule]]                                  # somebody else's entry comes with the tenth call, and goes a minute later
//! when = { calls = { from = 10, to = 10 } }
//! then = { foreign = { ioc = "192.0.2.80", direction = 1, seconds = 60 } }
//!
//! [[rule]]                                  # for a while, to do again what is done is refused
//! when = { seconds = { from = 30, to = 60 } }
//! then = { repeats = { refused = "FailedOperation" } }
//!
//! [[rule]]                                  # a distant data centre, all the time
//! then = { latency = { ms = 60, jitter_ms = 100 } }
//! ```
//!
//! Rules are judged in order. Delays and clock skews add up, the last change of a limit counts, and the first rule that
//! ends the call decides how.

mod plan;
mod when;

use std::time::Duration;

use serde::Deserialize;

pub use when::{Calls, Seconds, When};

pub(super) use plan::{Ending, Facts, Plan, Running};

use super::ioc::{Class, Ioc};
use super::options::StrictCode;

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
    /// What becomes of a call that asks for what is already so.
    Repeats {
        /// It is refused with this code; absent: it is taken.
        #[serde(default)]
        refused: Option<StrictCode>,
    },
    /// A read-back shows the lists as they were so long ago.
    VisibleAfter {
        /// Milliseconds.
        ms: u64,
    },
    /// Just before the call, somebody else puts an entry on a list, over the quota where need be.
    Foreign {
        /// An address, network or domain.
        ioc: String,
        /// 0 outbound, 1 inbound.
        direction: u8,
        /// 1 blocklist (the default), 2 allowlist.
        #[serde(default = "blocklist")]
        rule_type: u8,
        /// How long it stays; absent: for ever.
        #[serde(default)]
        seconds: Option<u32>,
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

    /// The longest that any rule lets a change take to show.
    pub(super) fn longest_delay(&self) -> Duration {
        let delays = self.rules.iter().filter_map(|rule| match rule.then {
            Then::VisibleAfter { ms } => Some(Duration::from_millis(ms)),
            _ => None,
        });
        delays.max().unwrap_or_default()
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
            Self::Foreign { ioc, .. } if Ioc::from_any(ioc).is_none() => {
                Some(format!("{ioc:?} is no address, network or domain"))
            }
            Self::Foreign {
                direction,
                rule_type,
                ..
            } if *direction > 1 || !matches!(rule_type, 1 | 2) => Some(format!(
                "rule_type is 1 or 2 and direction 0 or 1, not {rule_type} and {direction}"
            )),
            _ => None,
        }
    }
}

const fn blocklist() -> u8 {
    1
}
