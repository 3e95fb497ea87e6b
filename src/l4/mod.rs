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

mod origin;
mod port;
mod rule;

pub use origin::{OriginError, OriginType};
pub use port::{PortError, PortRange};
pub use rule::{
    Parts, PassThrough, Protocol, Rule, RuleError, Session, SessionError, Tag, TagError,
};
