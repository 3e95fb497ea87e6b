//! One rule, and the vendor's rules for it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::clock::Moment;
use super::super::params::Params;
use super::super::refusal::Refusal;

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) protocol: String,
    pub(super) ports: Vec<String>,
    pub(super) origin_type: String,
    pub(super) origins: Vec<String>,
    pub(super) origin_port: String,
    pub(super) pass_through: String,
    pub(super) session: String,
    pub(super) session_time: i64,
    pub(super) tag: String,
    /// When it was made or changed, on the wall clock.
    pub(super) since: Duration,
    pub(super) writes: u64,
}

impl Rule {
    pub(super) fn blank(id: String, now: Moment) -> Self {
        Self {
            id,
            protocol: String::new(),
            ports: Vec::new(),
            origin_type: String::new(),
            origins: Vec::new(),
            origin_port: String::new(),
            pass_through: "OFF".to_owned(),
            session: "off".to_owned(),
            session_time: 3_600,
            tag: String::new(),
            since: now.true_wall,
            writes: 0,
        }
    }

    /// The rule with what `item` says of it; what it does not say stays.
    pub(super) fn with(mut self, item: &Params<'_>, now: Moment) -> Result<Self, Refusal> {
        let set = |old: &mut String, name: &str| -> Result<(), Refusal> {
            if item.has(name) {
                *old = item.text(name)?.to_owned();
            }
            Ok(())
        };
        set(&mut self.protocol, "Protocol")?;
        set(&mut self.origin_type, "OriginType")?;
        set(&mut self.origin_port, "OriginPortRange")?;
        set(&mut self.pass_through, "ClientIPPassThroughMode")?;
        set(&mut self.session, "SessionPersist")?;
        set(&mut self.tag, "RuleTag")?;
        let texts = |old: &mut Vec<String>, name: &'static str| -> Result<(), Refusal> {
            if item.has(name) {
                *old = item.texts(name)?.into_iter().map(str::to_owned).collect();
            }
            Ok(())
        };
        texts(&mut self.ports, "PortRange")?;
        texts(&mut self.origins, "OriginValue")?;
        if let Some(seconds) = item.integer("SessionPersistTime")? {
            self.session_time = seconds;
        }
        let tagged = !item.has("RuleTag") || (1..=50).contains(&self.tag.chars().count());
        if !tagged {
            let name = item.name("RuleTag");
            return Err(Refusal::invalid(format!(
                "`{name}` must have 1 to 50 characters."
            )));
        }
        self.check(item)?;
        self.since = now.true_wall;
        self.writes += 1;
        Ok(self)
    }

    fn check(&self, item: &Params<'_>) -> Result<(), Refusal> {
        let one_of = |name: &str, value: &str, known: &[&str]| match known.contains(&value) {
            true => Ok(()),
            false => Err(Refusal::invalid(format!(
                "`{}` has the invalid value `{value}`.",
                item.name(name)
            ))),
        };
        one_of("Protocol", &self.protocol, &["TCP", "UDP"])?;
        let modes: &[&str] = match self.protocol.as_str() {
            "TCP" => &["OFF", "TOA", "PPV1", "PPV2"],
            _ => &["OFF", "PPV2", "SPP"],
        };
        one_of("ClientIPPassThroughMode", &self.pass_through, modes)?;
        one_of("SessionPersist", &self.session, &["on", "off"])?;
        one_of(
            "OriginType",
            &self.origin_type,
            &["IP_DOMAIN", "ORIGIN_GROUP", "LB"],
        )?;
        if self.session == "on" && !(30..=3_600).contains(&self.session_time) {
            let name = item.name("SessionPersistTime");
            let message = format!("`{name}` must lie between 30 and 3600.");
            return Err(Refusal::invalid(message));
        }
        let origin = range(&self.origin_port, "InvalidParameter.RuleOriginPortInteger")?;
        let length = |(first, last): (u16, u16)| last - first;
        for ports in &self.ports {
            let forwarded = range(ports, "InvalidParameter.RulePortInteger")?;
            if length(origin) > 0 && length(origin) != length(forwarded) {
                let message = "The origin port range is not as long as the forwarding range.";
                return Err(Refusal::new("InvalidParameter.RulePortGroup", message));
            }
        }
        if self.ports.is_empty() || self.origins.is_empty() {
            let message = "`PortRange` and `OriginValue` must not be empty.";
            return Err(Refusal::invalid(message));
        }
        self.origins
            .iter()
            .try_for_each(|origin| check_origin(&self.origin_type, origin))
    }

    pub(super) fn row(&self, status: &str) -> Value {
        json!({
            "RuleId": self.id, "Protocol": self.protocol, "PortRange": self.ports,
            "OriginType": self.origin_type, "OriginValue": self.origins,
            "OriginPortRange": self.origin_port, "ClientIPPassThroughMode": self.pass_through,
            "SessionPersist": self.session, "SessionPersistTime": self.session_time,
            "RuleTag": self.tag, "Status": status, "BuId": "", "RemoteAuth": null,
        })
    }
}

fn check_origin(kind: &str, origin: &str) -> Result<(), Refusal> {
    let wrong = || {
        let message = format!("The origin `{origin}` is invalid.");
        Refusal::new("InvalidParameter.InvalidOriginValue", message)
    };
    let inner = |four: Ipv4Addr| {
        four.is_loopback() || four.is_private() || four.is_unspecified() || four.is_link_local()
    };
    match (kind, origin.parse::<IpAddr>()) {
        ("IP_DOMAIN", Ok(IpAddr::V4(four))) if inner(four) => Err(Refusal::new(
            "InvalidParameter.InvalidOriginIp",
            "The origin IP is a private or loopback address.",
        )),
        ("IP_DOMAIN", Ok(IpAddr::V6(six))) if six.is_loopback() || six.is_unique_local() => {
            Err(Refusal::new(
                "InvalidParameter.InvalidOriginIp",
                "The origin IP is a private or loopback address.",
            ))
        }
        ("IP_DOMAIN", Ok(_)) => Ok(()),
        ("IP_DOMAIN", Err(_)) if origin.contains('.') && !origin.contains('/') => Ok(()),
        ("ORIGIN_GROUP", _) if origin.starts_with("og-") => Ok(()),
        ("LB", _) if origin.starts_with("lb-") => Ok(()),
        _ => Err(wrong()),
    }
}

/// Each port of a protocol stands once on a proxy.
pub(super) fn once(rules: &[Rule]) -> Result<(), Refusal> {
    let mut taken: Vec<(&str, u16, u16)> = Vec::new();
    for rule in rules {
        for ports in &rule.ports {
            let (first, last) = range(ports, "InvalidParameter.RulePortInteger")?;
            taken.push((&rule.protocol, first, last));
        }
    }
    taken.sort_unstable();
    let clash = taken.windows(2).find(
        |pair| matches!(pair, [(one, _, last), (other, first, _)] if one == other && first <= last),
    );
    match clash {
        Some([_, (protocol, first, _)]) => Err(Refusal::new(
            "InvalidParameter.RulePortDuplicating",
            format!("The port {protocol} {first} is in use by another rule."),
        )),
        _ => Ok(()),
    }
}

fn range(text: &str, code: &'static str) -> Result<(u16, u16), Refusal> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let read = match text.split_once('-') {
        None => port(text).map(|port| (port, port)),
        Some((first, last)) => port(first).zip(port(last)).filter(|(one, two)| one < two),
    };
    read.ok_or_else(|| Refusal::new(code, format!("The port `{text}` is invalid.")))
}

/// An id as the vendor's look: `rule-2qzkbvx3hxl7`.
pub(super) fn rule_id(ids: &mut fastrand::Rng) -> String {
    let signs: String = (0..12)
        .map(|_| {
            if ids.bool() {
                ids.digit(10)
            } else {
                ids.lowercase()
            }
        })
        .collect();
    format!("rule-{signs}")
}
