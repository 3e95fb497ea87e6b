//! Which hosts may be asked. A feed's address comes from the config, but a redirect's comes from a stranger, who must
//! not be able to make us read the machine's own services, its neighbours, or the cloud's metadata (and with it keys).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::redact;

/// Why a host may not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The service that gives a machine its keys. Never asked.
    #[error("{host} is a cloud's metadata service, which is never asked")]
    Metadata {
        /// The name or address.
        host: String,
    },
    /// An address at which nobody can offer a feed. Never asked.
    #[error("{host} is {kind} address, where no feed can be")]
    Useless {
        /// The name or address.
        host: String,
        /// What it is.
        kind: &'static str,
    },
    /// An address inside, asked only if the config allows it.
    #[error(
        "{host} is {kind} address; set allow_private = true under [guard] if the feed is meant to be there"
    )]
    Private {
        /// The name or address.
        host: String,
        /// What it is.
        kind: &'static str,
    },
    /// The address names no host.
    #[error("it names no host")]
    NoHost,
}

/// The metadata services outside 169.254.0.0/16: Alibaba, Azure's wire server, Oracle, AWS, Oracle and Google over IPv6.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];
const METADATA_NAMES: [&str; 4] = [
    "metadata.tencentyun.com",
    "metadata.google.internal",
    "metadata.goog",
    "metadata",
];

/// Judges the host that a URL names, before anything is resolved. A name passes unless it is known to be inside.
///
/// # Errors
/// When the host may not be asked.
pub fn permit_url(url: &Url, allow_private: bool) -> Result<(), Refusal> {
    match url.host().ok_or(Refusal::NoHost)? {
        Host::Ipv4(address) => permit_address(IpAddr::V4(address), allow_private),
        Host::Ipv6(address) => permit_address(IpAddr::V6(address), allow_private),
        Host::Domain(name) => permit_name(name, allow_private),
    }
}

/// Judges an address, written in a URL or found by DNS.
///
/// # Errors
/// When it may not be asked.
pub fn permit_address(address: IpAddr, allow_private: bool) -> Result<(), Refusal> {
    let host = address.to_string();
    let standing = match address {
        IpAddr::V4(v4) => v4_standing(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| v6_standing(v6), v4_standing),
    };
    match standing {
        Standing::Public => Ok(()),
        Standing::Metadata => Err(Refusal::Metadata { host }),
        Standing::Useless(kind) => Err(Refusal::Useless { host, kind }),
        Standing::Private(_) if allow_private => Ok(()),
        Standing::Private(kind) => Err(Refusal::Private { host, kind }),
    }
}

fn permit_name(name: &str, allow_private: bool) -> Result<(), Refusal> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let host = redact::plain(&name).into_owned();
    if METADATA_NAMES.contains(&name.as_str()) {
        return Err(Refusal::Metadata { host });
    }
    if !allow_private && (name == "localhost" || name.ends_with(".localhost")) {
        return Err(Refusal::Private {
            host,
            kind: "a loopback",
        });
    }
    Ok(())
}

enum Standing {
    Public,
    Private(&'static str),
    Useless(&'static str),
    Metadata,
}

fn v4_standing(address: Ipv4Addr) -> Standing {
    let [a, b, ..] = address.octets();
    // Every cloud keeps its metadata somewhere in the link-local range, and nobody keeps a feed there.
    if METADATA_V4.contains(&address) || address.is_link_local() {
        return Standing::Metadata;
    }
    match (a, b) {
        (0, _) => Standing::Useless("an unspecified"),
        (127, _) => Standing::Private("a loopback"),
        (100, 64..=127) => Standing::Private("a shared (carrier-grade NAT)"),
        (224..=239, _) => Standing::Useless("a multicast"),
        (240..=255, _) => Standing::Useless("a reserved"),
        // Benchmark networks are used as private ones in practice.
        (198, 18..=19) => Standing::Private("a benchmark"),
        _ if address.is_private() => Standing::Private("a private"),
        _ => Standing::Public,
    }
}

fn v6_standing(address: Ipv6Addr) -> Standing {
    if METADATA_V6.contains(&address) {
        Standing::Metadata
    } else if address.is_unspecified() {
        Standing::Useless("an unspecified")
    } else if address.is_loopback() {
        Standing::Private("a loopback")
    } else if address.is_multicast() {
        Standing::Useless("a multicast")
    } else if address.is_unicast_link_local() {
        Standing::Useless("a link-local")
    } else if address.is_unique_local() {
        Standing::Private("a private")
    } else {
        Standing::Public
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped and compatible ones, NAT64 (RFC 6052, and RFC 8215's local
/// prefix), 6to4 and Teredo.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(join(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(join(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, 1, .., high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        [0x2001, 0, .., high, low] => Some(join(!high, !low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (address, refused at all, refused even with `allow_private`)
    const TABLE: [(&str, bool, bool); 31] = [
        ("http://93.184.216.34/", false, false),
        ("http://[2606:2800:220:1::1]/", false, false),
        ("http://example.net/", false, false),
        ("http://127.0.0.1/", true, false),
        ("http://127.1/", true, false),
        ("http://0x7f000001/", true, false),
        ("http://2130706433/", true, false),
        ("http://10.1.2.3/", true, false),
        ("http://172.31.0.1/", true, false),
        ("http://172.32.0.1/", false, false),
        ("http://192.168.1.1/", true, false),
        ("http://100.64.0.1/", true, false),
        ("http://198.18.0.1/", true, false),
        ("http://0.0.0.0/", true, true),
        ("http://224.0.0.1/", true, true),
        ("http://255.255.255.255/", true, true),
        ("http://169.254.169.254/latest/meta-data", true, true),
        ("http://169.254.0.23/", true, true),
        ("http://100.100.100.200/", true, true),
        ("http://168.63.129.16/", true, true),
        ("http://[::]/", true, true),
        ("http://[::1]/", true, false),
        ("http://[fe80::1]/", true, true),
        ("http://[fd12:3456::1]/", true, false),
        ("http://[fd00:ec2::254]/", true, true),
        ("http://[::ffff:169.254.169.254]/", true, true),
        ("http://[64:ff9b::10.0.0.1]/", true, false),
        ("http://[2002:a9fe:a9fe::1]/", true, true),
        ("http://metadata.tencentyun.com./", true, true),
        ("http://METADATA.google.internal/", true, true),
        ("http://db.localhost/", true, false),
    ];

    #[test]
    fn the_inside_is_refused_however_it_is_written() {
        for (text, refused, always) in TABLE {
            let url = Url::parse(text).unwrap();
            assert_eq!(permit_url(&url, false).is_err(), refused, "{text}");
            assert_eq!(permit_url(&url, true).is_err(), always, "{text}, allowed");
        }
    }

    #[test]
    fn teredo_carries_its_client_inverted() {
        let teredo = "2001:0:4136:e378:8000:63bf:5601:5601".parse().unwrap();
        assert!(matches!(
            permit_address(teredo, true),
            Err(Refusal::Metadata { .. })
        ));
    }

    #[test]
    fn the_sentence_says_what_to_do() {
        let refusal = permit_url(&Url::parse("http://10.0.0.1/").unwrap(), false).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "10.0.0.1 is a private address; set allow_private = true under [guard] if the feed is meant to be there"
        );
    }
}
