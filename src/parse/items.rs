//! A JSON body as its items, one after the other, in the memory of one.
//!
//! Here only the brackets and keys above the items are followed; what reads an item gets it as a slice.
//! `serde_json` alone reads a body either whole or, from a reader, byte by byte and to its first fault: this
//! way is faster, an item that is broken or too large costs itself alone, and each reject has its place.

mod inside;
mod scan;

use std::io;

use scan::{Broken, Scan};

use super::path::Step;
use super::{Out, Place, Text};

/// One value that stands where a path leads.
pub(super) struct Item<'a> {
    /// Where it begins.
    pub place: Place,
    /// Its text, at most [`Reason::LARGEST`](super::Reason::LARGEST) bytes: balanced brackets, and perhaps no JSON inside.
    pub bytes: &'a [u8],
    /// Which of the paths leads to it, the first if more than one do.
    pub path: usize,
}

/// How many values a body may have at its top.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// As JSON is (RFC 8259 §2).
    One,
    /// One after the other, as in NDJSON.
    Many,
}

/// Gives every value to which one of `paths` leads to `each`, except one inside of which there is another:
/// `/a` and `/a` with [`Step::Element`] are the elements of the list `a`, or `a` itself if it is no list or
/// an empty one. Whether a path led to anything.
///
/// A body that ends or breaks off inside a value is one reject more, and [`Tally::broken`].
///
/// [`Tally::broken`]: super::Tally::broken
pub(super) fn each_item(
    text: Text<'_>,
    values: Values,
    paths: &[&[Step<'_>]],
    out: &mut Out<'_>,
    mut each: impl FnMut(&mut Out<'_>, Item<'_>),
) -> io::Result<bool> {
    let mut scan = Scan::new(values, paths);
    loop {
        let chunk = match text.body.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            scan.end(out, &mut each);
            return Ok(scan.met());
        }
        if let Err(Broken(at, reason)) = scan.chunk(chunk, out, &mut each) {
            let place = scan.place(chunk, at, out);
            out.tally.bytes += at as u64;
            out.tally.lines = place.line;
            out.tally.broken = true;
            out.reject(place, &chunk[at..], reason);
            return Ok(scan.met());
        }
        let read = chunk.len();
        text.body.consume(read);
    }
}

#[cfg(test)]
mod tests;
