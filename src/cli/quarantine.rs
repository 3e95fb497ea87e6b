//! `feedwall quarantine`: what the cloud refused alone. `--json` gives an array of
//! [`QuarantineReport`].

use clap::Subcommand;

use crate::model::Indicator;
use crate::status::calls::{self, QuarantineReport};

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
        #[arg(value_parser = Indicator::try_new)]
        indicator: Option<Indicator>,
    },
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        None | Some(Command::List) => list(cli).await,
        Some(Command::Release { indicator }) => release(cli, indicator.as_ref()).await,
    }
}

async fn release(cli: &Cli, indicator: Option<&Indicator>) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let mut released = 0;
    for row in ground.ledger().firewalls().await? {
        released += ground
            .ledger()
            .release_quarantine(row.id, indicator)
            .await?;
    }
    ground.ledger().raise_hand().await?;
    if cli.json {
        print_json(&serde_json::json!({ "released": released }))?;
    } else {
        print(format_args!(
            "{released} entries are released; the next plan sends them again"
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
