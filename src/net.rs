//! The one place that says how TLS is done: rustls with ring, the system's roots, and no proxy from the environment.

use std::sync::OnceLock;

/// A client builder on which feeds' and clouds' clients are made.
///
/// Proxies come from the config only: a service has no business reading `HTTPS_PROXY` by chance.
pub fn client_builder() -> reqwest::ClientBuilder {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // An error means that the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy()
}
