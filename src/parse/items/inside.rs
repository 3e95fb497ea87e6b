//! The end of a value of which nothing else counts.

use memchr::memchr2;

/// A string, a list or an object whose end is looked for.
#[derive(Debug)]
pub(super) struct Inside {
    string: bool,
    escaped: bool,
    depth: u64,
    /// The greatest depth so far.
    deepest: u64,
    /// Which of the last 128 brackets are curly, the innermost in the lowest bit.
    curly: u128,
}

impl Inside {
    /// A value that begins with `sign`; `None` for a number or a literal.
    pub(super) fn of(sign: u8) -> Option<Self> {
        let mut inside = Self {
            string: sign == b'"',
            escaped: false,
            depth: 0,
            deepest: 0,
            curly: 0,
        };
        match sign {
            b'"' => {}
            b'{' | b'[' => inside.bracket(sign),
            _ => return None,
        }
        Some(inside)
    }

    /// Goes on at `at`: how far, and whether the value ends there. Strings may hold anything; between them
    /// a `strict` one holds nothing but brackets, words, commas and colons.
    ///
    /// # Errors
    /// The place of a bracket that closes another kind, or of a sign that has no place in JSON.
    pub(super) fn run(
        &mut self,
        chunk: &[u8],
        mut at: usize,
        strict: bool,
    ) -> Result<(usize, bool), usize> {
        while let Some(sign) = chunk.get(at) {
            if self.string {
                let Some(past) = self.string(&chunk[at..]) else {
                    return Ok((chunk.len(), false));
                };
                at += past;
                if !self.string && self.depth == 0 {
                    return Ok((at, true));
                }
                continue;
            }
            match sign {
                b'"' => self.string = true,
                b'{' | b'[' => self.bracket(*sign),
                b'}' | b']' => {
                    self.closes(*sign).ok_or(at)?;
                    if self.depth == 0 {
                        return Ok((at + 1, true));
                    }
                }
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => {}
                word if !strict || is_word(*word) => {}
                _ => return Err(at),
            }
            at += 1;
        }
        Ok((at, false))
    }

    /// Goes on in a string, up to its end or past a backslash; `None` where neither comes.
    fn string(&mut self, rest: &[u8]) -> Option<usize> {
        if std::mem::take(&mut self.escaped) {
            return Some(1);
        }
        let at = memchr2(b'"', b'\\', rest)?;
        self.escaped = rest.get(at) == Some(&b'\\');
        self.string = self.escaped;
        Some(at + 1)
    }

    fn bracket(&mut self, sign: u8) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        self.curly = self.curly << 1 | u128::from(sign == b'{');
    }

    /// Brackets that 128 others once stood inside of are taken on trust.
    fn closes(&mut self, sign: u8) -> Option<()> {
        let known = self.deepest - self.depth < 128;
        let curly = self.curly & 1 == 1;
        self.depth -= 1;
        self.curly >>= 1;
        (!known || curly == (sign == b'}')).then_some(())
    }
}

/// Whether a number or a literal may hold `sign`.
pub(super) fn is_word(sign: u8) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, b'+' | b'-' | b'.')
}
