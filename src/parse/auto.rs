//! Format `auto`: the head of a body is read in every format, and the first that makes sense of most of
//! its rows is taken, the particular ones before those that take nearly anything.

mod json;

use std::io;

use super::fields::{Column, Take};
use super::{Fields, Format, Reason, Recipe, Record, Reject, Sink, Text, csv, read_as};
use crate::model::{DomainError, IndicatorError};

/// How much of a body is looked at, in bytes.
pub const HEAD: usize = 64 * 1024;

/// What a body was taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// The recipe with a format in the place of [`Format::Auto`], and for a table the column.
    pub recipe: Recipe,
    /// One sentence that says why.
    pub because: String,
}

/// The formats in the order in which they are tried; a table comes last.
const TRIED: [(Format, &str); 5] = [
    (Format::Adblock, "adblock rules"),
    (Format::Rpz, "a response policy zone"),
    (Format::Hosts, "a hosts file"),
    (Format::Dshield, "DShield's blocks"),
    (Format::Text, "one indicator a line"),
];

/// Guesses the format of a body from its first bytes, at most [`HEAD`]; `whole` says that they are all.
///
/// # Errors
/// [`Reason::Markup`], [`Reason::Json`], [`Reason::Warninglist`] and [`Reason::UnknownFormat`].
pub fn guess(recipe: &Recipe, head: &[u8], whole: bool) -> Result<Guess, Reason> {
    if is_markup(head) {
        return Err(Reason::Markup);
    }
    if is_json(head) {
        return json::guess(recipe, head, whole);
    }
    let sample = sample(head, whole);
    let guessed = |recipe: Recipe, because: String| Ok(Guess { recipe, because });
    for (format, what) in TRIED {
        let tried = Recipe {
            format,
            ..recipe.clone()
        };
        let score = Score::of(&tried, sample);
        if format == Format::Text && score.rows == 0 {
            let because = "it holds blanks and comments only, so it is read as text";
            return guessed(tried, because.to_owned());
        }
        if score.convinces() {
            let because = format!(
                "{} of its first {} rows read as {what}",
                score.read, score.rows
            );
            return guessed(tried, because);
        }
    }
    let (tried, score) = best_table(recipe, sample).ok_or(Reason::UnknownFormat)?;
    let because = match tried.fields.indicator {
        Take::One(Column::Number(column)) => format!(
            "column {column} of a table holds indicators in {} of its first {} rows",
            score.read, score.rows
        ),
        _ => format!(
            "{} of its first {} rows read as a table",
            score.read, score.rows
        ),
    };
    guessed(tried, because)
}

/// Whether a body is a web page or XML, whatever its recipe says: no list begins with `<`.
pub(super) fn is_markup(head: &[u8]) -> bool {
    matches!(start(head), [b'<', sign, ..] if sign.is_ascii_alphabetic() || matches!(sign, b'!' | b'?'))
}

/// `{`, or a `[` with something in it that a bracketed address or a list's title has not.
fn is_json(head: &[u8]) -> bool {
    match start(head) {
        [b'{', ..] => true,
        [b'[', rest @ ..] => matches!(rest.trim_ascii_start(), [b'{' | b'[' | b'"' | b']', ..]),
        _ => false,
    }
}

fn start(head: &[u8]) -> &[u8] {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    head.trim_ascii_start()
}

/// The first few hundred whole lines.
fn sample(head: &[u8], whole: bool) -> &[u8] {
    const LINES: usize = 300;
    let mut ends = memchr::memchr_iter(b'\n', head);
    let end = match ends.by_ref().nth(LINES) {
        Some(end) => Some(end),
        None if whole => None,
        None => memchr::memrchr(b'\n', head),
    };
    end.map_or(head, |end| &head[..end])
}

/// The delimiter and the column that make most of a table, or the fields that the recipe names.
fn best_table(recipe: &Recipe, sample: &[u8]) -> Option<(Recipe, Score)> {
    let table = |indicator: Option<usize>, delimiter: u8| {
        let mut recipe = Recipe {
            format: Format::Csv,
            delimiter: Some(delimiter),
            ..recipe.clone()
        };
        if let Some(column) = indicator {
            recipe.fields.indicator = Take::One(Column::Number(column));
        }
        recipe
    };
    let free = recipe.fields == Fields::default();
    let mut best: Option<(Recipe, Score)> = None;
    for delimiter in csv::candidates(recipe) {
        let widest = csv::widest(sample, delimiter).min(64);
        let columns = if free {
            (1..=widest).map(Some).collect()
        } else {
            vec![None]
        };
        for column in columns {
            let tried = table(column, delimiter);
            let score = Score::of(&tried, sample);
            let better = best.as_ref().is_none_or(|(_, best)| score.read > best.read);
            if score.convinces() && better {
                best = Some((tried, score));
            }
        }
    }
    best
}

/// How a sample reads in one format.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    rows: u64,
    read: u64,
}

impl Score {
    fn of(recipe: &Recipe, mut sample: &[u8]) -> Self {
        let mut unread = Unread(0);
        let text = Text {
            body: &mut sample,
            ends_surely: true,
        };
        let tally: io::Result<_> = read_as(recipe, text, &mut unread);
        let rows = tally.map_or(0, |tally| tally.rows);
        Self {
            rows,
            read: rows - unread.0,
        }
    }

    /// Three rows in five.
    fn convinces(self) -> bool {
        self.read > 0 && self.read * 5 >= self.rows * 3
    }
}

/// Counts the rows that make no sense, which those do that were understood and refused.
struct Unread(u64);

impl Sink for Unread {
    fn record(&mut self, _: Record) {}

    fn reject(&mut self, reject: Reject) {
        let suffix = Reason::Indicator(IndicatorError::Domain(DomainError::PublicSuffix));
        let understood = [Reason::Page, Reason::SharedHost, suffix];
        self.0 += u64::from(!understood.contains(&reject.reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(head: &str) -> Result<String, Reason> {
        let guess = guess(&Recipe::new(Format::Auto), head.as_bytes(), true)?;
        Ok(format!("{:?}: {}", guess.recipe.format, guess.because))
    }

    #[test]
    fn each_format_is_known_by_its_rows() {
        let table = [
            (
                "# list\n192.0.2.7\t10\n192.0.2.8\t9\nbroken line here\n",
                "Text: 2 of its first 3 rows read as one indicator a line",
            ),
            (
                "https://a.example/login\nhttps://b.example/x\n",
                "Text: 2 of its first 2 rows read as one indicator a line",
            ),
            (
                "[2001:db8::1]:80\n",
                "Text: 1 of its first 1 rows read as one indicator a line",
            ),
            (
                "# nothing\n\n",
                "Text: it holds blanks and comments only, so it is read as text",
            ),
            (
                "",
                "Text: it holds blanks and comments only, so it is read as text",
            ),
            (
                "127.0.0.1 localhost\n0.0.0.0 a.example\n0.0.0.0 b.example\n",
                "Hosts: 2 of its first 2 rows read as a hosts file",
            ),
            (
                "[Adblock Plus 2.0]\n! x\n||a.example^\n",
                "Adblock: 1 of its first 1 rows read as adblock rules",
            ),
            (
                "$TTL 60\n@ SOA a. b. 1 2 3 4 5\na.example CNAME .\n",
                "Rpz: 1 of its first 1 rows read as a response policy zone",
            ),
            (
                "Start\tEnd\tNetmask\n192.0.2.0\t192.0.2.255\t24\t7\n",
                "Dshield: 1 of its first 1 rows read as DShield's blocks",
            ),
            (
                "family,url,ip\nx,https://a.example/p,192.0.2.7\ny,b,192.0.2.8\n",
                "Csv: column 3 of a table holds indicators in 2 of its first 2 rows",
            ),
            (
                "# banner\n\"1\";\"192.0.2.7\";\"x, y\"\n\"2\";\"192.0.2.8\";\"z\"\n",
                "Csv: column 2 of a table holds indicators in 2 of its first 2 rows",
            ),
        ];
        for (head, because) in table {
            assert_eq!(guessed(head).as_deref(), Ok(because), "{head}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused_by_name() {
        for head in [
            "<!DOCTYPE html>\n192.0.2.7\n",
            "\u{feff}\n <html>",
            "<?xml version=\"1.0\"?>",
        ] {
            assert_eq!(guessed(head), Err(Reason::Markup), "{head}");
        }
        for head in ["{\"message\": \"try later\"}\n", "[\n {}]", "[]"] {
            assert_eq!(guessed(head), Err(Reason::Json), "{head}");
        }
        assert_eq!(
            guessed("Service unavailable, try later\n"),
            Err(Reason::UnknownFormat)
        );
    }

    #[test]
    fn a_line_that_the_head_cuts_does_not_count() {
        let recipe = Recipe::new(Format::Auto);
        let head = b"192.0.2.7\n192.0.2.8\ngarbage garbage";
        assert!(
            guess(&recipe, head, false)
                .unwrap()
                .because
                .starts_with("2 of its first 2 rows")
        );
        assert!(
            guess(&recipe, head, true)
                .unwrap()
                .because
                .starts_with("2 of its first 3 rows")
        );
    }

    #[test]
    fn fields_that_the_recipe_names_are_kept() {
        let mut recipe = Recipe::new(Format::Auto);
        recipe.fields.indicator = Take::One(Column::Name("src".into()));
        let head = b"dst,src\nx 192.0.2.7,192.0.2.8\n";
        let guess = guess(&recipe, head, true).unwrap();
        assert_eq!(guess.recipe.fields, recipe.fields);
        assert_eq!(guess.because, "1 of its first 1 rows read as a table");
    }
}
