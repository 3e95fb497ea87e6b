//! The real program as a process: started, asked to stop, killed, waited for.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::until;

/// The longest that any run of these tests takes, and then some for a busy machine.
const LONGEST: Duration = Duration::from_secs(150);

/// A running feedwall. Dropped, it is killed.
pub struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    begun: Instant,
}

/// How a run ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// From start to end.
    pub took: Duration,
}

/// A command line of the program with an environment that holds nothing of this machine's.
pub fn feedwall(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedwall"));
    command.env_clear().env("HOME", home).current_dir(home);
    command
}

impl Process {
    /// Starts `command` with its words going to files in `folder`.
    pub fn start(mut command: Command, folder: &Path) -> Self {
        let run = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(folder)
            .unwrap()
            .keep();
        let (out, err) = (run.join("out"), run.join("err"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            out,
            err,
            begun: Instant::now(),
        }
    }

    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    /// How often `words` stand in what it has said so far.
    pub fn times(&self, words: &str) -> usize {
        self.said().matches(words).count()
    }

    /// Waits until it has said `words` so often.
    pub async fn says(&self, words: &str, times: usize, within: Duration) {
        let there = || self.times(words) >= times;
        until(&format!("{times} times {words:?}"), within, there, || {
            self.said()
        })
        .await;
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success(), "SIG{name} did not reach {pid}");
    }

    /// Seconds of processor that it has used, where the system tells.
    pub fn processor_seconds(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut times = fields.split_whitespace().skip(11);
        let mut ticks = || times.next()?.parse::<f64>().ok();
        // A tick is a hundredth of a second on every Linux that programs see.
        Some((ticks()? + ticks()?) / 100.0)
    }

    /// The most memory that it has held so far, where the system tells.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// kill -9, and the corpse buried.
    pub fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        self.ended(status)
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub async fn end(self) -> Ended {
        self.end_within(LONGEST).await
    }

    /// Waits for its end, at most so long.
    pub async fn end_within(mut self, within: Duration) -> Ended {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return self.ended(status);
            }
            assert!(
                Instant::now() < deadline,
                "it did not end within {within:?}\n{}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn ended(&self, status: ExitStatus) -> Ended {
        Ended {
            code: status.code(),
            out: fs::read_to_string(&self.out).unwrap(),
            err: fs::read_to_string(&self.err).unwrap(),
            took: self.begun.elapsed(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|fault| panic!("{fault}\n{}\n{}", self.out, self.err))
    }

    /// Fails unless it ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.out,
            self.err
        );
        self
    }

    /// Everything that it said.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}
