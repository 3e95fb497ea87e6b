//! From a feed's source to a snapshot of its bytes, spooled to an unlinked file. Nothing is parsed here.

use std::fs::File;
use std::io::{self, BufRead};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// Where a feed comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `http://` or `https://`.
    Http(Url),
    /// A file on this machine (`path = …` or `file:///…`).
    File(PathBuf),
}

/// What a publisher gave us to ask "has it changed?" with.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Validators {
    /// The ETag, as it came.
    pub etag: Option<String>,
    /// Last-Modified, as it came.
    pub last_modified: Option<String>,
}

/// Bounds of one fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes as sent.
    pub stored: u64,
    /// Bytes once unpacked.
    pub unpacked: u64,
    /// Until the first byte of the answer.
    pub first_byte: Duration,
    /// Until the last.
    pub total: Duration,
}

/// What a fetch brought.
#[derive(Debug)]
pub enum Fetched {
    /// The publisher says that nothing changed (304), or the file is the same.
    NotModified,
    /// A body.
    Body(Body),
}

/// A fetched body, as it was sent.
#[derive(Debug)]
pub struct Body {
    /// The spool: unlinked, positioned anywhere.
    pub file: File,
    /// Bytes as sent.
    pub stored: u64,
    /// SHA-256 of the bytes as sent.
    pub sha256: [u8; 32],
    /// To be kept once the body has been recorded.
    pub validators: Validators,
    /// The answer said where it ends (length or chunks), so that the last line is surely whole.
    pub ends_surely: bool,
    /// The address to which a permanent redirect (301, 308) led.
    pub moved_to: Option<Url>,
}

impl Body {
    /// The unpacked bytes from the beginning.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn reader(&self, limits: &Limits) -> io::Result<Box<dyn BufRead + Send>> {
        let _ = limits;
        todo!("skeleton")
    }
}
