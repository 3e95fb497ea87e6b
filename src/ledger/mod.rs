//! The ledger: every line of SQL, in short transactions that are never open across a network call.
//!
//! One SQLite file in WAL mode. One writer connection behind a fair queue, so that a settle never waits for
//! more than one chunk of a load; separate readers. Commits are `synchronous = NORMAL`, but for the journal
//! of calls, which must be on the disk before a call leaves.

mod backup;
mod bearing;
mod bulk;
mod by_hand;
mod calls;
mod drop_feed;
mod error;
mod feeds;
mod firewalls;
mod guard_lists;
mod hand;
mod l4;
mod learned;
mod leases;
mod listing_rows;
mod listings;
mod lock;
mod open;
mod quarantine;
mod read;
mod read_back;
mod recent;
mod samples;
mod snapshots;
mod standing;
mod story;
mod sweep;
mod trials;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};

pub use self::by_hand::{BY_HAND, HandWord};
pub use self::calls::{CallRow, LastCall, NewCall, Outcome, Settlement};
pub use self::error::LedgerError;
pub use self::feeds::{FeedRow, FeedState, PollOutcome};
pub use self::firewalls::{FirewallRow, PlanSummary};
pub use self::guard_lists::Role;
pub use self::l4::{L4Action, L4CallRow, L4Item, L4RuleRow, L4Settlement, NewL4Call};
pub use self::leases::{LeaseCounts, LeaseRow};
pub use self::listings::Delta;
pub use self::lock::{DaemonLock, L4Lock};
pub use self::quarantine::Quarantined;
pub use self::read::FeedListings;
pub use self::read_back::{FeedHits, ReadState};
pub use self::samples::{CallTotal, Sample};
pub use self::snapshots::{GoodBody, HeldSnapshot};
pub use self::story::ClassCount;
pub use self::sweep::Swept;

type Result<T> = std::result::Result<T, LedgerError>;
type Tx = Transaction<'static, Sqlite>;

/// Rows in one write transaction of a load, so that nobody waits long behind it.
const CHUNK: usize = 5_000;

/// What was learned about a firewall is believed for so long, and then tried again.
pub const LEARNED_FOR: Duration = Duration::from_secs(86_400);

/// An open ledger. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Ledger {
    writer: SqlitePool,
    readers: SqlitePool,
    /// One connection that never writes, by which a change is seen.
    watcher: SqlitePool,
    recent: Arc<recent::Recent>,
    path: PathBuf,
}

impl Ledger {
    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file and its write-ahead log.
    #[must_use]
    pub fn size(&self) -> u64 {
        [self.path.as_path(), &log_of(&self.path)]
            .iter()
            .filter_map(|file| std::fs::metadata(file).ok())
            .map(|meta| meta.len())
            .sum()
    }

    /// Checkpoints and closes every connection. Call it before the process ends.
    pub async fn close(&self) {
        self.watcher.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Tx> {
        begin(&self.writer).await
    }
}

/// The write-ahead log of the file at `path`.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

async fn begin(writer: &SqlitePool) -> Result<Tx> {
    Ok(writer.begin_with("BEGIN IMMEDIATE").await?)
}
