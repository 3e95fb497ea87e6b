//! From a feed's text to records and rejects. Pure: bytes in, values out, no clock, no network.
//!
//! Every format has one file and one shape: it reads a [`Text`] to its end in bounded memory, gives each
//! row's indicators to a [`Sink`], and says of every other row why it was not taken. A row is taken whole
//! or rejected whole, and no body makes a parser fail or panic.

mod adblock;
mod auto;
mod cells;
mod column;
mod csv;
mod dshield;
mod extract;
mod fields;
mod hosts;
mod items;
mod json;
mod lines;
mod misp;
mod names;
mod ndjson;
mod path;
mod range;
mod reason;
mod recipe;
mod rpz;
mod shared;
mod snapshot;
mod stix;
mod text;
mod token;
mod url;
mod value;
mod warninglist;

use std::io::{self, BufRead, Read};

use token::Found;

use crate::model::{Indicator, UnixTime};

pub use auto::{Guess, HEAD, guess};
pub use fields::{Column, Condition, ConditionError, Fields, Filter, Take};
pub use path::{Path, PathError};
pub use reason::Reason;
pub use recipe::{Format, MinPrefix, PARSER_VERSION, Recipe, Urls};
pub use snapshot::{Collector, ReasonTally, Rejects, Row, Snapshot};
pub use value::Threshold;
pub use warninglist::Reach;

/// A feed's unpacked body, and whether it is known to be whole.
pub struct Text<'a> {
    /// The bytes from their beginning; a buffer of 128 KiB serves best.
    pub body: &'a mut dyn BufRead,
    /// The answer said where it ends, so that a last line without an end is a whole line. Otherwise that
    /// line is rejected: `5.6.7.89` cut to `5.6.7.8` is a valid address, and the wrong one.
    pub ends_surely: bool,
}

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
    /// What is wrong with it.
    pub reason: Reason,
}

/// Where a parser puts what it finds. Implementations count and keep what they need.
pub trait Sink {
    /// Takes a record.
    fn record(&mut self, record: Record);
    /// Takes a reject.
    fn reject(&mut self, reject: Reject);
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes of the unpacked body.
    pub bytes: u64,
    /// Lines, blank ones and comments too.
    pub lines: u64,
    /// Rows (lines or items that say something): those taken and those rejected.
    pub rows: u64,
    /// Rows that `where` passed over, and objects that say nothing about hosts (a file's hash, a report):
    /// neither taken nor rejected.
    pub passed_over: u64,
    /// The body is not whole: its JSON ends early or breaks off, or it turned out to be a list that must not
    /// be read. What was taken from it may be shown, and is never to be recorded.
    pub broken: bool,
    /// How far the names reach that a warninglist guards; absent for other formats.
    pub reach: Option<Reach>,
    /// Rows of a warninglist that need no guard, for nothing ever blocks what they name (a public suffix): neither taken
    /// nor rejected.
    pub needless: u64,
    /// When the body says that it was made, where the recipe says where that stands ([`Recipe::made_at`]).
    pub made_at: Option<UnixTime>,
}

/// Reads `text` to its end and hands everything in it to `sink`. A body that is a web page, and with
/// [`Format::Auto`] one that nothing is made of, is one reject and is not read to its end.
///
/// # Errors
/// Only those of reading the body; whatever it holds becomes records and rejects.
pub fn parse(recipe: &Recipe, text: Text<'_>, sink: &mut dyn Sink) -> io::Result<Tally> {
    let Text { body, ends_surely } = text;
    let mut head = Vec::new();
    (&mut *body).take(HEAD as u64).read_to_end(&mut head)?;
    let whole = head.len() < HEAD;
    let guess = match recipe.format {
        _ if auto::is_markup(&head) => Err(Reason::Markup),
        Format::Auto => guess(recipe, &head, whole).map(|guess| guess.recipe),
        _ => Ok(recipe.clone()),
    };
    match guess {
        Ok(recipe) => {
            let body = &mut head.as_slice().chain(body);
            read_as(&recipe, Text { body, ends_surely }, sink)
        }
        Err(reason) => Ok(refuse(&head, reason, sink)),
    }
}

/// Rejects a body as a whole.
fn refuse(head: &[u8], reason: Reason, sink: &mut dyn Sink) -> Tally {
    let mut out = Out::new(sink);
    out.reject(Place { line: 1, byte: 0 }, head, reason);
    out.tally
}

/// Reads a body in the recipe's own format.
fn read_as(recipe: &Recipe, text: Text<'_>, sink: &mut dyn Sink) -> io::Result<Tally> {
    let mut out = Out::new(sink);
    match recipe.format {
        Format::Auto => out.reject(Place { line: 1, byte: 0 }, b"", Reason::UnknownFormat),
        Format::Text => text::parse(recipe, text, &mut out)?,
        Format::Csv => csv::parse(recipe, text, &mut out)?,
        Format::Hosts => hosts::parse(recipe, text, &mut out)?,
        Format::Adblock => adblock::parse(recipe, text, &mut out)?,
        Format::Dshield => dshield::parse(recipe, text, &mut out)?,
        Format::Rpz => rpz::parse(recipe, text, &mut out)?,
        Format::Json => json::parse(recipe, text, &mut out)?,
        Format::Ndjson => ndjson::parse(recipe, text, &mut out)?,
        Format::Stix => stix::parse(recipe, text, &mut out)?,
        Format::Misp => misp::parse(recipe, text, &mut out)?,
        Format::MispWarninglist => warninglist::parse(recipe, text, &mut out)?,
    }
    Ok(out.tally)
}

/// What a row says beside its indicator.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    confidence: Option<u8>,
    valid_until: Option<UnixTime>,
    dated: Option<UnixTime>,
}

/// The sink, and the count of what went through.
struct Out<'a> {
    sink: &'a mut dyn Sink,
    tally: Tally,
}

/// Where in the body a row begins.
#[derive(Clone, Copy)]
struct Place {
    line: u64,
    byte: u64,
}

impl<'a> Out<'a> {
    fn new(sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            tally: Tally::default(),
        }
    }

    /// Counts a row that was taken, and hands over what it lists.
    fn row(&mut self, found: Found, said: Said) {
        self.tally.rows += 1;
        match found {
            Found::One(indicator) => self.record(indicator, said),
            Found::Many(range) => range.indicators().for_each(|one| self.record(one, said)),
        }
    }

    /// Counts a row that was taken and lists more than one thing.
    fn row_of_many(&mut self, indicators: impl Iterator<Item = Indicator>) {
        self.tally.rows += 1;
        indicators.for_each(|one| self.record(one, Said::default()));
    }

    /// Counts a row that was taken and lists more than one thing, some with an end before the row's own.
    fn row_said(
        &mut self,
        indicators: impl Iterator<Item = (Indicator, Option<UnixTime>)>,
        said: Said,
    ) {
        self.tally.rows += 1;
        for (indicator, end) in indicators {
            let valid_until = said.valid_until.into_iter().chain(end).min();
            let said = Said {
                valid_until,
                ..said
            };
            self.record(indicator, said);
        }
    }

    fn record(&mut self, indicator: Indicator, said: Said) {
        self.sink.record(Record {
            indicator,
            confidence: said.confidence,
            valid_until: said.valid_until,
            dated: said.dated,
        });
    }

    /// Counts a row that was rejected, and says why.
    fn reject(&mut self, place: Place, text: &[u8], reason: Reason) {
        const SHOWN: usize = 200;
        self.tally.rows += 1;
        let head = &text[..text.len().min(SHOWN)];
        self.sink.reject(Reject {
            line: place.line,
            byte: place.byte,
            text: String::from_utf8_lossy(head).into_owned(),
            reason,
        });
    }
}

#[cfg(test)]
mod tests;
