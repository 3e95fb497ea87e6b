//! The cloud behind real HTTP: the vendor's one path, and the simulator's own below `/_sim`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response_with_state;
use axum::response::Response;
use axum::routing::{any, get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::civil::http_date;
use super::cloud::{Cloud, Request};

/// The vendor's bound of a request's body.
const MAX_BODY: usize = 10_000_000;

/// What the server and the handle share.
pub(super) type Shared = Arc<Mutex<Cloud>>;

/// A control body: one thing, or a list of them.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockBody {
    skew_seconds: i64,
}

pub(super) fn router(cloud: Shared) -> Router {
    Router::new()
        .route("/", any(call))
        .route("/_sim/state", get(state))
        .route("/_sim/log", get(log))
        .route("/_sim/foreign", post(foreign))
        .route("/_sim/hits", post(hits))
        .route("/_sim/clock", post(clock))
        .layer(map_response_with_state(Arc::clone(&cloud), stamp))
        .with_state(cloud)
}

/// A panic while the lock was held would leave whole state behind: every change is made in one go.
pub(super) fn lock(cloud: &Shared) -> MutexGuard<'_, Cloud> {
    cloud.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn call(State(cloud): State<Shared>, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    let request = Request {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body: to_bytes(body, MAX_BODY).await.ok(),
    };
    let answer = lock(&cloud).answer(&request);
    respond(StatusCode::OK, &answer)
}

async fn state(State(cloud): State<Shared>) -> Response {
    let state = lock(&cloud).state();
    respond(StatusCode::OK, &state)
}

async fn log(State(cloud): State<Shared>) -> Response {
    let log: Vec<_> = lock(&cloud).traffic.log().cloned().collect();
    respond(StatusCode::OK, &log)
}

async fn foreign(State(cloud): State<Shared>, body: Body) -> Response {
    match read::<OneOrMany<_>>(body).await {
        Ok(entries) => done(lock(&cloud).seed_foreign(&entries.into_vec())),
        Err(response) => response,
    }
}

async fn hits(State(cloud): State<Shared>, body: Body) -> Response {
    match read::<OneOrMany<_>>(body).await {
        Ok(hits) => done(lock(&cloud).seed_hits(&hits.into_vec())),
        Err(response) => response,
    }
}

async fn clock(State(cloud): State<Shared>, body: Body) -> Response {
    match read::<ClockBody>(body).await {
        Ok(body) => {
            lock(&cloud).skew_seconds = body.skew_seconds;
            done(Ok::<_, &str>(()))
        }
        Err(response) => response,
    }
}

/// Every answer carries the cloud's own `Date`, from which a client learns how far its clock is off.
async fn stamp(State(cloud): State<Shared>, mut response: Response) -> Response {
    let unix = lock(&cloud).wake().unix;
    if let Ok(date) = HeaderValue::from_str(&http_date(unix)) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Response> {
    let bytes = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    serde_json::from_slice(&bytes).map_err(|fault| refuse(&fault.to_string()))
}

fn done(outcome: Result<(), impl ToString>) -> Response {
    match outcome {
        Ok(()) => respond(StatusCode::OK, &json!({ "ok": true })),
        Err(fault) => refuse(&fault.to_string()),
    }
}

fn refuse(message: &str) -> Response {
    let body: Value = json!({ "ok": false, "message": message });
    respond(StatusCode::BAD_REQUEST, &body)
}

/// Exactly `application/json`: with a charset behind it the vendor's Python SDK does not see an error.
fn respond(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(things) => things,
            Self::One(thing) => vec![thing],
        }
    }
}
