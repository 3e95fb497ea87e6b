//! `feedwall quarantine`: what the cloud refused alone. `--json` gives an array of
//! [`QuarantineReport`]; `release` gives `{released, daemon_running}`.

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;

use crate::status::calls::{self, QuarantineReport};
use crate::status::explain::asked_for;
use crate::status::layout::count;

use super::ask::Ground;
use super::{Cli, Exit, print, print_json};

/// `feedwall quarantine`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is quarantined, with the cloud's words.
    List,
    /// Let entries be sent again: those of one indicator, or all of them.
    Release {
        /// An address, a network or a domain; without it, everything.
        #[arg(value_name = "IOC")]
        ioc: Option<String>,
    },
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        None | Some(Command::List) => list(cli).await,
        Some(Command::Release { ioc }) => release(cli, ioc.as_deref()).await,
    }
}

async fn release(cli: &Cli, ioc: Option<&str>) -> anyhow::Result<Exit> {
    let indicator = ioc.map(asked_for).transpose()?;
    let ground = Ground::open(cli).await?;
    let mut released = 0;
    for row in ground.ledger().firewalls().await? {
        let ledger = ground.ledger();
        released += ledger
            .release_quarantine(row.id, indicator.as_ref())
            .await?;
    }
    if let (0, Some(indicator)) = (released, &indicator) {
        bail!(
            "{indicator} is not quarantined; `feedwall explain {indicator}` says how it is with it"
        );
    }
    ground.ledger().raise_hand().await?;
    if cli.json {
        print_json(&json!({ "released": released, "daemon_running": ground.daemon_running() }))?;
    } else if released == 0 {
        print("nothing is quarantined")?;
    } else {
        let entries = count(released, "entry is", "entries are");
        print(format_args!(
            "{entries} released; the next plan sends what is still wanted"
        ))?;
    }
    ground.close().await;
    Ok(Exit::Done)
}

async fn list(cli: &Cli) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let mut quarantined: Vec<QuarantineReport> = Vec::new();
    for row in ground.ledger().firewalls().await? {
        let entries = ground.ledger().quarantine(row.id).await?;
        quarantined.extend(calls::quarantined(&row.name, entries));
    }
    if cli.json {
        print_json(&quarantined)?;
    } else if quarantined.is_empty() {
        print("nothing is quarantined")?;
    } else {
        print(calls::quarantine(&quarantined, ground.now).trim_end())?;
        print("They are not sent again until released: feedwall quarantine release [IOC]")?;
    }
    ground.close().await;
    Ok(Exit::Done)
}
