//! `check --online --probe` against clouds of several kinds: what is found, what is refused, and that nothing stays.

use std::time::Duration;

use feedwall::sim::{Class, Manners};
use serde_json::Value;

use crate::support::process::Ended;
use crate::support::rig::Rig;
use crate::support::{feeds, until};

const FIREWALL: &str = "accept = [\"ipv4\", \"domain\"]\nquota = 20_000\nconfirm_after = \"2s\"";
const FEED: &str = "direction = \"in\"\nttl = \"1d\"";
const SPARE: &str = "45.155.205.77";
const SOON: Duration = Duration::from_secs(30);

async fn rig(change: impl FnOnce(&mut feedwall::sim::SimConfig)) -> Rig {
    let rig = Rig::with(change).await;
    rig.write("f.txt", &feeds::lines(&feeds::addresses(61, 5)));
    rig.config_with(
        "allow = [\"194.26.192.0/24\"]",
        &rig.feed("f", FEED),
        FIREWALL,
    );
    rig
}

fn words<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["check", "--online", "--probe", SPARE, "--yes"], more].concat()
}

/// `step entry`, and what was said.
fn steps(ended: &Ended) -> Vec<(String, String)> {
    let json: Value =
        serde_json::from_str(&ended.out).unwrap_or_else(|fault| panic!("{fault}: {}", ended.all()));
    let findings = json["probe"]["findings"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    findings
        .iter()
        .map(|one| {
            (
                format!("{} {}", text(&one["step"]), text(&one["entry"])),
                text(&one["said"]),
            )
        })
        .collect()
}

fn said(steps: &[(String, String)], step: &str) -> String {
    let found = steps
        .iter()
        .find(|(name, _)| name == &format!("{step} {SPARE}"));
    found
        .unwrap_or_else(|| panic!("no {step} in {steps:?}"))
        .1
        .clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lenient_cloud_takes_repeats_and_nothing_stays_there() {
    let rig = rig(|config| config.block_classes = vec![Class::Ipv4, Class::Ipv6]).await;
    let more = [
        "--ipv6",
        "2a0d:5600::77",
        "--network",
        "45.155.206.0/30",
        "--domain",
        "spare-botnet.com",
    ];
    let ended = rig
        .start(&[&["--json"][..], &words(&more)].concat())
        .end()
        .await
        .exits(0);
    let steps = steps(&ended);
    for step in [
        "add",
        "add again",
        "edit",
        "delete",
        "delete again",
        "edit the absent",
    ] {
        assert_eq!(said(&steps, step), "taken", "{step}");
    }
    assert_eq!(said(&steps, "edit to the past"), "refused");
    let json = ended.json();
    assert_eq!(
        json["probe"]["classes"].to_string(),
        r#"{"domain":false,"ipv4":true,"ipv6":true,"network":false}"#
    );
    let advice: Vec<&str> = json["probe"]["advice"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let advice = advice.join("\n");
    assert!(
        advice.contains("write `accept = [\"ipv4\", \"ipv6\"]`"),
        "{advice}"
    );
    assert!(advice.contains("it is right"), "{advice}");
    assert_eq!(rig.sim.entries().len(), 0, "{:?}", rig.listed());
    // There was no ledger, and there still is none.
    assert!(!rig.ledger_path().exists());
    rig.keeps_the_rate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strict_cloud_is_told_from_a_lenient_one() {
    let rig = rig(|config| {
        config.manners = Manners::strict("InvalidParameter");
        config.visible_after = Duration::from_secs(1);
    })
    .await;
    rig.once().await.exits(0);
    let before = rig.sim.entries().len();
    let ended = rig.start(&words(&[])).end().await.exits(0);
    let told = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        "add again 45.155.205.77: refused: InvalidParameter",
        "delete again 45.155.205.77: refused: InvalidParameter",
        "edit the absent 45.155.205.77: refused: InvalidParameter",
        "edit 45.155.205.77: taken; shown after 1.",
        "strict about: add again, delete again, edit the absent",
        "`accept` fits",
    ] {
        assert!(told.contains(sentence), "{sentence}\n{}", ended.all());
    }
    assert_eq!(rig.sim.entries().len(), before);
    // The ledger that was there holds each call, no lease of the probe's, and nothing under suspicion.
    let books = rig.books().await;
    assert_eq!(books.leases.len(), before);
    assert!(
        books.calls.len() >= 7 && books.quarantined.is_empty() && books.learned.is_empty(),
        "{:?}",
        books.learned
    );
    rig.once().await.exits(0);
    rig.is_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_guarded_listed_or_not_agreed_to_is_not_probed() {
    let rig = rig(|_| {}).await;
    let refused = async |words: &[&str], code: i32, sentence: &str| {
        let ended = rig.start(words).end().await.exits(code);
        assert!(ended.err.contains(sentence), "{sentence}\n{}", ended.all());
        assert!(rig.writes().is_empty(), "{words:?} wrote");
    };
    let probe = |what| ["check", "--online", "--yes", "--probe", what];
    refused(
        &probe("194.26.192.7"),
        1,
        "is never blocked, not even to try",
    )
    .await;
    refused(&probe("10.0.0.1"), 1, "is never blocked, not even to try").await;
    refused(
        &probe("45.155.205.0/24"),
        2,
        "--probe takes an IPv4 address",
    )
    .await;
    refused(
        &words(&["--network", "45.155.205.9"]),
        2,
        "--network takes a network",
    )
    .await;
    refused(&words(&["--firewall", "prdo"]), 1, "did you mean `prod`?").await;
    refused(&["check", "--online", "--probe", SPARE], 1, "give --yes").await;
    refused(&["check", "--probe", SPARE], 2, "--online").await;

    rig.once().await.exits(0);
    let listed = rig.listed().into_iter().next().unwrap();
    let writes = rig.writes().len();
    let ended = rig.start(&probe(&listed)).end().await.exits(1);
    assert!(
        ended.err.contains("stands on the firewall's lists already"),
        "{}",
        ended.all()
    );

    let daemon = rig.start(&["run"]);
    daemon.says("running", 1, SOON).await;
    let ended = rig.start(&words(&[])).end().await.exits(1);
    assert!(
        ended.err.contains("the daemon is running"),
        "{}",
        ended.all()
    );
    assert_eq!(rig.writes().len(), writes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_in_the_middle_it_takes_off_what_it_put_there() {
    // What was added never shows in a reading, so that it waits with the entry on the list.
    let rig = rig(|config| config.visible_after = Duration::from_secs(3600)).await;
    let probe = rig.start(&words(&[]));
    until(
        "the entry",
        SOON,
        || rig.sim.entry_count(1) == 1,
        || probe.said(),
    )
    .await;
    probe.signal("INT");
    let ended = probe.end_within(Duration::from_secs(10)).await.exits(1);
    assert!(
        ended.out.contains("stopped before its end"),
        "{}",
        ended.all()
    );
    assert_eq!(rig.sim.entry_count(1), 0);

    // Killed, it leaves an entry that its ledger knows, which the next run takes off.
    rig.once().await;
    let left = rig.sim.entry_count(1);
    let probe = rig.start(&words(&[]));
    until(
        "the entry again",
        SOON,
        || rig.sim.entry_count(1) == left + 1,
        || probe.said(),
    )
    .await;
    probe.kill();
    assert_eq!(rig.sim.entry_count(1), left + 1);
    rig.once().await;
    assert_eq!(rig.sim.entry_count(1), left, "{:?}", rig.listed());
}
