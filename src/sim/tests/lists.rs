//! ModifyBlockIgnoreList: what changes, what is refused, and that a refused call changes nothing.

use serde_json::json;

use super::super::config::{EditAbsent, Expired, Manners, Repeat, Site};
use super::super::ioc::Class;
use super::super::state::Foreign;
use super::*;

const A: (&str, u8) = ("192.0.2.1", 1);
const B: (&str, u8) = ("192.0.2.2", 1);
const SOON: &str = "2026-01-02 11:04:06";
const LATER: &str = "2026-01-03 12:00:00";

#[test]
fn entries_come_change_and_go() {
    let mut desk = Desk::new();
    let added = desk.modify("add", &[A, ("192.0.2.1", 0), ("Bad.Example", 0)], FOR_EVER);
    assert_eq!(
        (&added["ReturnCode"], &added["ReturnMsg"]),
        (&json!(0), &json!("success"))
    );
    assert_eq!(
        desk.standing(),
        [
            "192.0.2.1 0 until 3000-01-01 00:00:00",
            "192.0.2.1 1 until 3000-01-01 00:00:00",
            "bad.example 0 until 3000-01-01 00:00:00"
        ]
    );
    assert_eq!(code(&desk.modify("edit", &[A], LATER)), "ok");
    assert_eq!(code(&desk.modify("delete", &[("192.0.2.1", 0)], "")), "ok");
    assert_eq!(
        desk.standing(),
        [
            "192.0.2.1 1 until 2026-01-03 12:00:00",
            "bad.example 0 until 3000-01-01 00:00:00"
        ]
    );
    assert_eq!(desk.cloud.writes(1, "192.0.2.1", 1), 2);
    assert_eq!(
        desk.cloud.writes(1, "192.0.2.1", 0),
        1,
        "what is gone is remembered"
    );
    assert_eq!(desk.cloud.entries()[0].end_unix, 1_767_412_800);
}

#[test]
fn the_lists_are_apart() {
    let mut desk = Desk::new();
    let mut body = modification("add", &[A], FOR_EVER);
    body["RuleType"] = json!(2);
    assert_eq!(code(&desk.call("ModifyBlockIgnoreList", &body)), "ok");
    assert_eq!(code(&desk.modify("delete", &[A], "")), "ok");
    let state = desk.cloud.state();
    assert_eq!((state.block_entries, state.allow_entries), (0, 1));
}

#[test]
fn a_malformed_call_is_refused_whole() {
    let good = modification("add", &[A, B], FOR_EVER);
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let entry = |entry: Value| {
        let mut body = good.clone();
        body["IOC"][1] = entry;
        body
    };
    for (body, wanted, about) in [
        (
            with("ShowType", json!("x")),
            "UnknownParameter",
            "`ShowType`",
        ),
        (without("RuleType"), "MissingParameter", "`RuleType`"),
        (without("IOC"), "MissingParameter", "`IOC`"),
        (without("IocAction"), "MissingParameter", "`IocAction`"),
        (without("StartTime"), "MissingParameter", "`StartTime`"),
        (without("EndTime"), "MissingParameter", "`EndTime`"),
        (
            with("RuleType", json!("1")),
            "InvalidParameter",
            "`RuleType` is not integer",
        ),
        (with("RuleType", json!(3)), "InvalidParameter", "`RuleType`"),
        (
            with("RuleType", Value::Null),
            "InvalidParameter",
            "`RuleType`",
        ),
        (
            with("IOC", json!({})),
            "InvalidParameter",
            "`IOC` is not array",
        ),
        (with("IOC", json!([])), "InvalidParameter", "`IOC`"),
        (
            with("IocAction", json!("Add")),
            "InvalidParameter",
            "`IocAction`",
        ),
        (
            with("IocAction", json!(1)),
            "InvalidParameter",
            "`IocAction` is not string",
        ),
        (
            with("StartTime", json!("2026-01-01")),
            "InvalidParameter",
            "`StartTime`",
        ),
        (
            with("EndTime", json!("2026-01-01T00:00:00Z")),
            "InvalidParameter",
            "`EndTime`",
        ),
        (
            with("EndTime", json!("2026-01-01 00:00:00")),
            "InvalidParameter",
            "later than `StartTime`",
        ),
        (
            with("EndTime", json!("2026-01-02 11:04:05")),
            "InvalidParameter",
            "later than the current",
        ),
        (
            entry(json!("192.0.2.2")),
            "InvalidParameter",
            "`IOC.1` is not object",
        ),
        (
            entry(json!({ "IP": "192.0.2.2" })),
            "MissingParameter",
            "`IOC.1.Direction`",
        ),
        (
            entry(json!({ "IP": "192.0.2.2", "Direction": 2 })),
            "InvalidParameter",
            "`IOC.1.Direction`",
        ),
        (
            entry(json!({ "IP": "192.0.2.2", "Direction": "1" })),
            "InvalidParameter",
            "`IOC.1.Direction`",
        ),
        (
            entry(json!({ "IP": "192.0.2.2", "Direction": 1, "Comment": "" })),
            "UnknownParameter",
            "`IOC.1.Comment`",
        ),
        (
            entry(json!({ "Domain": "a.example", "Direction": 1 })),
            "MissingParameter",
            "`IOC.1.IP`",
        ),
        (
            entry(json!({ "IP": "", "Domain": "", "Direction": 1 })),
            "InvalidParameter",
            "both empty",
        ),
        (
            entry(json!({ "IP": "192.0.2.2", "Domain": "a.example", "Direction": 1 })),
            "InvalidParameter",
            "both set",
        ),
        (
            entry(json!({ "IP": "a.example", "Direction": 1 })),
            "InvalidParameter",
            "`IOC.1.IP`",
        ),
        (
            entry(json!({ "IP": "", "Domain": "192.0.2.2", "Direction": 1 })),
            "InvalidParameter",
            "`IOC.1.Domain`",
        ),
        (
            entry(json!({ "IP": "192.0.2.0/24", "Direction": 1 })),
            "InvalidParameter",
            "does not take",
        ),
        (
            entry(json!({ "IP": "2001:db8::1", "Direction": 1 })),
            "InvalidParameter",
            "does not take",
        ),
    ] {
        let mut desk = Desk::new();
        let response = desk.call("ModifyBlockIgnoreList", &body);
        assert_eq!(code(&response), wanted, "{body}: {response}");
        let message = response["Error"]["Message"].as_str().unwrap();
        assert!(message.contains(about), "{message} should say {about}");
        assert!(desk.standing().is_empty(), "{body}");
    }
}

#[test]
fn the_empty_half_of_an_entry_may_stand() {
    let mut body = modification("add", &[A], SOON);
    body["IOC"] = json!([{ "IP": "192.0.2.1", "Domain": "", "Direction": 1 }]);
    body["IsFromWeChat"] = json!(0);
    assert_eq!(
        code(&Desk::new().call("ModifyBlockIgnoreList", &body)),
        "ok"
    );
    let mut abroad = Desk::with(|config| config.site = Site::International);
    assert_eq!(
        code(&abroad.call("ModifyBlockIgnoreList", &body)),
        "UnknownParameter"
    );
}

#[test]
fn each_list_takes_its_own_classes() {
    let mut desk = Desk::with(|config| {
        config.block_classes = vec![Class::Ipv6, Class::Network];
        config.allow_classes = vec![Class::Domain];
    });
    let mixed = [("2001:db8::1", 1), ("192.0.2.0/24", 0)];
    assert_eq!(code(&desk.modify("add", &mixed, FOR_EVER)), "ok");
    assert_eq!(
        code(&desk.modify("add", &[A], FOR_EVER)),
        "InvalidParameter"
    );
    assert_eq!(
        code(&desk.modify("add", &[("a.example", 0)], FOR_EVER)),
        "InvalidParameter"
    );
    let mut body = modification("add", &[("a.example", 0)], FOR_EVER);
    body["RuleType"] = json!(2);
    assert_eq!(code(&desk.call("ModifyBlockIgnoreList", &body)), "ok");
}

#[test]
fn the_zone_decides_when_an_entry_ends() {
    for (zone, wanted) in [("+08:00", "InvalidParameter"), ("+00:00", "ok")] {
        let mut desk = Desk::with(|config| config.zone = zone.parse().unwrap());
        let response = desk.modify("add", &[A], "2026-01-02 04:00:00");
        assert_eq!(code(&response), wanted, "{zone}");
    }
}

#[test]
fn a_call_that_would_pass_the_quota_adds_nothing() {
    let mut desk = Desk::with(|config| config.limits.quota = 3);
    assert_eq!(code(&desk.modify("add", &[A, B], FOR_EVER)), "ok");
    let both = [("192.0.2.3", 0), ("192.0.2.3", 1)];
    assert_eq!(code(&desk.modify("add", &both, FOR_EVER)), "LimitExceeded");
    assert_eq!(desk.standing().len(), 2);
    assert_eq!(
        code(&desk.modify("add", &[A, B, both[0], both[0]], LATER)),
        "ok",
        "only one of them is new"
    );
    assert_eq!(
        code(&desk.modify("edit", &[both[1]], LATER)),
        "LimitExceeded",
        "this edit would add"
    );
    assert_eq!(code(&desk.modify("delete", &[A], "")), "ok");
    assert_eq!(code(&desk.modify("add", &[both[1]], LATER)), "ok");
}

#[test]
fn a_call_carries_so_many_entries() {
    let mut desk = Desk::with(|config| {
        config.limits.batch = 2;
        config.manners.batch_code = "RequestSizeLimitExceeded";
    });
    let three = [A, B, ("192.0.2.3", 1)];
    assert_eq!(
        code(&desk.modify("add", &three, FOR_EVER)),
        "RequestSizeLimitExceeded"
    );
    assert_eq!(code(&desk.modify("add", &three[..2], FOR_EVER)), "ok");
}

#[test]
fn a_lenient_cloud_takes_repeats() {
    let mut desk = Desk::new();
    assert_eq!(code(&desk.modify("add", &[A], FOR_EVER)), "ok");
    assert_eq!(code(&desk.modify("add", &[A], LATER)), "ok");
    assert_eq!(code(&desk.modify("delete", &[B], "")), "ok");
    assert_eq!(code(&desk.modify("edit", &[B], LATER)), "ok");
    assert_eq!(
        desk.standing(),
        [
            "192.0.2.1 1 until 2026-01-03 12:00:00",
            "192.0.2.2 1 until 2026-01-03 12:00:00"
        ]
    );
}

#[test]
fn an_edit_of_nothing_may_do_nothing() {
    let mut desk = Desk::with(|config| config.manners.edit_absent = EditAbsent::Ignore);
    desk.modify("add", &[A], FOR_EVER);
    assert_eq!(code(&desk.modify("edit", &[A, B], LATER)), "ok");
    assert_eq!(desk.standing(), ["192.0.2.1 1 until 2026-01-03 12:00:00"]);
}

#[test]
fn a_strict_cloud_refuses_the_whole_call() {
    for refusal in ["FailedOperation", "InvalidParameter"] {
        let mut desk = Desk::with(|config| config.manners = Manners::strict(refusal));
        assert_eq!(code(&desk.modify("add", &[A], FOR_EVER)), "ok");
        let before = desk.standing();
        assert_eq!(code(&desk.modify("add", &[B, A], LATER)), refusal);
        assert_eq!(
            code(&desk.modify("add", &[B, B], LATER)),
            refusal,
            "twice in one call"
        );
        assert_eq!(code(&desk.modify("edit", &[A, B], LATER)), refusal);
        assert_eq!(code(&desk.modify("delete", &[A, B], "")), refusal);
        assert_eq!(
            code(&desk.modify("delete", &[A, A], "")),
            refusal,
            "twice in one call"
        );
        assert_eq!(desk.standing(), before);
    }
}

#[test]
fn an_entry_past_its_end_is_gone() {
    let mut desk =
        Desk::with(|config| config.manners.add_present = Repeat::Refuse("FailedOperation"));
    desk.modify("add", &[A], SOON);
    desk.modify("add", &[B], LATER);
    desk.later(Duration::from_secs(1));
    assert_eq!(desk.standing(), ["192.0.2.2 1 until 2026-01-03 12:00:00"]);
    assert_eq!(code(&desk.modify("add", &[A], LATER)), "ok");
    desk.later(Duration::from_secs(2 * 86_400));
    assert!(desk.standing().is_empty());
    assert_eq!(desk.cloud.state().block_entries, 0);
}

#[test]
fn an_entry_past_its_end_may_keep_its_place_until_it_is_deleted() {
    let mut desk = Desk::with(|config| {
        config.manners.expired = Expired::Kept;
        config.limits.quota = 1;
    });
    desk.modify("add", &[A], SOON);
    desk.later(Duration::from_secs(1));
    assert_eq!(code(&desk.modify("add", &[B], LATER)), "LimitExceeded");
    assert!(desk.cloud.entries()[0].expired);
    desk.modify("delete", &[A], "");
    assert_eq!(code(&desk.modify("add", &[B], LATER)), "ok");
}

#[test]
fn what_others_put_there_is_marked_and_counts() {
    let mut desk = Desk::with(|config| config.limits.quota = 2);
    let theirs = |ioc: &str, source: Option<&str>| Foreign {
        rule_type: 1,
        ioc: ioc.to_owned(),
        direction: 1,
        end_unix: None,
        source: source.map(str::to_owned),
    };
    desk.cloud
        .seed_foreign(&[
            theirs("192.0.2.8", None),
            theirs("192.0.2.9", Some("威胁情报")),
        ])
        .unwrap();
    assert_eq!(code(&desk.modify("add", &[A], FOR_EVER)), "LimitExceeded");
    let entries = desk.cloud.entries();
    let sources: Vec<_> = entries
        .iter()
        .map(|entry| (entry.source.as_str(), entry.foreign, entry.writes))
        .collect();
    assert_eq!(sources, [("手动添加", true, 0), ("威胁情报", true, 0)]);
    assert_eq!(entries[0].end, FOR_EVER);
    desk.modify("edit", &[("192.0.2.8", 1)], LATER);
    let touched = &desk.cloud.entries()[0];
    assert_eq!(
        (touched.foreign, touched.writes),
        (true, 1),
        "somebody else's, and written by us"
    );
    assert!(
        desk.cloud
            .seed_foreign(&[theirs("192.0.2.10", None), theirs("nothing", None)])
            .is_err()
    );
    assert_eq!(desk.cloud.state().foreign_entries, 2);
}
