//! Opening the file: nobody else's is touched, and ours only by a program that knows its schema.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};

use super::{Ledger, LedgerError, Result};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// `PRAGMA application_id` of a ledger: "fwal".
const APPLICATION_ID: i64 = 0x6677_616c;

/// The first SQLite in which two processes on one write-ahead log cannot damage the file (the WAL-reset bug,
/// sqlite.org/wal.html §11).
const SOUND_SQLITE: [u32; 3] = [3, 51, 3];

/// KiB of pages that the writer keeps: what a chunk of a scattered poll touches. Less, and SQLite writes pages
/// out in the middle of a transaction only to read them again.
const WRITER_CACHE: &str = "-16000";

/// Pages in the write-ahead log before a commit moves them into the file: 8 MB, so that a page which many
/// settles change is moved once.
const CHECKPOINT: &str = "2000";

/// Bytes to which the write-ahead log is cut back after a load.
const LOG_LIMIT: &str = "67108864";

impl Ledger {
    /// Opens the ledger at `path` for the daemon: creates it where there is none, and migrates it.
    ///
    /// # Errors
    /// [`LedgerError`] where the file is foreign, newer than this program, damaged, or cannot be written.
    pub async fn open(path: &Path) -> Result<Self> {
        refuse_foreign(path).await?;
        make(path);
        let ledger = Self::connect(path, true).await?;
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
        refuse_foreign(path).await?;
        let ledger = Self::connect(path, false).await?;
        ledger.refuse_other_schema().await?;
        Ok(ledger)
    }

    async fn connect(path: &Path, create: bool) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(30))
            .statement_cache_capacity(200)
            .pragma("wal_autocheckpoint", CHECKPOINT)
            .pragma("journal_size_limit", LOG_LIMIT);
        // Only a file that is being made takes this, and to tell it to another writes to it: what is swept goes back to
        // the disk, some pages at a time.
        let options = match header(path) {
            Ok(Header::Empty) => options.auto_vacuum(SqliteAutoVacuum::Incremental),
            _ => options,
        };
        let writer = pool(1)
            .acquire_timeout(Duration::from_secs(600))
            .after_release(|connection, _| Box::pin(is_usable(connection)))
            .connect_with(options.clone().pragma("cache_size", WRITER_CACHE))
            .await
            .map_err(|fault| LedgerError::open(path, fault))?;
        let options = options.pragma("query_only", "ON");
        let watcher = pool(1).connect_lazy_with(options.clone());
        let readers = pool(4).connect_lazy_with(options);
        refuse_unsound(&writer).await?;
        Ok(Self {
            writer,
            readers,
            watcher,
            recent: Arc::default(),
            path: path.to_owned(),
        })
    }

    async fn refuse_other_schema(&self) -> Result<()> {
        let migrated: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')",
        )
        .fetch_one(&self.writer)
        .await?;
        if !migrated {
            return Err(LedgerError::Older(self.path.clone()));
        }
        let applied: Option<i64> =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&self.writer)
                .await?;
        let known = MIGRATIONS.iter().map(|step| step.version).max();
        match applied.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(LedgerError::Older(self.path.clone())),
            std::cmp::Ordering::Greater => Err(LedgerError::Newer(self.path.clone())),
        }
    }
}

/// Makes the file where there is none. SQLite itself would leave the group no right to write, and it gives the files
/// beside the ledger the ledger's own mode: so one umask, that of whoever made it, holds for all of them, and a command
/// of another member of the group leaves nothing that the daemon cannot write.
fn make(path: &Path) {
    // Where it cannot be made, opening it says why.
    let _ = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o660)
        .open(path);
}

/// A local file's connections neither go stale nor grow old.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// A full or failing disk makes SQLite roll a transaction back by itself. The connection still counts it as
/// open then and refuses to begin another, so it is replaced.
async fn is_usable(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // A rollback may be on its way; behind it in the queue the count is true.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Judges a file by its header, and where that does not tell by a look inside that changes nothing: opening it
/// as a ledger would already write to it.
async fn refuse_foreign(path: &Path) -> Result<()> {
    let ours = match header(path).map_err(|fault| LedgerError::Open {
        path: path.to_owned(),
        reason: fault.to_string(),
    })? {
        Header::Empty => true,
        Header::Sqlite(id) if i64::from(id) == APPLICATION_ID => true,
        // A first start that was broken off has its header in the write-ahead log still, or nowhere.
        Header::Sqlite(0) => is_unclaimed(path)
            .await
            .map_err(|fault| LedgerError::open(path, fault))?,
        Header::Sqlite(_) | Header::Other => false,
    };
    if ours {
        Ok(())
    } else {
        Err(LedgerError::Foreign(path.to_owned()))
    }
}

enum Header {
    /// No file, or nothing in it.
    Empty,
    /// A SQLite file with this application id (sqlite.org/fileformat2.html §1.3).
    Sqlite(u32),
    Other,
}

fn header(path: &Path) -> std::io::Result<Header> {
    let file = match File::open(path) {
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(Header::Empty),
        other => other?,
    };
    let mut head = Vec::new();
    file.take(100).read_to_end(&mut head)?;
    let id = head.get(68..72).and_then(|id| <[u8; 4]>::try_from(id).ok());
    Ok(match id.map(u32::from_be_bytes) {
        _ if head.is_empty() => Header::Empty,
        Some(id) if head.starts_with(b"SQLite format 3\0") => Header::Sqlite(id),
        _ => Header::Other,
    })
}

/// Whether a SQLite file without an application id is a ledger in the making.
async fn is_unclaimed(path: &Path) -> sqlx::Result<bool> {
    // Without a log beside it the file is all there is, and can be read without the files that guard a log.
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(!super::log_of(path).exists());
    let pool = pool(1).connect_with(options).await?;
    let id: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&pool)
        .await?;
    let strangers: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations')",
    )
    .fetch_one(&pool)
    .await?;
    pool.close().await;
    Ok(id == APPLICATION_ID || (id == 0 && !strangers))
}

async fn refuse_unsound(pool: &SqlitePool) -> Result<()> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(pool)
        .await?;
    if is_sound(&version) {
        Ok(())
    } else {
        Err(LedgerError::UnsoundSqlite(version))
    }
}

/// Whether `version` is 3.51.3 or later.
pub(super) fn is_sound(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let mut part = || parts.next().flatten().unwrap_or(0);
    [part(), part(), part()] >= SOUND_SQLITE
}
