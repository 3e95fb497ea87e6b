//! The columns of a snapshot: keys of one kind, sorted, and beside them what their rows said, for which no
//! memory is spent until a row says something.

use std::cmp::Ordering;

use super::Record;
use crate::model::UnixTime;

/// What a row says beside its indicator. Two rows of one indicator become one by taking the greater of
/// each part: absent is least for the confidence and the date, and greatest for the end, for a row without
/// an end of its own promises the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extra {
    confidence: Option<u8>,
    valid_until: i64,
    dated: i64,
}

/// Keys, with extras once a row had some.
#[derive(Clone, Debug)]
pub(super) enum Column<K> {
    Bare(Vec<K>),
    Rich(Vec<(K, Extra)>),
}

impl Extra {
    const NONE: Self = Self {
        confidence: None,
        valid_until: i64::MAX,
        dated: i64::MIN,
    };

    pub(super) fn of(record: &Record) -> Self {
        let seconds = |time: Option<UnixTime>| time.map(UnixTime::seconds);
        Self {
            confidence: record.confidence,
            valid_until: seconds(record.valid_until).unwrap_or(Self::NONE.valid_until),
            dated: seconds(record.dated).unwrap_or(Self::NONE.dated),
        }
    }

    pub(super) fn confidence(self) -> Option<u8> {
        self.confidence
    }

    pub(super) fn valid_until(self) -> Option<UnixTime> {
        let said = self.valid_until != Self::NONE.valid_until;
        said.then_some(UnixTime::from_seconds(self.valid_until))
    }

    pub(super) fn dated(self) -> Option<UnixTime> {
        let said = self.dated != Self::NONE.dated;
        said.then_some(UnixTime::from_seconds(self.dated))
    }

    fn merge(&mut self, other: Self) {
        self.confidence = self.confidence.max(other.confidence);
        self.valid_until = self.valid_until.max(other.valid_until);
        self.dated = self.dated.max(other.dated);
    }
}

impl<K: Copy> Column<K> {
    pub(super) fn push(&mut self, key: K, extra: Extra) {
        match self {
            Self::Rich(rows) => rows.push((key, extra)),
            Self::Bare(keys) if extra == Extra::NONE => keys.push(key),
            Self::Bare(keys) => {
                let bare = std::mem::take(keys).into_iter();
                let mut rows: Vec<_> = bare.map(|key| (key, Extra::NONE)).collect();
                rows.push((key, extra));
                *self = Self::Rich(rows);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bare(keys) => keys.len(),
            Self::Rich(rows) => rows.len(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, Extra)> {
        let (bare, rich) = match self {
            Self::Bare(keys) => (keys.as_slice(), &[][..]),
            Self::Rich(rows) => (&[][..], rows.as_slice()),
        };
        let bare = bare.iter().map(|key| (*key, Extra::NONE));
        bare.chain(rich.iter().copied())
    }

    pub(super) fn keys_mut(&mut self) -> impl Iterator<Item = &mut K> {
        let (bare, rich) = match self {
            Self::Bare(keys) => (keys.as_mut_slice(), &mut [][..]),
            Self::Rich(rows) => (&mut [][..], rows.as_mut_slice()),
        };
        bare.iter_mut().chain(rich.iter_mut().map(|(key, _)| key))
    }

    /// Sorts by `order` and makes one row of those that it finds equal.
    pub(super) fn settle(&mut self, order: impl Fn(&K, &K) -> Ordering) {
        match self {
            Self::Bare(keys) => {
                keys.sort_unstable_by(&order);
                keys.dedup_by(|later, kept| order(later, kept).is_eq());
            }
            Self::Rich(rows) => {
                rows.sort_unstable_by(|one, two| order(&one.0, &two.0));
                rows.dedup_by(|later, kept| {
                    let same = order(&later.0, &kept.0).is_eq();
                    if same {
                        kept.1.merge(later.1);
                    }
                    same
                });
            }
        }
    }

    pub(super) fn shrink_to_fit(&mut self) {
        match self {
            Self::Bare(keys) => keys.shrink_to_fit(),
            Self::Rich(rows) => rows.shrink_to_fit(),
        }
    }
}

impl<K> Default for Column<K> {
    fn default() -> Self {
        Self::Bare(Vec::new())
    }
}
