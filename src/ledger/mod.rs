//! The ledger: every line of SQL, in short transactions that are never open across a network call.
//!
//! One SQLite file in WAL mode. One writer connection behind a fair queue, so that a settle never waits for
//! more than one chunk of a load; separate readers. Commits are `synchronous = NORMAL`, but for the journal
//! of calls, which must be on the disk before a call leaves.

mod bulk;
mod by_hand;
mod calls;
mod error;
mod feeds;
mod firewalls;
mod hand;
mod header;
mod leases;
mod listings;
mod lock;
mod read;
mod read_back;
mod snapshots;
mod story;
mod trials;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};

pub use self::by_hand::{BY_HAND, HandWord};
pub use self::calls::{CallRow, LastCall, NewCall, Outcome, Settlement};
pub use self::error::LedgerError;
pub use self::feeds::{FeedRow, FeedState, PollOutcome};
pub use self::firewalls::{FirewallRow, PlanSummary};
pub use self::leases::{LeaseCounts, LeaseRow};
pub use self::listings::Delta;
pub use self::lock::DaemonLock;
pub use self::read::FeedListings;
pub use self::read_back::ReadState;
pub use self::snapshots::{GoodBody, HeldSnapshot};
pub use self::story::ClassCount;
pub use self::trials::Quarantined;

type Result<T> = std::result::Result<T, LedgerError>;
type Tx = Transaction<'static, Sqlite>;

/// Rows in one write transaction of a load, so that nobody waits long behind it.
const CHUNK: usize = 5_000;

/// What was learned about a firewall is believed for so long, and then tried again.
pub const LEARNED_FOR: Duration = Duration::from_secs(86_400);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// An open ledger. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Ledger {
    writer: SqlitePool,
    readers: SqlitePool,
    path: PathBuf,
}

impl Ledger {
    /// Opens the ledger at `path` for the daemon: creates it where there is none, and migrates it.
    ///
    /// # Errors
    /// [`LedgerError`] where the file is foreign, newer than this program, damaged, or cannot be written.
    pub async fn open(path: &Path) -> Result<Self> {
        let ledger = Self::connect(path, true).await?;
        ledger.refuse_foreign().await?;
        MIGRATIONS
            .run(&ledger.writer)
            .await
            .map_err(|fault| LedgerError::migrate(path, fault))?;
        Ok(ledger)
    }

    /// Opens a ledger that the daemon made, for a command that asks or leaves a request. Creates and
    /// migrates nothing.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] where there is none; else as [`Ledger::open`].
    pub async fn open_existing(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(LedgerError::Missing(path.to_owned()));
        }
        let ledger = Self::connect(path, false).await?;
        ledger.refuse_foreign().await?;
        ledger.refuse_other_schema().await?;
        Ok(ledger)
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file and its write-ahead log.
    #[must_use]
    pub fn size(&self) -> u64 {
        let wal = self.path.with_file_name(format!(
            "{}-wal",
            self.path.file_name().unwrap_or_default().to_string_lossy()
        ));
        [self.path.as_path(), wal.as_path()]
            .iter()
            .filter_map(|file| std::fs::metadata(file).ok())
            .map(|meta| meta.len())
            .sum()
    }

    /// Checkpoints and closes every connection. Call it before the process ends.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn connect(path: &Path, create: bool) -> Result<Self> {
        header::refuse_stranger(path).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(30))
            .statement_cache_capacity(200);
        let open = |fault| LedgerError::open(path, fault);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(Duration::from_secs(600))
            .connect_with(options.clone())
            .await
            .map_err(open)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self {
            writer,
            readers,
            path: path.to_owned(),
        })
    }

    async fn begin(&self) -> Result<Tx> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn refuse_foreign(&self) -> Result<()> {
        let mut writer = self.writer.acquire().await?;
        let ours = is_ours(&mut writer)
            .await
            .map_err(|fault| LedgerError::open(&self.path, fault))?;
        if ours {
            Ok(())
        } else {
            Err(LedgerError::Foreign(self.path.clone()))
        }
    }

    async fn refuse_other_schema(&self) -> Result<()> {
        let applied: Option<i64> =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&self.writer)
                .await
                .map_err(|_| LedgerError::Foreign(self.path.clone()))?;
        let known = MIGRATIONS.iter().map(|step| step.version).max();
        match applied.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(LedgerError::Older(self.path.clone())),
            std::cmp::Ordering::Greater => Err(LedgerError::Newer(self.path.clone())),
        }
    }
}

/// Whether the file is a ledger, or nothing yet.
async fn is_ours(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let id: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await?;
    // A start that was killed before its first migration was through leaves only sqlx's own table.
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations'",
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(id == APPLICATION_ID || (id == 0 && tables == 0))
}

/// `PRAGMA application_id` of a ledger: "fwal".
const APPLICATION_ID: i64 = 0x6677_616c;
