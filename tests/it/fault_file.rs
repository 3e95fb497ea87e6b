//! `feedwall sim --faults FILE`: what goes wrong is in a file, and the same again from the same seed.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::http::send;
use crate::support::process::{Ended, Process, feedwall};
use crate::support::until;

const CALLS: usize = 60;

/// One call in three meets a faulty gateway, whoever sends it.
fn schedule(seed: u64) -> String {
    format!(
        "seed = {seed}\n[[rule]]\nwhen = {{ probability = 0.33 }}\nthen = {{ http = {{ status = 503 }} }}\n"
    )
}

fn start(folder: &TempDir, schedule: &str) -> Process {
    let file = folder.path().join("faults.toml");
    std::fs::write(&file, schedule).unwrap();
    let mut command = feedwall(folder.path());
    command.args(["sim", "--listen", "127.0.0.1:0", "--faults"]);
    command.arg(&file);
    Process::start(command, folder.path())
}

async fn address(process: &Process) -> SocketAddr {
    let url = || {
        let said = process.said();
        let (_, rest) = said.split_once("address=")?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let told = || url().is_some();
    let within = Duration::from_secs(30);
    until("the simulator's address", within, told, || process.said()).await;
    url().unwrap()
}

/// What each of so many calls is answered with.
async fn statuses(seed: u64) -> Vec<u16> {
    let folder = tempfile::tempdir().unwrap();
    let process = start(&folder, &schedule(seed));
    let address = address(&process).await;
    let mut statuses = Vec::new();
    for _ in 0..CALLS {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        statuses.push(send(address, &request).await.status);
    }
    process.kill();
    statuses
}

#[tokio::test]
async fn a_fault_file_does_the_same_from_the_same_seed() {
    let (first, again, other) = (statuses(7).await, statuses(7).await, statuses(8).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    let struck = first.iter().filter(|status| **status == 503).count();
    assert!((8..=32).contains(&struck), "{struck} of {CALLS}");
}

async fn refusal(schedule: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    start(&folder, schedule).end().await
}

#[tokio::test]
async fn a_fault_file_that_makes_no_sense_is_refused_with_its_line() {
    let ended = refusal("[[rule]]\nthen = \"explode\"\n").await;
    assert_ne!(ended.code, Some(0));
    for word in ["line 2", "explode"] {
        assert!(ended.err.contains(word), "{word}: {}", ended.err);
    }
    let ended = refusal("[[rule]]\nwhen = { every = 0 }\nthen = \"reset\"\n").await;
    assert_ne!(ended.code, Some(0));
    assert!(ended.err.contains("rule 1"), "{}", ended.err);
}
