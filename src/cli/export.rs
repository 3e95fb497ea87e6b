//! `feedwall export`: the desired set for anything else than the configured firewalls.

use clap::ValueEnum;

use crate::model::Directions;
use crate::plan::Wanted;
use crate::stage::replan::{self, GuardMaterial};
use crate::status::export::{self, Listed};

use super::ask::Ground;
use super::{Cli, Exit, print};

/// `feedwall export`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to write it.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The formats that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One indicator a line.
    Text,
    /// With score, directions and end.
    Csv,
    /// The same as JSON.
    Json,
    /// A hosts file; domains alone.
    Hosts,
    /// A response policy zone; domains and addresses.
    Rpz,
    /// Two nftables sets; addresses and networks alone.
    Nftables,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let (ground, config) = Ground::open_with_config(cli).await?;
    let now = ground.now;
    let guards = GuardMaterial::read(&config)?;
    let listed = join(replan::cleared(&ground.ctx, &guards, now).await?);
    let feeds: Vec<String> = config
        .feeds
        .iter()
        .map(|feed| feed.name.to_string())
        .collect();
    ground.close().await;
    let text = write(args.format, &listed, &feeds, now)?;
    print(text.trim_end())?;
    Ok(Exit::Done)
}

/// One row an indicator; the planner wants one a direction.
fn join(wanted: Vec<Wanted>) -> Vec<Listed> {
    let mut listed: Vec<Listed> = Vec::new();
    for one in wanted {
        let direction = Directions::from_bits(1 << one.direction as u8);
        match listed.last_mut() {
            Some(last) if last.indicator == *one.cleared.indicator() => {
                last.directions = last.directions.union(direction);
                last.expires = last.expires.max(one.expires);
            }
            _ => listed.push(Listed {
                directions: direction,
                score: one.score,
                first_listed: one.first_listed,
                expires: one.expires,
                indicator: one.cleared.into_indicator(),
            }),
        }
    }
    listed
}

fn write(
    format: Format,
    listed: &[Listed],
    feeds: &[String],
    now: crate::model::UnixTime,
) -> anyhow::Result<String> {
    let from = format!(
        "feedwall {}, {now}, {} indicators, from {}",
        env!("CARGO_PKG_VERSION"),
        listed.len(),
        feeds.join(", ")
    );
    Ok(match format {
        Format::Text => export::text(listed, &from),
        Format::Csv => export::csv(listed, &from)?,
        Format::Json => export::json(listed, &from)?,
        Format::Hosts => export::hosts(listed, &from),
        Format::Rpz => export::rpz(listed, &from, now),
        Format::Nftables => export::nftables(listed, &from),
    })
}
