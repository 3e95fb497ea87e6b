//! Schedules: how they read, which calls they strike, and what is left on the lists afterwards.

use serde_json::json;

use super::super::config::Credential;
use super::super::faults::{FaultError, FaultSchedule, Then, When};
use super::*;

const ADD: &str = "ModifyBlockIgnoreList";

fn desk(toml: &str) -> Desk {
    Desk::with(|config| config.faults = FaultSchedule::from_toml(toml).unwrap())
}

/// Adds 192.0.2.1 to 192.0.2.N, a call each, and returns the verdicts as the log has them.
fn add_each(desk: &mut Desk, calls: u8) -> Vec<String> {
    for number in 1..=calls {
        add_one(desk, number);
    }
    verdicts(desk)
}

fn add_one(desk: &mut Desk, number: u8) -> Reply {
    let body = modification("add", &[(&format!("192.0.2.{number}"), 1)], FOR_EVER);
    desk.ticks.fetch_add(1_000_000, Ordering::SeqCst);
    desk.reply(&request(ADD, &body))
}

fn verdicts(desk: &Desk) -> Vec<String> {
    desk.cloud
        .traffic
        .log()
        .map(|line| line.verdict.clone())
        .collect()
}

fn applied(desk: &Desk) -> Vec<bool> {
    desk.cloud.traffic.log().map(|line| line.applied).collect()
}

#[test]
fn the_module_s_own_example_reads() {
    let head = include_str!("../faults/mod.rs");
    let lines = head.lines().filter_map(|line| line.strip_prefix("//!"));
    let example: Vec<&str> = lines
        .skip_while(|line| line.trim() != "```toml")
        .skip(1)
        .take_while(|line| line.trim() != "```")
        .collect();
    let schedule = FaultSchedule::from_toml(&example.join("\n")).unwrap();
    assert_eq!((schedule.seed, schedule.rules.len()), (7, 6));
}

#[test]
fn a_bad_schedule_says_where() {
    let rule = |toml: &str| FaultSchedule::from_toml(toml).unwrap_err().to_string();
    for (when, then, wanted) in [
        (
            r#"action = "Delete""#,
            r#""reset""#,
            "action \"Delete\" is none of Modify",
        ),
        (
            r#"ioc_action = "Add""#,
            r#""reset""#,
            "ioc_action \"Add\" is none of add, edit, delete",
        ),
        (
            "rule_type = 3",
            r#""reset""#,
            "rule_type 3 is neither 1 nor 2",
        ),
        ("calls = { from = 0 }", r#""reset""#, "they count from 1"),
        (
            "calls = { from = 5, to = 4 }",
            r#""reset""#,
            "no call is from 5 to 4",
        ),
        (
            "seconds = { from = 5, to = 5 }",
            r#""reset""#,
            "no moment is from 5 to 5 seconds",
        ),
        (
            "seconds = { from = nan }",
            r#""reset""#,
            "no moment is from NaN",
        ),
        (
            "probability = 1.5",
            r#""reset""#,
            "probability 1.5 is not between 0 and 1",
        ),
        ("every = 0", r#""reset""#, "every 0 calls is never"),
        ("", r#"{ error = { code = "" } }"#, "the error has no code"),
        ("", "{ return_code = { code = 0 } }", "is success"),
        (
            "",
            "{ http = { status = 200 } }",
            "HTTP status 200 is none of 400 to 599",
        ),
    ] {
        let said = rule(&format!(
            "[[rule]]\nthen = \"reset\"\n[[rule]]\nwhen = {{ {when} }}\nthen = {then}"
        ));
        assert!(said.starts_with("rule 2 of the fault schedule: "), "{said}");
        assert!(said.contains(wanted), "{said}");
    }
    for (toml, wanted) in [
        ("[[rule]]\nthen = \"explode\"", "line 2"),
        (
            "[[rule]]\nwhen = { cals = { from = 1 } }\nthen = \"reset\"",
            "unknown field `cals`",
        ),
        (
            "[[rule]]\nthen = { error = { kode = 1 } }",
            "unexpected keys in table: kode",
        ),
        ("[[rules]]", "unknown field `rules`"),
        ("[[rule]]", "missing field `then`"),
    ] {
        let said = rule(toml);
        assert!(
            said.starts_with("the fault schedule does not read: ") && said.contains(wanted),
            "{said}"
        );
    }
    assert!(matches!(
        FaultSchedule::from_json("{"),
        Err(FaultError::Json(_))
    ));
    let json = r#"{ "rule": [{ "when": { "contains": "192.0.2.1" }, "then": "lose_answer" }] }"#;
    let same =
        FaultSchedule::default().and(When::default().contains("192.0.2.1"), Then::LoseAnswer);
    assert_eq!(FaultSchedule::from_json(json).unwrap(), same);
}

#[test]
fn calls_are_counted_among_those_that_meet_the_rest() {
    let mut desk = desk(
        r#"[[rule]]
        when = { ioc_action = "add", calls = { from = 2, to = 3 } }
        then = { error = { code = "InternalError" } }"#,
    );
    desk.modify("delete", &[("192.0.2.9", 1)], "");
    let codes = add_each(&mut desk, 4);
    assert_eq!(codes, ["ok", "ok", "InternalError", "InternalError", "ok"]);
    let left: Vec<_> = desk
        .cloud
        .entries()
        .into_iter()
        .map(|entry| entry.ioc)
        .collect();
    assert_eq!(left, ["192.0.2.1", "192.0.2.4"]);
}

#[test]
fn seconds_count_from_when_the_schedule_was_set() {
    let schedule = FaultSchedule::from_toml(
        r#"[[rule]]
        when = { seconds = { from = 2, to = 4 } }
        then = { error = { code = "ServiceUnavailable" } }"#,
    );
    let mut desk = Desk::new();
    desk.ticks.fetch_add(100_000_000, Ordering::SeqCst);
    desk.cloud.set_faults(schedule.unwrap());
    let codes = add_each(&mut desk, 5);
    assert_eq!(
        codes,
        ["ok", "ServiceUnavailable", "ServiceUnavailable", "ok", "ok"]
    );
}

#[test]
fn a_poisoned_entry_refuses_every_call_that_carries_it() {
    let mut desk = desk(
        r#"[[rule]]
        when = { contains = "2001:DB8::0" }
        then = { error = { code = "InvalidParameter", message = "illegal IP" } }
        [[rule]]
        when = { class = "domain", rule_type = 1 }
        then = { error = { code = "InvalidParameter" } }"#,
    );
    let mut send = |iocs: &[(&str, u8)]| code(&desk.modify("delete", iocs, "")).to_owned();
    assert_eq!(send(&[("192.0.2.1", 1)]), "ok");
    assert_eq!(
        send(&[("192.0.2.1", 1), ("a.example", 1)]),
        "InvalidParameter"
    );
    let mut body = modification("delete", &[("192.0.2.1", 1)], "");
    body["IOC"] =
        json!([{ "IP": "192.0.2.1", "Direction": 1 }, { "IP": "2001:db8:0::", "Direction": 1 }]);
    assert_eq!(desk.call(ADD, &body)["Error"]["Message"], "illegal IP");
    body["IOC"] = json!([{ "IP": "", "Domain": "a.example", "Direction": 1 }]);
    body["RuleType"] = json!(2);
    assert_eq!(code(&desk.call(ADD, &body)), "ok");
}

#[test]
fn chance_is_the_same_from_the_same_seed() {
    let struck = |seed: u64, more: &str| {
        let mut desk = desk(&format!(
            "seed = {seed}\n[[rule]]\nwhen = {{ probability = 0.3 }}\n\
             then = {{ error = {{ code = \"InternalError\" }} }}\n{more}"
        ));
        add_each(&mut desk, 200)
    };
    let first = struck(1, "");
    assert_eq!(first, struck(1, ""));
    assert_eq!(
        first,
        struck(
            1,
            "[[rule]]\nwhen = { probability = 0.5 }\nthen = \"garbage\""
        ),
        "rules do not mix"
    );
    assert_ne!(first, struck(2, ""));
    let hits = first
        .iter()
        .filter(|verdict| *verdict == "InternalError")
        .count();
    assert!((40..=80).contains(&hits), "{hits} of 200 at 0.3");
}

#[test]
fn an_error_may_come_after_the_deed() {
    let mut desk = desk(
        r#"[[rule]]
        when = { calls = { to = 1 } }
        then = { error = { code = "FailedOperation", applied = true } }
        [[rule]]
        when = { calls = { from = 2, to = 2 } }
        then = { return_code = { code = 7, applied = true } }
        [[rule]]
        when = { calls = { from = 3, to = 3 } }
        then = { return_code = { code = 8, message = "no" } }
        [[rule]]
        when = { calls = { from = 4, to = 4 } }
        then = { http = { status = 502, applied = true } }
        [[rule]]
        when = { calls = { from = 5, to = 5 } }
        then = { http = { status = 429 } }"#,
    );
    let replies: Vec<Reply> = (1..=5).map(|number| add_one(&mut desk, number)).collect();
    assert_eq!(
        verdicts(&desk),
        [
            "FailedOperation",
            "ReturnCode 7",
            "ReturnCode 8",
            "HTTP 502",
            "HTTP 429"
        ]
    );
    assert_eq!(applied(&desk), [true, true, false, true, false]);
    assert_eq!(desk.cloud.entries().len(), 3);
    let Reply::Json(third) = &replies[2] else {
        panic!("{replies:?}")
    };
    assert_eq!(
        (
            &third["Response"]["ReturnCode"],
            &third["Response"]["ReturnMsg"]
        ),
        (&json!(8), &json!("no"))
    );
    assert_eq!(replies[3..], [Reply::Status(502), Reply::Status(429)]);
}

#[test]
fn an_answer_may_be_lost_broken_or_cut() {
    let mut desk = desk(
        r#"[[rule]]
        when = { calls = { to = 1 } }
        then = "lose_answer"
        [[rule]]
        when = { calls = { from = 2, to = 2 } }
        then = "reset"
        [[rule]]
        when = { calls = { from = 3, to = 3 } }
        then = "garbage"
        [[rule]]
        when = { calls = { from = 4, to = 4 } }
        then = "truncate""#,
    );
    let replies: Vec<Reply> = (1..=4).map(|number| add_one(&mut desk, number)).collect();
    assert_eq!(replies[..3], [Reply::Closed, Reply::Reset, Reply::Garbage]);
    assert!(matches!(replies[3], Reply::Truncated(_)));
    assert_eq!(verdicts(&desk), ["ok", "reset", "ok", "ok"]);
    assert_eq!(applied(&desk), [true, false, true, true]);
    assert!(desk.cloud.traffic.log().all(|line| !line.answered));
}

#[test]
fn a_fault_does_not_open_the_gate() {
    let mut desk =
        desk("[[rule]]\nthen = { error = { code = \"InternalError\", applied = true } }");
    let mut stranger = request(ADD, &modification("add", &[("192.0.2.1", 1)], FOR_EVER));
    stranger.headers.remove("authorization");
    assert_eq!(
        code(&desk.send(&stranger)),
        "AuthFailure.InvalidAuthorization"
    );
    assert_eq!(
        code(&desk.modify("add", &[("192.0.2.300", 1)], FOR_EVER)),
        "InvalidParameter"
    );
    assert!(desk.standing().is_empty());
}

#[test]
fn limits_change_for_as_long_as_their_rule_holds() {
    let mut desk = desk(
        r#"[[rule]]
        when = { ioc_action = "add", calls = { to = 2 } }
        then = { quota = { places = 1 } }
        [[rule]]
        when = { ioc_action = "delete" }
        then = { batch = { entries = 1 } }
        [[rule]]
        when = { action = "DescribeBlockIgnoreList" }
        then = { rate = { per_second = 0 } }"#,
    );
    assert_eq!(add_each(&mut desk, 3), ["ok", "LimitExceeded", "ok"]);
    let two = [("192.0.2.1", 1), ("192.0.2.2", 1)];
    assert_eq!(code(&desk.modify("delete", &two, "")), "InvalidParameter");
    assert_eq!(code(&desk.modify("add", &two, FOR_EVER)), "ok");
    let list = desk.call("DescribeBlockIgnoreList", &first_page());
    assert_eq!(code(&list), "RequestLimitExceeded");
    assert!(
        list["Error"]["Message"]
            .as_str()
            .unwrap()
            .contains("equals to `1` in a second")
    );
}

#[test]
fn clock_and_token_faults_come_and_go() {
    let mut desk = Desk::with(|config| {
        config.credentials = vec![Credential::fake().with_token("fake-token", None)];
        config.faults = FaultSchedule::from_toml(
            r#"[[rule]]
            when = { calls = { to = 1 } }
            then = { clock_skew = { seconds = -301 } }
            [[rule]]
            when = { calls = { from = 2, to = 2 } }
            then = "token_expired""#,
        )
        .unwrap();
    });
    let mut call = request(ADD, &modification("add", &[("192.0.2.1", 1)], FOR_EVER));
    call.headers
        .insert("x-tc-token", "fake-token".parse().unwrap());
    let codes: Vec<String> = (0..3).map(|_| code(&desk.send(&call)).to_owned()).collect();
    assert_eq!(
        codes,
        [
            "AuthFailure.SignatureExpire",
            "AuthFailure.TokenFailure",
            "ok"
        ]
    );
    let first = desk.cloud.traffic.log().next().unwrap();
    assert_eq!(first.unix, i64::try_from(NOW).unwrap() - 301);
}

#[test]
fn delays_add_up() {
    let mut desk = desk(
        r#"[[rule]]
        then = { latency = { ms = 60, jitter_ms = 100 } }
        [[rule]]
        then = { latency = { ms = 40 } }
        [[rule]]
        when = { every = 2 }
        then = { slow = { ms = 5 } }"#,
    );
    let call = request("DescribeOverviewResourceQuota", &json!({}));
    let plans: Vec<_> = (0..50)
        .map(|_| desk.cloud.receive(call.clone()).plan)
        .collect();
    let bounds = Duration::from_millis(100)..=Duration::from_millis(200);
    assert!(plans.iter().all(|plan| bounds.contains(&plan.latency)));
    assert!(
        plans.iter().any(|plan| plan.latency != plans[0].latency),
        "jitter varies"
    );
    let slow: Vec<_> = plans
        .iter()
        .take(4)
        .map(|plan| plan.slow.as_millis())
        .collect();
    assert_eq!(slow, [0, 5, 0, 5]);
}
