//! `/api/explain`: the same story that `feedwall explain --json` prints.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::stage::StageError;
use crate::status::explain::{Asked, asked_for};

use super::routes::{json, refusal};
use super::{Desk, ServeError};

/// Milliseconds, where the last plan tells who has a place; else a story takes as long as a plan does.
const PATIENCE: Duration = Duration::from_secs(60);

/// No indicator is longer, and nobody writes a longer URL by hand.
const LONGEST: usize = 2048;

pub(super) async fn answer(desk: &Desk, ioc: &str) -> Response {
    if ioc.len() > LONGEST {
        return refusal(StatusCode::BAD_REQUEST, "no indicator is as long as that");
    }
    let indicator = match asked_for(ioc) {
        Ok(indicator) => indicator,
        Err(fault) => return refusal(StatusCode::BAD_REQUEST, &fault.to_string()),
    };
    let view = match desk.view() {
        Ok(view) => view,
        Err(fault) => return fault.into_response(),
    };
    let story = async {
        // Never closed; where it were, the story would be told all the same.
        let _turn = desk.story.acquire().await;
        let asked = Asked {
            ctx: &desk.ctx,
            config: &view.config,
            material: &view.guards,
            heard: &view.heard,
            memory: &view.memory,
            daemon_running: true,
        };
        asked.story(&indicator).await
    };
    match tokio::time::timeout(PATIENCE, story).await {
        Ok(Ok(story)) => json(StatusCode::OK, &story),
        Ok(Err(StageError::Ledger(fault))) => ServeError::Ledger(fault).into_response(),
        Ok(Err(fault)) => refusal(StatusCode::SERVICE_UNAVAILABLE, &fault.to_string()),
        Err(_) => ServeError::Slow(PATIENCE.as_secs()).into_response(),
    }
}
