//! What goes wrong reads well: one sentence that says what to do, the right exit code, and nothing lost.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use axum::http::StatusCode;
use feedwall::sim::{FAKE_SECRET_ID, FAKE_SECRET_KEY};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::support::feeds;
use crate::support::process::{Ended, Process, feedwall};
use crate::support::rig::Rig;
use crate::support::until;
use crate::support::web::{Nobody, Page};

const FIREWALL: &str = "accept = [\"ipv4\"]\nbatch = 100";

/// A rig with one feed of so many addresses.
async fn rig(listed: usize) -> (Rig, Vec<Ipv4Addr>) {
    let rig = Rig::new().await;
    rig.config(&rig.feed("f", "direction = \"in\""), FIREWALL);
    let addresses = feeds::addresses(1, listed);
    rig.write("f.txt", &feeds::lines(&addresses));
    (rig, addresses)
}

/// The sentence with which a command that could not begin ends: one line, and nothing else.
#[track_caller]
fn sentence(ended: &Ended) -> &str {
    let line = ended.err.strip_prefix("feedwall: ").unwrap_or(&ended.err);
    let line = line.strip_suffix('\n').unwrap_or(line);
    assert!(!line.contains('\n'), "one line: {}", ended.err);
    assert_eq!(ended.out, "");
    line
}

#[tokio::test]
async fn a_faulty_config_tells_every_fault_at_once() {
    let (rig, _) = rig(1).await;
    let text = "[ledger]\npath = \"ledger.db\"\n[guards]\n[[feed]]\nname = \"f\"\nintervall = \"1h\"\n\
                [[firewall]]\nname = \"prod\"\nkind = \"tencent-cfw\"\nquota = \"many\"\nrate = \"50/s\"\n";
    rig.write("feedwall.toml", text);
    for command in [["run", "--once"], ["run", "--dry-run"]] {
        let ended = rig.start(&command).end().await.exits(78);
        for words in [
            "feedwall.toml:3",
            "`[guards]`; did you mean `[guard]`?",
            "feedwall.toml:6",
            "`intervall`; did you mean `interval`?",
            "feedwall.toml:10",
            "quota",
            "feedwall.toml:11",
            "rate",
            "faults in",
        ] {
            assert!(ended.err.contains(words), "{words:?} in\n{}", ended.err);
        }
    }
    assert!(!rig.path("ledger.db").exists(), "nothing was begun");
}

#[tokio::test]
async fn a_missing_config_is_named() {
    let (rig, _) = rig(1).await;
    fs::remove_file(rig.path("feedwall.toml")).unwrap();
    let ended = rig.once().await.exits(78);
    let path = rig.path("feedwall.toml").display().to_string();
    let line = sentence(&ended);
    assert!(line.contains(&path) && line.contains("--config"), "{line}");
}

/// One feed cannot be reached, another can: what can be had goes on the list, and the exit code asks for help.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_feed_costs_only_itself() {
    let (rig, addresses) = rig(50).await;
    let good = rig.feed("f", "direction = \"in\"");
    let nobody = Nobody::new();
    for (url, words) in [
        (
            format!("{}/list.txt", nobody.url()),
            ["cannot be reached", "refused"],
        ),
        (
            "http://feed.invalid/list.txt".to_owned(),
            ["was not found", "check the spelling"],
        ),
    ] {
        rig.config(
            &format!("{good}[[feed]]\nname = \"far\"\nurl = \"{url}\"\n"),
            FIREWALL,
        );
        let ended = rig.start(&["run", "--once"]).end().await.exits(3);
        let line = ended
            .out
            .lines()
            .find(|line| line.starts_with("feed far: failed: "));
        let line = line.unwrap_or_else(|| panic!("{}", ended.out));
        for words in words {
            assert!(line.contains(words), "{words:?} in {line}");
        }
        assert_eq!(rig.sim.entry_count(1), addresses.len());
    }
}

/// The feed that gave all entries fails afterwards: they stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_fails_or_looks_wrong_takes_nothing_off() {
    let (rig, addresses) = rig(200).await;
    rig.once().await.exits(0);
    let writes = rig.writes().len();
    let html = "<!DOCTYPE html><html><body>503 Service Unavailable</body></html>\n";
    let few = feeds::lines(&addresses[..20]);
    for (text, words) in [
        ("", "lists nothing"),
        ("# come back later\n", "lists nothing"),
        (html, "web page"),
        (&few, "shrank from 200 to 20"),
        ("not\nan\naddress\namong\nthem\n", "rows could not be read"),
    ] {
        rig.write("f.txt", text);
        let ended = rig.start(&["run", "--once"]).end().await.exits(3);
        assert!(ended.out.contains(words), "{words:?} in {}", ended.out);
        assert!(
            ended.out.contains("the last good listings stay"),
            "{}",
            ended.out
        );
    }
    fs::remove_file(rig.path("f.txt")).unwrap();
    let ended = rig.start(&["run", "--once"]).end().await.exits(3);
    assert!(ended.out.contains("check that it exists"), "{}", ended.out);
    assert_eq!(rig.sim.entry_count(1), addresses.len());
    assert_eq!(rig.writes().len(), writes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_stop_the_sender_and_lose_nothing() {
    let cases = [
        (FAKE_SECRET_ID, "wrong", "AuthFailure.SignatureFailure"),
        (
            "AKIDnobody",
            FAKE_SECRET_KEY,
            "AuthFailure.SecretIdNotFound",
        ),
    ];
    futures_util::future::join_all(cases.map(|(id, key, code)| async move {
        let (rig, addresses) = rig(500).await;
        let mut command = rig.command(&["run", "--once"]);
        command
            .env("TEST_SECRET_ID", id)
            .env("TEST_SECRET_KEY", key);
        let ended = Process::start(command, rig.folder()).end().await.exits(1);
        let line = not_done(&ended);
        for words in [code, "TEST_SECRET_ID", "check them"] {
            assert!(line.contains(words), "{words:?} in {line}");
        }
        assert!(!ended.all().contains(key), "a key is never shown");
        let calls = rig.sim.calls().len();
        assert!(calls < 5, "{calls} calls with keys that are not taken");
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
        assert_eq!(rig.sim.entry_count(1), 0);
        rig.once().await.exits(0);
        assert_eq!(rig.sim.entry_count(1), addresses.len());
        rig.is_settled().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credentials_nothing_is_sent_and_the_places_are_named() {
    let (rig, addresses) = rig(50).await;
    let mut command = rig.command(&["run", "--once"]);
    command
        .env_remove("TEST_SECRET_ID")
        .env_remove("TEST_SECRET_KEY");
    let ended = Process::start(command, rig.folder()).end().await.exits(1);
    let line = not_done(&ended);
    for words in [
        "no credentials were found",
        "TEST_SECRET_ID",
        "`credentials`",
    ] {
        assert!(line.contains(words), "{words:?} in {line}");
    }
    assert_eq!(rig.writes().len(), 0);
    rig.once().await.exits(0);
    assert_eq!(rig.sim.entry_count(1), addresses.len());
}

/// Why a firewall could not be brought up to date.
#[track_caller]
fn not_done(ended: &Ended) -> &str {
    let mut lines = ended.out.lines();
    let line = lines.find_map(|line| line.trim_start().strip_prefix("not done: "));
    line.unwrap_or_else(|| panic!("{}\n{}", ended.out, ended.err))
}

/// Nothing listens, or something else does: within half a minute it is given up, with a sentence, however long the trouble
/// on record has lasted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_not_the_api_is_given_up_within_half_a_minute() {
    let (nobody, page) = (Nobody::new(), web_page().await);
    let cases = [
        (nobody.url(), "cannot be reached"),
        (page.url(), "is not the API"),
    ];
    futures_util::future::join_all(cases.map(|(endpoint, words)| async move {
        let (rig, addresses) = rig(300).await;
        let good = fs::read_to_string(rig.path("feedwall.toml")).unwrap();
        rig.write("feedwall.toml", &good.replace(&rig.sim.url(), &endpoint));
        rig.start(&["run", "--dry-run"]).end().await.exits(0);
        let mut ledger = open_sqlite(&rig.ledger_path(), false).await;
        ledger
            .execute("UPDATE firewalls SET failures = 12")
            .await
            .unwrap();
        ledger.close().await.unwrap();

        let process = rig.start(&["run", "--once"]);
        let ended = process.end_within(Duration::from_secs(40)).await.exits(1);
        let line = not_done(&ended);
        for words in [words, &endpoint, "`endpoint`"] {
            assert!(line.contains(words), "{words:?} in {line}");
        }
        rig.write("feedwall.toml", &good);
        rig.once().await.exits(0);
        assert_eq!(rig.sim.entry_count(1), addresses.len());
        rig.is_settled().await;
    }))
    .await;
}

async fn web_page() -> Page {
    let body = "<!DOCTYPE html><html><body>Welcome to this hotel</body></html>";
    Page::serve(StatusCode::OK, "text/html", body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let (rig, addresses) = rig(100).await;
    let mut first = rig.start(&["run"]);
    first.says("running", 1, Duration::from_secs(20)).await;
    for words in [&["run"][..], &["run", "--once"], &["run", "--dry-run"]] {
        let ended = rig.start(words).end().await.exits(1);
        let line = sentence(&ended);
        assert!(line.contains("another feedwall holds the ledger"), "{line}");
        assert!(line.contains("stop it first"), "{line}");
    }
    assert!(first.runs());
    let there = || rig.sim.entry_count(1) == addresses.len();
    until(
        "the first one's work",
        Duration::from_secs(20),
        there,
        || first.said(),
    )
    .await;
    first.signal("TERM");
    first.end_within(Duration::from_secs(15)).await.exits(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_a_newer_version_is_left_as_it_is() {
    let (rig, _) = rig(20).await;
    rig.once().await.exits(0);
    let mut ledger = open_sqlite(&rig.ledger_path(), false).await;
    ledger
        .execute("INSERT INTO _sqlx_migrations SELECT version + 1000, 'later', installed_on, success, checksum, 0 FROM _sqlx_migrations ORDER BY version DESC LIMIT 1")
        .await
        .unwrap();
    ledger
        .execute("PRAGMA wal_checkpoint(TRUNCATE)")
        .await
        .unwrap();
    ledger.close().await.unwrap();

    let before = fs::read(rig.ledger_path()).unwrap();
    let writes = rig.writes().len();
    let ended = rig.once().await.exits(1);
    let line = sentence(&ended);
    for words in ["newer feedwall", "left as it is", "Install that version"] {
        assert!(line.contains(words), "{words:?} in {line}");
    }
    assert!(
        fs::read(rig.ledger_path()).unwrap() == before,
        "not a byte of it changed"
    );
    assert_eq!(rig.writes().len(), writes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_somebody_else_s_is_left_as_it_is() {
    let (rig, _) = rig(20).await;
    let path = rig.ledger_path();

    fs::write(
        &path,
        "Dear diary, today somebody misconfigured a daemon.\n".repeat(50),
    )
    .unwrap();
    is_left_alone(&rig).await;

    fs::remove_file(&path).unwrap();
    let mut stranger = open_sqlite(&path, true).await;
    stranger
        .execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY, sum INTEGER); INSERT INTO invoices (sum) VALUES (7)")
        .await
        .unwrap();
    stranger.close().await.unwrap();
    is_left_alone(&rig).await;

    let mut stranger = open_sqlite(&path, false).await;
    stranger
        .execute("PRAGMA application_id = 252006675")
        .await
        .unwrap();
    stranger.close().await.unwrap();
    is_left_alone(&rig).await;
}

async fn is_left_alone(rig: &Rig) {
    let before = fs::read(rig.ledger_path()).unwrap();
    let ended = rig.once().await.exits(1);
    let line = sentence(&ended);
    for words in ["is not a feedwall ledger", "left as it is", "another file"] {
        assert!(line.contains(words), "{words:?} in {line}");
    }
    assert!(
        fs::read(rig.ledger_path()).unwrap() == before,
        "not a byte of it changed"
    );
    assert_eq!(rig.writes().len(), 0);
}

/// What a start leaves that was killed between sqlx's own table and the first migration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_was_never_finished_is_no_stranger() {
    let (rig, addresses) = rig(20).await;
    let mut half = open_sqlite(&rig.ledger_path(), true).await;
    half.execute(
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
             installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
             checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)",
    )
    .await
    .unwrap();
    half.close().await.unwrap();
    rig.once().await.exits(0);
    assert_eq!(rig.sim.entry_count(1), addresses.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_ledger_is_said_to_be_and_kept() {
    let (rig, addresses) = rig(2_000).await;
    rig.once().await.exits(0);
    let writes = rig.writes().len();
    let mut bytes = fs::read(rig.ledger_path()).unwrap();
    let (head, tail) = bytes.split_at_mut(4096);
    assert!(head.starts_with(b"SQLite format 3\0"));
    tail.fill(0x5a);
    fs::write(rig.ledger_path(), &bytes).unwrap();
    let ended = rig.once().await.exits(1);
    let line = sentence(&ended);
    for words in ["damaged", "keep the file", "restore a backup"] {
        assert!(line.contains(words), "{words:?} in {line}");
    }
    assert!(fs::read(rig.ledger_path()).unwrap() == bytes);
    assert_eq!(
        (rig.writes().len(), rig.sim.entry_count(1)),
        (writes, addresses.len())
    );
}

async fn open_sqlite(path: &Path, create: bool) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// A file system of little more than a megabyte, which takes root to mount; gone when it is dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1280k", "feedwall-test"]);
        let mounted = mount.arg(at).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            println!("skipped: a small file system cannot be mounted here, so no disk is full");
            return None;
        }
        Some(Self(at))
    }

    /// Makes it so many megabytes large.
    fn grow(&self, megabytes: u32) {
        let options = format!("remount,size={megabytes}m");
        let grown = Command::new("mount")
            .args(["-o", &options])
            .arg(self.0)
            .status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // A mount that stays behind is one of the test's own, on a folder of its own.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// A config whose ledger, and with it the spool, lies on the small disk.
fn on_disk(rig: &Rig, disk: &Path, feeds: &str) {
    rig.config(feeds, FIREWALL);
    let text = fs::read_to_string(rig.path("feedwall.toml")).unwrap();
    let (old, new) = (rig.ledger_path(), disk.join("ledger.db"));
    let text = text.replace(&format!("{old:?}"), &format!("{new:?}"));
    rig.write("feedwall.toml", &text);
}

const FULL: &str = "the disk that holds the ledger is full: nothing was lost";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_the_ledger_fills_is_said_to_be_full_and_all_is_done_once_there_is_space() {
    let (rig, few) = rig(200).await;
    let folder = rig.path("disk");
    let Some(disk) = SmallDisk::mount(&folder) else {
        return;
    };
    let feed = "direction = \"in\"\nmax_growth = 1000\non_delist = \"withdraw\"";
    on_disk(&rig, &folder, &rig.feed("f", feed));
    rig.once().await.exits(0);
    let writes = rig.writes().len();

    // More listings than the disk has room for.
    let many = feeds::addresses(2, 40_000);
    rig.write("f.txt", &feeds::lines(&many));
    let ended = rig.once().await.exits(1);
    assert!(sentence(&ended).starts_with(FULL), "{}", ended.err);
    assert_eq!(
        (rig.writes().len(), rig.sim.entry_count(1)),
        (writes, few.len())
    );

    // The same where the disk was full before the start.
    let filler = folder.join("filler");
    let filled = fs::write(&filler, vec![0; 4 << 20]);
    assert!(filled.is_err(), "the disk is full now");
    let ended = rig.once().await.exits(1);
    assert!(sentence(&ended).starts_with(FULL), "{}", ended.err);

    fs::remove_file(filler).unwrap();
    disk.grow(32);
    rig.write("f.txt", &feeds::lines(many.iter().take(2_000).chain(&few)));
    rig.once().await.exits(0);
    assert_eq!(rig.sim.entry_count(1), 2_000 + few.len());
}

/// The daemon meets the full disk in the middle of its life.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_whose_disk_fills_up_ends_with_the_sentence() {
    let (rig, few) = rig(200).await;
    let folder = rig.path("disk");
    let Some(disk) = SmallDisk::mount(&folder) else {
        return;
    };
    let feed = "direction = \"in\"\ninterval = \"1s\"\nttl = \"1h\"\nmax_growth = 1000\non_delist = \"withdraw\"";
    on_disk(&rig, &folder, &rig.feed("f", feed));
    let daemon = rig.start(&["run"]);
    let there = || rig.sim.entry_count(1) == few.len();
    until("the first sync", Duration::from_secs(20), there, || {
        daemon.said()
    })
    .await;
    let many = feeds::addresses(2, 40_000);
    rig.write("f.txt", &feeds::lines(&many));
    let ended = daemon.end_within(Duration::from_secs(30)).await.exits(1);
    let last = ended.err.lines().last().unwrap_or_default();
    assert!(
        last.starts_with(&format!("feedwall: {FULL}")),
        "{}",
        ended.err
    );
    assert_eq!(rig.sim.entry_count(1), few.len());
    disk.grow(32);
    rig.write("f.txt", &feeds::lines(many.iter().take(500).chain(&few)));
    rig.once().await.exits(0);
    assert_eq!(rig.sim.entry_count(1), 500 + few.len());
}

/// A body that does not fit beside the ledger: that feed fails, with a sentence, and the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_too_small_for_a_body_costs_only_that_feed() {
    let (rig, few) = rig(200).await;
    let folder = rig.path("disk");
    let Some(_disk) = SmallDisk::mount(&folder) else {
        return;
    };
    let large = rig.feed("large", "direction = \"in\"");
    on_disk(
        &rig,
        &folder,
        &(rig.feed("f", "direction = \"in\"") + &large),
    );
    let comment = format!("#{}\n", "-".repeat(99));
    rig.write("large.txt", &(comment.repeat(30_000) + "45.155.205.1\n"));
    let ended = rig.start(&["run", "--once"]).end().await.exits(3);
    let line = ended
        .out
        .lines()
        .find(|line| line.starts_with("feed large: failed: "));
    let line = line.unwrap_or_else(|| panic!("{}", ended.out));
    assert!(
        line.contains("full") && line.contains(&*folder.to_string_lossy()),
        "{line}"
    );
    assert_eq!(rig.sim.entry_count(1), few.len());
}

/// The program without a home, a config or an argument says how it is used.
#[tokio::test]
async fn words_that_it_does_not_know_are_a_usage_error() {
    let (rig, _) = rig(1).await;
    for words in [&["rnu"][..], &["run", "--onec"], &[]] {
        let mut command = feedwall(rig.folder());
        command.args(words);
        let ended = Process::start(command, rig.folder()).end().await.exits(2);
        assert!(ended.err.contains("Usage: feedwall"), "{}", ended.err);
    }
}
