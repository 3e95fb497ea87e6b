//! `feedwall status`: how things stand. `--json` gives [`Report`]. The exit code is 3 where something needs a
//! person. `--watch` draws it anew again and again.

mod screen;
mod watch;

use std::io::IsTerminal as _;

use crate::status::report::Report;
use crate::status::table;

use super::ask::Ground;
use super::{Cli, Exit, Misused, print, print_json};

/// `feedwall status`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stay, and draw it anew every two seconds; q or Ctrl-C ends it.
    #[arg(long, short)]
    watch: bool,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    if args.watch {
        refuse_watch(cli)?;
    }
    let mut ground = Ground::open(cli).await?;
    let report = if args.watch {
        watch::run(&mut ground).await
    } else {
        ground.report().await
    };
    ground.close().await;
    let report = report?;
    if args.watch {
        // It has been seen.
    } else if cli.json {
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

/// A screen is drawn for a person who sits before a terminal.
fn refuse_watch(cli: &Cli) -> Result<(), Misused> {
    if cli.json {
        return Err(Misused(
            "--watch draws for people and --json writes for programs: leave one of them out"
                .to_owned(),
        ));
    }
    let terminals = [
        ("standard input", std::io::stdin().is_terminal()),
        ("standard output", std::io::stdout().is_terminal()),
    ];
    match terminals.iter().find(|(_, is_terminal)| !is_terminal) {
        None => Ok(()),
        Some((which, _)) => Err(Misused(format!(
            "--watch draws on a terminal, and {which} is none; without it, `feedwall status` answers once"
        ))),
    }
}

impl Ground {
    /// How things stand now.
    pub(super) async fn report(&self) -> anyhow::Result<Report> {
        let now = self.ctx.clock.now();
        let daemon = self.daemon_running();
        Ok(Report::gather(self.ledger(), self.config.as_ref(), daemon, now).await?)
    }
}
