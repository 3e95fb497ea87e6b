//! The simulated cloud passes for the real one with the vendor's own Python client, unchanged.
//!
//! It needs `tencentcloud-sdk-python-cfw` and `tencentcloud-sdk-python-teo`; name an interpreter that has them in
//! `FEEDWALL_PYTHON`.

use std::collections::BTreeMap;
use std::env;
use std::process::{Command, Output};

use feedwall::sim::{Clock, FAKE_SECRET_ID, FAKE_SECRET_KEY, Sim, SimConfig};
use serde_json::{Value, json};

const LISTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/vendor_client.py");
const PROXIES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/vendor_client_teo.py"
);
pub use crate::support::wall;

/// The vendor's client inherits no proxy: it speaks to loopback.
fn python(arguments: Vec<String>) -> Output {
    let interpreter = env::var("FEEDWALL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(&interpreter);
    command.args(arguments).env("NO_PROXY", "127.0.0.1");
    command
        .output()
        .unwrap_or_else(|fault| panic!("{interpreter} does not start: {fault}"))
}

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn has_client() -> bool {
    let found = env::var_os("FEEDWALL_PYTHON").is_some()
        || Command::new("python3")
            .args(["-c", "import tencentcloud.cfw, tencentcloud.teo"])
            .output()
            .is_ok_and(|output| output.status.success());
    if !found {
        println!(
            "skipped: python3 has no tencentcloud.cfw and .teo, and FEEDWALL_PYTHON names no other"
        );
    }
    found
}

/// What the script saw at each step.
async fn run(script: &str, sim: &Sim) -> BTreeMap<String, Value> {
    let address = sim.address().to_string();
    let arguments = [script, &address, FAKE_SECRET_ID, FAKE_SECRET_KEY].map(str::to_owned);
    let output = tokio::task::spawn_blocking(|| python(arguments.into()))
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    said.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|step| (step["step"].as_str().unwrap().to_owned(), step))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendor_s_client_adds_lists_edits_and_deletes() {
    if !has_client() {
        return;
    }
    let sim = Sim::start(SimConfig::new(Clock::new(wall))).await.unwrap();
    let steps = run(LISTS, &sim).await;

    for step in ["add", "edit", "delete"] {
        assert_eq!(steps[step]["answer"]["ReturnMsg"], "success", "{step}");
    }
    let list = &steps["list"]["answer"];
    assert_eq!(list["Total"], 3);
    let first = &list["Data"][0];
    assert_eq!(first["Ioc"], "192.0.2.10");
    assert_eq!(first["EndTime"], "2999-12-31 23:59:59");
    assert_eq!(
        (&first["Direction"], &first["Source"]),
        (&json!(1), &json!("手动添加"))
    );
    let found = &steps["search"]["answer"]["Data"];
    assert_eq!(
        (&found[0]["Domain"], found.as_array().unwrap().len()),
        (&json!("bad.example"), 1)
    );
    let quota = &steps["quota"]["answer"]["Data"]["Detail"]["QuotaDetail"]["BlockListQuotaDetail"];
    assert_eq!(
        (&quota["UsedCnt"], &quota["RemainCnt"]),
        (&json!(3), &json!(19_997))
    );

    let left = sim.entries();
    let left: Vec<_> = left
        .iter()
        .map(|entry| (entry.ioc.as_str(), entry.direction, entry.writes))
        .collect();
    assert_eq!(left, [("192.0.2.10", 1, 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendor_s_client_sees_an_error_as_an_exception() {
    if !has_client() {
        return;
    }
    let sim = Sim::start(SimConfig::new(Clock::new(wall))).await.unwrap();
    let steps = run(LISTS, &sim).await;

    for (step, code) in [
        ("refused", "InvalidParameter"),
        ("stranger", "AuthFailure.SignatureFailure"),
    ] {
        let seen = &steps[step]["exception"];
        assert_eq!(seen["code"], code);
        let id = seen["request_id"].as_str().unwrap();
        let logged = sim
            .calls()
            .into_iter()
            .find(|call| call.request_id == id)
            .unwrap();
        assert_eq!((logged.verdict.as_str(), logged.applied), (code, false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendor_s_client_makes_changes_and_deletes_proxy_rules() {
    if !has_client() {
        return;
    }
    let sim = Sim::start(SimConfig::new(Clock::new(wall))).await.unwrap();
    let steps = run(PROXIES, &sim).await;

    let ids = &steps["create"]["answer"]["L4ProxyRuleIds"];
    assert_eq!(ids.as_array().unwrap().len(), 2);
    let list = &steps["list"]["answer"];
    assert_eq!(list["TotalCount"], 2);
    let (first, second) = (&list["L4ProxyRules"][0], &list["L4ProxyRules"][1]);
    assert_eq!(
        (&first["RuleId"], &first["Status"]),
        (&ids[0], &json!("online"))
    );
    assert_eq!(
        (&first["PortRange"], &first["SessionPersistTime"]),
        (&json!(["80"]), &json!(3600))
    );
    assert_eq!(
        (&second["RuleTag"], &second["PortRange"]),
        (&json!("service-1"), &json!(["81-85"]))
    );
    assert_eq!(
        steps["search"]["answer"]["L4ProxyRules"][0]["RuleId"],
        ids[1]
    );
    for (step, code) in [
        ("taken", "InvalidParameter.RulePortDuplicating"),
        ("inner", "InvalidParameter.InvalidOriginIp"),
    ] {
        assert_eq!(steps[step]["exception"]["code"], code);
    }
    for step in ["modify", "delete"] {
        assert!(steps[step]["answer"]["RequestId"].is_string(), "{step}");
    }
    let left: Vec<String> = sim.l4_rules().into_iter().map(|rule| rule.tag).collect();
    assert_eq!(left, ["service-1"]);
}
