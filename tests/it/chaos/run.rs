//! A run from start to end: the storm, the calm, and the release of what was quarantined.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use feedwall::sim::{Foreign, Site};
use tokio::time::{Instant, sleep, sleep_until};

use super::case::{Case, Event, STAY, STORM};
use super::proof::{self, Wanted};
use crate::cloudside::addresses;
use crate::support::process::Process;
use crate::support::rig::Rig;
use crate::support::wall;

/// The longest that the list may take to become right after the storm.
const PATIENCE: Duration = Duration::from_secs(100);

/// How long it must then stay so.
const STEADY: Duration = Duration::from_secs(3);

/// Runs a case; says how long the calm lasted until all was right, or what was not.
pub async fn run(case: Case) -> Result<Duration, String> {
    let rig = rig(&case).await;
    let (mut daemon, listed) = storm(&case, &rig).await?;
    if let Some(daemon) = daemon.take() {
        kill(&case, daemon)?;
    }
    rig.sim.set_faults(case.schedule(false));
    let mut daemon = rig.start(&["-v", "run"]);
    let mut wanted = Wanted::new(&case, listed);
    let took = becomes(&case, &rig, &mut daemon, &wanted).await?;
    // What the cloud refused for a while only is not lost: somebody lets it go again.
    let released = rig.start(&["quarantine", "release"]).end().await;
    if released.code != Some(0) {
        return Err(format!("{released:?}\n{case:#?}"));
    }
    wanted.passing.clear();
    becomes(&case, &rig, &mut daemon, &wanted).await?;
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(15)).await;
    proof::nothing_foreign_was_touched(&case, &rig)?;
    proof::nothing_was_added_needlessly(&case, &rig, &wanted).await?;
    let most = rig.sim.max_in_any_second();
    if most > 20 {
        return Err(format!("{most} calls in one second\n{case:#?}"));
    }
    Ok(took)
}

/// The cloud, the folder, the config, and what others hold.
async fn rig(case: &Case) -> Rig {
    let rig = Rig::with(|cloud| case.cloud(cloud)).await;
    rig.sim.set_skew(case.skew);
    let feed = rig.feed(
        "feed",
        "interval = \"1s\"\nttl = \"1d\"\ndirection = \"in\"\non_delist = \"withdraw\"\n\
         max_shrink = 1.0\nmax_growth = 1000000.0\nmin_entries = 0\nmay_be_empty = true",
    );
    let site = match case.site {
        Site::China => "china",
        Site::International => "international",
    };
    let mut firewall = String::new();
    write!(
        firewall,
        "site = \"{site}\"\nquota = 5000\naccept = [\"ipv4\", \"domain\"]\nbatch = {}\nmax_delete = 1.0\n\
         lease = \"{}\"\ngrid = \"2s\"\nmin_term = \"2s\"\nconfirm_after = \"2s\"\nreconcile_interval = \"5s\"",
        case.batch, case.lease
    )
    .unwrap();
    rig.config(&feed, &firewall);
    let all = addresses(0..case.listed);
    let held: Vec<String> = case.foreign.iter().map(|one| all[*one].clone()).collect();
    rig.sim.seed_foreign(&others(&held, None)).unwrap();
    // What no reading can show yet, nobody can leave alone.
    sleep(case.visible_after).await;
    rig.sim.set_faults(case.schedule(true));
    rig
}

/// Everything that goes wrong and changes. Gives the daemon and what the feed lists in the end.
async fn storm(case: &Case, rig: &Rig) -> Result<(Option<Process>, BTreeSet<String>), String> {
    let all = addresses(0..4_000);
    let names = case.names();
    let (mut first, mut next) = (STAY, case.listed);
    let lines = |first: u32, next: u32| {
        let stay = &all[..STAY as usize];
        [stay, &all[first as usize..next as usize], &names].concat()
    };
    let publish = |lines: &[String]| rig.write("feed.txt", &(lines.join("\n") + "\n"));
    publish(&lines(first, next));
    let begun = Instant::now();
    let mut daemon = Some(rig.start(&["-v", "run"]));
    for (at, event) in &case.events {
        sleep_until(begun + *at).await;
        match event {
            Event::Kill(pause) => {
                if let Some(daemon) = daemon.take() {
                    kill(case, daemon)?;
                }
                sleep(*pause).await;
                daemon = Some(rig.start(&["-v", "run"]));
            }
            Event::Feed(leave, come) => {
                first = (first + leave).min(next - 1);
                next += come;
                publish(&lines(first, next));
            }
            Event::Foreign(count, seconds) => {
                let cloud = i64::try_from(wall().as_secs()).unwrap() + case.skew;
                let offset = u32::try_from(at.as_millis()).unwrap() % 500;
                let range = proof::PASSERS_BY + offset..proof::PASSERS_BY + offset + count;
                let passers_by = others(&addresses(range), Some(cloud + seconds));
                rig.sim.seed_foreign(&passers_by).unwrap();
            }
        }
    }
    sleep_until(begun + STORM).await;
    Ok((daemon, lines(first, next).into_iter().collect()))
}

fn kill(case: &Case, mut daemon: Process) -> Result<(), String> {
    if !daemon.runs() {
        let said = daemon.said();
        return Err(format!("the daemon ended by itself\n{said}\n{case:#?}"));
    }
    daemon.kill();
    Ok(())
}

/// Waits until all is as it should be, and stays so. Gives how long that took.
async fn becomes(
    case: &Case,
    rig: &Rig,
    daemon: &mut Process,
    wanted: &Wanted,
) -> Result<Duration, String> {
    let begun = Instant::now();
    let mut right_since: Option<(Instant, usize)> = None;
    let mut wrong = String::new();
    loop {
        let now = proof::look(case, rig, wanted).await;
        let moves = moves(rig);
        match (now, right_since) {
            (Err(why), _) => {
                wrong = why;
                right_since = None;
            }
            (Ok(()), Some((since, before))) if before == moves => {
                if since.elapsed() >= STEADY {
                    return Ok(begun.elapsed() - STEADY);
                }
            }
            (Ok(()), _) => right_since = Some((Instant::now(), moves)),
        }
        if begun.elapsed() > PATIENCE || !daemon.runs() {
            let said = daemon.said();
            let tail: Vec<&str> = said.lines().rev().take(60).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            return Err(format!(
                "not right after {:.0?}: {wrong}\n{case:#?}\n{}",
                begun.elapsed(),
                tail.join("\n")
            ));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Calls that put on or take off; renewals go on as long as the daemon does.
fn moves(rig: &Rig) -> usize {
    let writes = rig.writes();
    writes
        .iter()
        .filter(|call| call.ioc_action != "edit")
        .count()
}

fn others(iocs: &[String], end: Option<i64>) -> Vec<Foreign> {
    iocs.iter()
        .map(|ioc| Foreign {
            rule_type: 1,
            ioc: ioc.clone(),
            direction: 1,
            end_unix: end,
            source: None,
        })
        .collect()
}
