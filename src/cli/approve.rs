//! `feedwall approve FEED`: take the snapshot that is held for a feed, exactly that body, as the new
//! baseline. `--json` gives `{feed, reason, held_since, sha256, approved_at, daemon_running}`.
//!
//! `feedwall approve --firewall NAME`: let the deletes go that `max_delete` holds. `--json` gives
//! `{firewall, approved_deletes, daemon_running}`.

use anyhow::bail;
use serde_json::json;

use crate::model::UnixTime;
use crate::status::escape::escape;
use crate::status::span::when;

use super::ask::Ground;
use super::{Cli, Exit, print, print_json};

/// `feedwall approve`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The feed whose held snapshot is right.
    #[arg(value_name = "FEED", required_unless_present = "firewall")]
    feed: Option<String>,
    /// The firewall whose held deletes are right.
    #[arg(long, value_name = "NAME", conflicts_with = "feed")]
    firewall: Option<String>,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let Some(feed) = &args.feed else {
        let firewall = args.firewall.as_deref().unwrap_or_default();
        return deletes(cli, ground, firewall).await;
    };
    let row = ground.feed(feed).await?;
    let Some(held) = ground.ledger().held_snapshot(row.id).await? else {
        match &row.trouble {
            Some(trouble) => bail!(
                "no snapshot of {} is kept for an approval: {}",
                row.name,
                escape(trouble)
            ),
            None => bail!(
                "no snapshot of {} is held; its last fetch was good",
                row.name
            ),
        }
    };
    ground.ledger().approve_snapshot(row.id, ground.now).await?;
    ground.ledger().raise_hand().await?;
    let daemon_running = ground.daemon_running();
    if cli.json {
        print_json(&json!({
            "feed": row.name,
            "reason": held.reason,
            "held_since": held.held_at,
            "sha256": hex::encode(&held.sha256),
            "approved_at": ground.now,
            "daemon_running": daemon_running,
        }))?;
    } else {
        print(sentence(&row.name, &held, ground.now))?;
        print(if daemon_running {
            "The daemon takes it within seconds."
        } else {
            "No daemon is running: the next run takes it."
        })?;
    }
    ground.close().await;
    Ok(Exit::Done)
}

fn sentence(
    feed: &crate::model::Name,
    held: &crate::ledger::HeldSnapshot,
    now: UnixTime,
) -> String {
    let again = match held.approved_at {
        Some(at) => format!(" (it was approved {} already)", when(at, now)),
        None => String::new(),
    };
    format!(
        "Approved{again}: the snapshot of {feed} held {} because {}.",
        when(held.held_at, now),
        escape(&held.reason)
    )
}

/// Lets the deletes go that the last plan of a firewall held back.
async fn deletes(cli: &Cli, ground: Ground, name: &str) -> anyhow::Result<Exit> {
    let row = ground.firewall(name).await?;
    let held = row.plan.as_ref().map_or(0, |plan| plan.held_deletes);
    if held == 0 {
        bail!("the last plan of {} held no deletes back", row.name);
    }
    ground
        .ledger()
        .approve_deletes(row.id, held, ground.now)
        .await?;
    ground.ledger().raise_hand().await?;
    let daemon_running = ground.daemon_running();
    if cli.json {
        print_json(&json!({
            "firewall": row.name, "approved_deletes": held, "daemon_running": daemon_running,
        }))?;
    } else {
        print(format_args!(
            "{held} more deletes are approved on {}, for 24 h",
            row.name
        ))?;
    }
    ground.close().await;
    Ok(Exit::Done)
}
