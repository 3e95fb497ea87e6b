//! `feedwall run`: the daemon, or a single run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::Level;

use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::service::Service;
use crate::daemon::{Daemon, OnceSummary, Session};
use crate::serve::Server;
use crate::stage::replan::GuardMaterial;

use super::progress::Bars;
use super::{Cli, Exit, Misused, load_config, print, words};

/// How often a listener that could not be had is tried again.
const KNOCK: Duration = Duration::from_secs(10);

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

/// What outlives a config: the listener, the signals, and whoever started the daemon.
struct House<'a> {
    path: &'a Path,
    daemon: &'a Daemon,
    server: Server,
    service: Service,
    hangup: Signal,
    cancel: CancellationToken,
}

/// Runs until SIGTERM or SIGINT; SIGHUP puts a changed config in force, and keeps the old one where the new
/// one is faulty.
async fn forever(path: &Path, daemon: &Daemon, mut config: Config) -> anyhow::Result<Exit> {
    let mut house = House {
        path,
        daemon,
        server: Server::new(Arc::clone(daemon.desk())),
        service: Service::of_this_process(),
        hangup: signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?,
        cancel: stop_on_signals()?,
    };
    let mut session = daemon.configure(&config).await?;
    loop {
        if house.server.address().is_none() {
            listen(&mut house.server, &config, Level::ERROR).await;
        }
        tracing::info!(
            feeds = config.feeds.len(),
            firewalls = config.firewalls.len(),
            ledger = %config.ledger.path.display(),
            "running"
        );
        house.service.ready();
        match house.until_reload(&config, session).await? {
            Some(new) if !house.cancel.is_cancelled() => {
                (session, config) = house.put_in_force(config, new).await?;
            }
            _ => {
                house.server.close().await;
                tracing::info!("stopped; the cloud keeps the entries until their EndTime");
                return Ok(Exit::Done);
            }
        }
    }
}

impl House<'_> {
    /// Runs a session until a good config is to take its place, or the end.
    async fn until_reload(
        &mut self,
        config: &Config,
        session: Session,
    ) -> anyhow::Result<Option<Config>> {
        let bars = Bars::watch(&session.links);
        let stop = self.cancel.child_token();
        let pulse = Arc::clone(&session.pulse);
        let attending = self.service.attend(self.daemon.context(), &pulse);
        let running = session.run(&stop);
        tokio::pin!(attending, running);
        let (mut new, mut stopping) = (None, false);
        let ended = loop {
            let is_deaf = self.server.address().is_none() && config.http.is_some();
            tokio::select! {
                ended = &mut running => break ended,
                () = &mut attending => {}
                () = self.cancel.cancelled(), if !stopping => {
                    stopping = true;
                    self.service.stopping();
                }
                _ = self.hangup.recv(), if !stop.is_cancelled() => {
                    self.service.reloading();
                    new = reload(self.path, config, &mut self.server).await;
                    match new {
                        Some(_) => stop.cancel(),
                        None => self.service.ready(),
                    }
                }
                () = tokio::time::sleep(KNOCK), if is_deaf => {
                    listen(&mut self.server, config, Level::DEBUG).await;
                }
            }
        };
        bars.finish();
        if self.cancel.is_cancelled() && !stopping {
            // It had nothing to wait for.
            self.service.stopping();
        }
        ended.map(|()| new)
    }

    /// Puts a new config in force; where that fails, the old one again.
    async fn put_in_force(
        &mut self,
        old: Config,
        new: Config,
    ) -> anyhow::Result<(Session, Config)> {
        let fault = match self.daemon.configure(&new).await {
            Ok(session) => return Ok((session, new)),
            Err(fault) => fault,
        };
        tracing::error!(
            "the config was not reloaded, and the old one is in force again: {fault:#}"
        );
        listen(&mut self.server, &old, Level::ERROR).await;
        Ok((self.daemon.configure(&old).await?, old))
    }
}

/// Listens as the config says. A port that is taken is no reason to leave the firewalls alone: it is tried again.
async fn listen(server: &mut Server, config: &Config, level: Level) {
    if let Err(fault) = server.apply(config.http.as_ref()).await {
        let sentence = "nothing is served until this is mended, and all else goes on";
        if level == Level::ERROR {
            tracing::error!("{fault}; {sentence}");
        } else {
            tracing::debug!("{fault}; {sentence}");
        }
    }
}

/// Reads the config again; `None` keeps the one in force.
async fn reload(path: &Path, old: &Config, server: &mut Server) -> Option<Config> {
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
    if let Err(fault) = server.apply(new.http.as_ref()).await {
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
