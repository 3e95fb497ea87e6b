//! kill -9 at any moment, and start again: the same end state, nothing lost, nothing twice, and the rate is kept across it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use feedwall::sim::{Delay, FaultSchedule, Then, When};
use futures_util::future::join_all;

use crate::support::feeds;
use crate::support::rig::{MODIFY, Rig};
use crate::support::until;

const BATCH: usize = 25;

/// 120 calls: six seconds at the full rate.
const LISTED: usize = 3_000;

async fn rig(seed: u64) -> (Rig, BTreeSet<Ipv4Addr>) {
    let rig = Rig::new().await;
    rig.config(
        &rig.feed("f", "direction = \"in\""),
        &format!("accept = [\"ipv4\"]\nquota = 20_000\nbatch = {BATCH}"),
    );
    let addresses = feeds::addresses(seed, LISTED);
    rig.write("f.txt", &feeds::lines(&addresses));
    (rig, addresses.into_iter().collect())
}

/// Runs to the end and holds everything to the state that an undisturbed run leaves. Entries of calls whose answers
/// nobody wrote down may be written again, once for each kill; no others.
async fn completes(rig: &Rig, expected: &BTreeSet<Ipv4Addr>, kills: usize) {
    let unanswered = open_calls(rig).await;
    rig.once().await.exits(0);
    assert!(rig.addresses() == *expected, "the same end state");
    assert_eq!(rig.sim.entry_count(1), expected.len(), "each entry once");
    rig.is_settled().await;
    let entries = rig.sim.entries();
    let again = entries.iter().filter(|entry| entry.writes > 1).count();
    assert!(
        again <= unanswered.max(20 * BATCH * kills),
        "{again} entries were written again"
    );
    rig.keeps_the_rate();

    let calls = rig.writes().len();
    rig.once().await.exits(0);
    assert_eq!(rig.writes().len(), calls, "nothing is left to do");
}

async fn open_calls(rig: &Rig) -> usize {
    let books = rig.books().await;
    let open = books.calls.iter().filter(|call| call.settled_ms.is_none());
    open.map(|call| usize::try_from(call.count).unwrap()).sum()
}

/// Kills the program once the list has grown to so many entries.
async fn kill_at(rig: &Rig, entries: usize) {
    let process = rig.start(&["run", "--once"]);
    let there = || rig.sim.entry_count(1) >= entries;
    let what = format!("{entries} entries");
    until(&what, Duration::from_secs(60), there, || process.said()).await;
    let ended = process.kill();
    assert_eq!(
        ended.code, None,
        "it was still at work: {}{}",
        ended.out, ended.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_the_first_sync() {
    let moments = [1, 400, 1_700, LISTED - 2 * BATCH];
    join_all((0..).zip(moments).map(|(seed, entries)| async move {
        let (rig, expected) = rig(seed).await;
        kill_at(&rig, entries).await;
        assert!(rig.sim.entry_count(1) < LISTED);
        completes(&rig, &expected, 1).await;
    }))
    .await;
}

/// Answers take their time, so that at each kill a dozen calls are carried out and not settled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_with_calls_under_way() {
    join_all([21, 22].map(|seed| async move {
        let (rig, expected) = rig(seed).await;
        let slow = Then::Slow(Delay {
            ms: 500,
            jitter_ms: 700,
        });
        rig.sim
            .set_faults(FaultSchedule::default().and(When::default(), slow));
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut kills = 0;
        for part in 1..=2 {
            kill_at(&rig, part * LISTED / 5 + chance.usize(..LISTED / 10)).await;
            assert!(
                open_calls(&rig).await > 0,
                "a kill in the midst of answers leaves calls open"
            );
            kills += 1;
        }
        rig.sim.set_faults(FaultSchedule::default());
        completes(&rig, &expected, kills).await;
    }))
    .await;
}

/// Some answers are lost after the deed, some calls before it, and then the program dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_answers_are_lost() {
    let (rig, expected) = rig(31).await;
    let writes = || When::default().action(MODIFY);
    let every = |every| When {
        every: Some(every),
        ..writes()
    };
    rig.sim.set_faults(
        FaultSchedule::default()
            .and(every(7), Then::LoseAnswer)
            .and(every(11), Then::Reset)
            .and(every(13), Then::Truncate),
    );
    kill_at(&rig, LISTED / 2).await;
    rig.once().await.exits(0);
    assert!(rig.addresses() == expected, "faults or not");
    rig.sim.set_faults(FaultSchedule::default());
    assert_eq!(rig.sim.entry_count(1), expected.len());
    rig.is_settled().await;
    rig.keeps_the_rate();
}

/// Before the first call, while the feed is read and the ledger is filled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_the_feed_is_recorded() {
    let rig = Rig::new().await;
    rig.config(
        &rig.feed("f", "direction = \"in\""),
        "accept = [\"ipv4\"]\nquota = 200\nbatch = 100",
    );
    let addresses = feeds::addresses(41, 60_000);
    rig.write("f.txt", &feeds::lines(&addresses));
    let mut killed = 0;
    for millis in [10, 16, 22, 28, 34, 40, 60, 120, 200, 300, 450, 700] {
        let mut process = rig.start(&["run", "--once"]);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        if !process.runs() {
            // Fast machines are done by now; nothing else may end it.
            process.end().await.exits(0);
            break;
        }
        process.kill();
        killed += 1;
    }
    assert!(killed > 1, "it was never caught at work");
    rig.once().await.exits(0);
    let expected: BTreeSet<Ipv4Addr> = addresses[..200].iter().copied().collect();
    assert!(rig.addresses() == expected, "the same end state");
    rig.is_settled().await;
    rig.keeps_the_rate();
}
