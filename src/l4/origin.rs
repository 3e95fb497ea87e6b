//! Where a rule sends its connections: addresses or one domain, an origin group, a load balancer.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::guard;
use crate::model::{DomainError, DomainName};

/// `OriginType`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OriginType {
    /// Addresses, or one domain.
    #[serde(rename = "IP_DOMAIN")]
    IpDomain,
    /// An origin group.
    #[serde(rename = "ORIGIN_GROUP")]
    OriginGroup,
    /// A load balancer; the vendor opens it on request.
    #[serde(rename = "LB")]
    Lb,
}

/// Why an origin will not do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OriginError {
    /// `InvalidParameter.InvalidOriginIp`, and what would end the same way.
    #[error("{address} is kept for {purpose} ({source_of}): the proxy could not reach it")]
    Reserved {
        /// The address.
        address: IpAddr,
        /// What the registry keeps it for.
        purpose: &'static str,
        /// The registry's source.
        source_of: &'static str,
    },
    /// A name that no resolver of the proxy's answers for.
    #[error("{name} is kept for {purpose} ({source_of}): the proxy could not reach it")]
    ReservedName {
        /// The name.
        name: String,
        /// What the registry keeps it for.
        purpose: &'static str,
        /// The registry's source.
        source_of: &'static str,
    },
    /// Neither an address nor a domain.
    #[error("{text:?} is neither an address nor a domain: {fault}")]
    Domain {
        /// What is written.
        text: String,
        /// What is wrong with it.
        fault: DomainError,
    },
    /// Not `og-…`.
    #[error(
        "{0:?} is no origin group: its id looks like og-537y24vf5b41, or og-537y24vf5b41@zone-38moq1z10wwwy for another zone's"
    )]
    Group(String),
    /// Not `lb-…`.
    #[error(
        "{0:?} is no load balancer: its id looks like lb-2qwk30xf7s9g, or lb-2qwk30xf7s9g@zone-38moq1z10wwwy for another zone's"
    )]
    Balancer(String),
    /// None.
    #[error("is empty; name at least one")]
    None,
    /// The same twice.
    #[error("{0} stands there twice")]
    Twice(String),
    /// `InvalidParameter.OriginL4RecordIPV4MixDomain`
    #[error("addresses and a domain cannot share a rule; write one rule for each")]
    Mixed,
    /// `InvalidParameter.OriginL4RecordMultiDomain`
    #[error("more than one domain; a rule takes one domain, or addresses")]
    Domains,
}

impl OriginType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::IpDomain, Self::OriginGroup, Self::Lb];

    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IpDomain => "IP_DOMAIN",
            Self::OriginGroup => "ORIGIN_GROUP",
            Self::Lb => "LB",
        }
    }

    /// Judges one origin of this type, and gives its one form.
    ///
    /// # Errors
    /// [`OriginError`] says what is wrong with it.
    pub fn origin(self, text: &str) -> Result<String, OriginError> {
        let text = text.trim();
        match self {
            Self::IpDomain => host(text),
            Self::OriginGroup if is_id(text, "og-") => Ok(text.to_owned()),
            Self::OriginGroup => Err(OriginError::Group(text.to_owned())),
            Self::Lb if is_id(text, "lb-") => Ok(text.to_owned()),
            Self::Lb => Err(OriginError::Balancer(text.to_owned())),
        }
    }

    /// Judges origins together, and puts them in order.
    ///
    /// # Errors
    /// [`OriginError`]: none, one twice, or a mixture that the vendor does not take.
    pub fn origins(self, mut origins: Vec<String>) -> Result<Vec<String>, OriginError> {
        origins.sort_unstable();
        if let Some([twice, _]) = origins.array_windows().find(|[one, next]| one == next) {
            return Err(OriginError::Twice(twice.clone()));
        }
        let is_domain = |origin: &&String| origin.parse::<IpAddr>().is_err();
        match origins.iter().filter(is_domain).count() {
            _ if origins.is_empty() => Err(OriginError::None),
            _ if self != Self::IpDomain => Ok(origins),
            0 => Ok(origins),
            1 if origins.len() == 1 => Ok(origins),
            domains if domains == origins.len() => Err(OriginError::Domains),
            _ => Err(OriginError::Mixed),
        }
    }

    /// An origin as the cloud shows it, in the same form; nothing is refused, for it stands.
    #[must_use]
    pub(super) fn shown(self, text: &str) -> String {
        let text = text.trim();
        match self {
            Self::IpDomain => match text.parse::<IpAddr>() {
                Ok(address) => address.to_string(),
                Err(_) => text.trim_end_matches('.').to_lowercase(),
            },
            Self::OriginGroup | Self::Lb => text.to_owned(),
        }
    }
}

fn host(text: &str) -> Result<String, OriginError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return match guard::reserved_address(address) {
            None => Ok(address.to_string()),
            Some((purpose, source_of)) => Err(OriginError::Reserved {
                address,
                purpose,
                source_of,
            }),
        };
    }
    if let Some((purpose, source_of)) = guard::reserved_name(text) {
        return Err(OriginError::ReservedName {
            name: text.to_owned(),
            purpose,
            source_of,
        });
    }
    match DomainName::try_new(text) {
        Ok(name) => Ok(name.to_string()),
        // An origin may well be a whole suffix: some are hosts of storage.
        Err(DomainError::PublicSuffix) => Ok(text.trim_end_matches('.').to_lowercase()),
        Err(fault) => Err(OriginError::Domain {
            text: text.to_owned(),
            fault,
        }),
    }
}

/// `og-537y24vf5b41`, or `og-537y24vf5b41@zone-38moq1z10wwwy` for what belongs to another zone.
fn is_id(text: &str, prefix: &str) -> bool {
    let plain = |id: &str| {
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !id.is_empty() && id.len() <= 64 && id.bytes().all(sign)
    };
    let (id, zone) = text
        .split_once('@')
        .map_or((text, None), |(id, zone)| (id, Some(zone)));
    let zone_is_one = zone.is_none_or(|zone| zone.strip_prefix("zone-").is_some_and(plain));
    id.strip_prefix(prefix).is_some_and(plain) && zone_is_one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_one_form() {
        let one = |kind: OriginType, text| kind.origin(text).unwrap();
        assert_eq!(
            one(OriginType::IpDomain, " 93.184.216.34 "),
            "93.184.216.34"
        );
        assert_eq!(
            one(OriginType::IpDomain, "2A00:1450:0:0::1"),
            "2a00:1450::1"
        );
        assert_eq!(
            one(OriginType::IpDomain, "Origin.Test.COM."),
            "origin.test.com"
        );
        assert_eq!(
            one(OriginType::IpDomain, "s3.amazonaws.com"),
            "s3.amazonaws.com"
        );
        let group = "og-testorigin@zone-38moq1z10wwwy";
        assert_eq!(one(OriginType::OriginGroup, group), group);
        assert_eq!(one(OriginType::Lb, "lb-2qwk30xf7s9g"), "lb-2qwk30xf7s9g");
    }

    #[test]
    fn what_the_proxy_cannot_reach_is_refused() {
        for text in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "2001:db8::1",
            "localhost",
            "db.internal",
            "printer.local",
            "www.example.com",
        ] {
            let fault = OriginType::IpDomain.origin(text).unwrap_err().to_string();
            assert!(
                fault.ends_with("the proxy could not reach it"),
                "{text}: {fault}"
            );
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for (kind, text) in [
            (OriginType::IpDomain, ""),
            (OriginType::IpDomain, "1.2.3"),
            (OriginType::IpDomain, "93.184.216.34:80"),
            (OriginType::IpDomain, "http://test.com"),
            (OriginType::IpDomain, "93.184.216.0/24"),
            (OriginType::IpDomain, "og-537y24vf5b41"),
            (OriginType::OriginGroup, "og-"),
            (OriginType::OriginGroup, "lb-2qwk30xf7s9g"),
            (OriginType::OriginGroup, "og-1@sid-1"),
            (OriginType::OriginGroup, "og-1@zone-"),
            (OriginType::Lb, "lb-a b"),
        ] {
            assert!(kind.origin(text).is_err(), "{text}");
        }
    }
}
