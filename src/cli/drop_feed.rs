//! `feedwall feeds drop NAME`: withdraw all that a feed lists, at once. `--json` gives
//! `{feed, withdrawn, in_config, next_poll, daemon_running}`.

use anyhow::bail;
use serde_json::json;

use crate::ledger::{FeedRow, Role};
use crate::model::UnixTime;
use crate::status::layout::count;
use crate::status::span::when;

use super::ask::Ground;
use super::{Cli, Exit, print, print_json};

pub(super) async fn run(cli: &Cli, name: &str) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let row = ground.feed(name).await?;
    if let Role::Guard(_) = row.role {
        bail!(
            "{} is a guard list: what it lists is not blocked, so there is nothing to withdraw. Out of the config, it guards nothing any more",
            row.name
        );
    }
    let ledger = ground.ledger();
    let withdrawn = ledger.drop_feed(&row.name, ground.now).await?.unwrap_or(0);
    ledger.raise_hand().await?;
    let in_config = ground.config.as_ref().map_or(row.configured, |config| {
        config.feeds.iter().any(|feed| feed.name == row.name)
    });
    let daemon_running = ground.daemon_running();
    if cli.json {
        print_json(&json!({
            "feed": row.name,
            "withdrawn": withdrawn,
            "in_config": in_config,
            "next_poll": row.next_poll.filter(|_| in_config),
            "daemon_running": daemon_running,
        }))?;
    } else {
        print(sentence(
            &row,
            withdrawn,
            in_config,
            daemon_running,
            ground.now,
        ))?;
    }
    ground.close().await;
    Ok(Exit::Done)
}

fn sentence(
    row: &FeedRow,
    withdrawn: u64,
    in_config: bool,
    daemon_running: bool,
    now: UnixTime,
) -> String {
    let name = &row.name;
    let mut text = format!(
        "Withdrawn: {} of {name}. What other feeds list as well stays.",
        count(withdrawn, "listing", "listings")
    );
    text += if daemon_running {
        " The daemon takes the entries off within seconds."
    } else {
        " No daemon is running: the next run takes the entries off."
    };
    let next = match row.next_poll.filter(|at| *at > now) {
        Some(at) => format!("its next poll, {},", when(at, now)),
        None => "its next poll, which is due,".to_owned(),
    };
    match (in_config, row.configured && daemon_running) {
        (true, _) => format!(
            "{text}\nThe config still has {name}: {next} lists again what it says. To keep it away, take it out of the config and reload."
        ),
        (false, true) => format!(
            "{text}\nThe config has {name} no more, but the daemon has not read that yet: {next} lists again what it says. Reload the daemon before that."
        ),
        (false, false) => text,
    }
}
