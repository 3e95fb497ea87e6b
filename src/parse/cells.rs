//! A row of a table in cells (RFC 4180), its quoted cells over more than one line where need be.
//!
//! The `csv` crate reads on to the next quote however far off it is, and takes the quotes of `"a", "b"`
//! for text because of the blank before them; feeds have both.

/// One row, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Cells {
    text: String,
    ends: Vec<usize>,
    quoted: bool,
}

/// Something other than the delimiter follows a closing quote.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Cells {
    /// Adds a line; whether the row ends with it. It does not where a quoted cell is still open.
    pub(super) fn add(&mut self, line: &str, delimiter: u8) -> Result<bool, Broken> {
        let mut rest = line;
        if self.quoted {
            self.text.push('\n');
        }
        loop {
            if !self.quoted {
                rest = skip_blanks(rest, delimiter);
                match rest.strip_prefix('"') {
                    Some(inner) => {
                        self.quoted = true;
                        rest = inner;
                    }
                    None => match self.plain(rest, delimiter) {
                        Some(after) => {
                            rest = after;
                            continue;
                        }
                        None => return Ok(true),
                    },
                }
            }
            let Some(quote) = memchr::memchr(b'"', rest.as_bytes()) else {
                self.text.push_str(rest);
                return Ok(false);
            };
            self.text.push_str(&rest[..quote]);
            rest = &rest[quote + 1..];
            if let Some(after) = rest.strip_prefix('"') {
                self.text.push('"');
                rest = after;
                continue;
            }
            self.quoted = false;
            self.ends.push(self.text.len());
            rest = skip_blanks(rest, delimiter);
            match rest.as_bytes().first() {
                None => return Ok(true),
                Some(sign) if *sign == delimiter => rest = &rest[1..],
                Some(_) if delimiter == b' ' => {}
                Some(_) => return Err(Broken),
            }
        }
    }

    /// An unquoted cell, and what follows its delimiter; `None` where the line ends with it.
    fn plain<'a>(&mut self, rest: &'a str, delimiter: u8) -> Option<&'a str> {
        let end = memchr::memchr(delimiter, rest.as_bytes());
        self.text
            .push_str(rest[..end.unwrap_or(rest.len())].trim_ascii_end());
        self.ends.push(self.text.len());
        end.map(|end| &rest[end + 1..])
    }

    /// Ends the row where it is.
    pub(super) fn close(&mut self) {
        self.quoted = false;
        self.ends.push(self.text.len());
    }

    /// Forgets the row.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.quoted = false;
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cell at `place`, counted from 0, without blanks around it.
    pub(super) fn get(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..end).map(str::trim_ascii)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|place| self.get(place))
    }
}

/// Blanks before a cell mean nothing, unless they divide it from the one before.
fn skip_blanks(text: &str, delimiter: u8) -> &str {
    text.trim_start_matches(|sign| sign == ' ' || (sign == '\t' && delimiter != b'\t'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(lines: &[&str], delimiter: char) -> Vec<String> {
        let mut cells = Cells::default();
        let (last, first) = lines.split_last().unwrap();
        for line in first {
            assert_eq!(cells.add(line, delimiter as u8), Ok(false), "{line}");
        }
        assert_eq!(cells.add(last, delimiter as u8), Ok(true), "{last}");
        cells.iter().map(str::to_owned).collect()
    }

    #[test]
    fn every_way_to_write_a_row() {
        assert_eq!(cells(&["a,b,,c"], ','), ["a", "b", "", "c"]);
        assert_eq!(cells(&["a,"], ','), ["a", ""]);
        assert_eq!(cells(&[""], ','), [""]);
        assert_eq!(
            cells(&[r#""a", "b, c", "d ""e""""#], ','),
            ["a", "b, c", "d \"e\""]
        );
        assert_eq!(cells(&[r#" a , "b" ,c"d"#], ','), ["a", "b", "c\"d"]);
        assert_eq!(cells(&["a\t\t b c"], '\t'), ["a", "", "b c"]);
        assert_eq!(cells(&["a  b \"c d\" e"], ' '), ["a", "b", "c d", "e"]);
        assert_eq!(cells(&["1 | x  |2"], '|'), ["1", "x", "2"]);
        assert_eq!(
            cells(&["a,\"one", "", "two\",b"], ','),
            ["a", "one\n\ntwo", "b"]
        );
    }

    #[test]
    fn a_quote_that_ends_nowhere_or_too_soon() {
        assert_eq!(Cells::default().add("a,\"b\"c,d", b','), Err(Broken));
        assert_eq!(Cells::default().add("a,\"b", b','), Ok(false));
        let mut cells = Cells::default();
        assert_eq!(cells.add("\"a", b','), Ok(false));
        assert_eq!(cells.add("\"b\",\"c\"", b','), Err(Broken));
    }

    proptest! {
        /// What the `csv` crate writes is read back, cell by cell.
        #[test]
        fn what_csv_writes_is_read(row in prop::collection::vec("[a-c\",;]([a-c\", ;\n]{0,6}[a-c\",;])?", 1..5)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&row).unwrap();
            let written = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let lines: Vec<_> = written.strip_suffix('\n').unwrap().split('\n').collect();
            prop_assert_eq!(cells(&lines, ','), row);
        }
    }
}
