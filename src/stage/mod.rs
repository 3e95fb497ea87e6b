//! The stages: each a `turn` that takes the ledger from one state to the next and says what it did. Loops,
//! timers and signals belong to the daemon.

pub mod contract;
pub mod frozen;
pub mod intake;
pub mod memory;
pub mod probe;
pub mod reconcile;
pub mod replan;
pub mod send;
pub mod standing;
#[cfg(test)]
mod tests;
mod trouble;

use std::sync::Arc;

use thiserror::Error;

use crate::clock::Clock;
use crate::cloud::{ClientError, CredentialError};
use crate::fetch::FetchError;
use crate::guard::GuardFaults;
use crate::ledger::{Ledger, LedgerError};
use crate::model::Name;

/// What every stage works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The only memory.
    pub ledger: Arc<Ledger>,
    /// The only clock.
    pub clock: Clock,
}

/// Why a stage could not take its turn. What the outside does (a feed that fails, a cloud that refuses) is
/// no error but part of the summary.
#[derive(Debug, Error)]
pub enum StageError {
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The guards could not be set up.
    #[error(transparent)]
    Guards(#[from] GuardFaults),
    /// Feeds cannot be fetched at all.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A fetched body could not be read back.
    #[error("a fetched body cannot be read back from its spool: {0}")]
    Spool(std::io::Error),
    /// A firewall's endpoint will not do.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No keys to sign with.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// A guard list was never heard.
    #[error(
        "the guard list {0} was never heard, so that nobody knows what it guards; `feedwall feeds show {0}` says why"
    )]
    Unguarded(Name),
    /// A part of the program ended before its time.
    #[error("an internal task ended early ({0}); this is a fault of feedwall: please report it")]
    Task(String),
}
