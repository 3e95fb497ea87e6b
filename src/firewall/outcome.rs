//! From what the cloud said to what the ledger is told, and to what the sender does next.

use std::time::Duration;

use crate::cloud::{Answer, Reply, Retry, Verdict};
use crate::ledger::{Outcome, Settlement};
use crate::model::UnixTime;

/// What an answer means for the calls after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upshot {
    /// The cloud takes calls.
    Fine,
    /// It did not take this one; too many of these in a row and the firewall is left alone for a while.
    Trouble {
        /// Nothing answers there at all.
        unreachable: bool,
    },
    /// Calls came too fast.
    TooFast {
        /// Calls a second that the cloud named as its limit.
        limit: Option<u32>,
    },
    /// The lists are full: no more adds before a new plan.
    Full,
    /// It was refused, but may have been applied before: the lists must be read first.
    ReadFirst,
    /// The keys have ended.
    NewKeys,
    /// Our clock is off.
    ClockOff {
        /// Seconds that the cloud's clock is ahead of the time that was signed.
        ahead: i64,
    },
    /// Nothing that is sent will help until a person has done something.
    Halt,
}

/// The wait before an unexplained failure is tried again, doubled at each try.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// What to write into the journal for `reply`, and what the sender does next. `tries`: how often these
/// entries failed together before, for no stated reason.
#[must_use]
pub fn settlement<T>(reply: &Reply<T>, tries: u32, now: UnixTime) -> (Settlement, Upshot) {
    let verdict = reply.verdict();
    let outcome = outcome(verdict, tries, now);
    let failed = !matches!(reply.answer, Answer::Success);
    let settlement = Settlement {
        verdict: word(verdict),
        code: failed.then(|| reply.answer.code().into_owned()),
        message: failed.then(|| reply.answer.message().into_owned()),
        request_id: reply.request_id.clone(),
        duration_ms: i64::try_from(reply.took.as_millis()).unwrap_or(i64::MAX),
        outcome,
    };
    (settlement, upshot(verdict, &reply.answer))
}

/// A failure on the cloud's own side may have come after the deed, so it is as unknown as silence.
fn outcome(verdict: Verdict, tries: u32, now: UnixTime) -> Outcome {
    match verdict {
        Verdict::Applied => Outcome::Applied,
        Verdict::Unknown | Verdict::Retry(Retry::Failed) => Outcome::Unknown,
        Verdict::Retry(Retry::ThenRefused) => Outcome::Failed {
            not_before: now.plus(FIRST_WAIT * 2u32.saturating_pow(tries.min(8))),
        },
        Verdict::Split => Outcome::Refused { too_large: true },
        Verdict::Refused => Outcome::Refused { too_large: false },
        Verdict::Retry(Retry::Later | Retry::Slower { .. })
        | Verdict::Full
        | Verdict::Reauthenticate
        | Verdict::Resign { .. }
        | Verdict::Stop => Outcome::NotApplied,
    }
}

fn upshot(verdict: Verdict, answer: &Answer) -> Upshot {
    match verdict {
        // A refusal of what a call holds, or a failure under trial, says nothing against the next call.
        Verdict::Applied
        | Verdict::Split
        | Verdict::Refused
        | Verdict::Retry(Retry::ThenRefused) => Upshot::Fine,
        Verdict::Retry(Retry::Slower { limit }) => Upshot::TooFast { limit },
        Verdict::Retry(Retry::Later | Retry::Failed) | Verdict::Unknown => Upshot::Trouble {
            unreachable: matches!(answer, Answer::NotSent { .. }),
        },
        Verdict::Full => Upshot::Full,
        Verdict::Reauthenticate => Upshot::NewKeys,
        Verdict::Resign { ahead } => Upshot::ClockOff { ahead },
        Verdict::Stop => Upshot::Halt,
    }
}

/// The verdict's word in the journal, in tables and in metrics.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Applied => "applied",
        Verdict::Retry(_) => "retry",
        Verdict::Split => "split",
        Verdict::Refused => "refused",
        Verdict::Full => "full",
        Verdict::Reauthenticate | Verdict::Resign { .. } => "reauthenticate",
        Verdict::Stop => "stop",
        Verdict::Unknown => "unknown",
    }
}
