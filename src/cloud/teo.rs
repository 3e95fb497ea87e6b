//! The calls on layer-4 proxy rules (`teo`, version 2022-09-01).
//!
//! Names and types are those of the vendor's pages and SDKs
//! (<https://www.tencentcloud.com/document/product/1145/59027>). A create carries at most 200 rules, and
//! makes all of them or none; it is asynchronous, so that a rule is `progress` before it is `online` or `fail`.

use serde::{Deserialize, Serialize};

use super::client::Action;
use super::lenient;

const SERVICE: &str = "teo";
const VERSION: &str = "2022-09-01";

/// The most rules, or RuleIds, that one call takes.
pub const MOST_RULES: usize = 200;

/// The most rows of one page of [`DescribeL4ProxyRules`].
pub const MOST_ROWS: u32 = 1_000;

/// A rule as a create or a modify carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct L4ProxyRule {
    /// Required of a modify; absent from a create.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    /// `TCP` or `UDP`.
    pub protocol: String,
    /// Ports and ranges of ports: `80`, `81-85`.
    pub port_range: Vec<String>,
    /// `IP_DOMAIN`, `ORIGIN_GROUP` or `LB`.
    pub origin_type: String,
    /// Addresses or a domain, `og-…`, or `lb-…`.
    pub origin_value: Vec<String>,
    /// One port, or a range as long as the forwarding range.
    pub origin_port_range: String,
    /// `TOA`, `PPV1`, `PPV2`, `SPP` or `OFF`.
    #[serde(rename = "ClientIPPassThroughMode")]
    pub client_ip_pass_through_mode: String,
    /// `on` or `off`.
    pub session_persist: String,
    /// 30 to 3600 s; counts only with `on`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_persist_time: Option<u16>,
    /// 1 to 50 characters. A modify without one leaves the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_tag: Option<String>,
}

/// A rule as the cloud shows it. A text that is missing or null is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Row {
    /// `rule-…`
    #[serde(deserialize_with = "lenient::text")]
    pub rule_id: String,
    /// `TCP` or `UDP`.
    #[serde(deserialize_with = "lenient::text")]
    pub protocol: String,
    /// Ports and ranges of ports.
    #[serde(deserialize_with = "lenient::or_default")]
    pub port_range: Vec<String>,
    /// As in [`L4ProxyRule::origin_type`].
    #[serde(deserialize_with = "lenient::text")]
    pub origin_type: String,
    /// As in [`L4ProxyRule::origin_value`].
    #[serde(deserialize_with = "lenient::or_default")]
    pub origin_value: Vec<String>,
    /// As in [`L4ProxyRule::origin_port_range`].
    #[serde(deserialize_with = "lenient::text")]
    pub origin_port_range: String,
    /// As in [`L4ProxyRule::client_ip_pass_through_mode`].
    #[serde(rename = "ClientIPPassThroughMode", deserialize_with = "lenient::text")]
    pub client_ip_pass_through_mode: String,
    /// `on` or `off`.
    #[serde(deserialize_with = "lenient::text")]
    pub session_persist: String,
    /// In seconds; shown with `off` too.
    #[serde(deserialize_with = "lenient::integer")]
    pub session_persist_time: Option<i64>,
    /// The tag.
    #[serde(deserialize_with = "lenient::text")]
    pub rule_tag: String,
    /// `online`, `offline`, `progress`, `stopping` or `fail`.
    #[serde(deserialize_with = "lenient::text")]
    pub status: String,
}

/// `CreateL4ProxyRules`: makes at most [`MOST_RULES`] rules, all or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateL4ProxyRules {
    /// `zone-…`
    pub zone_id: String,
    /// `sid-…`
    pub proxy_id: String,
    /// The rules, without RuleId and Status.
    #[serde(rename = "L4ProxyRules")]
    pub rules: Vec<L4ProxyRule>,
}

/// The ids of the new rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Created {
    /// In the order of the rules that were sent.
    #[serde(rename = "L4ProxyRuleIds", deserialize_with = "lenient::or_default")]
    pub rule_ids: Vec<String>,
}

/// `ModifyL4ProxyRules`: changes at most [`MOST_RULES`] rules; a field that is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyL4ProxyRules {
    /// `zone-…`
    pub zone_id: String,
    /// `sid-…`
    pub proxy_id: String,
    /// The rules, each with its RuleId.
    #[serde(rename = "L4ProxyRules")]
    pub rules: Vec<L4ProxyRule>,
}

/// `DeleteL4ProxyRules`: takes at most [`MOST_RULES`] rules away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteL4ProxyRules {
    /// `zone-…`
    pub zone_id: String,
    /// `sid-…`
    pub proxy_id: String,
    /// `rule-…`
    pub rule_ids: Vec<String>,
}

/// The answer to a modify or a delete: that it went well is all it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Taken {}

/// `DescribeL4ProxyRules`: one page of a proxy's rules, by whomever they were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeL4ProxyRules {
    /// `zone-…`
    pub zone_id: String,
    /// `sid-…`
    pub proxy_id: String,
    /// Rows before this page.
    pub offset: u32,
    /// At most [`MOST_ROWS`].
    pub limit: u32,
}

/// A page of a proxy's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Page {
    /// Rows on all pages.
    #[serde(deserialize_with = "lenient::integer")]
    pub total_count: Option<i64>,
    /// The rows.
    #[serde(rename = "L4ProxyRules", deserialize_with = "lenient::or_default")]
    pub rules: Vec<Row>,
}

impl Action for CreateL4ProxyRules {
    const NAME: &'static str = "CreateL4ProxyRules";
    const SERVICE: &'static str = SERVICE;
    const VERSION: &'static str = VERSION;
    type Response = Created;
}

impl Action for ModifyL4ProxyRules {
    const NAME: &'static str = "ModifyL4ProxyRules";
    const SERVICE: &'static str = SERVICE;
    const VERSION: &'static str = VERSION;
    type Response = Taken;
}

impl Action for DeleteL4ProxyRules {
    const NAME: &'static str = "DeleteL4ProxyRules";
    const SERVICE: &'static str = SERVICE;
    const VERSION: &'static str = VERSION;
    type Response = Taken;
}

impl Action for DescribeL4ProxyRules {
    const NAME: &'static str = "DescribeL4ProxyRules";
    const SERVICE: &'static str = SERVICE;
    const VERSION: &'static str = VERSION;
    type Response = Page;
}

#[cfg(test)]
mod tests {
    use serde_json::{from_str, json, to_value};

    use super::*;

    /// The example of the vendor's page, field for field.
    #[test]
    fn a_create_is_written_as_documented() {
        let call = CreateL4ProxyRules {
            zone_id: "zone-24wjy25v1cwi".into(),
            proxy_id: "sid-2qwk27xf7j9g".into(),
            rules: vec![L4ProxyRule {
                rule_id: None,
                protocol: "TCP".into(),
                port_range: vec!["80".into()],
                origin_type: "IP_DOMAIN".into(),
                origin_value: vec!["119.23.100.45".into()],
                origin_port_range: "90".into(),
                client_ip_pass_through_mode: "TOA".into(),
                session_persist: "on".into(),
                session_persist_time: Some(3600),
                rule_tag: Some("test".into()),
            }],
        };
        assert_eq!(
            to_value(&call).unwrap(),
            json!({
                "ZoneId": "zone-24wjy25v1cwi",
                "ProxyId": "sid-2qwk27xf7j9g",
                "L4ProxyRules": [{
                    "Protocol": "TCP", "PortRange": ["80"], "OriginType": "IP_DOMAIN",
                    "OriginValue": ["119.23.100.45"], "OriginPortRange": "90",
                    "ClientIPPassThroughMode": "TOA", "SessionPersist": "on",
                    "SessionPersistTime": 3600, "RuleTag": "test",
                }],
            })
        );
    }

    #[test]
    fn the_other_calls_are_written_as_documented() {
        let (zone_id, proxy_id) = ("zone-1".to_owned(), "sid-1".to_owned());
        let page = DescribeL4ProxyRules {
            zone_id: zone_id.clone(),
            proxy_id: proxy_id.clone(),
            offset: 1000,
            limit: MOST_ROWS,
        };
        assert_eq!(
            to_value(&page).unwrap(),
            json!({ "ZoneId": "zone-1", "ProxyId": "sid-1", "Offset": 1000, "Limit": 1000 })
        );
        let delete = DeleteL4ProxyRules {
            zone_id,
            proxy_id,
            rule_ids: vec!["rule-1".into()],
        };
        assert_eq!(
            to_value(&delete).unwrap(),
            json!({ "ZoneId": "zone-1", "ProxyId": "sid-1", "RuleIds": ["rule-1"] })
        );
    }

    #[test]
    fn answers_are_read_with_and_without_their_fields() {
        let created: Created =
            from_str(r#"{"L4ProxyRuleIds":["rule-1"],"RequestId":"r"}"#).unwrap();
        assert_eq!(created.rule_ids, ["rule-1"]);
        assert_eq!(from_str::<Taken>(r#"{"RequestId":"r"}"#).unwrap(), Taken {});
        let page: Page = from_str(
            r#"{"TotalCount":1,"L4ProxyRules":[{"RuleId":"rule-1","Protocol":"TCP","PortRange":["80"],
                "OriginType":"IP_DOMAIN","OriginValue":["119.23.100.45"],"OriginPortRange":"90",
                "ClientIPPassThroughMode":"TOA","SessionPersist":"on","SessionPersistTime":3600,
                "RuleTag":"test","Status":"online","BuId":"","RemoteAuth":null}]}"#,
        )
        .unwrap();
        assert_eq!(page.total_count, Some(1));
        let row = &page.rules[0];
        assert_eq!(
            (row.status.as_str(), row.session_persist_time),
            ("online", Some(3600))
        );
        let bare: Page = from_str(r#"{"TotalCount":0,"L4ProxyRules":null}"#).unwrap();
        assert!(bare.rules.is_empty());
        let row: Row = from_str(r#"{"RuleId":"rule-2","PortRange":null,"RuleTag":null}"#).unwrap();
        assert_eq!((row.rule_id.as_str(), row.port_range.len()), ("rule-2", 0));
    }
}
