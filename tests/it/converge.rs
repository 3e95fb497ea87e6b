//! Whatever the cloud does, its list becomes the desired set: one case each.

use std::collections::BTreeSet;
use std::time::Duration;

use feedwall::cloud::cfw::IocAction;
use feedwall::sim::{Calls, Credential, Delay, Expired, Limits, Site, Then, When, Zone};

use crate::cloudside::{CONFIRM_AFTER, Plan, addresses};

const LIST: &str = "ModifyBlockIgnoreList";

/// The answers to a repeat that a cloud may have.
const CLOUDS: [Option<&str>; 3] = [None, Some("FailedOperation"), Some("InvalidParameter")];

fn plan(strict: Option<&'static str>) -> Plan {
    match strict {
        None => Plan::new(),
        Some(code) => Plan::new().strict(code),
    }
}

/// Calls of writing, from number `from` to number `to`.
fn writes(from: u64, to: u64) -> When {
    When::default().action(LIST).calls(from, to)
}

/// A first sync of 300 entries in 15 calls in which some end badly; then half of them leave and others come, and
/// the same happens again.
async fn through(strict: Option<&'static str>, fault: Then) {
    let world = plan(strict).start(&addresses(0..300)).await;
    world.faults(writes(3, 7), fault.clone());
    world.once().await;
    world.calm().await;
    world.assert_converged(&[], &[], 2).await;

    world.feed(&addresses(150..450));
    world.faults(writes(2, 6), fault);
    world.once().await;
    world.calm().await;
    world.assert_converged(&[], &[], 3).await;
}

#[tokio::test]
async fn answers_are_lost_after_the_deed() {
    for strict in CLOUDS {
        through(strict, Then::LoseAnswer).await;
    }
}
