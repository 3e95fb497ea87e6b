//! `feedwall run`: the daemon, or a single run.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::service::Service;
use crate::daemon::{Daemon, OnceSummary, Session};
use crate::stage::replan::GuardMaterial;

use super::progress::Bars;
use super::{Cli, Exit, Misused, load_config, print, words};

/// `feedwall run`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Poll every feed, plan, send until nothing is left, and exit.
    #[arg(long)]
    pub once: bool,
    /// Send nothing: say what would be sent.
    #[arg(long)]
    pub dry_run: bool,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let config = load_config(cli)?;
    warn(&config);
    if config.firewalls.is_empty() {
        let nothing =
            "the config has [l4] alone: there is no [[feed]] to poll and no [[firewall]] to keep";
        return Err(Misused(nothing.to_owned()).into());
    }
    let daemon = Daemon::open(&config.ledger.path, Clock::system()).await?;
    let exit = if args.once || args.dry_run {
        once(cli, args, &daemon, &config).await
    } else {
        forever(&cli.config, &daemon, config).await
    };
    daemon.close().await;
    exit
}

async fn once(cli: &Cli, args: &Args, daemon: &Daemon, config: &Config) -> anyhow::Result<Exit> {
    let cancel = stop_on_signals()?;
    let session = Arc::new(daemon.configure(config).await?);
    let bars = Bars::watch(&session.links);
    let summary = session.once(args.dry_run, &cancel).await;
    bars.finish();
    let summary = summary?;
    if cli.json {
        super::print_json(&words::once_json(&summary, args.dry_run))?;
    } else {
        print(words::once(&summary, args.dry_run).trim_end())?;
    }
    Ok(exit(&summary))
}

fn exit(summary: &OnceSummary) -> Exit {
    if summary.failures().next().is_some() {
        Exit::Failed
    } else if summary.needs_you() {
        Exit::NeedsYou
    } else {
        Exit::Done
    }
}

/// Runs until SIGTERM or SIGINT; SIGHUP puts a changed config in force, and keeps the old one where the new
/// one is faulty.
async fn forever(path: &Path, daemon: &Daemon, mut config: Config) -> anyhow::Result<Exit> {
    let cancel = stop_on_signals()?;
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
    let service = Service::of_this_process();
    let mut session = daemon.configure(&config).await?;
    loop {
        tracing::info!(
            feeds = config.feeds.len(),
            firewalls = config.firewalls.len(),
            ledger = %config.ledger.path.display(),
            "running"
        );
        service.ready();
        let next = until_reload(
            path,
            daemon,
            &config,
            session,
            &service,
            &mut hangup,
            &cancel,
        );
        match next.await? {
            Some(new) if !cancel.is_cancelled() => {
                (session, config) = put_in_force(daemon, config, new).await?;
            }
            _ => {
                tracing::info!("stopped; the cloud keeps the entries until their EndTime");
                return Ok(Exit::Done);
            }
        }
    }
}

/// Runs a session until a good config is to take its place, or the end.
async fn until_reload(
    path: &Path,
    daemon: &Daemon,
    config: &Config,
    session: Session,
    service: &Service,
    hangup: &mut Signal,
    cancel: &CancellationToken,
) -> anyhow::Result<Option<Config>> {
    let bars = Bars::watch(&session.links);
    let stop = cancel.child_token();
    let pulse = Arc::clone(&session.pulse);
    let attending = service.attend(daemon.context(), &pulse);
    let running = session.run(&stop);
    tokio::pin!(attending, running);
    let (mut new, mut stopping) = (None, false);
    let ended = loop {
        tokio::select! {
            ended = &mut running => break ended,
            () = &mut attending => {}
            () = cancel.cancelled(), if !stopping => {
                stopping = true;
                service.stopping();
            }
            _ = hangup.recv(), if !stop.is_cancelled() => {
                service.reloading();
                new = reload(path, config);
                match new {
                    Some(_) => stop.cancel(),
                    None => service.ready(),
                }
            }
        }
    };
    bars.finish();
    if cancel.is_cancelled() && !stopping {
        // It had nothing to wait for.
        service.stopping();
    }
    ended.map(|()| new)
}

/// Puts a new config in force; where that fails, the old one again.
async fn put_in_force(
    daemon: &Daemon,
    old: Config,
    new: Config,
) -> anyhow::Result<(Session, Config)> {
    match daemon.configure(&new).await {
        Ok(session) => Ok((session, new)),
        Err(fault) => {
            tracing::error!(
                "the config was not reloaded, and the old one is in force again: {fault:#}"
            );
            Ok((daemon.configure(&old).await?, old))
        }
    }
}

/// Reads the config again; `None` keeps the one in force.
fn reload(path: &Path, old: &Config) -> Option<Config> {
    let new = match Config::load(path) {
        Ok(new) => new,
        Err(faults) => {
            tracing::error!(
                "the config was not reloaded, and the old one stays in force:\n{faults}"
            );
            return None;
        }
    };
    if new.firewalls.is_empty() {
        tracing::error!("the config was not reloaded: it has no [[firewall]] any more");
        return None;
    }
    if new.ledger.path != old.ledger.path {
        tracing::error!("the config was not reloaded: [ledger] path changes only with a restart");
        return None;
    }
    if let Err(fault) = GuardMaterial::read(&new) {
        tracing::error!("the config was not reloaded, and the old one stays in force: {fault}");
        return None;
    }
    let changes = new.changes_from(old);
    if changes.is_empty() {
        tracing::info!("the config was reloaded; nothing in it changed");
    }
    for change in changes {
        tracing::info!("reloaded: {change}");
    }
    warn(&new);
    Some(new)
}

fn warn(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// A token that SIGTERM or SIGINT cancels.
pub(super) fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(cancel)
}
