//! When a rule strikes.

use serde::Deserialize;

use super::Class;

const ACTIONS: [&str; 7] = [
    "ModifyBlockIgnoreList",
    "DescribeBlockIgnoreList",
    "DescribeOverviewResourceQuota",
    "CreateL4ProxyRules",
    "DescribeL4ProxyRules",
    "ModifyL4ProxyRules",
    "DeleteL4ProxyRules",
];

/// A condition: everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// `X-TC-Action`.
    pub action: Option<String>,
    /// `IocAction`.
    pub ioc_action: Option<String>,
    /// `RuleType`: 1 blocklist, 2 allowlist.
    pub rule_type: Option<i64>,
    /// An entry that the call carries; of a call on proxy rules a rule's tag, without one its id, without that its
    /// protocol and first port: `TCP:80`.
    pub contains: Option<String>,
    /// A class of entry that the call carries.
    pub class: Option<Class>,
    /// Seconds since the schedule was set.
    pub seconds: Option<Seconds>,
    /// Numbers among the calls that meet everything above, from 1.
    pub calls: Option<Calls>,
    /// Every so manieth of them.
    pub every: Option<u64>,
    /// How likely each of those is struck, from 0 to 1.
    pub probability: Option<f64>,
}

/// From the first call to the last, both struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    /// The first call; 1 if absent.
    pub from: u64,
    /// The last call; without end if absent.
    pub to: u64,
}

/// From one moment until just before another.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seconds {
    /// The first moment; 0 if absent.
    pub from: f64,
    /// The end; without end if absent.
    pub to: f64,
}

impl When {
    /// Calls from number `from` to number `to`.
    #[must_use]
    pub fn calls(self, from: u64, to: u64) -> Self {
        Self {
            calls: Some(Calls { from, to }),
            ..self
        }
    }

    /// Calls that carry this entry.
    #[must_use]
    pub fn contains(self, ioc: &str) -> Self {
        Self {
            contains: Some(ioc.to_owned()),
            ..self
        }
    }

    /// Calls of this `X-TC-Action`.
    #[must_use]
    pub fn action(self, action: &str) -> Self {
        Self {
            action: Some(action.to_owned()),
            ..self
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        let word = |given: &Option<String>, known: &[&str], name: &str| {
            let given = given.as_deref().filter(|given| !known.contains(given))?;
            Some(format!("{name} {given:?} is none of {}", known.join(", ")))
        };
        word(&self.action, &ACTIONS, "action")
            .or_else(|| word(&self.ioc_action, &["add", "edit", "delete"], "ioc_action"))
            .or_else(|| self.number_problem())
    }

    fn number_problem(&self) -> Option<String> {
        let list = self.rule_type.filter(|number| !matches!(number, 1 | 2));
        let calls = self
            .calls
            .filter(|calls| calls.from == 0 || calls.from > calls.to);
        // Written so that what is no number fails too.
        let seconds = self
            .seconds
            .filter(|span| !(0.0 <= span.from && span.from < span.to));
        let chance = self
            .probability
            .filter(|chance| !(0.0..=1.0).contains(chance));
        list.map(|number| format!("rule_type {number} is neither 1 nor 2"))
            .or_else(|| {
                calls.map(|calls| {
                    format!(
                        "no call is from {} to {}: they count from 1",
                        calls.from, calls.to
                    )
                })
            })
            .or_else(|| {
                seconds
                    .map(|span| format!("no moment is from {} to {} seconds", span.from, span.to))
            })
            .or_else(|| chance.map(|chance| format!("probability {chance} is not between 0 and 1")))
            .or_else(|| (self.every == Some(0)).then(|| "every 0 calls is never".to_owned()))
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            from: 1,
            to: u64::MAX,
        }
    }
}

impl Default for Seconds {
    fn default() -> Self {
        Self {
            from: 0.0,
            to: f64::INFINITY,
        }
    }
}
