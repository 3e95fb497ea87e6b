//! The daemon as a service: what systemd is told, the unit that is shipped, and the ledger that a group shares.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::process::Process;
use crate::support::rig::Rig;
use crate::support::{feeds, until};

const FIREWALL: &str = "accept = [\"ipv4\"]\nquota = 20_000\nbatch = 100";
const FEED: &str = "direction = \"in\"\ninterval = \"1s\"\nttl = \"1h\"";
const SOON: Duration = Duration::from_secs(30);

/// Stands where systemd listens.
struct Manager {
    path: PathBuf,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    fn new(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let ears = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut datagram = [0; 4096];
            while let Ok(length) = socket.recv(&mut datagram) {
                let text = String::from_utf8(datagram[..length].to_vec()).unwrap();
                ears.lock().unwrap().push(text);
            }
        });
        Self { path, heard }
    }

    /// What came since the first `from` messages.
    fn since(&self, from: usize) -> Vec<String> {
        self.heard.lock().unwrap()[from..].to_vec()
    }

    fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// Waits for a message with this line, after the first `from`; gives the whole message and what follows it.
    async fn hears(&self, line: &str, from: usize) -> (String, usize) {
        let found = || {
            let heard = self.since(from);
            heard
                .iter()
                .position(|text| text.lines().any(|one| one.starts_with(line)))
        };
        until(
            line,
            SOON,
            || found().is_some(),
            || format!("{:#?}", self.since(from)),
        )
        .await;
        let at = from + found().unwrap();
        (self.since(at).remove(0), at + 1)
    }
}

fn start(rig: &Rig, manager: &Manager, watchdog: Duration) -> Process {
    let mut command = rig.command(&["run"]);
    command
        .env("NOTIFY_SOCKET", &manager.path)
        .env("WATCHDOG_USEC", watchdog.as_micros().to_string());
    Process::start(command, rig.folder())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_is_told_of_every_turn() {
    let rig = Rig::new().await;
    let manager = Manager::new(rig.folder());
    let all = feeds::addresses(41, 40);
    rig.write("f.txt", &feeds::lines(&all));
    let feed = rig.feed("f", FEED);
    rig.config(&feed, FIREWALL);
    let daemon = start(&rig, &manager, Duration::from_millis(300));
    let (_, next) = manager.hears("READY=1", 0).await;
    manager.hears("WATCHDOG=1", next).await;
    // Its state in a line, once there is one to tell.
    manager
        .hears("STATUS=prod: 40 of 40 entries held", next)
        .await;

    // A reload is a notification with the monotonic clock's time, ended by another READY.
    rig.config(&feed, &format!("{FIREWALL}\nlease = \"2d\""));
    let from = manager.count();
    daemon.signal("HUP");
    let (reloading, next) = manager.hears("RELOADING=1", from).await;
    let since = reloading
        .lines()
        .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    let since: u64 = since.unwrap().parse().unwrap();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert!(
        since > 0 && Duration::from_micros(since).as_secs_f64() <= uptime + 1.0,
        "{since} {uptime}"
    );
    let (_, next) = manager.hears("READY=1", next).await;
    manager.hears("WATCHDOG=1", next).await;

    // A faulty config ends the reload, too.
    rig.write("feedwall.toml", "nonsense");
    let from = manager.count();
    daemon.signal("HUP");
    let (_, next) = manager.hears("RELOADING=1", from).await;
    manager.hears("READY=1", next).await;

    let from = manager.count();
    daemon.signal("TERM");
    manager.hears("STOPPING=1", from).await;
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
    let begun = manager
        .since(from)
        .iter()
        .position(|text| text.starts_with("STOPPING=1"));
    let after = manager.since(from + begun.unwrap());
    assert!(
        !after.iter().any(|text| text.contains("READY=1")),
        "{after:#?}"
    );
    rig.is_settled().await;
}

/// As systemd starts it, with the process that is meant named.
fn start_by_pid(rig: &Rig, manager: &Manager, watchdog: Duration, pid: &str) -> Process {
    let inner = rig.command(&["run"]);
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("export WATCHDOG_PID={pid}; exec \"$0\" \"$@\""))
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .current_dir(rig.folder())
        .env("NOTIFY_SOCKET", &manager.path)
        .env("WATCHDOG_USEC", watchdog.as_micros().to_string());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    Process::start(command, rig.folder())
}

/// Somebody else writes to the ledger for seconds on end: what waits for its turn is slow, not stuck, so that no watchdog
/// may end it; and it loses nothing by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_another_holds_is_waited_for_and_the_watchdog_is_fed() {
    let rig = Rig::new().await;
    let manager = Manager::new(rig.folder());
    let all = feeds::addresses(45, 60);
    rig.write("f.txt", &feeds::lines(&all[..40]));
    rig.config(&rig.feed("f", FEED), FIREWALL);
    let daemon = start_by_pid(&rig, &manager, Duration::from_secs(3), "$$");
    let entries = |count: usize| {
        let (rig, daemon) = (&rig, &daemon);
        until(
            "the entries",
            SOON,
            move || rig.sim.entry_count(1) == count,
            || daemon.said(),
        )
    };
    entries(40).await;

    let options = SqliteConnectOptions::new()
        .filename(rig.ledger_path())
        .busy_timeout(SOON);
    let mut other: SqliteConnection = options.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    rig.write("f.txt", &feeds::lines(&all));
    // A beat a second, far beyond the two at which the feed is looked at, and well within the ledger's own patience.
    let mut next = manager.count();
    for _ in 0..8 {
        (_, next) = manager.hears("WATCHDOG=1", next).await;
    }
    assert_eq!(rig.sim.entry_count(1), 40, "nothing is sent off the record");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();

    entries(60).await;
    manager.hears("WATCHDOG=1", manager.count()).await;
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
    rig.is_settled().await;
}

/// The variables were left by whoever started it for a process of their own: sd_watchdog_enabled(3).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watchdog_of_another_process_is_not_fed() {
    let rig = Rig::new().await;
    let manager = Manager::new(rig.folder());
    rig.write("f.txt", &feeds::lines(&feeds::addresses(46, 10)));
    rig.config(&rig.feed("f", FEED), FIREWALL);
    let daemon = start_by_pid(&rig, &manager, Duration::from_millis(30), "1");
    manager.hears("READY=1", 0).await;
    until(
        "ten entries",
        SOON,
        || rig.sim.entry_count(1) == 10,
        || daemon.said(),
    )
    .await;
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
    manager.hears("STOPPING=1", 0).await;
    let heard = manager.since(0);
    assert!(
        !heard.iter().any(|text| text.contains("WATCHDOG")),
        "{heard:#?}"
    );
}

/// Nobody listens: that is no reason to say less, or to fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_manager_that_is_gone_harms_nothing() {
    let rig = Rig::new().await;
    rig.write("f.txt", &feeds::lines(&feeds::addresses(42, 10)));
    rig.config(&rig.feed("f", FEED), FIREWALL);
    let mut command = rig.command(&["run"]);
    command
        .env("NOTIFY_SOCKET", rig.path("nobody"))
        .env("WATCHDOG_USEC", "300000");
    let daemon = Process::start(command, rig.folder());
    until(
        "ten entries",
        SOON,
        || rig.sim.entry_count(1) == 10,
        || daemon.said(),
    )
    .await;
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
}

/// The unit's UMask and its setgid directory: what the daemon makes, the group may write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_group_may_read_and_write_what_the_daemon_makes() {
    let rig = Rig::new().await;
    let state = rig.path("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, Permissions::from_mode(0o2770)).unwrap();
    rig.write("f.txt", &feeds::lines(&feeds::addresses(43, 10)));
    rig.config(&rig.feed("f", FEED), FIREWALL);
    let config = std::fs::read_to_string(rig.path("feedwall.toml")).unwrap();
    let moved = config.replace(
        &format!("{:?}", rig.ledger_path()),
        &format!("{:?}", state.join("ledger.db")),
    );
    rig.write("feedwall.toml", &moved);
    let run = |umask: &str, words: &[&str]| {
        let inner = rig.command(words);
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("umask {umask}; exec \"$0\" \"$@\""));
        command
            .arg(inner.get_program())
            .args(inner.get_args())
            .env_clear()
            .current_dir(rig.folder());
        for (name, value) in inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)))
        {
            command.env(name, value);
        }
        Process::start(command, rig.folder())
    };
    let daemon = run("0007", &["run"]);
    until(
        "ten entries",
        SOON,
        || rig.sim.entry_count(1) == 10,
        || daemon.said(),
    )
    .await;
    // A person of the group has another umask, and what they make must be the daemon's to write as well.
    run("0022", &["block", "45.155.205.9", "--for", "1h"])
        .end()
        .await
        .exits(0);
    until(
        "two entries more",
        SOON,
        || rig.sim.entry_count(1) == 12,
        || daemon.said(),
    )
    .await;
    for file in std::fs::read_dir(&state).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        let name = file.file_name();
        assert_eq!(mode & 0o060, 0o060, "{name:?} has mode {mode:o}");
        assert_eq!(mode & 0o007, 0, "{name:?} has mode {mode:o}");
    }
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
    // With the daemon down, the command line makes the write-ahead log itself.
    let ended = run("0022", &["status"]).end().await;
    assert!(
        ended.code == Some(0) || ended.code == Some(3),
        "{}",
        ended.all()
    );
}

#[test]
fn the_unit_is_sound_and_keeps_its_sandbox() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let analyze = |words: &[&str]| Command::new("systemd-analyze").args(words).output();
    if analyze(&["--version"]).is_err() {
        println!("skipped: there is no systemd-analyze here");
        return;
    }
    let unit = units.join("feedwall.service");
    let rated = analyze(&[
        "security",
        "--offline=true",
        "--threshold=15",
        unit.to_str().unwrap(),
    ])
    .unwrap();
    let text = String::from_utf8_lossy(&rated.stdout).into_owned();
    assert!(
        rated.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&rated.stderr)
    );

    // As it is, but for the program, which stands elsewhere until the package is installed.
    let folder = tempfile::tempdir().unwrap();
    let installed = std::fs::read_to_string(&unit).unwrap();
    let here = installed.replace("/usr/bin/feedwall", env!("CARGO_BIN_EXE_feedwall"));
    let copy = folder.path().join("feedwall.service");
    std::fs::write(&copy, &here).unwrap();
    std::fs::set_permissions(&copy, Permissions::from_mode(0o644)).unwrap();
    let check = || analyze(&["verify", "--man=no", copy.to_str().unwrap()]).unwrap();
    let verified = check();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let ours = said
        .lines()
        .filter(|line| line.contains("feedwall"))
        .count();
    assert!(verified.status.success() && ours == 0, "{said}");

    // The example of a drop-in, with all of it taken into use.
    let example = std::fs::read_to_string(units.join("drop-in.example.conf")).unwrap();
    let mut taken = String::new();
    for line in example.lines() {
        match line.strip_prefix('#') {
            Some(key) if key.starts_with(|sign: char| sign.is_ascii_uppercase()) => taken += key,
            _ => taken += line,
        }
        taken.push('\n');
    }
    assert!(
        taken
            .lines()
            .filter(|line| !line.starts_with('#') && line.contains('='))
            .count()
            > 5
    );
    let drop_in = folder.path().join("feedwall.service.d");
    std::fs::create_dir(&drop_in).unwrap();
    std::fs::write(drop_in.join("override.conf"), taken).unwrap();
    let said = String::from_utf8_lossy(&check().stderr).into_owned();
    let ours = said
        .lines()
        .filter(|line| line.contains("feedwall"))
        .count();
    assert!(ours == 0, "{said}");
}

#[test]
fn the_user_can_be_made() {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/feedwall.sysusers.conf");
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    let made = Command::new("systemd-sysusers")
        .arg(format!("--root={}", root.path().display()))
        .arg(&conf)
        .output();
    let Ok(made) = made else {
        println!("skipped: there is no systemd-sysusers here");
        return;
    };
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "{said}");
    let users = std::fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    let user = users
        .lines()
        .find(|line| line.starts_with("feedwall:"))
        .unwrap();
    assert!(user.contains(":/var/lib/feedwall:"), "{user}");
    let groups = std::fs::read_to_string(root.path().join("etc/group")).unwrap();
    assert!(
        groups.lines().any(|line| line.starts_with("feedwall:")),
        "{groups}"
    );
}

#[tokio::test]
async fn logs_are_objects_of_json_where_that_is_asked_for() {
    let rig = Rig::new().await;
    rig.write("f.txt", &feeds::lines(&feeds::addresses(44, 10)));
    rig.config(&rig.feed("f", FEED), FIREWALL);
    let run = rig.start(&["--log-format", "json", "run", "--once"]);
    let ended = run.end().await.exits(0);
    let events: Vec<serde_json::Value> = ended
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}")))
        .collect();
    let recorded = events
        .iter()
        .find(|event| event["message"] == "feed recorded");
    let recorded = recorded.unwrap_or_else(|| panic!("{}", ended.err));
    assert_eq!(
        (&recorded["level"], &recorded["feed"], &recorded["listed"]),
        (&"INFO".into(), &"f".into(), &10.into())
    );
    // Calm is quiet: a feed, a reading, a plan, and what was sent.
    assert!(events.len() <= 5, "{}", ended.err);
}
