//! What an apply or a delete did.

use serde::Serialize;

use super::Place;

/// What was done, and what was not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Rules that were made.
    pub made: Vec<Deed>,
    /// Rules that were changed.
    pub changed: Vec<Deed>,
    /// Rules that were deleted.
    pub deleted: Vec<Deed>,
    /// Rules that stood already and are the set's own now.
    pub adopted: Vec<Deed>,
    /// Rules that the cloud would not have.
    pub refused: Vec<Refused>,
    /// Rules that were not tried, or not to an end.
    pub stopped: Vec<Stopped>,
    /// Rules that the cloud took and could not deploy.
    pub failed: Vec<Deed>,
    /// Rules that were not online when the wait was over.
    pub waiting: Vec<Deed>,
    /// Calls that change rules, as sent.
    pub write_calls: u64,
}

/// One rule.
#[derive(Clone, Debug, Serialize)]
pub struct Deed {
    /// The line of the file; 0 where it stands in none.
    pub line: usize,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// `rule-…`
    pub rule_id: String,
    /// What it is known by: `TCP 80`.
    pub rule: String,
    /// The call that did it; none where a reading showed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The status as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// A rule that the cloud would not have.
#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    /// The line of the file; 0 where it stands in none.
    pub line: usize,
    /// Where it was to stand.
    #[serde(flatten)]
    pub place: Place,
    /// What it is known by: `TCP 80`.
    pub rule: String,
    /// What was to be done: create, modify, delete.
    pub action: &'static str,
    /// The cloud's code.
    pub code: String,
    /// The cloud's message.
    pub message: String,
    /// The cloud's name for the call that carried it alone.
    pub request_id: Option<String>,
}

/// Rules of one proxy with which it was not worth going on.
#[derive(Clone, Debug, Serialize)]
pub struct Stopped {
    /// Where they were to stand.
    #[serde(flatten)]
    pub place: Place,
    /// What was to be done: create, modify, delete.
    pub action: &'static str,
    /// How many they are.
    pub rules: usize,
    /// Why.
    pub why: String,
}

/// How far it has come, for whoever watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rules to make, change or delete.
    pub rules: u64,
    /// Of those, the ones that are done with.
    pub done: u64,
    /// Rules that are not online yet, while that is waited for.
    pub waiting: u64,
}

impl Report {
    /// Whether something was asked for that did not come about.
    #[must_use]
    pub fn fell_short(&self) -> bool {
        !(self.refused.is_empty()
            && self.stopped.is_empty()
            && self.failed.is_empty()
            && self.waiting.is_empty())
    }
}
