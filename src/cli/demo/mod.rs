//! `feedwall demo`: the whole program in under a minute, without config, network or account.
//!
//! Everything is the production path: the same config reader, fetcher, ledger, planner and sender. Only the
//! cloud is simulated, the feeds are served on loopback, and the times are short.

mod feeds;
mod story;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::sim::{self, Sim, SimConfig};
use crate::status::report::Report;
use crate::status::table;

use self::feeds::FeedServer;
use super::{Cli, Exit, print, run::stop_on_signals};

/// What the demo runs by; the addresses and paths are filled in.
const CONFIG: &str = include_str!("demo.toml");

pub(super) async fn run(cli: &Cli) -> anyhow::Result<Exit> {
    let cancel = stop_on_signals()?;
    let clock = Clock::system();
    let folder = tempfile::tempdir().context("there is no place for the demo's ledger")?;
    let wall = clock.clone();
    let since_epoch = move || Duration::from_millis(u64::try_from(wall.now_ms()).unwrap_or(0));
    let cloud = Sim::start(SimConfig::new(sim::Clock::new(since_epoch))).await?;
    let feeds = FeedServer::start().await?;
    let text = config(folder.path(), &cloud.url(), &feeds.url())?;
    let config = Config::parse(&text, "demo.toml")?;
    print(introduction(cli, &config))?;
    let daemon = Daemon::open(&config.ledger.path, clock).await?;
    let session = daemon.configure(&config).await?;
    let ledger = Arc::clone(&daemon.context().ledger);
    let stop = cancel.child_token();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { session.run(&stop).await }
    });
    let told = story::tell(&cloud, &feeds, &ledger, &cancel).await;
    let now = daemon.context().clock.now();
    let report = Report::gather(&ledger, Some(&config), true, now).await?;
    end(stop, running).await?;
    let done = told?;
    print(format_args!(
        "\nThis is what `feedwall status` says at the end:\n"
    ))?;
    print(table::status(&report).trim_end())?;
    daemon.close().await;
    cloud.stop().await?;
    Ok(if done { Exit::Done } else { Exit::Failed })
}

async fn end(
    stop: CancellationToken,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    stop.cancel();
    running.await.context("the daemon ended early")?
}

/// Writes the simulated account's keys and fills in the config.
fn config(folder: &Path, cloud: &str, feeds: &str) -> anyhow::Result<String> {
    let credentials = folder.join("credentials");
    let keys = format!(
        "[default]\nsecret_id = {}\nsecret_key = {}\n",
        sim::FAKE_SECRET_ID,
        sim::FAKE_SECRET_KEY
    );
    std::fs::write(&credentials, keys).context("the demo's keys cannot be written")?;
    Ok(CONFIG
        .replace("{folder}", &folder.display().to_string())
        .replace("{cloud}", cloud)
        .replace("{feeds}", feeds))
}

fn introduction(_cli: &Cli, config: &Config) -> String {
    let firewall = config.firewalls.first();
    let endpoint = firewall.map_or_else(String::new, |firewall| firewall.endpoint.to_string());
    format!(
        "feedwall demo: two feeds on loopback, a simulated cloud firewall at {endpoint}\n\
         Entries are leased for 12 s at a time and renewed while a feed lists them; the\n\
         cloud drops by itself what nobody renews. This takes about 25 seconds.\n"
    )
}
