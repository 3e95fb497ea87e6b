//! `feedwall sim`: the simulated cloud alone.

use crate::sim::Options;

use super::{Cli, Exit, print, run::stop_on_signals};

/// `feedwall sim`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,
}

pub(super) async fn run(_cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let cancel = stop_on_signals()?;
    let _ = (args, cancel, print::<&str>);
    Ok(Exit::Done)
}
