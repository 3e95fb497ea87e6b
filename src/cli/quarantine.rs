//! `feedwall quarantine`: what the cloud refused alone. `--json` gives an array of
//! [`QuarantineReport`](crate::status::calls::QuarantineReport).

use clap::Subcommand;

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
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        None | Some(Command::List) => list(cli).await,
    }
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
