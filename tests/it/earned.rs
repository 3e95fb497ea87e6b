//! What the cloud tells of itself: its quota, and what its entries earned; and how a stop ends.

use std::time::Duration;

use feedwall::sim::{Hits, Site, Then, When};

use crate::cloudside::{Plan, addresses};
use crate::support::rig::MODIFY;

const QUOTA: &str = "DescribeOverviewResourceQuota";

#[tokio::test]
async fn the_quota_is_asked_for_where_nobody_wrote_it_down() {
    let world = Plan::new()
        .term("quota", "\"auto\"")
        .cloud(|cloud| cloud.limits.quota = 100)
        .start(&addresses(0..150))
        .await;
    world.once_well().await;
    assert!(!world.calls(QUOTA).is_empty());
    assert_eq!(world.ours().len(), 100);
    // It was known before anything was sent: no call ran against it.
    let refused = world.calls(MODIFY).into_iter().find(|call| !call.applied);
    assert_eq!(refused, None);
}

#[tokio::test]
async fn a_written_quota_and_a_site_without_the_call_are_not_asked() {
    let written = Plan::new().start(&addresses(0..10)).await;
    let abroad = Plan::new()
        .term("quota", "\"auto\"")
        .term("site", "\"international\"")
        .cloud(|cloud| cloud.site = Site::International)
        .start(&addresses(0..10))
        .await;
    for world in [written, abroad] {
        world.once_well().await;
        assert!(world.calls(QUOTA).is_empty());
        assert_eq!(world.ours(), world.desired());
    }
}

#[tokio::test]
async fn of_equals_those_that_matched_stay_longest() {
    let all = addresses(0..100);
    let mut world = Plan::new()
        .term("quota", "100")
        .term("reconcile_interval", "\"10m\"")
        .start(&all)
        .await;
    world.once_well().await;
    let hit: Vec<String> = all.iter().skip(3).step_by(5).cloned().collect();
    let hits: Vec<Hits> = hit
        .iter()
        .map(|ioc| Hits {
            rule_type: 1,
            ioc: ioc.clone(),
            direction: 1,
            times: 7,
            last_unix: None,
        })
        .collect();
    world.sim.seed_hits(&hits).unwrap();
    // The next reading finds them, long before a lease ends.
    world.advance(700);
    world.once_well().await;
    let smaller = world.config().replace("quota = 100", "quota = 40");
    world.restart_with(&smaller).await;
    world.once_well().await;
    let ours = world.ours();
    assert_eq!(ours.len(), 40);
    for ioc in hit {
        let place = (1, ioc, 1);
        assert!(ours.contains(&place), "{place:?} matched, and went");
    }
}

#[tokio::test]
async fn a_stop_ends_by_itself_once_its_cause_is_gone() {
    let world = Plan::new().start(&addresses(0..60)).await;
    world.once_well().await;
    world.feed(&addresses(30..90));
    world.feeds_are_due();
    let refused = When::default().action(MODIFY);
    world.faults(refused, Then::error("UnauthorizedOperation.CamNoAuth"));
    let before = world.writes_sent();
    world.run_until(Duration::from_secs(6), |_| false).await;
    let tried = world.writes_sent() - before;
    assert!((1..=20).contains(&tried), "{tried} calls after a stop");
    let trouble = world.row().await.trouble.unwrap();
    assert!(trouble.contains("CamNoAuth"), "{trouble}");
    // The daemon goes on running; minutes later the cause is gone, and nobody had to tell it.
    world.faults(When::default().calls(u64::MAX, u64::MAX), Then::Reset);
    let gone = std::sync::atomic::AtomicBool::new(false);
    world
        .run_until(Duration::from_secs(20), |world| {
            if !gone.swap(true, std::sync::atomic::Ordering::SeqCst) {
                world.advance(301);
            }
            world.ours() == world.desired()
        })
        .await;
    assert_eq!(world.ours(), world.desired());
    assert_eq!(world.row().await.trouble, None);
}
