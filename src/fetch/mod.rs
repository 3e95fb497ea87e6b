//! From a feed's source to a snapshot of its bytes, spooled to an unlinked file. What they mean is not asked here.
//!
//! - A body is hashed and written to disk while it comes, so that memory does not grow with it, and the network's
//!   time-outs have nothing to do with how long parsing takes.
//! - Every fetch ends: by a deadline, a least throughput, and limits on bytes as sent and as unpacked. What runs into a
//!   limit is an error, never a shorter body.
//! - Only 200 and 304 are good answers, and 304 only to validators that the same address gave.
//! - Every address on the way is judged before it is asked, a name also by what it resolves to.
//! - Keys are read for each fetch, go to the feed's own origin only, and appear in no text.
//! - A fetch that is dropped, or killed, leaves nothing behind.

mod address;
mod ask;
mod body;
mod client;
mod error;
mod file;
mod http;
mod kept;
mod lines;
mod misp;
mod pace;
mod redact;
mod resolve;
mod schedule;
mod secret;
mod source;
mod spool;
mod taxii;
#[cfg(test)]
mod tests;
mod trouble;
mod unpack;
mod zip;
mod zstd;

use std::path::PathBuf;
use std::time::Duration;

pub use address::{Refusal, permit_address, permit_url};
pub use body::Body;
pub use error::FetchError;
pub use redact::{looks_like_a_key, redact};
pub use schedule::{Past, floor_for, next_poll};
pub use secret::{Environment, Secret, SecretError};
pub use source::{HeaderNameError, HttpSource, Login, Source, Value, header_name};
pub use unpack::UnpackError;

/// What a publisher gave us to ask "has it changed?" with. To be kept as it is, and only once the body that came
/// with it has been recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Validators {
    /// The ETag, as it came.
    pub etag: Option<String>,
    /// Last-Modified, as it came.
    pub last_modified: Option<String>,
    /// The address, as [`redact()`] shows it, that gave them. They are sent to no other: a page that has not changed
    /// since before the feed moved away from it would answer 304 for ever.
    pub given_by: Option<String>,
    /// How far a TAXII collection or a MISP feed has been read. Without it the whole is fetched: leave it out where the
    /// feed is a snapshot.
    pub cursor: Option<String>,
}

impl Validators {
    /// The cursor, if it was given by `what`.
    fn cursor_from(&self, what: &str) -> Option<&str> {
        self.given_by
            .as_deref()
            .filter(|by| *by == what)
            .and(self.cursor.as_deref())
    }
}

/// Bounds of one fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes as sent.
    pub stored: u64,
    /// Bytes once unpacked.
    pub unpacked: u64,
    /// Of a zip archive with several members, the one to read: its name, or a glob that matches no other.
    pub member: Option<String>,
    /// From asking to the head of the answer, for each address on the way: name, connection and TLS included.
    pub first_byte: Duration,
    /// The length of a stretch of the body in which at least `least` bytes must come.
    pub stretch: Duration,
    /// Bytes that must come in each `stretch`; no progress and a drip of bytes fail alike.
    pub least: u64,
    /// From the beginning to the last byte, redirects included.
    pub total: Duration,
}

impl Limits {
    /// 128 MiB: twice the largest public list known (3.4 million networks).
    pub const STORED: u64 = 128 << 20;
    /// 512 MiB.
    pub const UNPACKED: u64 = 512 << 20;
    /// One minute: some publishers make the file when they are asked for it.
    pub const FIRST_BYTE: Duration = Duration::from_secs(60);
    /// Half a minute.
    pub const STRETCH: Duration = Duration::from_secs(30);
    /// 16 KiB in each half minute.
    pub const LEAST: u64 = 16 << 10;
    /// Ten minutes.
    pub const TOTAL: Duration = Duration::from_secs(600);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stored: Self::STORED,
            unpacked: Self::UNPACKED,
            member: None,
            first_byte: Self::FIRST_BYTE,
            stretch: Self::STRETCH,
            least: Self::LEAST,
            total: Self::TOTAL,
        }
    }
}

/// What a fetch brought.
#[derive(Debug)]
pub enum Fetched {
    /// The publisher says that nothing changed (304), or that nothing was added since the cursor.
    NotModified,
    /// A body; whether it is the same as the last one, its hash tells.
    Body(Box<Body>),
}

/// What holds for every fetch of this process.
#[derive(Clone, Debug)]
pub struct FetchPolicy {
    /// Whether feeds may stand on loopback and private addresses.
    pub allow_private: bool,
    /// The directory for bodies while they are worked on, best next to the ledger; nothing stays in it.
    pub spool_dir: PathBuf,
    /// An address (mail or web) under which publishers reach whoever runs this, sent in `User-Agent`.
    pub contact: Option<String>,
}

/// Fetches feeds. Cheap to clone; every fetch may be dropped at any moment.
#[derive(Clone, Debug)]
pub struct Fetcher {
    policy: FetchPolicy,
    client: reqwest::Client,
    kept: kept::Kept,
}

impl Fetcher {
    /// Makes a fetcher, and tries its spool directory.
    ///
    /// # Errors
    /// When the spool directory cannot be written, the contact cannot stand in a header, or the system has no root
    /// certificates.
    pub fn new(policy: FetchPolicy) -> Result<Self, FetchError> {
        spool::Spool::create(&policy.spool_dir, 0)?;
        let client = client::shared(&policy)?;
        let kept = kept::Kept::default();
        Ok(Self {
            policy,
            client,
            kept,
        })
    }

    /// A body that was fetched before, from the bytes that were kept of it. Where it ended is not known any
    /// more, so an unterminated last line of it is not believed.
    ///
    /// # Errors
    /// When the spool cannot be written.
    pub fn kept(&self, bytes: &[u8]) -> Result<Body, FetchError> {
        let limit = bytes.len() as u64;
        let mut spool = spool::Spool::create(&self.policy.spool_dir, limit)?;
        spool
            .push(bytes)
            .map_err(|fault| fault.of("the kept body", limit))?;
        let mut body = Body::new(spool.finish());
        body.ends_surely = false;
        Ok(body)
    }

    /// Fetches `source` within `limits`, asking only for what changed since `validators` were given.
    ///
    /// # Errors
    /// Whatever keeps the body from being whole and on disk; see [`FetchError`]. What the body holds is not looked at.
    pub async fn fetch(
        &self,
        source: &Source,
        validators: &Validators,
        limits: &Limits,
    ) -> Result<Fetched, FetchError> {
        let work = async {
            let dir = &self.policy.spool_dir;
            let body = match source {
                Source::Http(http) => return http::get(self, http, validators, limits).await,
                Source::Taxii(http) => {
                    return taxii::collect(self, http, validators, limits).await;
                }
                Source::Misp(http) => return misp::collect(self, http, validators, limits).await,
                Source::File(path) => file::read(dir, path, limits).await?,
                Source::Glob(pattern) => file::read_all(dir, pattern, limits).await?,
            };
            Ok(Fetched::Body(Box::new(body)))
        };
        tokio::time::timeout(limits.total, work)
            .await
            .unwrap_or_else(|_| {
                Err(FetchError::TotalTime {
                    what: source.to_string(),
                    limit: limits.total,
                })
            })
    }
}
