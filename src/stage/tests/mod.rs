//! Feeds and guard lists from a file or a server to the ledger and into plans, with time standing still.

mod guard_lists;
mod model;
mod polls;
mod sequences;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::config::{Config, Feed};
use crate::fetch::{FetchPolicy, Fetcher};
use crate::ledger::{FeedRow, Ledger};
use crate::model::{Name, UnixTime};

use super::Context;
use super::intake::{self, PollEnd};

/// 2026-07-29 14:00:00 UTC.
const NOW: UnixTime = UnixTime::from_seconds(1_785_333_600);
const DAY: Duration = Duration::from_secs(86_400);

/// A ledger, a clock, and a config over files in a folder of its own.
struct Scene {
    ctx: Context,
    fetcher: Fetcher,
    config: Config,
    folder: TempDir,
}

impl Scene {
    /// `config` is TOML, in which `DIR` stands for the folder; a firewall is added.
    async fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"))
            .await
            .unwrap();
        let policy = FetchPolicy {
            allow_private: true,
            spool_dir: folder.path().to_owned(),
            contact: None,
        };
        let mut scene = Self {
            ctx: Context {
                ledger: Arc::new(ledger),
                clock: Clock::held(NOW),
            },
            fetcher: Fetcher::new(policy).unwrap(),
            config: Config::nothing(),
            folder,
        };
        scene.configure(config).await;
        scene
    }

    /// Puts another config in force, as a reload does.
    async fn configure(&mut self, config: &str) {
        let folder = self.folder.path().display().to_string();
        let text = format!(
            "{}\n[[firewall]]\nname = \"prod\"\nquota = 1000\naccept = [\"ipv4\", \"network\", \"domain\"]\n",
            config.replace("DIR", &folder)
        );
        self.config = Config::parse(&text, "test.toml").unwrap_or_else(|faults| panic!("{faults}"));
        fn known(feed: &Feed) -> (&Name, &crate::model::FeedTerms, String) {
            (&feed.name, &feed.terms, feed.recipe.fingerprint())
        }
        let ledger = &self.ctx.ledger;
        let feeds = self.config.feeds.iter().map(known);
        ledger.configure_feeds(feeds).await.unwrap();
        let lists = self.config.guard.lists.iter().map(known);
        ledger.configure_guard_lists(lists).await.unwrap();
        let firewalls = self.config.firewalls.iter().map(|one| &one.name);
        ledger.configure_firewalls(firewalls).await.unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }

    fn later(&self, by: Duration) {
        self.ctx.clock.set(self.ctx.clock.now().plus(by));
    }

    async fn poll(&self, name: &str) -> PollEnd {
        let feed = self.config.polled().find(|feed| feed.name.as_str() == name);
        let turn = intake::turn(&self.ctx, &self.fetcher, feed.unwrap()).await;
        turn.unwrap().end
    }

    async fn row(&self, name: &str) -> FeedRow {
        let name = Name::try_new(name).unwrap();
        self.ctx.ledger.feed(&name).await.unwrap().unwrap()
    }
}

/// A server that answers each connection with the answer for its path, byte by byte as it stands, and closes.
async fn server(answers: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            let mut buffer = [0; 1024];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => head.extend_from_slice(&buffer[..read]),
                }
            }
            let head = String::from_utf8_lossy(&head);
            let path = head.split(' ').nth(1).unwrap_or_default();
            let unchanged = head.to_ascii_lowercase().contains("if-none-match");
            let found = answers.iter().find(|(known, _)| *known == path);
            let answer = match found {
                Some((_, answer)) if unchanged && answer.contains("ETag") => {
                    "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"
                }
                Some((_, answer)) => answer,
                None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            };
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("http://{address}")
}

/// A private feed over HTTP.
fn web(address: &str, path: &str) -> String {
    format!("[guard]\nallow_private = true\n[[feed]]\nname = \"web\"\nurl = \"{address}{path}\"\n")
}
