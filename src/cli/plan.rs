//! `feedwall plan`: what would be sent and why, and what is left out and why. `--json` gives an array of
//! [`Outlook`]. The exit code is 3 where deletes wait for an approval.

use anyhow::bail;

use crate::config::Firewall;
use crate::stage::replan::{GuardMaterial, Ingredients};
use crate::status::plan::Outlook;

use super::ask::{self, Ground};
use super::{Cli, Exit, print, print_json};

/// `feedwall plan`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// This firewall alone.
    #[arg(long, value_name = "NAME")]
    firewall: Option<String>,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let (ground, config) = Ground::open_with_config(cli).await?;
    let names = ask::words(config.firewalls.iter().map(|one| &one.name));
    if let Some(name) = args.firewall.as_ref().filter(|name| !names.contains(name)) {
        let advice = ask::advice(name, &names);
        bail!(
            "the config has no firewall `{}`; {advice}",
            ask::shown(name)
        );
    }
    let chosen = |one: &&Firewall| {
        args.firewall
            .as_ref()
            .is_none_or(|name| one.name.as_str() == name)
    };
    let material = GuardMaterial::read(&config)?;
    let heard = ground.heard();
    let mut outlooks = Vec::new();
    for firewall in config.firewalls.iter().filter(chosen) {
        let name = &firewall.name;
        if ground.ledger().firewall(name).await?.is_none() {
            bail!(
                "the firewall {name} is in the config and not in the ledger yet: a reload or start of the daemon takes it"
            );
        }
        let made = Ingredients::read(&ground.ctx, &material, firewall, &heard).await?;
        outlooks.push(Outlook::new(firewall, &made, ground.now));
    }
    if cli.json {
        print_json(&outlooks)?;
    } else {
        let texts: Vec<String> = outlooks.iter().map(Outlook::text).collect();
        print(texts.join("\n").trim_end())?;
    }
    ground.close().await;
    let held = outlooks.iter().any(|outlook| outlook.held_deletes > 0);
    Ok(if held { Exit::NeedsYou } else { Exit::Done })
}
