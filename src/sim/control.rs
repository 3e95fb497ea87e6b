//! The simulator's own paths below `/_sim`: looking from outside, and moving what no call moves.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::faults::FaultSchedule;
use super::http::{MAX_BODY, Server, lock, respond};

/// One thing, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockBody {
    skew_seconds: i64,
}

pub(super) fn routes() -> Router<Server> {
    Router::new()
        .route("/_sim/state", get(state))
        .route("/_sim/log", get(log))
        .route("/_sim/foreign", post(foreign))
        .route("/_sim/hits", post(hits))
        .route("/_sim/clock", post(clock))
        .route("/_sim/faults", post(faults))
}

async fn state(State(server): State<Server>) -> Response {
    let state = lock(&server.cloud).state();
    respond(StatusCode::OK, &state)
}

async fn log(State(server): State<Server>) -> Response {
    let log: Vec<_> = lock(&server.cloud).traffic.log().cloned().collect();
    respond(StatusCode::OK, &log)
}

async fn foreign(State(server): State<Server>, body: Body) -> Response {
    match read::<OneOrMany<_>>(body).await {
        Ok(entries) => done(lock(&server.cloud).seed_foreign(&entries.into_vec())),
        Err(response) => response,
    }
}

async fn hits(State(server): State<Server>, body: Body) -> Response {
    match read::<OneOrMany<_>>(body).await {
        Ok(hits) => done(lock(&server.cloud).seed_hits(&hits.into_vec())),
        Err(response) => response,
    }
}

async fn clock(State(server): State<Server>, body: Body) -> Response {
    match read::<ClockBody>(body).await {
        Ok(body) => {
            lock(&server.cloud).skew_seconds = body.skew_seconds;
            done(Ok::<_, &str>(()))
        }
        Err(response) => response,
    }
}

/// Takes the schedule in either form: only JSON begins with a brace.
async fn faults(State(server): State<Server>, body: Body) -> Response {
    let text = text(body).await;
    let schedule = if text.trim_start().starts_with('{') {
        FaultSchedule::from_json(&text)
    } else {
        FaultSchedule::from_toml(&text)
    };
    done(schedule.map(|schedule| lock(&server.cloud).set_faults(schedule)))
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Response> {
    let text = text(body).await;
    serde_json::from_str(&text).map_err(|fault| refuse(&fault.to_string()))
}

async fn text(body: Body) -> String {
    let bytes = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn done(outcome: Result<(), impl ToString>) -> Response {
    match outcome {
        Ok(()) => respond(StatusCode::OK, &json!({ "ok": true })),
        Err(fault) => refuse(&fault.to_string()),
    }
}

fn refuse(message: &str) -> Response {
    let body = json!({ "ok": false, "message": message });
    respond(StatusCode::BAD_REQUEST, &body)
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(things) => things,
            Self::One(thing) => vec![thing],
        }
    }
}
