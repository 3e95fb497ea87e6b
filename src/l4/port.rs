//! Ports and ranges of ports, as rules write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One port, or a range of two and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why a text is no port and no range of ports.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PortError {
    /// Not `80` and not `81-85`.
    #[error("{0:?} is no port: write 80, or 81-85")]
    Form(String),
    /// Port 0, or one above 65535.
    #[error("port {0} does not exist: ports are 1 to 65535")]
    Bounds(String),
    /// `85-81`
    #[error("the range {0} ends before it begins")]
    Backwards(String),
    /// `81-81`
    #[error("the range {0} is one port: write it as one")]
    OnePort(String),
}

impl PortRange {
    /// Reads `80` or `81-85`.
    ///
    /// # Errors
    /// [`PortError`] says which rule is broken.
    pub fn try_new(text: &str) -> Result<Self, PortError> {
        let text = text.trim();
        let Some((first, last)) = text.split_once('-') else {
            let port = port(text, text)?;
            return Ok(Self {
                first: port,
                last: port,
            });
        };
        let (first, last) = (port(first.trim(), text)?, port(last.trim(), text)?);
        if first > last {
            return Err(PortError::Backwards(text.to_owned()));
        }
        if first == last {
            return Err(PortError::OnePort(text.to_owned()));
        }
        Ok(Self { first, last })
    }

    /// The first port.
    #[must_use]
    pub fn first(self) -> u16 {
        self.first
    }

    /// The last port; the first one, where it is alone.
    #[must_use]
    pub fn last(self) -> u16 {
        self.last
    }

    /// How many ports, at least one.
    #[must_use]
    pub fn length(self) -> u32 {
        u32::from(self.last - self.first) + 1
    }

    /// The ports that both have.
    #[must_use]
    pub fn overlap(self, other: Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(Self { first, last })
    }
}

fn port(digits: &str, whole: &str) -> Result<u16, PortError> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PortError::Form(whole.to_owned()));
    }
    match u16::from_str(digits) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(PortError::Bounds(digits.to_owned())),
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(out, "{}", self.first)
        } else {
            write!(out, "{}-{}", self.first, self.last)
        }
    }
}

impl TryFrom<String> for PortRange {
    type Error = PortError;

    fn try_from(text: String) -> Result<Self, PortError> {
        Self::try_new(&text)
    }
}

impl From<PortRange> for String {
    fn from(ports: PortRange) -> Self {
        ports.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_broken_rule_has_its_sentence() {
        for (text, sentence) in [
            ("", "\"\" is no port: write 80, or 81-85"),
            ("http", "\"http\" is no port: write 80, or 81-85"),
            ("+80", "\"+80\" is no port: write 80, or 81-85"),
            ("80-", "\"80-\" is no port: write 80, or 81-85"),
            ("80,81", "\"80,81\" is no port: write 80, or 81-85"),
            ("1-2-3", "\"1-2-3\" is no port: write 80, or 81-85"),
            ("0", "port 0 does not exist: ports are 1 to 65535"),
            ("65536", "port 65536 does not exist: ports are 1 to 65535"),
            (
                "80-99999999",
                "port 99999999 does not exist: ports are 1 to 65535",
            ),
            ("85-81", "the range 85-81 ends before it begins"),
            ("81-81", "the range 81-81 is one port: write it as one"),
        ] {
            assert_eq!(PortRange::try_new(text).unwrap_err().to_string(), sentence);
        }
    }

    proptest! {
        #[test]
        fn ranges_round_trip_and_overlap_as_sets_do(a in 1u16.., b in 1u16.., c in 1u16.., d in 1u16..) {
            let range = |one: u16, other: u16| PortRange { first: one.min(other), last: one.max(other) };
            let (one, other) = (range(a, b), range(c, d));
            prop_assert_eq!(PortRange::try_new(&one.to_string()), Ok(one));
            prop_assert_eq!(one.overlap(other), other.overlap(one));
            let both = one.overlap(other).map_or(0, PortRange::length);
            let common = (one.first..=one.last).filter(|port| (other.first..=other.last).contains(port));
            prop_assert_eq!(both as usize, common.count());
        }
    }
}
