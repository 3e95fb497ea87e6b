//! The one way in which this program makes HTTP clients.

use std::error::Error;
use std::sync::Once;
use std::time::Duration;

/// How long a connection, its TLS handshake included, may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Who we say we are.
pub const USER_AGENT: &str = concat!("feedwall/", env!("CARGO_PKG_VERSION"));

static PROVIDER: Once = Once::new();

/// A client builder with this program's rules already set; a caller adds its own timeouts and exceptions.
///
/// - TLS is rustls with `ring`, against the system's own trust store.
/// - No redirect is followed: the caller judges each address before it asks there.
/// - No proxy is used, also not one that the environment names, unless the caller adds one: a proxy would see
///   where signed calls go, and would answer in the cloud's place.
/// - Nothing is repeated behind the caller's back: one call of `send` is one request.
pub fn client_builder() -> reqwest::ClientBuilder {
    PROVIDER.call_once(|| {
        // An error says that another part of the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
}

/// The body of `response`, or nothing where it is longer than `most` bytes.
///
/// # Errors
/// When the connection ends or the client's own timeout passes before the body is whole.
pub async fn body(
    mut response: reqwest::Response,
    most: usize,
) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > most - body.len() {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// An error with all that it stands on, in one line: reqwest's own text leaves out the cause.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_be_built_more_than_once() {
        for _ in 0..2 {
            client_builder().build().unwrap();
        }
    }
}
