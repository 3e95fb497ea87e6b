//! Random sequences of polls, of the operator's acts, of config changes and steps of the clock: after each of them the
//! desired set, the leases and their ends are what the model says.
//!
//! `FEEDWALL_MODEL_SEQUENCES` sets how many sequences are tried.

mod bench;
mod checks;
mod steps;

use proptest::test_runner::{Config as Runs, TestCaseError, TestRunner};

use self::bench::Bench;
use self::checks::blocked;
use self::steps::{Step, sequence};
use super::model::{ADDRESSES, GRID, LEASE, NETWORKS, holds, indicator};
use crate::ledger::Ledger;

/// Sequences in an ordinary run.
const SEQUENCES: u32 = 150;
const START: i64 = 1_800_000_000;
const TTL: i64 = 40_000;

async fn replay(ledger: Ledger, tight: Option<u64>, steps: &[(i64, Step)]) {
    let mut bench = Bench::new(ledger, tight).await;
    for (pause, step) in steps {
        bench.step(*pause, step).await;
        let before = blocked(&bench.leases().await);
        bench.settle().await;
        bench.check(&before).await;
    }
    bench.ctx.ledger.close().await;
}

#[test]
fn the_ledger_and_the_plan_do_what_the_model_says() {
    let cases = std::env::var("FEEDWALL_MODEL_SEQUENCES");
    let cases = cases
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(SEQUENCES);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.db");
    runtime.block_on(async { Ledger::open(&empty).await.unwrap().close().await });
    let mut runner = TestRunner::new(Runs {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..Runs::default()
    });
    let run = |(tight, steps): (Option<u64>, Vec<(i64, Step)>)| {
        let path = dir.path().join("ledger.db");
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.path().join(format!("ledger.db{end}")));
        }
        std::fs::copy(&empty, &path).unwrap();
        let replayed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                let ledger = Ledger::open(&path).await.unwrap();
                replay(ledger, tight, &steps).await;
            });
        }));
        replayed.map_err(|fault| {
            let text = fault.downcast_ref::<String>().cloned();
            TestCaseError::fail(text.unwrap_or_else(|| "it broke off".to_owned()))
        })
    };
    runner
        .run(&sequence(), run)
        .unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn the_universe_is_what_the_model_takes_it_for() {
    for network in NETWORKS {
        for address in 0..ADDRESSES {
            let net = indicator(network).net().unwrap();
            let inside = net.contains(&indicator(address).net().unwrap());
            assert_eq!(inside, holds(network, address));
        }
    }
    assert_eq!(LEASE % GRID, 0);
}
