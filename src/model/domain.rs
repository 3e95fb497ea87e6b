//! Domain names in the one form in which the ledger knows them.

use std::borrow::Cow;
use std::fmt;

use idna::AsciiDenyList;
use thiserror::Error;

/// A registrable domain or a name below one: lower-case ASCII (IDNA A-labels, UTS 46), no trailing dot,
/// at most 253 bytes, and never a bare public suffix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Box<str>);

/// Why a text is not a domain that can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
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
        let ascii = to_ascii(text)?;
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

    /// Takes back a name that was a `DomainName` in this very process.
    pub(super) fn from_checked(text: &str) -> Self {
        Self(text.into())
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

    /// The public suffix that the name stands under, such as `co.uk` or `github.io`; `None` where the
    /// public suffix list knows none, as for `.onion` or a file's name with its extension.
    #[must_use]
    pub fn known_suffix(&self) -> Option<&str> {
        known_suffix(&self.0)
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// Whether `text` is a public suffix, however it is written, a top-level domain included: such a name never becomes a
/// [`DomainName`], so that nothing ever blocks it.
#[must_use]
pub fn names_public_suffix(text: &str) -> bool {
    let bare = text.strip_prefix("*.").or(text.strip_prefix('.'));
    let ascii = to_ascii(bare.unwrap_or(text));
    ascii.is_ok_and(|name| is_public_suffix(name.strip_suffix('.').unwrap_or(&name)))
}

/// The name in A-labels. Plain lower-case names, by far the most, need no table of Unicode.
fn to_ascii(text: &str) -> Result<Cow<'_, str>, DomainError> {
    if text.is_empty() || text == "." {
        return Err(DomainError::Empty);
    }
    let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    if text.bytes().all(plain) && !text.contains("xn--") {
        return Ok(Cow::Borrowed(text));
    }
    idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::EMPTY).map_err(|_| DomainError::Idna)
}

fn check_shape(name: &str) -> Result<(), DomainError> {
    if name.len() > 253 {
        return Err(DomainError::Length);
    }
    let mut labels = 0;
    let mut last: &[u8] = b"";
    for label in name.as_bytes().split(|byte| *byte == b'.') {
        check_label(label)?;
        labels += 1;
        last = label;
    }
    if is_number(last) {
        return Err(DomainError::Numeric);
    }
    if labels < 2 {
        return Err(DomainError::SingleLabel);
    }
    Ok(())
}

fn check_label(label: &[u8]) -> Result<(), DomainError> {
    let (Some(first), Some(last)) = (label.first(), label.last()) else {
        return Err(DomainError::Length);
    };
    if label.len() > 63 {
        return Err(DomainError::Length);
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !label.iter().all(plain) || *first == b'-' || *last == b'-' {
        return Err(DomainError::Character);
    }
    Ok(())
}

/// Decimal, or hexadecimal as resolvers of addresses read it: `7`, `0x7f`.
fn is_number(label: &[u8]) -> bool {
    match label.strip_prefix(b"0x").or(label.strip_prefix(b"0X")) {
        Some(hex) => hex.iter().all(u8::is_ascii_hexdigit),
        None => label.iter().all(u8::is_ascii_digit),
    }
}

/// Whether strangers register names directly below `name`.
///
/// A label more is put in front of it, so that `compute.amazonaws.com`, which only the rule
/// `*.compute.amazonaws.com` mentions, is refused like `github.io`.
fn is_public_suffix(name: &str) -> bool {
    let mut below = [0_u8; 255];
    below[..2].copy_from_slice(b"0.");
    let Some(space) = below.get_mut(2..name.len() + 2) else {
        return false;
    };
    space.copy_from_slice(name.as_bytes());
    std::str::from_utf8(&below[..name.len() + 2])
        .ok()
        .and_then(known_suffix)
        .is_some_and(|suffix| suffix.len() >= name.len())
}

/// The one place, and not a generic one, where the suffix list is asked: its code is inlined at each call.
#[inline(never)]
fn known_suffix(name: &str) -> Option<&str> {
    let parsed = addr::parse_dns_name(name).ok()?;
    parsed.suffix().filter(|_| parsed.has_known_suffix())
}

#[cfg(test)]
mod tests;
