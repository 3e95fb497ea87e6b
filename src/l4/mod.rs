//! Layer-4 proxy rules: a file of forwarding rules, compared with the ledger and the cloud, made in batches, and
//! followed until each rule is online.
//!
//! The way of the data: file ─read, check→ wanted rules ─plan (with the ledger's rules and the cloud's)→ what to do
//! ─apply→ calls, each in the journal before it is sent ─read back→ LEDGER.
//!
//! Nothing is ever made twice. A create whose answer never came is not repeated before the proxy's rules were read
//! back, and a rule that stands there is taken for the lost call's when it has the whole content of one that the call
//! carried: protocol, ports, origins, all the rest. That is enough, for a proxy has each port of a protocol once:
//! whoever else wanted the same rule would have been refused. Should a read-back come too early to see it, the
//! repeated create is refused for its ports (`InvalidParameter.RulePortDuplicating`) and the rules are read once more.

mod apply;
mod check;
mod desk;
mod fault;
mod file;
mod origin;
pub mod plan;
mod port;
mod report;
mod rule;
mod send;
mod settle;

#[cfg(test)]
mod tests;

use serde::Serialize;
use thiserror::Error;

use crate::cloud::{ClientError, CredentialError};
use crate::ledger::LedgerError;
use crate::model::Name;

pub use apply::{Orders, apply, delete, dry, forget};
pub use desk::Desk;
pub use fault::{Fault, FileError, RuleFaults};
pub use origin::{OriginError, OriginType};
pub use port::{PortError, PortRange};
pub use report::{Deed, Progress, Refused, Report, Stopped};
pub use rule::{
    Parts, PassThrough, Protocol, Rule, RuleError, Session, SessionError, Tag, TagError,
};

/// Why proxy rules could not be planned or applied.
#[derive(Debug, Error)]
pub enum L4Error {
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The endpoint will not do.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No keys to sign with.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The rules of a proxy could not be read.
    #[error("the rules of {0} cannot be read: {1}")]
    Read(Place, String),
    /// Ports that the file asks for are taken by rules that stand.
    #[error(transparent)]
    Taken(#[from] RuleFaults),
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// `zone-…`
    pub zone: String,
    /// `sid-…`
    pub proxy: String,
}

/// A rule that a file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The line on which it begins.
    pub line: usize,
    /// Where it is to stand.
    pub place: Place,
    /// The rule.
    pub rule: Rule,
}

/// A rule file that was found sound in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// The name under which the ledger keeps its rules.
    pub set: Name,
    /// Its rules, in its order.
    pub rules: Vec<Wanted>,
}

/// What holds where a rule file does not say.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// Else the file's name without its ending.
    pub set: Option<Name>,
    /// The zone of rules that name none.
    pub zone: Option<String>,
    /// The proxy of rules that name none.
    pub proxy: Option<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.zone, self.proxy)
    }
}
