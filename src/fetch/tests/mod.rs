//! Fetching over real sockets, from servers that behave and from servers that do not.

mod hostile;
mod http;
mod kept;
mod keys;
mod misp;
mod packing;
mod server;
mod taxii;
mod tls;

use std::io::{self, Read};
use std::time::Duration;

use tempfile::TempDir;
use url::Url;

use super::*;

/// A fetcher that may ask loopback, and the directory that it spools to.
fn fetcher() -> (Fetcher, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let policy = FetchPolicy {
        allow_private: true,
        spool_dir: dir.path().to_owned(),
        contact: Some("ops@example.net".to_owned()),
    };
    (Fetcher::new(policy).unwrap(), dir)
}

/// Limits that small bodies run into, and times that no loaded machine does.
fn limits() -> Limits {
    Limits {
        stored: 1 << 20,
        unpacked: 4 << 20,
        ..Limits::default()
    }
}

/// Times short enough for a test to run into them.
fn short() -> Limits {
    Limits {
        first_byte: Duration::from_millis(400),
        stretch: Duration::from_millis(200),
        least: 1_000,
        ..limits()
    }
}

/// Fetches from any source.
async fn fetch_from(source: &Source, validators: &Validators) -> Result<Fetched, FetchError> {
    let (fetcher, _dir) = fetcher();
    fetcher.fetch(source, validators, &limits()).await
}

/// Fetches from any source what must be a body.
async fn body_from(source: &Source, validators: &Validators) -> Body {
    match fetch_from(source, validators).await.unwrap() {
        Fetched::Body(body) => *body,
        Fetched::NotModified => panic!("not modified"),
    }
}

/// All of a body, which must be text.
fn text(body: &Body) -> String {
    String::from_utf8(read(body).unwrap()).unwrap()
}

/// Fetches what must be a body.
async fn body(url: Url) -> Body {
    body_from(&Source::http(url), &Validators::default()).await
}

/// Fetches what must fail.
async fn failure(url: Url) -> FetchError {
    fetch_from(&Source::http(url), &Validators::default())
        .await
        .unwrap_err()
}

/// All of a body, unpacked.
fn read(body: &Body) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.reader(&limits())?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
