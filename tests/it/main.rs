//! The crate from outside, as one binary: a module a topic.
//!
//! Most of it runs the real program against a simulated cloud inside the test, each test with its own cloud, folder and
//! ledger. What a test waits for has a deadline, and is looked at again and again until then; nothing sleeps for luck.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, in its helpers too, and says what it measured or skipped"
)]

mod support;

mod allowlist;
mod asking;
mod chaos;
mod cloudside;
mod converge;
mod crash;
mod daemon;
mod demo;
mod earned;
mod desk;
mod failing_paths;
mod fault_file;
mod first_sync;
mod forms;
mod fuzzed;
mod hostile;
mod http;
mod keeping;
mod l4;
mod package;
mod page;
mod probe;
mod reload;
mod service;
mod soak;
mod structure;
mod trouble;
mod upgrade;
mod vendor_client;
