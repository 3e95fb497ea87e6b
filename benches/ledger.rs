//! How fast the ledger records, beside a prepared per-row loop of rusqlite over the same schema and the same
//! SQLite library. Run with `cargo bench --bench ledger`; a number behind `--` sets how many listings.
#![allow(clippy::print_stdout, reason = "a bench is there to print")]

use std::error::Error;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use feedwall::fetch::Validators;
use feedwall::ledger::{
    Delta, FeedRow, FeedState, GoodBody, Ledger, NewCall, Outcome, PollOutcome, Settlement,
};
use feedwall::model::{
    Action, Direction, Entry, FeedTerms, Indicator, List, Mode, Name, OnDelist, UnixTime,
};
use feedwall::parse::Record;
use tokio::time::Instant;

const NOW: i64 = 1_800_000_000;
/// Polls of one ledger in one run.
const ROUNDS: u8 = 5;
/// Rows in one transaction of the yardstick: as many as the ledger puts into one of its own.
const CHUNK: usize = 5_000;

type Fault = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Fault> {
    let count = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(1_000_000);
    let runs = 3;
    let body = body(count, 7);
    println!("{count} IPv4 listings, {runs} runs of {ROUNDS} polls, medians");
    let dir = tempfile::tempdir()?;
    let mut times = Times::default();
    for run in 0..runs {
        let dir = dir.path().join(run.to_string());
        std::fs::create_dir(&dir)?;
        one_run(&dir, &body, &mut times).await?;
    }
    times.note("peak memory of this process", mib(memory("VmHWM:")));
    times.print(count);
    Ok(())
}

/// What was measured, a value a run.
#[derive(Default)]
struct Times {
    rows: Vec<(&'static str, Vec<Duration>)>,
    /// Beside what, how long that took, the median and the longest settle.
    settles: Vec<(&'static str, Duration, Duration, Duration)>,
    notes: Vec<(&'static str, String)>,
    /// Listings in the ledger after the polls.
    listings: usize,
}

impl Times {
    fn put(&mut self, what: &'static str, time: Duration) {
        match self.rows.iter_mut().find(|row| row.0 == what) {
            Some(row) => row.1.push(time),
            None => self.rows.push((what, vec![time])),
        }
    }

    fn note(&mut self, what: &'static str, text: String) {
        self.notes.retain(|note| note.0 != what);
        self.notes.push((what, text));
    }

    fn median(&self, what: &str) -> Duration {
        self.rows
            .iter()
            .find(|row| row.0 == what)
            .map_or(Duration::ZERO, |row| median(&row.1))
    }

    fn print(&self, count: usize) {
        for (what, times) in &self.rows {
            println!("{what:<58} {:>12.3?}", median(times));
        }
        for (what, text) in &self.notes {
            println!("{what:<58} {text:>12}");
        }
        println!(
            "settles of 1,000 leases beside …             took      median     longest (≤ 60 ms)"
        );
        for (what, took, median, longest) in &self.settles {
            println!("    {what:<36} {took:>9.2?} {median:>9.1?} {longest:>9.1?}");
        }
        let ratio = |ours: &str, theirs: &str| {
            self.median(ours).as_secs_f64() / self.median(theirs).as_secs_f64()
        };
        println!(
            "cold load / prepared loop   (≤ 1):     {:.2}",
            ratio(COLD, LOOP)
        );
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let rate = count as f64 / self.median(COLD).as_secs_f64();
        println!("cold load, rows a second    (≥ 250 k): {:.0} k", rate / 1e3);
        println!(
            "1 % poll / full re-upsert   (≤ 0.15):  {:.3}",
            ratio(POLL, UPSERT)
        );
    }
}

const LOOP: &str = "rusqlite, prepared, insert a row";
const UPSERT: &str = "rusqlite, prepared, upsert a row";
const COLD: &str = "cold load";
const POLL: &str = "poll, 1 % new and 1 % gone";
const SAME: &str = "poll, same indicators, another body";
const GOOD: &str = "poll, 304 or the same body";
const READ: &str = "read every listing for a plan";
const OPEN: &str = "open";
const SETTLE: &str = "settle of 1,000 leases, nothing else running";
const SWEEP: &str = "sweep with nothing due (≤ 1 ms)";

async fn one_run(dir: &Path, body: &[u32], times: &mut Times) -> Result<(), Fault> {
    let mut yardstick = Yardstick::new(&dir.join("loop.db")).await?;
    times.put(LOOP, yardstick.each_row(INSERT_ROW, body)?);
    let path = dir.join("ledger.db");
    let (ledger, feed) = open(&path).await?;
    let (cold, _) = record(&ledger, &feed, body, 1).await?;
    times.put(COLD, cold);
    // The first gives every row an end, as a ledger that keeps one in each row has; those after it are what a
    // poll costs such a ledger.
    yardstick.each_row(UPSERT_ROW, body)?;
    let mut body = body.to_vec();
    for round in 0..ROUNDS {
        times.put(UPSERT, yardstick.each_row(UPSERT_ROW, &body)?);
        body = one_percent_later(&body, usize::from(round));
        poll(&ledger, &body, 2 + round, times).await?;
    }
    drop(yardstick);
    let feed = again(&ledger).await?;
    let (same, _) = record(&ledger, &feed, &body, 100).await?;
    times.put(SAME, same);
    quiet(&ledger, feed.id, times).await?;
    // Closed, so that the log is folded into the file; with the 1 % that each poll left behind.
    ledger.close().await;
    let begun = Instant::now();
    let ledger = Ledger::open(&path).await?;
    times.put(OPEN, begun.elapsed());
    let listings = times.listings.max(1);
    #[expect(clippy::cast_precision_loss, reason = "a size in bytes")]
    let size = std::fs::metadata(&path)?.len() as f64 / listings as f64;
    times.note("file, MB per million listings (≤ 80)", format!("{size:.1}"));
    beside_others(ledger, &body, times).await?;
    Ok(())
}

async fn poll(ledger: &Ledger, body: &[u32], hash: u8, times: &mut Times) -> Result<(), Fault> {
    let feed = again(ledger).await?;
    let (poll, _) = record(ledger, &feed, body, hash).await?;
    times.put(POLL, poll);
    Ok(())
}

/// What costs little: a poll that brought nothing, a plan's reading, a settle with nothing else running.
async fn quiet(ledger: &Ledger, feed: i64, times: &mut Times) -> Result<(), Fault> {
    let outcome = PollOutcome {
        at: UnixTime::from_seconds(NOW + 100),
        next_poll: UnixTime::from_seconds(NOW + 200),
        state: FeedState::Good,
        trouble: None,
    };
    let begun = Instant::now();
    ledger.record_poll(feed, &outcome).await?;
    times.put(GOOD, begun.elapsed());
    let begun = Instant::now();
    let mut listings = ledger.listings(feed);
    let mut read = 0;
    loop {
        let chunk = listings.next_chunk().await?;
        if chunk.is_empty() {
            break;
        }
        read += chunk.len();
    }
    times.put(READ, begun.elapsed());
    times.listings = read;
    let firewall = firewall(ledger).await?;
    let mut alone = Vec::new();
    for round in 0..20 {
        alone.push(settle(ledger, firewall, round).await?);
    }
    times.put(SETTLE, median(&alone));
    for _ in 0..20 {
        let begun = Instant::now();
        ledger
            .sweep(
                UnixTime::from_seconds(NOW),
                Duration::from_secs(90 * 86_400),
            )
            .await?;
        times.put(SWEEP, begun.elapsed());
    }
    Ok(())
}

/// The prepared loop of rusqlite over the ledger's own schema, as many rows a transaction as the ledger takes.
struct Yardstick {
    raw: rusqlite::Connection,
    feed: i64,
}

const INSERT_ROW: &str =
    "INSERT INTO listings (feed_id, key, first_listed, expires_at) VALUES (?1, ?2, ?3, NULL)";
const UPSERT_ROW: &str =
    "INSERT INTO listings (feed_id, key, first_listed, expires_at) VALUES (?1, ?2, ?3, NULL)
     ON CONFLICT (feed_id, key) DO UPDATE SET expires_at = coalesce(expires_at, ?3) + 3600";

impl Yardstick {
    async fn new(path: &Path) -> Result<Self, Fault> {
        let (ledger, feed) = open(path).await?;
        ledger.close().await;
        let raw = rusqlite::Connection::open(path)?;
        raw.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;
             PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 2000;",
        )?;
        Ok(Self { raw, feed: feed.id })
    }

    fn each_row(&mut self, sql: &str, body: &[u32]) -> Result<Duration, Fault> {
        let begun = Instant::now();
        for chunk in body.chunks(CHUNK) {
            let tx = self.raw.transaction()?;
            let mut statement = tx.prepare(sql)?;
            for address in chunk {
                statement.execute((self.feed, indicator(*address).key(), NOW))?;
            }
            drop(statement);
            tx.commit()?;
        }
        Ok(begun.elapsed())
    }
}

/// Settles while another feed of the same size is loaded, while a copy is made, and while that feed is
/// withdrawn and swept.
async fn beside_others(ledger: Ledger, body: &[u32], times: &mut Times) -> Result<(), Fault> {
    let name = Name::try_new("second")?;
    let terms = terms();
    let first = Name::try_new("bench")?;
    let config = [&first, &name].map(|name| (name, &terms, String::new()));
    ledger.configure_feeds(config).await?;
    let feed = ledger.feed(&name).await?.ok_or("no second feed")?;
    let copy = ledger.path().with_extension("copy");
    let ledger = Arc::new(ledger);
    let (one, rows) = (ledger.clone(), body.to_vec());
    let load = async move { record(&one, &feed, &rows, 1).await.map(drop) };
    times.beside("load of as many", &ledger, load).await?;
    let one = ledger.clone();
    let backup = async move {
        one.backup(&copy).await?;
        Ok(())
    };
    times.beside("copy", &ledger, backup).await?;
    let (one, id) = (ledger.clone(), again(&ledger).await?.id);
    let held = async move {
        let body = vec![b'x'; 64 << 20];
        one.hold_snapshot(id, &[9; 32], &body, "it grew", UnixTime::from_seconds(NOW))
            .await?;
        Ok(())
    };
    times
        .beside("keeping a held body of 64 MiB", &ledger, held)
        .await?;
    let one = ledger.clone();
    let sweep = async move {
        one.drop_feed(&name, UnixTime::from_seconds(NOW + 10))
            .await?;
        let swept = one
            .sweep(UnixTime::from_seconds(NOW + 20), Duration::from_secs(5))
            .await?;
        if swept.listings == 0 {
            return Err("nothing was swept".into());
        }
        Ok(())
    };
    times
        .beside("withdrawal and sweep of as many", &ledger, sweep)
        .await?;
    ledger.close().await;
    Ok(())
}

impl Times {
    /// Runs `work`, and settles 1,000 leases every 50 ms beside it.
    async fn beside(
        &mut self,
        what: &'static str,
        ledger: &Arc<Ledger>,
        work: impl Future<Output = Result<(), Fault>> + Send + 'static,
    ) -> Result<(), Fault> {
        let firewall = firewall(ledger).await?;
        let working = tokio::spawn(async move {
            let begun = Instant::now();
            work.await
                .map(|()| begun.elapsed())
                .map_err(|fault| fault.to_string())
        });
        let mut waits = Vec::new();
        while !working.is_finished() {
            waits.push(settle(ledger, firewall, waits.len()).await?);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let took = working.await??;
        let longest = waits.iter().max().copied().unwrap_or_default();
        self.settles.push((what, took, median(&waits), longest));
        Ok(())
    }
}

/// How long a settle of 1,000 leases waits and works.
async fn settle(ledger: &Ledger, firewall: i64, round: usize) -> Result<Duration, Fault> {
    let first = 0x2d00_0000 + u32::try_from(round % 100)? * 1_000;
    let entries: Vec<Entry> = (first..first + 1_000)
        .map(|address| Entry {
            list: List::Block,
            indicator: indicator(address),
            direction: Direction::In,
        })
        .collect();
    let call = NewCall {
        firewall,
        list: List::Block,
        action: Action::Add,
        end_time: Some(UnixTime::from_seconds(NOW + 86_400)),
        entries: &entries,
        trial: None,
    };
    let settlement = Settlement {
        verdict: "applied",
        code: None,
        message: None,
        request_id: Some("00000000-0000-0000-0000-000000000000".to_owned()),
        duration_ms: 60,
        outcome: Outcome::Applied,
    };
    let id = ledger.journal(&call, NOW * 1000).await?;
    let begun = Instant::now();
    ledger.settle(id, &settlement, NOW * 1000 + 60).await?;
    Ok(begun.elapsed())
}

async fn open(path: &Path) -> Result<(Ledger, FeedRow), Fault> {
    let ledger = Ledger::open(path).await?;
    let name = Name::try_new("bench")?;
    ledger
        .configure_feeds([(&name, &terms(), String::new())])
        .await?;
    let feed = again(&ledger).await?;
    Ok((ledger, feed))
}

async fn again(ledger: &Ledger) -> Result<FeedRow, Fault> {
    let feed = ledger.feed(&Name::try_new("bench")?).await?;
    feed.ok_or_else(|| "no feed".into())
}

async fn firewall(ledger: &Ledger) -> Result<i64, Fault> {
    let name = Name::try_new("bench")?;
    ledger.configure_firewalls([&name]).await?;
    let row = ledger.firewall(&name).await?;
    Ok(row.ok_or("no firewall")?.id)
}

async fn record(
    ledger: &Ledger,
    feed: &FeedRow,
    body: &[u32],
    hash: u8,
) -> Result<(Duration, Delta), Fault> {
    let good = GoodBody {
        recipe: String::new(),
        validators: Validators::default(),
        sha256: [hash; 32],
        rejected: 0,
        next_poll: UnixTime::from_seconds(NOW + 3600),
    };
    let records = body.iter().copied().map(row);
    let begun = Instant::now();
    let delta = ledger
        .record_body(
            feed,
            &good,
            records,
            UnixTime::from_seconds(NOW + i64::from(hash)),
        )
        .await?;
    Ok((begun.elapsed(), delta))
}

fn terms() -> FeedTerms {
    FeedTerms {
        ttl: Duration::from_secs(7 * 86_400),
        confidence: 60,
        directions: None,
        list: List::Block,
        mode: Mode::Snapshot,
        on_delist: OnDelist::AgeOut,
        max_age: None,
    }
}

/// `count` distinct addresses, sorted.
fn body(count: usize, seed: u64) -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut body = std::collections::BTreeSet::new();
    while body.len() < count {
        body.insert(random.u32(0x0100_0000..0xe000_0000));
    }
    body.into_iter().collect()
}

/// The body without every hundredth address, and with as many new ones; another hundredth each round.
fn one_percent_later(body: &[u32], round: usize) -> Vec<u32> {
    let mut next = body.to_vec();
    for address in next.iter_mut().skip(round * 7).step_by(100) {
        *address ^= 1 << (round % 4);
    }
    next.sort_unstable();
    next.dedup();
    next
}

fn row(address: u32) -> Record {
    Record {
        indicator: indicator(address),
        confidence: None,
        valid_until: None,
        dated: None,
    }
}

fn indicator(address: u32) -> Indicator {
    Indicator::from_ip(Ipv4Addr::from(address).into())
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
    status
        .lines()
        .find_map(|text| {
            text.strip_prefix(line)?
                .trim()
                .strip_suffix("kB")?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .unwrap_or(0)
        << 10
}
