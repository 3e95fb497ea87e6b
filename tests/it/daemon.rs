//! The rate bound over two loads of twenty seconds each, as the cloud's own log has it.

use std::time::Duration;

use feedwall::sim::{Delay, FaultSchedule, Then, When};

use crate::support::rig::{MODIFY, Rig};
use crate::support::{feeds, until};

/// One load: 400 calls of two entries.
const LOAD: usize = 800;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_than_twenty_calls_in_any_second_of_two_long_loads() {
    let rig = Rig::new().await;
    rig.config(
        &rig.feed("f", "direction = \"in\"\ninterval = \"1s\"\nttl = \"1h\""),
        "accept = [\"ipv4\"]\nquota = 20_000\nbatch = 2",
    );
    let all = feeds::addresses(3, 2 * LOAD);
    rig.write("f.txt", &feeds::lines(&all[..LOAD]));
    let daemon = rig.start(&["run"]);
    let patience = Duration::from_secs(60);
    let first = || rig.sim.entry_count(1) == LOAD;
    until("the first load", patience, first, || daemon.said()).await;
    let quiet = pace(&rig, 0);

    // The same on a network that bunches what was sent apart.
    let jitter = Then::Latency(Delay {
        ms: 0,
        jitter_ms: 100,
    });
    rig.sim
        .set_faults(FaultSchedule::default().and(When::default(), jitter));
    rig.write("f.txt", &feeds::lines(&all));
    let second = || rig.sim.entry_count(1) == 2 * LOAD;
    until("the second load", patience, second, || daemon.said()).await;
    let shaken = pace(&rig, LOAD / 2);
    rig.keeps_the_rate();
    assert_eq!(rig.carried_out("add"), (LOAD, 2 * LOAD), "no call twice");
    println!("{quiet:.2} calls/s on a quiet network, {shaken:.2} with 0 to 100 ms of jitter");
}

/// Calls a second from the call behind so many to the last one.
fn pace(rig: &Rig, behind: usize) -> f64 {
    let calls = rig.sim.calls();
    let mut at = calls
        .iter()
        .filter(|call| call.action == MODIFY)
        .skip(behind);
    let first = at.next().unwrap().at_us;
    let (count, last) = at.fold((0u32, first), |(count, last), call| {
        (count + 1, last.max(call.at_us))
    });
    f64::from(count) / Duration::from_micros(last - first).as_secs_f64()
}
