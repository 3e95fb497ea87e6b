//! `feedwall status`: how things stand. `--json` gives [`Report`]. The exit code is 3 where something needs a
//! person.

use crate::status::report::Report;
use crate::status::table;

use super::ask::Ground;
use super::{Cli, Exit, Misused, print, print_json};

/// `feedwall status`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long, hide = true)]
    watch: bool,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    if args.watch {
        let refusal = "`feedwall status --watch` is not built yet; `watch feedwall status` does nearly the same";
        return Err(Misused(refusal.to_owned()).into());
    }
    let ground = Ground::open(cli).await?;
    let daemon = ground.daemon_running();
    let report =
        Report::gather(ground.ledger(), ground.config.as_ref(), daemon, ground.now).await?;
    ground.close().await;
    if cli.json {
        print_json(&report)?;
    } else {
        print(table::status(&report).trim_end())?;
    }
    Ok(if report.needs.is_empty() {
        Exit::Done
    } else {
        Exit::NeedsYou
    })
}
