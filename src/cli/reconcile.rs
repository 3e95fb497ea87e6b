//! `feedwall reconcile`: read the cloud's lists back and repair our own entries. A running daemon is asked
//! to do it; without one, it is done here.

use std::time::Duration;

use anyhow::{anyhow, bail};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{Daemon, Session};
use crate::ledger::{DaemonLock, FirewallRow, Ledger};
use crate::model::{Entry, Name, UnixTime};
use crate::plan::drift::DriftCounts;
use crate::stage::Context;
use crate::stage::reconcile::{self, ReadSummary};
use crate::stage::replan;
use crate::stage::send::Link;

use super::run::stop_on_signals;
use super::withdraw::agreed;
use super::{Cli, Exit, load_config, print, print_json};

/// `feedwall reconcile`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// This firewall alone.
    #[arg(long, value_name = "NAME")]
    firewall: Option<Name>,
    /// Read and show; change nothing here or there.
    #[arg(long)]
    dry_run: bool,
    /// Take back what looks like ours: for a ledger that was lost. Shows it and asks first.
    #[arg(long, conflicts_with = "dry_run")]
    adopt: bool,
    /// Do not ask.
    #[arg(long, requires = "adopt")]
    yes: bool,
}

/// How long a running daemon is given.
const PATIENCE: Duration = Duration::from_secs(180);

/// Entries that are shown before an adoption.
const SHOWN: usize = 10;

/// What came of one firewall.
struct Outcome {
    firewall: Name,
    counts: DriftCounts,
    adopted: usize,
    repaired: u64,
    failure: Option<String>,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let config = load_config(cli)?;
    if let Some(name) = &args.firewall
        && config.firewall(name).is_none()
    {
        bail!("the config has no firewall `{name}`");
    }
    let outcomes = if DaemonLock::is_held(&config.ledger.path) {
        ask_daemon(args, &config).await?
    } else {
        here(args, &config).await?
    };
    tell(cli, &outcomes)?;
    let failed = outcomes.iter().any(|outcome| outcome.failure.is_some());
    let counts = |one: &Outcome| one.counts.taken_over + one.counts.shortened + one.counts.gone;
    let drifted = outcomes
        .iter()
        .any(|one| counts(one) > 0 || one.counts.zone_fault.is_some());
    Ok(match (failed, drifted) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::NeedsYou,
        (false, false) => Exit::Done,
    })
}

/// Leaves the request in the ledger and waits for its outcome.
async fn ask_daemon(args: &Args, config: &Config) -> anyhow::Result<Vec<Outcome>> {
    if args.dry_run || args.adopt {
        bail!(
            "the daemon is running, and only it talks to the firewalls: stop it first, or leave out --dry-run and --adopt"
        );
    }
    let ledger = Ledger::open_existing(&config.ledger.path).await?;
    let rows: Vec<FirewallRow> = ledger.firewalls().await?;
    let asked: Vec<FirewallRow> = rows
        .into_iter()
        .filter(|row| row.configured && args.firewall.as_ref().is_none_or(|name| *name == row.name))
        .collect();
    for row in &asked {
        ledger
            .want_read(row.id, "asked for by `feedwall reconcile`")
            .await?;
    }
    ledger.raise_hand().await?;
    let mut outcomes = Vec::new();
    for row in asked {
        outcomes.push(wait_for(&ledger, row).await?);
    }
    ledger.close().await;
    Ok(outcomes)
}

async fn wait_for(ledger: &Ledger, before: FirewallRow) -> anyhow::Result<Outcome> {
    let deadline = Instant::now() + PATIENCE;
    let mut outcome = Outcome {
        firewall: before.name.clone(),
        counts: DriftCounts::default(),
        adopted: 0,
        repaired: 0,
        failure: None,
    };
    loop {
        let now = ledger.firewall(&before.name).await?;
        let now = now.ok_or_else(|| anyhow!("the firewall {} has left the ledger", before.name))?;
        if now.read_wanted.is_none() {
            outcome.counts = now.drift.unwrap_or_default();
            return Ok(outcome);
        }
        if Instant::now() >= deadline {
            let trouble = now
                .trouble
                .unwrap_or_else(|| "the daemon has not answered".to_owned());
            outcome.failure = Some(format!(
                "{trouble}; the request stays and is done as soon as it can be"
            ));
            return Ok(outcome);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Does it here, holding the ledger's lock.
async fn here(args: &Args, config: &Config) -> anyhow::Result<Vec<Outcome>> {
    let cancel = stop_on_signals()?;
    let daemon = Daemon::open(&config.ledger.path, Clock::system()).await?;
    let session = daemon.configure(config).await?;
    let mut outcomes = Vec::new();
    for link in &session.links {
        if args
            .firewall
            .as_ref()
            .is_none_or(|name| *name == link.config.name)
        {
            outcomes.push(one(args, daemon.context(), &session, link, &cancel).await?);
        }
    }
    daemon.close().await;
    Ok(outcomes)
}

async fn one(
    args: &Args,
    ctx: &Context,
    session: &Session,
    link: &Link,
    cancel: &CancellationToken,
) -> anyhow::Result<Outcome> {
    let read = reconcile::turn(ctx, link, args.dry_run, cancel).await?;
    let mut outcome = Outcome {
        firewall: link.config.name.clone(),
        counts: read.drift.counts(read.gone.len()),
        adopted: 0,
        repaired: 0,
        failure: read.failure.clone(),
    };
    if outcome.failure.is_some() || args.dry_run {
        return Ok(outcome);
    }
    if args.adopt {
        outcome.adopted = adopt(args, ctx, session, link, &read).await?;
    }
    let (sent, _, failure) = session.converge(link, false, cancel).await?;
    outcome.repaired = sent.entries.iter().sum();
    outcome.failure = failure;
    Ok(outcome)
}

/// Shows what looks like ours, asks, and takes it back.
async fn adopt(
    args: &Args,
    ctx: &Context,
    session: &Session,
    link: &Link,
    read: &ReadSummary,
) -> anyhow::Result<usize> {
    let now = ctx.clock.now();
    let wanted = replan::wanted_entries(ctx, &session.guards, &link.config).await?;
    let ours = reconcile::adoptable(&read.drift, &wanted, &link.config.terms, now);
    let name = &link.config.name;
    print(format_args!(
        "{name}: {} of {} entries of others look like ours: the feeds want them, and their EndTimes are ones that feedwall sets.",
        ours.len(),
        read.drift.foreign.len()
    ))?;
    if ours.is_empty() {
        return Ok(0);
    }
    show(&ours)?;
    if !args.yes && !agreed("Take them back as leases?")? {
        print("nothing was adopted")?;
        return Ok(0);
    }
    ctx.ledger.adopt(link.id, &ours, now).await?;
    Ok(ours.len())
}

fn show(ours: &[(Entry, UnixTime)]) -> anyhow::Result<()> {
    for (entry, end) in ours.iter().take(SHOWN) {
        let (indicator, direction, list) = (&entry.indicator, entry.direction, entry.list);
        print(format_args!(
            "  {indicator} {direction}, {list}list, until {end}"
        ))?;
    }
    if ours.len() > SHOWN {
        print(format_args!("  and {} more", ours.len() - SHOWN))?;
    }
    Ok(())
}

fn tell(cli: &Cli, outcomes: &[Outcome]) -> anyhow::Result<()> {
    if cli.json {
        let firewalls: Vec<_> = outcomes
            .iter()
            .map(|one| {
                json!({
                    "firewall": one.firewall, "drift": one.counts, "adopted": one.adopted,
                    "repaired": one.repaired, "failure": one.failure,
                })
            })
            .collect();
        return print_json(&json!({ "firewalls": firewalls }));
    }
    for one in outcomes {
        print(sentence(one))?;
    }
    Ok(())
}

fn sentence(one: &Outcome) -> String {
    let counts = &one.counts;
    let mut text = match &one.failure {
        Some(why) => format!("{}: not done: {why}", one.firewall),
        None => format!("{}: {} leases confirmed", one.firewall, counts.confirmed),
    };
    for (number, words) in [
        (counts.settled, "settled that no answer had settled"),
        (counts.gone, "gone from the list"),
        (counts.shortened, "shortened by somebody else"),
        (
            counts.taken_over,
            "prolonged by somebody else, and theirs now",
        ),
        (counts.lingering, "still there after their EndTime"),
        (one.adopted as u64, "adopted"),
        (one.repaired, "repaired"),
        (counts.foreign, "held by others"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {number} {words}"));
        }
    }
    if let Some(seconds) = counts.zone_fault {
        text.push_str(&format!(
            "; most EndTimes are off by {seconds} s alike: set the firewall's `time_zone` right"
        ));
    }
    text
}
