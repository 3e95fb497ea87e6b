//! Feeds that are files on this machine.

use std::fs::{File, FileType, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, glob_with};
use tokio_util::sync::CancellationToken;

use super::redact::plain;
use super::spool::{Spool, blocking};
use super::{Body, FetchError, Limits, unpack};

const CHUNK: usize = 128 << 10;

/// Files taken by one glob.
const MOST_FILES: usize = 10_000;

/// Reads the file at `path` into a spool.
///
/// It is read whole each time: size and time of a file prove nothing, its hash does.
pub(super) async fn read(dir: &Path, path: &Path, limits: &Limits) -> Result<Body, FetchError> {
    let path = path.to_owned();
    spooled(dir, limits, move |spool, cancelled| {
        Opened::try_new(&path, spool.limit)?.append(spool, cancelled)
    })
    .await
}

/// Reads the files that `pattern` matches into one spool, in the order of their names, with a newline between them.
///
/// A name that begins with a dot is matched only by a dot: editors leave such files.
pub(super) async fn read_all(
    dir: &Path,
    pattern: &str,
    limits: &Limits,
) -> Result<Body, FetchError> {
    let pattern = pattern.to_owned();
    spooled(dir, limits, move |spool, cancelled| {
        for (index, path) in matching(&pattern)?.iter().enumerate() {
            let opened = Opened::try_new(path, spool.limit)?;
            opened.refuse_packed()?;
            if index > 0 {
                spool
                    .push(b"\n")
                    .map_err(|error| error.of(&opened.shown, spool.limit))?;
            }
            opened.append(spool, cancelled)?;
        }
        Ok(())
    })
    .await
}

/// Fills a spool on a blocking thread, which stops soon after nobody waits for it any more.
async fn spooled<F>(dir: &Path, limits: &Limits, fill: F) -> Result<Body, FetchError>
where
    F: FnOnce(&mut Spool, &CancellationToken) -> Result<(), FetchError> + Send + 'static,
{
    let cancelled = CancellationToken::new();
    let _on_drop = cancelled.clone().drop_guard();
    let (dir, limit) = (dir.to_owned(), limits.stored);
    blocking(move || {
        let mut spool = Spool::create(&dir, limit)?;
        fill(&mut spool, &cancelled)?;
        Ok(Body::new(spool.finish()))
    })
    .await
}

/// The files that a glob matches, at least one.
fn matching(pattern: &str) -> Result<Vec<PathBuf>, FetchError> {
    let fault = |reason: String| FetchError::Glob {
        pattern: plain(pattern).into_owned(),
        reason,
    };
    let options = MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..MatchOptions::default()
    };
    let found = glob_with(pattern, options).map_err(|error| fault(error.to_string()))?;
    let mut paths = Vec::new();
    for path in found {
        paths.push(path.map_err(|error| fault(plain(&error.to_string()).into_owned()))?);
        if paths.len() > MOST_FILES {
            return Err(fault(format!("it matches more than {MOST_FILES} files")));
        }
    }
    if paths.is_empty() {
        return Err(fault("it matches no file".to_owned()));
    }
    paths.sort();
    Ok(paths)
}

/// A file as it was when it was opened.
struct Opened {
    file: File,
    before: Metadata,
    shown: String,
}

impl Opened {
    fn try_new(path: &Path, limit: u64) -> Result<Self, FetchError> {
        let shown = plain(&path.to_string_lossy()).into_owned();
        let unreadable = |reason| FetchError::Unreadable {
            path: shown.clone(),
            reason,
        };
        // Asked before it is opened: opening a pipe would wait for a writer.
        let kind = std::fs::metadata(path).map_err(unreadable)?.file_type();
        refuse_kinds(&shown, kind)?;
        let file = File::open(path).map_err(unreadable)?;
        let before = file.metadata().map_err(unreadable)?;
        refuse_kinds(&shown, before.file_type())?;
        if before.len() > limit {
            return Err(FetchError::TooLarge { what: shown, limit });
        }
        Ok(Self {
            file,
            before,
            shown,
        })
    }

    /// Several files make one body only if they are text.
    fn refuse_packed(&self) -> Result<(), FetchError> {
        let mut head = [0; unpack::MAGIC];
        let read = self
            .file
            .read_at(&mut head, 0)
            .map_err(|reason| self.unreadable(reason))?;
        if unpack::is_packed(head.get(..read).unwrap_or_default()) {
            return Err(FetchError::Packed {
                path: self.shown.clone(),
            });
        }
        Ok(())
    }

    /// Appends the file. One that somebody writes to meanwhile may end in half a line, and is not taken.
    fn append(
        mut self,
        spool: &mut Spool,
        cancelled: &CancellationToken,
    ) -> Result<(), FetchError> {
        let mut copied = 0u64;
        let mut chunk = vec![0; CHUNK];
        loop {
            if cancelled.is_cancelled() {
                return Err(FetchError::Stopped {
                    reason: "nobody waits for it any more".to_owned(),
                });
            }
            let read = match self.file.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(error)),
            };
            spool
                .push(chunk.get(..read).unwrap_or_default())
                .map_err(|error| error.of(&self.shown, spool.limit))?;
            copied = copied.saturating_add(read as u64);
        }
        let after = self
            .file
            .metadata()
            .map_err(|reason| self.unreadable(reason))?;
        let stamp = |of: &Metadata| (of.len(), of.mtime(), of.mtime_nsec());
        if stamp(&self.before) != stamp(&after) || after.len() != copied {
            return Err(FetchError::Changed { path: self.shown });
        }
        Ok(())
    }

    fn unreadable(&self, reason: std::io::Error) -> FetchError {
        FetchError::Unreadable {
            path: self.shown.clone(),
            reason,
        }
    }
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use sha2::{Digest, Sha256};
    use tempfile::TempDir;

    use super::*;
    use crate::fetch::spool::Spooled;

    fn spooled_from(path: &Path, limit: u64) -> Result<Spooled, FetchError> {
        let mut spool = Spool::create(&std::env::temp_dir(), limit)?;
        Opened::try_new(path, limit)?.append(&mut spool, &CancellationToken::new())?;
        Ok(spool.finish())
    }

    fn fault(path: &Path, limit: u64) -> FetchError {
        spooled_from(path, limit).err().unwrap()
    }

    fn folder(files: &[(&str, &[u8])]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    async fn globbed(dir: &TempDir, pattern: &str) -> Result<String, FetchError> {
        let limits = Limits::default();
        let pattern = format!("{}/{pattern}", dir.path().display());
        let body = read_all(&std::env::temp_dir(), &pattern, &limits).await?;
        let mut text = String::new();
        body.reader(&limits)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(body.sha256, <[u8; 32]>::from(Sha256::digest(&text)));
        Ok(text)
    }

    #[tokio::test]
    async fn a_file_comes_whole_with_its_hash() {
        let text = "198.51.100.1\n".repeat(50_000);
        let dir = folder(&[("list.txt", text.as_bytes())]);
        let limits = Limits::default();
        let body = read(dir.path(), &dir.path().join("list.txt"), &limits)
            .await
            .unwrap();
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
        let dir = folder(&[]);
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let table = [
            (dir.path(), "a directory"),
            (Path::new("/dev/zero"), "a device"),
            (&socket, "a socket"),
        ];
        for (path, kind) in table {
            let error = fault(path, 10).to_string();
            assert!(error.contains(kind), "{error}");
        }
        let missing = fault(&dir.path().join("nothing"), 10);
        assert!(matches!(missing, FetchError::Unreadable { .. }));
    }

    #[test]
    fn a_pipe_is_refused_without_waiting_for_its_writer() {
        let dir = folder(&[]);
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap();
        assert!(made.success());
        assert!(matches!(
            fault(&pipe, 10),
            FetchError::NotAFile { kind: "a pipe", .. }
        ));
    }

    #[test]
    fn a_file_over_the_limit_is_refused_though_its_size_lies() {
        let dir = folder(&[("list.txt", b"12345")]);
        let path = dir.path().join("list.txt");
        assert!(spooled_from(&path, 5).is_ok());
        assert!(matches!(fault(&path, 4), FetchError::TooLarge { .. }));
        // A file that says it has no bytes and gives some, as those of /proc do, is not believed either way.
        let lying = Path::new("/proc/self/status");
        assert!(matches!(fault(lying, 1 << 20), FetchError::Changed { .. }));
        assert!(matches!(fault(lying, 10), FetchError::TooLarge { .. }));
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_not_taken() {
        let dir = folder(&[("list.txt", b"198.51.100.1\n")]);
        let path = dir.path().join("list.txt");
        let opened = Opened::try_new(&path, 100).unwrap();
        File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"198.51.100.")
            .unwrap();
        let mut spool = Spool::create(dir.path(), 100).unwrap();
        let error = opened
            .append(&mut spool, &CancellationToken::new())
            .unwrap_err();
        assert!(matches!(error, FetchError::Changed { .. }), "{error}");
        assert!(error.is_temporary());
    }

    #[test]
    fn a_read_that_nobody_waits_for_stops() {
        let dir = folder(&[("list.txt", b"198.51.100.1\n")]);
        let opened = Opened::try_new(&dir.path().join("list.txt"), 100).unwrap();
        let mut spool = Spool::create(dir.path(), 100).unwrap();
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let error = opened.append(&mut spool, &cancelled).unwrap_err();
        assert!(matches!(error, FetchError::Stopped { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_glob_joins_files_in_the_order_of_their_names() {
        let dir = folder(&[
            ("b.txt", b"198.51.100.2"),
            ("a.txt", b"198.51.100.1\n"),
            (".c.txt", b"hidden"),
            ("d.csv", b"other"),
            ("e.txt", b""),
        ]);
        let joined = globbed(&dir, "*.txt").await.unwrap();
        assert_eq!(joined, "198.51.100.1\n\n198.51.100.2\n");
        assert_eq!(globbed(&dir, "a.txt").await.unwrap(), "198.51.100.1\n");
    }

    #[tokio::test]
    async fn a_glob_that_cannot_be_meant_says_so() {
        let dir = folder(&[("a.txt", b"198.51.100.1\n"), ("a.gz", b"\x1f\x8b\x08\0")]);
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        let table = [
            ("*.csv", "it matches no file"),
            ("a***", "wildcards"),
            ("a.*", "a.gz is packed"),
            ("f*", "is a directory"),
        ];
        for (pattern, part) in table {
            let error = globbed(&dir, pattern).await.unwrap_err().to_string();
            assert!(error.contains(part), "{pattern}: {error}");
        }
    }
}
