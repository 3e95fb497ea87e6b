//! What is answered where.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use url::form_urlencoded;

use crate::status::calls::{self, QuarantineReport};

use super::gate::{self, Gates};
use super::{Desk, STATUS_SCHEMA, ServeError, explain, history, metrics, page};

type Shared = State<Arc<Desk>>;

pub(super) fn router(desk: Arc<Desk>, gates: Gates) -> Router {
    Router::new()
        .merge(page::routes())
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/api/status", get(status))
        .route("/api/status.schema.json", get(schema))
        .route("/api/explain", get(explain))
        .route("/api/history", get(history))
        .route("/api/quarantine", get(quarantine))
        .fallback(async || {
            refusal(
                StatusCode::NOT_FOUND,
                "there is nothing here; `/` is the page",
            )
        })
        .layer(from_fn_with_state(gates, gate::pass))
        .with_state(desk)
}

async fn health(State(desk): Shared) -> Response {
    let health = desk.health().await;
    let status = if health.healthy {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &health)
}

async fn metrics(State(desk): Shared) -> Response {
    match metrics::text(&desk).await {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(fault) => fault.into_response(),
    }
}

/// Exactly what `feedwall status --json` prints.
async fn status(State(desk): Shared) -> Response {
    match desk.snapshot().await {
        Ok(snapshot) => json(StatusCode::OK, &snapshot.report),
        Err(fault) => fault.into_response(),
    }
}

async fn schema() -> Response {
    let kind = "application/schema+json";
    ([(header::CONTENT_TYPE, kind)], STATUS_SCHEMA).into_response()
}

async fn explain(State(desk): Shared, RawQuery(query): RawQuery) -> Response {
    let Some(ioc) = parameter(query.as_deref(), "ioc") else {
        let sentence = "say what to explain: /api/explain?ioc=45.155.205.7";
        return refusal(StatusCode::BAD_REQUEST, sentence);
    };
    explain::answer(&desk, &ioc).await
}

async fn history(State(desk): Shared, RawQuery(query): RawQuery) -> Response {
    let hours = parameter(query.as_deref(), "hours");
    let hours = hours.map_or(Ok(24), |hours| hours.parse::<u64>());
    let Ok(hours @ 1..=87_600) = hours else {
        let sentence = "`hours` is a whole number from 1 to 87600: /api/history?hours=24";
        return refusal(StatusCode::BAD_REQUEST, sentence);
    };
    match history::gather(&desk, Duration::from_secs(hours * 3600)).await {
        Ok(history) => json(StatusCode::OK, &history),
        Err(fault) => fault.into_response(),
    }
}

/// Exactly what `feedwall quarantine --json` prints.
async fn quarantine(State(desk): Shared) -> Response {
    let gather = async {
        let ledger = &desk.ctx.ledger;
        let mut all: Vec<QuarantineReport> = Vec::new();
        for row in ledger.firewalls().await? {
            let entries = ledger.quarantine(row.id).await?;
            all.extend(calls::quarantined(&row.name, entries));
        }
        Ok::<_, ServeError>(all)
    };
    match gather.await {
        Ok(all) => json(StatusCode::OK, &all),
        Err(fault) => fault.into_response(),
    }
}

/// A parameter of the query; none where it is empty.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    let (_, value) = pairs.find(|(key, _)| key == name)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// As the commands print it: indented, with a line's end.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let mut text = match serde_json::to_string_pretty(value) {
        Ok(text) => text,
        Err(fault) => {
            let sentence = format!("the answer could not be written as JSON: {fault}");
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, &sentence);
        }
    };
    text.push('\n');
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Why there is no answer.
pub(super) fn refusal(status: StatusCode, sentence: &str) -> Response {
    let body = serde_json::json!({ "error": sentence });
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, format!("{body}\n")).into_response()
}

impl IntoResponse for ServeError {
    fn into_response(self) -> Response {
        refusal(StatusCode::SERVICE_UNAVAILABLE, &self.to_string())
    }
}
