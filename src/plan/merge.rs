//! What all feeds of one list say together, an indicator at a time, without holding more than one of them.

use std::time::Duration;

use crate::model::{Indicator, UnixTime};

use super::desired::{Candidate, Sum};
use super::expiry::{FeedFacts, Worth, worth, worth_of_plain};
use super::sheet::{Key, Sheet};

/// A feed's listings, and what they are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What it lists.
    pub sheet: &'a Sheet,
    /// Its terms, and when it was heard.
    pub facts: &'a FeedFacts,
}

/// Candidates in the indicators' order.
pub struct Merge<'a> {
    cursors: Vec<Cursor<'a>>,
    /// The beginning of each cursor's key, which most often decides alone; the highest number at the end.
    heads: Vec<u64>,
    grid: Duration,
    now: UnixTime,
}

/// One source, as far as it has been read.
struct Cursor<'a> {
    source: Source<'a>,
    row: usize,
    end: usize,
    words: usize,
    key: Option<Key<'a>>,
    /// What a listing of which nothing else is known is worth; `None` where that depends on the indicator.
    plain: Option<Option<Worth>>,
}

impl<'a> Merge<'a> {
    /// Goes through the keys with tags from `first` up to, and without, `last`.
    #[must_use]
    pub fn of(
        sources: &[Source<'a>],
        tags: std::ops::Range<u8>,
        grid: Duration,
        now: UnixTime,
    ) -> Self {
        let cursor = |source: &Source<'a>| {
            let row = source.sheet.first_of(tags.start);
            let end = source.sheet.first_of(tags.end);
            Cursor {
                source: *source,
                row,
                end,
                words: 0,
                key: (row < end).then(|| source.sheet.key(row)),
                plain: worth_of_plain(source.facts, grid, now),
            }
        };
        let cursors: Vec<Cursor<'_>> = sources.iter().map(cursor).collect();
        Self {
            heads: cursors.iter().map(Cursor::head).collect(),
            cursors,
            grid,
            now,
        }
    }

    /// The candidate of the listings of one key that several feeds share the beginning of.
    fn together(&mut self, head: u64) -> Option<Candidate> {
        let at_head = || {
            let both = self.heads.iter().zip(&self.cursors);
            both.filter(move |(one, _)| **one == head)
                .filter_map(|(_, cursor)| cursor.key)
        };
        // The head of an IPv4 address is all of its key.
        let least = at_head().min()?;
        let indicator = least.indicator();
        let mut sum: Option<Sum> = None;
        for (head, cursor) in self.heads.iter_mut().zip(&mut self.cursors) {
            if cursor.key != Some(least) {
                continue;
            }
            if let Some(indicator) = &indicator
                && let Some(worth) = cursor.worth(indicator, self.grid, self.now)
            {
                let first_listed = cursor.source.sheet.first_listed(cursor.row);
                sum.get_or_insert_with(|| Sum::new(first_listed)).add(
                    first_listed,
                    &worth,
                    indicator.class(),
                );
            }
            *head = cursor.step();
        }
        Some(sum?.candidate(indicator?))
    }
}

impl Iterator for Merge<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        loop {
            // A handful of feeds: looking at each costs less than a heap.
            let (head, at, is_alone) = least(&self.heads)?;
            let candidate = if is_alone {
                let cursor = self.cursors.get_mut(at)?;
                let candidate = cursor.alone(self.grid, self.now);
                *self.heads.get_mut(at)? = cursor.step();
                candidate
            } else {
                self.together(head)
            };
            if candidate.is_some() {
                return candidate;
            }
        }
    }
}

/// The least of `heads`, where it stands, and whether it stands there alone; `None` where all are at their end.
fn least(heads: &[u64]) -> Option<(u64, usize, bool)> {
    let (mut least, mut at, mut others) = (u64::MAX, 0, 0);
    for (place, head) in heads.iter().enumerate() {
        let is_less = *head < least;
        others = if is_less {
            0
        } else {
            others + usize::from(*head == least)
        };
        at = if is_less { place } else { at };
        least = least.min(*head);
    }
    (least < u64::MAX).then_some((least, at, others == 0))
}

impl Cursor<'_> {
    /// What the listing at hand comes to where no other feed lists the same.
    fn alone(&mut self, grid: Duration, now: UnixTime) -> Option<Candidate> {
        let indicator = self.key?.indicator()?;
        let first_listed = self.source.sheet.first_listed(self.row);
        let worth = self.worth(&indicator, grid, now)?;
        let mut sum = Sum::new(first_listed);
        sum.add(first_listed, &worth, indicator.class());
        Some(sum.candidate(indicator))
    }

    /// What the listing at hand is worth.
    fn worth(&mut self, indicator: &Indicator, grid: Duration, now: UnixTime) -> Option<Worth> {
        let sheet = self.source.sheet;
        if sheet.is_plain(self.row, &mut self.words)
            && let Some(worth) = self.plain
        {
            return worth;
        }
        let listing = sheet.listing(self.row, indicator.clone(), self.words);
        worth(self.source.facts, &listing, grid, now)
    }

    /// Goes on to the next row; the beginning of its key.
    fn step(&mut self) -> u64 {
        self.row += 1;
        self.key = (self.row < self.end).then(|| self.source.sheet.key(self.row));
        self.head()
    }

    fn head(&self) -> u64 {
        self.key.map_or(u64::MAX, Key::head)
    }
}
