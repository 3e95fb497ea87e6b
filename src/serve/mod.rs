//! What is served over HTTP: health, metrics, the JSON of `status` and `explain`, and a page. All of it reads, and
//! nothing here changes what the daemon does.
//!
//! - On loopback a request must name this machine as its host, or a web page could read everything by way of a
//!   visitor's browser (DNS rebinding). On any other address there is a token, and TLS is a proxy's work.
//! - What costs something is gathered at most once in a few seconds, however many ask, and reads no listing.
//! - A listener outlives a reload: [`Desk`] is shown what is in force, and [`Server`] keeps listening.

mod desk;
mod explain;
mod gate;
mod health;
mod history;
mod listener;
mod metrics;
mod page;
mod routes;
mod sample;
mod snapshot;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use thiserror::Error;

use crate::fetch::SecretError;
use crate::ledger::LedgerError;

pub use self::desk::{Desk, Stuck, View};
pub use self::health::{Check, Health};
pub use self::history::History;
pub use self::listener::Server;

/// The JSON schema of what `status --json` and `/api/status` answer.
pub const STATUS_SCHEMA: &str = include_str!("../../docs/status.schema.json");

/// Why nothing, or not this, is served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The port is taken, the address is not this machine's, or the port is a privileged one.
    #[error(
        "nothing can listen on {address}: {reason}; see who does with `ss -ltnp`, or set another `listen` in [http]"
    )]
    Bind {
        /// The address of the config.
        address: SocketAddr,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The token cannot be read.
    #[error("the token of [http]: {0}")]
    Token(#[from] SecretError),
    /// A token that can be guessed.
    #[error(
        "the token of [http] is shorter than {0} characters, and could be guessed: make one with `openssl rand -hex 32`"
    )]
    ShortToken(usize),
    /// Nothing is in force yet.
    #[error("the daemon has only just started, and no config is in force yet")]
    Starting,
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It took too long.
    #[error("the ledger gave no answer within {0} s")]
    Slow(u64),
}
