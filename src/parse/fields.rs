//! Which fields of a row count, and for what: the same for tables and for objects.

use super::token::{self, Found};
use super::value::{self, Threshold};
use super::{Reason, Recipe, Said};

/// A row's field, as the config names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// By the header's word for it, whatever its case. In JSON by its key exactly, or by a pointer into
    /// the item (RFC 6901): `/ioc/value`.
    Name(Box<str>),
    /// By its place, counted from 1. In JSON of an item that is a list; a lone string has one place.
    Number(usize),
}

/// The fields of a row that are read. `C` is how a field is found: as the config names it or, once a
/// header has been seen, by its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fields<C = Column> {
    /// Where the indicator stands.
    pub indicator: Take<C>,
    /// `where`: rows that fail any of these are passed over, and are no rejects.
    pub filters: Vec<Filter<C>>,
    /// The row's own confidence: 0 to 100, or `low`, `medium`, `high`.
    pub confidence: Option<C>,
    /// The row's own date, first or last seen.
    pub dated: Option<C>,
    /// The row's own end.
    pub valid_until: Option<C>,
}

/// One field with the indicator, or several that make a network or a range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Take<C = Column> {
    /// One field with the whole of it.
    One(C),
    /// An address, and beside it a prefix length or a netmask.
    Network {
        /// Any address of the network.
        address: C,
        /// `24`, `/24` or `255.255.255.0`.
        length: C,
    },
    /// The first and the last address.
    Range {
        /// The first.
        start: C,
        /// The last.
        end: C,
    },
    /// All three, which must agree.
    Block {
        /// The first address.
        start: C,
        /// The last address.
        end: C,
        /// Prefix length or netmask.
        length: C,
    },
}

/// One line of `where`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter<C = Column> {
    /// The field that is looked at.
    pub column: C,
    /// What it must hold.
    pub condition: Condition,
}

/// What a field must hold. Words are compared whatever their case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// One of these words.
    OneOf(Vec<Box<str>>),
    /// Any word but this one.
    Not(Box<str>),
    /// `>=`
    AtLeast(Threshold),
    /// `>`
    Above(Threshold),
    /// `<=`
    AtMost(Threshold),
    /// `<`
    Below(Threshold),
}

/// A comparison with something else than a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` compares with no number; write it like \">=75\", or without >, < for a word")]
pub struct ConditionError(String);

impl Column {
    /// Reads a key of `where`, where numbers cannot be told from words by their type: digits are a place.
    #[must_use]
    pub fn from_key(key: &str) -> Self {
        match key.parse() {
            Ok(number) if number > 0 => Self::Number(number),
            _ => Self::Name(key.trim().into()),
        }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            indicator: Take::One(Column::Number(1)),
            filters: Vec::new(),
            confidence: None,
            dated: None,
            valid_until: None,
        }
    }
}

impl Condition {
    /// Reads a condition as the config writes it: `online`, `!=offline`, `>=75`, `<0.5`.
    ///
    /// # Errors
    /// [`ConditionError`] where a number is missing behind `<` or `>`.
    pub fn try_new(text: &str) -> Result<Self, ConditionError> {
        let text = text.trim();
        let (compare, number): (fn(Threshold) -> Self, _) = match text.as_bytes() {
            [b'>', b'=', ..] => (Self::AtLeast, &text[2..]),
            [b'<', b'=', ..] => (Self::AtMost, &text[2..]),
            [b'>', ..] => (Self::Above, &text[1..]),
            [b'<', ..] => (Self::Below, &text[1..]),
            _ => return Ok(Self::of_word(text)),
        };
        let number = Threshold::try_new(number.trim());
        number
            .map(compare)
            .ok_or_else(|| ConditionError(text.to_owned()))
    }

    fn of_word(text: &str) -> Self {
        if let Some(word) = text.strip_prefix("!=") {
            return Self::Not(word.trim().into());
        }
        let word = text
            .strip_prefix("==")
            .or(text.strip_prefix('='))
            .unwrap_or(text);
        Self::OneOf(vec![word.trim().into()])
    }

    /// Whether `cell` meets the condition. An empty cell is no number, and so fails a comparison.
    ///
    /// # Errors
    /// [`Reason::NotANumber`] where the cell holds something that cannot be compared.
    fn holds(&self, cell: &str) -> Result<bool, Reason> {
        let is = |word: &str| word.eq_ignore_ascii_case(cell);
        let compare = |holds: &dyn Fn(f64) -> bool| Ok(value::number(cell)?.is_some_and(holds));
        match self {
            Self::OneOf(words) => Ok(words.iter().any(|word| is(word))),
            Self::Not(word) => Ok(!is(word)),
            Self::AtLeast(limit) => compare(&|value| value >= limit.value()),
            Self::Above(limit) => compare(&|value| value > limit.value()),
            Self::AtMost(limit) => compare(&|value| value <= limit.value()),
            Self::Below(limit) => compare(&|value| value < limit.value()),
        }
    }
}

impl<C> Fields<C> {
    /// The same fields, each found by `find`; `None` where one is not there.
    pub(super) fn resolve<D: Default>(&self, find: impl Fn(&C) -> Option<D>) -> Option<Fields<D>> {
        let mut all = true;
        let fields = self.map(|column| {
            let found = find(column);
            all &= found.is_some();
            found.unwrap_or_default()
        });
        all.then_some(fields)
    }

    /// The same fields, each as `find` finds it.
    pub(super) fn map<D>(&self, mut find: impl FnMut(&C) -> D) -> Fields<D> {
        let filters = self.filters.iter().map(|filter| Filter {
            column: find(&filter.column),
            condition: filter.condition.clone(),
        });
        Fields {
            filters: filters.collect(),
            indicator: self.indicator.map(&mut find),
            confidence: self.confidence.as_ref().map(&mut find),
            dated: self.dated.as_ref().map(&mut find),
            valid_until: self.valid_until.as_ref().map(&mut find),
        }
    }

    /// What a row says, each of its fields given by `cell`; `None` where `where` passes over it.
    pub(super) fn read<'a>(
        &self,
        recipe: &Recipe,
        cell: impl Fn(&C) -> Option<&'a str>,
    ) -> Result<Option<(Found, Said)>, Reason> {
        let must = |column: &C| cell(column).ok_or(Reason::NoCell);
        for filter in &self.filters {
            if !filter.condition.holds(must(&filter.column)?)? {
                return Ok(None);
            }
        }
        let found = self.indicator.read(recipe, must)?;
        let text = |column: &Option<C>| column.as_ref().and_then(&cell).unwrap_or_default();
        let said = Said {
            confidence: value::percent(text(&self.confidence))?,
            dated: value::moment(text(&self.dated))?,
            valid_until: value::moment(text(&self.valid_until))?,
        };
        Ok(Some((found, said)))
    }
}

impl<C> Take<C> {
    /// The field with the indicator, or with its first address.
    pub(super) fn first(&self) -> &C {
        match self {
            Self::One(column) => column,
            Self::Network { address, .. } => address,
            Self::Range { start, .. } | Self::Block { start, .. } => start,
        }
    }

    fn map<D>(&self, mut find: impl FnMut(&C) -> D) -> Take<D> {
        match self {
            Self::One(column) => Take::One(find(column)),
            Self::Network { address, length } => Take::Network {
                address: find(address),
                length: find(length),
            },
            Self::Range { start, end } => Take::Range {
                start: find(start),
                end: find(end),
            },
            Self::Block { start, end, length } => Take::Block {
                start: find(start),
                end: find(end),
                length: find(length),
            },
        }
    }

    fn read<'a>(
        &self,
        recipe: &Recipe,
        cell: impl Fn(&C) -> Result<&'a str, Reason>,
    ) -> Result<Found, Reason> {
        match self {
            Self::One(column) => token::read(recipe, cell(column)?),
            Self::Network { address, length } => {
                token::network(cell(address)?, cell(length)?).map(Found::One)
            }
            Self::Range { start, end } => {
                token::ends(recipe, cell(start)?, cell(end)?).map(Found::Many)
            }
            Self::Block { start, end, length } => {
                token::block(cell(start)?, cell(end)?, cell(length)?).map(Found::One)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_as_the_config_writes_them() {
        let table = [
            (">=75", "75", true),
            (">=75", "74.9", false),
            (">= 75", "100%", true),
            (">=75", "high", true),
            (">=75", "medium", false),
            (">=75", "", false),
            (">75", "75", false),
            ("<=0.5", "0.5", true),
            ("<0.5", "-1", true),
            ("online", "Online", true),
            ("==online", "offline", false),
            ("!=offline", "online", true),
            ("!=offline", "OFFLINE", false),
            ("ip:port", "ip:port", true),
            ("", "", true),
        ];
        for (condition, cell, holds) in table {
            let condition = Condition::try_new(condition).unwrap();
            assert_eq!(condition.holds(cell), Ok(holds), "{condition:?} {cell}");
        }
        assert_eq!(
            Condition::try_new(">=75").unwrap().holds("n/a x"),
            Err(Reason::NotANumber)
        );
        assert!(Condition::try_new(">=high").is_err());
        assert!(Condition::try_new(">>1").is_err());
        assert!(Condition::try_new(">").is_err());
    }

    #[test]
    fn keys_of_where_are_words_or_places() {
        assert_eq!(Column::from_key("3"), Column::Number(3));
        assert_eq!(Column::from_key("0"), Column::Name("0".into()));
        assert_eq!(
            Column::from_key("c2_status"),
            Column::Name("c2_status".into())
        );
    }
}
