//! What can go wrong with the ledger, in sentences that say what to do.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::KeyError;

/// SQLITE_IOERR_SHMSIZE: the index of the write-ahead log finds no space.
const SHM_SIZE: u32 = 4874;

/// Why the ledger could not be opened, read or written.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// A command asked for a ledger that no daemon made.
    #[error(
        "there is no ledger at {}: start `feedwall run` once, or name the right config with --config",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file belongs to another program.
    #[error(
        "{} is not a feedwall ledger; it was left as it is. Give `[ledger] path` another file",
        .0.display()
    )]
    Foreign(PathBuf),
    /// The schema is of a later version.
    #[error(
        "the ledger {} was written by a newer feedwall; it was left as it is. Install that version again, or restore a backup made before the upgrade",
        .0.display()
    )]
    Newer(PathBuf),
    /// The schema is of an earlier version, and only the daemon migrates.
    #[error(
        "the ledger {} was written by an older feedwall: start the daemon once, which migrates it",
        .0.display()
    )]
    Older(PathBuf),
    /// The SQLite inside this program is too old for two processes on one file.
    #[error(
        "this feedwall was built with SQLite {0}, in which the daemon and a command can damage the ledger between them: use a build with SQLite 3.51.3 or later"
    )]
    UnsoundSqlite(String),
    /// Another daemon holds the lock.
    #[error(
        "another feedwall holds the ledger {}: stop it first, or ask it with `feedwall status`",
        .0.display()
    )]
    Locked(PathBuf),
    /// Another process changes proxy rules.
    #[error("another `feedwall l4` is at work with the ledger {}: wait until it is done", .0.display())]
    L4Locked(PathBuf),
    /// Opening failed.
    #[error("the ledger {} cannot be opened: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A copy could not be made.
    #[error("the ledger cannot be copied to {}: {reason}", path.display())]
    Backup {
        /// The file that was to be written.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// SQLITE_FULL.
    #[error(
        "the disk that holds the ledger is full: nothing was lost, and nothing more is recorded or sent until there is space"
    )]
    DiskFull,
    /// SQLITE_CORRUPT, SQLITE_NOTADB.
    #[error(
        "the ledger is damaged ({0}): stop feedwall, keep the file, and restore a backup; the cloud keeps its entries until their EndTime"
    )]
    Corrupt(String),
    /// Anything else that SQLite says.
    #[error("the ledger refused a statement: {0}")]
    Sql(sqlx::Error),
    /// A row that this program would not have written.
    #[error("the ledger holds a row that cannot be read ({0}): restore a backup")]
    Row(String),
}

impl LedgerError {
    pub(super) fn open(path: &Path, fault: sqlx::Error) -> Self {
        match Self::from(fault) {
            Self::Sql(fault) => Self::Open {
                path: path.to_owned(),
                reason: reason(&fault),
            },
            other => other,
        }
    }

    /// SQLite's extended result code.
    pub(super) fn code(fault: &sqlx::Error) -> Option<u32> {
        let database = fault.as_database_error()?;
        database.code()?.parse().ok()
    }

    pub(super) fn migrate(path: &Path, fault: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match fault {
            MigrateError::VersionMissing(_)
            | MigrateError::VersionTooNew(..)
            | MigrateError::VersionMismatch(_) => Self::Newer(path.to_owned()),
            MigrateError::Execute(fault) | MigrateError::ExecuteMigration(fault, _) => {
                Self::open(path, fault)
            }
            other => Self::Open {
                path: path.to_owned(),
                reason: other.to_string(),
            },
        }
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(fault: sqlx::Error) -> Self {
        // The low byte is SQLite's primary result code, the rest says more of the same.
        match Self::code(&fault).map(|code| (code, code & 0xff)) {
            Some((_, 13) | (SHM_SIZE, _)) => Self::DiskFull,
            Some((_, 11 | 26)) => Self::Corrupt(reason(&fault)),
            _ => Self::Sql(fault),
        }
    }
}

impl From<KeyError> for LedgerError {
    fn from(fault: KeyError) -> Self {
        Self::Row(fault.to_string())
    }
}

fn reason(fault: &sqlx::Error) -> String {
    fault.as_database_error().map_or_else(
        || fault.to_string(),
        |database| database.message().to_owned(),
    )
}
