//! Refused batches, from the refusal to the end: who is quarantined, what is learned, and in how many calls.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::desk::{Answer, Desk, Sending, addresses, entry};
use super::*;
use crate::model::{Action, Entry};

const EACH_WAY: [Sending; 3] = [Sending::OneByOne, Sending::Together, Sending::Overlapping];

fn refused(code: &str) -> Answer {
    Answer::Refused(code.to_owned())
}

/// A cloud that refuses what holds one of `poison`, by the code of the first of them.
fn refuses(poison: &BTreeSet<Entry>) -> impl FnMut(Action, &[Entry]) -> Answer {
    let poison = poison.clone();
    move |_, entries| match entries.iter().any(|entry| poison.contains(entry)) {
        true => refused("InvalidParameter.Ioc"),
        false => Answer::Taken,
    }
}

async fn desk(count: u32, sending: Sending) -> Desk {
    let mut desk = Desk::new(100, sending, 1).await;
    desk.wanted = addresses(count).into_iter().collect();
    desk
}

/// Everything wanted is there and leased, but for `poison`, which is quarantined.
async fn only_the_poison_is_missing(desk: &Desk, poison: &BTreeSet<Entry>) {
    let rest: BTreeSet<Entry> = desk.wanted.difference(poison).cloned().collect();
    assert_eq!(desk.there(), rest);
    assert_eq!(desk.leased().await, rest);
    assert_eq!(desk.quarantined().await, *poison);
    assert!(desk.is_quiet().await);
}

#[tokio::test]
async fn one_bad_entry_among_a_hundred_is_found() {
    for sending in EACH_WAY {
        for place in [0, 1, 2, 24, 48, 49, 50, 51, 73, 74, 97, 98, 99] {
            let mut desk = desk(100, sending).await;
            let poison: BTreeSet<Entry> = addresses(100).into_iter().skip(place).take(1).collect();
            // The batch, three probes, and at most two calls a halving of the 97 others.
            desk.run(18, &mut refuses(&poison)).await;
            only_the_poison_is_missing(&desk, &poison).await;
            assert!(desk.learned().await.is_empty());
            let row = desk
                .ledger
                .quarantine(desk.firewall)
                .await
                .unwrap()
                .remove(0);
            assert_eq!(
                (row.action, row.code.as_str()),
                (Action::Add, "InvalidParameter.Ioc")
            );
            assert_eq!(row.message, "InvalidParameter.Ioc was said");
            assert!(row.request_id.is_some() && row.since > at(0));
        }
    }
}

#[tokio::test]
async fn several_bad_entries_are_found() {
    for sending in EACH_WAY {
        let mut desk = desk(250, sending).await;
        let poison: BTreeSet<Entry> = addresses(250)
            .into_iter()
            .enumerate()
            .filter(|(place, _)| [3, 4, 98, 120, 121, 249].contains(place))
            .map(|(_, entry)| entry)
            .collect();
        desk.run(100, &mut refuses(&poison)).await;
        only_the_poison_is_missing(&desk, &poison).await;
        assert!(desk.learned().await.is_empty());
    }
}

#[tokio::test]
async fn a_class_that_is_not_taken_is_held_and_nothing_quarantined() {
    for sending in EACH_WAY {
        let mut desk = desk(100, sending).await;
        let domains: Vec<Entry> = (0..50)
            .map(|n| entry(&format!("h{n}.badhost.com")))
            .collect();
        desk.wanted.extend(domains.iter().cloned());
        let mut cloud = |_: Action, entries: &[Entry]| match entries[0].class().as_str() {
            "ipv4" => refused("UnsupportedOperation"),
            _ => Answer::Taken,
        };
        desk.run(5, &mut cloud).await;
        assert_eq!(desk.there(), domains.iter().cloned().collect());
        assert!(desk.quarantined().await.is_empty());
        assert!(desk.is_quiet().await);
        let learned = desk.learned().await;
        assert_eq!(
            learned.into_iter().collect::<Vec<_>>(),
            [("class block ipv4".to_owned(), None)]
        );
        let reason = desk
            .ledger
            .learned(desk.firewall, at(0))
            .await
            .unwrap()
            .remove(0)
            .2;
        assert!(reason.contains("UnsupportedOperation was said"), "{reason}");
        // A day later it is tried again.
        desk.now += DAY + 60;
        desk.run(6, &mut |_, _| Answer::Taken).await;
        assert_eq!(desk.there(), desk.wanted);
    }
}

#[tokio::test]
async fn probes_refused_for_different_reasons_are_bad_each_by_itself() {
    for sending in EACH_WAY {
        let mut desk = desk(60, sending).await;
        let all = addresses(60);
        let poison: BTreeSet<Entry> = [0, 29, 59].map(|place| all[place].clone()).into();
        let first = all[0].clone();
        let mut cloud = |_: Action, entries: &[Entry]| {
            let bad = entries.iter().find(|entry| poison.contains(entry));
            bad.map_or(Answer::Taken, |bad| match *bad == first {
                true => refused("InvalidParameter.Ioc"),
                false => refused("ResourceInUse"),
            })
        };
        desk.run(5, &mut cloud).await;
        only_the_poison_is_missing(&desk, &poison).await;
        assert!(desk.learned().await.is_empty());
    }
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_learned_from() {
    for sending in EACH_WAY {
        for limit in [60, 30, 10] {
            let mut desk = desk(100, sending).await;
            let mut cloud = |_: Action, entries: &[Entry]| match entries.len() > limit {
                true => Answer::TooLarge,
                false => Answer::Taken,
            };
            desk.run(40, &mut cloud).await;
            only_the_poison_is_missing(&desk, &BTreeSet::new()).await;
            let learned = desk.learned().await.get("batch").copied().flatten();
            let learned = usize::try_from(learned.unwrap_or(0)).unwrap();
            assert!(
                (limit / 2 + 1..=limit).contains(&learned),
                "{learned} of {limit}"
            );
            // From here on nothing is refused.
            desk.wanted.extend(addresses(300));
            let mut cloud = |_: Action, entries: &[Entry]| {
                assert!(entries.len() <= limit);
                Answer::Taken
            };
            desk.run(100, &mut cloud).await;
        }
    }
}

#[tokio::test]
async fn a_size_that_the_cloud_does_not_name_is_found_too() {
    for sending in EACH_WAY {
        let mut desk = desk(100, sending).await;
        let mut cloud = |_: Action, entries: &[Entry]| match entries.len() > 30 {
            true => refused("InvalidParameter"),
            false => Answer::Taken,
        };
        desk.run(40, &mut cloud).await;
        only_the_poison_is_missing(&desk, &BTreeSet::new()).await;
        let learned = desk.learned().await.get("batch").copied().flatten();
        assert!(learned.is_some_and(|size| size <= 30), "{learned:?}");
    }
}

#[tokio::test]
async fn what_fails_for_no_reason_is_repeated_and_then_split() {
    for sending in EACH_WAY {
        let mut desk = desk(100, sending).await;
        let mut failures = 0;
        let mut cloud = |_: Action, _: &[Entry]| {
            failures += 1;
            match failures {
                1 | 2 => Answer::Failed,
                _ => Answer::Taken,
            }
        };
        desk.run(3, &mut cloud).await;
        only_the_poison_is_missing(&desk, &BTreeSet::new()).await;
        let attempts: Vec<u32> = desk
            .ledger
            .calls(false, 9)
            .await
            .unwrap()
            .iter()
            .map(|call| call.attempt)
            .collect();
        assert_eq!(attempts, [3, 2, 1]);
        // It waited for its time.
        assert!(desk.now > 120);
    }
}

#[tokio::test]
async fn an_entry_at_which_the_cloud_always_fails_is_quarantined() {
    for sending in EACH_WAY {
        let mut desk = desk(40, sending).await;
        let poison: BTreeSet<Entry> = addresses(40).into_iter().skip(17).take(1).collect();
        let mut cloud =
            |_: Action, entries: &[Entry]| match entries.iter().any(|entry| poison.contains(entry))
            {
                true => Answer::Failed,
                false => Answer::Taken,
            };
        desk.run(40, &mut cloud).await;
        only_the_poison_is_missing(&desk, &poison).await;
    }
}

#[tokio::test]
async fn a_cloud_that_fails_at_everything_is_asked_less_and_less() {
    for sending in EACH_WAY {
        let mut desk = desk(100, sending).await;
        // Three times the batch and three times each probe; the same once more after a reading.
        desk.run(24, &mut |_, _| Answer::Failed).await;
        assert!(desk.quarantined().await.is_empty());
        assert!(desk.learned().await.contains_key("class block ipv4"));
        assert!(desk.is_quiet().await);
    }
}

#[tokio::test]
async fn deletes_that_are_all_refused_wait_an_hour_and_lose_nobody() {
    for sending in EACH_WAY {
        let mut desk = desk(80, sending).await;
        desk.run(1, &mut |_, _| Answer::Taken).await;
        desk.wanted.clear();
        let mut cloud = |_: Action, _: &[Entry]| refused("OperationDenied");
        desk.calls = 0;
        while desk.run_once(&mut cloud).await {}
        // The batch and three probes, and the same once more after a reading; then nothing for an hour.
        assert_eq!(desk.calls, 8);
        desk.now += 3_000;
        assert!(!desk.run_once(&mut cloud).await);
        assert_eq!(desk.leased().await.len(), 80);
        assert!(desk.quarantined().await.is_empty());
        assert!(desk.learned().await.contains_key("call delete block ipv4"));
        desk.now += 700;
        desk.run(90, &mut |_, _| Answer::Taken).await;
        assert!(desk.leased().await.is_empty() && desk.is_quiet().await);
    }
}

#[tokio::test]
async fn an_entry_whose_delete_is_refused_alone_is_left_to_its_end() {
    for sending in EACH_WAY {
        let mut desk = desk(20, sending).await;
        desk.run(1, &mut |_, _| Answer::Taken).await;
        desk.wanted.clear();
        let poison: BTreeSet<Entry> = addresses(20).into_iter().skip(7).take(1).collect();
        desk.run(20, &mut refuses(&poison)).await;
        assert_eq!(desk.leased().await, poison);
        assert_eq!(desk.quarantined().await, poison);
        assert!(desk.is_quiet().await);
    }
}

/// Whenever something is under trial, one of its entries (or all of them) may cease to be wanted.
#[tokio::test]
async fn what_is_no_longer_wanted_leaves_no_trial_stuck() {
    for sending in EACH_WAY {
        for cut in [1, 2, 3, 4, 5, 7, 9, 12] {
            for spare in [0, 1, 49, 97] {
                let mut desk = desk(100, sending).await;
                let poison: BTreeSet<Entry> = addresses(100).into_iter().skip(50).take(1).collect();
                let mut left = cut;
                let mut cloud = refuses(&poison);
                while left > 0 && desk.run_once(&mut cloud).await {
                    left -= 1;
                }
                desk.wanted = addresses(100).into_iter().take(spare).collect();
                desk.run(60, &mut cloud).await;
                let held = desk.quarantined().await;
                assert_eq!(&desk.there() | &held, &desk.wanted | &held);
                assert!(desk.there().is_disjoint(&held));
                assert!(desk.is_quiet().await, "{sending:?} {cut} {spare}");
                assert!(
                    !desk.learned().await.contains_key("batch"),
                    "{sending:?} {cut} {spare}"
                );
                assert!(desk.quarantined().await.is_subset(&poison));
            }
        }
    }
}

/// A cloud with bad entries, a limit of its own, and answers that get lost.
#[derive(Clone, Debug)]
struct Weather {
    count: u32,
    batch: usize,
    poison: Vec<u32>,
    codes: u32,
    lost: Vec<bool>,
    sending: Sending,
    seed: u64,
}

fn weather() -> impl Strategy<Value = Weather> {
    let sending = prop_oneof![
        Just(Sending::OneByOne),
        Just(Sending::Together),
        Just(Sending::Overlapping)
    ];
    (1..130u32, 1..60usize, 1..4u32, sending, any::<u64>()).prop_flat_map(
        |(count, batch, codes, sending, seed)| {
            let poison = prop::collection::vec(0..count, 0..8);
            let lost = prop::collection::vec(prop::bool::weighted(0.1), 0..40);
            (poison, lost).prop_map(move |(poison, lost)| Weather {
                count,
                batch,
                poison,
                codes,
                lost,
                sending,
                seed,
            })
        },
    )
}

async fn search(weather: Weather) {
    let mut desk = Desk::new(weather.batch, weather.sending, weather.seed).await;
    let all = addresses(weather.count);
    desk.wanted = all.iter().cloned().collect();
    let bad: Vec<&Entry> = weather
        .poison
        .iter()
        .map(|place| &all[*place as usize])
        .collect();
    let poison: BTreeSet<Entry> = bad.iter().map(|entry| (*entry).clone()).collect();
    let code = |entry: &Entry| {
        let place = poison.iter().position(|bad| bad == entry).unwrap_or(0);
        format!("Bad.{}", place % weather.codes as usize)
    };
    let mut lost = weather.lost.iter();
    let mut cloud = |_: Action, entries: &[Entry]| {
        let bad = entries.iter().find(|entry| poison.contains(entry));
        if lost.next() == Some(&true) {
            return Answer::Lost {
                taken: bad.is_none(),
            };
        }
        bad.map_or(Answer::Taken, |bad| Answer::Refused(code(bad)))
    };
    let batches = weather.count as usize / weather.batch + 1;
    let halvings = weather.batch.ilog2() as usize + 2;
    let most = batches * 5 + poison.len() * (3 + 2 * halvings) + 2 * weather.lost.len();
    desk.run(most, &mut cloud).await;
    let held = desk.learned().await.contains_key("class block ipv4");
    assert!(desk.is_quiet().await);
    assert!(desk.quarantined().await.is_subset(&poison));
    assert!(!desk.learned().await.contains_key("batch"));
    if held {
        // Three of one batch were refused alone, alike.
        assert!(poison.len() >= 3);
    } else {
        only_the_poison_is_missing(&desk, &poison).await;
    }
}

/// The first answer is lost, so that all of them may be there, and the three that then go alone are the bad ones: what
/// is refused alike may be there already, or not be taken. The next reading tells.
#[tokio::test]
async fn what_is_refused_alike_after_a_lost_answer_is_not_taken_to_be_there_for_long() {
    for sending in EACH_WAY {
        let mut lost = vec![false; 16];
        lost[0] = true;
        let weather = Weather {
            count: 5,
            batch: 36,
            poison: vec![0, 2, 4],
            codes: 1,
            lost,
            sending,
            seed: 1,
        };
        search(weather).await;
    }
}

#[test]
fn exactly_the_bad_ones_are_quarantined() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = ProptestConfig {
        cases: 60,
        ..ProptestConfig::default()
    };
    proptest!(config, |(weather in weather())| {
        runtime.block_on(search(weather));
    });
}
