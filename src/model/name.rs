//! Names of feeds and firewalls: identities in the ledger, labels in metrics, words on a command line.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A feed's or firewall's name: 1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing, or more than 64 bytes.
    #[error("a name has 1 to 64 characters")]
    Length,
    /// A character that a shell, a metric label or a table could stumble over.
    #[error(
        "a name holds only letters, digits, '.', '_' and '-', and begins with a letter or a digit"
    )]
    Character,
}

impl Name {
    /// Checks `text` against the rule of names.
    ///
    /// # Errors
    /// [`NameError`] says which part of the rule is broken.
    pub fn try_new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > 64 {
            return Err(NameError::Length);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !text.bytes().all(plain) || !text.as_bytes()[0].is_ascii_alphanumeric() {
            return Err(NameError::Character);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::try_new(text)
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_names() {
        for good in ["prod", "a", "dan.me.uk", "feodo_2-x", "9lives"] {
            assert_eq!(Name::try_new(good).unwrap().as_str(), good);
        }
        assert_eq!(Name::try_new(""), Err(NameError::Length));
        assert_eq!(Name::try_new(&"x".repeat(65)), Err(NameError::Length));
        for bad in ["-x", "a b", "ü", "a/b", "x\u{1b}[2J"] {
            assert_eq!(Name::try_new(bad), Err(NameError::Character), "{bad:?}");
        }
    }
}
