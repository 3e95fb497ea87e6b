//! Faults of the cloud's own mood: what others put there, what it refuses to do again, and how late it shows.

use super::*;
use crate::sim::{FaultSchedule, Manners};

fn desk(toml: &str) -> Desk {
    let faults = FaultSchedule::from_toml(toml).unwrap();
    Desk::with(|config| config.faults = faults)
}

fn add(desk: &mut Desk, number: u8) -> String {
    let ioc = format!("192.0.2.{number}");
    code(&desk.modify("add", &[(&ioc, 1)], FOR_EVER)).to_owned()
}

#[test]
fn to_do_again_what_is_done_may_be_refused_for_a_while() {
    let mut desk = desk(
        r#"[[rule]]
        when = { seconds = { from = 1, to = 10 } }
        then = { repeats = { refused = "FailedOperation" } }"#,
    );
    // Calls come a second apart, the first of them in second 1.
    assert_eq!(
        [add(&mut desk, 1), add(&mut desk, 1)],
        ["ok", "FailedOperation"]
    );
    let absent = [("192.0.2.9", 1)];
    assert_eq!(
        code(&desk.modify("edit", &absent, FOR_EVER)),
        "FailedOperation"
    );
    assert_eq!(code(&desk.modify("delete", &absent, "")), "FailedOperation");
    while desk.ticks.load(Ordering::SeqCst) < 10_000_000 {
        add(&mut desk, 2);
    }
    assert_eq!([add(&mut desk, 1), add(&mut desk, 1)], ["ok", "ok"]);
    assert_eq!(code(&desk.modify("delete", &absent, "")), "ok");
}

#[test]
fn a_strict_cloud_may_take_repeats_for_a_while() {
    let mut desk = Desk::with(|config| {
        config.manners = Manners::strict("InvalidParameter");
        let toml = "[[rule]]\nwhen = { calls = { to = 2 } }\nthen = { repeats = {} }";
        config.faults = FaultSchedule::from_toml(toml).unwrap();
    });
    let codes = [add(&mut desk, 1), add(&mut desk, 1), add(&mut desk, 1)];
    assert_eq!(codes, ["ok", "ok", "InvalidParameter"]);
}

#[test]
fn entries_of_others_come_and_go() {
    let mut desk = desk(
        r#"[[rule]]
        when = { calls = { from = 2, to = 2 } }
        then = { foreign = { ioc = "192.0.2.80", direction = 1, seconds = 60 } }
        [[rule]]
        when = { calls = { from = 2, to = 2 } }
        then = { foreign = { ioc = "badhost.example.com", direction = 0, rule_type = 2 } }"#,
    );
    let foreign = |desk: &mut Desk| {
        let mut entries = desk.cloud.entries();
        entries.retain(|entry| entry.foreign);
        entries
            .into_iter()
            .map(|entry| entry.ioc)
            .collect::<Vec<_>>()
    };
    add(&mut desk, 1);
    assert!(foreign(&mut desk).is_empty());
    add(&mut desk, 2);
    assert_eq!(foreign(&mut desk), ["192.0.2.80", "badhost.example.com"]);
    desk.later(Duration::from_secs(61));
    assert_eq!(foreign(&mut desk), ["badhost.example.com"]);
}

#[test]
fn changes_show_late_while_a_rule_says_so() {
    let mut desk = desk(
        r#"[[rule]]
        when = { seconds = { to = 5 } }
        then = { visible_after = { ms = 30_000 } }"#,
    );
    let total =
        |desk: &mut Desk| desk.call("DescribeBlockIgnoreList", &first_page())["Total"].clone();
    add(&mut desk, 1);
    assert_eq!(total(&mut desk), 0);
    desk.later(Duration::from_secs(30));
    assert_eq!(total(&mut desk), 1);
    desk.modify("delete", &[("192.0.2.1", 1)], "");
    assert_eq!(desk.ticks.load(Ordering::SeqCst), 4_000_000);
    desk.ticks.store(5_000_000, Ordering::SeqCst);
    assert_eq!(total(&mut desk), 0, "the rule is over");
}

#[test]
fn what_could_not_be_put_there_is_said() {
    for (then, wanted) in [
        (
            r#"{ foreign = { ioc = "nobody", direction = 2 } }"#,
            "\"nobody\" is no address",
        ),
        (
            r#"{ foreign = { ioc = "192.0.2.1", direction = 2 } }"#,
            "direction 0 or 1, not 1 and 2",
        ),
        (
            r#"{ repeats = { refused = "Whatever" } }"#,
            "FailedOperation",
        ),
    ] {
        let fault = FaultSchedule::from_toml(&format!("[[rule]]\nthen = {then}")).unwrap_err();
        assert!(fault.to_string().contains(wanted), "{fault}");
    }
}
