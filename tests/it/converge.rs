//! Whatever the cloud does, its list becomes the desired set: one case each.

use std::collections::BTreeMap;
use std::time::Duration;

use feedwall::cloud::cfw::IocAction;
use feedwall::sim::{Credential, Expired, FAKE_SECRET_KEY, Site, Then, When};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::cloudside::{CONFIRM_AFTER, Plan, addresses};

const LIST: &str = "ModifyBlockIgnoreList";
const READ: &str = "DescribeBlockIgnoreList";

/// What a cloud may say to a repeat: that it is done, or either of two errors.
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

fn acting(ioc_action: &str) -> When {
    When {
        ioc_action: Some(ioc_action.to_owned()),
        ..When::default().action(LIST)
    }
}

fn one(ioc: &str) -> Vec<String> {
    vec![ioc.to_owned()]
}

/// A first sync of 300 entries in 15 calls of which some end badly; then half of them leave, as many come, and it
/// happens again.
async fn through(strict: Option<&'static str>, fault: Then) {
    let world = plan(strict).start(&addresses(0..300)).await;
    world.faults(writes(3, 7), fault.clone());
    world.once().await;
    world.calm().await;
    world.assert_converged(&[], &[], 2).await;

    world.feed(&addresses(150..450));
    world.faults(writes(2, 12), fault);
    world.once().await;
    world.calm().await;
    world.assert_converged(&[], &[], 3).await;
}

/// Through a fault with each kind of cloud.
async fn everywhere(fault: Then) {
    join_all(CLOUDS.map(|strict| through(strict, fault.clone()))).await;
}

#[tokio::test]
async fn answers_are_lost_after_the_deed() {
    everywhere(Then::LoseAnswer).await;
}

#[tokio::test]
async fn connections_are_reset_before_the_deed() {
    everywhere(Then::Reset).await;
}

#[tokio::test]
async fn a_server_fails_after_the_deed() {
    let (status, applied) = (503, true);
    everywhere(Then::Http { status, applied }).await;
}

#[tokio::test]
async fn a_server_fails_before_the_deed() {
    let (status, applied) = (500, false);
    everywhere(Then::Http { status, applied }).await;
}

#[tokio::test]
async fn an_operation_fails_without_a_reason() {
    everywhere(Then::error("FailedOperation")).await;
}

#[tokio::test]
async fn an_operation_is_said_to_fail_and_was_done() {
    everywhere(Then::Error {
        code: "FailedOperation".to_owned(),
        message: None,
        applied: true,
    })
    .await;
}

#[tokio::test]
async fn calls_come_too_fast() {
    everywhere(Then::error("RequestLimitExceeded")).await;
}

#[tokio::test]
async fn answers_are_garbage() {
    everywhere(Then::Garbage).await;
    everywhere(Then::Truncate).await;
}

/// What failed thrice without a reason and then passed was no matter of size, of class or of any entry.
#[tokio::test]
async fn a_batch_fails_three_times_and_nothing_is_learned_from_it() {
    for strict in CLOUDS {
        let all = addresses(0..60);
        let world = plan(strict).start(&all).await;
        let when = When::default().contains(&all[25]).calls(1, 3);
        world.faults(when, Then::error("FailedOperation"));
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&[], &[], 1).await;
        assert_eq!(world.learned().await, [""; 0]);
    }
}

#[tokio::test]
async fn the_poison_is_found_and_nothing_else_suffers() {
    for code in ["InvalidParameter", "FailedOperation"] {
        let cases = CLOUDS.map(|strict| async move {
            let all = addresses(0..300);
            let bad: Vec<String> = [0, 33, 34, 159, 299].map(|n| all[n].clone()).into();
            let world = plan(strict).start(&all).await;
            for ioc in &bad {
                world.poison(When::default().contains(ioc), code);
            }
            world.once_well().await;
            world.calm().await;
            world.assert_converged(&[], &bad, 1).await;
            assert_eq!(world.learned().await, [""; 0], "{strict:?} {code}");
        });
        join_all(cases).await;
    }
}

#[tokio::test]
async fn one_bad_entry_of_three_hundred_costs_few_calls() {
    let all = addresses(0..300);
    let world = Plan::new().term("batch", "100").start(&all).await;
    world.poison(When::default().contains(&all[150]), "InvalidParameter");
    world.once_well().await;
    // Two good batches, the bad one, three probes, and two calls for each halving of the rest.
    let calls = world.writes_sent();
    assert!(calls <= 2 + 1 + 3 + 2 * 7, "{calls} calls");
    world.calm().await;
    world.assert_converged(&[], &one(&all[150]), 1).await;
}

#[tokio::test]
async fn an_entry_that_is_bad_all_by_itself() {
    for code in ["InvalidParameter", "FailedOperation"] {
        let all = addresses(0..1);
        let world = Plan::new().start(&all).await;
        world.poison(When::default().contains(&all[0]), code);
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&[], &all, 0).await;
    }
}

/// One probe is refused while another has no answer yet: the first must not be asked again and counted twice.
#[tokio::test]
async fn a_probe_without_an_answer_is_not_taken_for_a_refused_one() {
    let all = addresses(0..20);
    let world = Plan::new().start(&all).await;
    world.poison(When::default().contains(&all[0]), "InvalidParameter");
    // The middle one of the batch is a probe; its own calls fail over two rounds.
    let when = When::default().contains(&all[10]).calls(2, 9);
    let fault = Then::Http {
        status: 503,
        applied: false,
    };
    world.faults(when, fault);
    world.once_well().await;
    world.calm().await;
    world.assert_converged(&[], &one(&all[0]), 1).await;
}

/// A cloud that refuses to delete an entry, among others that it deletes.
#[tokio::test]
async fn a_delete_that_is_refused_holds_no_other_up() {
    let cases = CLOUDS.map(|strict| async move {
        let all = addresses(0..60);
        let world = plan(strict).start(&all).await;
        world.once_well().await;
        let when = When {
            contains: Some(all[30].clone()),
            ..acting("delete")
        };
        world.poison(when, "InvalidParameter");
        world.feed(&addresses(0..20));
        world.once_well().await;
        world.calm().await;
        let held = world.quarantine().await;
        assert_eq!(held.into_keys().collect::<Vec<_>>(), one(&all[30]));
        let mut expected = world.desired();
        expected.insert((1, all[30].clone(), 1));
        assert_eq!(world.ours(), expected);
        // It runs out by itself, and then there is nothing left to hold.
        world.advance(7 * 3600);
        world.once_well().await;
        assert_eq!(world.ours(), world.desired());
        assert_eq!(world.quarantine().await, BTreeMap::new());
    });
    join_all(cases).await;
}

/// An entry whose renewal is refused, among others that are renewed.
#[tokio::test]
async fn an_edit_that_is_refused_holds_no_other_up() {
    let cases = CLOUDS.map(|strict| async move {
        let all = addresses(0..60);
        let world = plan(strict).start(&all).await;
        world.once_well().await;
        let when = When {
            contains: Some(all[30].clone()),
            ..acting("edit")
        };
        world.poison(when, "InvalidParameter");
        let before = world.ends();
        world.advance(81 * 60);
        world.once_well().await;
        world.calm().await;
        world.assert_ledger_agrees().await;
        let held = world.quarantine().await;
        assert_eq!(held.into_keys().collect::<Vec<_>>(), one(&all[30]));
        for (place, end) in world.ends() {
            let renewed = end > before[&place];
            assert_eq!(renewed, place.1 != all[30], "{place:?}");
        }
        assert_eq!(world.learned().await, [""; 0], "{strict:?}");
    });
    join_all(cases).await;
}

/// A cloud that refuses every edit: leases run out, and are then added anew; and it is not asked all the time.
#[tokio::test]
async fn where_every_edit_is_refused_edits_are_left_alone() {
    for code in ["InvalidParameter", "FailedOperation"] {
        let all = addresses(0..100);
        let world = Plan::new().start(&all).await;
        world.once_well().await;
        world.poison(acting("edit"), code);
        world.advance(81 * 60);
        let before = world.writes_sent();
        world.once_well().await;
        let tried = world.writes_sent() - before;
        assert!(tried <= 130, "{tried} calls for 100 entries");
        assert!(
            world
                .learned()
                .await
                .contains(&"call edit block ipv4".to_owned())
        );
        let before = world.writes_sent();
        world.once_well().await;
        assert_eq!(world.writes_sent(), before);
        assert_eq!(world.quarantine().await, BTreeMap::new());
        world.advance(45 * 60);
        world.calm().await;
        world.assert_converged(&[], &[], 2).await;
    }
}

#[tokio::test]
async fn a_class_that_is_not_taken_is_held_and_the_others_go_on() {
    let cases = CLOUDS.map(|strict| async move {
        let mut all = addresses(0..50);
        let domains: Vec<String> = (0..50).map(|n| format!("d{n}.badhost.com")).collect();
        all.extend(domains.iter().cloned());
        let world = plan(strict)
            .cloud(|cloud| cloud.block_classes = vec![feedwall::sim::Class::Ipv4])
            .start(&all)
            .await;
        world.once_well().await;
        // Three batches of domains, each refused once, with three probes each at the most.
        let calls = world.writes_sent();
        assert!(calls <= 3 + 3 + 9, "{calls} calls");
        world.calm().await;
        world.assert_converged(&domains, &[], 1).await;
        assert_eq!(world.learned().await, ["class block domain"]);
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_learned() {
    let cases = ["InvalidParameter", "FailedOperation"].map(|code| async move {
        let world = Plan::new()
            .cloud(|cloud| {
                cloud.limits.batch = 7;
                cloud.manners.batch_code = code;
            })
            .start(&addresses(0..100))
            .await;
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&[], &[], 1).await;
        assert_eq!(world.learned().await, ["batch"]);
        let before = world.writes_sent();
        world.feed(&addresses(100..170));
        world.once_well().await;
        // By then it knows: 100 to take off and 70 to add, 4 at a time, for of 9 and of 8 the halves were taken.
        let calls = world.writes_sent() - before;
        assert!(calls <= 25 + 18, "{calls} calls");
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_list_that_is_smaller_than_configured_is_filled_and_no_more_is_tried() {
    let world = Plan::new()
        .cloud(|cloud| cloud.limits.quota = 205)
        .start(&addresses(0..300))
        .await;
    world.once_well().await;
    let held = world.ours();
    assert!((200..=205).contains(&held.len()), "{} held", held.len());
    assert!(held.is_subset(&world.desired()));
    assert_eq!(world.learned().await, ["full"]);
    let calls = world.writes_sent();
    assert!(calls <= 30, "{calls} calls");
    world.once_well().await;
    assert_eq!(world.writes_sent(), calls);
    world.assert_ledger_agrees().await;
    // What leaves makes room for what waits.
    world.feed(&addresses(50..300));
    world.once_well().await;
    assert!(world.ours().len() >= 200 && world.ours().is_subset(&world.desired()));
}

#[tokio::test]
async fn doubtful_entries_count_against_the_quota() {
    let cases = CLOUDS.map(|strict| async move {
        let world = plan(strict)
            .term("quota", "100")
            .cloud(|cloud| cloud.limits.quota = 100)
            .start(&addresses(0..200))
            .await;
        world.faults(writes(1, 5), Then::LoseAnswer);
        world.once_well().await;
        world.calm().await;
        assert_eq!(world.ours().len(), 100);
        assert!(!world.learned().await.contains(&"full".to_owned()));
        world.assert_ledger_agrees().await;
    });
    join_all(cases).await;
}

#[tokio::test]
async fn what_others_hold_is_left_alone_and_counted() {
    let all = addresses(0..300);
    let world = Plan::new().term("quota", "300").start(&all).await;
    world.others_hold(&all[10..20], None);
    world.others_hold(&addresses(1000..1040), Some(999_999));
    world.once_well().await;
    world.calm().await;
    assert_eq!(world.ours().len(), 250);
    world.assert_foreign_untouched();
    assert_eq!(world.row().await.foreign, 50);
    // Nor are they taken off when the feed drops them.
    world.feed(&addresses(100..200));
    world.once_well().await;
    world.calm().await;
    world.assert_converged(&[], &[], 1).await;
}

#[tokio::test]
async fn what_others_give_up_is_added() {
    let all = addresses(0..40);
    let world = Plan::new()
        .term("reconcile_interval", r#""10m""#)
        .start(&all)
        .await;
    world.others_hold(&all[10..20], Some(1800));
    world.once_well().await;
    world.calm().await;
    world.assert_converged(&all[10..20], &[], 1).await;
    world.advance(1800);
    world.once_well().await;
    world.calm().await;
    world.assert_converged(&[], &[], 1).await;
}

/// Others put an entry there after the last reading: a strict cloud refuses ours, and it is no poison.
#[tokio::test]
async fn what_others_put_there_unseen_is_found_by_a_strict_cloud_s_refusal() {
    for code in ["InvalidParameter", "FailedOperation"] {
        let all = addresses(0..60);
        let world = Plan::new().strict(code).start(&all[..1]).await;
        world.once_well().await;
        world.others_hold(&one(&all[30]), Some(999_999));
        world.feed(&all);
        world.once_well().await;
        world.calm().await;
        world.advance(11 * CONFIRM_AFTER);
        world.once_well().await;
        world.assert_converged(&one(&all[30]), &[], 1).await;
    }
}

#[tokio::test]
async fn what_somebody_prolongs_is_theirs() {
    let all = addresses(0..40);
    let world = Plan::new()
        .term("reconcile_interval", r#""10m""#)
        .start(&all)
        .await;
    world.once_well().await;
    world.calm().await;
    let theirs = &all[5..8];
    world
        .somebody(IocAction::Edit, theirs, Some(99_999_999))
        .await;
    let ends = world.ends();
    world.advance(660);
    world.once_well().await;
    assert_eq!(world.row().await.foreign, 3);
    assert_eq!(world.ends(), ends);
    world.feed(&[]);
    world.once_well().await;
    let left: Vec<String> = world.ends().into_keys().map(|place| place.1).collect();
    assert_eq!(left, theirs);
}

#[tokio::test]
async fn what_somebody_shortens_is_repaired_once() {
    let all = addresses(0..40);
    let world = Plan::new()
        .term("reconcile_interval", r#""10m""#)
        .start(&all)
        .await;
    world.once_well().await;
    world.calm().await;
    let shorten = || world.somebody(IocAction::Edit, &all[5..8], Some(3000));
    let end_of = |ioc: &str| world.ends()[&(1, ioc.to_owned(), 1)];
    let before = end_of(&all[5]);
    shorten().await;
    assert!(end_of(&all[5]) < before - 60);
    world.advance(660);
    world.once_well().await;
    assert!(end_of(&all[5]) >= before, "it was repaired");
    world.calm().await;
    shorten().await;
    let shortened = end_of(&all[5]);
    world.advance(660);
    world.once_well().await;
    assert_eq!(end_of(&all[5]), shortened, "and is let be the second time");
    world.assert_ledger_agrees().await;
    // Ours it is all the same: it is renewed in time.
    world.advance(2000);
    world.once_well().await;
    assert!(end_of(&all[5]) > shortened);
}

#[tokio::test]
async fn what_somebody_removes_is_added_once_more_and_then_held() {
    let cases = CLOUDS.map(|strict| async move {
        let all = addresses(0..40);
        let gone = &all[5..8];
        let world = plan(strict)
            .term("reconcile_interval", r#""10m""#)
            .start(&all)
            .await;
        world.once_well().await;
        world.calm().await;
        world.somebody(IocAction::Delete, gone, None).await;
        world.advance(660);
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&[], &[], 2).await;
        world.somebody(IocAction::Delete, gone, None).await;
        world.advance(660);
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&[], gone, 2).await;
        let codes = world.quarantine().await.into_values();
        assert!(codes.into_iter().all(|code| code == "RemovedByOthers"));
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_list_that_is_wiped_is_filled_again() {
    let cases = CLOUDS.map(|strict| async move {
        let all = addresses(0..300);
        let world = plan(strict).start(&all).await;
        world.once_well().await;
        world.calm().await;
        world.somebody(IocAction::Delete, &all, None).await;
        // Nobody notices before the renewals, unless the lists are read.
        world.advance(81 * 60);
        world.once_well().await;
        world.calm().await;
        world.advance(7 * 3600);
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&[], &[], 9).await;
    });
    join_all(cases).await;
}

/// A cloud that shows and counts entries past their EndTime: what lapsed while nobody was there is swept, and what
/// is still listed is put there anew.
#[tokio::test]
async fn what_lingers_after_its_end_is_swept() {
    let cases = CLOUDS.map(|strict| async move {
        let all = addresses(0..60);
        let mut world = plan(strict)
            .cloud(|cloud| cloud.manners.expired = Expired::Kept)
            .start(&all)
            .await;
        world.once_well().await;
        world.calm().await;
        world.stop().await;
        world.advance(3 * 3600);
        world.feed(&all[..30]);
        world.restart().await;
        world.once_well().await;
        world.advance(7 * 3600);
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&[], &[], 3).await;
        let now = world.sim.state().now_unix;
        assert!(world.ends().into_values().all(|end| end > now));
    });
    join_all(cases).await;
}

/// A change shows after a while: one that is within `confirm_after`, and one that is not.
#[tokio::test]
async fn changes_show_late() {
    for (late, most) in [(CONFIRM_AFTER / 2, 1), (15 * CONFIRM_AFTER, 3)] {
        let cases = CLOUDS.map(|strict| async move {
            let late = Duration::from_secs(u64::try_from(late).unwrap());
            let world = plan(strict)
                .term("reconcile_interval", r#""10m""#)
                .cloud(|cloud| cloud.visible_after = late)
                .start(&addresses(0..100))
                .await;
            world.once_well().await;
            world.feed(&addresses(50..150));
            world.faults(writes(1, 2), Then::LoseAnswer);
            world.once_well().await;
            for _ in 0..3 {
                world.advance(11 * CONFIRM_AFTER);
                world.once_well().await;
            }
            // What a reading missed that was too early, a later one finds.
            world.advance(660);
            world.calm().await;
            world.assert_converged(&[], &[], most).await;
        });
        join_all(cases).await;
    }
}

/// What was taken off a moment ago still shows, and is wanted again: it is nobody else's.
#[tokio::test]
async fn a_delete_that_shows_late_makes_no_stranger() {
    let all = addresses(0..40);
    let world = Plan::new()
        .cloud(|cloud| cloud.visible_after = Duration::from_secs(1))
        .start(&all)
        .await;
    world.once_well().await;
    world.calm().await;
    world.feed(&all[..20]);
    world.once_well().await;
    let id = world.row().await.id;
    world.ledger().want_read(id, "the test asks").await.unwrap();
    world.feed(&all);
    world.once_well().await;
    world.calm().await;
    assert_eq!(world.row().await.foreign, 0);
    world.assert_converged(&[], &[], 2).await;
}

#[tokio::test]
async fn tokens_end_and_keys_are_replaced() {
    let token = |token: &str| {
        vec![
            Credential::new(feedwall::sim::FAKE_SECRET_ID, FAKE_SECRET_KEY).with_token(token, None),
        ]
    };
    let world = Plan::new()
        .cloud(|cloud| cloud.credentials = token("first"))
        .start(&addresses(0..100))
        .await;
    world.write_keys(feedwall::sim::FAKE_SECRET_ID, Some("first"));
    world.once_well().await;
    // The next keys lie ready, and are found at the first refusal.
    world.write_keys(feedwall::sim::FAKE_SECRET_ID, Some("second"));
    world.sim.set_credentials(token("second"));
    world.feed(&addresses(50..150));
    world.once_well().await;
    world.assert_converged(&[], &[], 1).await;
    // They come late: sending stops and says why, and goes on by itself.
    world.sim.set_credentials(token("third"));
    world.feed(&addresses(100..200));
    let before = world.writes_sent();
    let summary = world.once().await;
    let (_, why) = summary.failures().next().unwrap();
    assert!(why.contains("TokenFailure"), "{why}");
    let tried = world.writes_sent() - before;
    assert!(tried <= 20, "{tried} calls with a bad token");
    world.write_keys(feedwall::sim::FAKE_SECRET_ID, Some("third"));
    world.once_well().await;
    world.assert_converged(&[], &[], 1).await;
    // Another key altogether: what the old one was refused for is not its owner's for ever.
    world
        .sim
        .set_credentials(vec![Credential::new("AKIDotherEXAMPLE", FAKE_SECRET_KEY)]);
    world.feed(&addresses(150..250));
    let summary = world.once().await;
    assert!(summary.failures().next().is_some());
    world.write_keys("AKIDotherEXAMPLE", None);
    world.once_well().await;
    world.assert_converged(&[], &[], 1).await;
}

#[tokio::test]
async fn the_cloud_s_clock_is_ten_minutes_off() {
    for skew in [600, -600] {
        let mut world = Plan::new().start(&addresses(0..100)).await;
        world.sim.set_skew(skew);
        world.once_well().await;
        assert!((world.clock.offset() - skew).abs() <= 1);
        world.assert_converged(&[], &[], 1).await;
        // Another process with the same wrong clock learns it again.
        world.clock = feedwall::clock::Clock::system();
        world.restart().await;
        world.feed(&addresses(50..150));
        world.once_well().await;
        world.assert_converged(&[], &[], 1).await;
    }
}

#[tokio::test]
async fn a_restart_with_nothing_to_do_writes_nothing() {
    let mut world = Plan::new().start(&addresses(0..100)).await;
    world.once_well().await;
    world.calm().await;
    let before = world.writes_sent();
    for _ in 0..3 {
        world.restart().await;
        world.once_well().await;
    }
    assert_eq!(world.writes_sent(), before);
}

#[tokio::test]
async fn pages_of_a_hundred_are_refused() {
    let world = Plan::new()
        .cloud(|cloud| cloud.limits.page = 20)
        .start(&addresses(0..150))
        .await;
    world.others_hold(&addresses(1000..1070), None);
    world.once_well().await;
    world.calm().await;
    world.assert_converged(&[], &[], 1).await;
    assert_eq!(world.row().await.foreign, 70);
}

#[tokio::test]
async fn readings_fail_half_of_the_time() {
    let world = Plan::new()
        .cloud(|cloud| cloud.limits.page = 20)
        .start(&addresses(0..100))
        .await;
    world.others_hold(&addresses(1000..1200), None);
    let half = When {
        probability: Some(0.5),
        ..When::default().action(READ)
    };
    let (status, applied) = (502, false);
    world.faults(half, Then::Http { status, applied });
    world.once_well().await;
    world.calm().await;
    world.assert_converged(&[], &[], 1).await;
}

#[tokio::test]
async fn the_international_site() {
    let cases = CLOUDS.map(|strict| async move {
        let world = plan(strict)
            .cloud(|cloud| cloud.site = Site::International)
            .term("site", r#""international""#)
            .start(&addresses(0..100))
            .await;
        world.others_hold(&addresses(90..95), None);
        world.faults(writes(2, 3), Then::LoseAnswer);
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&addresses(90..95), &[], 2).await;
        world
            .somebody(IocAction::Delete, &addresses(0..3), None)
            .await;
        world.advance(7 * 3600);
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&addresses(90..95), &[], 9).await;
    });
    join_all(cases).await;
}

#[tokio::test]
async fn one_row_for_both_directions() {
    let world = Plan::new()
        .cloud(|cloud| cloud.merge_directions = true)
        .start(&addresses(0..60))
        .await;
    let config = world
        .config()
        .replace(r#"direction = "in""#, r#"direction = "both""#);
    let mut world = world;
    world.restart_with(&config).await;
    world.once_well().await;
    world.calm().await;
    assert_eq!(world.ours().len(), 120);
    world.assert_ledger_agrees().await;
    let counts = world.counts().await;
    assert_eq!((counts.held, counts.confirmed), (120, 120));
}

/// The lists are read in another zone than they were written in: it is said, and nothing is edited for it.
#[tokio::test]
async fn the_zone_is_another_than_configured() {
    let mut world = Plan::new()
        .term("lease", r#""2d""#)
        .term("reconcile_interval", r#""10m""#)
        .start(&addresses(0..60))
        .await;
    world.once_well().await;
    world.calm().await;
    let config = world.config() + "time_zone = \"+00:00\"";
    world.restart_with(&config).await;
    let before = world.writes_sent();
    for _ in 0..3 {
        world.advance(660);
        world.once_well().await;
    }
    assert_eq!(world.writes_sent(), before);
    let row = world.row().await;
    assert_eq!(row.drift.unwrap().zone_fault, Some(8 * 3600));
    assert_eq!(row.foreign, 0);
    assert_eq!(world.ours(), world.desired());
}

/// The ledger cannot be written while answers come: what was sent is found out at the next start.
#[tokio::test]
async fn an_answer_that_cannot_be_written_down() {
    let cases = CLOUDS.map(|strict| async move {
        let mut world = plan(strict).start(&addresses(0..100)).await;
        world
            .sql("CREATE TRIGGER full BEFORE UPDATE OF settled_ms ON calls WHEN NEW.id > 2 BEGIN SELECT RAISE(FAIL, 'no space'); END")
            .await;
        let fault = world.once_badly().await;
        assert!(fault.contains("no space"), "{fault}");
        assert!(world.ours().len() > 40);
        world.stop().await;
        world.sql("DROP TRIGGER full").await;
        world.restart().await;
        world.once_well().await;
        world.calm().await;
        world.assert_converged(&[], &[], 2).await;
    });
    join_all(cases).await;
}

/// A cloud that never takes anything is not asked all the time, nor is the plan made all the time.
#[tokio::test]
async fn a_cloud_that_takes_nothing_is_left_alone() {
    let with = |then: Then| (When::default().action(LIST), then);
    let faults = [
        with(Then::LoseAnswer),
        with(Then::Reset),
        with(Then::Garbage),
        with(Then::error("FailedOperation")),
        with(Then::error("InvalidParameter")),
        with(Then::error("LimitExceeded")),
        with(Then::error("RequestLimitExceeded")),
        with(Then::error("InternalError")),
        with(Then::error("AuthFailure.TokenFailure")),
        with(Then::error("AuthFailure.SignatureExpire")),
        with(Then::error("UnauthorizedOperation")),
        with(Then::error("RequestSizeLimitExceeded")),
        with(Then::ReturnCode {
            code: -1,
            message: None,
            applied: false,
        }),
        (When::default(), Then::Reset),
        (When::default(), Then::error("FailedOperation")),
    ];
    let cases = faults.into_iter().map(|(when, then)| async move {
        // A lone entry: every round is as short as can be.
        let world = Plan::new().start(&addresses(0..1)).await;
        world.once_well().await;
        world.count_plans().await;
        world.feed(&addresses(1..2));
        world.feeds_are_due();
        world.faults(when.clone(), then.clone());
        let before = world.sim.calls().len();
        world.run_until(Duration::from_secs(8), |_| false).await;
        let calls = world.sim.calls().len() - before;
        let plans = world.plans().await;
        assert!(calls > 0);
        assert!(
            calls <= 60 && plans <= 40,
            "{then:?}: {calls} calls, {plans} plans"
        );
    });
    join_all(cases).await;
}

/// Two firewalls, one of them down: the other does not notice.
#[tokio::test]
async fn a_firewall_that_is_down_is_no_matter_to_another() {
    let all = addresses(0..300);
    let mut world = Plan::new().start(&all).await;
    let down = r#"
        [[firewall]]
        name = "down"
        kind = "tencent-cfw"
        endpoint = "http://127.0.0.1:9"
        credentials = { file = "{folder}/keys" }
    "#;
    let folder = world.folder.path().display().to_string();
    let both = world.config() + &down.replace("{folder}", &folder);
    world.restart_with(&both).await;
    let started = Instant::now();
    let most = Duration::from_secs(20);
    world
        .run_until(most, |world| world.ours() == world.desired())
        .await;
    assert_eq!(world.ours(), world.desired());
    // Its 15 calls take less than a second; the rest is the first poll and the first reading.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test]
async fn a_strict_cloud_with_a_firewall_that_others_share() {
    // Everything at once: strangers, a small quota, a poison, a lost answer.
    let all = addresses(0..120);
    let world = Plan::new()
        .strict("FailedOperation")
        .term("quota", "100")
        .start(&all)
        .await;
    world.others_hold(&all[10..20], None);
    world.poison(When::default().contains(&all[40]), "FailedOperation");
    world.faults(writes(2, 3), Then::LoseAnswer);
    world.once_well().await;
    world.calm().await;
    assert_eq!(world.ours().len(), 90);
    world.assert_foreign_untouched();
    let held = world.quarantine().await;
    assert!(held.keys().all(|ioc| *ioc == all[40]), "{held:?}");
    world.assert_ledger_agrees().await;
}
