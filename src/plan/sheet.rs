//! One feed's listings as a plan keeps them in memory: sorted, and some dozen bytes each.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr};

use crate::model::{Indicator, Listing, UnixTime};

/// What a feed lists, in the indicators' order.
///
/// A key's first eight bytes stand in one number, which is all there is of an IPv4 address or network; the rest of a
/// longer key stands in `rest`. Most rows say nothing but that they are listed; the others have their words in `words`.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    heads: Vec<u64>,
    /// Where the rest of each key ends in `rest`; empty while no key is longer than its head.
    ends: Vec<u32>,
    rest: Vec<u8>,
    firsts: Vec<u32>,
    words: Vec<Words>,
}

/// A key as it is compared: no two indicators have the same, and their order is the indicators' own, for no key has
/// zeros at its end that another one lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    head: u64,
    rest: &'a [u8],
}

/// What a row says beside its indicator. Times are Unix seconds from 1 on, as far as 32 bits reach (2106); 0 is none.
#[derive(Clone, Copy, Debug)]
struct Words {
    row: u32,
    expires_at: u32,
    delisted_at: u32,
    valid_until: u32,
    dated: u32,
    /// Percent; above 100: none.
    confidence: u8,
}

const HEAD: usize = 8;
const NO_CONFIDENCE: u8 = u8::MAX;
/// The tag of an IPv4 key, which most rows have.
const IPV4: u64 = 1;

impl Sheet {
    /// An empty sheet with room for `rows`.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            heads: Vec::with_capacity(rows),
            firsts: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    /// How many listings it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Adds a listing behind all others.
    pub fn push(&mut self, listing: &Listing) {
        let row = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let mut key = Vec::with_capacity(32);
        listing.indicator.write_key(&mut key);
        let (head, rest) = split(&key);
        self.push_key(head, rest);
        self.firsts.push(short(Some(listing.first_listed)));
        let words = Words::of(row, listing);
        if !words.are_plain() {
            self.words.push(words);
        }
    }

    /// Gives back what growing took too much of.
    pub fn shrink(&mut self) {
        self.heads.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.rest.shrink_to_fit();
        self.firsts.shrink_to_fit();
        self.words.shrink_to_fit();
    }

    /// The sheet once `changed` (sorted) are as `now` (sorted, and of them those that are still there), without what
    /// had ended by its own `expires_at` at `ended`.
    #[must_use]
    pub fn with(&self, changed: &[Indicator], now: &[Listing], ended: UnixTime) -> Self {
        let mut next = Self::with_capacity(self.len() + now.len());
        let (mut changed, mut now) = (changed.iter().peekable(), now.iter().peekable());
        let mut words = self.words.iter().peekable();
        let ended = short(Some(ended));
        let mut key = Vec::with_capacity(32);
        let mut told: Option<(u64, Vec<u8>)> = None;
        for row in 0..self.len() {
            let old = self.key(row);
            while let Some(indicator) = changed.peek() {
                if told.is_none() {
                    key.clear();
                    indicator.write_key(&mut key);
                    let (head, rest) = split(&key);
                    told = Some((head, rest.to_vec()));
                }
                let Some((head, rest)) = &told else { break };
                if (Key { head: *head, rest }) >= old {
                    break;
                }
                next.push_if(&mut now, indicator);
                changed.next();
                told = None;
            }
            let its_words = words.next_if(|words| words.row as usize == row);
            let is_changed = told
                .as_ref()
                .is_some_and(|(head, rest)| Key { head: *head, rest } == old);
            if is_changed {
                if let Some(indicator) = changed.next() {
                    next.push_if(&mut now, indicator);
                }
                told = None;
            } else if its_words
                .is_none_or(|words| words.expires_at == 0 || words.expires_at > ended)
            {
                next.copy(self, row, its_words);
            }
        }
        for indicator in changed {
            next.push_if(&mut now, indicator);
        }
        next.shrink();
        next
    }

    /// Takes `indicator`'s listing, where it is the next of `now`.
    fn push_if<'a>(
        &mut self,
        now: &mut std::iter::Peekable<impl Iterator<Item = &'a Listing>>,
        indicator: &Indicator,
    ) {
        while now
            .next_if(|listing| listing.indicator < *indicator)
            .is_some()
        {}
        if let Some(listing) = now.next_if(|listing| listing.indicator == *indicator) {
            self.push(listing);
        }
    }

    fn copy(&mut self, from: &Self, row: usize, words: Option<&Words>) {
        let at = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let Key { head, rest } = from.key(row);
        self.push_key(head, rest);
        self.firsts.push(from.firsts.get(row).copied().unwrap_or(0));
        self.words
            .extend(words.map(|words| Words { row: at, ..*words }));
    }

    fn push_key(&mut self, head: u64, rest: &[u8]) {
        let rows = self.heads.len();
        self.heads.push(head);
        if !rest.is_empty() && self.ends.is_empty() {
            self.ends.resize(rows, 0);
        }
        if !rest.is_empty() || !self.ends.is_empty() {
            self.rest.extend_from_slice(rest);
            self.ends
                .push(u32::try_from(self.rest.len()).unwrap_or(u32::MAX));
        }
    }

    /// The key of a row.
    #[must_use]
    pub fn key(&self, row: usize) -> Key<'_> {
        let head = self.heads.get(row).copied().unwrap_or(u64::MAX);
        let Some(end) = self.ends.get(row) else {
            return Key { head, rest: &[] };
        };
        let from = row.checked_sub(1).and_then(|before| self.ends.get(before));
        let from = from.copied().unwrap_or(0) as usize;
        let rest = self.rest.get(from..*end as usize).unwrap_or_default();
        Key { head, rest }
    }

    /// The row of an indicator.
    #[must_use]
    pub fn find(&self, indicator: &Indicator) -> Option<usize> {
        let mut key = Vec::with_capacity(32);
        indicator.write_key(&mut key);
        let (head, rest) = split(&key);
        let sought = Key { head, rest };
        let first = self.heads.partition_point(|one| *one < head);
        let same = self.heads.get(first..)?;
        let count = same.partition_point(|one| *one == head);
        let (mut low, mut high) = (first, first + count);
        while low < high {
            let middle = low.midpoint(high);
            match self.key(middle).cmp(&sought) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Where [`Sheet::is_plain`] may begin to walk for `row`.
    #[must_use]
    pub fn words_from(&self, row: usize) -> usize {
        self.words.partition_point(|one| (one.row as usize) < row)
    }

    /// The first row whose key has this tag or a higher one.
    #[must_use]
    pub fn first_of(&self, tag: u8) -> usize {
        let least = u64::from(tag) << 56;
        self.heads.partition_point(|head| *head < least)
    }

    /// Whether a row says more than that it is listed; `words` walks beside rows that come in order.
    #[must_use]
    pub fn is_plain(&self, row: usize, words: &mut usize) -> bool {
        while self
            .words
            .get(*words)
            .is_some_and(|one| (one.row as usize) < row)
        {
            *words += 1;
        }
        self.words
            .get(*words)
            .is_none_or(|one| one.row as usize != row)
    }

    /// When a row was first listed.
    #[must_use]
    pub fn first_listed(&self, row: usize) -> UnixTime {
        let seconds = self.firsts.get(row).copied().unwrap_or(0);
        UnixTime::from_seconds(seconds.into())
    }

    /// A row's listing, given its indicator; `words` as [`Sheet::is_plain`] left it.
    #[must_use]
    pub fn listing(&self, row: usize, indicator: Indicator, words: usize) -> Listing {
        let words = self.words.get(words).filter(|one| one.row as usize == row);
        let words = words.copied().unwrap_or(Words::PLAIN);
        Listing {
            indicator,
            first_listed: self.first_listed(row),
            expires_at: long(words.expires_at),
            delisted_at: long(words.delisted_at),
            valid_until: long(words.valid_until),
            dated: long(words.dated),
            confidence: Some(words.confidence).filter(|percent| *percent != NO_CONFIDENCE),
        }
    }

    /// Every listing, in order.
    pub fn listings(&self) -> impl Iterator<Item = Listing> {
        let mut words = 0;
        (0..self.len()).filter_map(move |row| {
            let _ = self.is_plain(row, &mut words);
            Some(self.listing(row, self.key(row).indicator()?, words))
        })
    }
}

impl Key<'_> {
    /// Its first eight bytes.
    #[must_use]
    pub fn head(self) -> u64 {
        self.head
    }

    /// Whether the head is all there is of it, as of an IPv4 address.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.head >> 56 == IPV4
    }

    /// The indicator; `None` for bytes that no indicator gave.
    #[must_use]
    pub fn indicator(self) -> Option<Indicator> {
        let bytes = self.head.to_be_bytes();
        if self.head >> 56 == IPV4 {
            let [_, a, b, c, d, ..] = bytes;
            return Some(Indicator::from_ip(IpAddr::V4(Ipv4Addr::new(a, b, c, d))));
        }
        let mut key = Vec::with_capacity(HEAD + self.rest.len());
        key.extend_from_slice(&bytes);
        key.extend_from_slice(self.rest);
        let [tag, ..] = bytes;
        let length = Indicator::key_length(tag).unwrap_or_else(|| {
            // No name holds a zero byte.
            key.iter().position(|byte| *byte == 0).unwrap_or(key.len())
        });
        Indicator::from_own_key(key.get(..length)?)
    }
}

impl Words {
    const PLAIN: Self = Self {
        row: 0,
        expires_at: 0,
        delisted_at: 0,
        valid_until: 0,
        dated: 0,
        confidence: NO_CONFIDENCE,
    };

    fn of(row: u32, listing: &Listing) -> Self {
        Self {
            row,
            expires_at: short(listing.expires_at),
            delisted_at: short(listing.delisted_at),
            valid_until: short(listing.valid_until),
            dated: short(listing.dated),
            confidence: listing
                .confidence
                .map_or(NO_CONFIDENCE, |percent| percent.min(100)),
        }
    }

    fn are_plain(self) -> bool {
        let times = [
            self.expires_at,
            self.delisted_at,
            self.valid_until,
            self.dated,
        ];
        self.confidence == NO_CONFIDENCE && times == [0; 4]
    }
}

/// The first eight bytes of a key as a number, and the rest of it.
fn split(key: &[u8]) -> (u64, &[u8]) {
    let (head, rest) = key.split_at(key.len().min(HEAD));
    let mut bytes = [0; HEAD];
    for (to, from) in bytes.iter_mut().zip(head) {
        *to = *from;
    }
    (u64::from_be_bytes(bytes), rest)
}

fn short(time: Option<UnixTime>) -> u32 {
    time.map_or(0, |time| {
        u32::try_from(time.seconds().max(1)).unwrap_or(u32::MAX)
    })
}

fn long(seconds: u32) -> Option<UnixTime> {
    (seconds > 0).then(|| UnixTime::from_seconds(seconds.into()))
}
