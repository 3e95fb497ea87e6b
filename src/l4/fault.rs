//! What is wrong with a rule file: every fault at once, each with its line and field.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Why a rule file gives no rules.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read at all.
    #[error("the rule file {} cannot be read: {fault}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        fault: std::io::Error,
    },
    /// It is larger than any rule file.
    #[error("{} is larger than {most} bytes, which no rule file is", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        most: u64,
    },
    /// It was read, and something in it is wrong.
    #[error(transparent)]
    Faults(#[from] RuleFaults),
}

/// Every fault of one file, sorted by line; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFaults {
    file: String,
    faults: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// 1-based; 0 where the file as a whole is meant.
    pub line: usize,
    /// The key or column; empty where the rule as a whole is meant.
    pub field: &'static str,
    /// What is wrong and what to do: one sentence without a full stop.
    pub message: String,
}

impl Fault {
    /// A fault on `line`, at `field`.
    pub(super) fn new(line: usize, field: &'static str, message: impl ToString) -> Self {
        Self {
            line,
            field,
            message: message.to_string(),
        }
    }
}

impl RuleFaults {
    /// Sorts `faults` and drops repetitions.
    pub(super) fn collect(file: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort();
        faults.dedup();
        let file = file.escape_debug().to_string();
        Self { file, faults }
    }

    /// The faults, sorted by line.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for RuleFaults {
    /// One fault a line, as `FILE:LINE: FIELD: message`, then their number.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, faults } = self;
        for Fault {
            line,
            field,
            message,
        } in faults
        {
            write!(out, "{file}")?;
            if *line > 0 {
                write!(out, ":{line}")?;
            }
            if !field.is_empty() {
                write!(out, ": {field}")?;
            }
            writeln!(out, ": {message}")?;
        }
        let plural = if faults.len() == 1 { "" } else { "s" };
        write!(out, "{} fault{plural} in {file}", faults.len())
    }
}

impl std::error::Error for RuleFaults {}
