//! The calls on layer-4 proxy rules.

use super::super::l4::L4Manners;
use super::*;

fn rule(port: &str, tag: &str) -> Value {
    json!({
        "Protocol": "TCP", "PortRange": [port], "OriginType": "IP_DOMAIN",
        "OriginValue": ["119.23.100.45"], "OriginPortRange": "90", "RuleTag": tag,
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut rule = rule("80", "test");
    rule[key] = value;
    rule
}

fn on_proxy(more: Value) -> Value {
    let mut body = json!({ "ZoneId": "zone-24wjy25v1cwi", "ProxyId": "sid-2qwk27xf7j9g" });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

impl Desk {
    fn create(&mut self, rules: &[Value]) -> Value {
        self.call(
            "CreateL4ProxyRules",
            &on_proxy(json!({ "L4ProxyRules": rules })),
        )
    }

    fn rows(&mut self, more: Value) -> Value {
        self.call("DescribeL4ProxyRules", &on_proxy(more))
    }
}

#[test]
fn a_rule_is_made_deployed_changed_and_deleted() {
    let mut desk = Desk::with(|config| {
        config.l4 = L4Manners {
            deploy: Duration::from_secs(5),
            failing: vec!["bad".to_owned()],
            ..L4Manners::default()
        };
    });
    let made = desk.create(&[rule("80", "good"), rule("81", "bad")]);
    let ids = made["L4ProxyRuleIds"].as_array().unwrap().clone();
    let status = |rows: &Value| {
        [0, 1].map(|at| {
            rows["L4ProxyRules"][at]["Status"]
                .as_str()
                .unwrap()
                .to_owned()
        })
    };
    assert_eq!(status(&desk.rows(json!({}))), ["progress", "progress"]);
    desk.later(Duration::from_secs(5));
    let rows = desk.rows(json!({ "Offset": 0, "Limit": 1000 }));
    assert_eq!(
        (&rows["TotalCount"], status(&rows)),
        (&json!(2), ["online".to_owned(), "fail".to_owned()])
    );
    assert_eq!(rows["L4ProxyRules"][0]["SessionPersist"], "off");

    let change = json!({ "L4ProxyRules": [{ "RuleId": ids[0], "RuleTag": "service-1" }] });
    assert_eq!(
        code(&desk.call("ModifyL4ProxyRules", &on_proxy(change))),
        "ok"
    );
    let found = desk.rows(json!({ "Filters": [{ "Name": "rule-tag", "Values": ["service-1"] }] }));
    assert_eq!(
        found["L4ProxyRules"][0]["PortRange"],
        json!(["80"]),
        "what is not said stays"
    );
    assert_eq!(found["L4ProxyRules"][0]["Status"], "progress");

    let delete = on_proxy(json!({ "RuleIds": ids }));
    assert_eq!(code(&desk.call("DeleteL4ProxyRules", &delete)), "ok");
    assert_eq!(desk.rows(json!({}))["TotalCount"], 0);
    assert_eq!(
        code(&desk.call("DeleteL4ProxyRules", &delete)),
        "ResourceNotFound"
    );
}

#[test]
fn a_bad_rule_refuses_the_whole_call_with_its_documented_code() {
    for (bad, wanted) in [
        (
            with("OriginValue", json!(["10.0.0.1"])),
            "InvalidParameter.InvalidOriginIp",
        ),
        (
            with("OriginValue", json!(["127.0.0.1"])),
            "InvalidParameter.InvalidOriginIp",
        ),
        (
            with("OriginType", json!("LB")),
            "InvalidParameter.InvalidOriginValue",
        ),
        (
            with("PortRange", json!(["85-81"])),
            "InvalidParameter.RulePortInteger",
        ),
        (
            with("OriginPortRange", json!("90-99")),
            "InvalidParameter.RulePortGroup",
        ),
        (
            with("PortRange", json!(["99"])),
            "InvalidParameter.RulePortDuplicating",
        ),
        (
            with("PortRange", json!(["1-200"])),
            "InvalidParameter.RulePortDuplicating",
        ),
        (
            with("ClientIPPassThroughMode", json!("SPP")),
            "InvalidParameter",
        ),
        (with("SessionPersist", json!("maybe")), "InvalidParameter"),
        (with("RuleTag", json!("x".repeat(51))), "InvalidParameter"),
        (with("RuleId", json!("rule-1")), "InvalidParameter"),
        (with("Status", json!("online")), "InvalidParameter"),
        (with("Port", json!("80")), "UnknownParameter"),
        (with("PortRange", json!("80")), "InvalidParameter"),
        (json!({ "Protocol": "TCP" }), "MissingParameter"),
    ] {
        let mut desk = Desk::new();
        assert_eq!(code(&desk.create(&[rule("99", "there")])), "ok");
        assert_eq!(
            code(&desk.create(&[rule("70", "good"), bad.clone()])),
            wanted,
            "{bad}"
        );
        assert_eq!(desk.rows(json!({}))["TotalCount"], 1, "{bad}");
    }
}

#[test]
fn a_call_and_a_proxy_have_their_bounds() {
    let mut desk = Desk::with(|config| {
        config.l4.places = 250;
        config.l4.proxies = vec![(
            "zone-24wjy25v1cwi".to_owned(),
            "sid-2qwk27xf7j9g".to_owned(),
        )];
    });
    let rules = |from: u16, count: u16| {
        (from..from + count)
            .map(|port| rule(&port.to_string(), "t"))
            .collect::<Vec<_>>()
    };
    assert_eq!(code(&desk.create(&rules(1, 201))), "InvalidParameter");
    assert_eq!(code(&desk.create(&[])), "InvalidParameter");
    assert_eq!(code(&desk.create(&rules(1, 200))), "ok");
    assert_eq!(
        code(&desk.create(&rules(201, 51))),
        "LimitExceeded.ProxyRulesLimitExceeded"
    );
    assert_eq!(code(&desk.create(&rules(201, 50))), "ok");
    assert_eq!(
        desk.rows(json!({}))["L4ProxyRules"]
            .as_array()
            .unwrap()
            .len(),
        20
    );
    assert_eq!(
        code(&desk.rows(json!({ "Limit": 1001 }))),
        "InvalidParameter"
    );
    let elsewhere = json!({ "ZoneId": "zone-1", "ProxyId": "sid-1" });
    assert_eq!(
        code(&desk.call("DescribeL4ProxyRules", &elsewhere)),
        "ResourceNotFound"
    );
}
