//! One daemon per ledger, and one command that changes proxy rules: locks on files beside it, which the system frees
//! when the process dies.

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

/// Held while proxy rules are changed. It is not the daemon's: the two do not touch each other's rows, and their
/// calls have limits of their own.
#[derive(Debug)]
pub struct L4Lock {
    _file: File,
}

impl DaemonLock {
    /// Takes the lock of the ledger at `path`, creating the lock file and the ledger's folder.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] while another process holds it.
    pub fn take(path: &Path) -> Result<Self> {
        let held = || LedgerError::Locked(path.to_owned());
        take(path, DAEMON, held).map(|file| Self { _file: file })
    }

    /// Whether a daemon holds the ledger at `path` just now.
    #[must_use]
    pub fn is_held(path: &Path) -> bool {
        File::open(lock_path(path, DAEMON)).is_ok_and(|file| is_exclusive(&file))
    }
}

impl L4Lock {
    /// Takes the lock for proxy rules of the ledger at `path`, creating the lock file and the ledger's folder.
    ///
    /// # Errors
    /// [`LedgerError::L4Locked`] while another process holds it.
    pub fn take(path: &Path) -> Result<Self> {
        let held = || LedgerError::L4Locked(path.to_owned());
        take(path, L4, held).map(|file| Self { _file: file })
    }
}

const DAEMON: &str = ".lock";
const L4: &str = ".l4.lock";

fn take(path: &Path, ending: &str, held: impl FnOnce() -> LedgerError) -> Result<File> {
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
        .open(lock_path(path, ending))
        .map_err(open)?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if is_exclusive(&file) => break,
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            Err(TryLockError::Error(fault)) => return Err(open(fault)),
        }
    }
    Err(held())
}

/// Whether somebody holds the lock: commands that ask share it among themselves.
fn is_exclusive(file: &File) -> bool {
    let held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    // Failing to free what is not held says nothing more.
    let _ = file.unlock();
    held
}

fn lock_path(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
