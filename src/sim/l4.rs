//! Layer-4 proxy rules: CreateL4ProxyRules, DescribeL4ProxyRules, ModifyL4ProxyRules, DeleteL4ProxyRules. Each is taken
//! whole or refused whole; a new or changed rule is `progress` until it is `online` or `fail`.

mod rule;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use self::rule::{Rule, once, rule_id};
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
