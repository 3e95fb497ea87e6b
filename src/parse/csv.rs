//! Format `csv`: a table with or without a header, which may stand in a comment or late.

use std::collections::VecDeque;
use std::io;

use super::cells::Cells;
use super::fields::{Column, Fields};
use super::lines::{as_text, each_line, is_comment};
use super::{Out, Place, Reason, Recipe, Text};

/// What may divide cells where the recipe does not say.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub(super) fn parse(recipe: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    let mut table = Table {
        recipe,
        layout: None,
        cells: Cells::default(),
        open: VecDeque::new(),
        held: 0,
    };
    let ends_surely = text.ends_surely;
    each_line(text, out, |out, line| {
        table.line(out, line.place, line.bytes)
    })?;
    if !ends_surely {
        // The quote may have closed in what did not come: then these lines are the inside of a cell, and no rows.
        for (place, bytes) in table.open.drain(..) {
            out.reject(place, &bytes, Reason::CutShort);
        }
    }
    while !table.open.is_empty() {
        table.give_up(out);
    }
    Ok(())
}

struct Table<'a> {
    recipe: &'a Recipe,
    layout: Option<Layout>,
    /// The row that is being read.
    cells: Cells,
    /// The lines of a row whose last cell is still open, to be read anew if its quote never closes.
    open: VecDeque<(Place, Vec<u8>)>,
    /// Their bytes.
    held: usize,
}

/// What the header, or the first row, has settled.
struct Layout {
    delimiter: u8,
    fields: Fields<usize>,
}

/// What a line came to.
enum Step {
    Done,
    /// The row it belongs to will not end well.
    Broken,
}

impl Table<'_> {
    fn line(&mut self, out: &mut Out<'_>, place: Place, bytes: &[u8]) {
        if let Step::Broken = self.step(out, place, bytes) {
            self.give_up(out);
        }
    }

    /// Rejects the first line of the open row, for its quote is at fault, and reads the others anew. They
    /// hold no opening quote but perhaps the last, so that this comes to an end soon.
    fn give_up(&mut self, out: &mut Out<'_>) {
        let mut again = self.release(out);
        while let Some((place, bytes)) = again.pop_front() {
            if let Step::Broken = self.step(out, place, &bytes) {
                let mut first = self.release(out);
                first.append(&mut again);
                again = first;
            }
        }
    }

    fn release(&mut self, out: &mut Out<'_>) -> VecDeque<(Place, Vec<u8>)> {
        let mut lines = std::mem::take(&mut self.open);
        self.held = 0;
        self.cells.clear();
        if let Some((place, bytes)) = lines.pop_front() {
            out.reject(place, &bytes, Reason::Quotes);
        }
        lines
    }

    fn step(&mut self, out: &mut Out<'_>, place: Place, bytes: &[u8]) -> Step {
        let fresh = self.open.is_empty();
        if fresh && (bytes.trim_ascii().is_empty() || self.is_comment(bytes)) {
            return Step::Done;
        }
        let cells = as_text(bytes).and_then(|text| self.cells_of(text));
        match cells {
            Ok(Some(true)) => {
                match self.open.pop_front() {
                    Some((place, bytes)) => self.row(out, place, &bytes),
                    None => self.row(out, place, bytes),
                }
                self.open.clear();
                self.held = 0;
                self.cells.clear();
                Step::Done
            }
            Ok(Some(false)) => self.hold(place, bytes, Step::Done),
            Ok(None) => Step::Done,
            Err(reason) if fresh && reason != Reason::Quotes => {
                out.reject(place, bytes, reason);
                Step::Done
            }
            Err(_) => self.hold(place, bytes, Step::Broken),
        }
    }

    /// Adds a line to the row: whether the row ends with it, or nothing where the line is the header.
    fn cells_of(&mut self, text: &str) -> Result<Option<bool>, Reason> {
        if self.layout.is_none() && self.begin(text)? {
            return Ok(None);
        }
        let layout = self.layout.as_ref().ok_or(Reason::NoHeader)?;
        let ends = self.cells.add(text, layout.delimiter);
        ends.map(Some).map_err(|_| Reason::Quotes)
    }

    /// Settles the layout by the first row that is no comment; whether it was a header.
    fn begin(&mut self, text: &str) -> Result<bool, Reason> {
        if let Some(layout) = Layout::of_places(self.recipe, text) {
            let header = layout.is_header(text);
            self.layout = Some(layout);
            return Ok(header);
        }
        self.layout = Layout::of_header(self.recipe, text);
        self.layout.as_ref().map(|_| true).ok_or(Reason::NoHeader)
    }

    /// Whether the line is a comment, which may hold the header.
    fn is_comment(&mut self, line: &[u8]) -> bool {
        let text = line.trim_ascii_start();
        let divided = self
            .layout
            .as_ref()
            .is_some_and(|layout| layout.delimiter == b';');
        if !is_comment(text) || (divided && text.starts_with(b";")) {
            return false;
        }
        if self.layout.is_none()
            && let Ok(text) = as_text(text)
        {
            let words = text.trim_start_matches(['#', ';', '/', ' ', '\t']);
            self.layout = Layout::of_header(self.recipe, words);
        }
        true
    }

    fn row(&self, out: &mut Out<'_>, place: Place, bytes: &[u8]) {
        let Some(layout) = &self.layout else { return };
        match layout
            .fields
            .read(self.recipe, |place| self.cells.get(*place))
        {
            Ok(Some((found, said))) => out.row(found, said),
            Ok(None) => out.tally.passed_over += 1,
            Err(reason) => out.reject(place, bytes, reason),
        }
    }

    /// Keeps a line for the case that it must be read anew, within the bound of one line.
    fn hold(&mut self, place: Place, bytes: &[u8], step: Step) -> Step {
        self.held += bytes.len() + 1;
        self.open.push_back((place, bytes.to_vec()));
        if self.held > Reason::LONGEST {
            Step::Broken
        } else {
            step
        }
    }
}

impl Layout {
    /// By the header, if `text` is one: it has every name that the recipe asks for. A table whose columns
    /// are all asked for by their place has none.
    fn of_header(recipe: &Recipe, text: &str) -> Option<Self> {
        if recipe.fields.resolve(place).is_some() {
            return None;
        }
        candidates(recipe).find_map(|delimiter| {
            let cells = split(text, delimiter)?;
            let find = |column: &Column| match column {
                Column::Name(name) => cells
                    .iter()
                    .position(|cell| cell.eq_ignore_ascii_case(name)),
                Column::Number(_) => place(column),
            };
            let fields = recipe.fields.resolve(find)?;
            Some(Self { delimiter, fields })
        })
    }

    /// By the first row, where every column is asked for by its place: the delimiter that makes most of it.
    fn of_places(recipe: &Recipe, text: &str) -> Option<Self> {
        let fields = recipe.fields.resolve(place)?;
        let count = |delimiter: &u8| split(text, *delimiter).map_or(0, |cells| cells.len());
        let delimiter = candidates(recipe).rev().max_by_key(count)?;
        Some(Self { delimiter, fields })
    }

    /// Whether a first row holds a word where an indicator belongs: no dot, no colon.
    fn is_header(&self, text: &str) -> bool {
        let cells = split(text, self.delimiter);
        let cell = cells
            .as_ref()
            .and_then(|cells| cells.get(*self.fields.indicator.first()));
        cell.is_some_and(|cell| {
            !cell.contains(['.', ':']) && cell.contains(|sign: char| sign.is_alphabetic())
        })
    }
}

fn place(column: &Column) -> Option<usize> {
    match column {
        Column::Number(number) => number.checked_sub(1),
        Column::Name(_) => None,
    }
}

/// The delimiters that come into question.
pub(super) fn candidates(recipe: &Recipe) -> impl DoubleEndedIterator<Item = u8> {
    let (one, any) = match recipe.delimiter {
        Some(delimiter) => (Some(delimiter), &[][..]),
        None => (None, &DELIMITERS[..]),
    };
    one.into_iter().chain(any.iter().copied())
}

/// How many cells the widest of these lines has.
pub(super) fn widest(lines: &[u8], delimiter: u8) -> usize {
    let lines = lines.split(|byte| *byte == b'\n');
    let cells = lines.filter_map(|line| split(as_text(line).ok()?, delimiter));
    cells.map(|cells| cells.len()).max().unwrap_or(0)
}

/// The cells of a line alone, the last perhaps still open.
fn split(text: &str, delimiter: u8) -> Option<Cells> {
    let mut cells = Cells::default();
    if !cells.add(text, delimiter).ok()? {
        cells.close();
    }
    Some(cells)
}

#[cfg(test)]
mod tests;
