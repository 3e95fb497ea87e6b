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

    /// The least key at hand.
    fn least(&self) -> Option<Key<'a>> {
        let head = *self.heads.iter().min()?;
        let at_head = || {
            let both = self.heads.iter().zip(&self.cursors);
            both.filter(move |(one, _)| **one == head)
                .filter_map(|(_, cursor)| cursor.key)
        };
        let first = at_head().next()?;
        // The head of an IPv4 address is all of its key.
        if first.is_whole() {
            return Some(first);
        }
        at_head().min()
    }
}

impl Iterator for Merge<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        loop {
            // A handful of feeds: looking at each costs less than a heap.
            let least = self.least()?;
            let mut indicator: Option<Indicator> = None;
            let mut sum: Option<Sum> = None;
            for (head, cursor) in self.heads.iter_mut().zip(&mut self.cursors) {
                if *head != least.head() || !(least.is_whole() || cursor.key == Some(least)) {
                    continue;
                }
                let known = match indicator.take() {
                    Some(known) => known,
                    None => match least.indicator() {
                        Some(indicator) => indicator,
                        None => {
                            *head = cursor.step();
                            continue;
                        }
                    },
                };
                let (known, said) = cursor.say(known, self.grid, self.now);
                if let Some((first_listed, worth)) = said {
                    let class = known.class();
                    sum.get_or_insert_with(|| Sum::new(first_listed)).add(
                        first_listed,
                        &worth,
                        class,
                    );
                }
                indicator = Some(known);
                *head = cursor.step();
            }
            if let Some((sum, indicator)) = sum.zip(indicator) {
                return Some(sum.candidate(indicator));
            }
        }
    }
}

impl Cursor<'_> {
    /// What the listing at hand is worth; gives the indicator back.
    fn say(
        &mut self,
        indicator: Indicator,
        grid: Duration,
        now: UnixTime,
    ) -> (Indicator, Option<(UnixTime, Worth)>) {
        let sheet = self.source.sheet;
        let first_listed = sheet.first_listed(self.row);
        if sheet.is_plain(self.row, &mut self.words)
            && let Some(worth) = self.plain
        {
            return (indicator, worth.map(|worth| (first_listed, worth)));
        }
        let listing = sheet.listing(self.row, indicator, self.words);
        let worth = worth(self.source.facts, &listing, grid, now);
        (listing.indicator, worth.map(|worth| (first_listed, worth)))
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
