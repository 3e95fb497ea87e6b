//! Following the brackets and keys above the items, chunk by chunk.

use memchr::memchr2;
use serde::de::IgnoredAny;

use super::inside::{Inside, is_word};
use super::{Item, Values};
use crate::parse::path::Step;
use crate::parse::{Out, Place, Reason};

/// A set of paths, a bit each.
type Paths = u32;

/// Where in a chunk the body is no JSON any more, and why.
pub(super) struct Broken(pub usize, pub Reason);

/// How far a step came in the chunk, and whether a value ended there.
type Reached = Result<(usize, bool), Broken>;

pub(super) struct Scan<'p> {
    paths: &'p [&'p [Step<'p>]],
    values: Values,
    /// The lists and objects that are open on the way to items.
    open: Vec<Level>,
    next: Next,
    mode: Mode,
    /// The paths on which the key before this value is.
    leads: Paths,
    /// The innermost value that is open and to which a path leads.
    item: Option<Open>,
    /// Its part in earlier chunks.
    carry: Vec<u8>,
    /// A key, a number or a literal, as far as it has been read.
    word: Vec<u8>,
    /// How much of the chunk has had its lines counted.
    counted: usize,
    /// The last byte ended a line.
    fresh: bool,
    met: bool,
}

struct Level {
    object: bool,
    /// The paths that lead further in.
    leads: Paths,
    /// Those of them whose key has been met.
    seen: Paths,
}

/// An item whose end is still to come.
struct Open {
    place: Place,
    path: usize,
    /// How many levels are open around it.
    depth: usize,
    /// Where it begins or goes on in this chunk.
    start: usize,
}

/// What may come next between values.
#[derive(Clone, Copy)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    /// A value at the top has ended.
    Over,
}

enum Mode {
    Between,
    Key { escaped: bool },
    Word,
    Inside(Inside),
}

impl<'p> Scan<'p> {
    pub(super) fn new(values: Values, paths: &'p [&'p [Step<'p>]]) -> Self {
        debug_assert!(paths.len() < 32, "each path has a bit of its own");
        Self {
            paths,
            values,
            open: Vec::new(),
            next: Next::Value,
            mode: Mode::Between,
            leads: (1 << paths.len()) - 1,
            item: None,
            carry: Vec::new(),
            word: Vec::new(),
            counted: 0,
            fresh: true,
            met: false,
        }
    }

    /// Whether a path led to anything so far.
    pub(super) fn met(&self) -> bool {
        self.met
    }

    /// Goes on with the next bytes of the body.
    pub(super) fn chunk(
        &mut self,
        chunk: &[u8],
        out: &mut Out<'_>,
        each: &mut impl FnMut(&mut Out<'_>, Item<'_>),
    ) -> Result<(), Broken> {
        self.counted = 0;
        let mut at = 0;
        while at < chunk.len() {
            let (reached, ended) = match &mut self.mode {
                Mode::Between => self.between(chunk, at, out)?,
                Mode::Key { .. } => (self.key(chunk, at)?, false),
                Mode::Word => self.word(chunk, at)?,
                Mode::Inside(inside) => inside
                    .run(chunk, at, self.item.is_none())
                    .map_err(|at| Broken(at, Reason::JsonBroken))?,
            };
            at = reached;
            if ended {
                self.value_ended(&chunk[..at], out, each);
            }
        }
        if let Some(item) = &mut self.item {
            keep(&mut self.carry, &chunk[item.start..]);
            item.start = 0;
        }
        self.place(chunk, chunk.len(), out);
        self.fresh = chunk.ends_with(b"\n");
        out.tally.bytes += chunk.len() as u64;
        Ok(())
    }

    /// Blanks and one sign.
    fn between(&mut self, chunk: &[u8], at: usize, out: &mut Out<'_>) -> Reached {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let sign = chunk[at];
        if matches!(sign, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok((at + 1, false));
        }
        let offset = usize::try_from(out.tally.bytes).unwrap_or(usize::MAX);
        if MARK.get(offset.saturating_add(at)) == Some(&sign) {
            return Ok((at + 1, false));
        }
        let object = self.open.last().is_some_and(|level| level.object);
        self.next = match (self.next, sign) {
            (Next::ValueOrEnd | Next::CommaOrEnd, b']') if !object => return self.close(at),
            (Next::KeyOrEnd | Next::CommaOrEnd, b'}') if object => return self.close(at),
            (Next::CommaOrEnd, b',') if object => Next::Key,
            (Next::CommaOrEnd, b',') => Next::Value,
            (Next::Key | Next::KeyOrEnd, b'"') => {
                self.word.clear();
                self.mode = Mode::Key { escaped: false };
                Next::Colon
            }
            (Next::Colon, b':') => Next::Value,
            (Next::Value | Next::ValueOrEnd, _) => return self.begin(chunk, at, out),
            (Next::Over, _) if self.values == Values::Many => return self.begin(chunk, at, out),
            (Next::Over, _) => return Err(Broken(at, Reason::JsonGoesOn)),
            _ => return Err(Broken(at, Reason::JsonBroken)),
        };
        Ok((at + 1, false))
    }

    fn close(&mut self, at: usize) -> Reached {
        self.open.pop();
        Ok((at + 1, true))
    }

    /// The first byte of a value.
    fn begin(&mut self, chunk: &[u8], at: usize, out: &mut Out<'_>) -> Reached {
        let depth = self.open.len();
        let leads = match self.open.last() {
            Some(level) if level.object => self.leads,
            Some(level) => level.leads,
            None => self.those((1 << self.paths.len()) - 1, |_| true),
        };
        let to_here = self.those(leads, |path| path.len() == depth);
        if to_here != 0 {
            self.met = true;
            self.carry.clear();
            self.item = Some(Open {
                place: self.place(chunk, at, out),
                path: to_here.trailing_zeros() as usize,
                depth,
                start: at,
            });
        }
        let into = |object: bool| {
            self.those(leads, |path| match path.get(depth) {
                Some(Step::Key(_)) => object,
                Some(Step::Element) => !object,
                Some(Step::Each) => true,
                None => false,
            })
        };
        let sign = chunk[at];
        let leads = match sign {
            b'{' => into(true),
            b'[' => into(false),
            _ => 0,
        };
        if leads != 0 {
            let object = sign == b'{';
            self.open.push(Level {
                object,
                leads,
                seen: 0,
            });
            self.mode = Mode::Between;
            self.next = if object {
                Next::KeyOrEnd
            } else {
                Next::ValueOrEnd
            };
            return Ok((at + 1, false));
        }
        self.word.clear();
        self.mode = match Inside::of(sign) {
            Some(inside) => Mode::Inside(inside),
            None if is_word(sign) => Mode::Word,
            None => return Err(Broken(at, Reason::JsonBroken)),
        };
        let past = usize::from(!matches!(self.mode, Mode::Word));
        Ok((at + past, false))
    }

    /// A key, up to its closing quote.
    fn key(&mut self, chunk: &[u8], mut at: usize) -> Result<usize, Broken> {
        let Mode::Key { escaped } = &mut self.mode else {
            return Ok(at);
        };
        while at < chunk.len() {
            if std::mem::take(escaped) {
                keep(&mut self.word, &chunk[at..=at]);
                at += 1;
                continue;
            }
            let rest = &chunk[at..];
            let Some(end) = memchr2(b'"', b'\\', rest) else {
                keep(&mut self.word, rest);
                return Ok(chunk.len());
            };
            keep(&mut self.word, &rest[..end]);
            at += end + 1;
            if rest[end] == b'"' {
                self.mode = Mode::Between;
                self.follow_key().map_err(|reason| Broken(at - 1, reason))?;
                return Ok(at);
            }
            keep(&mut self.word, b"\\");
            *escaped = true;
        }
        Ok(at)
    }

    /// Finds the paths on which the key is.
    fn follow_key(&mut self) -> Result<(), Reason> {
        let depth = self.open.len().saturating_sub(1);
        let quoted = [b"\"", self.word.as_slice(), b"\""].concat();
        let key: String = serde_json::from_slice(&quoted).map_err(|_| Reason::JsonBroken)?;
        let Some(level) = self.open.last() else {
            return Err(Reason::JsonBroken);
        };
        let named = self.those(level.leads, |path| {
            path.get(depth) == Some(&Step::Key(&key))
        });
        let each = self.those(level.leads, |path| path.get(depth) == Some(&Step::Each));
        if level.seen & named != 0 {
            return Err(Reason::KeyTwice);
        }
        self.leads = named | each;
        if let Some(level) = self.open.last_mut() {
            level.seen |= named;
        }
        Ok(())
    }

    /// A number or a literal.
    fn word(&mut self, chunk: &[u8], at: usize) -> Reached {
        let rest = &chunk[at..];
        let end = rest.iter().position(|sign| !is_word(*sign));
        keep(&mut self.word, &rest[..end.unwrap_or(rest.len())]);
        let Some(end) = end else {
            return Ok((chunk.len(), false));
        };
        let valid = serde_json::from_slice::<IgnoredAny>(&self.word).is_ok();
        if !valid && self.item.is_none() {
            return Err(Broken(at, Reason::JsonBroken));
        }
        Ok((at + end, true))
    }

    /// What follows the end of a value, which is that of `chunk`.
    fn value_ended(
        &mut self,
        chunk: &[u8],
        out: &mut Out<'_>,
        each: &mut impl FnMut(&mut Out<'_>, Item<'_>),
    ) {
        self.mode = Mode::Between;
        self.next = if self.open.is_empty() {
            Next::Over
        } else {
            Next::CommaOrEnd
        };
        let ends = |item: &mut Open| item.depth == self.open.len();
        let Some(item) = self.item.take_if(ends) else {
            return;
        };
        let mut bytes = &chunk[item.start..];
        if !self.carry.is_empty() {
            keep(&mut self.carry, bytes);
            bytes = &self.carry;
        }
        if bytes.len() > Reason::LARGEST {
            out.reject(item.place, bytes, Reason::TooLarge);
        } else {
            let Open { place, path, .. } = item;
            each(out, Item { place, bytes, path });
        }
        self.carry.clear();
    }

    /// The body's end, which may stand inside a value.
    pub(super) fn end(&mut self, out: &mut Out<'_>, each: &mut impl FnMut(&mut Out<'_>, Item<'_>)) {
        out.tally.lines += u64::from(!self.fresh);
        if matches!(self.mode, Mode::Word) && self.open.is_empty() {
            self.value_ended(b"", out, each);
        }
        if matches!((&self.mode, self.next), (Mode::Between, Next::Over)) {
            return;
        }
        let end = Place {
            line: out.tally.lines.max(1),
            byte: out.tally.bytes,
        };
        let place = self.item.as_ref().map_or(end, |item| item.place);
        out.tally.broken = true;
        out.reject(place, &self.carry, Reason::JsonEnds);
    }

    /// Counts the lines of the chunk as far as `at`, which is never less than the time before.
    pub(super) fn place(&mut self, chunk: &[u8], at: usize, out: &mut Out<'_>) -> Place {
        let lines = memchr::memchr_iter(b'\n', &chunk[self.counted..at]).count();
        self.counted = at;
        out.tally.lines += lines as u64;
        Place {
            line: out.tally.lines + 1,
            byte: out.tally.bytes + at as u64,
        }
    }

    fn those(&self, among: Paths, which: impl Fn(&[Step<'p>]) -> bool) -> Paths {
        let bits = self.paths.iter().enumerate();
        bits.filter(|(at, path)| among >> at & 1 == 1 && which(path))
            .fold(0, |set, (at, _)| set | 1 << at)
    }
}

/// Adds to what is kept of a value, up to one byte more than the largest that is read.
fn keep(kept: &mut Vec<u8>, part: &[u8]) {
    let room = (Reason::LARGEST + 1).saturating_sub(kept.len());
    kept.extend_from_slice(&part[..part.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Collector, Tally};

    /// An item of 8 MiB and a key of 8 MiB cost the memory of the largest item.
    #[test]
    fn memory_is_bounded() {
        let long = "x".repeat(8 << 20);
        let bodies = [
            format!("{{\"a\": \"{long}\", \"b\": 1}}"),
            format!("{{\"{long}\": 1, \"b\": 1}}"),
            format!("{{\"a\": [{}]}}", "9".repeat(8 << 20)),
        ];
        let paths: &[&[Step<'_>]] = &[&[], &[Step::Key("a")]];
        for body in bodies {
            let mut sink = Collector::new(1);
            let mut out = Out::new(&mut sink);
            let mut scan = Scan::new(Values::One, paths);
            for chunk in body.as_bytes().chunks(64 * 1024) {
                assert!(scan.chunk(chunk, &mut out, &mut |_, _| {}).is_ok());
                assert!(scan.word.capacity() <= 2 * Reason::LARGEST + 2);
                assert!(scan.carry.capacity() <= 2 * Reason::LARGEST + 2);
            }
            scan.end(&mut out, &mut |_, _| {});
            let Tally { bytes, broken, .. } = out.tally;
            assert_eq!((bytes, broken), (body.len() as u64, false));
        }
    }
}
