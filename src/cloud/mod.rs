//! The vendor's API: signed calls, one attempt each, never faster than its rate, and what an answer means.
//!
//! This module knows the wire and nothing of indicators or the ledger. Retrying, splitting and settling are its caller's:
//! a call goes out once, and its verdict says what to do next.

mod credentials;
mod lenient;
pub mod limit;
pub mod sign;
#[cfg(test)]
mod testing;

pub use credentials::{
    CredentialError, CredentialSource, Credentials, Keys, METADATA, Surroundings,
};
pub use limit::{Limiter, Limits, Permit, Place, Predecessor};
