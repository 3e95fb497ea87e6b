//! Entries of a firewall's lists, and the leases that we hold on them.

use std::fmt;

use super::{Class, Indicator, UnixTime};

/// One of a firewall's two lists. The numbers are the cloud's `RuleType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum List {
    /// The blocklist (1).
    Block = 1,
    /// The allowlist (2).
    Allow = 2,
}

/// Which way the traffic flows, seen from the firewall's network. The numbers are the cloud's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Outbound (0): from our machines to the indicator.
    Out = 0,
    /// Inbound (1): from the indicator to our machines.
    In = 1,
}

/// A set of directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Directions {
    bits: u8,
}

/// What is done to an entry. The words are the cloud's `IocAction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Take the entry off the list.
    Delete,
    /// Move the EndTime of an entry that is there.
    Edit,
    /// Put the entry on the list.
    Add,
}

/// A place on a firewall: one indicator, in one direction, on one list. Each costs one of its quota.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Blocklist or allowlist.
    pub list: List,
    /// What is listed.
    pub indicator: Indicator,
    /// The direction in which it is blocked or allowed.
    pub direction: Direction,
}

/// One entry that we hold on a firewall until its EndTime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Where it stands.
    pub entry: Entry,
    /// When the cloud drops it by itself.
    pub end_time: UnixTime,
    /// When the EndTime was last set; the lease's own length counts from here.
    pub set_at: UnixTime,
    /// The action whose answer never came: it may have been applied or not.
    pub doubt: Option<Action>,
}

impl List {
    /// The word used in the config and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Allow => "allow",
        }
    }
}

impl Direction {
    /// Both, in the cloud's order.
    pub const ALL: [Self; 2] = [Self::Out, Self::In];

    /// The word used in the config and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

impl List {
    /// The list with the cloud's number.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Block),
            2 => Some(Self::Allow),
            _ => None,
        }
    }
}

impl Direction {
    /// The direction with the cloud's number.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Out),
            1 => Some(Self::In),
            _ => None,
        }
    }
}

impl Directions {
    /// Outbound alone.
    pub const OUT: Self = Self { bits: 1 };
    /// Inbound alone.
    pub const IN: Self = Self { bits: 2 };
    /// Both.
    pub const BOTH: Self = Self { bits: 3 };

    /// The set as the ledger keeps it: bit 0 outbound, bit 1 inbound; other bits are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self { bits: bits & 3 }
    }

    /// The set as [`Directions::from_bits`] reads it.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// The directions that stand in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            bits: self.bits | other.bits,
        }
    }

    /// Whether `direction` is in the set.
    #[must_use]
    pub const fn contains(self, direction: Direction) -> bool {
        self.bits & (1 << direction as u8) != 0
    }

    /// The directions of the set, in the cloud's order.
    pub fn iter(self) -> impl Iterator<Item = Direction> {
        Direction::ALL
            .into_iter()
            .filter(move |direction| self.contains(*direction))
    }
}

impl Action {
    /// All three, in the order in which they are sent.
    pub const ALL: [Self; 3] = [Self::Delete, Self::Edit, Self::Add];

    /// The action that [`Action::as_str`] names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }

    /// The cloud's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Edit => "edit",
            Self::Add => "add",
        }
    }
}

impl Entry {
    /// The class by which the firewall takes or refuses it.
    #[must_use]
    pub fn class(&self) -> Class {
        self.indicator.class()
    }
}

impl fmt::Display for List {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}
