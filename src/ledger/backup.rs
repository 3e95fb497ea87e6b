//! A copy of the whole ledger while the daemon works.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{Ledger, LedgerError, Result};

/// Readable for its owner alone: it holds what the ledger holds, and nobody has said who else may read it.
const MODE: u32 = 0o600;

impl Ledger {
    /// Writes a copy of the ledger, as it is at this moment, to `path`, where nothing may be yet; only its owner may
    /// read it. The daemon goes on meanwhile, and nobody waits. Put in the ledger's place, the copy is a ledger.
    /// Returns its bytes.
    ///
    /// # Errors
    /// [`LedgerError::Backup`] where there is a file already, or the copy cannot be written.
    pub async fn backup(&self, path: &Path) -> Result<u64> {
        let fault = |reason: String| LedgerError::Backup {
            path: path.to_owned(),
            reason,
        };
        let text = path
            .to_str()
            .ok_or_else(|| fault("its name is not UTF-8".to_owned()))?;
        // SQLite copies into an empty file, and into no other. Whoever gives up leaves none behind.
        let new = Unfinished::make(path).map_err(|reason| fault(says(&reason)))?;
        let options = SqliteConnectOptions::new().filename(&self.path);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let copied = sqlx::query("VACUUM INTO ?")
            .bind(text)
            .execute(&mut connection)
            .await;
        connection.close().await?;
        copied.map_err(|reason| match LedgerError::from(reason) {
            LedgerError::Sql(reason) => fault(reason.to_string()),
            other => fault(other.to_string()),
        })?;
        let synced = tokio::task::spawn_blocking(move || new.finish());
        synced
            .await
            .unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
            .map_err(|reason| fault(says(&reason)))
    }
}

fn says(reason: &io::Error) -> String {
    match reason.kind() {
        ErrorKind::AlreadyExists => {
            "there is a file already, and a backup overwrites nothing".to_owned()
        }
        _ => reason.to_string(),
    }
}

/// A copy that is being made: half a copy looks like a whole one, so it is removed when it is dropped.
struct Unfinished {
    path: Option<PathBuf>,
}

impl Unfinished {
    fn make(path: &Path) -> io::Result<Self> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(path)?;
        Ok(Self {
            path: Some(path.to_owned()),
        })
    }

    /// Waits until the copy is on the disk; its bytes.
    fn finish(mut self) -> io::Result<u64> {
        let Some(path) = self.path.as_ref() else {
            return Ok(0);
        };
        let file = File::open(path)?;
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        self.path = None;
        Ok(bytes)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // It was told why there is no copy; there is nobody to tell that its beginning stays.
            let _ = std::fs::remove_file(path);
        }
    }
}
