//! One daemon per ledger: a lock on a file beside it, which the system frees when the process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::{LedgerError, Result};

/// Held for the daemon's life. Only its holder sends list calls.
#[derive(Debug)]
pub struct DaemonLock {
    _file: File,
}

impl DaemonLock {
    /// Takes the lock of the ledger at `path`, creating the lock file and the ledger's folder.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] while another process holds it.
    pub fn take(path: &Path) -> Result<Self> {
        let open = |fault: std::io::Error| LedgerError::Open {
            path: path.to_owned(),
            reason: fault.to_string(),
        };
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(open)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(lock_path(path))
            .map_err(open)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LedgerError::Locked(path.to_owned())),
            Err(TryLockError::Error(fault)) => Err(open(fault)),
        }
    }

    /// Whether a daemon holds the ledger at `path` just now.
    #[must_use]
    pub fn is_held(path: &Path) -> bool {
        File::open(lock_path(path))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
