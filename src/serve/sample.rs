//! The minute's sample, and how long entries took from their listing to their first confirmation.

use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::{BY_HAND, Sample};
use crate::model::UnixTime;
use crate::status::report::FirewallReport;

use super::health::{Facts, Health};
use super::snapshot::Snapshot;
use super::{Desk, ServeError};

/// Entries of one read-back that are looked at: enough for a median.
const MOST: u32 = 2_000;

impl Desk {
    /// Records how things stand, as the row of this minute.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub async fn sample(&self) -> Result<(), ServeError> {
        let snapshot = self.snapshot().await?;
        let keep = self.view()?.config.ledger.keep_history;
        let lag = self.count_lags(&snapshot).await?;
        let sample = Sample {
            lag,
            ..sum(&snapshot)
        };
        self.ctx.ledger.record_sample(&sample, keep).await?;
        self.noted().sampled = Some(Instant::now());
        Ok(())
    }

    /// Whether feeds are polled and what they say is sent.
    pub async fn health(&self) -> Health {
        match self.snapshot().await {
            Err(fault) => Health::broken(&fault.to_string()),
            Ok(snapshot) => {
                let up = snapshot.report.now.since(self.started);
                let sampled = self.noted().sampled;
                let view = self.view().ok();
                let fetches = view.iter().flat_map(|view| view.config.polled());
                let facts = Facts {
                    started: self.started,
                    unwritten: sampled.map_or(up, |at| at.elapsed()),
                    slowest: fetches
                        .map(|feed| feed.limits.total)
                        .max()
                        .unwrap_or_default(),
                    stuck: view.as_ref().map(|view| (view.stuck)()).unwrap_or_default(),
                };
                Health::judge(&snapshot, &facts)
            }
        }
    }

    /// Counts the lags of what read-backs since the last look saw for the first time; gives their median, in seconds.
    async fn count_lags(&self, snapshot: &Snapshot) -> Result<Option<u64>, ServeError> {
        let mut all: Vec<Duration> = Vec::new();
        for firewall in &snapshot.report.firewalls {
            let Some(read_at) = self.unread(firewall) else {
                continue;
            };
            let ledger = &self.ctx.ledger;
            let Some(row) = ledger.firewall(&firewall.name).await? else {
                continue;
            };
            let lags = ledger.first_seen(row.id, read_at, MOST).await?;
            let mut noted = self.noted();
            let histogram = noted.lags.entry(firewall.name.clone()).or_default();
            lags.iter().for_each(|lag| histogram.observe(*lag));
            all.extend(lags);
        }
        all.sort_unstable();
        Ok(all.get(all.len() / 2).map(Duration::as_secs))
    }

    /// The firewall's last read-back, where it was not yet looked at. The one before this start counts as looked at.
    fn unread(&self, firewall: &FirewallReport) -> Option<UnixTime> {
        let read_at = firewall.coverage.read_at;
        let before = self.noted().read.insert(firewall.name.clone(), read_at);
        let before = before.unwrap_or_else(|| read_at.filter(|at| *at < self.started));
        read_at.filter(|_| before != read_at)
    }
}

fn sum(snapshot: &Snapshot) -> Sample {
    let report = &snapshot.report;
    let minute = report.now.seconds() - report.now.seconds().rem_euclid(60);
    let feeds = report.feeds.iter().filter(|feed| !feed.guard);
    let mut sample = Sample {
        at: UnixTime::from_seconds(minute),
        listed: feeds
            .filter(|feed| feed.name.as_str() != BY_HAND)
            .map(|feed| feed.listed)
            .sum(),
        ..Sample::default()
    };
    for firewall in &report.firewalls {
        let coverage = &firewall.coverage;
        sample.desired += coverage.desired.unwrap_or(0);
        sample.held += coverage.held;
        sample.confirmed += coverage.confirmed.unwrap_or(0);
    }
    for total in snapshot.beside.values().flat_map(|one| &one.totals) {
        sample.calls += total.calls;
        if total.verdict == "applied" {
            sample.entries += total.entries;
        } else {
            sample.failed += total.calls;
        }
    }
    sample
}
