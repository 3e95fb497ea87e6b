//! Layer-4 proxy rules: CreateL4ProxyRules, DescribeL4ProxyRules, ModifyL4ProxyRules, DeleteL4ProxyRules. Each is taken
//! whole or refused whole; a new or changed rule is `progress` until it is `online` or `fail`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::clock::Moment;
use super::params::Params;
use super::refusal::Refusal;

/// Rules, or RuleIds, that one call may carry.
const MOST_RULES: usize = 200;
/// Rows that one page may have.
const MOST_ROWS: i64 = 1_000;

const RULE: [&str; 11] = [
    "RuleId",
    "Protocol",
    "PortRange",
    "OriginType",
    "OriginValue",
    "OriginPortRange",
    "ClientIPPassThroughMode",
    "SessionPersist",
    "SessionPersistTime",
    "RuleTag",
    "Status",
];

/// How the layer-4 proxies behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L4Manners {
    /// Rules that one proxy may have.
    pub places: usize,
    /// How long a new or changed rule is `progress`.
    pub deploy: Duration,
    /// Rules with one of these tags end as `fail`.
    pub failing: Vec<String>,
    /// The zone and proxy of each proxy that there is; empty: any that is asked for.
    pub proxies: Vec<(String, String)>,
}

/// One rule that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct L4RuleState {
    /// `zone-…`
    pub zone: String,
    /// `sid-…`
    pub proxy: String,
    /// `rule-…`
    pub rule_id: String,
    /// `TCP` or `UDP`.
    pub protocol: String,
    /// Ports as they were sent.
    pub ports: Vec<String>,
    /// Origins as they were sent.
    pub origins: Vec<String>,
    /// The tag; empty without one.
    pub tag: String,
    /// `progress`, `online` or `fail`.
    pub status: String,
    /// How often calls made or changed it.
    pub writes: u64,
}

type Place = (String, String);

/// Every proxy's rules.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    rules: BTreeMap<Place, Vec<Rule>>,
}

#[derive(Clone, Debug)]
struct Rule {
    id: String,
    protocol: String,
    ports: Vec<String>,
    origin_type: String,
    origins: Vec<String>,
    origin_port: String,
    pass_through: String,
    session: String,
    session_time: i64,
    tag: String,
    /// When it was made or changed, on the wall clock.
    since: Duration,
    writes: u64,
}

impl Default for L4Manners {
    /// 2,000 rules a proxy, which nobody documents; online at once, on any proxy.
    fn default() -> Self {
        Self {
            places: 2_000,
            deploy: Duration::ZERO,
            failing: Vec::new(),
            proxies: Vec::new(),
        }
    }
}

impl L4Manners {
    fn status(&self, rule: &Rule, now: Moment) -> &'static str {
        if now.true_wall.saturating_sub(rule.since) < self.deploy {
            "progress"
        } else if self.failing.contains(&rule.tag) {
            "fail"
        } else {
            "online"
        }
    }
}

impl Proxies {
    pub(super) fn create(
        &mut self,
        body: &Value,
        manners: &L4Manners,
        now: Moment,
        ids: &mut fastrand::Rng,
    ) -> Result<Value, Refusal> {
        let params = Params::top(body)?;
        params.expect(
            &["ZoneId", "ProxyId", "L4ProxyRules"],
            &["ZoneId", "ProxyId", "L4ProxyRules"],
        )?;
        let place = place(&params, manners)?;
        let items = within("L4ProxyRules", params.objects("L4ProxyRules")?)?;
        let mut new = Vec::new();
        for item in &items {
            item.expect(
                &RULE,
                &[
                    "Protocol",
                    "PortRange",
                    "OriginType",
                    "OriginValue",
                    "OriginPortRange",
                ],
            )?;
            for name in ["RuleId", "Status"] {
                if item.has(name) {
                    let name = item.name(name);
                    return Err(Refusal::invalid(format!("`{name}` must not be set.")));
                }
            }
            let blank = Rule::blank(rule_id(ids), now);
            new.push(blank.with(item, now)?);
        }
        let mut rules = self.rules.get(&place).cloned().unwrap_or_default();
        if rules.len() + new.len() > manners.places {
            let message = format!("A proxy may have at most {} rules.", manners.places);
            return Err(Refusal::new(
                "LimitExceeded.ProxyRulesLimitExceeded",
                message,
            ));
        }
        let made: Vec<String> = new.iter().map(|rule| rule.id.clone()).collect();
        rules.extend(new);
        once(&rules)?;
        self.rules.insert(place, rules);
        Ok(json!({ "L4ProxyRuleIds": made }))
    }

    pub(super) fn modify(
        &mut self,
        body: &Value,
        manners: &L4Manners,
        now: Moment,
    ) -> Result<Value, Refusal> {
        let params = Params::top(body)?;
        params.expect(
            &["ZoneId", "ProxyId", "L4ProxyRules"],
            &["ZoneId", "ProxyId", "L4ProxyRules"],
        )?;
        let place = place(&params, manners)?;
        let mut rules = self.rules.get(&place).cloned().unwrap_or_default();
        for item in within("L4ProxyRules", params.objects("L4ProxyRules")?)? {
            item.expect(&RULE, &["RuleId"])?;
            if item.has("Status") {
                let name = item.name("Status");
                return Err(Refusal::invalid(format!("`{name}` must not be set.")));
            }
            let id = item.text("RuleId")?;
            let rule = rules
                .iter_mut()
                .find(|rule| rule.id == id)
                .ok_or_else(|| absent("rule", id))?;
            *rule = rule.clone().with(&item, now)?;
        }
        once(&rules)?;
        self.rules.insert(place, rules);
        Ok(json!({}))
    }

    pub(super) fn delete(&mut self, body: &Value, manners: &L4Manners) -> Result<Value, Refusal> {
        let params = Params::top(body)?;
        params.expect(
            &["ZoneId", "ProxyId", "RuleIds"],
            &["ZoneId", "ProxyId", "RuleIds"],
        )?;
        let place = place(&params, manners)?;
        let ids = within("RuleIds", params.texts("RuleIds")?)?;
        let mut rules = self.rules.get(&place).cloned().unwrap_or_default();
        for id in ids {
            if !rules.iter().any(|rule| rule.id == id) {
                return Err(absent("rule", id));
            }
            rules.retain(|rule| rule.id != id);
        }
        self.rules.insert(place, rules);
        Ok(json!({}))
    }

    pub(super) fn describe(
        &self,
        body: &Value,
        manners: &L4Manners,
        now: Moment,
    ) -> Result<Value, Refusal> {
        let params = Params::top(body)?;
        params.expect(
            &["ZoneId", "ProxyId", "Offset", "Limit", "Filters"],
            &["ZoneId", "ProxyId"],
        )?;
        let place = place(&params, manners)?;
        let count = |name: &str, default: i64, most: i64| {
            let number = params.integer(name)?.unwrap_or(default);
            let bad = || Refusal::invalid(format!("`{name}` must lie between 0 and {most}."));
            if !(0..=most).contains(&number) {
                return Err(bad());
            }
            usize::try_from(number).map_err(|_| bad())
        };
        let (offset, limit) = (
            count("Offset", 0, i64::MAX)?,
            count("Limit", 20, MOST_ROWS)?,
        );
        let filters = filters(&params)?;
        let rules = self.rules.get(&place).map(Vec::as_slice);
        let found: Vec<&Rule> = rules
            .unwrap_or_default()
            .iter()
            .filter(|rule| {
                filters.iter().all(|(by_id, values)| {
                    let own = if *by_id { &rule.id } else { &rule.tag };
                    values.contains(&own.as_str())
                })
            })
            .collect();
        let page: Vec<Value> = found
            .iter()
            .skip(offset)
            .take(limit)
            .map(|rule| rule.row(manners.status(rule, now)))
            .collect();
        Ok(json!({ "TotalCount": found.len(), "L4ProxyRules": page }))
    }

    pub(super) fn state(&self, manners: &L4Manners, now: Moment) -> Vec<L4RuleState> {
        let rules = self
            .rules
            .iter()
            .flat_map(|(place, rules)| rules.iter().map(move |rule| (place, rule)));
        rules
            .map(|((zone, proxy), rule)| L4RuleState {
                zone: zone.clone(),
                proxy: proxy.clone(),
                rule_id: rule.id.clone(),
                protocol: rule.protocol.clone(),
                ports: rule.ports.clone(),
                origins: rule.origins.clone(),
                tag: rule.tag.clone(),
                status: manners.status(rule, now).to_owned(),
                writes: rule.writes,
            })
            .collect()
    }
}

/// Each rule of a call by what a fault can name it: its tag, else its id, else its protocol and first port.
pub(super) fn names(body: &Value) -> Vec<String> {
    let list = |name: &str| body.get(name).and_then(Value::as_array);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let name = |rule: &Value| {
        let port = || text(rule.get("PortRange").and_then(|ports| ports.get(0)));
        text(rule.get("RuleTag"))
            .or_else(|| text(rule.get("RuleId")))
            .or_else(|| {
                let protocol = text(rule.get("Protocol"))?;
                Some(format!("{protocol}:{}", port().unwrap_or_default()))
            })
            .unwrap_or_default()
    };
    let rules = list("L4ProxyRules").into_iter().flatten().map(name);
    let ids = list("RuleIds").into_iter().flatten();
    rules.chain(ids.filter_map(|id| text(Some(id)))).collect()
}

impl Rule {
    fn blank(id: String, now: Moment) -> Self {
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
    fn with(mut self, item: &Params<'_>, now: Moment) -> Result<Self, Refusal> {
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

    fn row(&self, status: &str) -> Value {
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
fn once(rules: &[Rule]) -> Result<(), Refusal> {
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

fn place(params: &Params<'_>, manners: &L4Manners) -> Result<Place, Refusal> {
    let place = (
        params.text("ZoneId")?.to_owned(),
        params.text("ProxyId")?.to_owned(),
    );
    if !manners.proxies.is_empty() && !manners.proxies.contains(&place) {
        return Err(absent("proxy", &place.1));
    }
    Ok(place)
}

fn filters<'a>(params: &Params<'a>) -> Result<Vec<(bool, Vec<&'a str>)>, Refusal> {
    let mut filters = Vec::new();
    for filter in params.objects("Filters")? {
        filter.expect(&["Name", "Values"], &["Name", "Values"])?;
        let values = filter.texts("Values")?;
        let by_id = match filter.text("Name")? {
            "rule-id" => true,
            "rule-tag" => false,
            other => {
                let message = format!("The filter `{other}` is not supported.");
                return Err(Refusal::invalid(message));
            }
        };
        if values.len() > 20 {
            return Err(Refusal::invalid("A filter may have at most 20 values."));
        }
        filters.push((by_id, values));
    }
    Ok(filters)
}

fn within<T>(name: &str, items: Vec<T>) -> Result<Vec<T>, Refusal> {
    match items.len() {
        0 => Err(Refusal::invalid(format!("`{name}` must not be empty."))),
        1..=MOST_RULES => Ok(items),
        count => Err(Refusal::invalid(format!(
            "`{name}` has {count} items and may have at most {MOST_RULES}."
        ))),
    }
}

fn absent(what: &str, id: &str) -> Refusal {
    Refusal::new(
        "ResourceNotFound",
        format!("The {what} `{id}` does not exist."),
    )
}

/// An id as the vendor's look: `rule-2qzkbvx3hxl7`.
fn rule_id(ids: &mut fastrand::Rng) -> String {
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
