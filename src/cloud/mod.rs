//! The vendor's API: signed calls, one attempt each, never faster than its rate, and what an answer means.
//!
//! This module knows the wire and nothing of indicators or the ledger. Retrying, splitting and settling are its caller's:
//! a call goes out once, and its [`Verdict`] says what to do next.

pub mod limit;
pub mod sign;
