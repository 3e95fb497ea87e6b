//! How fast the sender sends, as the cloud sees it: the real program and the simulated cloud, each a process of its own.
//! Run with `cargo bench --bench sender`; a number behind `--` sets the seconds of a run (60), and words pick its rows.
//!
//! What DESIGN §5 promises is asserted: a bench that ends well has kept it.
#![allow(clippy::print_stdout, reason = "a bench is there to print")]
#![allow(
    clippy::disallowed_methods,
    reason = "it drives processes, and waits for them in the world's own time"
)]

#[path = "sender/rig.rs"]
mod rig;

use std::time::Duration;

use rig::{Fault, Rig};

/// Calls that may arrive in any sliding second.
const MOST: usize = 20;

/// Entries in a call of the timed runs: few, so that a minute's worth of calls is soon planned.
const BATCH: usize = 10;

/// What is asserted of a row besides [`MOST`].
type Floor = Option<f64>;

const LOOPBACK: Floor = Some(19.5);
const DISTANT: Floor = Some(17.5);

/// A distant data centre over an uneven network.
const FAR: &str = "[[rule]]\nthen = { latency = { ms = 60, jitter_ms = 100 } }\n";

fn main() -> Result<(), Fault> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let seconds = words.iter().find_map(|word| word.parse().ok());
    let picked: Vec<&String> = words
        .iter()
        .filter(|word| word.parse::<u64>().is_err())
        .collect();
    let is_picked =
        |name: &str| picked.is_empty() || picked.iter().any(|word| name.contains(*word));
    let mut failed = Vec::new();
    let run = Duration::from_secs(seconds.unwrap_or(60));
    println!("runs of {run:?}, {BATCH} entries a call");
    println!(
        "{:<52} {:>8} {:>7} {:>18}",
        "", "calls/s", "budget", "most in any second"
    );
    for (name, faults, floor, kills) in rows() {
        if is_picked(&name) {
            failed.extend(timed(&name, &faults, floor, kills, run)?);
        }
    }
    for (name, faults, budget) in [
        ("calls used against the least possible, calm", "", Some(1.0)),
        (
            "calls used against the least possible, 10 % 5xx",
            "[[rule]]\nwhen = { probability = 0.1 }\nthen = { http = { status = 503 } }\n",
            None,
        ),
    ] {
        if is_picked(name) {
            failed.extend(counted(name, faults, budget)?);
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(format!("over budget: {}", failed.join("; ")).into()),
    }
}

/// Name, faults, floor, and whether the sender is killed again and again.
fn rows() -> Vec<(String, String, Floor, bool)> {
    let mut rows = Vec::new();
    for (way, delay, floor) in [
        ("loopback", "", LOOPBACK),
        ("60 ms + 0-100 ms", FAR, DISTANT),
    ] {
        rows.push((way.to_owned(), delay.to_owned(), floor, false));
        for percent in [1, 10, 50] {
            let chance = f64::from(percent) / 100.0;
            let rule = format!(
                "{delay}[[rule]]\nwhen = {{ probability = {chance} }}\nthen = {{ http = {{ status = 503 }} }}\n"
            );
            rows.push((format!("{way}, {percent} % quick 5xx"), rule, floor, false));
        }
    }
    let rate_error = "[[rule]]\nwhen = { probability = 0.01 }\nthen = { error = { code = \"RequestLimitExceeded\" } }\n";
    let lost = "[[rule]]\nwhen = { probability = 0.02 }\nthen = \"lose_answer\"\n";
    for (name, faults, kills) in [
        ("rate errors, 1 %", format!("{FAR}{rate_error}"), false),
        ("lost answers, 2 %", format!("{FAR}{lost}"), false),
        ("killed every few seconds", FAR.to_owned(), true),
        (
            "killed, rate errors and lost answers",
            format!("{FAR}{rate_error}{lost}"),
            true,
        ),
    ] {
        rows.push((format!("60 ms + 0-100 ms, {name}"), faults, None, kills));
    }
    rows
}

/// Sends for `run`, and prints how fast. Gives what was not kept.
fn timed(
    name: &str,
    faults: &str,
    floor: Floor,
    kills: bool,
    run: Duration,
) -> Result<Option<String>, Fault> {
    // More than can be sent, so that there is work to the end.
    let calls = 20 * (usize::try_from(run.as_secs())? + 15);
    let rig = Rig::new(faults, BATCH)?;
    rig.write("addresses.txt", &rig::addresses(0..calls * BATCH))?;
    let arrivals = if kills {
        rig.send_with_kills(run)?
    } else {
        rig.send_for(run)?
    };
    let speed = speed(&arrivals, run);
    let most = most_in_any_second(&arrivals);
    let budget = floor.map_or(String::new(), |floor| format!("≥ {floor}"));
    println!("{name:<52} {speed:>8.2} {budget:>7} {most:>18}");
    let slow = floor.is_some_and(|floor| speed < floor);
    Ok((slow || most > MOST).then(|| format!("{name} ({speed:.2} calls/s, {most} in a second)")))
}

/// Fills the list and changes it, and prints how many calls that took.
fn counted(name: &str, faults: &str, budget: Option<f64>) -> Result<Option<String>, Fault> {
    let rig = Rig::new(faults, 100)?;
    // Both directions of 4,050 addresses fill 81 calls, and 2,050 domains 21.
    rig.write("addresses.txt", &rig::addresses(0..4_050))?;
    rig.write("domains.txt", &rig::domains(0..2_050))?;
    rig.once()?;
    // 550 addresses go with 11 calls, 730 come with 15; 199 domains come with 2.
    rig.write("addresses.txt", &rig::addresses(550..4_780))?;
    rig.write("domains.txt", &rig::domains(0..2_249))?;
    rig.once()?;
    let least = 81.0 + 21.0 + 11.0 + 15.0 + 2.0;
    let used = rig.arrivals()?.len();
    #[expect(clippy::cast_precision_loss, reason = "some hundred calls")]
    let ratio = used as f64 / least;
    let asked = budget.map_or(String::new(), |budget| format!("{budget:.2}"));
    println!("{name:<52} {ratio:>8.3} {asked:>7} {used:>12} calls");
    let over = budget.is_some_and(|budget| ratio > budget);
    Ok(over.then(|| format!("{name} ({ratio:.3})")))
}

/// Calls a second from the first arrival on, for as long as the run was.
fn speed(arrivals: &[Duration], run: Duration) -> f64 {
    let Some(first) = arrivals.first() else {
        return 0.0;
    };
    let calls = arrivals.iter().take_while(|at| **at < *first + run).count();
    #[expect(clippy::cast_precision_loss, reason = "some thousand calls")]
    let calls = calls as f64;
    calls / run.as_secs_f64()
}

/// By the plain definition: a call exactly one second after another is not in the same one.
fn most_in_any_second(arrivals: &[Duration]) -> usize {
    let second = Duration::from_secs(1);
    let within = |end: &Duration| {
        let same = |at: &&Duration| **at <= *end && *end - **at < second;
        arrivals.iter().filter(same).count()
    };
    arrivals.iter().map(within).max().unwrap_or(0)
}
