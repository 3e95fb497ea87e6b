//! What the asking commands share: the ledger that the config names, read as it stands, and names that are
//! nearly right.

use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;

use crate::clock::Clock;
use crate::config::{Config, ConfigError, defaults, nearest};
use crate::ledger::{DaemonLock, FeedRow, FirewallRow, Ledger};
use crate::model::{Name, UnixTime};
use crate::stage::Context;
use crate::stage::replan::Heard;

use super::{Cli, load_config};

/// The ledger and the clock, and the config where there is one.
pub(super) struct Ground {
    pub config: Option<Config>,
    pub ctx: Context,
    pub now: UnixTime,
}

/// The config, or nothing where `--config` was not given and there is none at its place.
pub(super) fn config_if_any(cli: &Cli) -> Result<Option<Config>, ConfigError> {
    match load_config(cli) {
        Err(ConfigError::Missing(path)) if path == Path::new(defaults::CONFIG_PATH) => Ok(None),
        loaded => loaded.map(Some),
    }
}

impl Ground {
    /// Opens the ledger that the config names; without a config, the one at its usual place.
    pub async fn open(cli: &Cli) -> anyhow::Result<Self> {
        let config = config_if_any(cli)?;
        let path = match &config {
            Some(config) => config.ledger.path.as_path(),
            None => Path::new(defaults::LEDGER_PATH),
        };
        if config.is_none() && !path.exists() {
            return Err(ConfigError::Missing(cli.config.clone()).into());
        }
        let ledger = Arc::new(Ledger::open_existing(path).await?);
        let clock = Clock::system();
        clock.resume(ledger.clock_offset().await?);
        let now = clock.now();
        let ctx = Context { ledger, clock };
        Ok(Self { config, ctx, now })
    }

    /// As [`Ground::open`], for a command that can do nothing without the config.
    pub async fn open_with_config(cli: &Cli) -> anyhow::Result<(Self, Config)> {
        let config = load_config(cli)?;
        Ok((Self::open(cli).await?, config))
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ctx.ledger
    }

    /// Closes the ledger: every command ends with it.
    pub async fn close(self) {
        self.ctx.ledger.close().await;
    }

    /// Whether a daemon holds the ledger just now.
    pub fn daemon_running(&self) -> bool {
        DaemonLock::is_held(self.ledger().path())
    }

    /// What a plan that is only looked at assumes of the feeds: a running daemon has heard them; without
    /// one, it is as if it started now.
    pub fn heard(&self) -> Heard {
        Heard {
            started: (!self.daemon_running()).then_some(self.now),
        }
    }

    /// The feed of that name.
    pub async fn feed(&self, name: &str) -> anyhow::Result<FeedRow> {
        let rows = self.ledger().feeds().await?;
        let names: Vec<String> = rows.iter().map(|row| row.name.to_string()).collect();
        let found = rows.into_iter().find(|row| row.name.as_str() == name);
        found.ok_or_else(|| {
            anyhow!(
                "the ledger knows no feed `{}`; {}",
                shown(name),
                advice(name, &names)
            )
        })
    }

    /// The firewall of that name.
    pub async fn firewall(&self, name: &str) -> anyhow::Result<FirewallRow> {
        let rows = self.ledger().firewalls().await?;
        let names: Vec<String> = rows.iter().map(|row| row.name.to_string()).collect();
        let found = rows.into_iter().find(|row| row.name.as_str() == name);
        found.ok_or_else(|| {
            anyhow!(
                "the ledger knows no firewall `{}`; {}",
                shown(name),
                advice(name, &names)
            )
        })
    }
}

/// What to say after a name that is not there: the one that was probably meant, or all that there are.
pub(super) fn advice(name: &str, names: &[String]) -> String {
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "it knows none yet".to_owned(),
        None => format!("it knows {}", names.join(", ")),
    }
}

/// A word of the command line, safe to print.
pub(super) fn shown(word: &str) -> String {
    crate::status::escape::escape(word).into_owned()
}

/// The names of feeds or firewalls, as words.
pub(super) fn words<'a>(names: impl Iterator<Item = &'a Name>) -> Vec<String> {
    names.map(ToString::to_string).collect()
}
