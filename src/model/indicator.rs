//! Indicators: one canonical address, network or domain, and its key in the ledger.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

use super::domain::{DomainError, DomainName};
use super::ipv4;

/// What a feed lists and a firewall blocks. The same thing written two ways is one value.
///
/// The order is that of [`Indicator::key`]: IPv4, IPv6, IPv4 networks, IPv6 networks, domains.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Indicator {
    /// One address.
    Address(Address),
    /// A block of two or more addresses.
    Network(Network),
    /// A domain and what lies below it.
    Domain(DomainName),
}

/// An indicator whose name, if it is a domain, belongs to somebody else, such as a sorted snapshot.
/// It has the order, the text and the key of the [`Indicator`] that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndicatorRef<'a> {
    /// One address.
    Address(Address),
    /// A block of two or more addresses.
    Network(Network),
    /// A domain.
    Domain(DomainRef<'a>),
}

/// A borrowed [`DomainName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainRef<'a>(&'a str);

/// One address; an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is held as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(IpAddr);

/// A network with its host bits cleared that holds more than one address, never inside `::ffff:0:0/96`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

/// The kinds of entry that a firewall may take or refuse as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A single IPv4 address.
    Ipv4,
    /// A single IPv6 address.
    Ipv6,
    /// A network of either family.
    Network,
    /// A domain name.
    Domain,
}

/// Why a text is no indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum IndicatorError {
    /// Nothing there.
    #[error("nothing is written there")]
    Empty,
    /// Digits and dots, or colons, that make no address.
    #[error("it looks like an address but is none")]
    Address,
    /// A `/` with an impossible length behind it.
    #[error("the prefix length is no number from 0 to {0}")]
    PrefixLength(u8),
    /// A domain that breaks a rule of domains.
    #[error(transparent)]
    Domain(#[from] DomainError),
}

/// A key in the ledger that no version of this program wrote.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the ledger holds a key that is no indicator: {0}")]
pub struct KeyError(pub String);

const KEY_IPV4: u8 = 1;
const KEY_IPV6: u8 = 2;
const KEY_NETWORK4: u8 = 3;
const KEY_NETWORK6: u8 = 4;
const KEY_DOMAIN: u8 = 5;

/// The first bytes of the keys of addresses, of networks and of domains.
pub(crate) mod tags {
    use std::ops::Range;

    pub(crate) const ADDRESSES: Range<u8> = super::KEY_IPV4..super::KEY_NETWORK4;
    pub(crate) const NETWORKS: Range<u8> = super::KEY_NETWORK4..super::KEY_DOMAIN;
    pub(crate) const DOMAINS: Range<u8> = super::KEY_DOMAIN..u8::MAX;
}

impl Indicator {
    /// The indicator for an address.
    #[must_use]
    pub fn from_ip(ip: IpAddr) -> Self {
        Self::Address(Address::new(ip))
    }

    /// The indicator for a network: host bits cleared, a host-length prefix made an address, and a
    /// network of IPv4-mapped addresses made the IPv4 network that it stands for.
    #[must_use]
    pub fn from_net(net: IpNet) -> Self {
        let net = unmapped(net).trunc();
        if net.prefix_len() == net.max_prefix_len() {
            return Self::from_ip(net.addr());
        }
        Self::Network(Network(net))
    }

    /// Reads one bare indicator: an address, `address/length` or a domain. No ports, no URLs: those
    /// are a feed format's business.
    ///
    /// # Errors
    /// [`IndicatorError`] says what is wrong with it.
    pub fn try_new(text: &str) -> Result<Self, IndicatorError> {
        if text.is_empty() {
            return Err(IndicatorError::Empty);
        }
        if let Some((head, length)) = text.split_once('/') {
            return network(head, length);
        }
        if let Some(ip) = read_ip(text) {
            return Ok(Self::from_ip(ip));
        }
        if text.contains(':')
            || text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return Err(IndicatorError::Address);
        }
        Ok(Self::Domain(DomainName::try_new(text)?))
    }

    /// The same indicator, its name borrowed.
    #[must_use]
    pub fn borrowed(&self) -> IndicatorRef<'_> {
        match self {
            Self::Address(address) => IndicatorRef::Address(*address),
            Self::Network(network) => IndicatorRef::Network(*network),
            Self::Domain(name) => IndicatorRef::Domain(DomainRef(name.as_str())),
        }
    }

    /// The class by which firewalls take or refuse it.
    #[must_use]
    pub fn class(&self) -> Class {
        self.borrowed().class()
    }

    /// The addresses that it covers; `None` for a domain.
    #[must_use]
    pub fn net(&self) -> Option<IpNet> {
        match self {
            Self::Address(address) => Some(address.ip().into()),
            Self::Network(network) => Some(network.net()),
            Self::Domain(_) => None,
        }
    }

    /// The canonical bytes: a tag, then the address (and prefix length) or the name. Their order is the
    /// indicators' order.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(18);
        self.write_key(&mut key);
        key
    }

    /// Appends [`Indicator::key`] to `out`.
    pub fn write_key(&self, out: &mut Vec<u8>) {
        self.borrowed().write_key(out);
    }

    /// The length of a key that begins with `tag`; `None` for a domain, whose key is as long as its name.
    #[must_use]
    pub const fn key_length(tag: u8) -> Option<usize> {
        match tag {
            KEY_IPV4 => Some(5),
            KEY_IPV6 => Some(17),
            KEY_NETWORK4 => Some(6),
            KEY_NETWORK6 => Some(18),
            _ => None,
        }
    }

    /// Reads what [`Indicator::key`] wrote in this very process: a name is not looked at again.
    pub(crate) fn from_own_key(key: &[u8]) -> Option<Self> {
        match key {
            [KEY_DOMAIN, name @ ..] => {
                let name = std::str::from_utf8(name).ok()?;
                Some(Self::Domain(DomainName::from_checked(name)))
            }
            _ => read_key(key),
        }
    }

    /// Reads what [`Indicator::key`] wrote.
    ///
    /// # Errors
    /// [`KeyError`] where the bytes are no such key.
    pub fn from_key(key: &[u8]) -> Result<Self, KeyError> {
        read_key(key).ok_or_else(|| KeyError(hex::encode(key)))
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrowed().fmt(out)
    }
}

impl serde::Serialize for Indicator {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl IndicatorRef<'_> {
    /// The indicator itself, its name copied.
    #[must_use]
    pub fn to_owned(self) -> Indicator {
        match self {
            Self::Address(address) => Indicator::Address(address),
            Self::Network(network) => Indicator::Network(network),
            Self::Domain(name) => Indicator::Domain(DomainName::from_checked(name.0)),
        }
    }

    /// The class by which firewalls take or refuse it.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Address(address) if address.ip().is_ipv4() => Class::Ipv4,
            Self::Address(_) => Class::Ipv6,
            Self::Network(_) => Class::Network,
            Self::Domain(_) => Class::Domain,
        }
    }

    /// Appends the bytes of [`Indicator::key`] to `out`.
    pub fn write_key(self, out: &mut Vec<u8>) {
        match self {
            Self::Address(address) => write_ip(out, address.ip(), KEY_IPV4, KEY_IPV6),
            Self::Network(network) => {
                write_ip(out, network.0.addr(), KEY_NETWORK4, KEY_NETWORK6);
                out.push(network.0.prefix_len());
            }
            Self::Domain(name) => {
                out.push(KEY_DOMAIN);
                out.extend_from_slice(name.0.as_bytes());
            }
        }
    }
}

impl fmt::Display for IndicatorRef<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(out),
            Self::Network(network) => network.fmt(out),
            Self::Domain(name) => out.pad(name.0),
        }
    }
}

impl<'a> DomainRef<'a> {
    /// Borrows the text of a name that was checked when it became a [`DomainName`].
    pub(crate) fn of_checked(name: &'a str) -> Self {
        Self(name)
    }

    /// The name, lower case, without a trailing dot.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

impl Address {
    /// Takes any address; an IPv4-mapped one becomes IPv4.
    #[must_use]
    pub fn new(ip: IpAddr) -> Self {
        Self(ip.to_canonical())
    }

    /// The address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl Network {
    /// The network, host bits clear.
    #[must_use]
    pub fn net(self) -> IpNet {
        self.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl Class {
    /// Every class, in the order of keys.
    pub const ALL: [Self; 4] = [Self::Ipv4, Self::Ipv6, Self::Network, Self::Domain];

    /// The word used in the config and in tables.
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

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// An address by hand where it is IPv4, for that is most of what feeds list, by `std` otherwise.
fn read_ip(text: &str) -> Option<IpAddr> {
    match ipv4::leading(text.as_bytes()) {
        Some((ip, rest)) => rest.is_empty().then_some(ip.into()),
        None if text.contains(':') => text.parse().ok(),
        None => None,
    }
}

fn network(head: &str, length: &str) -> Result<Indicator, IndicatorError> {
    let ip = read_ip(head).ok_or(IndicatorError::Address)?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    prefix_length(length)
        .and_then(|length| IpNet::new(ip, length).ok())
        .map(Indicator::from_net)
        .ok_or(IndicatorError::PrefixLength(most))
}

/// Decimal digits without a sign or a leading zero.
fn prefix_length(text: &str) -> Option<u8> {
    let plain = text == "0" || (!text.starts_with('0') && !text.starts_with('+'));
    text.parse().ok().filter(|_| plain)
}

fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(six) = net else { return net };
    let mapped = six.addr().to_ipv4_mapped();
    let length = six.prefix_len().checked_sub(96);
    match (mapped, length) {
        (Some(four), Some(length)) => Ipv4Net::new(four, length).map_or(net, IpNet::V4),
        _ => net,
    }
}

fn write_ip(out: &mut Vec<u8>, ip: IpAddr, tag4: u8, tag6: u8) {
    match ip {
        IpAddr::V4(four) => {
            out.push(tag4);
            out.extend_from_slice(&four.octets());
        }
        IpAddr::V6(six) => {
            out.push(tag6);
            out.extend_from_slice(&six.octets());
        }
    }
}

/// A network as [`Indicator::from_net`] leaves it; one that it would change was never written.
fn canonical(net: IpNet) -> Option<Indicator> {
    let plain = unmapped(net) == net && net.trunc() == net;
    let network = plain && net.prefix_len() < net.max_prefix_len();
    network.then_some(Indicator::Network(Network(net)))
}

fn read_key(key: &[u8]) -> Option<Indicator> {
    let (tag, rest) = key.split_first()?;
    match *tag {
        KEY_IPV4 => Some(Indicator::from_ip(<[u8; 4]>::try_from(rest).ok()?.into())),
        KEY_IPV6 => {
            let six = Ipv6Addr::from(<[u8; 16]>::try_from(rest).ok()?);
            let plain = six.to_ipv4_mapped().is_none();
            plain.then(|| Indicator::from_ip(six.into()))
        }
        KEY_NETWORK4 => {
            let (address, length) = rest.split_last_chunk::<1>().map(|(a, l)| (a, l[0]))?;
            let four = Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?);
            canonical(Ipv4Net::new(four, length).ok()?.into())
        }
        KEY_NETWORK6 => {
            let (address, length) = rest.split_last_chunk::<1>().map(|(a, l)| (a, l[0]))?;
            let six = Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?);
            canonical(Ipv6Net::new(six, length).ok()?.into())
        }
        KEY_DOMAIN => {
            let name = std::str::from_utf8(rest).ok()?;
            DomainName::from_canonical(name).ok().map(Indicator::Domain)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
