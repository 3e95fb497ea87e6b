//! The main job at its real size: a feed like ipsum's onto a list of 20,000 places, and what changes afterwards.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::support::feeds::{self, NEVER};
use crate::support::rig::Rig;

const LISTED: usize = 120_430;
const PLACES: usize = 20_000;
const FIREWALL: &str = "accept = [\"ipv4\"]\nquota = 20_000\nbatch = 100";

/// Addresses inside the allowlist, with low numbers, so that they would be among the first.
fn allowed() -> Vec<Ipv4Addr> {
    (1..=30).map(|n| Ipv4Addr::new(2, 57, 122, n)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_entries_in_two_hundred_calls_and_then_only_what_changed() {
    let rig = Rig::new().await;
    rig.config_with(
        "allow = [\"2.57.0.0/16\"]",
        &rig.feed("ipsum", "direction = \"in\"\non_delist = \"withdraw\""),
        FIREWALL,
    );
    let open = feeds::addresses(7, LISTED - NEVER.len() - allowed().len());
    let guarded = NEVER.map(|text| text.parse().unwrap());
    let all: Vec<Ipv4Addr> = open
        .iter()
        .copied()
        .chain(guarded)
        .chain(allowed())
        .collect();
    rig.write("ipsum.txt", &feeds::ipsum(7, &all));

    // All scores are equal and all were first listed now: the order is that of the canonical bytes.
    let first = rig.once().await.exits(0);
    let admitted: BTreeSet<Ipv4Addr> = open[..PLACES].iter().copied().collect();
    is_exactly(&rig, &admitted);
    assert_eq!(rig.carried_out("add"), (200, PLACES));
    assert_eq!(rig.writes().len(), 200, "adds and nothing else");
    rig.keeps_the_rate();
    for entry in rig.sim.entries() {
        assert_eq!(
            (entry.rule_type, entry.direction, entry.writes),
            (1, 1, 1),
            "{}",
            entry.ioc
        );
        assert_eq!(entry.end_unix % 3600, 0, "{} is on the grid", entry.ioc);
    }
    let said = first.json();
    let left_out = &said["firewalls"][0]["left_out"];
    assert_eq!(left_out["guarded"], NEVER.len() + allowed().len());
    assert_eq!(left_out["quota"], open.len() - PLACES);
    rig.is_settled().await;

    let second = rig.once().await.exits(0);
    assert_eq!(rig.writes().len(), 200, "a second run writes nothing");
    assert_eq!(second.json()["polls"][0]["end"]["state"], "unchanged");

    // Every fortieth admitted line is gone: 500 of them.
    let gone: BTreeSet<Ipv4Addr> = admitted.iter().copied().step_by(40).collect();
    assert_eq!(gone.len(), 500);
    let rest: Vec<Ipv4Addr> = all
        .iter()
        .copied()
        .filter(|address| !gone.contains(address))
        .collect();
    rig.write("ipsum.txt", &feeds::ipsum(8, &rest));
    let third = rig.once().await.exits(0);
    let next = &open[PLACES..PLACES + gone.len()];
    let expected: BTreeSet<Ipv4Addr> = admitted.difference(&gone).chain(next).copied().collect();
    is_exactly(&rig, &expected);
    assert_eq!(rig.carried_out("delete"), (5, 500));
    assert_eq!(rig.carried_out("add"), (205, PLACES + 500));
    assert_eq!(rig.writes().len(), 210);
    rig.keeps_the_rate();
    rig.is_settled().await;
    println!(
        "first sync of {PLACES} entries {:.1} s, nothing to do {:.1} s, 500 out and in {:.1} s",
        first.took.as_secs_f64(),
        second.took.as_secs_f64(),
        third.took.as_secs_f64()
    );
}

/// Three feeds, so that scores differ: 0.9 and 0.6 together 0.96, 0.9 alone, 0.6 alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_highest_scores_have_the_places_and_the_next_ones_follow() {
    let rig = Rig::new().await;
    let broad = rig.feed(
        "broad",
        "direction = \"in\"\nconfidence = 60\non_delist = \"withdraw\"",
    );
    let sharp = rig.feed(
        "sharp",
        "direction = \"in\"\nconfidence = 90\non_delist = \"withdraw\"",
    );
    rig.config(
        &(broad + &sharp),
        "accept = [\"ipv4\"]\nquota = 1_000\nbatch = 100",
    );
    let addresses = feeds::addresses(11, 3_000);
    // The best stand at the end of the canonical order, so that only their score can bring them in.
    let (broad_alone, rest) = addresses.split_at(2_000);
    let (sharp_alone, both) = rest.split_at(600);
    rig.write("broad.txt", &feeds::lines(broad_alone.iter().chain(both)));
    rig.write("sharp.txt", &feeds::lines(sharp_alone.iter().chain(both)));

    rig.once().await.exits(0);
    let set = |parts: &[&[Ipv4Addr]]| parts.concat().into_iter().collect::<BTreeSet<_>>();
    is_exactly(&rig, &set(&[both, sharp_alone]));

    // 100 leave the sharp feed alone: they fall to the level of those that never had a place, behind the
    // canonical order of the others.
    rig.write(
        "sharp.txt",
        &feeds::lines(sharp_alone[100..].iter().chain(both)),
    );
    rig.once().await.exits(0);
    is_exactly(
        &rig,
        &set(&[both, &sharp_alone[100..], &broad_alone[..100]]),
    );
    assert_eq!(rig.carried_out("delete"), (1, 100));

    // 50 that both list leave the sharp feed: 0.6 now, and held, so they stay before all others of 0.6 outside.
    rig.write(
        "sharp.txt",
        &feeds::lines(sharp_alone[100..].iter().chain(&both[50..])),
    );
    let before = rig.writes().len();
    rig.once().await.exits(0);
    is_exactly(
        &rig,
        &set(&[both, &sharp_alone[100..], &broad_alone[..100]]),
    );
    assert_eq!(rig.writes().len(), before, "no place changes hands for it");
    rig.keeps_the_rate();
}

#[track_caller]
fn is_exactly(rig: &Rig, expected: &BTreeSet<Ipv4Addr>) {
    let listed = rig.addresses();
    let missing: Vec<_> = expected.difference(&listed).take(5).collect();
    let strange: Vec<_> = listed.difference(expected).take(5).collect();
    assert!(
        listed == *expected,
        "{} entries for {}; missing {missing:?}…, there without reason {strange:?}…",
        listed.len(),
        expected.len()
    );
    assert_eq!(
        rig.sim.entry_count(1),
        expected.len(),
        "each address once, in one direction"
    );
}

/// A feed that drops two fifths of its lines at once: three tenths of the list may go in a day, and the rest waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_deletes_than_a_day_may_hold_wait_for_a_person() {
    let rig = Rig::new().await;
    rig.config(
        &rig.feed("f", "direction = \"in\"\non_delist = \"withdraw\""),
        "accept = [\"ipv4\"]\nquota = 1_000\nbatch = 100",
    );
    let addresses = feeds::addresses(12, 500);
    rig.write("f.txt", &feeds::lines(&addresses));
    rig.once().await.exits(0);

    rig.write("f.txt", &feeds::lines(&addresses[..300]));
    let ended = rig.start(&["run", "--once"]).end().await.exits(3);
    let held = "50 deletes wait";
    assert!(ended.out.contains(held), "{}", ended.out);
    assert_eq!(rig.carried_out("delete").1, 150, "three tenths of 500");
    assert_eq!(rig.sim.entry_count(1), 350);
    let writes = rig.writes().len();
    rig.once().await.exits(3);
    assert_eq!(rig.writes().len(), writes, "the day is not over");
}
