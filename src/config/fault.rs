//! Faults with their places, and the errors that carry them.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no config to work with.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Nothing stands there.
    #[error("there is no config at {0}; `--config FILE` names another")]
    Missing(PathBuf),
    /// It is there and cannot be read.
    #[error("the config {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is no config, by its size.
    #[error(
        "{path} is larger than {most} bytes, so it is no config; `--config FILE` names another"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        most: u64,
    },
    /// It was read, and something in it is wrong.
    #[error(transparent)]
    Faults(#[from] ConfigFaults),
}

/// Every fault of one file, sorted by line; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFaults {
    file: String,
    faults: Vec<Fault>,
}

/// One thing that is wrong in the file, or (as a warning) probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// 1-based; 0 where the file as a whole is meant.
    pub line: usize,
    /// 1-based, in characters; only where the text is no TOML.
    pub column: Option<usize>,
    /// The section, such as `[[feed]] "feodo"`, and the key, as far as they are known.
    pub place: Vec<String>,
    /// What is wrong and what to do: one sentence without a full stop.
    pub message: String,
}

/// The text's lines, to turn the parser's byte offsets into what an editor shows.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl ConfigFaults {
    /// A single fault.
    pub(super) fn one(file: &str, fault: Fault) -> Self {
        Self {
            file: file.escape_debug().to_string(),
            faults: vec![fault],
        }
    }

    /// Sorts `faults` and drops repetitions; `None` where there are none.
    pub(super) fn collect(file: &str, mut faults: Vec<Fault>) -> Option<Self> {
        faults.sort();
        faults.dedup();
        let file = file.escape_debug().to_string();
        (!faults.is_empty()).then_some(Self { file, faults })
    }

    /// The faults, sorted by line.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for ConfigFaults {
    /// One fault a line, then their number.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(out, "{}", fault.located(&self.file))?;
        }
        let plural = if self.faults.len() == 1 { "" } else { "s" };
        write!(out, "{} fault{plural} in {}", self.faults.len(), self.file)
    }
}

impl std::error::Error for ConfigFaults {}

impl Fault {
    /// A fault on `line`, in the section and under the key that `place` names; empty parts are left out.
    pub(super) fn new(line: usize, place: &[&str], message: impl Into<String>) -> Self {
        Self {
            line,
            column: None,
            place: place
                .iter()
                .filter(|part| !part.is_empty())
                .map(|part| (*part).to_owned())
                .collect(),
            message: message.into(),
        }
    }

    /// The fault as `FILE:LINE: PLACE: KEY: message`.
    pub(super) fn located(&self, file: &str) -> String {
        let mut text = file.to_owned();
        let line = Some(self.line).filter(|line| *line > 0);
        for number in [line, self.column].into_iter().flatten() {
            text.push_str(&format!(":{number}"));
        }
        for part in self.place.iter().chain([&self.message]) {
            text.push_str(": ");
            text.push_str(part);
        }
        text
    }
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let starts = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(starts).collect(),
        }
    }

    /// The 1-based line of a byte.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }

    /// The 1-based column of a byte, in characters.
    pub(super) fn column(&self, byte: usize) -> usize {
        let start = self.starts.get(self.line(byte).saturating_sub(1));
        let before = start.and_then(|start| self.text.get(*start..byte));
        before.map_or(1, |before| before.chars().count() + 1)
    }

    /// The end of the last line that has text.
    pub(super) fn text_end(&self) -> usize {
        self.text.trim_end().len()
    }
}
