//! The vendor's API: signed calls, one attempt each, never faster than its rate, and what an answer means.
//!
//! This module knows the wire and nothing of indicators or the ledger. Retrying, splitting and settling are its caller's:
//! a call goes out once, and its [`Verdict`] says what to do next.

mod answer;
pub mod cfw;
mod client;
mod credentials;
mod lenient;
pub mod limit;
pub mod sign;
pub mod teo;
#[cfg(test)]
mod testing;
mod verdict;

pub use answer::Answer;
pub use client::{ANSWER_TIMEOUT, Action, Client, ClientError, MAX_ANSWER, MAX_REQUEST, Reply};
pub use credentials::{
    CredentialError, CredentialSource, Credentials, Keys, METADATA, Surroundings,
};
pub use limit::{Limiter, Limits, Permit, Place, Predecessor};
pub use verdict::{Retry, Verdict};
