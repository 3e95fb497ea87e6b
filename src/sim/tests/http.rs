//! The wire: what a real client sees of the server.

use reqwest::Client;
use serde_json::json;

use super::super::{HeldClock, Sim, SimConfig};
use super::*;

async fn start() -> (Sim, Client) {
    // With the rate windows' clock at rest, every call of a test is in the same second.
    let clock = HeldClock::new(NOW).clock().with_ticks(|| Duration::ZERO);
    let sim = Sim::start(SimConfig::new(clock)).await.unwrap();
    // The provider is the process's; another test may have set it first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    (sim, Client::builder().no_proxy().build().unwrap())
}

async fn send(client: &Client, sim: &Sim, call: &Request) -> reqwest::Response {
    let body = call.body.clone().unwrap();
    let post = client
        .post(sim.url())
        .headers(call.headers.clone())
        .body(body);
    post.send().await.unwrap()
}

async fn post(client: &Client, sim: &Sim, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}{path}", sim.url());
    let response = client
        .post(url)
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    (status, json_of(response).await)
}

async fn json_of(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

async fn get(client: &Client, sim: &Sim, path: &str) -> Value {
    json_of(
        client
            .get(format!("{}{path}", sim.url()))
            .send()
            .await
            .unwrap(),
    )
    .await
}

#[tokio::test]
async fn answers_and_errors_look_like_the_vendor_s() {
    let (sim, client) = start().await;
    let good = request(
        "ModifyBlockIgnoreList",
        &modification("add", &[("192.0.2.1", 1)], FOR_EVER),
    );
    let mut bad = good.clone();
    bad.headers.remove("authorization");
    for (call, wanted) in [(good, "ok"), (bad, "AuthFailure.InvalidAuthorization")] {
        let response = send(&client, &sim, &call).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["date"], "Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(response.headers().get_all("date").iter().count(), 1);
        assert_eq!(code(&json_of(response).await["Response"]), wanted);
    }
    assert_eq!(sim.entries().len(), 1);
    assert_eq!(sim.calls().len(), 2);
    sim.stop().await.unwrap();
}

#[tokio::test]
async fn the_host_is_checked_as_it_came() {
    let (sim, client) = start().await;
    let mut call = request(
        "DescribeBlockIgnoreList",
        &json!({ "RuleType": 1, "Limit": 1, "Offset": 0 }),
    );
    call.headers
        .insert("host", format!("http://{}", sim.address()).parse().unwrap());
    let parts = Signed {
        method: "POST",
        path: "/",
        query: "",
        headers: &call.headers,
        body: call.body.as_deref().unwrap(),
        timestamp: i64::try_from(NOW).unwrap(),
    };
    let header = tc3::sign(
        parts,
        "cfw",
        FAKE_SECRET_ID,
        &SecretString::from(FAKE_SECRET_KEY),
    );
    call.headers
        .insert("authorization", header.parse().unwrap());
    let response = json_of(send(&client, &sim, &call).await).await;
    assert_eq!(code(&response["Response"]), "ok");
}

#[tokio::test]
async fn the_control_paths_seed_and_show() {
    let (sim, client) = start().await;
    let theirs = json!({ "ioc": "192.0.2.9", "direction": 0, "source": "威胁情报" });
    assert_eq!(post(&client, &sim, "/_sim/foreign", &theirs).await.0, 200);
    let hits = json!([{ "ioc": "192.0.2.9", "direction": 0, "times": 3 }]);
    assert_eq!(post(&client, &sim, "/_sim/hits", &hits).await.0, 200);
    let (status, fault) = post(
        &client,
        &sim,
        "/_sim/foreign",
        &json!({ "ioc": "nothing", "direction": 0 }),
    )
    .await;
    assert_eq!(
        (status, &fault["message"]),
        (400, &json!("\"nothing\" is no address, network or domain"))
    );
    assert_eq!(
        post(&client, &sim, "/_sim/foreign", &json!({ "iocs": [] }))
            .await
            .0,
        400
    );

    assert_eq!(
        post(
            &client,
            &sim,
            "/_sim/clock",
            &json!({ "skew_seconds": 600 })
        )
        .await
        .0,
        200
    );
    let late = send(
        &client,
        &sim,
        &request("DescribeBlockIgnoreList", &json!({})),
    )
    .await;
    assert_eq!(late.headers()["date"], "Fri, 02 Jan 2026 03:14:05 GMT");
    assert_eq!(
        code(&json_of(late).await["Response"]),
        "AuthFailure.SignatureExpire"
    );

    let state = get(&client, &sim, "/_sim/state").await;
    assert_eq!(state["now"], "2026-01-02 11:14:05");
    assert_eq!(state["foreign_entries"], 1);
    assert_eq!(state["entries"][0]["match_times"], 3);
    assert_eq!(state["calls"][0]["verdict"], "AuthFailure.SignatureExpire");
    let log = get(&client, &sim, "/_sim/log").await;
    assert_eq!(log[0]["action"], "DescribeBlockIgnoreList");
    assert_eq!(
        log.as_array().unwrap().len(),
        1,
        "control paths are no arrivals"
    );
}

#[tokio::test]
async fn a_burst_is_counted_as_it_arrived() {
    let (sim, client) = start().await;
    let call = request(
        "DescribeBlockIgnoreList",
        &json!({ "RuleType": 1, "Limit": 1, "Offset": 0 }),
    );
    let burst = (0..30).map(|_| send(&client, &sim, &call));
    futures_util::future::join_all(burst).await;
    let refused = sim
        .calls()
        .iter()
        .filter(|call| call.verdict == "RequestLimitExceeded")
        .count();
    assert_eq!((sim.max_in_any_second(), refused), (30, 10));
}

#[tokio::test]
async fn a_taken_port_is_said() {
    let (sim, _) = start().await;
    let mut config = SimConfig::new(HeldClock::new(NOW).clock());
    config.listen = sim.address();
    let fault = Sim::start(config).await.unwrap_err().to_string();
    assert!(
        fault.starts_with(&format!(
            "the simulated cloud cannot listen on {}",
            sim.address()
        )),
        "{fault}"
    );
}
