//! One test's set-up: a simulated cloud, a folder with config, feeds and ledger, and the keys that fit.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use feedwall::ledger::{CallRow, Ledger};
use feedwall::model::{Lease, Name, UnixTime};
use feedwall::sim::{Arrival, Clock, FAKE_SECRET_ID, FAKE_SECRET_KEY, Sim, SimConfig};
use tempfile::TempDir;

use super::process::{Ended, Process, feedwall};
use super::wall;

/// The call that writes.
pub const MODIFY: &str = "ModifyBlockIgnoreList";

pub struct Rig {
    folder: TempDir,
    pub sim: Sim,
}

/// What the ledger holds of the one firewall, read while nobody writes.
pub struct Books {
    pub leases: Vec<Lease>,
    pub calls: Vec<CallRow>,
    pub quarantined: Vec<String>,
    /// Subject and reason of what was learned.
    pub learned: Vec<(String, String)>,
}

impl Rig {
    /// A cloud as it comes.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A cloud that is set up by `change`.
    pub async fn with(change: impl FnOnce(&mut SimConfig)) -> Self {
        let mut config = SimConfig::new(Clock::new(wall));
        change(&mut config);
        Self {
            folder: TempDir::new().unwrap(),
            sim: Sim::start(config).await.unwrap(),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn ledger_path(&self) -> PathBuf {
        self.path("ledger.db")
    }

    /// Writes a file under another name and puts it in place.
    pub fn write(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}.new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    /// Writes the config: `feeds` whole, and `firewall` as further keys of the one firewall.
    pub fn config(&self, feeds: &str, firewall: &str) {
        self.config_with("", feeds, firewall);
    }

    /// The same with further keys of `[guard]`.
    pub fn config_with(&self, guard: &str, feeds: &str, firewall: &str) {
        let text = format!(
            "[ledger]\npath = {ledger:?}\n[guard]\nallow_private = true\n{guard}\n{feeds}\n\
             [[firewall]]\nname = \"prod\"\nkind = \"tencent-cfw\"\nendpoint = \"{url}\"\nreserve = 0\n\
             credentials = {{ env = \"TEST\" }}\n{firewall}\n",
            ledger = self.ledger_path(),
            url = self.sim.url(),
        );
        self.write("feedwall.toml", &text);
    }

    /// The text of one feed from a file in the folder, with further keys.
    pub fn feed(&self, name: &str, keys: &str) -> String {
        let path = self.path(&format!("{name}.txt"));
        format!("[[feed]]\nname = \"{name}\"\npath = {path:?}\n{keys}\n")
    }

    /// A command line with the config and the fake keys.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = feedwall(self.folder());
        command
            .arg("--config")
            .arg(self.path("feedwall.toml"))
            .args(words)
            .env("TEST_SECRET_ID", FAKE_SECRET_ID)
            .env("TEST_SECRET_KEY", FAKE_SECRET_KEY);
        command
    }

    pub fn start(&self, words: &[&str]) -> Process {
        Process::start(self.command(words), self.folder())
    }

    /// `run --once`, to its end.
    pub async fn once(&self) -> Ended {
        self.start(&["--json", "run", "--once"]).end().await
    }

    /// The texts on the blocklist.
    pub fn listed(&self) -> BTreeSet<String> {
        self.sim
            .entries()
            .into_iter()
            .filter(|entry| entry.rule_type == 1)
            .map(|entry| entry.ioc)
            .collect()
    }

    /// The addresses on the blocklist; nothing else may stand there.
    pub fn addresses(&self) -> BTreeSet<Ipv4Addr> {
        let listed = self.listed();
        listed.iter().map(|ioc| ioc.parse().unwrap()).collect()
    }

    /// Every arrival of a writing call.
    pub fn writes(&self) -> Vec<Arrival> {
        let mut calls = self.sim.calls();
        calls.retain(|call| call.action == MODIFY);
        calls
    }

    /// How many calls of one `IocAction` were carried out, and with how many entries.
    pub fn carried_out(&self, ioc_action: &str) -> (usize, usize) {
        let calls = self.writes();
        let done = calls
            .iter()
            .filter(|call| call.applied && call.ioc_action == ioc_action);
        done.fold((0, 0), |(calls, entries), call| {
            (calls + 1, entries + call.entries)
        })
    }

    /// Never more than 20 calls in any sliding second, by the cloud's own log.
    #[track_caller]
    pub fn keeps_the_rate(&self) {
        let most = self.sim.max_in_any_second();
        assert!(most <= 20, "{most} calls in one second");
    }

    /// What the ledger holds. Whatever is left open must not be.
    pub async fn books(&self) -> Books {
        let ledger = Ledger::open_existing(&self.ledger_path()).await.unwrap();
        let name = Name::try_new("prod").unwrap();
        let id = ledger.firewall(&name).await.unwrap().unwrap().id;
        let quarantine = ledger.quarantine(id).await.unwrap();
        let learned = ledger.learned(id, UnixTime::from_seconds(0)).await.unwrap();
        let books = Books {
            leases: ledger.leases(id).await.unwrap(),
            calls: ledger.calls(false, u32::MAX).await.unwrap(),
            quarantined: quarantine
                .iter()
                .map(|one| one.entry.indicator.to_string())
                .collect(),
            learned: learned
                .into_iter()
                .map(|(subject, _, reason)| (subject, reason))
                .collect(),
        };
        ledger.close().await;
        books
    }

    /// The ledger and the list say the same, and nothing is in doubt or open.
    pub async fn is_settled(&self) -> Books {
        let books = self.books().await;
        let leased: BTreeSet<String> = books
            .leases
            .iter()
            .map(|lease| lease.entry.indicator.to_string())
            .collect();
        let listed: BTreeSet<String> = self.sim.entries().into_iter().map(|one| one.ioc).collect();
        assert_eq!(leased.len(), listed.len(), "leases and entries");
        assert!(leased == listed, "leases are not what stands on the lists");
        let doubtful = books.leases.iter().filter(|lease| lease.doubt.is_some());
        assert_eq!(doubtful.count(), 0, "leases in doubt");
        let open = books.calls.iter().filter(|call| call.settled_ms.is_none());
        assert_eq!(open.count(), 0, "calls without a verdict");
        books
    }
}
