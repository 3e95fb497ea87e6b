//! The daemon: loops, timers and signals around the stages. It remembers nothing that the ledger does not.

mod firewall;
mod intake;
mod once;
mod pulse;
mod sampling;
pub mod service;
mod session;
mod watch;

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::cloud::Limits;
use crate::config::Config;
use crate::fetch::{FetchPolicy, Fetcher};
use crate::ledger::{DaemonLock, Ledger};
use crate::serve::Desk;
use crate::stage::Context;

pub use self::once::OnceSummary;
pub use self::pulse::Pulse;
pub use self::session::Session;

/// Holds the ledger and its lock, whatever config is in force.
#[derive(Debug)]
pub struct Daemon {
    ctx: Context,
    limits: Arc<Limits>,
    desk: Arc<Desk>,
    _lock: DaemonLock,
}

impl Daemon {
    /// Takes the ledger that the config names.
    ///
    /// # Errors
    /// When another daemon holds it, or it cannot be opened.
    pub async fn open(ledger: &Path, clock: Clock) -> anyhow::Result<Self> {
        let lock = DaemonLock::take(ledger)?;
        let ledger = Arc::new(Ledger::open(ledger).await?);
        clock.resume(ledger.clock_offset().await?);
        if let Some(last_word) = ledger.last_word().await? {
            clock.hold_against(last_word);
        }
        let ctx = Context { ledger, clock };
        Ok(Self {
            desk: Arc::new(Desk::new(&ctx)),
            ctx,
            limits: Arc::default(),
            _lock: lock,
        })
    }

    /// What the stages work with.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Where whatever is served is gathered.
    #[must_use]
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Puts a config in force: the ledger's feeds and firewalls become the config's.
    ///
    /// # Errors
    /// When a part of it cannot be used, in a sentence; the ledger then stays as it was.
    pub async fn configure(&self, config: &Config) -> anyhow::Result<Session> {
        let session = Session::new(&self.ctx, &self.limits, &self.desk, config).await?;
        self.desk.show(session.view());
        Ok(session)
    }

    /// Closes the ledger.
    pub async fn close(self) {
        self.ctx.ledger.close().await;
    }
}

/// A fetcher by the config; bodies are spooled beside the ledger.
///
/// # Errors
/// When the spool directory cannot be written.
pub fn fetcher(config: &Config) -> anyhow::Result<Fetcher> {
    let beside = config.ledger.path.parent().map(Path::to_owned);
    let spool_dir = beside.unwrap_or_else(std::env::temp_dir);
    Ok(Fetcher::new(FetchPolicy {
        allow_private: config.guard.allow_private,
        spool_dir,
        contact: config.fetch.contact.clone(),
    })?)
}

/// Sleeps, but not past a cancellation. `false` where it was cancelled.
async fn sleep(cancel: &CancellationToken, span: std::time::Duration) -> bool {
    tokio::select! {
        () = cancel.cancelled() => false,
        () = tokio::time::sleep(span) => true,
    }
}
