//! Takes the packing off a body. What it is packed with is told by its first bytes: publishers' Content-Types and file
//! names are often wrong, and a published `.gz` may come inside a gzip transport encoding.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use rawzip::{FileReader, RangeReader};

use super::redact::{Size, plain};
use super::{Limits, zip, zstd};

/// Packings taken off, one inside the other: a transport encoding around a published archive.
const LAYERS: usize = 2;

/// Bytes at the beginning that tell a packing.
pub(super) const MAGIC: usize = 10;

/// The memory that unpacking may take: the window of `xz -9`, and of all but the very largest settings of zstd.
const WINDOW: u64 = 64 << 20;

/// What an xz decoder needs beside its window, and more.
const XZ_MEMORY_KIB: u32 = (WINDOW >> 10) as u32 + 1024;

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
    /// A zip archive inside another packing: its directory stands at its end.
    #[error(
        "the body is a zip archive inside another archive; only one that is sent as it is can be read"
    )]
    InnerZip,
    /// A zip archive in which no member, or more than one, can be meant.
    #[error("{}; set the feed's `member` to the name, or a glob, of one", unclear(*matching, names))]
    Members {
        /// How many could be meant.
        matching: usize,
        /// The first few names, escaped: of those, or of all if none could.
        names: Vec<String>,
    },
    /// The configured member is no glob.
    #[error("the feed's `member` is not a valid glob: {reason}")]
    Pattern {
        /// What is wrong.
        reason: String,
    },
    /// A zip member with a password.
    #[error("the zip archive's member {member} is encrypted, which is not supported")]
    Encrypted {
        /// Its name, escaped.
        member: String,
    },
    /// A zip member packed in a rare way.
    #[error(
        "the zip archive's member {member} is packed with {method}; only stored and deflated members are read"
    )]
    Method {
        /// Its name, escaped.
        member: String,
        /// The method's name or number.
        method: String,
    },
    /// The packed data asks for more memory than unpacking may take.
    #[error(
        "the body's {packing} data needs more than {} of memory to be unpacked",
        Size(WINDOW)
    )]
    Memory {
        /// The kind of packing.
        packing: &'static str,
    },
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

fn unclear(matching: usize, names: &[String]) -> String {
    let names = names.join(", ");
    match matching {
        0 if names.is_empty() => "the zip archive is empty".to_owned(),
        0 => format!("no member of the zip archive is the one asked for (it has {names})"),
        more => format!("{more} members of the zip archive could be meant ({names})"),
    }
}

/// The ways to pack that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Gzip,
    Bzip2,
    Zstd,
    Xz,
    Zip,
}

impl Packing {
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            // "BZh" alone is text that a list might begin with; the first block's mark, or that of an empty file, is not.
            [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x31,
                0x41,
                0x59,
                0x26,
                0x53,
                0x59,
                ..,
            ]
            | [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x17,
                0x72,
                0x45,
                0x38,
                0x50,
                0x90,
                ..,
            ] => Some(Self::Bzip2),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Zip => "zip",
        }
    }

    /// Takes this packing off. A zip archive is read from its `file`, if it is all of it.
    fn unpack(
        self,
        packed: Box<dyn BufRead + Send>,
        file: Option<&File>,
        member: Option<&str>,
    ) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::Frames::new(packed, WINDOW)),
            Self::Xz => Box::new(XzReader::new_mem_limit(packed, true, XZ_MEMORY_KIB)),
            Self::Zip => match file {
                Some(file) => zip::member(file, member)?,
                None => return Err(UnpackError::InnerZip.into()),
            },
        })
    }
}

/// Whether a body with this beginning is packed.
pub(super) fn is_packed(head: &[u8]) -> bool {
    Packing::of(head).is_some()
}

/// The plain bytes of the first `length` bytes of `file`. No layer may be longer than `limits.unpacked`.
pub(super) fn open(
    file: &File,
    length: u64,
    limits: &Limits,
) -> io::Result<Box<dyn BufRead + Send>> {
    // Readers have places of their own in the file, for clones of a file share theirs.
    let source = RangeReader::new(FileReader::from(file.try_clone()?), 0..length);
    let mut bytes: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(BUFFER, source));
    let mut spool = Some(file);
    for _ in 0..LAYERS {
        let (packing, whole) = peek(bytes)?;
        let Some(packing) = packing else {
            return Ok(whole);
        };
        let layer = Layer {
            bytes: packing.unpack(whole, spool.take(), limits.member.as_deref())?,
            packing: packing.name(),
            left: limits.unpacked,
            limit: limits.unpacked,
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
        io::ErrorKind::OutOfMemory => UnpackError::Memory { packing },
        _ => UnpackError::Broken {
            packing,
            reason: plain(&error.to_string()).into_owned(),
        },
    }
    .into()
}
