//! `feedwall calls`: the journal, newest first. `--json` gives an array of
//! [`CallReport`].

use crate::status::calls::{self, CallReport};

use super::ask::Ground;
use super::{Cli, Exit, print, print_json};

/// `feedwall calls`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only calls that were not applied, or have no answer yet.
    #[arg(long)]
    failed: bool,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let firewalls = ground.ledger().firewalls().await?;
    let rows = ground.ledger().calls(args.failed, args.limit).await?;
    let calls: Vec<CallReport> = rows
        .into_iter()
        .map(|row| CallReport::new(row, &firewalls))
        .collect();
    if cli.json {
        print_json(&calls)?;
    } else if calls.is_empty() {
        print(if args.failed {
            "no call has failed"
        } else {
            "no call was sent yet"
        })?;
    } else {
        print(calls::calls(&calls).trim_end())?;
    }
    ground.close().await;
    Ok(Exit::Done)
}
