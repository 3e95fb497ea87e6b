//! The one way in which this program makes HTTP clients.

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
