//! The asking commands from outside: what they print, and the exit codes that monitors go by.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use feedwall::sim::{
    Clock, FAKE_SECRET_ID, FAKE_SECRET_KEY, FaultSchedule, Sim, SimConfig, Then, When,
};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a config, a feed in a file, and a simulated cloud.
pub struct Place {
    folder: TempDir,
    sim: Sim,
    runtime: tokio::runtime::Runtime,
}

/// What a command printed, and how it ended.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new(feed: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let sim = SimConfig::new(Clock::new(crate::vendor_client::wall));
        let sim = runtime.block_on(Sim::start(sim)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        let config = format!(
            r#"
[ledger]
path = "{root}/ledger.db"

[[feed]]
name = "one"
path = "{root}/one.txt"

[[firewall]]
name = "prod"
endpoint = "http://{}"
credentials = {{ env = "FEEDWALL_TEST" }}

[guard]
allow = ["45.155.205.99", "good.example.org"]
"#,
            sim.address()
        );
        fs::write(folder.path().join("feedwall.toml"), config).unwrap();
        fs::write(folder.path().join("one.txt"), feed).unwrap();
        Self {
            folder,
            sim,
            runtime,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs `feedwall` with the config of this place.
    pub fn feedwall(&self, arguments: &[&str]) -> Said {
        feedwall(
            &[
                &["--config", self.path("feedwall.toml").to_str().unwrap()],
                arguments,
            ]
            .concat(),
        )
    }

    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let said = self.feedwall(&[&["--json"], arguments].concat());
        let json = serde_json::from_str(&said.out);
        (
            said.code,
            json.unwrap_or_else(|fault| panic!("{fault}: {}{}", said.out, said.err)),
        )
    }
}

fn feedwall(arguments: &[&str]) -> Said {
    let output = Command::cargo_bin("feedwall")
        .unwrap()
        .args(arguments)
        .env_remove("FEEDWALL_CONFIG")
        .env("FEEDWALL_LOG", "error")
        .env("FEEDWALL_TEST_SECRET_ID", FAKE_SECRET_ID)
        .env("FEEDWALL_TEST_SECRET_KEY", FAKE_SECRET_KEY)
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn status_goes_from_calm_to_needing_somebody() {
    let place = Place::new("45.155.205.7\n45.155.205.8\nbotnet-panel.net\n");
    let missing = place.feedwall(&["status"]);
    assert_eq!(missing.code, 1);
    assert!(
        missing.err.contains("there is no ledger at"),
        "{}",
        missing.err
    );

    assert_eq!(place.feedwall(&["run", "--once"]).code, 0);
    let calm = place.feedwall(&["status"]);
    assert_eq!(calm.code, 0, "{}", calm.out);
    assert!(calm.out.contains("Nothing needs you."), "{}", calm.out);
    assert!(
        !calm.out.contains('\u{1b}'),
        "colour into a pipe: {}",
        calm.out
    );
    let (code, json) = place.json(&["status"]);
    assert_eq!(code, 0);
    assert_eq!(json["firewalls"][0]["coverage"]["held"], 5);
    // It was read before it was written to, and not since.
    assert_eq!(json["firewalls"][0]["coverage"]["confirmed"], 0);

    place.write("one.txt", "");
    assert_eq!(place.feedwall(&["run", "--once"]).code, 3);
    let (code, json) = place.json(&["status"]);
    assert_eq!(code, 3);
    assert_eq!(json["needs"][0]["kind"], "feed_held");
}

#[test]
fn a_running_daemon_is_seen() {
    let place = Place::new("45.155.205.7\n");
    assert_eq!(place.feedwall(&["run", "--once"]).code, 0);
    assert_eq!(place.json(&["status"]).1["daemon_running"], false);
    let lock = feedwall::ledger::DaemonLock::take(&place.path("ledger.db")).unwrap();
    assert_eq!(place.json(&["status"]).1["daemon_running"], true);
    drop(lock);
    assert_eq!(place.json(&["status"]).1["daemon_running"], false);
}

#[test]
fn what_cannot_be_asked_is_refused_with_its_own_code() {
    let no_config = feedwall(&["--config", "/nonexistent/feedwall.toml", "status"]);
    assert_eq!(no_config.code, 78);
    assert!(
        no_config.err.contains("there is no config at /nonexistent"),
        "{}",
        no_config.err
    );
    // Watched from no terminal, there is nothing to draw on.
    let watched = feedwall(&["status", "--watch"]);
    assert_eq!(watched.code, 2, "{}", watched.err);
    let slip = feedwall(&["statsu"]);
    assert_eq!(slip.code, 2);
    assert!(
        slip.err.contains("unrecognized subcommand 'statsu'"),
        "{}",
        slip.err
    );
}

#[test]
fn a_ledger_of_another_version_is_left_alone() {
    let place = Place::new("45.155.205.7\n");
    place.write(
        "ledger.db",
        "this is a letter to my mother, and no database at all",
    );
    let said = place.feedwall(&["status"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("is not a feedwall ledger"),
        "{}",
        said.err
    );
    drop(place.runtime);
}

#[test]
fn feeds_are_shown_and_tried_without_recording() {
    let place = Place::new("45.155.205.7\n10.0.0.1\nnonsense\n");
    // Before any ledger, and without a config.
    let (code, trial) = place.json(&["feeds", "try", "one"]);
    assert_eq!(
        (code, &trial["indicators"], &trial["rejected"]),
        (0, &2.into(), &1.into())
    );
    assert_eq!(trial["changes"], Value::Null);
    assert!(!place.path("ledger.db").exists());
    let file = place.path("one.txt");
    let bare = feedwall(&["--json", "feeds", "try", file.to_str().unwrap()]);
    let bare: Value = serde_json::from_str(&bare.out).unwrap();
    assert_eq!(bare["guarded"][0]["by"], "reserved");
    let as_url = format!("file://{}", file.display());
    assert_eq!(feedwall(&["feeds", "try", &as_url]).code, 0);

    assert_eq!(place.feedwall(&["run", "--once"]).code, 0);
    place.write("one.txt", "45.155.205.8\n");
    let (code, trial) = place.json(&["feeds", "try", "one"]);
    assert_eq!((code, &trial["changes"]["delisted"]), (0, &2.into()));
    let (_, feeds) = place.json(&["feeds"]);
    assert_eq!(
        (&feeds[0]["name"], &feeds[0]["listed"]),
        (&"one".into(), &2.into())
    );
    let (_, one) = place.json(&["feeds", "show", "one"]);
    assert_eq!(one["by_class"]["ipv4"]["listed"], 2);

    place.write("one.txt", "<!doctype html><p>login</p>\n");
    let held = place.feedwall(&["feeds", "try", "one"]);
    assert_eq!(held.code, 3);
    let doubt = "The feed contract would hold it: the body is a web page, not a feed.";
    assert!(held.out.contains(doubt), "{}", held.out);

    for (words, sentence) in [
        (["feeds", "try", "onne"], "did you mean `one`?"),
        (["feeds", "show", "onne"], "did you mean `one`?"),
        (["feeds", "show", "zzz"], "it knows one"),
        // Of the catalogue, and nobody is asked.
        (["feeds", "try", "sslbl"], "retired it on 2025-01-03"),
        (["feeds", "try", "phishtank"], "phishtank wants a key"),
    ] {
        let said = place.feedwall(&words);
        assert_eq!(said.code, 1);
        assert!(said.err.contains(sentence), "{}", said.err);
    }
}

#[test]
fn the_catalogue_needs_neither_config_nor_ledger() {
    let nowhere = ["--config", "/nonexistent/feedwall.toml"];
    let all = feedwall(&[&nowhere[..], &["feeds", "catalog", "--json"]].concat());
    assert_eq!(all.code, 0, "{}", all.err);
    let all: Value = serde_json::from_str(&all.out).unwrap();
    let drop = all.as_array().unwrap().iter();
    let drop = drop
        .clone()
        .find(|one| one["name"] == "spamhaus-drop")
        .unwrap();
    assert_eq!(
        (&drop["format"], &drop["floor_s"]),
        (&"ndjson".into(), &3600.into())
    );
    let one = feedwall(&[&nowhere[..], &["feeds", "catalog", "feodo"]].concat());
    assert!(one.out.contains("preset = \"feodo\""), "{}", one.out);
    let slip = feedwall(&[&nowhere[..], &["feeds", "catalog", "feodoo"]].concat());
    assert_eq!(slip.code, 2);
    assert!(slip.err.contains("did you mean `feodo`?"), "{}", slip.err);
}

#[test]
fn check_tells_good_from_bad_and_asks_outside_when_told_to() {
    let place = Place::new("45.155.205.7\n");
    let good = place.feedwall(&["check"]);
    assert_eq!(
        (good.code, good.out.as_str()),
        (0, "the config is good: 1 feed, 1 firewall\n")
    );
    let printed = place.feedwall(&["check", "--print"]);
    place.write("printed.toml", &printed.out);
    let again = feedwall(&[
        "--config",
        place.path("printed.toml").to_str().unwrap(),
        "check",
        "--print",
    ]);
    assert_eq!(again.out, printed.out);

    let (code, online) = place.json(&["check", "--online"]);
    assert_eq!(code, 0, "{online}");
    let states = |online: &Value| -> Vec<String> {
        let checks = online["checks"].as_array().unwrap();
        checks
            .iter()
            .map(|check| format!("{} {}", check["kind"], check["state"]))
            .collect()
    };
    let expected = [
        r#""guard" "ok""#,
        r#""ledger" "ok""#,
        r#""feed" "ok""#,
        r#""firewall" "ok""#,
    ];
    assert_eq!(states(&online), expected);
    assert!(
        !place.path("ledger.db").exists(),
        "checking makes no ledger"
    );
    let firewall = online["checks"][3]["text"].as_str().unwrap();
    assert!(
        firewall.contains("environment FEEDWALL_TEST_SECRET_ID"),
        "{firewall}"
    );
    assert!(!online.to_string().contains(FAKE_SECRET_KEY));

    // A clock that is wrong is said, and does not pass for wrong keys.
    let ahead = FaultSchedule::default().and(When::default(), Then::ClockSkew { seconds: 1_200 });
    place.sim.set_faults(ahead);
    let (code, online) = place.json(&["check", "--online"]);
    place.sim.set_faults(FaultSchedule::default());
    let firewall = online["checks"][3]["text"].as_str().unwrap();
    assert_eq!(code, 0, "{online}");
    let told = firewall.contains("1200 s behind") || firewall.contains("1199 s behind");
    assert!(told, "{firewall}");

    fs::remove_file(place.path("one.txt")).unwrap();
    let config = fs::read_to_string(place.path("feedwall.toml")).unwrap();
    place.write(
        "feedwall.toml",
        &config.replace("FEEDWALL_TEST", "FEEDWALL_NONE"),
    );
    let (code, online) = place.json(&["check", "--online"]);
    assert_eq!((code, &online["ok"]), (1, &false.into()));
    let expected = [
        r#""guard" "ok""#,
        r#""ledger" "ok""#,
        r#""feed" "failed""#,
        r#""firewall" "failed""#,
    ];
    assert_eq!(states(&online), expected);

    place.write(
        "feedwall.toml",
        &config.replace("quota", "qota").replace("allow =", "alow ="),
    );
    let bad = place.feedwall(&["check"]);
    assert_eq!((bad.code, bad.out.as_str()), (78, ""));
    assert!(bad.err.contains("did you mean `allow`?"), "{}", bad.err);
    let (code, faults) = place.json(&["check"]);
    assert_eq!((code, faults["faults"].as_array().unwrap().len()), (78, 1));
}

/// A guard list that cannot be heard keeps every add waiting: `check` says so before the start does.
#[test]
fn check_reads_the_guard_lists_that_are_files() {
    let place = Place::new("45.155.205.7\n");
    let config = fs::read_to_string(place.path("feedwall.toml")).unwrap();
    let list = format!(
        "[[guard.list]]\nname = \"tlds\"\npath = \"{}\"\nformat = \"misp-warninglist\"\n",
        place.path("tlds.json").display()
    );
    place.write("feedwall.toml", &format!("{config}{list}"));
    for (kind, code) in [("string", 0), ("hostname", 1)] {
        let body = format!("{{\"type\": \"{kind}\", \"list\": [\"COM\", \"NET\"]}}");
        place.write("tlds.json", &body);
        let said = place.feedwall(&["check"]);
        assert_eq!(said.code, code, "{kind}: {}", said.out);
        let text = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = "nothing is added to any firewall before this guard list has been heard once";
        assert_eq!(text.contains(words), code == 1, "{text}");
    }
    assert!(
        !place.path("ledger.db").exists(),
        "checking makes no ledger"
    );
    let tried = place.feedwall(&["feeds", "try", "tlds"]);
    assert!(tried.out.contains("rejected"), "{}", tried.out);
}

#[test]
fn the_journal_the_lists_and_the_plan_can_be_asked() {
    let place = Place::new("45.155.205.7\nbotnet-panel.net\n45.155.205.0/24\n45.155.205.99\n");
    assert_eq!(place.feedwall(&["run", "--once"]).code, 0);
    let (code, calls) = place.json(&["calls"]);
    // One for each class that the firewall takes.
    assert_eq!((code, calls.as_array().unwrap().len()), (0, 2));
    assert!(
        calls
            .as_array()
            .unwrap()
            .iter()
            .all(|call| call["verdict"] == "applied")
    );
    assert_eq!(
        place.json(&["calls", "--failed"]).1,
        Value::Array(Vec::new())
    );
    assert_eq!(
        place.feedwall(&["calls", "--failed"]).out,
        "no call has failed\n"
    );
    assert_eq!(
        place.feedwall(&["quarantine"]).out,
        "nothing is quarantined\n"
    );

    // The network is carved, and its pieces of one address are listed by themselves.
    let (_, entries) = place.json(&["list", "--firewall", "prod", "--state", "held"]);
    let first = &entries[0];
    assert_eq!(
        (&first["indicator"], &first["state"]),
        (&"45.155.205.7".into(), &"held".into())
    );
    assert_eq!(
        place.json(&["list", "--state", "foreign"]).1,
        Value::Array(Vec::new())
    );
    let domains = place.feedwall(&["list", "--class", "domain"]);
    assert_eq!(domains.out.lines().count(), 1);
    assert!(
        domains.out.ends_with("  botnet-panel.net\n"),
        "{}",
        domains.out
    );
    let (_, listed) = place.json(&["list", "--feed", "one", "--state", "listed"]);
    assert_eq!(listed.as_array().unwrap().len(), 4);
    let misplaced = place.feedwall(&["list", "--feed", "one", "--state", "held"]);
    assert_eq!(misplaced.code, 2);

    let (code, plan) = place.json(&["plan"]);
    assert_eq!((code, &plan[0]["groups"]), (0, &Value::Array(Vec::new())));
    let left_out: Vec<_> = plan[0]["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["reason"])
        .collect();
    assert_eq!(left_out, ["guarded", "class_not_accepted"]);
    let nobody = place.feedwall(&["plan", "--firewall", "prd"]);
    assert_eq!(nobody.code, 1);
    assert!(
        nobody.err.contains("did you mean `prod`?"),
        "{}",
        nobody.err
    );

    let (code, story) = place.json(&["explain", "hxxp://a.Botnet-Panel[.]net/x"]);
    assert_eq!(
        (code, &story["firewalls"][0]["blocked"][0]),
        (0, &"out".into())
    );
    assert_eq!(story["calls"][0]["verdict"], "applied");
    assert_eq!(place.feedwall(&["explain", "com"]).code, 1);
}

#[test]
fn a_held_snapshot_is_taken_after_its_approval() {
    let many: String = (1..=40)
        .map(|last| format!("45.155.205.{last}\n"))
        .collect();
    let place = Place::new(&many);
    assert_eq!(place.feedwall(&["run", "--once"]).code, 0);
    let nothing = place.feedwall(&["approve", "one"]);
    assert_eq!(nothing.code, 1);
    assert!(
        nothing.err.contains("no snapshot of one is held"),
        "{}",
        nothing.err
    );

    place.write("one.txt", "45.155.205.1\n");
    assert_eq!(place.feedwall(&["run", "--once"]).code, 3);
    let (code, approved) = place.json(&["approve", "one"]);
    assert_eq!((code, &approved["daemon_running"]), (0, &false.into()));
    assert!(approved["reason"].as_str().unwrap().contains("shrank"));
    let again = place.feedwall(&["approve", "one"]);
    assert!(again.out.contains("already"), "{}", again.out);
    assert_eq!(place.feedwall(&["run", "--once"]).code, 0);
    assert_eq!(place.json(&["feeds"]).1[0]["listed"], 1);
    assert_eq!(place.feedwall(&["status"]).code, 0);
}
