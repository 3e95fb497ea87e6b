//! What a file says of itself before SQLite opens it as a ledger: that alone would change a stranger's file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{APPLICATION_ID, LedgerError, Result, is_ours};

/// The first bytes of a SQLite file (<https://www.sqlite.org/fileformat2.html#the_database_header>).
const LENGTH: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Where `PRAGMA application_id` stands in it.
const APPLICATION: std::ops::Range<usize> = 68..72;

/// SQLITE_READONLY, the primary code.
const READ_ONLY: u32 = 8;

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// There is none, or nothing in it.
    Nobody,
    /// It carries a ledger's mark.
    Us,
    /// A SQLite file without a mark: another program's, or a ledger whose first start was cut short.
    Unmarked,
    /// Something else.
    Stranger,
}

/// Reads whose the file at `path` is.
pub(super) fn owner(path: &Path) -> io::Result<Owner> {
    let file = match File::open(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Owner::Nobody),
        opened => opened?,
    };
    let mut head = Vec::with_capacity(LENGTH);
    file.take(LENGTH as u64).read_to_end(&mut head)?;
    let mark = head.get(APPLICATION).and_then(|mark| mark.try_into().ok());
    Ok(match mark.map(u32::from_be_bytes).map(i64::from) {
        _ if head.is_empty() => Owner::Nobody,
        _ if !head.starts_with(MAGIC) => Owner::Stranger,
        Some(APPLICATION_ID) => Owner::Us,
        Some(0) => Owner::Unmarked,
        _ => Owner::Stranger,
    })
}

/// Refuses another program's file, without a trace in it.
///
/// # Errors
/// [`LedgerError::Foreign`], or what keeps the file from being read.
pub(super) async fn refuse_stranger(path: &Path) -> Result<()> {
    let unreadable = |fault: io::Error| LedgerError::Open {
        path: path.to_owned(),
        reason: fault.to_string(),
    };
    match owner(path).map_err(unreadable)? {
        Owner::Nobody | Owner::Us => Ok(()),
        Owner::Stranger => Err(LedgerError::Foreign(path.to_owned())),
        Owner::Unmarked => ask(path).await,
    }
}

/// A connection that only reads leaves the file as it is. What it may not read, because a transaction must be
/// rolled back first, is looked at again by the connection that may.
async fn ask(path: &Path) -> Result<()> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let answer = async {
        let mut reader = options.connect().await?;
        let answer = is_ours(&mut reader).await;
        // It has nothing to write on its way out.
        let _ = reader.close().await;
        answer
    };
    match answer.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(LedgerError::Foreign(path.to_owned())),
        Err(fault) if LedgerError::code(&fault).is_some_and(|code| code & 0xff == READ_ONLY) => {
            Ok(())
        }
        Err(fault) => Err(LedgerError::open(path, fault)),
    }
}
