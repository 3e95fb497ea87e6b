//! The wire: what a real client sees of the server.

use reqwest::Client;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::{Delay, FaultSchedule, HeldClock, Sim, SimConfig, Then, When};
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
    let mut call = request("DescribeBlockIgnoreList", &first_page());
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
    let call = request("DescribeBlockIgnoreList", &first_page());
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

fn adds(last: u8) -> Request {
    let ioc = format!("192.0.2.{last}");
    request(
        "ModifyBlockIgnoreList",
        &modification("add", &[(&ioc, 1)], FOR_EVER),
    )
}

async fn try_send(
    client: &Client,
    sim: &Sim,
    call: &Request,
) -> reqwest::Result<reqwest::Response> {
    let body = call.body.clone().unwrap();
    client
        .post(sim.url())
        .headers(call.headers.clone())
        .body(body)
        .send()
        .await
}

#[tokio::test]
async fn a_lost_answer_leaves_its_deed_and_a_reset_does_not() {
    let (sim, client) = start().await;
    sim.set_faults(
        FaultSchedule::default()
            .and(When::default().contains("192.0.2.1"), Then::LoseAnswer)
            .and(When::default().contains("192.0.2.2"), Then::Reset)
            .and(When::default().contains("192.0.2.3"), Then::Truncate)
            .and(When::default().contains("192.0.2.4"), Then::Garbage)
            .and(
                When::default().contains("192.0.2.5"),
                Then::Http {
                    status: 503,
                    applied: false,
                },
            ),
    );
    let lost = try_send(&client, &sim, &adds(1)).await.unwrap_err();
    assert!(
        cause(&lost).contains("connection closed before message completed"),
        "{lost:?}"
    );
    let torn = try_send(&client, &sim, &adds(2)).await.unwrap_err();
    assert!(cause(&torn).contains("onnection reset by peer"), "{torn:?}");
    let cut = try_send(&client, &sim, &adds(3)).await.unwrap();
    assert_eq!(cut.status(), 200);
    cut.bytes().await.unwrap_err();
    let garbage = try_send(&client, &sim, &adds(4)).await.unwrap();
    serde_json::from_slice::<Value>(&garbage.bytes().await.unwrap()).unwrap_err();
    let down = try_send(&client, &sim, &adds(5)).await.unwrap();
    assert_eq!(
        (down.status().as_u16(), &down.headers()["content-type"]),
        (503, &"text/html".parse().unwrap())
    );
    let left: Vec<String> = sim.entries().into_iter().map(|entry| entry.ioc).collect();
    assert_eq!(left, ["192.0.2.1", "192.0.2.3", "192.0.2.4"]);
}

fn cause(fault: &reqwest::Error) -> String {
    let mut said = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(fault);
    while let Some(fault) = next {
        said.push_str(&format!("{fault}: "));
        next = fault.source();
    }
    said
}

#[tokio::test]
async fn a_latency_comes_before_the_arrival_and_a_slow_answer_takes_its_time() {
    let sim = Sim::start(SimConfig::new(HeldClock::new(NOW).clock()))
        .await
        .unwrap();
    let (_, client) = start().await;
    let wait = |ms| Delay { ms, jitter_ms: 0 };
    sim.set_faults(
        FaultSchedule::default()
            .and(When::default().calls(1, 1), Then::Latency(wait(150)))
            .and(When::default().calls(2, 2), Then::Slow(wait(100))),
    );
    send(&client, &sim, &adds(1)).await;
    assert!(sim.calls()[0].at_us >= 150_000, "{:?}", sim.calls());
    let before = tokio::time::Instant::now();
    send(&client, &sim, &adds(2)).await;
    assert!(before.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn stopping_does_not_wait_for_slow_answers_and_the_state_outlives_it() {
    let (sim, client) = start().await;
    send(&client, &sim, &adds(1)).await;
    let forever = Delay {
        ms: 3_600_000,
        jitter_ms: 0,
    };
    sim.set_faults(FaultSchedule::default().and(When::default(), Then::Slow(forever)));
    let (url, call) = (sim.url(), adds(2));
    let waiting = tokio::spawn({
        let client = client.clone();
        async move {
            client
                .post(url)
                .headers(call.headers)
                .body(call.body.unwrap())
                .send()
                .await
        }
    });
    while sim.calls().len() < 2 {
        tokio::task::yield_now().await;
    }
    let address = sim.address();
    let stopped = tokio::time::timeout(Duration::from_secs(20), sim.stop())
        .await
        .unwrap()
        .unwrap();
    waiting.await.unwrap().unwrap_err();
    assert!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "refused while it is down"
    );

    let again = stopped.start().await.unwrap();
    again.set_faults(FaultSchedule::default());
    assert_eq!(again.address(), address);
    assert_eq!(again.entries().len(), 2);
    send(&client, &again, &adds(3)).await;
    assert_eq!((again.entry_count(1), again.entry_count(2)), (3, 0));
}

#[tokio::test]
async fn faults_are_set_over_the_wire_in_either_form() {
    let (sim, client) = start().await;
    let set = async |text: &str| {
        let response = client
            .post(format!("{}/_sim/faults", sim.url()))
            .body(text.to_owned())
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), json_of(response).await)
    };
    let toml = "[[rule]]\nthen = { error = { code = \"InternalError\" } }";
    assert_eq!(set(toml).await.0, 200);
    let refused = json_of(send(&client, &sim, &adds(1)).await).await;
    assert_eq!(code(&refused["Response"]), "InternalError");
    assert_eq!(set("{}").await.0, 200);
    let taken = json_of(send(&client, &sim, &adds(1)).await).await;
    assert_eq!(code(&taken["Response"]), "ok");
    let (status, fault) = set("[[rule]]\nthen = { http = { status = 99 } }").await;
    assert_eq!(
        (
            status,
            fault["message"]
                .as_str()
                .unwrap()
                .contains("HTTP status 99")
        ),
        (400, true)
    );
}

#[tokio::test]
async fn half_a_request_does_not_hold_up_the_stop() {
    let (sim, _) = start().await;
    let mut stream = tokio::net::TcpStream::connect(sim.address()).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut go_on = [0; 12];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(
        &go_on, b"HTTP/1.1 100",
        "the server is waiting for the body"
    );
    let stopped = tokio::time::timeout(Duration::from_secs(20), sim.stop())
        .await
        .unwrap()
        .unwrap();
    stopped.start().await.unwrap();
}
