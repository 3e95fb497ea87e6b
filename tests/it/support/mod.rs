//! What the tests share: a set-up with a cloud and a folder of its own, the program as a process, and feeds.

pub mod browser;
pub mod feeds;
pub mod http;
pub mod process;
pub mod rig;
pub mod web;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The machine's own clock, as the simulated cloud reads it.
#[expect(
    clippy::disallowed_methods,
    reason = "the program under test is a process of its own and signs with the machine's clock"
)]
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Looks until `there` holds; past the deadline the test fails with what `state` says then.
pub async fn until(
    what: &str,
    within: Duration,
    mut there: impl FnMut() -> bool,
    state: impl Fn() -> String,
) {
    let deadline = Instant::now() + within;
    while !there() {
        assert!(
            Instant::now() < deadline,
            "not within {within:?}: {what}\n{}",
            state()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
