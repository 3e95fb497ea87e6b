//! What this program and the machines beside it stand on: the cloud's API, the feeds' hosts, and the
//! resolvers that so many machines ask. A feed that lists one of them must not cut us off.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::allowlist::Matching;
use super::roll::What;
use crate::model::{DomainName, Indicator, Name};

/// A host of ours that must never be blocked.
///
/// A name is guarded with all below it, since one owner has both; but one that is a public suffix
/// (`s3.amazonaws.com`) alone, since strangers live below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnGround {
    host: Host<String>,
    what: String,
}

impl OwnGround {
    /// The API that a firewall is driven by; `None` where the URL has no host.
    #[must_use]
    pub fn endpoint(firewall: &Name, url: &Url) -> Option<Self> {
        Self::new(url, format!("the endpoint of firewall {firewall}"))
    }

    /// The host that a feed or guard list comes from; `None` where the URL has none (`file:///…`).
    #[must_use]
    pub fn feed(feed: &Name, url: &Url) -> Option<Self> {
        Self::new(url, format!("the host of feed {feed}"))
    }

    /// An address to which the host of this piece of ground resolves just now.
    #[must_use]
    pub fn resolved(&self, address: IpAddr) -> Self {
        let host = match address {
            IpAddr::V4(four) => Host::Ipv4(four),
            IpAddr::V6(six) => Host::Ipv6(six),
        };
        let what = format!("an address of {}, {}", self.host, self.what);
        Self { host, what }
    }

    fn new(url: &Url, what: String) -> Option<Self> {
        let host = url.host()?.to_owned();
        Some(Self { host, what })
    }

    /// What the host is for us.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The guard. `None` for a name that can be no indicator (`localhost`): no feed can list it, nor a
    /// name above it.
    pub(super) fn guard(&self) -> Option<What> {
        let indicator = match &self.host {
            Host::Ipv4(four) => Indicator::from_ip((*four).into()),
            Host::Ipv6(six) => Indicator::from_ip((*six).into()),
            Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                Indicator::Domain(DomainName::from_canonical(name).ok()?)
            }
        };
        let matching = match &indicator {
            Indicator::Domain(name) if name.is_public_suffix() => Matching::Exact,
            _ => Matching::Subdomains,
        };
        Some(What::new(&indicator, matching))
    }
}

/// The domains of the cloud's API, of both sites and inside its networks, and where a machine of the
/// cloud asks for its role's keys.
pub(super) const DOMAINS: &[(&str, &str)] = &[
    ("tencentcloudapi.com", "the cloud's API"),
    (
        "intl.tencentcloudapi.com",
        "the cloud's API, international site",
    ),
    ("metadata.tencentyun.com", "the cloud's metadata service"),
];

/// Resolvers that are set up by hand or by default on very many machines.
#[rustfmt::skip]
pub(super) const RESOLVERS: &[(IpAddr, &str)] = &[
    (v4(1, 1, 1, 1), "Cloudflare's public resolver"),
    (v4(1, 0, 0, 1), "Cloudflare's public resolver"),
    (v4(1, 1, 1, 2), "Cloudflare's public resolver (malware filter)"),
    (v4(1, 0, 0, 2), "Cloudflare's public resolver (malware filter)"),
    (v4(1, 1, 1, 3), "Cloudflare's public resolver (family filter)"),
    (v4(1, 0, 0, 3), "Cloudflare's public resolver (family filter)"),
    (v4(8, 8, 8, 8), "Google's public resolver"),
    (v4(8, 8, 4, 4), "Google's public resolver"),
    (v4(9, 9, 9, 9), "Quad9's public resolver"),
    (v4(149, 112, 112, 112), "Quad9's public resolver"),
    (v4(208, 67, 222, 222), "OpenDNS's public resolver"),
    (v4(208, 67, 220, 220), "OpenDNS's public resolver"),
    (v4(94, 140, 14, 14), "AdGuard's public resolver"),
    (v4(94, 140, 15, 15), "AdGuard's public resolver"),
    (v4(77, 88, 8, 8), "Yandex's public resolver"),
    (v4(77, 88, 8, 1), "Yandex's public resolver"),
    (v4(119, 29, 29, 29), "DNSPod's public resolver"),
    (v4(182, 254, 116, 116), "DNSPod's public resolver"),
    (v4(1, 12, 12, 12), "DNSPod's public resolver (encrypted)"),
    (v4(120, 53, 53, 53), "DNSPod's public resolver (encrypted)"),
    (v4(183, 60, 83, 19), "the default resolver of Tencent Cloud's machines"),
    (v4(183, 60, 82, 98), "the default resolver of Tencent Cloud's machines"),
    (v4(223, 5, 5, 5), "Alibaba's public resolver"),
    (v4(223, 6, 6, 6), "Alibaba's public resolver"),
    (v4(114, 114, 114, 114), "114DNS's public resolver"),
    (v4(114, 114, 115, 115), "114DNS's public resolver"),
    (v4(180, 76, 76, 76), "Baidu's public resolver"),
    (v4(1, 2, 4, 8), "CNNIC's public resolver"),
    (v4(210, 2, 4, 8), "CNNIC's public resolver"),
    (v6([0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111]), "Cloudflare's public resolver"),
    (v6([0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1001]), "Cloudflare's public resolver"),
    (v6([0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1112]), "Cloudflare's public resolver (malware filter)"),
    (v6([0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1002]), "Cloudflare's public resolver (malware filter)"),
    (v6([0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888]), "Google's public resolver"),
    (v6([0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8844]), "Google's public resolver"),
    (v6([0x2620, 0xfe, 0, 0, 0, 0, 0, 0xfe]), "Quad9's public resolver"),
    (v6([0x2620, 0xfe, 0, 0, 0, 0, 0, 9]), "Quad9's public resolver"),
    (v6([0x2620, 0x119, 0x35, 0, 0, 0, 0, 0x35]), "OpenDNS's public resolver"),
    (v6([0x2620, 0x119, 0x53, 0, 0, 0, 0, 0x53]), "OpenDNS's public resolver"),
    (v6([0x2a10, 0x50c0, 0, 0, 0, 0, 0xad1, 0xff]), "AdGuard's public resolver"),
    (v6([0x2a10, 0x50c0, 0, 0, 0, 0, 0xad2, 0xff]), "AdGuard's public resolver"),
    (v6([0x2402, 0x4e00, 0, 0, 0, 0, 0, 0]), "DNSPod's public resolver"),
    (v6([0x2402, 0x4e00, 1, 0, 0, 0, 0, 0]), "DNSPod's public resolver"),
    (v6([0x2400, 0x3200, 0, 0, 0, 0, 0, 1]), "Alibaba's public resolver"),
    (v6([0x2400, 0x3200, 0xbaba, 0, 0, 0, 0, 1]), "Alibaba's public resolver"),
    (v6([0x2400, 0xda00, 0, 0, 0, 0, 0, 0x6666]), "Baidu's public resolver"),
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(segments: [u16; 8]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_segments(segments))
}
