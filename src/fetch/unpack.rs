//! Takes the packing off a body. What it is packed with is told by its first bytes: publishers' Content-Types and file
//! names are often wrong, and a published `.gz` may come inside a gzip transport encoding.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::redact::Size;

/// Packings taken off, one inside the other: a transport encoding around a published archive.
const LAYERS: usize = 2;

/// Bytes at the beginning that tell a packing.
const MAGIC: usize = 6;

const BUFFER: usize = 64 << 10;

/// Why a body cannot be unpacked; found inside the [`io::Error`]s of [`Body::reader`](super::Body::reader).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// More bytes than are taken: an archive bomb, or a limit set too low.
    #[error("the body unpacks to more than {}, the limit; if that is right, raise the feed's limit", Size(*limit))]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// An archive in an archive in an archive.
    #[error("the body is packed more than {LAYERS} times over, which no feed needs")]
    TooDeep,
    /// The packed data ends too early.
    #[error(
        "the body's {packing} data is cut short; the publisher's file or the download is incomplete"
    )]
    Cut {
        /// The kind of packing.
        packing: &'static str,
    },
    /// The packed data is wrong.
    #[error("the body's {packing} data is broken ({reason}); the publisher's file is damaged")]
    Broken {
        /// The kind of packing.
        packing: &'static str,
        /// What the unpacker says.
        reason: String,
    },
}

impl From<UnpackError> for io::Error {
    fn from(error: UnpackError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// The ways to pack that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Gzip,
}

impl Packing {
    fn of(head: &[u8]) -> Option<Self> {
        head.starts_with(&[0x1f, 0x8b, 8]).then_some(Self::Gzip)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
        }
    }

    /// Takes this packing off.
    fn unpack(self, packed: Box<dyn BufRead + Send>) -> Box<dyn Read + Send> {
        match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
        }
    }
}

/// The plain bytes of `source`, of which no layer may be longer than `limit`.
pub(super) fn open(
    source: Box<dyn Read + Send>,
    limit: u64,
) -> io::Result<Box<dyn BufRead + Send>> {
    let mut bytes: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(BUFFER, source));
    for _ in 0..LAYERS {
        let (packing, whole) = peek(bytes)?;
        let Some(packing) = packing else {
            return Ok(whole);
        };
        let layer = Layer {
            bytes: packing.unpack(whole),
            packing: packing.name(),
            left: limit,
            limit,
        };
        bytes = Box::new(BufReader::with_capacity(BUFFER, layer));
    }
    match peek(bytes)? {
        (None, whole) => Ok(whole),
        (Some(_), _) => Err(UnpackError::TooDeep.into()),
    }
}

type Peeked = (Option<Packing>, Box<dyn BufRead + Send>);

fn peek(mut bytes: Box<dyn BufRead + Send>) -> io::Result<Peeked> {
    let mut head = Vec::with_capacity(MAGIC);
    bytes.by_ref().take(MAGIC as u64).read_to_end(&mut head)?;
    let packing = Packing::of(&head);
    Ok((packing, Box::new(Cursor::new(head).chain(bytes))))
}

/// One packing taken off: counts what comes out, and says what is wrong in a sentence.
struct Layer {
    bytes: Box<dyn Read + Send>,
    packing: &'static str,
    left: u64,
    limit: u64,
}

impl Read for Layer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self
            .bytes
            .read(into)
            .map_err(|error| explain(error, self.packing))?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => {
                self.left = 0;
                Err(UnpackError::TooLarge { limit: self.limit }.into())
            }
        }
    }
}

/// An unpacker's error as a sentence; what the disk says, or a layer below, stays as it is.
fn explain(error: io::Error, packing: &'static str) -> io::Error {
    let below = error
        .get_ref()
        .is_some_and(|inner| inner.is::<UnpackError>());
    if below || error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => UnpackError::Cut { packing },
        _ => UnpackError::Broken {
            packing,
            reason: error.to_string(),
        },
    }
    .into()
}
