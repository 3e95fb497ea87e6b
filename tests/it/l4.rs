//! Layer-4 proxy rules from a file to a simulated cloud, through the program as it is installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use feedwall::sim::{
    Clock, FAKE_SECRET_ID, FAKE_SECRET_KEY, FaultSchedule, L4RuleState, Sim, SimConfig, Then, When,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

const ZONE: &str = "zone-24wjy25v1cwi";
const PROXY: &str = "sid-2qwk27xf7j9g";
const CREATE: &str = "CreateL4ProxyRules";

/// A folder with a config and a rule file, and a simulated cloud.
struct Place {
    folder: TempDir,
    sim: Sim,
    _runtime: tokio::runtime::Runtime,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn new(change: impl FnOnce(&mut SimConfig)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut config = SimConfig::new(Clock::new(crate::support::wall));
        change(&mut config);
        let sim = runtime.block_on(Sim::start(config)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = Self {
            folder,
            sim,
            _runtime: runtime,
        };
        let config = format!(
            "[ledger]\npath = \"{}\"\n\n[l4]\nendpoint = \"{}\"\ncredentials = {{ env = \"FEEDWALL_TEST\" }}\n",
            place.path("ledger.db").display(),
            place.sim.url()
        );
        place.write("feedwall.toml", &config);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feedwall"));
        command
            .current_dir(self.folder.path())
            .args(["--config", "feedwall.toml", "l4"])
            .args(arguments)
            .env_remove("FEEDWALL_CONFIG")
            .env("FEEDWALL_LOG", "error")
            .env("FEEDWALL_TEST_SECRET_ID", FAKE_SECRET_ID)
            .env("FEEDWALL_TEST_SECRET_KEY", FAKE_SECRET_KEY)
            .stdin(Stdio::null());
        command
    }

    fn l4(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let said = self.l4(&[arguments, &["--json"]].concat());
        let json = serde_json::from_str(&said.out);
        (
            said.code,
            json.unwrap_or_else(|fault| panic!("{fault}: {}{}", said.out, said.err)),
        )
    }

    /// Calls that arrived since the start, by action, and those that changed something.
    fn calls(&self, action: &str) -> (usize, usize) {
        let calls = self.sim.calls();
        let of = calls.iter().filter(|call| call.action == action);
        (of.clone().count(), of.filter(|call| call.applied).count())
    }

    fn writes(&self) -> usize {
        [CREATE, "ModifyL4ProxyRules", "DeleteL4ProxyRules"]
            .map(|action| self.calls(action).0)
            .iter()
            .sum()
    }

    /// Holds the cloud to the ports from 1000 on, each once, and the ledger to the cloud.
    fn holds(&self, count: usize) {
        let rules = self.sim.l4_rules();
        let ports: BTreeSet<&str> = rules.iter().map(|rule| rule.ports[0].as_str()).collect();
        assert_eq!((rules.len(), ports.len()), (count, count));
        let (_, listed) = self.json(&["list"]);
        let ids = |rules: &[L4RuleState]| {
            rules
                .iter()
                .map(|rule| rule.rule_id.clone())
                .collect::<BTreeSet<_>>()
        };
        let listed: BTreeSet<String> = listed["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["rule_id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            listed,
            ids(&rules),
            "the ledger has every rule of the cloud, and no other"
        );
    }
}

/// A CSV of so many rules on ports from 1000; `tag` names each.
fn rules(count: u16, tag: impl Fn(u16) -> String) -> String {
    let mut text = String::from("zone,proxy,protocol,ports,origin_type,origins,origin_port,tag\n");
    for number in 0..count {
        let (port, tag) = (1000 + number, tag(number));
        text += &format!("{ZONE},{PROXY},TCP,{port},IP_DOMAIN,93.184.216.34,{port},{tag}\n");
    }
    text
}

fn plain(number: u16) -> String {
    format!("web-{number}")
}

fn of(rule: &L4RuleState) -> (&str, &str, &str) {
    (&rule.ports[0], &rule.tag, &rule.status)
}

#[test]
fn a_thousand_rules_are_five_calls_and_then_none() {
    let place = Place::new(|config| config.l4.deploy = Duration::from_millis(1_500));
    place.write("web.csv", &rules(1000, plain));
    let start = Instant::now();
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(said.out, "set `web`: 1000 made; 1000 of 1000 online\n");
    assert!(
        start.elapsed() > Duration::from_millis(1_500),
        "it waited until they were online"
    );
    assert_eq!(place.calls(CREATE), (5, 5));
    place.holds(1000);

    let (code, json) = place.json(&["apply", "web.csv"]);
    assert_eq!((code, &json["report"]["write_calls"]), (0, &json!(0)));
    assert_eq!(json["plan"]["same"].as_array().unwrap().len(), 1000);
    assert_eq!(place.writes(), 5);
    assert!(place.sim.max_in_any_second() <= 20);
}

#[test]
fn one_bad_rule_is_named_and_the_others_are_made() {
    let place = Place::new(|_| {});
    let faults = FaultSchedule::default().and(
        When::default().contains("poison"),
        Then::Error {
            code: "InvalidParameter.InvalidOriginValue".to_owned(),
            message: Some("illegal origin".to_owned()),
            applied: false,
        },
    );
    place.sim.set_faults(faults);
    let poison = |number| {
        if number == 567 {
            "poison".to_owned()
        } else {
            plain(number)
        }
    };
    place.write("web.csv", &rules(1000, poison));
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert!(
        said.out
            .starts_with("set `web`: 999 made, 1 refused; 999 of 1000 online\n"),
        "{}",
        said.out
    );
    let named = "refused: line 569, TCP 1567 on zone-24wjy25v1cwi/sid-2qwk27xf7j9g: InvalidParameter.InvalidOriginValue: illegal origin (RequestId ";
    assert!(said.out.contains(named), "{}", said.out);
    place.holds(999);
    // Four whole batches; the fifth is halved eight times, 200 to 1.
    assert!(
        place.calls(CREATE).0 <= 5 + 2 * 8,
        "{:?}",
        place.calls(CREATE)
    );

    place.sim.set_faults(FaultSchedule::default());
    assert_eq!(place.l4(&["apply", "web.csv"]).code, 0);
    place.holds(1000);
}

#[test]
fn what_is_refused_whatever_the_rule_is_not_tried_for_each() {
    let place = Place::new(|_| {});
    let refuse =
        |code| FaultSchedule::default().and(When::default().action(CREATE), Then::error(code));
    place.write("web.csv", &rules(1000, plain));
    for (code, most) in [
        ("InvalidParameter", 12),
        ("ResourceNotFound", 1),
        ("OperationDenied.L4PortLackOfResources", 1),
        ("LimitExceeded.ProxyRulesLimitExceeded", 1),
        ("UnauthorizedOperation", 1),
    ] {
        let before = place.calls(CREATE).0;
        place.sim.set_faults(refuse(code));
        let said = place.l4(&["apply", "web.csv"]);
        assert_eq!(said.code, 1, "{code}: {}{}", said.out, said.err);
        assert!(
            said.out.contains("not done: create of ") && said.out.contains(code),
            "{}",
            said.out
        );
        assert!(place.calls(CREATE).0 - before <= most, "{code}");
        assert!(place.sim.l4_rules().is_empty());
    }
}

#[test]
fn a_lost_answer_is_settled_by_reading_and_makes_nothing_twice() {
    let place = Place::new(|_| {});
    place.write("web.csv", &rules(600, plain));
    // The first is carried out and not answered, the second is cut off before it, the third half answered.
    let nth = |number| When::default().action(CREATE).calls(number, number);
    let faults = FaultSchedule::default()
        .and(nth(1), Then::LoseAnswer)
        .and(nth(2), Then::Reset)
        .and(nth(4), Then::Truncate);
    place.sim.set_faults(faults);
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    place.holds(600);
    assert_eq!(place.calls(CREATE), (4, 3));
    assert!(place.sim.l4_rules().iter().all(|rule| rule.writes == 1));
}

#[test]
fn a_create_that_arrives_after_it_was_given_up_is_known_again() {
    let place = Place::new(|_| {});
    place.write("web.csv", &rules(400, plain));
    // Five seconds after its connection was lost it is looked for, after eight it arrives, and what repeats it is slower.
    let nth = |number| When::default().action(CREATE).calls(number, number);
    let then = |fault: Value| serde_json::from_value(fault).unwrap();
    let faults = FaultSchedule::default()
        .and(nth(1), then(json!({ "late": { "ms": 8_000 } })))
        .and(nth(2), then(json!({ "latency": { "ms": 6_000 } })));
    place.sim.set_faults(faults);
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    place.holds(400);
    assert!(place.sim.l4_rules().iter().all(|rule| rule.writes == 1));
    let (sent, applied) = place.calls(CREATE);
    assert_eq!(applied, 2, "the late one and the second batch's");
    assert_eq!(sent, 3, "and the repeated one, whose ports were taken");
}

#[test]
fn a_proxy_that_is_being_deployed_is_waited_for() {
    let place = Place::new(|_| {});
    place.write("web.csv", &rules(400, plain));
    let busy = When::default().action(CREATE).calls(2, 4);
    let then = Then::error("OperationDenied.L4ProxyInProcessStatus");
    place
        .sim
        .set_faults(FaultSchedule::default().and(busy, then));
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    place.holds(400);
    assert_eq!(place.calls(CREATE), (5, 2));
}

#[test]
fn killed_in_the_middle_and_repeated_it_makes_each_once() {
    let place = Place::new(|_| {});
    place.write("web.csv", &rules(1000, plain));
    // The third call is carried out, and its answer takes longer than the process lives.
    let slow = serde_json::from_value(json!({ "slow": { "ms": 60_000 } })).unwrap();
    let third = When::default().action(CREATE).calls(3, 3);
    place
        .sim
        .set_faults(FaultSchedule::default().and(third, slow));
    let mut child: Child = place
        .command(&["apply", "web.csv"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while place.sim.l4_rules().len() < 600 {
        assert!(Instant::now() < deadline, "the third call never came");
        wait();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = place.json(&["list"]).1["rules"].as_array().unwrap().len();
    assert_eq!(before, 400, "the third call is in the journal alone");

    place.sim.set_faults(FaultSchedule::default());
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    place.holds(1000);
    assert_eq!(
        place.calls(CREATE),
        (5, 5),
        "the third call was not repeated"
    );
    assert!(place.sim.l4_rules().iter().all(|rule| rule.writes == 1));
}

#[test]
fn the_documented_example_goes_over_the_wire() {
    let place = Place::new(|_| {});
    let text = format!(
        "zone = \"{ZONE}\"\nproxy = \"{PROXY}\"\n\n[[rule]]\nprotocol = \"TCP\"\nports = [\"80\"]\norigin_type = \"IP_DOMAIN\"\n\
         origins = [\"119.23.100.45\"]\norigin_port = \"90\"\npass_through = \"TOA\"\nsession_persist = \"1h\"\ntag = \"test\"\n"
    );
    place.write("example.toml", &text);
    // A server that keeps what it is asked, byte for byte, and answers nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = fs::read_to_string(place.path("feedwall.toml")).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    place.write("feedwall.toml", &config.replace(&place.sim.url(), &address));
    let server = std::thread::spawn(move || record(&listener));
    let said = place.l4(&["apply", "example.toml", "--wait", "0s"]);
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    let (head, body) = server.join().unwrap();
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    for header in [
        "x-tc-action: CreateL4ProxyRules",
        "x-tc-version: 2022-09-01",
        "content-type: application/json",
    ] {
        assert!(head.contains(header), "{head}");
    }
    assert!(
        head.contains("/teo/tc3_request, SignedHeaders=content-type;host, "),
        "{head}"
    );
    assert_eq!(
        body,
        json!({
            "ZoneId": "zone-24wjy25v1cwi", "ProxyId": "sid-2qwk27xf7j9g",
            "L4ProxyRules": [{
                "Protocol": "TCP", "PortRange": ["80"], "OriginType": "IP_DOMAIN", "OriginValue": ["119.23.100.45"],
                "OriginPortRange": "90", "ClientIPPassThroughMode": "TOA", "SessionPersist": "on",
                "SessionPersistTime": 3600, "RuleTag": "test",
            }],
        })
    );
    let (_, listed) = place.json(&["list"]);
    assert_eq!(listed["rules"][0]["rule_id"], "rule-2qzkbvx3hxl1");
    assert_eq!(
        listed["rules"][0]["request_id"],
        "6f8h5358-df6d-4d2a-ac39-1706cbf8a707"
    );
    assert_eq!(listed["rules"][0]["set"], "example");
}

/// Answers a reading with no rules and a create as the vendor's page does; gives the create's head and body.
fn record(listener: &std::net::TcpListener) -> (String, Value) {
    use std::io::{BufRead, BufReader, Read, Write};
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
        let length = head.to_lowercase();
        let length = length
            .split("content-length: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let create = head.contains("CreateL4ProxyRules");
        let answer = if create {
            r#"{"Response":{"RequestId":"6f8h5358-df6d-4d2a-ac39-1706cbf8a707","L4ProxyRuleIds":["rule-2qzkbvx3hxl1"]}}"#
        } else {
            r#"{"Response":{"TotalCount":0,"L4ProxyRules":[],"RequestId":"r"}}"#
        };
        let reply = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        stream.write_all(reply.as_bytes()).unwrap();
        if create {
            return (head, serde_json::from_slice(&body).unwrap());
        }
    }
}

#[test]
fn changes_wait_for_update_and_deletes_for_prune_within_the_set() {
    let place = Place::new(|_| {});
    place.write("web.csv", &rules(3, plain));
    place.write(
        "mail.csv",
        &rules(5, |number| format!("mail-{number}")).replace(",TCP,", ",UDP,"),
    );
    assert_eq!(place.l4(&["apply", "web.csv"]).code, 0);
    assert_eq!(place.l4(&["apply", "mail.csv"]).code, 0);

    // The second rule's origin changes, the third leaves.
    let changed = rules(2, plain).replace("93.184.216.34,1001", "1.1.1.1,1001");
    place.write("web.csv", &changed);
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(
        said.out
            .contains("change (only with --update): line 3, TCP 1001 (rule-"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("origins 93.184.216.34 → 1.1.1.1"),
        "{}",
        said.out
    );
    assert!(
        said.out
            .contains("delete (only with --prune): TCP 1002 (rule-"),
        "{}",
        said.out
    );
    assert_eq!(place.writes(), 2);

    let (code, json) = place.json(&["apply", "web.csv", "--update", "--prune"]);
    assert_eq!(
        (code, &json["report"]["write_calls"]),
        (0, &json!(2)),
        "{json}"
    );
    let rules = place.sim.l4_rules();
    assert_eq!(
        rules
            .iter()
            .filter(|rule| rule.protocol == "TCP")
            .map(of)
            .collect::<Vec<_>>(),
        [("1000", "web-0", "online"), ("1001", "web-1", "online")]
    );
    assert_eq!(rules[1].origins, ["1.1.1.1"]);
    assert_eq!(
        rules.iter().filter(|rule| rule.protocol == "UDP").count(),
        5,
        "the other set is untouched"
    );
    assert_eq!(place.json(&["apply", "web.csv"]).0, 0);
}

#[test]
fn a_plan_sends_nothing_and_needs_no_ledger() {
    let place = Place::new(|_| {});
    place.write("web.csv", &rules(2, plain));
    for arguments in [&["plan", "web.csv"][..], &["apply", "web.csv", "--dry-run"]] {
        let said = place.l4(arguments);
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(
            said.out,
            "web.csv: 2 rules of the set `web`: 0 there, 2 to make, 0 to change, 0 left the file\n  \
             make: line 2, TCP 1000 to 93.184.216.34 port 1000 on zone-24wjy25v1cwi/sid-2qwk27xf7j9g\n  \
             make: line 3, TCP 1001 to 93.184.216.34 port 1001 on zone-24wjy25v1cwi/sid-2qwk27xf7j9g\n"
        );
    }
    assert!(!place.path("ledger.db").exists());
    assert_eq!(place.writes(), 0);
}

#[test]
fn a_bad_file_is_told_whole_and_nothing_is_asked() {
    let place = Place::new(|_| {});
    place.write(
        "web.csv",
        &format!(
            "{}{ZONE},{PROXY},TCP,1000,IP_DOMAIN,10.0.0.1,x,\n",
            rules(1, plain)
        ),
    );
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "feedwall: web.csv:3: origin_port: \"x\" is no port: write 80, or 81-85\n\
         web.csv:3: origins: 10.0.0.1 is kept for private use (RFC 1918): the proxy could not reach it\n2 faults in web.csv\n"
    );
    assert!(place.sim.calls().is_empty());
}

#[test]
fn a_port_that_somebody_else_has_stops_it_before_anything_is_sent() {
    let place = Place::new(|_| {});
    place.write("other.csv", &rules(2, plain));
    assert_eq!(place.l4(&["apply", "other.csv"]).code, 0);
    fs::remove_file(place.path("ledger.db")).unwrap();

    // With the ledger gone they are a stranger's: the equal one is left, the other's port is taken.
    let text = rules(3, plain).replace("93.184.216.34,1001", "1.1.1.1,1001");
    place.write("other.csv", &text);
    let said = place.l4(&["apply", "other.csv"]);
    assert_eq!(said.code, 1, "{}", said.out);
    assert!(
        said.err
            .contains("other.csv:3: ports: 1001 is taken by rule-"),
        "{}",
        said.err
    );
    assert_eq!(place.writes(), 1);

    place.write("other.csv", &rules(3, plain));
    let said = place.l4(&["apply", "other.csv"]);
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(
        said.out
            .contains("but feedwall did not make it (--adopt takes it over)"),
        "{}",
        said.out
    );
    let said = place.l4(&["apply", "other.csv", "--adopt"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    place.holds(3);
}

#[test]
fn a_rule_that_fails_and_one_that_takes_too_long_are_named() {
    let place = Place::new(|config| {
        config.l4.failing = vec!["web-1".to_owned()];
        config.l4.deploy = Duration::from_millis(500);
    });
    place.write("web.csv", &rules(2, plain));
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 3);
    assert!(
        said.out.contains("failed: line 3, TCP 1001 (rule-"),
        "{}",
        said.out
    );

    let place = Place::new(|config| config.l4.deploy = Duration::from_secs(600));
    place.write("web.csv", &rules(1, plain));
    let said = place.l4(&["apply", "web.csv", "--wait", "2s"]);
    assert_eq!(said.code, 3);
    assert!(
        said.out.contains("not online: line 2, TCP 1000 (rule-"),
        "{}",
        said.out
    );
    assert!(said.out.contains(": progress"), "{}", said.out);
}

#[test]
fn rules_are_deleted_by_tag_and_by_id_and_no_stranger_s() {
    let place = Place::new(|_| {});
    place.write(
        "web.csv",
        &rules(5, |number| {
            if number < 2 {
                "old".into()
            } else {
                plain(number)
            }
        }),
    );
    assert_eq!(place.l4(&["apply", "web.csv"]).code, 0);
    assert_eq!(place.l4(&["delete"]).code, 2);
    let said = place.l4(&["delete", "--rule-id", "rule-of-somebody"]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("deletes only what it made"),
        "{}",
        said.err
    );
    assert_eq!(
        place.l4(&["delete", "--tag", "old"]).code,
        1,
        "without a terminal it wants --yes"
    );
    assert_eq!(place.l4(&["delete", "--tag", "old", "--dry-run"]).code, 0);
    assert_eq!(place.calls("DeleteL4ProxyRules").0, 0);

    assert_eq!(place.l4(&["delete", "--tag", "old", "--yes"]).code, 0);
    place.holds(3);
    let rules = place.sim.l4_rules();
    let ids = [rules[0].rule_id.as_str(), rules[1].rule_id.as_str()];
    let lost = FaultSchedule::default().and(
        When::default().action("DeleteL4ProxyRules").calls(1, 1),
        Then::LoseAnswer,
    );
    place.sim.set_faults(lost);
    let (code, json) = place.json(&["delete", "--rule-id", ids[0], ids[1], "--yes"]);
    assert_eq!(
        (code, json["report"]["deleted"].as_array().unwrap().len()),
        (0, 2),
        "{json}"
    );
    place.holds(1);
}

#[test]
fn a_running_daemon_is_no_obstacle_and_a_second_apply_is() {
    let place = Place::new(|_| {});
    place.write("web.csv", &rules(1, plain));
    assert_eq!(place.l4(&["apply", "web.csv"]).code, 0);
    let daemon = feedwall::ledger::DaemonLock::take(&place.path("ledger.db")).unwrap();
    place.write("web.csv", &rules(2, plain));
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 0, "{}", said.err);
    place.holds(2);
    drop(daemon);
    let _other = feedwall::ledger::L4Lock::take(&place.path("ledger.db")).unwrap();
    let said = place.l4(&["apply", "web.csv"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("another `feedwall l4` is at work"),
        "{}",
        said.err
    );
}

#[test]
fn a_config_for_proxies_alone_runs_no_daemon() {
    let place = Place::new(|_| {});
    let output = Command::new(env!("CARGO_BIN_EXE_feedwall"))
        .args(["run", "--once", "--config"])
        .arg(place.path("feedwall.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the config has [l4] alone"), "{said}");
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
fn wait() {
    std::thread::sleep(Duration::from_millis(20));
}
