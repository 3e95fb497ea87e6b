//! `feedwall demo`: no config, no network, no account, and every chapter told within a minute.

use std::time::Duration;

use tempfile::TempDir;

use crate::support::process::{Process, feedwall};

#[tokio::test]
async fn the_demo_tells_its_whole_story_within_a_minute() {
    let home = TempDir::new().unwrap();
    let mut command = feedwall(home.path());
    command.arg("demo");
    let demo = Process::start(command, home.path());
    let ended = demo.end_within(Duration::from_secs(60)).await.exits(0);
    let mut rest = ended.out.as_str();
    for chapter in [
        "feedwall demo: two feeds on loopback, a simulated cloud firewall at http://127.0.0.1:",
        "What may be blocked is added.",
        "79 entries on the firewall's list",
        "The daemon renews them while the feeds list the entries.",
        "The scanners' feed drops 20 addresses and lists 5 new ones.",
        "65 entries on the firewall's list   added  84",
        "deleted  19",
        "Both feeds go silent.",
        "0 entries on the firewall's list",
        "The list is empty again, and nobody had to clean it up.",
        // The status table.
        "Coverage",
    ] {
        let at = rest.find(chapter);
        let at = at.unwrap_or_else(|| panic!("{chapter:?} in its place in\n{}", ended.out));
        rest = &rest[at + chapter.len()..];
    }
    // Each of the 79 is renewed at least once before the feeds change.
    let told = ended.out.split("The scanners' feed drops").next();
    let renewed = told.and_then(|told| told.rsplit_once("renewed")).unwrap().1;
    let renewed: u32 = renewed.split_whitespace().next().unwrap().parse().unwrap();
    assert!(renewed >= 79, "{}", ended.out);
    assert_eq!(ended.err, "", "it has nothing to complain about");
    println!("the demo took {:.1} s", ended.took.as_secs_f64());
}

#[tokio::test]
async fn the_demo_can_be_stopped() {
    let home = TempDir::new().unwrap();
    let mut command = feedwall(home.path());
    command.arg("demo");
    let demo = Process::start(command, home.path());
    tokio::time::sleep(Duration::from_secs(2)).await;
    demo.signal("INT");
    demo.end_within(Duration::from_secs(10)).await.exits(1);
}
