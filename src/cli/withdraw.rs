//! `feedwall withdraw` and `resume`: take back every entry of ours, and stay quiet until told otherwise.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

use anyhow::bail;
use serde_json::json;

use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::ledger::FirewallRow;
use crate::model::Name;

use super::ask::Ground;
use super::run::stop_on_signals;
use super::{Cli, Exit, load_config, print, print_json};

/// `feedwall withdraw`
#[derive(Debug, clap::Args)]
pub struct WithdrawArgs {
    /// From every firewall.
    #[arg(long, required_unless_present = "firewall")]
    all: bool,
    /// From this firewall alone.
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    firewall: Option<Name>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// `feedwall resume`
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// This firewall alone.
    #[arg(long, value_name = "NAME")]
    firewall: Option<Name>,
}

pub(super) async fn withdraw(cli: &Cli, args: &WithdrawArgs) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let rows = chosen(&ground, args.firewall.as_ref()).await?;
    let mut entries = 0;
    for row in &rows {
        entries += ground
            .ledger()
            .lease_counts(row.id, ground.now)
            .await?
            .there;
    }
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let names = names.join(", ");
    if !args.yes && !agreed(&format!("Take {entries} entries back from {names}?"))? {
        print("nothing was taken back")?;
        return Ok(Exit::Done);
    }
    for row in &rows {
        ground.ledger().withdraw(row.id, true).await?;
    }
    ground.ledger().raise_hand().await?;
    let running = ground.daemon_running();
    ground.close().await;
    let left = if running {
        None
    } else {
        Some(send(cli, &rows).await?)
    };
    tell_withdrawn(cli, entries, &names, left)
}

pub(super) async fn resume(cli: &Cli, args: &ResumeArgs) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let rows = chosen(&ground, args.firewall.as_ref()).await?;
    let quiet: Vec<&FirewallRow> = rows.iter().filter(|row| row.withdrawn).collect();
    for row in &quiet {
        ground.ledger().withdraw(row.id, false).await?;
    }
    ground.ledger().raise_hand().await?;
    ground.close().await;
    let names: Vec<&str> = quiet.iter().map(|row| row.name.as_str()).collect();
    if cli.json {
        print_json(&json!({ "resumed": names }))?;
    } else if names.is_empty() {
        print("no firewall was withdrawn")?;
    } else {
        print(format_args!(
            "{}: wanted again what the feeds want",
            names.join(", ")
        ))?;
    }
    Ok(Exit::Done)
}

async fn chosen(ground: &Ground, name: Option<&Name>) -> anyhow::Result<Vec<FirewallRow>> {
    match name {
        Some(name) => Ok(vec![ground.firewall(name.as_str()).await?]),
        None => Ok(ground.ledger().firewalls().await?),
    }
}

/// Without a daemon the deletes are sent here. Returns how many entries could not be taken back.
async fn send(cli: &Cli, rows: &[FirewallRow]) -> anyhow::Result<u64> {
    let config = load_config(cli)?;
    let cancel = stop_on_signals()?;
    let daemon = Daemon::open(&config.ledger.path, Clock::system()).await?;
    let session = Arc::new(daemon.configure(&config).await?);
    let mut left = 0;
    for link in &session.links {
        if rows.iter().any(|row| row.id == link.id) {
            let (_, _, failure) = session.converge(link, false, &cancel).await?;
            if let Some(why) = failure {
                print(format_args!("{}: not done: {why}", link.config.name))?;
            }
            let now = daemon.context().clock.now();
            left += daemon
                .context()
                .ledger
                .lease_counts(link.id, now)
                .await?
                .there;
        }
    }
    daemon.close().await;
    Ok(left)
}

fn tell_withdrawn(cli: &Cli, entries: u64, names: &str, left: Option<u64>) -> anyhow::Result<Exit> {
    if cli.json {
        print_json(&json!({ "withdrawn": names, "entries": entries, "left": left }))?;
    } else {
        print(match left {
            None => format!("the daemon takes {entries} entries back from {names} within seconds"),
            Some(0) => format!("{entries} entries were taken back from {names}"),
            Some(left) => format!("{left} of {entries} entries are still on {names}; run it again"),
        })?;
        print("nothing is put back before `feedwall resume`")?;
    }
    Ok(match left {
        Some(left) if left > 0 => Exit::Failed,
        _ => Exit::Done,
    })
}

/// Asks on the terminal; without one the answer must be given as `--yes`.
pub(super) fn agreed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask on; give --yes to go on without a question");
    }
    let mut out = anstream::stdout().lock();
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
