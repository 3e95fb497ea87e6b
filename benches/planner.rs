//! How fast a plan is made, beside the load of the same listings in the same run. Run with
//! `cargo bench --bench planner`; a number behind `--` sets how many listings, a second one in how many feeds.
#![allow(clippy::print_stdout, reason = "a bench is there to print")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use feedwall::clock::Clock;
use feedwall::config::Config;
use feedwall::fetch::Validators;
use feedwall::ledger::{GoodBody, Ledger, NewCall, Outcome, Settlement};
use feedwall::model::{FeedTerms, Indicator, List, Mode, Name, OnDelist, UnixTime};
use feedwall::parse::Record;
use feedwall::plan::{Batch, LeftOut, Plan};
use feedwall::stage::Context;
use feedwall::stage::memory::Memory;
use feedwall::stage::replan::{self, GuardMaterial, Heard};
use tokio::time::Instant;

const NOW: i64 = 1_800_000_000;
/// Plans of each kind in one run.
const ROUNDS: u32 = 7;

type Fault = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Fault> {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok());
    let count: usize = numbers.next().unwrap_or(1_000_000);
    let feeds: usize = numbers.next().unwrap_or(10);
    let dir = tempfile::tempdir()?;
    let mut scene = Scene::new(dir.path(), count, feeds).await?;
    println!("{count} IPv4 listings in {feeds} feeds, quota 20,000");
    let load = scene.load().await?;
    say("cold load", load);
    let before = memory("VmRSS:");
    forget_peak();
    let (first, plan) = scene.plan().await?;
    say("first plan", first);
    println!(
        "{:<58} {:>12}",
        "  memory above the start",
        mib(memory("VmHWM:").saturating_sub(before))
    );
    println!(
        "{:<58} {:>12}",
        "  memory kept for the next",
        mib(memory("VmRSS:").saturating_sub(before))
    );
    println!(
        "{:<58} {:>12}",
        "  left out for want of a place",
        plan.left_out.get(&LeftOut::Quota).copied().unwrap_or(0)
    );
    let (planned, least) = calls(&plan);
    scene.apply(&plan).await?;
    let (same, _) = scene.plan().await?;
    say("plan after the calls, all feeds as they were", same);
    let nothing = scene.nothing_changed().await?;
    say("plan with nothing changed, median", median(&nothing));
    let (one, spread) = scene.one_percent().await?;
    say("plan after 1 % changed in one feed, median", median(&one));
    say(
        "plan after 1 % changed in every feed, median",
        median(&spread),
    );
    println!("peak memory of this process {:>42}", mib(memory("VmHWM:")));
    println!(
        "first plan / cold load       (≤ 0.33):   {:.2}",
        first.as_secs_f64() / load.as_secs_f64()
    );
    println!(
        "1 % in every feed            (≤ 150 ms): {:.1?}",
        median(&spread)
    );
    println!(
        "nothing changed, empty       (≤ 5 ms):   {:.2?}",
        median(&nothing)
    );
    println!("calls planned / least        (1.00):     {planned} / {least}");
    scene.ctx.ledger.close().await;
    Ok(())
}

struct Scene {
    ctx: Context,
    config: Config,
    guards: GuardMaterial,
    memory: Memory,
    feeds: Vec<(Name, Vec<u32>)>,
    round: u8,
}

impl Scene {
    async fn new(dir: &Path, count: usize, feeds: usize) -> Result<Self, Fault> {
        let clock = Clock::held(UnixTime::from_seconds(NOW));
        let ledger = Arc::new(Ledger::open(&dir.join("ledger.db")).await?);
        let mut random = fastrand::Rng::with_seed(7);
        let bodies = (0..feeds).map(|feed| {
            let name = Name::try_new(&format!("feed-{feed}"))?;
            Ok((name, body(count / feeds, &mut random)))
        });
        let bodies = bodies.collect::<Result<Vec<_>, Fault>>()?;
        let text = "[guard]\nallow = [\"45.155.205.7\", \"45.0.0.0/16\"]\n
            [[feed]]\nname = \"none\"\nurl = \"https://feeds.badhost.com/none.txt\"\n
            [[firewall]]\nname = \"prod\"\nquota = 20000\ncredentials = { env = \"BENCH\" }\n";
        let config = Config::parse(text, "bench.toml").map_err(|fault| fault.to_string())?;
        let guards = GuardMaterial::read(&config)?;
        for firewall in &config.firewalls {
            ledger.configure_firewalls([&firewall.name]).await?;
        }
        let terms: Vec<FeedTerms> = (0..feeds).map(terms).collect();
        let known = bodies
            .iter()
            .zip(&terms)
            .map(|((name, _), terms)| (name, terms, String::new()));
        ledger.configure_feeds(known).await?;
        Ok(Self {
            ctx: Context { ledger, clock },
            config,
            guards,
            memory: Memory::default(),
            feeds: bodies,
            round: 0,
        })
    }

    /// Records every feed's body; how long that took.
    async fn load(&mut self) -> Result<Duration, Fault> {
        let begun = Instant::now();
        for feed in 0..self.feeds.len() {
            self.record(feed).await?;
        }
        Ok(begun.elapsed())
    }

    async fn record(&mut self, feed: usize) -> Result<(), Fault> {
        self.round = self.round.wrapping_add(1);
        let (name, body) = self.feeds.get(feed).ok_or("no such feed")?;
        let row = self.ctx.ledger.feed(name).await?.ok_or("no such feed")?;
        let good = GoodBody {
            recipe: String::new(),
            validators: Validators::default(),
            sha256: [self.round; 32],
            rejected: 0,
            next_poll: UnixTime::from_seconds(NOW + 3600),
        };
        let records = body.iter().copied().map(record);
        let now = self.ctx.clock.now();
        self.ctx
            .ledger
            .record_body(&row, &good, records, now)
            .await?;
        Ok(())
    }

    async fn plan(&self) -> Result<(Duration, Plan), Fault> {
        let firewall = self.config.firewalls.first().ok_or("no firewall")?;
        let begun = Instant::now();
        let heard = Heard::default();
        let plan = replan::turn(&self.ctx, &self.guards, &self.memory, firewall, &heard).await?;
        Ok((begun.elapsed(), plan))
    }

    /// Does what the sender and a cloud that takes everything do.
    async fn apply(&self, plan: &Plan) -> Result<(), Fault> {
        let ledger = &self.ctx.ledger;
        let row = ledger.firewalls().await?.pop().ok_or("no firewall")?;
        for batch in &plan.batches {
            let call = NewCall {
                firewall: row.id,
                list: batch.list,
                action: batch.action(),
                end_time: batch.end_time(),
                entries: &batch.entries(),
                trial: None,
            };
            let id = ledger.journal(&call, NOW * 1000).await?;
            let settlement = Settlement {
                verdict: "applied",
                code: None,
                message: None,
                request_id: None,
                duration_ms: 60,
                outcome: Outcome::Applied,
            };
            ledger.settle(id, &settlement, NOW * 1000 + 60).await?;
        }
        Ok(())
    }

    async fn nothing_changed(&self) -> Result<Vec<Duration>, Fault> {
        // The plan before wrote its numbers down, which is a change.
        let (_, plan) = self.plan().await?;
        if !plan.batches.is_empty() {
            return Err("something is left to send".into());
        }
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let (took, plan) = self.plan().await?;
            if !plan.batches.is_empty() {
                return Err("a plan of nothing is not empty".into());
            }
            times.push(took);
        }
        Ok(times)
    }

    /// Plans after polls that changed 1 % of one feed, and 1 % of every feed.
    async fn one_percent(&mut self) -> Result<(Vec<Duration>, Vec<Duration>), Fault> {
        let (mut one, mut spread) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            self.change(round as usize % self.feeds.len(), round)
                .await?;
            let (took, plan) = self.plan().await?;
            one.push(took);
            self.apply(&plan).await?;
            for feed in 0..self.feeds.len() {
                self.change(feed, round + ROUNDS).await?;
            }
            let (took, plan) = self.plan().await?;
            spread.push(took);
            self.apply(&plan).await?;
        }
        Ok((one, spread))
    }

    /// A poll in which half a percent is new and half a percent is gone; another half percent each round.
    async fn change(&mut self, feed: usize, round: u32) -> Result<(), Fault> {
        let (_, body) = self.feeds.get_mut(feed).ok_or("no such feed")?;
        for address in body.iter_mut().skip(round as usize * 13).step_by(200) {
            *address ^= 1 << (round % 3);
        }
        body.sort_unstable();
        body.dedup();
        self.record(feed).await
    }
}

/// The calls of a plan, and the least that could carry its entries.
fn calls(plan: &Plan) -> (usize, usize) {
    let mut groups: BTreeMap<_, usize> = BTreeMap::new();
    for batch in &plan.batches {
        let group = (batch.list, batch.class, batch.action(), batch.end_time());
        *groups.entry(group).or_default() += batch.len();
    }
    let most = plan.batches.iter().map(Batch::len).max().unwrap_or(1);
    let least = groups.values().map(|entries| entries.div_ceil(most)).sum();
    (plan.batches.len(), least)
}

/// Feeds of unlike confidence, so that there is something to choose.
fn terms(feed: usize) -> FeedTerms {
    FeedTerms {
        ttl: Duration::from_secs(7 * 86_400),
        confidence: u8::try_from(50 + feed * 5 % 50).unwrap_or(50),
        directions: None,
        list: List::Block,
        mode: Mode::Snapshot,
        on_delist: OnDelist::AgeOut,
        max_age: None,
    }
}

/// `count` distinct addresses, sorted; every tenth is one that other feeds list too.
fn body(count: usize, random: &mut fastrand::Rng) -> Vec<u32> {
    let mut body = std::collections::BTreeSet::new();
    while body.len() < count {
        let address = match random.u8(0..10) {
            0 => random.u32(0x2d00_0000..0x2d80_0000),
            _ => random.u32(0x0100_0000..0xe000_0000),
        };
        body.insert(address);
    }
    body.into_iter().collect()
}

fn record(address: u32) -> Record {
    Record {
        indicator: Indicator::from_ip(Ipv4Addr::from(address).into()),
        confidence: None,
        valid_until: None,
        dated: None,
    }
}

fn say(what: &str, time: Duration) {
    println!("{what:<58} {time:>12.3?}");
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Bytes of a line of `/proc/self/status`.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |text: &str| -> Option<u64> {
        let number = text.strip_prefix(line)?.trim().strip_suffix("kB")?;
        number.trim().parse().ok()
    };
    status.lines().find_map(of).unwrap_or(0) << 10
}

/// Begins a new peak (Linux, `proc(5)`, `clear_refs`).
fn forget_peak() {
    if let Err(fault) = std::fs::write("/proc/self/clear_refs", "5") {
        println!("the peak of memory cannot be reset: {fault}");
    }
}
