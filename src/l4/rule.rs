//! One forwarding rule in its one form: what a file asks for, what the ledger keeps, what the cloud shows.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cloud::teo::{L4ProxyRule, Row};

use super::origin::OriginType;
use super::port::PortRange;

mod words;

/// `Protocol`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP
    #[serde(rename = "UDP")]
    Udp,
}

/// `ClientIPPassThroughMode`: how the origin learns the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PassThrough {
    /// Not at all.
    #[serde(rename = "OFF")]
    Off,
    /// In a TCP option; TCP only.
    #[serde(rename = "TOA")]
    Toa,
    /// The proxy protocol, version 1; TCP only.
    #[serde(rename = "PPV1")]
    Ppv1,
    /// The proxy protocol, version 2.
    #[serde(rename = "PPV2")]
    Ppv2,
    /// The simple proxy protocol; UDP only.
    #[serde(rename = "SPP")]
    Spp,
}

/// For how long a client stays with its origin: 30 s to 1 h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session(u16);

/// A rule's tag: 1 to 50 characters, any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag(String);

/// One forwarding rule, without the zone and proxy that it stands on. Ports and origins are in order, so that equal
/// rules are equal values, and equal texts as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    protocol: Protocol,
    ports: Vec<PortRange>,
    origin_type: OriginType,
    origins: Vec<String>,
    origin_port: PortRange,
    pass_through: PassThrough,
    session: Option<Session>,
    tag: Option<Tag>,
}

/// The parts of a rule, each sound by itself.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its forwarding ports.
    pub ports: Vec<PortRange>,
    /// The type of its origins.
    pub origin_type: OriginType,
    /// Its origins, of that type.
    pub origins: Vec<String>,
    /// Its port at the origin.
    pub origin_port: PortRange,
    /// How the client's address goes on.
    pub pass_through: PassThrough,
    /// Whether and for how long a client stays with its origin.
    pub session: Option<Session>,
    /// Its tag.
    pub tag: Option<Tag>,
}

/// Why parts make no rule. The word before each sentence is [`RuleError::field`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// No port.
    #[error("is empty; name at least one port")]
    NoPorts,
    /// One port twice within the rule.
    #[error("{one} and {other} overlap")]
    Overlap {
        /// The one.
        one: PortRange,
        /// The other.
        other: PortRange,
    },
    /// The origin's range is not as long as a forwarding range.
    #[error(
        "{origin} has {} ports, and {ports} has {}: a range at the origin is as long as the forwarding range, or is one port",
        origin.length(), ports.length()
    )]
    Length {
        /// At the origin.
        origin: PortRange,
        /// Forwarded.
        ports: PortRange,
    },
    /// `TOA` and `PPV1` need TCP, `SPP` needs UDP.
    #[error("{} goes with {} alone, and this rule is {protocol}", mode.as_str(), if *protocol == Protocol::Tcp { "UDP" } else { "TCP" })]
    PassThrough {
        /// The mode.
        mode: PassThrough,
        /// The rule's protocol.
        protocol: Protocol,
    },
}

/// Why a duration is no session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must lie between 30 s and 1 h (3600 s)")]
pub struct SessionError;

/// Why a text is no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("has {0} characters; a tag has 1 to 50")]
pub struct TagError(usize);

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Udp];

    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl PassThrough {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Off, Self::Toa, Self::Ppv1, Self::Ppv2, Self::Spp];

    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Toa => "TOA",
            Self::Ppv1 => "PPV1",
            Self::Ppv2 => "PPV2",
            Self::Spp => "SPP",
        }
    }

    fn goes_with(self, protocol: Protocol) -> bool {
        match self {
            Self::Off | Self::Ppv2 => true,
            Self::Toa | Self::Ppv1 => protocol == Protocol::Tcp,
            Self::Spp => protocol == Protocol::Udp,
        }
    }
}

impl Session {
    /// What the vendor takes where nobody says how long, and the longest.
    pub const LONGEST: Self = Self(3600);

    /// A session of that length, in whole seconds.
    ///
    /// # Errors
    /// [`SessionError`] for less than 30 s or more than 1 h.
    pub fn try_new(length: Duration) -> Result<Self, SessionError> {
        let whole = length.subsec_nanos() == 0;
        match u16::try_from(length.as_secs()) {
            Ok(seconds @ 30..=3600) if whole => Ok(Self(seconds)),
            _ => Err(SessionError),
        }
    }

    /// Its length in seconds.
    #[must_use]
    pub fn seconds(self) -> u16 {
        self.0
    }
}

impl Tag {
    /// A tag of that text.
    ///
    /// # Errors
    /// [`TagError`] where it has no character, or more than 50.
    pub fn try_new(text: &str) -> Result<Self, TagError> {
        match text.chars().count() {
            1..=50 => Ok(Self(text.to_owned())),
            count => Err(TagError(count)),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RuleError {
    /// The field that the fault is told at.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::NoPorts | Self::Overlap { .. } => "ports",
            Self::Length { .. } => "origin_port",
            Self::PassThrough { .. } => "pass_through",
        }
    }
}

impl Rule {
    /// A rule of these parts.
    ///
    /// # Errors
    /// Every rule among its parts that is broken.
    pub fn try_new(mut parts: Parts) -> Result<Self, Vec<RuleError>> {
        parts.ports.sort_unstable();
        let mut faults = Vec::new();
        if parts.ports.is_empty() {
            faults.push(RuleError::NoPorts);
        }
        for pair in parts.ports.windows(2) {
            if let [one, other] = *pair
                && one.overlap(other).is_some()
            {
                faults.push(RuleError::Overlap { one, other });
            }
        }
        let origin = parts.origin_port;
        let fits = |ports: &&PortRange| ports.length() == origin.length();
        if origin.length() > 1
            && let Some(ports) = parts.ports.iter().find(|ports| !fits(ports))
        {
            let ports = *ports;
            faults.push(RuleError::Length { origin, ports });
        }
        if !parts.pass_through.goes_with(parts.protocol) {
            faults.push(RuleError::PassThrough {
                mode: parts.pass_through,
                protocol: parts.protocol,
            });
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut rule = Self {
            protocol: parts.protocol,
            ports: parts.ports,
            origin_type: parts.origin_type,
            origins: parts.origins,
            origin_port: origin,
            pass_through: parts.pass_through,
            session: parts.session,
            tag: parts.tag,
        };
        rule.origins.sort_unstable();
        Ok(rule)
    }

    /// A rule that the cloud shows, in the same form; `None` where it holds what this program does not know.
    #[must_use]
    pub fn of_row(row: &Row) -> Option<Self> {
        let origin_type = word(&OriginType::ALL, OriginType::as_str, &row.origin_type)?;
        let mut ports = ports_of_row(row)?;
        ports.sort_unstable();
        let mut origins: Vec<String> = row
            .origin_value
            .iter()
            .map(|origin| origin_type.shown(origin))
            .collect();
        origins.sort_unstable();
        let pass_through = match row.client_ip_pass_through_mode.as_str() {
            "" => PassThrough::Off,
            text => word(&PassThrough::ALL, PassThrough::as_str, text)?,
        };
        let session = match row.session_persist.to_lowercase().as_str() {
            "" | "off" => None,
            "on" => Some(match row.session_persist_time {
                None => Session::LONGEST,
                Some(seconds) => Session(u16::try_from(seconds).ok()?),
            }),
            _ => return None,
        };
        Some(Self {
            protocol: protocol_of_row(row)?,
            ports,
            origin_type,
            origins,
            origin_port: PortRange::try_new(&row.origin_port_range).ok()?,
            pass_through,
            session,
            tag: Some(row.rule_tag.clone())
                .filter(|tag| !tag.is_empty())
                .map(Tag),
        })
    }

    /// The rule as a call carries it: with its id to modify it, without to make it.
    #[must_use]
    pub fn request(&self, rule_id: Option<&str>) -> L4ProxyRule {
        L4ProxyRule {
            rule_id: rule_id.map(str::to_owned),
            protocol: self.protocol.as_str().to_owned(),
            port_range: self.ports.iter().map(ToString::to_string).collect(),
            origin_type: self.origin_type.as_str().to_owned(),
            origin_value: self.origins.clone(),
            origin_port_range: self.origin_port.to_string(),
            client_ip_pass_through_mode: self.pass_through.as_str().to_owned(),
            session_persist: if self.session.is_some() { "on" } else { "off" }.to_owned(),
            session_persist_time: self.session.map(Session::seconds),
            rule_tag: self.tag.as_ref().map(|tag| tag.as_str().to_owned()),
        }
    }

    /// Its protocol.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Its forwarding ports, in order.
    #[must_use]
    pub fn ports(&self) -> &[PortRange] {
        &self.ports
    }

    /// Its tag.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The rule with `other`'s tag, where it has none itself.
    #[must_use]
    pub fn with_tag_of(mut self, other: &Self) -> Self {
        self.tag = self.tag.or_else(|| other.tag.clone());
        self
    }

    /// Its origins and their port, for people: `93.184.216.34 port 90`.
    #[must_use]
    pub fn target(&self) -> String {
        format!("{} port {}", self.origins.join(","), self.origin_port)
    }
}

/// The ports of a rule that the cloud shows; `None` where one cannot be read.
#[must_use]
pub fn ports_of_row(row: &Row) -> Option<Vec<PortRange>> {
    row.port_range
        .iter()
        .map(|text| PortRange::try_new(text).ok())
        .collect()
}

/// The protocol of a rule that the cloud shows.
#[must_use]
pub fn protocol_of_row(row: &Row) -> Option<Protocol> {
    word(&Protocol::ALL, Protocol::as_str, &row.protocol)
}

/// The value that a word stands for, whatever its case.
pub(super) fn word<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter()
        .copied()
        .find(|one| name(*one).eq_ignore_ascii_case(text.trim()))
}

#[cfg(test)]
pub(super) mod tests;
