//! What the daemon serves: health, metrics, status and explain, who may read them, and the listener's own life.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::support::http::{Answer, get, get_with, send};
use crate::support::process::Process;
use crate::support::rig::Rig;
use crate::support::{feeds, until};

const FIREWALL: &str = "accept = [\"ipv4\"]\nquota = 20_000\nconfirm_after = \"1s\"";
const FEED: &str = "direction = \"in\"\ninterval = \"2s\"\nttl = \"1h\"";
const HTTP: &str = "[http]\nlisten = \"127.0.0.1:0\"\n";
const SOON: Duration = Duration::from_secs(30);
const TOKEN: &str = "not-a-real-token-0123456789";

/// A rig with a feed of 60 addresses, its config with `http` in it.
async fn rig(http: &str) -> Rig {
    let rig = Rig::new().await;
    rig.write("f.txt", &feeds::lines(&feeds::addresses(11, 60)));
    config(&rig, http);
    rig
}

fn config(rig: &Rig, http: &str) {
    rig.config(&format!("{http}{}", rig.feed("f", FEED)), FIREWALL);
}

/// Where the daemon says for the `times`th time that it serves.
async fn served(daemon: &Process, times: usize) -> SocketAddr {
    let words = "serving health, metrics and the dashboard at http://";
    daemon.says(words, times, SOON).await;
    let said = daemon.said();
    let after = said.split(words).nth(times).unwrap();
    after.split('/').next().unwrap().parse().unwrap()
}

async fn synced(rig: &Rig, daemon: &Process, entries: usize) {
    let there = || rig.sim.entry_count(1) == entries;
    until("the first sync", SOON, there, || daemon.said()).await;
}

/// Without what is never the same twice.
fn timeless(mut value: Value) -> Value {
    let object = value.as_object_mut().unwrap();
    for key in ["now", "ledger_bytes"] {
        object.remove(key);
    }
    for feed in object
        .get_mut("feeds")
        .into_iter()
        .flat_map(Value::as_array_mut)
        .flatten()
    {
        for key in ["last_poll", "last_good", "next_poll"] {
            feed.as_object_mut().unwrap().remove(key);
        }
    }
    value
}

/// A story without the sentences that say how long ago something was.
fn ageless(mut story: Value) -> Value {
    let firewalls = story["firewalls"].as_array_mut().unwrap().iter_mut();
    for entry in firewalls.flat_map(|one| one["entries"].as_array_mut().unwrap()) {
        let text = entry.as_object_mut().unwrap().remove("text");
        assert!(text.is_some_and(|text| text.is_string()));
    }
    story
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_served_is_what_the_commands_say() {
    let rig = rig(HTTP).await;
    let daemon = rig.start(&["run"]);
    let at = served(&daemon, 1).await;
    synced(&rig, &daemon, 60).await;
    let confirmed = || async { get(at, "/api/status").await.is(200).json() };
    let deadline = Instant::now() + SOON;
    while confirmed().await["firewalls"][0]["coverage"]["confirmed"] != 60 {
        assert!(Instant::now() < deadline, "{}", daemon.said());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    // The same JSON, from the daemon and from the command.
    let deadline = Instant::now() + SOON;
    loop {
        let served = timeless(get(at, "/api/status").await.is(200).json());
        let printed = rig.start(&["status", "--json"]).end().await;
        if served == timeless(printed.json()) {
            break;
        }
        assert!(Instant::now() < deadline, "{served:#}\n{}", printed.out);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let address = feeds::addresses(11, 1)[0].to_string();
    let listed = *rig.addresses().first().unwrap();
    for ioc in [
        listed.to_string(),
        address,
        "hxxp://bad.botnet-panel[.]net/x".to_owned(),
    ] {
        let path = format!("/api/explain?ioc={}", ioc.replace('/', "%2F"));
        let served = get(at, &path).await.is(200).json();
        let printed = rig.start(&["explain", &ioc, "--json"]).end().await.json();
        let [served, printed] = [served, printed].map(ageless);
        assert_eq!(served["firewalls"], printed["firewalls"], "{ioc}");
        assert_eq!(served["indicator"], printed["indicator"]);
    }
    let blocked = get(at, &format!("/api/explain?ioc={listed}")).await.json();
    assert_eq!(blocked["firewalls"][0]["blocked"][0], "in");
    for path in [
        "/api/explain",
        "/api/explain?ioc=",
        "/api/explain?ioc=co.uk",
        "/api/history?hours=x",
    ] {
        let fault = get(at, path).await.is(400).json();
        assert!(fault["error"].as_str().unwrap().len() > 10, "{fault}");
    }
    assert_eq!(
        get(at, "/api/quarantine").await.is(200).json(),
        serde_json::json!([])
    );
    let schema = fs::read_to_string(root().join("docs/status.schema.json")).unwrap();
    assert_eq!(
        get(at, "/api/status.schema.json").await.is(200).body,
        schema
    );

    let health = get(at, "/healthz").await.is(200).json();
    assert_eq!(health["healthy"], true, "{health:#}");
    let metrics = get(at, "/metrics").await.is(200);
    assert!(
        metrics.head.contains("text/plain; version=0.0.4"),
        "{}",
        metrics.head
    );
    for line in [
        "feedwall_coverage_ratio{firewall=\"prod\"} 1",
        "feedwall_calls_total{firewall=\"prod\",action=\"add\",verdict=\"applied\"} 1",
        "feedwall_feed_healthy{feed=\"f\"} 1",
        "feedwall_healthy 1",
    ] {
        assert!(
            metrics.body.lines().any(|one| one == line),
            "{line}\n{}",
            metrics.body
        );
    }
    let open = metrics
        .body
        .lines()
        .find_map(|line| line.strip_prefix("process_open_fds "));
    assert!(open.is_some_and(|open| open.parse::<u32>().unwrap() > 5));
    passes_promtool(&metrics.body);
    let known = names(&metrics.body);
    for file in [
        "config/alerts.yml",
        "config/grafana-dashboard.json",
        "docs/metrics.md",
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let used = names(&text);
        assert!(used.len() > 4, "{file} names {used:?}");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(
            unknown.is_empty(),
            "{file} names what is not served: {unknown:?}"
        );
    }

    // A minute's turn brings a sample.
    let deadline = Instant::now() + Duration::from_secs(80);
    let history = loop {
        let history = get(at, "/api/history?hours=1").await.is(200).json();
        if history["at"]
            .as_array()
            .unwrap()
            .iter()
            .zip(history["confirmed"].as_array().unwrap())
            .any(|(_, confirmed)| *confirmed == 60)
        {
            break history;
        }
        assert!(Instant::now() < deadline, "{history}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert_eq!(history["listed"].as_array().unwrap().last().unwrap(), 60);
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_readers_of_this_machine_are_answered_and_only_readers() {
    let rig = rig(HTTP).await;
    let daemon = rig.start(&["run"]);
    let at = served(&daemon, 1).await;
    let host = |host: &str| format!("GET /api/status HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
    for good in [
        "Host: localhost\r\n",
        "Host: LOCALHOST:1\r\n",
        "Host: [::1]:9753\r\n",
        "Host: 127.0.0.2\r\n",
    ] {
        send(at, &host(good)).await.is(200);
    }
    for bad in [
        "Host: evil.example.org\r\n",
        "Host: localhost.evil.example.org\r\n",
        "Host: 10.0.0.1\r\n",
        "Host: 127.0.0.1.evil.example.org:9753\r\n",
    ] {
        let answer = send(at, &host(bad)).await.is(403);
        assert!(
            answer.json()["error"]
                .as_str()
                .unwrap()
                .contains("localhost")
        );
    }
    let twice = "Host: localhost\r\nHost: evil.example.org\r\n";
    assert!([400, 403].contains(&send(at, &host(twice)).await.status));
    assert!([400, 403].contains(&send(at, &host("")).await.status));
    let absolute = "GET http://evil.example.org/api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    send(at, absolute).await.is(403);

    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        let request = format!(
            "{method} /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = send(at, &request).await.is(405);
        assert!(answer.head.contains("allow: get, head"), "{}", answer.head);
    }
    let head = send(
        at,
        "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .await
    .is(200);
    assert_eq!(head.body, "");
    get(at, "/nothing").await.is(404);
    get(at, "/../Cargo.toml").await.is(404);

    let many = "X-Filler: 0123456789\r\n".repeat(100);
    assert_eq!(get_with(at, "/healthz", &many).await.status, 431);
    let long = format!("X-Filler: {}\r\n", "x".repeat(40_000));
    assert_eq!(get_with(at, "/healthz", &long).await.status, 431);
    get(at, &format!("/api/explain?ioc={}", "a".repeat(3000)))
        .await
        .is(400);

    for path in ["/", "/app.js", "/api/status", "/nothing"] {
        let Answer { head, .. } = get(at, path).await;
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cache-control: no-",
        ] {
            assert!(head.contains(header), "{path} lacks {header}:\n{head}");
        }
        assert!(!head.contains("access-control"), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_wanted_and_a_reload_changes_it() {
    let rig = Rig::new().await;
    let file = rig.path("http.token");
    rig.write("http.token", &format!("{TOKEN}\n"));
    rig.write("f.txt", &feeds::lines(&feeds::addresses(11, 60)));
    let http = format!("[http]\nlisten = \"0.0.0.0:0\"\ntoken = {{ file = {file:?} }}\n");
    config(&rig, &http);
    let daemon = rig.start(&["run"]);
    let port = served(&daemon, 1).await.port();
    let at: SocketAddr = ([127, 0, 0, 1], port).into();
    let with = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for path in [
        "/api/status",
        "/metrics",
        "/healthz",
        "/api/explain?ioc=1.1.1.1",
        "/nothing",
    ] {
        let answer = get(at, path).await.is(401);
        assert!(
            answer.head.contains("www-authenticate: bearer"),
            "{}",
            answer.head
        );
        assert!(!answer.body.contains("prod"), "{}", answer.body);
    }
    for wrong in ["", TOKEN[1..].into(), &format!("{TOKEN}x"), "Bearer"] {
        get_with(at, "/api/status", &with(wrong)).await.is(401);
    }
    get_with(
        at,
        "/api/status",
        &format!("Authorization: Basic {TOKEN}\r\n"),
    )
    .await
    .is(401);
    get_with(at, "/api/status", &with(TOKEN)).await.is(200);
    get_with(
        at,
        "/metrics",
        &format!("authorization: bearer {TOKEN}\r\n"),
    )
    .await
    .is(200);
    // The page itself says nothing of anybody.
    get(at, "/").await.is(200);
    get(at, "/app.js").await.is(200);

    let other = "another-token-9876543210";
    rig.write("http.token", other);
    daemon.signal("HUP");
    daemon.says("the config was reloaded", 1, SOON).await;
    get_with(at, "/api/status", &with(TOKEN)).await.is(401);
    get_with(at, "/api/status", &with(other)).await.is(200);
    // One that could be guessed, or none, is not put in force.
    for (token, words) in [("short", "shorter than 16"), ("", "holds no key")] {
        rig.write("http.token", token);
        daemon.signal("HUP");
        daemon.says(words, 1, SOON).await;
        get_with(at, "/api/status", &with(other)).await.is(200);
    }
    let said = daemon.said();
    assert!(!said.contains(TOKEN) && !said.contains(other), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_listener_follows_the_config_and_stands_in_nobody_s_way() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let busy = taken.local_addr().unwrap();
    let on = |address: SocketAddr| format!("[http]\nlisten = \"{address}\"\n");
    let rig = rig(&on(busy)).await;
    let daemon = rig.start(&["run"]);
    // The firewalls are kept all the same, and it listens as soon as it can.
    daemon
        .says("nothing can listen on 127.0.0.1:", 1, SOON)
        .await;
    synced(&rig, &daemon, 60).await;
    drop(taken);
    assert_eq!(served(&daemon, 1).await, busy);
    get(busy, "/healthz").await.is(200);

    // An idle reader sees nothing of a reload that leaves its listener alone.
    let mut idle = TcpStream::connect(busy).await.unwrap();
    rig.write("f.txt", &feeds::lines(&feeds::addresses(12, 40)));
    rig.config(
        &format!("{}{}", on(busy), rig.feed("f", &FEED.replace("1h", "2h"))),
        FIREWALL,
    );
    daemon.signal("HUP");
    daemon.says("reloaded: feed `f`: ttl", 1, SOON).await;
    get(busy, "/healthz").await.is(200);
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    idle.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    // Another address that cannot be had: the old one stays.
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    config(&rig, &on(taken.local_addr().unwrap()));
    daemon.signal("HUP");
    daemon
        .says(
            "was not reloaded, and the old one stays in force: nothing can listen",
            1,
            SOON,
        )
        .await;
    get(busy, "/healthz").await.is(200);
    // The same port on another address: it stands only in its own way.
    let every: SocketAddr = ([127, 0, 0, 9], busy.port()).into();
    config(&rig, &on(every));
    daemon.signal("HUP");
    assert_eq!(served(&daemon, 2).await, every);
    get(every, "/healthz").await.is(200);
    assert!(TcpStream::connect(busy).await.is_err());
    // No section, no listener.
    config(&rig, "");
    daemon.signal("HUP");
    daemon
        .says("http removed: nothing is served any more", 1, SOON)
        .await;
    let gone = Instant::now() + SOON;
    while TcpStream::connect(every).await.is_ok() {
        assert!(Instant::now() < gone, "it still listens");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whoever opens connections and says nothing gets the places, but not for long; and a stop does not wait for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_are_bounded_and_keep_nobody_from_ending() {
    let rig = rig(HTTP).await;
    let daemon = rig.start(&["run"]);
    let at = served(&daemon, 1).await;
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(at).await.unwrap());
    }
    let begun = Instant::now();
    get(at, "/healthz").await.is(200);
    let waited = begun.elapsed();
    println!(
        "the 65th connection was answered after {:.1} s",
        waited.as_secs_f64()
    );
    assert!(
        waited > Duration::from_secs(5),
        "64 connections hold every place"
    );
    let mut again = Vec::new();
    for _ in 0..10 {
        again.push(TcpStream::connect(at).await.unwrap());
    }
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(9)).await.exits(0);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The metrics of ours that a text names, without the suffixes of a histogram's parts.
fn names(text: &str) -> BTreeSet<String> {
    let part = |sign: char| !(sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_');
    let own = |word: &&str| word.starts_with("feedwall_") || word.starts_with("process_");
    let words = text.split(part).filter(own);
    words
        .map(|word| {
            let ends = ["_bucket", "_sum", "_count"];
            let bare = ends.iter().find_map(|end| word.strip_suffix(end));
            bare.unwrap_or(word).to_owned()
        })
        .collect()
}

/// Runs promtool with `text` on its input, or says that there is none.
fn promtool(arguments: &[&str], folder: &Path, text: &str) {
    use std::io::Write as _;
    let begun = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = begun else {
        println!("skipped: there is no promtool (Debian's package prometheus) for {arguments:?}");
        return;
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let ended = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "promtool {arguments:?}:\n{said}");
}

fn passes_promtool(metrics: &str) {
    promtool(&["check", "metrics"], root(), metrics);
}

#[test]
fn the_alert_rules_wake_for_what_they_should() {
    let folder = tempfile::tempdir().unwrap();
    for (from, name) in [
        ("config/alerts.yml", "alerts.yml"),
        ("tests/data/alerts.test.yml", "alerts.test.yml"),
    ] {
        fs::copy(root().join(from), folder.path().join(name)).unwrap();
    }
    promtool(
        &["check", "rules", "--lint-fatal", "alerts.yml"],
        folder.path(),
        "",
    );
    promtool(&["test", "rules", "alerts.test.yml"], folder.path(), "");
}

#[test]
fn the_dashboard_is_whole() {
    let text = fs::read_to_string(root().join("config/grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    let ids: BTreeSet<i64> = panels
        .iter()
        .map(|one| one["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len(), "each panel has its own id");
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title} asks nothing");
        for target in targets {
            let asked = names(target["expr"].as_str().unwrap());
            assert!(!asked.is_empty(), "{title} asks for no metric of ours");
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}
