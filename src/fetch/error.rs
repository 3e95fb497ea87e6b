//! Why a fetch failed, in sentences for the operator. Addresses in them are redacted where the error is made.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::redact::Size;
use super::{Refusal, SecretError};

/// Why a fetch brought nothing. Nothing in it is secret, and control characters are escaped.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The HTTP client could not be made.
    #[error(
        "no HTTP client can be made: {reason}; check the system's root certificates and the configured contact"
    )]
    Client {
        /// What the library says.
        reason: String,
    },
    /// A key cannot be read.
    #[error("{what} was not asked: {reason}")]
    Secret {
        /// The address.
        what: String,
        /// Which key, and why.
        reason: SecretError,
    },
    /// A header's value breaks the rules (RFC 9110 §5.5).
    #[error("{what} was not asked: the value of its header {name} cannot stand in a header")]
    HeaderValue {
        /// The address.
        what: String,
        /// The header.
        name: String,
    },
    /// A proxy of another kind.
    #[error("{what} cannot be used as a proxy; write http://HOST:PORT or https://HOST:PORT")]
    Proxy {
        /// The proxy's address.
        what: String,
    },
    /// The feed's own certificates cannot be used.
    #[error(
        "the certificates in {path} cannot be used: {reason}; the file must hold PEM certificates"
    )]
    Certificates {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The address is of another kind than http and https.
    #[error("{what} is neither http:// nor https://; write such an address, file:///… or a path")]
    Scheme {
        /// The address.
        what: String,
    },
    /// The host may not be asked.
    #[error("{what} was not asked: {refusal}")]
    Host {
        /// The address.
        what: String,
        /// Which host or address was refused, and why.
        refusal: Refusal,
    },
    /// The host's name has no address.
    #[error(
        "the name of {what} was not found: {reason}; check the spelling and this machine's DNS"
    )]
    Name {
        /// The address.
        what: String,
        /// What the resolver says.
        reason: String,
    },
    /// No connection, or one that broke before the answer began.
    #[error("{what} cannot be reached: {reason}")]
    Connection {
        /// The address.
        what: String,
        /// What the system says.
        reason: String,
    },
    /// TLS failed.
    #[error(
        "{what} failed TLS: {reason}; check its certificate, this machine's root certificates and its clock"
    )]
    Tls {
        /// The address.
        what: String,
        /// What the library says.
        reason: String,
    },
    /// The answer did not begin in time.
    #[error("{what} did not begin to answer within {limit:?}")]
    FirstByte {
        /// The address.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// The body came too slowly.
    #[error("{what} is too slow: {got} bytes in {stretch:?}, where {least} are the least taken")]
    Slow {
        /// The address.
        what: String,
        /// Bytes that came in the last stretch.
        got: u64,
        /// The length of a stretch.
        stretch: Duration,
        /// Bytes asked of a stretch.
        least: u64,
    },
    /// The whole fetch took too long.
    #[error("{what} was not whole after {limit:?}, the limit for a fetch")]
    TotalTime {
        /// The address or path.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// More bytes than are taken.
    #[error("{what} is larger than {}, the limit for a fetch; if that is right, raise the feed's limit", Size(*limit))]
    TooLarge {
        /// The address or path.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The body broke off.
    #[error("{what} broke off after {got} bytes: {reason}")]
    Cut {
        /// The address.
        what: String,
        /// Bytes that came.
        got: u64,
        /// What the library says.
        reason: String,
    },
    /// An answer other than 200 and 304.
    #[error("{what} answered {status}{}", advice(*status))]
    Status {
        /// The address.
        what: String,
        /// The HTTP status.
        status: u16,
        /// How long it asks us to stay away.
        retry_after: Option<Duration>,
    },
    /// 304 to a question that named no earlier answer.
    #[error(
        "{what} answered 304 (not modified) though it was asked for the whole; the cache before it is broken"
    )]
    NotModified {
        /// The address.
        what: String,
    },
    /// A transport encoding that was not asked for.
    #[error("{what} sent its answer packed as `{encoding}`, which was not asked for; only gzip is")]
    Encoding {
        /// The address.
        what: String,
        /// The encoding, escaped.
        encoding: String,
    },
    /// Redirected too often.
    #[error("{what} redirected more than {limit} times; give the feed's final address")]
    Redirects {
        /// The address asked first.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// A redirect that leads nowhere.
    #[error("{what} answered {status} without a usable Location; give the feed's final address")]
    Location {
        /// The address.
        what: String,
        /// The HTTP status.
        status: u16,
    },
    /// A redirect to something that is not HTTP.
    #[error("{what} redirects to a `{scheme}:` address, which is not followed")]
    RedirectScheme {
        /// The address.
        what: String,
        /// The other scheme, escaped.
        scheme: String,
    },
    /// A redirect that gives up TLS.
    #[error(
        "{what} redirects from https to http ({to}), which is not followed; give the feed's final address"
    )]
    Downgrade {
        /// The address.
        what: String,
        /// Where it leads.
        to: String,
    },
    /// The answer is not what the protocol asks for.
    #[error("{what} does not answer as {protocol} asks: {reason}; check that the address is right")]
    Protocol {
        /// The address.
        what: String,
        /// The protocol.
        protocol: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Pages without end.
    #[error(
        "{what} says again and again that there is more, and does not come to an end; its paging is broken"
    )]
    Paging {
        /// The address.
        what: String,
    },
    /// The path is there, but is no file.
    #[error("{path} is {kind}, not a file; a feed's path names a file")]
    NotAFile {
        /// The path.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// The file cannot be read.
    #[error(
        "{path} cannot be read: {reason}; check that it exists and that the service's user may read it"
    )]
    Unreadable {
        /// The path.
        path: String,
        /// What the system says.
        reason: io::Error,
    },
    /// The file changed under our hands.
    #[error(
        "{path} changed while it was read; write feeds to another name and rename them into place"
    )]
    Changed {
        /// The path.
        path: String,
    },
    /// Files joined by a glob must be text.
    #[error("{path} is packed; a glob joins plain files only, so give it as a feed of its own")]
    Packed {
        /// The path.
        path: String,
    },
    /// A glob that matches nothing, too much, or is none.
    #[error("the path {pattern} cannot be used: {reason}")]
    Glob {
        /// The glob.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// The work was ended from outside.
    #[error("the fetch was stopped before it was done: {reason}")]
    Stopped {
        /// What the runtime says.
        reason: String,
    },
    /// No room for the body.
    #[error("the spool directory {} is full; free space on its file system", dir.display())]
    SpoolFull {
        /// The directory.
        dir: PathBuf,
    },
    /// The body cannot be written.
    #[error("the spool directory {} cannot be written: {reason}; check that it exists and belongs to the service's user", dir.display())]
    Spool {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
}

impl FetchError {
    /// Whether it may well go by itself, without anybody changing a setting, a key or a file.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Name { .. }
            | Self::Connection { .. }
            | Self::FirstByte { .. }
            | Self::Slow { .. }
            | Self::TotalTime { .. }
            | Self::Cut { .. }
            | Self::NotModified { .. }
            | Self::Changed { .. }
            | Self::Stopped { .. }
            | Self::SpoolFull { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Client { .. }
            | Self::Secret { .. }
            | Self::HeaderValue { .. }
            | Self::Proxy { .. }
            | Self::Certificates { .. }
            | Self::Scheme { .. }
            | Self::Host { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. }
            | Self::Encoding { .. }
            | Self::Redirects { .. }
            | Self::Location { .. }
            | Self::RedirectScheme { .. }
            | Self::Downgrade { .. }
            | Self::Protocol { .. }
            | Self::Paging { .. }
            | Self::NotAFile { .. }
            | Self::Unreadable { .. }
            | Self::Packed { .. }
            | Self::Glob { .. }
            | Self::Spool { .. } => false,
        }
    }

    /// How long the publisher asks us to stay away (`Retry-After`, RFC 9110 §10.2.3).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl FetchError {
    /// Whether the publisher says that it has ended the feed for good (410, RFC 9110 §15.5.11).
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status { status: 410, .. })
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => {
            " (refused); check the feed's key, and whether the publisher has locked this address out"
        }
        404 => " (not there); check whether the feed has moved or ended",
        410 => " (gone for good); its publisher has ended it",
        429 => " (asked too often); a longer interval may be needed",
        500..=599 => " (the publisher's fault); it is tried again later",
        _ => "; only 200 and 304 count as good answers",
    }
}
