//! A body in lines, without copying those that lie whole in the reader's buffer, and without trusting
//! that a line ever ends.

use std::io;

use memchr::{memchr2, memchr3};

use super::{Out, Place, Reason, Text};

/// One line without its end.
pub(super) struct Line<'a> {
    /// Where it begins.
    pub place: Place,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl<'a> Line<'a> {
    /// The line as text.
    ///
    /// # Errors
    /// [`Reason::Nul`] and [`Reason::NotUtf8`].
    pub fn text(&self) -> Result<&'a str, Reason> {
        as_text(self.bytes)
    }
}

/// Bytes as text.
///
/// # Errors
/// [`Reason::Nul`] and [`Reason::NotUtf8`].
pub(super) fn as_text(bytes: &[u8]) -> Result<&str, Reason> {
    if memchr::memchr(0, bytes).is_some() {
        return Err(Reason::Nul);
    }
    std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)
}

/// Whether a line, less the blanks before it, is a comment: `#`, `;`, `//`.
pub(super) fn is_comment(text: &[u8]) -> bool {
    matches!(text, [b'#' | b';', ..] | [b'/', b'/', ..])
}

/// Gives every whole line to `each`. LF, CR LF and a lone CR end a line; a byte order mark in front of the
/// first is dropped. Lines that are too long or cut short become rejects here.
pub(super) fn each_line(
    text: Text<'_>,
    out: &mut Out<'_>,
    each: impl FnMut(&mut Out<'_>, Line<'_>),
) -> io::Result<()> {
    each_part(text, None, out, each)
}

/// Gives every part of a line that `separator` divides from the next to `each`, as if it were a line: a line of parts
/// may be as long as the body.
pub(super) fn each_part(
    text: Text<'_>,
    separator: Option<u8>,
    out: &mut Out<'_>,
    mut each: impl FnMut(&mut Out<'_>, Line<'_>),
) -> io::Result<()> {
    let Text { body, ends_surely } = text;
    let mut lines = Lines {
        separator,
        ..Lines::default()
    };
    loop {
        let chunk = match body.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        lines.chunk(chunk, out, &mut each);
        let read = chunk.len();
        body.consume(read);
    }
    lines.end(ends_surely, out, &mut each);
    Ok(())
}

/// What is known of the line at which the reader stands.
#[derive(Default)]
struct Lines {
    /// The part of it that lay in earlier chunks, at most one byte more than the longest line.
    carry: Vec<u8>,
    /// Its length so far.
    length: u64,
    /// The last byte was a CR, so that an LF here ends no further line.
    after_cr: bool,
    /// What ends a part of a line.
    separator: Option<u8>,
    /// The reader stands behind a separator, inside a line that has been counted.
    further: bool,
}

impl Lines {
    fn chunk(
        &mut self,
        mut chunk: &[u8],
        out: &mut Out<'_>,
        each: &mut impl FnMut(&mut Out<'_>, Line<'_>),
    ) {
        if self.after_cr && chunk.first() == Some(&b'\n') {
            chunk = &chunk[1..];
            out.tally.bytes += 1;
        }
        self.after_cr = false;
        while let Some(end) = self.find_end(chunk) {
            if self.length == 0 {
                finish(&chunk[..end], self.further, out, each);
                out.tally.bytes += end as u64;
            } else {
                self.keep(&chunk[..end]);
                self.carried(out, each);
            }
            self.further = Some(chunk[end]) == self.separator;
            let mut past = end + 1;
            if chunk[end] == b'\r' {
                match chunk.get(past) {
                    Some(b'\n') => past += 1,
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            out.tally.bytes += (past - end) as u64;
            chunk = &chunk[past..];
        }
        self.keep(chunk);
    }

    fn find_end(&self, chunk: &[u8]) -> Option<usize> {
        match self.separator {
            None => memchr2(b'\n', b'\r', chunk),
            Some(sign) => memchr3(b'\n', b'\r', sign, chunk),
        }
    }

    /// The body's end, which may stand inside a line.
    fn end(
        &mut self,
        ends_surely: bool,
        out: &mut Out<'_>,
        each: &mut impl FnMut(&mut Out<'_>, Line<'_>),
    ) {
        if self.length == 0 {
            return;
        }
        if ends_surely {
            self.carried(out, each);
            return;
        }
        out.tally.lines += u64::from(!self.further);
        let place = here(out);
        out.reject(place, &self.carry, Reason::CutShort);
        out.tally.bytes += self.length;
    }

    fn keep(&mut self, part: &[u8]) {
        let room = (Reason::LONGEST + 1).saturating_sub(self.carry.len());
        self.carry.extend_from_slice(&part[..part.len().min(room)]);
        self.length += part.len() as u64;
    }

    fn carried(&mut self, out: &mut Out<'_>, each: &mut impl FnMut(&mut Out<'_>, Line<'_>)) {
        finish(&self.carry, self.further, out, each);
        out.tally.bytes += self.length;
        self.carry.clear();
        self.length = 0;
    }
}

/// Hands over the line, or the `further` part of one, that begins where the tally stands.
fn finish(
    mut bytes: &[u8],
    further: bool,
    out: &mut Out<'_>,
    each: &mut impl FnMut(&mut Out<'_>, Line<'_>),
) {
    out.tally.lines += u64::from(!further);
    let place = here(out);
    if place.byte == 0 {
        bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    }
    if bytes.len() > Reason::LONGEST {
        out.reject(place, bytes, Reason::TooLong);
    } else {
        each(out, Line { place, bytes });
    }
}

fn here(out: &Out<'_>) -> Place {
    Place {
        line: out.tally.lines,
        byte: out.tally.bytes,
    }
}

#[cfg(test)]
mod tests;
