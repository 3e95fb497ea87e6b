//! DescribeBlockIgnoreList in both sites' forms.

use serde_json::json;

use super::super::config::Site;
use super::super::state::{Foreign, Hits};
use super::*;

const ACTION: &str = "DescribeBlockIgnoreList";

fn ask(desk: &mut Desk, change: Value) -> Value {
    let mut body = first_page();
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    desk.call(ACTION, &body)
}

fn iocs(response: &Value) -> Vec<&str> {
    let rows = response["Data"].as_array().unwrap();
    rows.iter()
        .map(|row| row["Ioc"].as_str().unwrap())
        .collect()
}

/// Three addresses, inbound, that end in the order 2, 3, 1.
fn three() -> Desk {
    let mut desk = Desk::new();
    desk.modify("add", &[("192.0.2.1", 1)], "2026-03-01 00:00:00");
    desk.modify("add", &[("192.0.2.2", 1)], "2026-01-03 00:00:00");
    desk.modify("add", &[("192.0.2.3", 1)], "2026-02-01 00:00:00");
    desk
}

#[test]
fn a_row_says_all_that_is_documented() {
    let mut desk = Desk::new();
    desk.modify("add", &[("192.0.2.1", 0)], FOR_EVER);
    desk.modify("add", &[("a.example", 1)], FOR_EVER);
    let hits = Hits {
        rule_type: 1,
        ioc: "192.0.2.1".to_owned(),
        direction: 0,
        times: 7,
        last_unix: None,
    };
    desk.cloud.seed_hits(&[hits]).unwrap();
    let response = ask(&mut desk, json!({ "Order": "asc" }));
    assert_eq!(response["Total"], 2);
    assert_eq!(
        response["Data"][0],
        json!({
            "RuleType": 1, "Ioc": "192.0.2.1", "IP": "192.0.2.1", "Domain": "", "Direction": 0, "DirectionList": "0",
            "Action": 1, "StartTime": "2026-01-01 00:00:00", "EndTime": FOR_EVER, "Source": "手动添加",
            "UniqueId": "sim-00000001", "MatchTimes": 7, "LastHitTime": "2026-01-02 11:04:05",
            "Country": "", "Comment": "", "EventName": "", "Level": "",
        })
    );
    let domain = &response["Data"][1];
    assert_eq!(
        (&domain["IP"], &domain["Domain"]),
        (&json!(""), &json!("a.example"))
    );
    assert_eq!(domain["LastHitTime"], "");
}

#[test]
fn pages_are_sorted_and_do_not_overlap() {
    let mut desk = three();
    for (order, wanted) in [
        (json!({}), ["192.0.2.3", "192.0.2.2", "192.0.2.1"]),
        (
            json!({ "Order": "asc" }),
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        ),
        (
            json!({ "By": "EndTime", "Order": "asc" }),
            ["192.0.2.2", "192.0.2.3", "192.0.2.1"],
        ),
        (
            json!({ "By": "EndTime", "Order": "desc" }),
            ["192.0.2.1", "192.0.2.3", "192.0.2.2"],
        ),
        (
            json!({ "By": "StartTime", "Order": "asc" }),
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        ),
    ] {
        assert_eq!(iocs(&ask(&mut desk, order.clone())), wanted, "{order}");
    }
    let mut seen = Vec::new();
    for offset in 0..4 {
        let page = ask(
            &mut desk,
            json!({ "Limit": 1, "Offset": offset, "Order": "asc" }),
        );
        assert_eq!(page["Total"], 3);
        seen.extend(iocs(&page).into_iter().map(str::to_owned));
    }
    assert_eq!(seen, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
}

#[test]
fn search_is_fuzzy() {
    let mut desk = three();
    desk.modify("add", &[("192.0.2.10", 1), ("a.example", 0)], FOR_EVER);
    let theirs = Foreign {
        rule_type: 1,
        ioc: "198.51.100.1".to_owned(),
        direction: 1,
        end_unix: None,
        source: Some("威胁情报".to_owned()),
    };
    desk.cloud.seed_foreign(&[theirs]).unwrap();
    for (search, wanted) in [
        ("{}", 6),
        ("", 6),
        (r#"{"common":"192.0.2.1"}"#, 2),
        (r#"{"domain":"EXAMPLE"}"#, 1),
        (r#"{"rule_source":"情报"}"#, 1),
        (r#"{"common":"192","rule_source":"情报"}"#, 0),
        (r#"{"level":""}"#, 6),
        (r#"{"level":"high"}"#, 0),
    ] {
        assert_eq!(
            ask(&mut desk, json!({ "SearchValue": search }))["Total"],
            wanted,
            "{search}"
        );
    }
    for search in ["[]", "{", r#"{"common":1}"#, r#"{"Ioc":"192.0.2.1"}"#] {
        assert_eq!(
            code(&ask(&mut desk, json!({ "SearchValue": search }))),
            "InvalidParameter",
            "{search}"
        );
    }
}

#[test]
fn directions_share_a_row_only_where_told_and_alike() {
    for merge in [false, true] {
        let mut desk = Desk::with(|config| config.merge_directions = merge);
        desk.modify("add", &[("192.0.2.1", 0), ("192.0.2.1", 1)], FOR_EVER);
        desk.modify("add", &[("192.0.2.2", 0)], FOR_EVER);
        desk.modify("add", &[("192.0.2.2", 1)], "2026-03-01 00:00:00");
        let total = |desk: &mut Desk, direction| {
            ask(desk, json!({ "Direction": direction }))["Total"].clone()
        };
        assert_eq!(total(&mut desk, ""), if merge { 3 } else { 4 });
        assert_eq!(total(&mut desk, "0"), 2);
        let inbound = ask(&mut desk, json!({ "Direction": "1", "Order": "asc" }));
        assert_eq!(inbound["Total"], 2);
        let row = &inbound["Data"][0];
        let list = if merge { "0,1" } else { "1" };
        assert_eq!(
            (&row["Direction"], &row["DirectionList"]),
            (&json!(1), &json!(list))
        );
    }
}

fn without(mut body: Value, name: &str) -> Value {
    body.as_object_mut().unwrap().remove(name);
    body
}

#[test]
fn the_two_sites_ask_differently() {
    let mut china = three();
    assert_eq!(china.call(ACTION, &first_page())["Total"], 3);
    assert_eq!(
        china.call(ACTION, &without(first_page(), "RuleType"))["Total"],
        3
    );
    assert_eq!(
        code(&ask(&mut china, json!({ "ShowType": "whitelist" }))),
        "InvalidParameter",
        "they differ"
    );
    assert_eq!(
        ask(
            &mut china,
            json!({ "ShowType": "whitelist", "RuleType": 2 })
        )["Total"],
        0
    );
    let mut abroad = Desk::with(|config| config.site = Site::International);
    assert_eq!(
        code(&abroad.call(ACTION, &first_page())),
        "UnknownParameter"
    );
    let form = without(first_page(), "ShowType");
    assert_eq!(code(&abroad.call(ACTION, &form)), "ok");
    for (desk, form) in [(&mut china, first_page()), (&mut abroad, form)] {
        for name in form.as_object().unwrap().keys() {
            let optional = desk.cloud.config.site == Site::China && name == "RuleType";
            let response = desk.call(ACTION, &without(form.clone(), name));
            assert_eq!(
                code(&response),
                if optional { "ok" } else { "MissingParameter" },
                "{name}"
            );
        }
    }
}

#[test]
fn the_international_row_has_less_and_nulls() {
    let mut desk = Desk::with(|config| {
        config.site = Site::International;
        config.merge_directions = true;
    });
    desk.modify("add", &[("192.0.2.1", 0), ("192.0.2.1", 1)], FOR_EVER);
    let form = without(first_page(), "ShowType");
    let response = desk.call(ACTION, &form);
    assert_eq!(response["Total"], 2, "no row can stand for both");
    assert_eq!(
        response["Data"][0],
        json!({
            "Ioc": "192.0.2.1", "Domain": null, "Direction": 1, "Action": 1, "StartTime": "2026-01-01 00:00:00",
            "EndTime": FOR_EVER, "Source": "手动添加", "UniqueId": "sim-00000002", "MatchTimes": 0,
            "Country": null, "Comment": null, "EventName": null, "Level": null,
        })
    );
}

#[test]
fn the_international_page_crosses_the_sorting_words() {
    let mut desk = Desk::with(|config| config.site = Site::International);
    desk.modify("add", &[("192.0.2.1", 1)], FOR_EVER);
    desk.modify("add", &[("192.0.2.2", 1)], "2026-01-03 00:00:00");
    for (order, by) in [("EndTime", "asc"), ("asc", "EndTime")] {
        let mut form = without(first_page(), "ShowType");
        (form["Order"], form["By"]) = (json!(order), json!(by));
        assert_eq!(iocs(&desk.call(ACTION, &form)), ["192.0.2.2", "192.0.2.1"]);
    }
    let crossed = ask(&mut three(), json!({ "Order": "EndTime", "By": "asc" }));
    assert_eq!(code(&crossed), "InvalidParameter");
}

#[test]
fn bad_questions_are_refused() {
    for (change, wanted) in [
        (json!({ "Limit": 0 }), "InvalidParameter"),
        (json!({ "Limit": 101 }), "InvalidParameter"),
        (json!({ "Limit": "20" }), "InvalidParameter"),
        (json!({ "Offset": -1 }), "InvalidParameter"),
        (json!({ "Direction": "2" }), "InvalidParameter"),
        (json!({ "Direction": 1 }), "InvalidParameter"),
        (json!({ "Order": "up" }), "InvalidParameter"),
        (json!({ "By": "Ioc" }), "InvalidParameter"),
        (json!({ "RuleType": 3 }), "InvalidParameter"),
        (json!({ "ShowType": "list" }), "InvalidParameter"),
        (json!({ "Filter": "x" }), "UnknownParameter"),
    ] {
        assert_eq!(code(&ask(&mut three(), change.clone())), wanted, "{change}");
    }
}

#[test]
fn changes_show_late_where_told() {
    let mut desk = Desk::with(|config| config.visible_after = Duration::from_secs(60));
    let shown = |desk: &mut Desk| {
        let response = ask(desk, json!({ "Order": "asc" }));
        let end = |row: &Value| row["EndTime"].as_str().unwrap().to_owned();
        response["Data"]
            .as_array()
            .unwrap()
            .iter()
            .map(end)
            .collect::<Vec<_>>()
    };
    desk.modify("add", &[("192.0.2.1", 1)], "2026-03-01 00:00:00");
    assert_eq!(
        desk.cloud.entries().len(),
        1,
        "the state itself is not late"
    );
    desk.later(Duration::from_secs(59));
    assert!(shown(&mut desk).is_empty());
    desk.later(Duration::from_secs(1));
    assert_eq!(shown(&mut desk), ["2026-03-01 00:00:00"]);
    desk.modify("edit", &[("192.0.2.1", 1)], "2026-04-01 00:00:00");
    desk.later(Duration::from_secs(30));
    desk.modify("delete", &[("192.0.2.1", 1)], "");
    assert_eq!(shown(&mut desk), ["2026-03-01 00:00:00"]);
    desk.later(Duration::from_secs(30));
    assert_eq!(shown(&mut desk), ["2026-04-01 00:00:00"]);
    desk.later(Duration::from_secs(30));
    assert!(shown(&mut desk).is_empty());
}
