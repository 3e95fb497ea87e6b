//! From a feed's text to records and rejects. Pure: bytes in, values out, no clock, no network.

use std::io::{self, BufRead};

use crate::model::{Indicator, UnixTime};

/// One thing that a feed lists, with what its row says beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The normalized indicator.
    pub indicator: Indicator,
    /// The row's own confidence, in percent.
    pub confidence: Option<u8>,
    /// The row's own end.
    pub valid_until: Option<UnixTime>,
    /// The row's own date (first or last seen), from which `max_age` counts.
    pub dated: Option<UnixTime>,
}

/// A line or item that was not taken, whole, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// 1-based line.
    pub line: u64,
    /// Byte offset of that line in the unpacked body.
    pub byte: u64,
    /// The first 200 bytes of the offending text, lossily decoded; escape it before showing it.
    pub text: String,
    /// One sentence fragment that says what is wrong.
    pub reason: String,
}

/// Where a parser puts what it finds. Implementations count and keep what they need.
pub trait Sink {
    /// Takes a record.
    fn record(&mut self, record: Record);
    /// Takes a reject.
    fn reject(&mut self, reject: Reject);
}

/// The formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One indicator a line.
    Text,
}

/// How a feed's body is to be read. A change of any of it makes the next body be parsed anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// The format.
    pub format: Format,
    /// Whether a URL with a path counts as its host.
    pub urls: Urls,
    /// Ranges `a-b` wider than these prefixes are rejected before they are split.
    pub min_prefix: MinPrefix,
}

/// What a URL with a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Urls {
    /// Nothing: it is rejected, for one bad file must not block its host.
    Reject,
    /// Its host, unless that is one that many share.
    Host,
}

/// The shortest prefixes that may be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MinPrefix {
    /// For IPv4; 8 unless the config says otherwise.
    pub v4: u8,
    /// For IPv6; 16 unless the config says otherwise.
    pub v6: u8,
}

/// Reads `body` to its end and hands everything in it to `sink`.
///
/// # Errors
/// Only those of reading `body`; whatever the text holds becomes records and rejects.
pub fn parse(recipe: &Recipe, body: &mut dyn BufRead, sink: &mut dyn Sink) -> io::Result<()> {
    let _ = (recipe, body, sink);
    todo!("skeleton")
}
