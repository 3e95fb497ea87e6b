//! Addresses and names that registries keep from ordinary use.
//!
//! The addresses are those of IANA's IPv4 and IPv6 Special-Purpose Address Registries, the multicast
//! registries, and the IPv6 space outside 2000::/3, from which nobody has been given an address (IANA's
//! IPv6 address space registry). IPv6 forms that carry an IPv4 address are among them: they name a
//! translator and not a host.
//!
//! The names are those of IANA's Special-Use Domain Names registry, and `internal`, which ICANN keeps
//! for private use. `onion` is among them: no resolver asks for such a name (RFC 7686), so a listed one
//! would cost a place and block nothing. The rest of `arpa` is not: names below `ip6.arpa` have hosted phishing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A range of addresses that nobody's feed may have blocked.
pub(super) struct Range {
    pub(super) net: IpNet,
    pub(super) purpose: &'static str,
    pub(super) source: &'static str,
}

/// A name that is guarded with all that lies below it.
pub(super) struct SpecialName {
    pub(super) name: &'static str,
    pub(super) purpose: &'static str,
    pub(super) source: &'static str,
}

#[rustfmt::skip]
pub(super) const RANGES: &[Range] = &[
    v4([0, 0, 0, 0], 8, "\"this network\" and the unspecified address", "RFC 791 §3.2"),
    v4([10, 0, 0, 0], 8, "private use", "RFC 1918"),
    v4([100, 64, 0, 0], 10, "shared address space of carriers", "RFC 6598"),
    v4([127, 0, 0, 0], 8, "loopback", "RFC 1122 §3.2.1.3"),
    v4([169, 254, 0, 0], 16, "link-local addresses", "RFC 3927"),
    v4([172, 16, 0, 0], 12, "private use", "RFC 1918"),
    v4([192, 0, 0, 0], 24, "IETF protocol assignments", "RFC 6890"),
    v4([192, 0, 2, 0], 24, "documentation (TEST-NET-1)", "RFC 5737"),
    v4([192, 31, 196, 0], 24, "AS112, the sink of stray reverse lookups", "RFC 7535"),
    v4([192, 52, 193, 0], 24, "automatic multicast tunnels", "RFC 7450"),
    v4([192, 88, 99, 0], 24, "6to4 relays (deprecated)", "RFC 7526"),
    v4([192, 168, 0, 0], 16, "private use", "RFC 1918"),
    v4([192, 175, 48, 0], 24, "AS112, the sink of stray reverse lookups", "RFC 7534"),
    v4([198, 18, 0, 0], 15, "benchmarks", "RFC 2544"),
    v4([198, 51, 100, 0], 24, "documentation (TEST-NET-2)", "RFC 5737"),
    v4([203, 0, 113, 0], 24, "documentation (TEST-NET-3)", "RFC 5737"),
    v4([224, 0, 0, 0], 4, "multicast", "RFC 5771"),
    v4([240, 0, 0, 0], 4, "future use (class E)", "RFC 1112 §4"),
    v4([255, 255, 255, 255], 32, "limited broadcast", "RFC 919 §7"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 3, "future use (outside 2000::/3)", "RFC 4291 §2.4"),
    v6([0x4000, 0, 0, 0, 0, 0, 0, 0], 2, "future use (outside 2000::/3)", "RFC 4291 §2.4"),
    v6([0x8000, 0, 0, 0, 0, 0, 0, 0], 1, "future use (outside 2000::/3)", "RFC 4291 §2.4"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible addresses (deprecated)", "RFC 4291 §2.5.5.1"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "the unspecified address", "RFC 4291 §2.5.2"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback", "RFC 4291 §2.5.3"),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4-mapped addresses", "RFC 4291 §2.5.5.2"),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4-translated addresses", "RFC 2765 §2.1"),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "IPv4 behind a translator (NAT64)", "RFC 6052"),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "IPv4 behind a local translator (NAT64)", "RFC 8215"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discarding", "RFC 6666"),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, "dummy addresses", "RFC 9780"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "IETF protocol assignments", "RFC 2928"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "IPv4 in Teredo tunnels", "RFC 4380"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128, "the Port Control Protocol anycast", "RFC 7723"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128, "the TURN anycast", "RFC 8155"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128, "the DNS-SD registration anycast", "RFC 9665"),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "benchmarks", "RFC 5180"),
    v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32, "automatic multicast tunnels", "RFC 7450"),
    v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48, "AS112, the sink of stray reverse lookups", "RFC 7535"),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, "ORCHID (deprecated)", "RFC 4843"),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, "ORCHIDv2", "RFC 7343"),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, "drone identifiers (DRIP)", "RFC 9374"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation", "RFC 3849"),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "IPv4 in 6to4 tunnels", "RFC 3056"),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, "AS112, the sink of stray reverse lookups", "RFC 7534"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation", "RFC 9637"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "segment routing identifiers", "RFC 9602"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "unique local addresses", "RFC 4193"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local addresses", "RFC 4291 §2.5.6"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site-local addresses (deprecated)", "RFC 3879"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast", "RFC 4291 §2.7"),
];

#[rustfmt::skip]
pub(super) const NAMES: &[SpecialName] = &[
    name("alt", "names outside the DNS", "RFC 9476"),
    name("example", "documentation", "RFC 6761"),
    name("example.com", "documentation", "RFC 6761"),
    name("example.net", "documentation", "RFC 6761"),
    name("example.org", "documentation", "RFC 6761"),
    name("internal", "private use", "ICANN SAC113"),
    name("invalid", "names that never exist", "RFC 6761"),
    name("local", "multicast DNS", "RFC 6762"),
    name("localhost", "loopback", "RFC 6761"),
    name("onion", "Tor services, which the DNS never sees", "RFC 7686"),
    name("test", "tests", "RFC 6761"),
    name("6tisch.arpa", "joining low-power networks", "RFC 9031"),
    name("eap-noob.arpa", "joining networks (EAP-NOOB)", "RFC 9140"),
    name("eap.arpa", "joining networks (EAP)", "RFC 9965"),
    name("home.arpa", "names of homes", "RFC 8375"),
    name("ipv4only.arpa", "finding translators", "RFC 8880"),
    name("resolver.arpa", "finding encrypted resolvers", "RFC 9462"),
    name("service.arpa", "finding services", "RFC 9665"),
    name("10.in-addr.arpa", REVERSE, "RFC 6761"),
    name("16.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("17.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("18.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("19.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("20.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("21.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("22.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("23.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("24.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("25.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("26.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("27.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("28.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("29.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("30.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("31.172.in-addr.arpa", REVERSE, "RFC 6761"),
    name("168.192.in-addr.arpa", REVERSE, "RFC 6761"),
    name("254.169.in-addr.arpa", "reverse lookups of link-local addresses", "RFC 6762"),
    name("170.0.0.192.in-addr.arpa", "finding translators", "RFC 8880"),
    name("171.0.0.192.in-addr.arpa", "finding translators", "RFC 8880"),
    name("8.e.f.ip6.arpa", "reverse lookups of link-local addresses", "RFC 6762"),
    name("9.e.f.ip6.arpa", "reverse lookups of link-local addresses", "RFC 6762"),
    name("a.e.f.ip6.arpa", "reverse lookups of link-local addresses", "RFC 6762"),
    name("b.e.f.ip6.arpa", "reverse lookups of link-local addresses", "RFC 6762"),
];

/// What a registry keeps an address for, and where it says so; `None` for one that anybody may be given.
#[must_use]
pub fn reserved_address(address: IpAddr) -> Option<(&'static str, &'static str)> {
    let covering = RANGES.iter().filter(|range| range.net.contains(&address));
    covering
        .max_by_key(|range| range.net.prefix_len())
        .map(|range| (range.purpose, range.source))
}

/// What a registry keeps a name for, or one above it, and where it says so.
#[must_use]
pub fn reserved_name(name: &str) -> Option<(&'static str, &'static str)> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let covers = |special: &&SpecialName| {
        name.strip_suffix(special.name)
            .is_some_and(|below| below.is_empty() || below.ends_with('.'))
    };
    let special = NAMES.iter().find(covers)?;
    Some((special.purpose, special.source))
}

const REVERSE: &str = "reverse lookups of private addresses";

const fn v4(octets: [u8; 4], length: u8, purpose: &'static str, source: &'static str) -> Range {
    let address = Ipv4Addr::from_octets(octets);
    Range {
        net: IpNet::V4(Ipv4Net::new_assert(address, length)),
        purpose,
        source,
    }
}

const fn v6(segments: [u16; 8], length: u8, purpose: &'static str, source: &'static str) -> Range {
    let address = Ipv6Addr::from_segments(segments);
    Range {
        net: IpNet::V6(Ipv6Net::new_assert(address, length)),
        purpose,
        source,
    }
}

const fn name(name: &'static str, purpose: &'static str, source: &'static str) -> SpecialName {
    SpecialName {
        name,
        purpose,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_range_is_written_with_its_host_bits_clear_and_once() {
        let mut seen = HashSet::new();
        for range in RANGES {
            assert_eq!(range.net, range.net.trunc());
            assert!(seen.insert(range.net), "{} stands there twice", range.net);
            assert!(range.source.starts_with("RFC "), "{}", range.net);
        }
    }

    #[test]
    fn every_name_is_written_as_domains_are_and_once() {
        let mut seen = HashSet::new();
        for special in NAMES {
            assert_eq!(special.name, special.name.to_ascii_lowercase());
            assert!(!special.name.ends_with('.') && !special.name.starts_with('.'));
            assert!(
                seen.insert(special.name),
                "{} stands there twice",
                special.name
            );
        }
    }
}
