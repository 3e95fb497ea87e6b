//! Objects of JSON, beside `serde_json::Value`, each read in a process of its own for its peak memory.

use std::fs::File;
use std::io::{BufReader, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use feedwall::parse::{
    Column, Condition, Filter, Format, Path as Way, Recipe, Record, Reject, Sink, Snapshot, Take,
    Text, parse,
};
use serde_json::Value;
use tokio::time::Instant;

/// Who reads.
pub const READERS: [&str; 4] = ["--nothing", "--value", "--records", "--snapshot"];

const COUNT: usize = 500_000;

/// Prints how we compare, over a file at `path`.
pub fn compare(path: &Path) {
    write_objects(path);
    let runs: Vec<[Run; 4]> = (0..5)
        .map(|_| READERS.map(|reader| child(reader, path)))
        .collect();
    let median = |at: usize| {
        let mut seconds: Vec<_> = runs.iter().map(|run| run[at].seconds).collect();
        seconds.sort_unstable_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    };
    let mib = |at: usize| {
        let over = runs[0][at].kib.saturating_sub(runs[0][0].kib);
        over as f64 / 1024.0
    };
    let (theirs, ours) = (median(1), median(3));
    let bytes = std::fs::metadata(path).map_or(0, |data| data.len());
    println!(
        "{:32} {ours:.3} s; serde_json::Value {theirs:.3} s: {:.2} of its time, {:.0} MB/s",
        format!("500 k objects, {} MB", bytes / 1_000_000),
        ours / theirs,
        bytes as f64 / 1e6 / ours,
    );
    println!(
        "{:32} {:.1} MiB at peak, {:.1} MiB without the set; Value {:.0} MiB",
        "",
        mib(3),
        mib(2),
        mib(1),
    );
}

/// Reads the file as a child does, and prints how many were listed, the seconds, the peak in KiB.
pub fn read(reader: &str, path: &Path, peak_kib: impl Fn() -> u64) {
    let start = Instant::now();
    let listed = match reader {
        "--value" => value(path),
        "--records" => {
            let mut sink = Count(0);
            with_text(path, |recipe, text| {
                parse(recipe, text, &mut sink).expect("the data can be read");
            });
            sink.0
        }
        "--snapshot" => {
            let mut rows = 0;
            with_text(path, |recipe, text| {
                let snapshot = Snapshot::read(recipe, text, COUNT).expect("the data can be read");
                assert_eq!((snapshot.rejects().total(), snapshot.broken()), (0, false));
                rows = snapshot.len();
            });
            rows
        }
        _ => 0,
    };
    println!("{listed} {} {}", start.elapsed().as_secs_f64(), peak_kib());
}

struct Run {
    seconds: f64,
    kib: u64,
}

fn child(reader: &str, path: &Path) -> Run {
    let bench = std::env::current_exe().expect("this program's own path");
    let output = Command::new(bench)
        .arg(reader)
        .arg(path)
        .output()
        .expect("a child that reads");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_whitespace();
    let listed: usize = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    assert_eq!(
        listed > COUNT / 2,
        reader != "--nothing",
        "{reader} listed {listed}"
    );
    let mut number = || words.next().and_then(|word| word.parse::<f64>().ok());
    Run {
        seconds: number().unwrap_or(0.0),
        kib: number().unwrap_or(0.0) as u64,
    }
}

/// Counts, and keeps nothing.
struct Count(usize);

impl Sink for Count {
    fn record(&mut self, _: Record) {
        self.0 += 1;
    }

    fn reject(&mut self, reject: Reject) {
        unreachable!("the data is clean: {reject:?}");
    }
}

fn with_text(path: &Path, read: impl FnOnce(&Recipe, Text<'_>)) {
    let mut recipe = Recipe::new(Format::Json);
    recipe.items = Way::try_new("/data").expect("a path");
    let column = |name: &str| Column::Name(name.into());
    recipe.fields.indicator = Take::One(column("ioc"));
    recipe.fields.confidence = Some(column("confidence_level"));
    recipe.fields.dated = Some(column("first_seen"));
    recipe.fields.filters = vec![Filter {
        column: column("confidence_level"),
        condition: Condition::try_new(">=25").expect("a condition"),
    }];
    let mut body = BufReader::with_capacity(128 * 1024, File::open(path).expect("the data"));
    let text = Text {
        body: &mut body,
        ends_surely: true,
    };
    read(&recipe, text);
}

/// What a program does that takes the whole into memory: no dates, no checks, the texts sorted.
fn value(path: &Path) -> usize {
    let bytes = std::fs::read(path).expect("the data");
    let body: Value = serde_json::from_slice(&bytes).expect("the data is JSON");
    let items = body["data"].as_array().expect("a list");
    let wanted = |item: &&Value| item["confidence_level"].as_u64() >= Some(25);
    let texts = items
        .iter()
        .filter(wanted)
        .filter_map(|item| item["ioc"].as_str());
    let mut texts: Vec<_> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts.len()
}

fn write_objects(path: &Path) {
    let mut random = fastrand::Rng::with_seed(4);
    let mut out = super::writer(path);
    let mut write = |text: String| out.write_all(text.as_bytes()).expect("room for the data");
    write("{\"query_status\": \"ok\", \"data\": [\n".to_owned());
    for id in 0..COUNT {
        let (ioc, kind) = match random.u8(0..4) {
            0 => (format!("host{id}.example.com"), "domain"),
            _ => {
                let four = Ipv4Addr::from_bits(random.u32(0x0100_0000..0xdf00_0000));
                (format!("{four}:{}", random.u16(1..)), "ip:port")
            }
        };
        let confidence = [25, 50, 75, 100][random.usize(0..4)];
        let end = if id + 1 == COUNT { "\n" } else { ",\n" };
        write(format!(
            "{{\"id\": \"{id}\", \"ioc\": \"{ioc}\", \"ioc_type\": \"{kind}\", \
             \"malware_printable\": \"AsyncRAT\", \"confidence_level\": {confidence}, \
             \"first_seen\": \"2024-01-31 10:00:00 UTC\", \"last_seen\": null, \"reference\": \"https:\\/\\/intel.example\\/ioc\\/{id}\\/\", \
             \"reporter\": \"somebody\", \"tags\": [\"AsyncRAT\", \"c2\"]}}{end}"
        ));
    }
    write("]}\n".to_owned());
}
