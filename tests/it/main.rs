//! The crate from outside, as one binary: a module a topic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod asking;
mod cloudside;
mod converge;
mod vendor_client;
