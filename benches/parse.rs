//! Parsing, normalizing, sorting and deduplicating, beside what people use for it today.
//!
//! `cargo bench --bench parse`. Ratios count, for seconds are the machine's. A yardstick that is not
//! installed (`iprange` of FireHOL, `python3`) is skipped, and the bench says so.
#![allow(clippy::print_stdout, clippy::expect_used)]

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use feedwall::model::IndicatorRef;
use feedwall::parse::{Column, Format, Recipe, Snapshot, Take, Text, Urls};
use ipnet::Ipv4Subnets;
use tokio::time::Instant;

#[path = "parse/objects.rs"]
mod objects;

const RUNS: usize = 5;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, flag, file] = arguments.as_slice()
        && flag == "--peak"
    {
        let snapshot = read(&Recipe::new(Format::Text), Path::new(file));
        println!("{} {}", snapshot.len(), peak_kib());
        return;
    }
    if let [_, reader, file] = arguments.as_slice()
        && objects::READERS.contains(&reader.as_str())
    {
        objects::read(reader, Path::new(file), peak_kib);
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the data");
    let file = |name: &str| folder.path().join(name);
    addresses(&file("addresses"));
    names(&file("names"), &file("hosts"));
    table(&file("table"));
    objects::compare(&file("objects"));
    memory(&file("ten-million"));
}

/// 1.1 M addresses, once sorted and once merged into networks.
fn addresses(path: &Path) {
    write_addresses(path, 1_100_000);
    let recipe = Recipe::new(Format::Text);
    let ours = median(|| read(&recipe, path).len());
    let written = median(|| write_rows(&read(&recipe, path)));
    let theirs = yardstick("iprange", &["-1"], path);
    row("1.1 M IPv4, sorted, unique", ours, theirs, "iprange -1");
    row("  the same, and written out", written, theirs, "iprange -1");
    let ours = median(|| merged(&read(&recipe, path)));
    row(
        "1.1 M IPv4, merged networks",
        ours,
        yardstick("iprange", &[], path),
        "iprange",
    );
    if let Some(lines) = output_lines("iprange", path) {
        assert_eq!(
            lines,
            merged(&read(&recipe, path)),
            "iprange merges into other networks"
        );
    }
}

/// 1 M names, bare and in a hosts file.
fn names(bare: &Path, hosts: &Path) {
    const SET: &str = "
import sys
names = set()
for line in open(sys.argv[1], encoding='utf-8'):
    words = line.split('#')[0].split()
    if words:
        names.add(words[-1].rstrip('.').lower().encode('idna').decode())
print(len(names))";
    write_names(bare, hosts, 1_000_000);
    for (path, format, what) in [
        (bare, Format::Text, "1 M domains"),
        (hosts, Format::Hosts, "1 M hosts lines"),
    ] {
        let recipe = Recipe::new(format);
        let ours = median(|| read(&recipe, path).len());
        row(
            what,
            ours,
            yardstick("python3", &["-c", SET], path),
            "a set in Python",
        );
        println!("{:32} {:.2} M lines/s", "", 1.0 / ours.as_secs_f64());
    }
}

/// 500 k rows of quoted cells, the host taken from each URL.
fn table(path: &Path) {
    const SPLIT: &str = "
import csv, sys
from urllib.parse import urlsplit
hosts = set()
for row in csv.reader(line for line in open(sys.argv[1], encoding='utf-8') if line[0] != '#'):
    hosts.add(urlsplit(row[2]).hostname)
print(len(hosts))";
    write_table(path, 500_000);
    let mut recipe = Recipe::new(Format::Csv);
    recipe.urls = Urls::Host;
    recipe.fields.indicator = Take::One(Column::Name("url".into()));
    let ours = median(|| read(&recipe, path).len());
    row(
        "500 k rows of CSV, URL to host",
        ours,
        yardstick("python3", &["-c", SPLIT], path),
        "csv + urlsplit",
    );
}

/// The peak of a process that reads one and ten million addresses.
fn memory(path: &Path) {
    for count in [1_000_000, 10_000_000] {
        write_addresses(path, count);
        let bench = std::env::current_exe().expect("this program's own path");
        let output = Command::new(bench)
            .arg("--peak")
            .arg(path)
            .output()
            .expect("a child that reads");
        let text = String::from_utf8_lossy(&output.stdout);
        let kib: u64 = text
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or(0);
        println!(
            "{:32} {} MiB at peak",
            format!("{} M IPv4, memory", count / 1_000_000),
            kib / 1024
        );
    }
}

fn read(recipe: &Recipe, path: &Path) -> Snapshot {
    let file = File::open(path).expect("the data");
    let mut body = BufReader::with_capacity(128 * 1024, file);
    let text = Text {
        body: &mut body,
        ends_surely: true,
    };
    let snapshot = Snapshot::read(recipe, text, 20_000_000).expect("the data can be read");
    assert_eq!(snapshot.rejects().total(), 0, "the data is clean");
    snapshot
}

fn write_rows(snapshot: &Snapshot) -> usize {
    let mut out = BufWriter::new(File::create("/dev/null").expect("the void"));
    for row in snapshot.rows() {
        writeln!(out, "{}", row.indicator).expect("the void takes all");
    }
    snapshot.len()
}

/// How many networks cover exactly these addresses.
fn merged(snapshot: &Snapshot) -> usize {
    let mut addresses = snapshot.rows().filter_map(|row| match row.indicator {
        IndicatorRef::Address(address) => match address.ip() {
            std::net::IpAddr::V4(four) => Some(four.to_bits()),
            std::net::IpAddr::V6(_) => None,
        },
        _ => None,
    });
    let Some(mut start) = addresses.next() else {
        return 0;
    };
    let subnets = |a: u32, b: u32| {
        Ipv4Subnets::new(Ipv4Addr::from_bits(a), Ipv4Addr::from_bits(b), 0).count()
    };
    let (mut end, mut count) = (start, 0);
    for address in addresses {
        if address != end + 1 {
            count += subnets(start, end);
            start = address;
        }
        end = address;
    }
    count + subnets(start, end)
}

fn median(mut job: impl FnMut() -> usize) -> Duration {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            assert!(job() > 0, "the job did nothing");
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}

/// The median of three runs of another program over the same file; `None` where it is not installed.
fn yardstick(program: &str, arguments: &[&str], path: &Path) -> Option<Duration> {
    let run = || {
        let start = Instant::now();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = command.status().ok()?;
        status.success().then(|| start.elapsed())
    };
    let mut times = [run()?, run()?, run()?];
    times.sort_unstable();
    Some(times[1])
}

fn output_lines(program: &str, path: &Path) -> Option<usize> {
    let output = Command::new(program).arg(path).output().ok()?;
    Some(output.stdout.iter().filter(|byte| **byte == b'\n').count())
}

fn row(what: &str, ours: Duration, theirs: Option<Duration>, yardstick: &str) {
    let seconds = ours.as_secs_f64();
    match theirs.map(|theirs| theirs.as_secs_f64()) {
        Some(theirs) => println!(
            "{what:32} {seconds:.3} s; {yardstick} {theirs:.3} s: {:.1} times as fast",
            theirs / seconds
        ),
        None => println!("{what:32} {seconds:.3} s; {yardstick} is not installed: skipped"),
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

fn writer(path: &Path) -> BufWriter<File> {
    BufWriter::new(File::create(PathBuf::from(path)).expect("a file for the data"))
}

fn write_addresses(path: &Path, count: usize) {
    let mut random = fastrand::Rng::with_seed(1);
    let mut seen = HashSet::with_capacity(count);
    let mut out = writer(path);
    while seen.len() < count {
        let bits = random.u32(0x0100_0000..0xdf00_0000);
        if seen.insert(bits) {
            writeln!(out, "{}", Ipv4Addr::from_bits(bits)).expect("room for the data");
        }
    }
}

fn write_names(bare: &Path, hosts: &Path, count: usize) {
    const ENDS: [&str; 10] = [
        "com",
        "net",
        "ru",
        "top",
        "xyz",
        "info",
        "co.uk",
        "com.br",
        "duckdns.org",
        "github.io",
    ];
    let mut random = fastrand::Rng::with_seed(2);
    let (mut bare, mut hosts) = (writer(bare), writer(hosts));
    for _ in 0..count {
        let label = |random: &mut fastrand::Rng| {
            let length = random.usize(4..14);
            let letters: String = (0..length).map(|_| random.lowercase()).collect();
            letters
        };
        let mut name = label(&mut random);
        if random.u8(0..3) == 0 {
            name = format!("{}.{name}", label(&mut random));
        }
        let end = ENDS[random.usize(0..ENDS.len())];
        writeln!(bare, "{name}.{end}").expect("room for the data");
        writeln!(hosts, "0.0.0.0 {name}.{end}").expect("room for the data");
    }
}

fn write_table(path: &Path, count: usize) {
    let mut random = fastrand::Rng::with_seed(3);
    let mut out = writer(path);
    writeln!(
        out,
        "# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter"
    )
    .expect("room for the data");
    for id in 0..count {
        let host = match random.u8(0..4) {
            0 => format!("host{}.example.com", random.u32(0..200_000)),
            _ => format!(
                "{}:{}",
                Ipv4Addr::from_bits(random.u32(0x0100_0000..0xdf00_0000)),
                random.u16(1..)
            ),
        };
        let page: String = (0..20).map(|_| random.alphanumeric()).collect();
        writeln!(
            out,
            "\"{id}\",\"2024-01-31 10:00:00\",\"http://{host}/{page}/bin.sh\",\"online\",\"2024-01-31 11:00:00\",\
             \"malware_download\",\"32-bit,elf,mips,Mozi\",\"https://urlhaus.example/url/{id}/\",\"somebody\""
        )
        .expect("room for the data");
    }
}
