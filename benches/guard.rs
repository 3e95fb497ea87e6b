//! How fast the guards judge, beside a plain hash set of the same addresses. Run with `cargo bench --bench guard`.
#![allow(clippy::print_stdout, reason = "a bench is there to print")]

use std::collections::HashSet;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use feedwall::guard::{GuardFaults, GuardSet, Guards, Judgement, Matching, Material, SetKind};
use feedwall::model::{DomainName, Indicator, Name};
use feedwall::parse::MinPrefix;
use tokio::time::Instant;

const JUDGED: usize = 1_000_000;
const GUARDED: usize = 70_000;
const RUNS: usize = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut random = fastrand::Rng::with_seed(7);
    let guarded: Vec<Indicator> = (0..GUARDED).map(|_| address(&mut random)).collect();
    let judged: Vec<Indicator> = (0..JUDGED).map(|_| address(&mut random)).collect();
    let guards = guards_of(guarded.clone())?;
    measure("build guards of 70 k addresses", || {
        guards_of(guarded.clone())
    });
    let ours = measure("judge 1 M IPv4 addresses, 70 k guards", || {
        count(&guards, &judged)
    });
    measure("covers, the same", || {
        judged.iter().filter(|one| guards.covers(one)).count()
    });
    let set: HashSet<&Indicator> = guarded.iter().collect();
    let plain = measure("std HashSet<&Indicator>, the same, exact only", || {
        judged.iter().filter(|one| !set.contains(one)).count()
    });
    println!(
        "judge / HashSet: {:.2}",
        ours.as_secs_f64() / plain.as_secs_f64()
    );

    let mut sorted = judged.clone();
    sorted.sort_unstable();
    measure("judge the same, sorted", || count(&guards, &sorted));
    let networks: Vec<Indicator> = judged.iter().filter_map(slash_24).collect();
    measure("judge 1 M networks of /24, 70 k guards", || {
        count(&guards, &networks)
    });

    let names: Vec<Indicator> = (0..GUARDED).filter_map(|_| domain(&mut random)).collect();
    let judged: Vec<Indicator> = (0..JUDGED).filter_map(|_| domain(&mut random)).collect();
    let guards = guards_of(names)?;
    measure("judge 1 M domains, 70 k guards", || count(&guards, &judged));
    measure("covers, the same", || {
        judged.iter().filter(|one| guards.covers(one)).count()
    });
    Ok(())
}

fn guards_of(entries: Vec<Indicator>) -> Result<Guards, GuardFaults> {
    let name = Name::try_new("public-dns");
    let set = name.map(|name| GuardSet {
        name,
        kind: SetKind::List,
        matching: Matching::Subdomains,
        entries,
    });
    Guards::try_new(Material {
        min_prefix: MinPrefix { v4: 8, v6: 16 },
        allow: Vec::new(),
        files: Vec::new(),
        by_hand: Vec::new(),
        sets: set.into_iter().collect(),
        own_ground: Vec::new(),
    })
}

fn count(guards: &Guards, indicators: &[Indicator]) -> usize {
    let cleared = |one: &&Indicator| matches!(guards.judge(one), Judgement::Cleared(_));
    indicators.iter().filter(cleared).count()
}

fn address(random: &mut fastrand::Rng) -> Indicator {
    Indicator::from_ip(Ipv4Addr::from_bits(random.u32(..)).into())
}

fn slash_24(address: &Indicator) -> Option<Indicator> {
    let ipnet::IpNet::V4(four) = address.net()? else {
        return None;
    };
    let net = ipnet::Ipv4Net::new(four.addr(), 24).ok()?;
    Some(Indicator::from_net(net.into()))
}

fn domain(random: &mut fastrand::Rng) -> Option<Indicator> {
    let ending = random.choice(["com", "net", "co.uk", "de", "top", "github.io"])?;
    let name: String = (0..random.usize(5..20))
        .map(|_| random.lowercase())
        .collect();
    let text = match random.bool() {
        true => format!("www.{name}.{ending}"),
        false => format!("{name}.{ending}"),
    };
    DomainName::try_new(&text).ok().map(Indicator::Domain)
}

/// Runs `work` a few times and prints the median.
fn measure<T>(what: &str, work: impl Fn() -> T) -> Duration {
    let mut spent: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .collect();
    spent.sort_unstable();
    let median = spent.get(RUNS / 2).copied().unwrap_or_default();
    println!("{what:<48} {:>9.2} ms", median.as_secs_f64() * 1e3);
    median
}
