//! The journal of calls, and what the cloud refused alone, as tables.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;

use crate::ledger::{CallRow, FirewallRow, Quarantined};
use crate::model::{Action, Direction, Indicator, List, Name, UnixTime};

use super::escape::escape;
use super::layout::Side::{Left, Right};
use super::layout::{bound, grid, items};
use super::span::when;

/// One call of the journal; an array of these is the JSON of `feedwall calls`.
#[derive(Clone, Debug, Serialize)]
pub struct CallReport {
    /// Its key.
    pub id: i64,
    /// When it was written down, to the millisecond, and then sent.
    pub sent_at: String,
    /// When its answer was; null while there is none.
    pub settled_at: Option<String>,
    /// To which firewall.
    pub firewall: String,
    /// On which list.
    pub list: List,
    /// What it did.
    pub action: Action,
    /// How many entries it held.
    pub entries: u64,
    /// Which attempt at these entries it was.
    pub attempt: u32,
    /// The EndTime that its entries share; null for a delete.
    pub end_time: Option<UnixTime>,
    /// What its answer meant: `applied`, `retry`, `split`, `refused`, `full`, `reauthenticate`, `stop`,
    /// `unknown`; null while there is none.
    pub verdict: Option<String>,
    /// The cloud's code, where it was not applied.
    pub code: Option<String>,
    /// The cloud's message, raw.
    pub message: Option<String>,
    /// The cloud's name for the call.
    pub request_id: Option<String>,
    /// From sending to answer.
    pub duration_ms: Option<i64>,
}

/// An entry that the cloud refused alone; an array of these is the JSON of `feedwall quarantine`.
#[derive(Clone, Debug, Serialize)]
pub struct QuarantineReport {
    /// On which firewall.
    pub firewall: Name,
    /// On which list.
    pub list: List,
    /// In which direction.
    pub direction: Direction,
    /// What was refused.
    pub indicator: Indicator,
    /// What was tried.
    pub action: Action,
    /// The cloud's code.
    pub code: String,
    /// The cloud's message, raw.
    pub message: String,
    /// The call that showed it.
    pub request_id: Option<String>,
    /// Since when.
    pub since: UnixTime,
}

impl CallReport {
    /// A call with the name of its firewall.
    #[must_use]
    pub fn new(call: CallRow, firewalls: &[FirewallRow]) -> Self {
        let firewall = firewalls.iter().find(|row| row.id == call.firewall);
        Self {
            id: call.id,
            sent_at: stamp(call.sent_ms),
            settled_at: call.settled_ms.map(stamp),
            firewall: firewall.map(|row| row.name.to_string()).unwrap_or_default(),
            list: call.list,
            action: call.action,
            entries: call.count,
            attempt: call.attempt,
            end_time: call.end_time,
            verdict: call.verdict,
            code: call.code,
            message: call.message,
            request_id: call.request_id,
            duration_ms: call.duration_ms,
        }
    }
}

/// A table of calls, and below it what the cloud said of those that were not applied.
#[must_use]
pub fn calls(calls: &[CallReport]) -> String {
    let header = [
        ("call", Right),
        ("sent (UTC)", Left),
        ("firewall", Left),
        ("what", Left),
        ("entries", Right),
        ("try", Right),
        ("verdict", Left),
        ("ms", Right),
    ];
    let rows = calls.iter().map(|call| {
        let list = match call.list {
            List::Block => String::new(),
            List::Allow => " (allow)".to_owned(),
        };
        vec![
            call.id.to_string(),
            call.sent_at
                .get(5..19)
                .unwrap_or_default()
                .replace('T', " "),
            call.firewall.clone(),
            format!("{}{list}", call.action),
            call.entries.to_string(),
            call.attempt.to_string(),
            call.verdict
                .clone()
                .unwrap_or_else(|| "no answer yet".to_owned()),
            call.duration_ms.map_or(String::new(), |ms| ms.to_string()),
        ]
    });
    let mut text = grid(&header, rows.collect());
    let failed: Vec<_> = calls
        .iter()
        .filter_map(|call| Some((call.id, failure(call)?)))
        .collect();
    if !failed.is_empty() {
        text += &format!("\n{}", items(failed));
    }
    text
}

/// What is quarantined, each with the cloud's words.
#[must_use]
pub fn quarantine(quarantined: &[QuarantineReport], now: UnixTime) -> String {
    let rows = quarantined.iter().map(|one| {
        let list = match one.list {
            List::Block => "",
            List::Allow => " (allowlist)",
        };
        let id = one.request_id.as_deref().unwrap_or("none");
        let text = format!(
            "{}{list} on {}: the {} {} was answered with {}: {} (RequestId {})",
            bound(one.direction),
            one.firewall,
            one.action,
            when(one.since, now),
            escape(&one.code),
            escape(&one.message),
            escape(id)
        );
        (&one.indicator, text)
    });
    items(rows)
}

/// Quarantined entries of one firewall.
pub fn quarantined(
    firewall: &Name,
    entries: Vec<Quarantined>,
) -> impl Iterator<Item = QuarantineReport> {
    let firewall = firewall.clone();
    entries.into_iter().map(move |one| QuarantineReport {
        firewall: firewall.clone(),
        list: one.entry.list,
        direction: one.entry.direction,
        indicator: one.entry.indicator,
        action: one.action,
        code: one.code,
        message: one.message,
        request_id: one.request_id,
        since: one.since,
    })
}

fn failure(call: &CallReport) -> Option<String> {
    let code = call.code.as_deref()?;
    let message = call.message.as_deref().unwrap_or_default();
    let id = call.request_id.as_deref().unwrap_or("none");
    Some(format!(
        "{}: {} (RequestId {})",
        escape(code),
        escape(message),
        escape(id)
    ))
}

/// RFC 3339 with milliseconds; a time outside jiff's years is shown as the epoch.
fn stamp(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    Offset::UTC
        .to_datetime(at)
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}
