//! A feed that is a file on this machine.

use std::fs::{File, FileType, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::redact::plain;
use super::spool::{Spool, Spooled};
use super::{Body, FetchError, Limits};

const CHUNK: usize = 128 << 10;

/// Reads the file at `path` into a spool.
///
/// It is read whole each time: size and time of a file prove nothing, its hash does.
pub(super) async fn read(
    spool_dir: &Path,
    path: &Path,
    limits: &Limits,
) -> Result<Body, FetchError> {
    let cancelled = CancellationToken::new();
    let _on_drop = cancelled.clone().drop_guard();
    let (dir, path, limit) = (spool_dir.to_owned(), path.to_owned(), limits.stored);
    let shown = shown(&path);
    tokio::task::spawn_blocking(move || copy(&dir, &path, limit, &cancelled))
        .await
        .unwrap_or_else(|stopped| {
            Err(FetchError::Unreadable {
                path: shown,
                reason: std::io::Error::other(stopped),
            })
        })
        .map(Body::new)
}

fn copy(
    dir: &Path,
    path: &Path,
    limit: u64,
    cancelled: &CancellationToken,
) -> Result<Spooled, FetchError> {
    let what = shown(path);
    let unreadable = |reason| FetchError::Unreadable {
        path: what.clone(),
        reason,
    };
    // Asked before it is opened: opening a pipe would wait for a writer.
    refuse_kinds(
        &what,
        std::fs::metadata(path).map_err(unreadable)?.file_type(),
    )?;
    let mut file = File::open(path).map_err(unreadable)?;
    let before = file.metadata().map_err(unreadable)?;
    refuse_kinds(&what, before.file_type())?;
    if before.len() > limit {
        return Err(FetchError::TooLarge { what, limit });
    }
    let spool = Spool::create(dir, limit)?;
    fill(spool, &mut file, &what, limit, cancelled).and_then(|spooled| {
        let after = file.metadata().map_err(unreadable)?;
        unchanged(&what, &before, &after, spooled)
    })
}

fn fill(
    mut spool: Spool,
    file: &mut File,
    what: &str,
    limit: u64,
    cancelled: &CancellationToken,
) -> Result<Spooled, FetchError> {
    let unreadable = |reason| FetchError::Unreadable {
        path: what.to_owned(),
        reason,
    };
    let mut chunk = vec![0; CHUNK];
    loop {
        if cancelled.is_cancelled() {
            return Err(unreadable(ErrorKind::Interrupted.into()));
        }
        let read = match file.read(&mut chunk) {
            Ok(0) => return Ok(spool.finish()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        spool
            .push(chunk.get(..read).unwrap_or_default())
            .map_err(|error| error.of(what, limit))?;
    }
}

/// Holds the spool against what the file was and is: one that somebody writes to may end in half a line.
fn unchanged(
    what: &str,
    before: &Metadata,
    after: &Metadata,
    spooled: Spooled,
) -> Result<Spooled, FetchError> {
    let stamp = |of: &Metadata| (of.len(), of.mtime(), of.mtime_nsec());
    if stamp(before) == stamp(after) && after.len() == spooled.stored {
        return Ok(spooled);
    }
    Err(FetchError::Changed {
        path: what.to_owned(),
    })
}

fn refuse_kinds(path: &str, kind: FileType) -> Result<(), FetchError> {
    let kind = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    };
    Err(FetchError::NotAFile {
        path: path.to_owned(),
        kind,
    })
}

fn shown(path: &Path) -> String {
    plain(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use sha2::{Digest, Sha256};

    use super::*;

    fn copied(path: &Path, limit: u64) -> Result<Spooled, FetchError> {
        copy(
            &std::env::temp_dir(),
            path,
            limit,
            &CancellationToken::new(),
        )
    }

    #[tokio::test]
    async fn a_file_comes_whole_with_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.txt");
        let text = "198.51.100.1\n".repeat(50_000);
        std::fs::write(&path, &text).unwrap();
        let limits = Limits::default();
        let body = read(dir.path(), &path, &limits).await.unwrap();
        assert_eq!(body.stored, text.len() as u64);
        assert_eq!(body.sha256, <[u8; 32]>::from(Sha256::digest(&text)));
        assert!(body.ends_surely);
        let mut back = String::new();
        body.reader(&limits)
            .unwrap()
            .read_to_string(&mut back)
            .unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn what_is_no_file_says_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let table = [
            (dir.path(), "a directory"),
            (Path::new("/dev/zero"), "a device"),
            (&socket, "a socket"),
        ];
        for (path, kind) in table {
            let error = copied(path, 10).err().unwrap().to_string();
            assert!(error.contains(kind), "{error}");
        }
        let missing = copied(&dir.path().join("nothing"), 10).err().unwrap();
        assert!(matches!(missing, FetchError::Unreadable { .. }));
    }

    #[test]
    fn a_pipe_is_refused_without_waiting_for_its_writer() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap();
        assert!(made.success());
        let error = copied(&pipe, 10).err().unwrap();
        assert!(matches!(error, FetchError::NotAFile { kind: "a pipe", .. }));
    }

    #[test]
    fn a_file_over_the_limit_is_refused_though_its_size_lies() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.txt");
        std::fs::write(&path, "12345").unwrap();
        assert!(copied(&path, 5).is_ok());
        assert!(matches!(copied(&path, 4), Err(FetchError::TooLarge { .. })));
        // A file that says it has no bytes and gives some, as those of /proc do, is not believed either way.
        let lying = copied(Path::new("/proc/self/status"), 1 << 20);
        assert!(matches!(lying, Err(FetchError::Changed { .. })));
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.txt");
        let mut writer = File::create(&path).unwrap();
        writer.write_all(b"198.51.100.1\n").unwrap();
        let before = writer.metadata().unwrap();
        writer.write_all(b"198.51.100.2\n").unwrap();
        let taken = |before: &Metadata| {
            let spool = Spool::create(dir.path(), 100).unwrap();
            let mut file = File::open(&path).unwrap();
            let spooled = fill(spool, &mut file, "list", 100, &CancellationToken::new()).unwrap();
            unchanged("list", before, &file.metadata().unwrap(), spooled)
        };
        assert!(matches!(taken(&before), Err(FetchError::Changed { .. })));
        assert!(taken(&writer.metadata().unwrap()).is_ok());
    }
}
