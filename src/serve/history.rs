//! `/api/history`: the samples of the last hours, as columns.

use std::time::Duration;

use serde::Serialize;

use crate::model::UnixTime;

use super::{Desk, ServeError};

/// What the samples say; the columns are equally long, the oldest first.
#[derive(Clone, Debug, Default, Serialize)]
pub struct History {
    /// From when on it was asked for.
    pub since: UnixTime,
    /// When it was gathered.
    pub now: UnixTime,
    /// Unix seconds of each sample: a minute apart in the last day, ten in the last week, then an hour.
    pub at: Vec<i64>,
    /// Indicators that feeds listed.
    pub listed: Vec<u64>,
    /// Entries that should have been on the firewalls.
    pub desired: Vec<u64>,
    /// Entries that were there without doubt.
    pub held: Vec<u64>,
    /// Entries seen in a read-back.
    pub confirmed: Vec<u64>,
    /// Calls answered since the sample before.
    pub calls: Vec<u64>,
    /// Of those, the ones that were not applied.
    pub failed: Vec<u64>,
    /// Median seconds from listing to first confirmation; null where none was confirmed for the first time.
    pub lag_s: Vec<Option<u64>>,
}

/// Reads the samples of the last `span`.
pub(super) async fn gather(desk: &Desk, span: Duration) -> Result<History, ServeError> {
    let now = desk.ctx.clock.now();
    let since = now.minus(span);
    let mut history = History {
        since,
        now,
        ..History::default()
    };
    let mut before = None;
    for sample in desk.ctx.ledger.samples(since).await? {
        let (calls, failed) = before.unwrap_or((sample.calls, sample.failed));
        before = Some((sample.calls, sample.failed));
        history.at.push(sample.at.seconds());
        history.listed.push(sample.listed);
        history.desired.push(sample.desired);
        history.held.push(sample.held);
        history.confirmed.push(sample.confirmed);
        history.calls.push(sample.calls.saturating_sub(calls));
        history.failed.push(sample.failed.saturating_sub(failed));
        history.lag_s.push(sample.lag);
    }
    Ok(history)
}
