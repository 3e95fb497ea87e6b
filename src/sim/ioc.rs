//! What may stand in a list, and which class it is of: the simulator's own reading of addresses and names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The kinds of entry that a firewall takes or refuses as a whole.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// One IPv4 address.
    Ipv4,
    /// One IPv6 address.
    Ipv6,
    /// A network of either family, as `address/length`.
    Network,
    /// A domain name.
    Domain,
}

/// Why a word is no class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no class of entry: write ipv4, ipv6, network or domain")]
pub struct BadClass(String);

/// An entry's text in the one form in which the list keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ioc {
    pub(super) text: String,
    pub(super) class: Class,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Ipv4, Self::Ipv6, Self::Network, Self::Domain];

    /// The word used in options and in the state's JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Network => "network",
            Self::Domain => "domain",
        }
    }
}

impl Ioc {
    /// Reads the `IP` field: an address, or a network with a prefix length.
    pub(super) fn from_ip(text: &str) -> Option<Self> {
        if let Some((address, length)) = text.split_once('/') {
            return network(address, length);
        }
        let address: IpAddr = text.parse().ok()?;
        let class = match address {
            IpAddr::V4(_) => Class::Ipv4,
            IpAddr::V6(_) => Class::Ipv6,
        };
        let text = address.to_string();
        Some(Self { text, class })
    }

    /// Reads the `Domain` field: at least two labels of letters, digits, `-` and `_`, and a last one that is no number.
    pub(super) fn from_domain(text: &str) -> Option<Self> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let last = name.rsplit('.').next()?;
        let named = name.contains('.') && !last.bytes().all(|byte| byte.is_ascii_digit());
        let whole = name.len() <= 253 && name.split('.').all(is_label);
        (named && whole).then(|| Self {
            text: text.to_ascii_lowercase(),
            class: Class::Domain,
        })
    }

    /// Reads either, as a test or a fault rule names an entry.
    pub(super) fn from_any(text: &str) -> Option<Self> {
        Self::from_ip(text).or_else(|| Self::from_domain(text))
    }
}

impl FromStr for Class {
    type Err = BadClass;

    fn from_str(word: &str) -> Result<Self, BadClass> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == word)
            .ok_or_else(|| BadClass(word.to_owned()))
    }
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// Bits beyond the prefix must be zero: a network is written in one way only.
fn network(address: &str, length: &str) -> Option<Ioc> {
    if length.len() > 3 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let bits: u32 = length.parse().ok()?;
    let text = if let Ok(v4) = address.parse::<Ipv4Addr>() {
        let host = u32::MAX.checked_shr(bits).unwrap_or(0);
        (bits <= 32 && v4.to_bits() & host == 0).then(|| format!("{v4}/{bits}"))?
    } else {
        let v6: Ipv6Addr = address.parse().ok()?;
        let host = u128::MAX.checked_shr(bits).unwrap_or(0);
        (bits <= 128 && v6.to_bits() & host == 0).then(|| format!("{v6}/{bits}"))?
    };
    Some(Ioc {
        text,
        class: Class::Network,
    })
}

fn is_label(label: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte != b'-');
    (1..=63).contains(&label.len())
        && edge(label.bytes().next())
        && edge(label.bytes().next_back())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_read_in_one_form() {
        for (text, class, kept) in [
            ("192.0.2.1", Class::Ipv4, "192.0.2.1"),
            ("2001:DB8:0::1", Class::Ipv6, "2001:db8::1"),
            ("192.0.2.0/24", Class::Network, "192.0.2.0/24"),
            ("0.0.0.0/0", Class::Network, "0.0.0.0/0"),
            ("192.0.2.1/32", Class::Network, "192.0.2.1/32"),
            ("2001:db8::/32", Class::Network, "2001:db8::/32"),
            ("Bad.Example.COM", Class::Domain, "bad.example.com"),
            (
                "xn--e1afmkfd.example",
                Class::Domain,
                "xn--e1afmkfd.example",
            ),
            ("*.example.com", Class::Domain, "*.example.com"),
            ("_dmarc.example.com", Class::Domain, "_dmarc.example.com"),
        ] {
            let ioc = Ioc::from_any(text).unwrap();
            assert_eq!((ioc.class, ioc.text.as_str()), (class, kept), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        for text in [
            "",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/+24",
            "192.0.2.0/",
            "2001:db8::1/64",
            "com",
            "a..example",
            "-a.example",
            "a-.example",
            "a b.example",
            "münchen.example",
            "example.com.",
            long.as_str(),
        ] {
            assert_eq!(Ioc::from_any(text), None, "{text}");
        }
    }
}
