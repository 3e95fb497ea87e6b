//! A fetched body on disk, and the way to read it.

use std::fs::File;
use std::io::{self, BufRead};
use std::os::unix::fs::FileExt;

use url::Url;

use super::spool::Spooled;
use super::{Limits, Validators, redact, unpack};

/// A fetched body, as it was sent; of TAXII collections and MISP feeds, one JSON object a line.
pub struct Body {
    /// The spool: unlinked, positioned anywhere.
    pub file: File,
    /// Bytes in the spool.
    pub stored: u64,
    /// SHA-256 of the bytes in the spool.
    pub sha256: [u8; 32],
    /// To be kept once the body has been recorded.
    pub validators: Validators,
    /// The answer said where it ends (length or chunks), so that the last line is surely whole.
    pub ends_surely: bool,
    /// The address to which nothing but permanent redirects (301, 308) led. It may hold a key: show it with
    /// [`redact()`].
    pub moved_to: Option<Url>,
    /// This is only what was added since the cursor that was sent: no snapshot, whatever the feed's mode.
    pub additions: bool,
    /// What did not come and did not spoil the rest, in sentences.
    pub notes: Vec<String>,
}

impl Body {
    pub(super) fn new(spooled: Spooled) -> Self {
        Self {
            file: spooled.file,
            stored: spooled.stored,
            sha256: spooled.sha256,
            validators: Validators::default(),
            ends_surely: true,
            moved_to: None,
            additions: false,
            notes: Vec::new(),
        }
    }

    /// The bytes as they were sent.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.stored).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// The unpacked bytes from the beginning. Readers do not disturb each other.
    ///
    /// How it is packed (gzip, bzip2, zstd, xz, zip) is told by its first bytes; at most two packings are taken off. A body that unpacks to more
    /// than `limits.unpacked` bytes ends in an error, never in a shorter body.
    ///
    /// # Errors
    /// When the spool cannot be read, or the packing is broken from its first byte; the reader's own errors hold an
    /// [`UnpackError`](super::UnpackError) where the packing is at fault.
    pub fn reader(&self, limits: &Limits) -> io::Result<Box<dyn BufRead + Send>> {
        unpack::open(&self.file, self.stored, limits)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Body")
            .field("stored", &self.stored)
            .field("sha256", &hex::encode(self.sha256))
            .field("validators", &self.validators)
            .field("ends_surely", &self.ends_surely)
            .field("moved_to", &self.moved_to.as_ref().map(redact))
            .field("additions", &self.additions)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}
