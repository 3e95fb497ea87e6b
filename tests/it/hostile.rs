//! Publishers that do not behave, over real sockets: each ends in bounded time and memory, in one sentence, and what
//! was listed before stays as it was.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feedwall::ledger::Ledger;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::feeds;
use crate::support::rig::Rig;

/// What a feed lists while its publisher behaves.
const LISTED: usize = 40;

/// One thing that a publisher does, further keys of its feed, and a part of the sentence that must come of it.
struct Case {
    name: &'static str,
    keys: &'static str,
    answer: fn() -> Answer,
    sentence: &'static str,
}

/// What is sent after the request was read.
enum Answer {
    /// These bytes, and the end.
    All(Vec<u8>),
    /// These bytes, and a reset in the place of the end.
    Reset(Vec<u8>),
    /// A head, and then a piece again and again, with a pause before each.
    Endless(&'static str, Vec<u8>, Duration),
}

const ENDLESS: &str = "HTTP/1.1 200 OK\r\n\r\n";

const CASES: &[Case] = &[
    Case {
        name: "drip",
        keys: "timeout = \"8s\"",
        answer: || Answer::Endless(ENDLESS, b"1".to_vec(), Duration::from_millis(50)),
        sentence: "was not whole after 8s",
    },
    Case {
        name: "endless",
        keys: "max_size = \"4MiB\"",
        answer: || Answer::Endless(ENDLESS, b"45.155.205.1\n".repeat(5000), Duration::ZERO),
        sentence: "larger than 4 MiB",
    },
    Case {
        name: "bomb",
        keys: "max_unpacked = \"16MiB\"",
        answer: || ok(&gzip(&vec![0; 256 << 20])),
        sentence: "unpacks to more than 16 MiB",
    },
    Case {
        name: "bomb-of-lines",
        keys: "max_unpacked = \"16MiB\"",
        answer: || ok(&gzip(&b"45.155.205.1\n".repeat(10 << 20))),
        sentence: "unpacks to more than 16 MiB",
    },
    Case {
        name: "half-an-archive",
        keys: "",
        answer: || {
            let whole = gzip(good().as_bytes());
            ok(&whole[..whole.len() / 2])
        },
        sentence: "gzip data is cut short",
    },
    Case {
        name: "too-short",
        keys: "",
        answer: || {
            Answer::All(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n45.155.205.1\n".into())
        },
        sentence: "broke off",
    },
    Case {
        name: "too-long",
        keys: "",
        answer: || {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n";
            Answer::All(format!("{head}{}", good()).into_bytes())
        },
        sentence: "the feed shrank from 40 to",
    },
    Case {
        name: "reset",
        keys: "",
        answer: || Answer::Reset(b"HTTP/1.1 200 OK\r\n\r\n45.155.205.1\n".into()),
        sentence: "reset",
    },
    Case {
        name: "loop",
        keys: "",
        answer: || redirect("/loop"),
        sentence: "redirect",
    },
    Case {
        name: "to-a-file",
        keys: "",
        answer: || redirect("file:///etc/passwd"),
        sentence: "`file:`",
    },
    Case {
        name: "to-metadata",
        keys: "",
        answer: || redirect("http://169.254.169.254/latest/meta-data/"),
        sentence: "metadata",
    },
    Case {
        name: "page",
        keys: "",
        answer: || ok(b"<!DOCTYPE html><html><body>Please log in</body></html>\n"),
        sentence: "the body is a web page, not a feed",
    },
    Case {
        name: "nothing-new",
        keys: "",
        answer: || Answer::All(b"HTTP/1.1 304 Not Modified\r\n\r\n".into()),
        sentence: "304",
    },
    Case {
        name: "utf-16",
        keys: "",
        answer: || {
            ok(&good()
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>())
        },
        sentence: "rows could not be read",
    },
    Case {
        name: "one-line",
        keys: "",
        answer: || ok(&vec![b'1'; 50 << 20]),
        sentence: "1 of 1 rows could not be read",
    },
    Case {
        name: "nul",
        keys: "",
        answer: || ok(good().replace('.', "\0").as_bytes()),
        sentence: "40 of 40 rows could not be read",
    },
    Case {
        name: "not-utf-8",
        keys: "",
        answer: || {
            ok(&good()
                .bytes()
                .map(|byte| if byte == b'.' { 0xff } else { byte })
                .collect::<Vec<_>>())
        },
        sentence: "40 of 40 rows could not be read",
    },
    Case {
        name: "half-a-value",
        keys: "format = \"json\"",
        answer: || {
            let whole = good_json();
            ok(&whole.as_bytes()[..whole.len() / 2])
        },
        sentence: "the JSON ends early",
    },
    Case {
        name: "nothing",
        keys: "",
        answer: || ok(b"# nothing today\n"),
        sentence: "the body lists nothing",
    },
];

/// A server of all the cases, at `/NAME`.
struct Publisher {
    url: String,
    hostile: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

impl Publisher {
    async fn start() -> Self {
        // Made before anybody waits for them: packing a bomb takes a busy machine a while.
        let answers: Arc<Vec<Answer>> =
            Arc::new(CASES.iter().map(|case| (case.answer)()).collect());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hostile = Arc::new(AtomicBool::new(false));
        let turned = hostile.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, turned.clone(), answers.clone()));
            }
        });
        Self {
            url,
            hostile,
            accepting,
        }
    }

    fn feeds(&self) -> String {
        let feed = |case: &Case| {
            let (name, keys) = (case.name, case.keys);
            format!(
                "[[feed]]\nname = \"{name}\"\nurl = \"{}/{name}\"\n{keys}\n",
                self.url
            )
        };
        CASES.iter().map(feed).collect()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(mut stream: TcpStream, hostile: Arc<AtomicBool>, answers: Arc<Vec<Answer>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let at = CASES.iter().position(|case| case.name == &path[1..]);
    let good = match CASES[at.unwrap()].keys {
        "format = \"json\"" => good_json(),
        _ => good(),
    };
    let good = ok(good.as_bytes());
    let answer = match hostile.load(Ordering::Relaxed) {
        true => &answers[at.unwrap()],
        false => &good,
    };
    // Whoever has heard enough hangs up.
    match answer {
        Answer::All(bytes) => {
            // Said, so that nobody sends the next request on a connection that is about to be closed.
            let line = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let (status, rest) = bytes.split_at(line);
            let said = [status, b"Connection: close\r\n", rest].concat();
            let _ = stream.write_all(&said).await;
            let _ = stream.shutdown().await;
        }
        Answer::Reset(bytes) => {
            let _ = stream.write_all(bytes).await;
            // What was sent must arrive before the reset, which would overtake it.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let _ = stream.set_zero_linger();
        }
        Answer::Endless(head, piece, pause) => {
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(piece).await.is_ok() {
                tokio::time::sleep(*pause).await;
            }
        }
    }
}

fn good() -> String {
    feeds::lines(&feeds::addresses(3, LISTED))
}

fn good_json() -> String {
    let addresses = feeds::addresses(3, LISTED);
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    serde_json::to_string(&texts).unwrap()
}

fn ok(body: &[u8]) -> Answer {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Answer::All([head.as_bytes(), body].concat())
}

fn redirect(to: &str) -> Answer {
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    Answer::All(head.into_bytes())
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(plain).unwrap();
    packer.finish().unwrap()
}

/// Every listing of every feed, as the ledger has it.
async fn listings(rig: &Rig) -> Vec<String> {
    let ledger = Ledger::open_existing(&rig.ledger_path()).await.unwrap();
    let mut all = Vec::new();
    for feed in ledger.feeds().await.unwrap() {
        let mut chunks = ledger.listings(feed.id);
        loop {
            let chunk = chunks.next_chunk().await.unwrap();
            if chunk.is_empty() {
                break;
            }
            all.extend(chunk.iter().map(|one| format!("{} {one:?}", feed.name)));
        }
    }
    ledger.close().await;
    assert_eq!(all.len(), CASES.len() * LISTED);
    all
}

fn feed<'a>(feeds: &'a Value, name: &str) -> &'a Value {
    let mut feeds = feeds.as_array().unwrap().iter();
    feeds.find(|feed| feed["name"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_publisher_does_what_was_listed_stays() {
    let rig = Rig::new().await;
    let publisher = Publisher::start().await;
    rig.config(&publisher.feeds(), "accept = [\"ipv4\"]\nquota = 20_000");
    rig.once().await.exits(0);
    let entries = rig.listed();
    assert_eq!(entries.len(), LISTED);
    let ask = async |words: &[&str]| {
        let words = [&["--json"], words].concat();
        rig.start(&words).end().await.json()
    };
    let before = ask(&["feeds"]).await;
    let listings = listings(&rig).await;

    publisher.hostile.store(true, Ordering::Relaxed);
    let mut run = rig.start(&["--json", "run", "--once"]);
    let mut peak = 0;
    while run.runs() {
        peak = peak.max(run.peak_memory_kib().unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ended = run.end().await.exits(3);
    println!("{:?}, at most {peak} KiB", ended.took);
    assert!(ended.took < Duration::from_secs(120), "{:?}", ended.took);
    // The 50 MB of one line are held for an approval, and pass through the memory a few times on their way there.
    assert!(peak < 400 << 10, "{peak} KiB");

    let after = ask(&["feeds"]).await;
    let mut faults = Vec::new();
    for case in CASES {
        let (old, new) = (feed(&before, case.name), feed(&after, case.name));
        let trouble = new["trouble"].as_str().unwrap_or_default();
        println!("{}: {} {trouble}", case.name, new["state"]);
        if !trouble.contains(case.sentence) || trouble.contains(['\n', '\0']) {
            faults.push(format!("{}: {trouble}", case.name));
        }
        for kept in ["listed", "last_good", "last_change"] {
            if old[kept] != new[kept] {
                faults.push(format!("{}: {kept} {} {}", case.name, old[kept], new[kept]));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(self::listings(&rig).await, listings);
    assert_eq!(rig.listed(), entries);
    rig.is_settled().await;
}
