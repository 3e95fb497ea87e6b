//! `feedwall explain IOC`: the whole story of one indicator. `--json` gives
//! [`Story`](crate::status::explain::Story).

use crate::stage::memory::Memory;
use crate::stage::replan::GuardMaterial;
use crate::status::explain::{Asked, asked_for};

use super::ask::Ground;
use super::{Cli, Exit, print, print_json};

/// `feedwall explain`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address, a network, a domain or a URL, defanged or not.
    #[arg(value_name = "IOC")]
    ioc: String,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let indicator = asked_for(&args.ioc)?;
    let (ground, config) = Ground::open_with_config(cli).await?;
    let material = GuardMaterial::read(&config)?;
    let heard = ground.heard();
    let asked = Asked {
        ctx: &ground.ctx,
        config: &config,
        material: &material,
        heard: &heard,
        memory: &Memory::default(),
        daemon_running: ground.daemon_running(),
    };
    let story = asked.story(&indicator).await?;
    if cli.json {
        print_json(&story)?;
    } else {
        print(story.text().trim_end())?;
    }
    ground.close().await;
    Ok(Exit::Done)
}
