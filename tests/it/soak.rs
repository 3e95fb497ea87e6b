//! A daemon that is left running: 30 feeds that keep changing, a cloud that keeps failing, and readers of everything it
//! serves. What it holds at the end is what the feeds say, and it is no larger than it was.
//!
//! It runs for 40 s, or as long as `FEEDWALL_SOAK` says: `FEEDWALL_SOAK=1h cargo test --test it soak -- --nocapture`.
//! A minute of the feeds' world is ten seconds here: so often each feed changes, and twice as often it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use feedwall::ledger::Ledger;
use feedwall::model::UnixTime;
use feedwall::sim::{Delay, FaultSchedule, Then, When};
use tokio::time::Instant;

use crate::support::http::get;
use crate::support::process::Process;
use crate::support::rig::{MODIFY, Rig};
use crate::support::{feeds, wall};

const FEEDS: usize = 30;
/// Addresses of a feed, and those that another takes the place of at each change.
const LISTED: usize = 200;
const CHANGED: usize = 10;
/// How often each feed changes.
const STEP: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_secs(40);
const FIREWALL: &str = "accept = [\"ipv4\"]\nquota = 20_000\nmax_delete = 1.0\nlease = \"20m\"\ngrid = \"1m\"\n\
    min_term = \"1m\"\nreconcile_interval = \"1m\"\nconfirm_after = \"2s\"";
const HTTP: &str = "[http]\nlisten = \"127.0.0.1:0\"\n";

/// How a feed's text is made and what is wrong with it from time to time.
struct World {
    chance: fastrand::Rng,
    spare: Vec<Ipv4Addr>,
    listed: Vec<Vec<Ipv4Addr>>,
    /// Feeds that are not what they should be just now.
    broken: BTreeSet<usize>,
}

/// What a look at the daemon found.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Duration,
    memory: f64,
    files: f64,
    ledger: f64,
    calls: f64,
    coverage: f64,
}

impl World {
    fn new() -> Self {
        let mut all = feeds::addresses(77, FEEDS * LISTED + 4_000);
        let mut chance = fastrand::Rng::with_seed(78);
        chance.shuffle(&mut all);
        let spare = all.split_off(FEEDS * LISTED);
        Self {
            chance,
            spare,
            listed: all.chunks(LISTED).map(<[Ipv4Addr]>::to_vec).collect(),
            broken: BTreeSet::new(),
        }
    }

    /// The feed changes: some addresses leave, others come; one in twelve times it is a web page, or empty instead.
    fn change(&mut self, rig: &Rig, feed: usize) {
        let listed = &mut self.listed[feed];
        for _ in 0..CHANGED {
            let (out, next) = (
                self.chance.usize(..LISTED),
                self.chance.usize(..self.spare.len()),
            );
            std::mem::swap(&mut listed[out], &mut self.spare[next]);
        }
        let text = match self.chance.u8(..24) {
            0 => "<!doctype html><html><body>Sign in to continue</body></html>\n".to_owned(),
            1 => String::new(),
            _ => feeds::lines(&*listed),
        };
        if text.starts_with('#') {
            self.broken.remove(&feed);
        } else {
            self.broken.insert(feed);
        }
        rig.write(&format!("feed-{feed}.txt"), &text);
    }

    /// Every feed as it should be.
    fn mend(&mut self, rig: &Rig) {
        for feed in std::mem::take(&mut self.broken) {
            rig.write(
                &format!("feed-{feed}.txt"),
                &feeds::lines(&self.listed[feed]),
            );
        }
    }

    fn all(&self) -> BTreeSet<Ipv4Addr> {
        self.listed.iter().flatten().copied().collect()
    }
}

/// A cloud as it is on a bad day, all day.
fn bad_day() -> FaultSchedule {
    let writes = || When::default().action(MODIFY);
    let every = |nth: u64| When {
        every: Some(nth),
        ..writes()
    };
    let error = |code: &str, applied| Then::Error {
        code: code.to_owned(),
        message: None,
        applied,
    };
    let far = Delay {
        ms: 20,
        jitter_ms: 40,
    };
    FaultSchedule::default()
        .and(When::default(), Then::Latency(far))
        .and(every(23), error("InternalError", false))
        .and(every(31), error("InternalError", true))
        .and(every(41), Then::LoseAnswer)
        .and(every(53), Then::Reset)
        .and(every(61), error("RequestLimitExceeded", false))
        .and(every(83), Then::Garbage)
}

fn length() -> Duration {
    let Ok(written) = std::env::var("FEEDWALL_SOAK") else {
        return SHORT;
    };
    let (number, unit) = written.split_at(written.len() - 1);
    let number: u64 = number
        .parse()
        .expect("FEEDWALL_SOAK is a number and s, m or h");
    Duration::from_secs(match unit {
        "s" => number,
        "m" => number * 60,
        "h" => number * 3600,
        _ => panic!("FEEDWALL_SOAK is a number and s, m or h"),
    })
}

async fn look(at: SocketAddr, begun: Instant) -> Look {
    let text = get(at, "/metrics").await.is(200).body;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |rest| rest.trim().parse().unwrap())
    };
    let calls = text
        .lines()
        .filter(|line| line.starts_with("feedwall_calls_total{"));
    Look {
        at: begun.elapsed(),
        memory: value("process_resident_memory_bytes ") / 1e6,
        files: value("process_open_fds "),
        ledger: value("feedwall_ledger_size_bytes ") / 1e6,
        calls: calls
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
            .sum(),
        coverage: value("feedwall_coverage_ratio{firewall=\"prod\"} "),
    }
}

fn config(rig: &Rig) {
    let mut text = String::from(HTTP);
    for feed in 0..FEEDS {
        let delist = if feed % 3 == 0 { "age_out" } else { "withdraw" };
        let keys = format!(
            "direction = \"in\"\ninterval = \"5s\"\nttl = \"10m\"\nmin_entries = 10\non_delist = \"{delist}\""
        );
        text += &rig.feed(&format!("feed-{feed}"), &keys);
    }
    rig.config(&text, FIREWALL);
}

async fn address(daemon: &Process) -> SocketAddr {
    let words = "the dashboard at http://";
    daemon.says(words, 1, Duration::from_secs(60)).await;
    let said = daemon.said();
    said.split(words)
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

/// The middle of what `value` gives of these looks.
fn median(looks: &[Look], value: fn(&Look) -> f64) -> f64 {
    let mut values: Vec<f64> = looks.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn left_alone_it_neither_grows_nor_forgets() {
    let length = length();
    let rig = Rig::new().await;
    let mut world = World::new();
    for feed in 0..FEEDS {
        rig.write(
            &format!("feed-{feed}.txt"),
            &feeds::lines(&world.listed[feed]),
        );
    }
    config(&rig);
    let daemon = rig.start(&["run"]);
    let at = address(&daemon).await;
    rig.sim.set_faults(bad_day());
    let begun = Instant::now();
    let mut looks = Vec::new();
    let (mut next_look, mut turn, mut unhealthy) = (Duration::ZERO, 0usize, 0);
    let every = (length / 60).max(Duration::from_secs(1));
    while begun.elapsed() < length {
        world.change(&rig, turn % FEEDS);
        turn += 1;
        if begun.elapsed() >= next_look {
            next_look += every;
            let seen = look(at, begun).await;
            println!(
                "{:>6.0} s  memory {:.1} MB  files {}  ledger {:.1} MB  calls {}  coverage {:.4}",
                seen.at.as_secs_f64(),
                seen.memory,
                seen.files,
                seen.ledger,
                seen.calls,
                seen.coverage
            );
            looks.push(seen);
            unhealthy += usize::from(get(at, "/healthz").await.status != 200);
            get(at, "/api/status").await.is(200);
            get(at, "/api/history?hours=24").await.is(200);
            get(at, &format!("/api/explain?ioc={}", world.listed[0][0]))
                .await
                .is(200);
        }
        tokio::time::sleep(STEP / u32::try_from(FEEDS).unwrap()).await;
    }
    world.mend(&rig);
    rig.sim.set_faults(FaultSchedule::default());
    let calm = Instant::now();
    let deadline = calm + Duration::from_secs(180);
    loop {
        let seen = look(at, begun).await;
        let missing = world.all().difference(&rig.addresses()).count();
        if seen.coverage >= 1.0 && missing == 0 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "coverage {}, {missing} missing\n{}",
            seen.coverage,
            daemon.said()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!(
        "coverage 100 % {:.0} s after the last fault",
        calm.elapsed().as_secs_f64()
    );
    assert_eq!(unhealthy, 0, "it was healthy at every look");
    let end = look(at, begun).await;
    daemon.signal("TERM");
    let ended = daemon.end_within(Duration::from_secs(15)).await.exits(0);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    rig.keeps_the_rate();
    holds_what_is_desired(&rig).await;

    // Flat: the last quarter is as the second was, but for what an allocator keeps.
    let quarter = looks.len() / 4;
    let (early, late) = (&looks[quarter..2 * quarter], &looks[3 * quarter..]);
    let memory = [early, late].map(|part| median(part, |look| look.memory));
    let files = [early, late].map(|part| median(part, |look| look.files));
    println!(
        "memory {memory:.1?} MB, files {files:.0?}, ledger {:.1} MB after {} calls",
        end.ledger, end.calls
    );
    assert!(
        memory[1] < memory[0] * 1.25 + 8.0,
        "memory grew: {memory:?} MB"
    );
    assert!(files[1] <= files[0] + 8.0, "files stay open: {files:?}");
    // Its write-ahead log, what lives, and two kilobytes a call of the journal.
    assert!(
        end.ledger < 90.0 + end.calls * 0.002,
        "the ledger holds {} MB",
        end.ledger
    );
    swept_it_holds_what_lives(&rig).await;
}

/// The cloud's list is what the plan wants, to the last entry.
async fn holds_what_is_desired(rig: &Rig) {
    let export = rig
        .start(&["export", "--format", "text"])
        .end()
        .await
        .exits(0);
    let lines = export.out.lines().filter(|line| !line.starts_with('#'));
    let wanted: BTreeSet<Ipv4Addr> = lines.map(|line| line.trim().parse().unwrap()).collect();
    let listed = rig.addresses();
    let missing = wanted.difference(&listed).count();
    assert_eq!(missing, 0, "of {} desired", wanted.len());
    println!("{} desired, {} on the list", wanted.len(), listed.len());
}

/// Once `keep_history` is over, the sweep leaves what lives: no journal, no dead listing, and no more with time.
async fn swept_it_holds_what_lives(rig: &Rig) {
    let ledger = Ledger::open(&rig.ledger_path()).await.unwrap();
    let later = i64::try_from(wall().as_secs()).unwrap() + 2 * 3600;
    let keep = Duration::from_secs(3600);
    let swept = ledger
        .sweep(UnixTime::from_seconds(later), keep)
        .await
        .unwrap();
    assert!(swept.calls > 0 && swept.listings > 0, "{swept:?}");
    assert!(ledger.calls(false, 10).await.unwrap().is_empty());
    let mut counts = BTreeMap::new();
    for feed in ledger.feeds().await.unwrap() {
        let classes = ledger.class_counts(feed.id).await.unwrap();
        counts.insert(feed.name.to_string(), classes);
    }
    let listed: u64 = ledger
        .feeds()
        .await
        .unwrap()
        .iter()
        .map(|feed| feed.listed)
        .sum();
    assert_eq!(listed, (FEEDS * LISTED) as u64, "{counts:?}");
    ledger.close().await;
    println!(
        "a sweep after keep_history takes {} calls and {} dead listings",
        swept.calls, swept.listings
    );
}
