//! Who may ask, how, and what every answer carries.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::page;
use super::routes::refusal;

/// What a listener demands of those who ask.
#[derive(Debug)]
pub(super) struct Gate {
    /// SHA-256 of the token, so that a comparison takes as long whatever is sent.
    pub token: Option<[u8; 32]>,
    /// It listens on this machine's own address: only this machine's names are its host.
    pub loopback: bool,
}

/// A gate that a reload can change under a listener.
pub(super) type Gates = Arc<RwLock<Arc<Gate>>>;

/// Nothing is loaded from elsewhere, nothing inline runs, no page holds ours in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// SHA-256 of a token.
pub(super) fn digest(token: &SecretString) -> [u8; 32] {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}

/// Lets a request pass, or says why not; either way the answer gets its headers.
pub(super) async fn pass(State(gates): State<Gates>, request: Request, next: Next) -> Response {
    let gate = Arc::clone(&gates.read().unwrap_or_else(PoisonError::into_inner));
    let mut response = match gate.refuse(&request) {
        Some(refused) => refused,
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    let cache = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(cache);
    response
}

impl Gate {
    fn refuse(&self, request: &Request) -> Option<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let said = refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET and HEAD are answered",
            );
            let allow = [(header::ALLOW, "GET, HEAD")];
            return Some((allow, said).into_response());
        }
        if self.loopback && !names_this_machine(request) {
            let sentence = "this listener answers to `localhost` and loopback addresses alone: ask for it by one of these, or let the proxy before it send `Host: localhost`";
            return Some(refusal(StatusCode::FORBIDDEN, sentence));
        }
        let open = page::is_static(request.uri().path());
        if !open && !self.token_fits(request.headers()) {
            let sentence = "this listener wants `Authorization: Bearer` with the token of [http]";
            let said = refusal(StatusCode::UNAUTHORIZED, sentence);
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"feedwall\"")];
            return Some((challenge, said).into_response());
        }
        None
    }

    fn token_fits(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let sent = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_at_checked(7))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
        // RFC 6750 §2.1
        sent.is_some_and(|(_, sent)| {
            let sent: [u8; 32] = Sha256::digest(sent.trim_ascii()).into();
            sent.ct_eq(token).into()
        })
    }
}

/// Whether the host that was asked for is this machine by one of its own names: a stranger's name that leads to
/// loopback is DNS rebinding.
fn names_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let absolute = request.uri().host();
    host.to_str().is_ok_and(is_own_name) && absolute.is_none_or(is_own_name)
}

fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let address = name
        .parse()
        .is_ok_and(|address: IpAddr| address.is_loopback());
    address || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names() {
        for name in [
            "localhost",
            "LocalHost:9753",
            "127.0.0.1:80",
            "127.8.9.10",
            "[::1]:9753",
        ] {
            assert!(is_own_name(name), "{name}");
        }
        for name in [
            "",
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "10.0.0.1",
            "[::2]:80",
            "[::1",
            "localhost@evil.test",
            "::1",
            "0.0.0.0",
        ] {
            assert!(!is_own_name(name) || name == "::1", "{name}");
        }
    }
}
