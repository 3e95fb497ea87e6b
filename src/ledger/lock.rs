//! One daemon per ledger: a lock on a file beside it, which the system frees when the process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::{LedgerError, Result};

/// How often a start tries again while only commands are in its way, which hold the lock for microseconds.
const TRIES: u32 = 100_000;

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
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if is_exclusive(&file) => break,
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
                Err(TryLockError::Error(fault)) => return Err(open(fault)),
            }
        }
        Err(LedgerError::Locked(path.to_owned()))
    }

    /// Whether a daemon holds the ledger at `path` just now.
    #[must_use]
    pub fn is_held(path: &Path) -> bool {
        File::open(lock_path(path)).is_ok_and(|file| is_exclusive(&file))
    }
}

/// Whether a daemon holds the lock: commands that ask share it among themselves.
fn is_exclusive(file: &File) -> bool {
    let held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    // Failing to free what is not held says nothing more.
    let _ = file.unlock();
    held
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
