//! `feedwall block`, `unblock` and `allow`: the operator's own hand. A running daemon sees it within seconds.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::config::parse_duration;
use crate::guard::Judgement;
use crate::ledger::HandWord;
use crate::model::{Indicator, List};
use crate::stage::replan::GuardMaterial;

use super::ask::Ground;
use super::{Cli, Exit, print, print_json};

/// `feedwall block`
#[derive(Debug, clap::Args)]
pub struct BlockArgs {
    /// An address, a network or a domain.
    indicator: String,
    /// For how long, such as 24h or 7d.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    span: Duration,
    /// Why; it is kept and shown by `explain`.
    #[arg(long)]
    reason: Option<String>,
}

/// `feedwall unblock`
#[derive(Debug, clap::Args)]
pub struct UnblockArgs {
    /// An address, a network or a domain.
    indicator: String,
    /// For how long no feed may bring it back.
    #[arg(long = "for", value_name = "TIME", value_parser = time, default_value = "7d")]
    span: Duration,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
}

/// `feedwall allow`
#[derive(Debug, clap::Args)]
pub struct AllowArgs {
    /// An address, a network or a domain (which allows what lies below it, too).
    indicator: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    /// Take back what was allowed, or unblocked, by hand.
    #[arg(long)]
    remove: bool,
}

pub(super) async fn block(cli: &Cli, args: &BlockArgs) -> anyhow::Result<Exit> {
    let indicator = indicator(&args.indicator)?;
    let ground = Ground::open(cli).await?;
    if let Some(config) = &ground.config {
        // What a guard strikes would be listed and never blocked: better said now than wondered at later.
        let hand = ground.ledger().hand_guards(ground.now).await?;
        let for_good = hand.into_iter().filter(|guard| guard.until.is_none());
        let by_hand = for_good.map(|guard| guard.indicator).collect();
        let guards = GuardMaterial::read(config)?.guards(Vec::new(), by_hand)?;
        let judgement = guards.judge(&indicator);
        if !matches!(judgement, Judgement::Cleared(_) | Judgement::Carved { .. }) {
            bail!("{indicator} can not be blocked: {judgement}");
        }
    }
    let until = ground.now.plus(args.span);
    let reason = reason(args.reason.as_ref());
    ground
        .ledger()
        .block_by_hand(&indicator, until, &reason, ground.now)
        .await?;
    let said = format!("{indicator} is listed by hand until {until}");
    end(cli, &ground, &said).await
}

pub(super) async fn unblock(cli: &Cli, args: &UnblockArgs) -> anyhow::Result<Exit> {
    let indicator = indicator(&args.indicator)?;
    let ground = Ground::open(cli).await?;
    let until = ground.now.plus(args.span);
    let guard = HandWord {
        indicator: indicator.clone(),
        block: false,
        until: Some(until),
        reason: reason(args.reason.as_ref()),
        at: ground.now,
    };
    let ended = ground.ledger().allow_by_hand(&guard).await?;
    let also = if ended {
        "the block by hand has ended, and "
    } else {
        ""
    };
    let said = format!("{indicator}: {also}no feed blocks it again before {until}");
    end(cli, &ground, &said).await
}

pub(super) async fn allow(cli: &Cli, args: &AllowArgs) -> anyhow::Result<Exit> {
    let indicator = indicator(&args.indicator)?;
    let ground = Ground::open(cli).await?;
    if args.remove {
        if !ground.ledger().disallow(&indicator).await? {
            bail!(
                "{indicator} was not allowed by hand; `feedwall explain {indicator}` says what guards it"
            );
        }
        return end(
            cli,
            &ground,
            &format!("{indicator} is no longer allowed by hand"),
        )
        .await;
    }
    if let Some(config) = &ground.config {
        // A guard that the daemon would refuse must not reach the ledger.
        GuardMaterial::read(config)?.guards(Vec::new(), vec![indicator.clone()])?;
    }
    let guard = HandWord {
        indicator: indicator.clone(),
        block: false,
        until: None,
        reason: reason(args.reason.as_ref()),
        at: ground.now,
    };
    ground.ledger().allow_by_hand(&guard).await?;
    let said = format!(
        "{indicator} is allowed: it is never put on a {}list, and what is there of it comes off",
        List::Block
    );
    end(cli, &ground, &said).await
}

async fn end(cli: &Cli, ground: &Ground, said: &str) -> anyhow::Result<Exit> {
    ground.ledger().raise_hand().await?;
    let running = ground.daemon_running();
    ground.ctx.ledger.close().await;
    if cli.json {
        print_json(&json!({ "done": said, "daemon_running": running }))?;
        return Ok(Exit::Done);
    }
    print(said)?;
    print(if running {
        "the daemon acts on it within seconds"
    } else {
        "no daemon is running: the next run acts on it"
    })?;
    Ok(Exit::Done)
}

fn indicator(text: &str) -> anyhow::Result<Indicator> {
    Indicator::try_new(text).with_context(|| {
        format!(
            "{} is no address, network or domain",
            super::ask::shown(text)
        )
    })
}

fn reason(given: Option<&String>) -> String {
    given.map_or_else(|| "no reason given".to_owned(), Clone::clone)
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .and_then(|span| Duration::try_from(span).ok())
        .filter(|span| !span.is_zero())
        .ok_or_else(|| "a time such as 90m, 24h or 7d".to_owned())
}
