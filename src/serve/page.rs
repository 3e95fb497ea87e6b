//! The page at `/`: four files, built into the program. They hold nothing of anybody's, so that they need no token;
//! what they show comes from `/api`, which does.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Desk;

const FILES: [(&str, &str, &str); 4] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("page/index.html"),
    ),
    (
        "/style.css",
        "text/css; charset=utf-8",
        include_str!("page/style.css"),
    ),
    (
        "/app.js",
        "text/javascript; charset=utf-8",
        include_str!("page/app.js"),
    ),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

pub(super) fn routes() -> Router<Arc<Desk>> {
    FILES
        .iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            router.route(path, get(async || file(kind, text)))
        })
}

/// Whether the path is one of the page's own files.
pub(super) fn is_static(path: &str) -> bool {
    FILES.iter().any(|(own, ..)| *own == path)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    // A new version's page is seen at once.
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
