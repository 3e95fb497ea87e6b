//! Why the guards cannot be set up.

use std::path::PathBuf;
use std::{fmt, io};

use thiserror::Error;

use super::allowlist::MOST_FILE_BYTES;
use crate::model::IndicatorError;

/// Why the guards cannot be set up.
#[derive(Debug, Error)]
pub enum GuardError {
    /// `[guard] files` holds what is no pattern.
    #[error("`{pattern}` under [guard] files is no pattern for file names: {reason}")]
    Pattern {
        /// As the config has it.
        pattern: String,
        /// What the pattern's parser says.
        reason: String,
    },
    /// A file, or a directory on the way to one, that cannot be read.
    #[error("the allowlist {} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A directory, a device or a pipe.
    #[error("the allowlist {} is no regular file", path.display())]
    NoFile {
        /// What it is called.
        path: PathBuf,
    },
    /// Larger than [`MOST_FILE_BYTES`].
    #[error("the allowlist {} is larger than {} MiB; is it one?", path.display(), MOST_FILE_BYTES >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Bytes that are no text.
    #[error("{}:{line}: the line is not UTF-8 text", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u32,
    },
    /// A line that is neither an indicator nor a comment.
    #[error("{}:{line}: {text:?} cannot be allowed: {reason}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u32,
        /// The line's text, cut after 80 characters.
        text: String,
        /// Which rule of indicators it breaks.
        reason: IndicatorError,
    },
    /// More than 20 bad lines: the file is something else.
    #[error("{} has more bad lines than are told here; is it an allowlist?", path.display())]
    ManyFaults {
        /// The file.
        path: PathBuf,
    },
    /// An entry of the operator's own that would end nearly all blocking, such as `198.51.100.0/0`.
    #[error(
        "{place}: {entry} is wider than /{least}, and allowing it would end most blocking; \
         write it narrower, or lower [guard] min_prefix"
    )]
    TooWide {
        /// The file and line, or the key of the config.
        place: String,
        /// The network.
        entry: String,
        /// The shortest prefix of its family that may be allowed.
        least: u8,
    },
}

/// Every fault found, never none: guarding less than was asked for would go unseen, so any of them stops
/// the start.
#[derive(Debug)]
pub struct GuardFaults(pub Vec<GuardError>);

impl fmt::Display for GuardFaults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an allowlist that cannot be taken whole stops the start:")?;
        for fault in &self.0 {
            write!(out, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for GuardFaults {}
