//! The cloud behind real HTTP: the vendor's one path, with answers that come late, broken or not at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response_with_state;
use axum::response::Response;
use axum::routing::any;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::civil::http_date;
use super::clock::Clock;
use super::cloud::{Cloud, Reply};
use super::control;
use super::faults::Ending;
use super::gateway::Request;
use super::wire::Cutter;

/// The vendor's bound of a request's body.
pub(super) const MAX_BODY: usize = 10_000_000;

/// What the server and the handle share.
pub(super) type Shared = Arc<Mutex<Cloud>>;

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) cloud: Shared,
    pub(super) clock: Clock,
    /// Ends the waits of slow calls, so that stopping does not wait for them.
    pub(super) stop: CancellationToken,
}

pub(super) fn router(server: Server) -> Router {
    Router::new()
        .route("/", any(call))
        .merge(control::routes())
        .layer(map_response_with_state(server.clone(), stamp))
        .with_state(server)
}

/// A panic while the lock was held would leave whole state behind: every change is made in one go.
pub(super) fn lock(cloud: &Shared) -> MutexGuard<'_, Cloud> {
    cloud.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn call(
    State(server): State<Server>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: HttpRequest,
) -> Response {
    let (parts, body) = request.into_parts();
    let request = Request {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body: to_bytes(body, MAX_BODY).await.ok(),
    };
    let call = lock(&server.cloud).receive(request);
    if !server.wait(call.plan.latency).await {
        return cut(&cutter, Cutter::reset);
    }
    if let Ending::Late(span) = call.plan.ending {
        tokio::spawn(async move {
            if server.wait(span).await {
                let arrived = server.clock.tick_us();
                lock(&server.cloud).answer(&call, arrived);
            }
        });
        return cut(&cutter, Cutter::close);
    }
    // Taken before the lock is waited for: a long read-back must not make a burst of what came one by one.
    let arrived = server.clock.tick_us();
    let answer = lock(&server.cloud).answer(&call, arrived);
    if !server.wait(call.plan.slow).await {
        return cut(&cutter, Cutter::close);
    }
    let mut response = match answer.reply {
        Reply::Json(value) => respond(StatusCode::OK, &value),
        Reply::Status(code) => status(code),
        Reply::Garbage => json_body(StatusCode::OK, Body::from("{\"Response\":\u{0}<html>")),
        Reply::Truncated(value) => json_body(StatusCode::OK, half(&value)),
        Reply::Closed => cut(&cutter, Cutter::close),
        Reply::Reset => cut(&cutter, Cutter::reset),
    };
    set_date(&mut response, answer.unix);
    response
}

/// Every answer carries the cloud's own `Date`, from which a client learns how far its clock is off.
async fn stamp(State(server): State<Server>, mut response: Response) -> Response {
    if !response.headers().contains_key(header::DATE) {
        let unix = lock(&server.cloud).wake().unix;
        set_date(&mut response, unix);
    }
    response
}

/// Exactly `application/json`: with a charset behind it the vendor's Python SDK does not see an error.
pub(super) fn respond(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_vec(body).unwrap_or_default();
    json_body(status, Body::from(text))
}

impl Server {
    /// Waits, and says whether it waited to the end.
    async fn wait(&self, span: Duration) -> bool {
        if span.is_zero() {
            return true;
        }
        tokio::select! {
            () = tokio::time::sleep(span) => true,
            () = self.stop.cancelled() => false,
        }
    }
}

fn json_body(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// A page as a load balancer writes one.
fn status(code: u16) -> Response {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(format!("<html><h1>{code}</h1></html>")));
    *response.status_mut() = code;
    let html = HeaderValue::from_static("text/html");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

/// The first half of an answer; the server breaks the connection off where the other half fails to come.
fn half(value: &Value) -> Body {
    let text = value.to_string();
    let start = text
        .chars()
        .take(text.chars().count() / 2)
        .collect::<String>();
    let end = async {
        // The server sends what it has only when it finds that the rest is not there yet.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("told to break off"))
    };
    Body::from_stream(stream::iter([Ok(Bytes::from(start))]).chain(stream::once(end)))
}

/// The response is never written: the connection is cut under it.
fn cut(cutter: &Cutter, how: impl FnOnce(&Cutter)) -> Response {
    how(cutter);
    Response::new(Body::empty())
}

fn set_date(response: &mut Response, unix: i64) {
    if let Ok(date) = HeaderValue::from_str(&http_date(unix)) {
        response.headers_mut().insert(header::DATE, date);
    }
}
