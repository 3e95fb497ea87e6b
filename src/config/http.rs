//! `[http]`: where metrics, health and the dashboard are served, and who may read them.

use std::net::SocketAddr;

use crate::fetch::Secret;

use super::section::{Item, Problems, Section};
use super::value::{shown, text, wrong};
use super::{Http, defaults, sent};

/// Reads `[http]`.
pub(super) fn read(section: &mut Section<'_>) -> Http {
    let listen = section.read("listen", defaults::HTTP_LISTEN, address);
    let token = section.read("token", None, token);
    let guarded = listen.value.ip().is_loopback() || token.value.is_some();
    section.rule(&[&listen.at, &token.at], guarded, || {
        let takes = r#"token = { file = "/etc/feedwall/http.token" }"#;
        format!(
            "whoever reaches {} could read everything: write the place of a token beside it, {takes}, or listen on 127.0.0.1",
            listen.value
        )
    });
    Http {
        listen: listen.value,
        token: token.value,
    }
}

/// An address and a port; 0 lets the system choose one.
fn address(item: &Item<'_>) -> Result<SocketAddr, Problems> {
    let takes = r#"an address and a port, such as "127.0.0.1:9753" or "[::1]:9753""#;
    let written = text(item, takes)?;
    written
        .parse()
        .or_else(|_| wrong(format!("{} is not {takes}", shown(written))))
}

/// The place of a token, never the token.
fn token(item: &Item<'_>) -> Result<Option<Secret>, Problems> {
    match item.get_ref().as_str() {
        Some("off") => Ok(None),
        _ => sent::place("token", item).map(Some),
    }
}
