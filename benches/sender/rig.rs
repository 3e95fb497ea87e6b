//! The simulated cloud and the sender as processes, in a folder of their own.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use feedwall::sim::{FAKE_SECRET_ID, FAKE_SECRET_KEY};
use tempfile::TempDir;

pub type Fault = Box<dyn Error>;

/// The program of this build; another build's may be measured too.
fn program() -> Command {
    let own = env!("CARGO_BIN_EXE_feedwall");
    Command::new(std::env::var_os("FEEDWALL_PROGRAM").unwrap_or(own.into()))
}

/// The longest that a sender may take to its first call, or to the end of `--once`.
const PATIENCE: Duration = Duration::from_secs(300);

/// A cloud, and what a sender needs to send to it.
pub struct Rig {
    folder: TempDir,
    address: String,
    _cloud: Process,
    /// What the cloud writes to; it would end if nobody held the other end.
    _said: BufReader<ChildStdout>,
}

/// A process that is killed when it is dropped, and buried.
struct Process(Child);

impl Rig {
    /// Starts a cloud with a fault schedule.
    pub fn new(faults: &str, batch: usize) -> Result<Self, Fault> {
        let folder = TempDir::new()?;
        let schedule = folder.path().join("faults.toml");
        fs::write(&schedule, format!("seed = 7\n{faults}"))?;
        let mut cloud = program()
            .args([
                "sim",
                "--listen",
                "127.0.0.1:0",
                "--quota",
                "100000",
                "--faults",
            ])
            .arg(&schedule)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let said = cloud.stdout.take().ok_or("the cloud says nothing")?;
        let cloud = Process(cloud);
        let mut said = BufReader::new(said);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let address = line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_once(';'))
            .map(|(address, _)| address.to_owned())
            .ok_or_else(|| format!("the cloud names no address: {line:?}"))?;
        let rig = Self {
            folder,
            address,
            _cloud: cloud,
            _said: said,
        };
        rig.write("addresses.txt", "")?;
        rig.write("domains.txt", "")?;
        rig.write("feedwall.toml", &rig.config(batch))?;
        Ok(rig)
    }

    fn config(&self, batch: usize) -> String {
        let feed = |name: &str, direction: &str| {
            format!(
                "[[feed]]\nname = \"{name}\"\npath = {:?}\ndirection = \"{direction}\"\nttl = \"30d\"\ninterval = \"1h\"\n\
                 on_delist = \"withdraw\"\nmin_entries = 0\nmay_be_empty = true\nmax_shrink = 1.0\nmax_growth = 1000000.0\n",
                self.path(&format!("{name}.txt"))
            )
        };
        format!(
            "[ledger]\npath = {:?}\n[guard]\nallow_private = true\n{}{}\
             [[firewall]]\nname = \"bench\"\nkind = \"tencent-cfw\"\nendpoint = \"http://{}\"\nbatch = {batch}\n\
             quota = 100_000\nreserve = 0\nmax_delete = 1.0\naccept = [\"ipv4\", \"domain\"]\ncredentials = {{ env = \"BENCH\" }}\n",
            self.path("ledger.db"),
            feed("addresses", "both"),
            feed("domains", "out"),
            self.address,
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> Result<(), Fault> {
        Ok(fs::write(self.path(name), text)?)
    }

    fn start(&self, words: &[&str]) -> Result<Process, Fault> {
        let child = program()
            .env_clear()
            .env("HOME", self.folder.path())
            .env("BENCH_SECRET_ID", FAKE_SECRET_ID)
            .env("BENCH_SECRET_KEY", FAKE_SECRET_KEY)
            .arg("--config")
            .arg(self.path("feedwall.toml"))
            .args(words)
            .stdout(Stdio::null())
            .stderr(
                fs::File::options()
                    .create(true)
                    .append(true)
                    .open(self.path("err"))?,
            )
            .spawn()?;
        Ok(Process(child))
    }

    /// Runs the daemon until the cloud has had calls for `run`, and kills it. Gives the writing calls.
    pub fn send_for(&self, run: Duration) -> Result<Vec<Duration>, Fault> {
        let _daemon = self.start(&["run"])?;
        self.wait_for_the_first()?;
        sleep(run + Duration::from_secs(1));
        self.arrivals()
    }

    /// The same with a kill -9 and a new start every few seconds, not always at the same moment.
    pub fn send_with_kills(&self, run: Duration) -> Result<Vec<Duration>, Fault> {
        let mut daemon = self.start(&["run"])?;
        self.wait_for_the_first()?;
        let begun = Instant::now();
        for round in 0u64.. {
            sleep(Duration::from_millis(4_000 + round * 1_370 % 5_000));
            if begun.elapsed() > run {
                break;
            }
            drop(daemon);
            daemon = self.start(&["run"])?;
        }
        self.arrivals()
    }

    /// `run --once`, to its good end.
    pub fn once(&self) -> Result<(), Fault> {
        let mut daemon = self.start(&["run", "--once"])?;
        let begun = Instant::now();
        loop {
            match daemon.0.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    let said = fs::read_to_string(self.path("err"))?;
                    return Err(format!("`run --once` ended with {status}\n{said}").into());
                }
                None if begun.elapsed() > PATIENCE => {
                    return Err("`run --once` does not end".into());
                }
                None => sleep(Duration::from_millis(50)),
            }
        }
    }

    fn wait_for_the_first(&self) -> Result<(), Fault> {
        let begun = Instant::now();
        while self.arrivals()?.is_empty() {
            if begun.elapsed() > PATIENCE {
                let said = fs::read_to_string(self.path("err"))?;
                return Err(format!("no call came within {PATIENCE:?}\n{said}").into());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// When each writing call was whole at the cloud, earliest first.
    pub fn arrivals(&self) -> Result<Vec<Duration>, Fault> {
        let log: serde_json::Value = serde_json::from_str(&self.get("/_sim/log")?)?;
        let log = log.as_array().ok_or("the log is no list")?;
        let mut arrivals: Vec<Duration> = log
            .iter()
            .filter(|call| call["action"] == "ModifyBlockIgnoreList")
            .filter_map(|call| Some(Duration::from_micros(call["at_us"].as_u64()?)))
            .collect();
        arrivals.sort_unstable();
        Ok(arrivals)
    }

    /// A body over HTTP/1.0, which ends with the connection.
    fn get(&self, path: &str) -> Result<String, Fault> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        if !head.contains(" 200 ") {
            return Err(format!("{path}: {head}").into());
        }
        Ok(body.to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Addresses of 45.0.0.0/8, a line each; both directions of each are entries.
pub fn addresses(range: Range<usize>) -> String {
    let address = |n: usize| {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        format!("{}\n", Ipv4Addr::from(0x2d00_0001_u32.wrapping_add(n)))
    };
    range.map(address).collect()
}

/// Names, a line each.
pub fn domains(range: Range<usize>) -> String {
    range.map(|n| format!("host-{n}.badhost.com\n")).collect()
}
