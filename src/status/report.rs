//! How things stand: gathered from the ledger, and from the config where there is one. It reads numbers that
//! the daemon left there and no listing, so that it is quick however large the feeds are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::config::Config;
use crate::ledger::{
    FeedHits, FeedRow, FeedState, FirewallRow, LEARNED_FOR, Ledger, LedgerError, Role,
};
use crate::model::{List, Mode, Name, UnixTime};
use crate::plan::LeftOut;
use crate::plan::drift::DriftCounts;

use super::needs::{Need, needs};

/// A clock further than this before something already recorded is not right.
const CLOCK_BEHIND: Duration = Duration::from_secs(60);

/// What `feedwall status` tells; as JSON with `--json`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// When it was gathered.
    pub now: UnixTime,
    /// This program's version.
    pub version: &'static str,
    /// Whether a daemon holds the ledger just now.
    pub daemon_running: bool,
    /// Why the clock is not believed; null where it is.
    pub clock_doubt: Option<String>,
    /// The ledger's file.
    pub ledger: PathBuf,
    /// Bytes of that file and its write-ahead log.
    pub ledger_bytes: u64,
    /// By name.
    pub firewalls: Vec<FirewallReport>,
    /// By name.
    pub feeds: Vec<FeedReport>,
    /// What waits for a person. Where there is anything, the exit code is 3.
    pub needs: Vec<Need>,
    /// What is worth knowing and needs nobody, in sentences.
    pub notes: Vec<String>,
}

/// One firewall.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FirewallReport {
    /// Its name.
    pub name: Name,
    /// Whether it was in the config that was last in force.
    pub configured: bool,
    /// Whether everything is being taken back, until `feedwall resume`.
    pub withdrawn: bool,
    /// What should be there, and what is.
    pub coverage: Coverage,
    /// Entries that the last plan left out, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// Deletes that 24 h would see by the last plan: done, wanted, and held by `max_delete`.
    pub wanted_deletes: u64,
    /// Deletes that 24 h may see by `max_delete`, approvals included.
    pub allowed_deletes: u64,
    /// Deletes that wait for an approval.
    pub held_deletes: u64,
    /// Entries that the cloud refused alone.
    pub quarantined: u64,
    /// Entries under trial: their calls were refused, and it is being found out why.
    pub under_trial: u64,
    /// Entries of others on its lists, as last read.
    pub foreign: u64,
    /// Why its lists are to be read before anything more is sent.
    pub read_wanted: Option<String>,
    /// What the last read-back found.
    pub drift: Option<DriftCounts>,
    /// What it turned out to refuse, in the last day.
    pub learned: Vec<Learned>,
    /// Why it is not written to.
    pub trouble: Option<String>,
    /// Since when.
    pub trouble_since: Option<UnixTime>,
    /// Nothing is sent before this.
    pub not_before: Option<UnixTime>,
}

/// A firewall's coverage in entries: each direction of an indicator is one.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Coverage {
    /// When the last plan was made; what follows from it is null before the first one.
    pub planned_at: Option<UnixTime>,
    /// Entries that should be there, by the last plan.
    pub desired: Option<u64>,
    /// Desired entries that are there without doubt: their call was answered, and their EndTime lies ahead.
    pub held: u64,
    /// Desired entries seen in a read-back since they were set; null until there was one.
    pub confirmed: Option<u64>,
    /// Entries of ours that are still there, and that the last plan no longer wanted.
    pub unwanted: u64,
    /// Adds, edits and deletes that the last plan still wanted.
    pub pending: Option<u64>,
    /// Entries that feeds list and the last plan left out.
    pub held_back: Option<u64>,
    /// Entries whose last call had no answer.
    pub doubtful: u64,
    /// Entries whose EndTime lies within the hour.
    pub ending_within_hour: u64,
    /// The last whole read-back.
    pub read_at: Option<UnixTime>,
    /// The earliest EndTime: when protection begins to lapse if the daemon stops now.
    pub lapses_from: Option<UnixTime>,
    /// The latest EndTime: when all of it has lapsed.
    pub lapsed_at: Option<UnixTime>,
}

/// What a firewall turned out to refuse.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Learned {
    /// `class block network`, `batch`, `quota`.
    pub subject: String,
    /// The size or number, where it is one.
    pub value: Option<i64>,
    /// What taught it.
    pub reason: String,
}

/// One feed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FeedReport {
    /// Its name.
    pub name: Name,
    /// Whether it was in the config that was last in force; one that left ages out.
    pub configured: bool,
    /// How its last poll ended.
    pub state: FeedState,
    /// Whether it is a guard list: what it lists must not be blocked.
    pub guard: bool,
    /// Blocklist or allowlist.
    pub list: List,
    /// Snapshot or incremental.
    pub mode: Mode,
    /// Indicators that it lists.
    pub listed: u64,
    /// Rows of its last recorded body that were rejected.
    pub rejected: u64,
    /// The last attempt.
    pub last_poll: Option<UnixTime>,
    /// The last good fetch.
    pub last_good: Option<UnixTime>,
    /// The last good fetch that changed anything.
    pub last_change: Option<UnixTime>,
    /// When it is due; null where it is due now.
    pub next_poll: Option<UnixTime>,
    /// Failed or held attempts since the last good one.
    pub failures: u32,
    /// Seconds that a listing lasts after the last good fetch.
    pub ttl_s: u64,
    /// What is wrong, as a sentence.
    pub trouble: Option<String>,
    /// The snapshot that waits for an approval.
    pub held: Option<Held>,
    /// What its indicators earned on the firewalls, as last read.
    pub hits: FeedHits,
}

/// A snapshot that was not believed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Held {
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: UnixTime,
    /// When it was approved; it is then taken at the next poll.
    pub approved_at: Option<UnixTime>,
}

impl Report {
    /// Gathers the report.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn gather(
        ledger: &Ledger,
        config: Option<&Config>,
        daemon_running: bool,
        now: UnixTime,
    ) -> Result<Self, LedgerError> {
        let mut firewalls = Vec::new();
        for row in ledger.firewalls().await? {
            let report = FirewallReport::gather(ledger, row, now).await?;
            // One that left the config is shown until nothing of ours is left there.
            if report.configured || report.coverage.lapsed_at.is_some() {
                firewalls.push(report);
            }
        }
        let mut feeds = Vec::new();
        for row in ledger.feeds().await? {
            feeds.push(FeedReport::gather(ledger, row).await?);
        }
        let mut report = Self {
            now,
            version: env!("CARGO_PKG_VERSION"),
            daemon_running,
            clock_doubt: clock_doubt(ledger, daemon_running, now).await?,
            ledger: ledger.path().to_owned(),
            ledger_bytes: ledger.size(),
            firewalls,
            feeds,
            needs: Vec::new(),
            notes: Vec::new(),
        };
        report.needs = needs(&report);
        report.notes = config.map_or_else(Vec::new, |config| report.unknown(config));
        Ok(report)
    }

    /// What the config names and the ledger does not know yet.
    fn unknown(&self, config: &Config) -> Vec<String> {
        let feeds = config.polled().filter(|feed| {
            let known = |row: &FeedReport| row.name == feed.name && row.configured;
            !self.feeds.iter().any(known)
        });
        let firewalls = config.firewalls.iter().filter(|firewall| {
            let known = |row: &FirewallReport| row.name == firewall.name && row.configured;
            !self.firewalls.iter().any(known)
        });
        let taken =
            "is in the config and not in force yet: a reload or start of the daemon takes it";
        let feeds = feeds.map(|feed| format!("feed {} {taken}", feed.name));
        let firewalls = firewalls.map(|firewall| format!("firewall {} {taken}", firewall.name));
        feeds.chain(firewalls).collect()
    }
}

/// A running daemon says whether it believes the clock; without one, the ledger's last word tells.
async fn clock_doubt(
    ledger: &Ledger,
    daemon_running: bool,
    now: UnixTime,
) -> Result<Option<String>, LedgerError> {
    if daemon_running {
        return ledger.clock_doubt().await;
    }
    let last = ledger.last_word().await?;
    let behind = last.map_or(Duration::ZERO, |last| last.since(now));
    Ok((behind > CLOCK_BEHIND).then(|| {
        let seconds = behind.as_secs();
        format!("this machine's clock lies {seconds} s before the ledger's last word")
    }))
}

impl FirewallReport {
    async fn gather(ledger: &Ledger, row: FirewallRow, now: UnixTime) -> Result<Self, LedgerError> {
        let counts = ledger.lease_counts(row.id, now).await?;
        let left_out: BTreeMap<LeftOut, u64> = row
            .plan
            .as_ref()
            .and_then(|plan| serde_json::from_str(&plan.left_out).ok())
            .unwrap_or_default();
        let learned = ledger.learned(row.id, now.minus(LEARNED_FOR)).await?;
        let coverage = Coverage {
            planned_at: row.plan.as_ref().map(|plan| plan.at),
            desired: row.plan.as_ref().map(|plan| plan.desired),
            held: counts.held,
            confirmed: row.read_at.map(|_| counts.confirmed),
            pending: row.plan.as_ref().map(|plan| plan.pending),
            held_back: row.plan.as_ref().map(|_| left_out.values().sum()),
            unwanted: counts.unwanted,
            doubtful: counts.doubtful,
            ending_within_hour: counts.ending_soon,
            read_at: row.read_at,
            lapses_from: counts.first_end,
            lapsed_at: counts.last_end,
        };
        let learned = learned.into_iter().map(|(subject, value, reason)| Learned {
            subject,
            value,
            reason,
        });
        Ok(Self {
            configured: row.configured,
            withdrawn: row.withdrawn,
            coverage,
            left_out,
            wanted_deletes: row.plan.as_ref().map_or(0, |plan| plan.wanted_deletes),
            allowed_deletes: row.plan.as_ref().map_or(0, |plan| plan.allowed_deletes),
            held_deletes: row.plan.as_ref().map_or(0, |plan| plan.held_deletes),
            quarantined: ledger.quarantine(row.id).await?.len() as u64,
            under_trial: ledger.suspects(row.id).await?.entries.len() as u64,
            foreign: row.foreign,
            read_wanted: row.read_wanted,
            drift: row.drift,
            learned: learned.collect(),
            trouble: row.trouble,
            trouble_since: row.trouble_since,
            not_before: row.not_before,
            name: row.name,
        })
    }
}

impl FeedReport {
    /// Gathers one feed's report.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn gather(ledger: &Ledger, row: FeedRow) -> Result<Self, LedgerError> {
        let held = ledger.held_snapshot(row.id).await?.map(|held| Held {
            reason: held.reason,
            since: held.held_at,
            approved_at: held.approved_at,
        });
        Ok(Self {
            hits: ledger.feed_hits(row.id).await?,
            name: row.name,
            configured: row.configured,
            state: row.state,
            guard: row.role != Role::Feed,
            list: row.terms.list,
            mode: row.terms.mode,
            listed: row.listed,
            rejected: row.rejected,
            last_poll: row.last_poll,
            last_good: row.last_good,
            last_change: row.last_change,
            next_poll: row.next_poll.filter(|_| row.configured),
            failures: row.failures,
            ttl_s: row.terms.ttl.as_secs(),
            trouble: row.trouble,
            held,
        })
    }

    /// How long a listing lasts after the last good fetch.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_s)
    }
}
