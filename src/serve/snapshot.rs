//! How things stand: the report of `status`, and the numbers beside it that only metrics and health need.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::ledger::{CallTotal, LedgerError};
use crate::model::{Name, UnixTime};
use crate::plan::Quota;
use crate::stage::Context;
use crate::status::report::{FirewallReport, Report};

/// Gathered in one go. None of it reads a listing or a call.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub report: Report,
    /// By name; what the ledger knows of each firewall beside its report.
    pub beside: BTreeMap<Name, Beside>,
}

/// What stands beside a firewall's report.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Calls, counted since the ledger began.
    pub totals: Vec<CallTotal>,
    /// When a call was last answered or given up.
    pub last_settled: Option<UnixTime>,
    /// Places on its list, where the config or the cloud has said.
    pub quota: Option<u64>,
    /// Of those, the ones kept for entries made by hand.
    pub reserve: u64,
    /// The limit of calls a second.
    pub rate: Option<u32>,
}

impl Snapshot {
    pub async fn gather(ctx: &Context, config: &Config) -> Result<Self, LedgerError> {
        let ledger = &ctx.ledger;
        // Whoever serves is the daemon.
        let report = Report::gather(ledger, Some(config), true, ctx.clock.now()).await?;
        let mut totals = ledger.call_totals().await?;
        let mut beside = BTreeMap::new();
        for row in ledger.firewalls().await? {
            let (own, rest) = totals.into_iter().partition(|one| one.firewall == row.id);
            totals = rest;
            let configured = config.firewall(&row.name).map(|one| &one.terms);
            let learned = report.firewalls.iter().find(|one| one.name == row.name);
            let quota = match configured.map(|terms| terms.quota) {
                Some(Quota::Fixed(places)) => Some(places),
                Some(Quota::Auto) | None => learned.and_then(learned_quota),
            };
            let one = Beside {
                totals: own,
                last_settled: ledger.last_settled(row.id).await?,
                quota,
                reserve: configured.map_or(0, |terms| terms.reserve),
                rate: config.firewall(&row.name).map(|one| one.rate),
            };
            beside.insert(row.name, one);
        }
        Ok(Self { report, beside })
    }
}

/// What the cloud says of its quota, and what its refusals say: the lesser counts.
fn learned_quota(firewall: &FirewallReport) -> Option<u64> {
    let learned = firewall.learned.iter();
    learned
        .filter(|one| matches!(one.subject.as_str(), "quota" | "full"))
        .filter_map(|one| one.value.and_then(|places| u64::try_from(places).ok()))
        .min()
}
