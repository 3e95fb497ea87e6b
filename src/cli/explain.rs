//! `feedwall explain IOC`: the whole story of one indicator. `--json` gives
//! [`Story`](crate::status::explain::Story).

use anyhow::anyhow;

use crate::model::Indicator;
use crate::parse::{Format, Recipe, Snapshot, Text, Urls};
use crate::stage::replan::GuardMaterial;
use crate::status::explain::Asked;

use super::ask::{Ground, shown};
use super::{Cli, Exit, print, print_json};

/// `feedwall explain`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address, a network, a domain or a URL, defanged or not.
    #[arg(value_name = "IOC")]
    ioc: String,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let indicator = indicator(&args.ioc)?;
    let (ground, config) = Ground::open_with_config(cli).await?;
    let material = GuardMaterial::read(&config)?;
    let heard = ground.heard();
    let asked = Asked {
        ctx: &ground.ctx,
        config: &config,
        material: &material,
        heard: &heard,
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

/// Reads an indicator as a feed's line would be read: `hxxp://bad[.]example[.]net/x` is its host.
pub(super) fn indicator(written: &str) -> anyhow::Result<Indicator> {
    let direct = Indicator::try_new(written);
    if let Ok(indicator) = direct {
        return Ok(indicator);
    }
    let recipe = Recipe {
        urls: Urls::Host,
        ..Recipe::new(Format::Text)
    };
    let mut bytes = written.as_bytes();
    let text = Text {
        body: &mut bytes,
        ends_surely: true,
    };
    let read = Snapshot::read(&recipe, text, 2)?;
    let mut rows = read.rows();
    match (rows.next(), rows.next()) {
        (Some(row), None) => Ok(row.indicator.to_owned()),
        (Some(_), Some(_)) => Err(anyhow!(
            "`{}` is a range of several networks: ask for one of them",
            shown(written)
        )),
        (None, _) => {
            let rejects = read.rejects().by_reason();
            let reason = rejects.first().map(|(reason, _)| reason.to_string());
            let reason = reason.unwrap_or_else(|| "nothing is written there".to_owned());
            Err(anyhow!(
                "`{}` is no address, network or domain that could be blocked: {reason}",
                shown(written)
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indicators_are_read_as_people_write_them() {
        for (written, meant) in [
            ("45.155.205.7", "45.155.205.7"),
            ("45.155.205.7/24", "45.155.205.0/24"),
            ("hxxp://Bad[.]botnet-panel[.]net/x", "bad.botnet-panel.net"),
            ("https://botnet-panel.net:8443", "botnet-panel.net"),
            ("2A06:98C0::1", "2a06:98c0::1"),
        ] {
            assert_eq!(indicator(written).unwrap().to_string(), meant);
        }
        for (written, sentence) in [
            ("com", "one label only"),
            ("co.uk", "public suffix"),
            ("45.155.205.999", "looks like an address but is none"),
            ("", "nothing is written there"),
            ("\u{1b}[2J.net", r"\u{1b}[2J.net"),
            ("1.2.3.0-1.2.5.9", "range of several"),
        ] {
            let fault = indicator(written).unwrap_err().to_string();
            assert!(fault.contains(sentence), "{fault}");
        }
    }
}
