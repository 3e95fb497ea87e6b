//! `feedwall feeds`: what each feed gives. `--json` gives an array of
//! [`FeedReport`], each with its [`Share`]; `show` gives
//! [`FeedDetails`].

use clap::Subcommand;

use crate::plan::shares::Share;
use crate::stage::memory::shares;
use crate::status::escape::escape;
use crate::status::feed::FeedDetails;
use crate::status::layout::items;
use crate::status::report::FeedReport;
use crate::status::table;

use super::ask::Ground;
use super::{Cli, Exit, catalog, drop_feed, feeds_try, print, print_json};

/// `feedwall feeds`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything about one feed.
    Show {
        /// Its name.
        name: String,
    },
    /// Withdraw everything that a feed lists, at once: for one that has left the config, or is about to.
    Drop {
        /// Its name.
        name: String,
    },
    /// The feeds that feedwall knows by name: what each lists, and on what terms; or one of them in full.
    Catalog {
        /// Its name.
        name: Option<String>,
    },
    /// Fetch and parse a feed without recording it: what it lists, what it rejects, what would become of it.
    Try(feeds_try::Args),
}

/// A line of `feedwall feeds --json`.
#[derive(Debug, serde::Serialize)]
struct WithShare {
    #[serde(flatten)]
    report: FeedReport,
    /// What it is good for; null for a guard list or an allow feed.
    share: Option<Share>,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        None => all(cli).await,
        Some(Command::Show { name }) => show(cli, name).await,
        Some(Command::Drop { name }) => drop_feed::run(cli, name).await,
        Some(Command::Catalog { name }) => catalog::run(cli, name.as_deref()),
        Some(Command::Try(args)) => feeds_try::run(cli, args).await,
    }
}

async fn all(cli: &Cli) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let mut feeds = Vec::new();
    for row in ground.ledger().feeds().await? {
        feeds.push(FeedReport::gather(ground.ledger(), row).await?);
    }
    if cli.json {
        let mut shares = shares(&ground.ctx, &ground.heard()).await?;
        let feeds = feeds.into_iter().map(|report| WithShare {
            share: shares.remove(&report.name),
            report,
        });
        print_json(&feeds.collect::<Vec<_>>())?;
    } else if feeds.is_empty() {
        print("the ledger knows no feed yet: `feedwall run` takes those of the config")?;
    } else {
        let troubles = feeds
            .iter()
            .filter_map(|feed| Some((&feed.name, escape(feed.trouble.as_ref()?))));
        let text = table::feeds(&feeds, ground.now) + &items(troubles);
        print(text.trim_end())?;
    }
    ground.close().await;
    Ok(Exit::Done)
}

async fn show(cli: &Cli, name: &str) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let row = ground.feed(name).await?;
    let share = shares(&ground.ctx, &ground.heard())
        .await?
        .remove(&row.name);
    let config = ground.config.as_ref();
    let details = FeedDetails::gather(ground.ledger(), config, row, share).await?;
    if cli.json {
        print_json(&details)?;
    } else {
        print(details.text(ground.now).trim_end())?;
    }
    ground.close().await;
    Ok(Exit::Done)
}
