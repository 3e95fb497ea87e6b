//! Domain names in the one form in which the ledger knows them.

use std::fmt;

use idna::AsciiDenyList;
use thiserror::Error;

/// A registrable domain or a name below one: lower-case ASCII (IDNA A-labels, UTS 46), no trailing dot,
/// at most 253 bytes, and never a bare public suffix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Box<str>);

/// Why a text is not a domain that can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DomainError {
    /// Nothing before the root dot.
    #[error("the domain is empty")]
    Empty,
    /// RFC 1035 §2.3.4.
    #[error("the domain is longer than 253 bytes, or one of its labels is empty or longer than 63")]
    Length,
    /// Not letters, digits, hyphens and underscores, or a hyphen at a label's end.
    #[error("the domain holds a character that no host name has")]
    Character,
    /// UTS 46 refuses it.
    #[error("the domain is not a valid international name (IDNA)")]
    Idna,
    /// One label alone, such as `localhost`.
    #[error("the domain has one label only")]
    SingleLabel,
    /// The last label is a number, so that resolvers take it for an address (WHATWG URL §3.5).
    #[error("the name ends in a number, so it is neither a domain nor an address")]
    Numeric,
    /// Listing it would block everybody below it (publicsuffix.org).
    #[error("the domain is a public suffix, under which strangers register names")]
    PublicSuffix,
}

impl DomainName {
    /// Normalizes `text`: Unicode to A-labels, upper case to lower, one trailing dot dropped.
    ///
    /// # Errors
    /// [`DomainError`] says which rule is broken.
    pub fn try_new(text: &str) -> Result<Self, DomainError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(DomainError::Empty);
        }
        let ascii = idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::EMPTY)
            .map_err(|_| DomainError::Idna)?;
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        check_shape(name)?;
        if is_public_suffix(name) {
            return Err(DomainError::PublicSuffix);
        }
        Ok(Self(name.into()))
    }

    /// Takes back what [`DomainName::as_str`] once gave, as the ledger keeps it.
    ///
    /// # Errors
    /// [`DomainError`] where the text never was a normalized name. The public suffix list is not asked
    /// again: it changes, and the ledger must stay readable.
    pub fn from_canonical(text: &str) -> Result<Self, DomainError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(DomainError::Character);
        }
        check_shape(text)?;
        Ok(Self(text.into()))
    }

    /// The name, lower case, without a trailing dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the suffix list of this build (publicsuffix.org) now calls the name a public suffix, as it
    /// may a name that [`DomainName::from_canonical`] took back.
    #[must_use]
    pub fn is_public_suffix(&self) -> bool {
        is_public_suffix(&self.0)
    }

    /// This name, then each name above it, down to the last two labels.
    pub fn self_and_parents(&self) -> impl Iterator<Item = &str> {
        let mut rest = Some(self.as_str());
        std::iter::from_fn(move || {
            let here = rest.filter(|name| name.contains('.'))?;
            rest = here.split_once('.').map(|(_, above)| above);
            Some(here)
        })
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

fn check_shape(name: &str) -> Result<(), DomainError> {
    if name.len() > 253 {
        return Err(DomainError::Length);
    }
    let mut labels = 0;
    let mut last = "";
    for label in name.split('.') {
        check_label(label.as_bytes())?;
        labels += 1;
        last = label;
    }
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DomainError::Numeric);
    }
    if labels < 2 {
        return Err(DomainError::SingleLabel);
    }
    Ok(())
}

fn check_label(label: &[u8]) -> Result<(), DomainError> {
    if label.is_empty() || label.len() > 63 {
        return Err(DomainError::Length);
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !label.iter().all(plain) || label[0] == b'-' || label[label.len() - 1] == b'-' {
        return Err(DomainError::Character);
    }
    Ok(())
}

/// One non-generic place for the suffix list: its code is inlined wherever it is called.
#[inline(never)]
fn is_public_suffix(name: &str) -> bool {
    addr::parse_dns_name(name)
        .is_ok_and(|parsed| parsed.root().is_none() && parsed.has_known_suffix())
}
