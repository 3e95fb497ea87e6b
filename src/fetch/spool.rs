//! Where a body is kept between the network and the parser: a file without a name, which a crash leaves no trace of.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::FetchError;

/// An unlinked file that grows up to a limit, and is hashed on the way.
pub(super) struct Spool {
    dir: PathBuf,
    file: File,
    hash: Sha256,
    stored: u64,
    pub(super) limit: u64,
}

/// A spool that is whole.
pub(super) struct Spooled {
    pub(super) file: File,
    pub(super) stored: u64,
    pub(super) sha256: [u8; 32],
}

/// More came than the spool takes, or the disk took no more.
#[derive(Debug)]
pub(super) enum SpoolError {
    TooLarge,
    Disk(FetchError),
}

impl Spool {
    /// An empty spool in `dir` for at most `limit` bytes.
    pub(super) fn create(dir: &Path, limit: u64) -> Result<Self, FetchError> {
        let file = tempfile::tempfile_in(dir).map_err(|error| disk_error(dir, error))?;
        Ok(Self {
            dir: dir.to_owned(),
            file,
            hash: Sha256::new(),
            stored: 0,
            limit,
        })
    }

    /// Appends `bytes`, or none of them if they do not fit.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        let grown = self.room_for(bytes.len() as u64)?;
        self.file
            .write_all(bytes)
            .map_err(|error| SpoolError::Disk(disk_error(&self.dir, error)))?;
        self.hash.update(bytes);
        self.stored = grown;
        Ok(())
    }

    /// How long the spool would be with so many more bytes.
    pub(super) fn room_for(&self, bytes: u64) -> Result<u64, SpoolError> {
        match self.stored.checked_add(bytes) {
            Some(grown) if grown <= self.limit => Ok(grown),
            _ => Err(SpoolError::TooLarge),
        }
    }

    pub(super) fn finish(self) -> Spooled {
        Spooled {
            file: self.file,
            stored: self.stored,
            sha256: self.hash.finalize().into(),
        }
    }
}

impl SpoolError {
    /// Says what was too large.
    pub(super) fn of(self, what: &str, limit: u64) -> FetchError {
        match self {
            Self::TooLarge => FetchError::TooLarge {
                what: what.to_owned(),
                limit,
            },
            Self::Disk(error) => error,
        }
    }
}

fn disk_error(dir: &Path, reason: io::Error) -> FetchError {
    let dir = dir.to_owned();
    match reason.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FetchError::SpoolFull { dir },
        _ => FetchError::Spool { dir, reason },
    }
}

/// The way from the network's task to the disk: bytes are gathered, and written and hashed on a blocking thread, so
/// that neither a slow disk nor a fast feed holds up the daemon's other tasks.
pub(super) struct Gather {
    spool: Spool,
    buffer: Vec<u8>,
}

impl Gather {
    const BUFFER: usize = 256 << 10;

    pub(super) fn new(spool: Spool) -> Self {
        Self {
            spool,
            buffer: Vec::new(),
        }
    }

    /// Takes `bytes`. By value, so that a gatherer whose write was cancelled cannot be used again.
    pub(super) async fn push(mut self, bytes: &[u8]) -> Result<Self, SpoolError> {
        self.spool
            .room_for((self.buffer.len() as u64).saturating_add(bytes.len() as u64))?;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < Self::BUFFER {
            return Ok(self);
        }
        self.flush().await
    }

    /// Writes what is left and closes the spool.
    pub(super) async fn finish(self) -> Result<Spooled, SpoolError> {
        Ok(self.flush().await?.spool.finish())
    }

    async fn flush(mut self) -> Result<Self, SpoolError> {
        let flushed = blocking(move || {
            let pushed = self.spool.push(&self.buffer);
            self.buffer.clear();
            Ok((self, pushed))
        });
        let (gather, pushed) = flushed.await.map_err(SpoolError::Disk)?;
        pushed.map(|()| gather)
    }
}

/// Runs what may wait for a disk on a thread that may wait.
pub(super) async fn blocking<T, F>(work: F) -> Result<T, FetchError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, FetchError> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|stopped| {
            Err(FetchError::Stopped {
                reason: stopped.to_string(),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_takes_no_more_than_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(dir.path(), 4).unwrap();
        spool.push(b"abc").unwrap();
        assert!(matches!(spool.push(b"de"), Err(SpoolError::TooLarge)));
        spool.push(b"d").unwrap();
        let spooled = spool.finish();
        assert_eq!(spooled.stored, 4);
        assert_eq!(spooled.sha256, <[u8; 32]>::from(Sha256::digest(b"abcd")));
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_and_a_missing_directory_say_so() {
        let full = disk_error(Path::new("/spool"), io::ErrorKind::StorageFull.into());
        assert_eq!(
            full.to_string(),
            "the spool directory /spool is full; free space on its file system"
        );
        let Err(missing) = Spool::create(Path::new("/nonexistent/spool"), 1) else {
            panic!("created");
        };
        assert!(matches!(missing, FetchError::Spool { .. }), "{missing}");
    }

    #[test]
    fn the_device_that_is_always_full_is_full() {
        let mut spool = Spool {
            dir: PathBuf::from("/dev"),
            file: File::options().write(true).open("/dev/full").unwrap(),
            hash: Sha256::new(),
            stored: 0,
            limit: 10,
        };
        assert!(matches!(
            spool.push(b"x"),
            Err(SpoolError::Disk(FetchError::SpoolFull { .. }))
        ));
    }

    #[tokio::test]
    async fn gathered_bytes_keep_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let all: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut gather = Gather::new(Spool::create(dir.path(), 1 << 20).unwrap());
        for part in all.chunks(7_001) {
            gather = gather.push(part).await.unwrap();
        }
        let spooled = gather.finish().await.unwrap();
        assert_eq!(spooled.stored, 1_000_000);
        assert_eq!(spooled.sha256, <[u8; 32]>::from(Sha256::digest(&all)));
    }
}
