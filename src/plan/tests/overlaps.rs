//! The daemon's way to a plan beside the commands' one, and networks that hold what else is listed.

use super::super::draw::{Sheets, draw};
use super::super::expiry::{FeedFacts, believe};
use super::super::merge::{Merge, Source};
use super::super::sheet::Sheet;
use super::*;
use crate::model::{FeedTerms, Listing, Mode, OnDelist};

/// Addresses, networks that hold them, networks that hold those, one of them with an allowed address inside, names.
fn indicator() -> impl Strategy<Value = Indicator> {
    let text = prop_oneof![
        6 => (0..24u8).prop_map(|n| format!("45.0.0.{n}")),
        2 => (0..6u8).prop_map(|n| format!("45.0.0.{}/30", n * 4)),
        1 => Just("45.0.0.0/28".to_owned()),
        1 => Just("45.0.0.0/24".to_owned()),
        1 => (0..4u8).prop_map(|n| format!("2a00::{n}")),
        1 => Just("2a00::/126".to_owned()),
        1 => (0..6u8).prop_map(|n| format!("d{n}.badhost.com")),
    ];
    text.prop_map(|text| Indicator::try_new(&text).unwrap())
}

fn listing() -> impl Strategy<Value = Listing> {
    let end = || prop::option::weighted(0.2, 1..200i64);
    let confidence = prop::option::weighted(0.3, 1..=100u8);
    (
        indicator(),
        0..1000i64,
        end(),
        any::<bool>(),
        end(),
        confidence,
    )
        .prop_map(|(indicator, age, ends, delisted, valid, confidence)| {
            let hours = |hours: i64| UnixTime::from_seconds(NOW.seconds() + (hours - 20) * 3600);
            Listing {
                indicator,
                first_listed: UnixTime::from_seconds(NOW.seconds() - age),
                expires_at: ends.map(hours),
                delisted_at: ends
                    .filter(|_| delisted)
                    .map(|_| NOW.minus(Duration::from_secs(90_000))),
                valid_until: valid.map(hours),
                dated: None,
                confidence,
            }
        })
}

fn feed() -> impl Strategy<Value = (FeedFacts, Vec<Listing>)> {
    let listings = prop::collection::vec(listing(), 0..40).prop_map(|mut all| {
        all.sort_by(|one, other| one.indicator.cmp(&other.indicator));
        all.dedup_by(|one, other| one.indicator == other.indicator);
        all
    });
    let directions = prop_oneof![
        Just(None),
        Just(Some(Directions::IN)),
        Just(Some(Directions::BOTH))
    ];
    let terms = (1..=100u8, directions, any::<bool>());
    (terms, prop::option::weighted(0.9, 0..200i64), listings).prop_map(
        |((confidence, directions, incremental), age, listings)| {
            let facts = FeedFacts {
                terms: FeedTerms {
                    ttl: Duration::from_secs(7 * 86_400),
                    confidence,
                    directions,
                    list: List::Block,
                    mode: if incremental {
                        Mode::Incremental
                    } else {
                        Mode::Snapshot
                    },
                    on_delist: OnDelist::AgeOut,
                    max_age: None,
                },
                last_good: age.map(|hours| UnixTime::from_seconds(NOW.seconds() - hours * 3600)),
                patience_until: None,
            };
            (facts, listings)
        },
    )
}

pub(super) type Feeds = Vec<(FeedFacts, Vec<Listing>)>;

pub(super) fn feeds() -> impl Strategy<Value = Feeds> {
    prop::collection::vec(feed(), 1..4)
}

pub(super) fn terms() -> impl Strategy<Value = FirewallTerms> {
    let quota = prop_oneof![Just(100_000), 3..60u64];
    let expand = prop_oneof![Just(None), Just(Some(28)), Just(Some(30))];
    let accept = prop_oneof![
        Just(Class::ALL.to_vec()),
        Just(vec![Class::Ipv4, Class::Domain])
    ];
    (quota, expand, accept).prop_map(|(quota, expand_networks, accept)| FirewallTerms {
        accept,
        expand_networks,
        ..super::terms(quota)
    })
}

fn sheets(feeds: &Feeds) -> Vec<Sheet> {
    let sheet = |listings: &Vec<Listing>| {
        let mut sheet = Sheet::default();
        listings.iter().for_each(|listing| sheet.push(listing));
        sheet
    };
    feeds.iter().map(|(_, listings)| sheet(listings)).collect()
}

fn sources<'a>(feeds: &'a Feeds, sheets: &'a [Sheet]) -> Vec<Source<'a>> {
    let source = |((facts, _), sheet): (&'a (FeedFacts, _), &'a Sheet)| Source { sheet, facts };
    feeds.iter().zip(sheets).map(source).collect()
}

/// The daemon's way.
pub(super) fn drawn(
    terms: &FirewallTerms,
    standing: &Standing,
    feeds: &Feeds,
    now: UnixTime,
) -> Plan {
    let sheets = sheets(feeds);
    let say = Sheets {
        block: sources(feeds, &sheets),
        allow: Vec::new(),
    };
    draw(terms, standing, &say, &GUARDS, now)
}

/// The way of the commands, by beliefs.
fn planned(terms: &FirewallTerms, standing: &Standing, feeds: &Feeds, now: UnixTime) -> Plan {
    let candidates = by_belief(terms, feeds, now);
    let mut left_out = BTreeMap::new();
    let wanted = desired(
        List::Block,
        &candidates,
        &GUARDS,
        terms.takes(),
        &mut left_out,
    );
    plan(terms, standing, wanted, left_out, now)
}

pub(super) fn by_belief(
    terms: &FirewallTerms,
    feeds: &Feeds,
    now: UnixTime,
) -> Vec<super::super::desired::Candidate> {
    let believed = |(facts, listings): &(FeedFacts, Vec<Listing>)| -> Vec<Belief> {
        let all = listings.iter();
        all.filter_map(|listing| believe(facts, listing, terms.grid, now))
            .collect()
    };
    candidates(feeds.iter().map(believed).collect())
}

/// Plans and applies until nothing is left; how many plans that took.
fn settle(terms: &FirewallTerms, standing: &mut Standing, feeds: &Feeds, now: UnixTime) -> usize {
    for round in 0..6 {
        let plan = drawn(terms, standing, feeds, now);
        if plan.batches.is_empty() {
            return round;
        }
        apply(standing, &plan, now);
    }
    panic!("six plans did not settle it");
}

/// Whether an entry stands inside another one.
fn nested(standing: &Standing) -> bool {
    let inside = |one: &Entry, other: &Entry| {
        let nets = one.indicator.net().zip(other.indicator.net());
        one != other
            && one.direction == other.direction
            && nets.is_some_and(|(one, other)| other.contains(&one))
    };
    let leases = &standing.leases;
    leases
        .iter()
        .any(|one| leases.iter().any(|other| inside(&one.entry, &other.entry)))
}

/// Which addresses of the small universe are blocked inbound.
fn blocked(standing: &Standing) -> BTreeSet<String> {
    let addresses = (0..=255u8)
        .map(|n| format!("45.0.0.{n}"))
        .chain((0..4u8).map(|n| format!("2a00::{n}")));
    let is_blocked = |text: &String| {
        let net = Indicator::try_new(text).unwrap().net().unwrap();
        standing.leases.iter().any(|lease| {
            lease.entry.direction == Direction::In
                && lease
                    .entry
                    .indicator
                    .net()
                    .is_some_and(|held| held.contains(&net))
        })
    };
    addresses.filter(is_blocked).collect()
}

proptest! {
    #[test]
    fn both_ways_lead_to_the_same_plan(before in feeds(), after in feeds(), terms in terms()) {
        let mut standing = Standing::default();
        apply(&mut standing, &drawn(&terms, &Standing::default(), &before, NOW), NOW);
        let sheets = sheets(&after);
        let merged: Vec<_> =
            Merge::of(&sources(&after, &sheets), 0..u8::MAX, terms.grid, NOW).collect();
        prop_assert_eq!(merged, by_belief(&terms, &after, NOW));
        prop_assert_eq!(
            drawn(&terms, &standing, &after, NOW),
            planned(&terms, &standing, &after, NOW)
        );
    }

    #[test]
    fn with_a_constant_input_the_second_plan_is_empty(feeds in feeds(), terms in terms()) {
        let mut standing = Standing::default();
        prop_assert!(settle(&terms, &mut standing, &feeds, NOW) <= 1);
    }

    #[test]
    fn nothing_stands_inside_a_network_and_nothing_is_lost_for_it(
        before in feeds(), after in feeds(), terms in terms()
    ) {
        let terms = FirewallTerms { quota: Quota::Fixed(100_000), ..terms };
        let mut standing = Standing::default();
        settle(&terms, &mut standing, &before, NOW);
        prop_assert!(!nested(&standing));
        settle(&terms, &mut standing, &after, NOW);
        prop_assert!(!nested(&standing));
        // The same without networks that hold what else is listed: every address for itself.
        let single = FirewallTerms { expand_networks: Some(16), accept: Class::ALL.to_vec(), ..terms.clone() };
        let mut alone = Standing::default();
        settle(&single, &mut alone, &after, NOW);
        if terms.accept.len() == Class::ALL.len() {
            prop_assert_eq!(blocked(&standing), blocked(&alone));
        }
    }

    #[test]
    fn what_a_network_held_is_never_open_while_it_goes(feeds in feeds()) {
        let terms = super::terms(100_000);
        let mut standing = Standing::default();
        settle(&terms, &mut standing, &feeds, NOW);
        let without: Feeds = feeds.iter().map(|(facts, listings)| {
            let is_one = |one: &&Listing| one.indicator.class() != Class::Network;
            (facts.clone(), listings.iter().filter(is_one).cloned().collect())
        }).collect();
        let mut end = Standing::default();
        settle(&terms, &mut end, &without, NOW);
        let wanted = blocked(&end);
        let mut kept: BTreeSet<String> = blocked(&standing).intersection(&wanted).cloned().collect();
        for _ in 0..6 {
            let plan = drawn(&terms, &standing, &without, NOW);
            // A call at a time, as the cloud sees them.
            for batch in plan.batches {
                apply(&mut standing, &Plan { batches: vec![batch], ..Plan::default() }, NOW);
                let there = blocked(&standing);
                prop_assert!(kept.is_subset(&there));
                kept = there.intersection(&wanted).cloned().collect();
            }
        }
        prop_assert_eq!(blocked(&standing), wanted);
    }
}

fn one_feed(texts: &[&str]) -> Feeds {
    let listing = |text: &&str| Listing {
        indicator: Indicator::try_new(text).unwrap(),
        first_listed: NOW,
        expires_at: None,
        delisted_at: None,
        valid_until: None,
        dated: None,
        confidence: None,
    };
    let facts = FeedFacts {
        terms: FeedTerms {
            ttl: Duration::from_secs(7 * 86_400),
            confidence: 60,
            directions: Some(Directions::IN),
            list: List::Block,
            mode: Mode::Snapshot,
            on_delist: OnDelist::AgeOut,
            max_age: None,
        },
        last_good: Some(NOW),
        patience_until: None,
    };
    let mut listings: Vec<Listing> = texts.iter().map(listing).collect();
    listings.sort_by(|one, other| one.indicator.cmp(&other.indicator));
    vec![(facts, listings)]
}

fn actions(plan: &Plan) -> Vec<(Action, String)> {
    let entries = plan.batches.iter().flat_map(|batch| {
        let action = batch.action();
        batch
            .entries()
            .into_iter()
            .map(move |entry| (action, entry.indicator.to_string()))
    });
    entries.collect()
}

#[test]
fn an_address_comes_in_before_the_network_that_held_it_goes() {
    let terms = super::terms(100);
    let mut standing = Standing::default();
    let network = one_feed(&["46.1.0.0/24", "46.1.0.7", "46.2.0.1"]);
    let plan = drawn(&terms, &standing, &network, NOW);
    assert_eq!(plan.left_out.get(&LeftOut::Covered), Some(&1));
    apply(&mut standing, &plan, NOW);
    let address = one_feed(&["46.1.0.7", "46.2.0.1"]);
    let plan = drawn(&terms, &standing, &address, NOW);
    assert_eq!(actions(&plan), [(Action::Add, "46.1.0.7".to_owned())]);
    apply(&mut standing, &plan, NOW);
    let plan = drawn(&terms, &standing, &address, NOW);
    assert_eq!(actions(&plan), [(Action::Delete, "46.1.0.0/24".to_owned())]);

    // Without a place for both, the network goes first.
    let mut standing = Standing::default();
    let terms = super::terms(4);
    settle(&terms, &mut standing, &network, NOW);
    let plan = drawn(&terms, &standing, &address, NOW);
    let expected = [
        (Action::Delete, "46.1.0.0/24".to_owned()),
        (Action::Add, "46.1.0.7".to_owned()),
    ];
    assert_eq!(actions(&plan), expected);
}

#[test]
fn addresses_leave_once_the_network_that_holds_them_stands_and_no_brake_holds_that() {
    let terms = FirewallTerms {
        max_delete: 0.01,
        ..super::terms(1000)
    };
    let many: Vec<String> = (0..100u8).map(|n| format!("46.1.0.{n}")).collect();
    let mut texts: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut standing = Standing::default();
    settle(&terms, &mut standing, &one_feed(&texts), NOW);
    texts.push("46.1.0.0/24");
    let both = one_feed(&texts);
    let plan = drawn(&terms, &standing, &both, NOW);
    assert_eq!(actions(&plan), [(Action::Add, "46.1.0.0/24".to_owned())]);
    apply(&mut standing, &plan, NOW);
    let plan = drawn(&terms, &standing, &both, NOW);
    assert_eq!((plan.pending, plan.held_deletes, plan.desired), (100, 0, 1));
    apply(&mut standing, &plan, NOW);
    assert!(drawn(&terms, &standing, &both, NOW).batches.is_empty());
}

#[test]
fn what_a_network_without_a_place_holds_takes_part_itself() {
    let terms = super::terms(4);
    // Two places: a network of a weak feed loses both, and one of the addresses inside it wins.
    let mut feeds = one_feed(&["46.1.0.0/24"]);
    feeds[0].0.terms.confidence = 10;
    feeds.extend(one_feed(&["46.1.0.7", "46.2.0.1"]));
    let mut standing = Standing::default();
    let plan = drawn(&terms, &standing, &feeds, NOW);
    // While it seemed that the network had a place, the address had none of its own.
    let entries: Vec<String> = actions(&plan).into_iter().map(|(_, text)| text).collect();
    assert_eq!(entries, ["46.2.0.1", "46.1.0.0/24"]);
    apply(&mut standing, &plan, NOW);
    assert!(drawn(&terms, &standing, &feeds, NOW).batches.is_empty());
    feeds.extend(one_feed(&["46.3.0.1", "46.3.0.2"]));
    let mut standing = Standing::default();
    let plan = drawn(&terms, &standing, &feeds, NOW);
    let entries: Vec<String> = actions(&plan).into_iter().map(|(_, text)| text).collect();
    assert_eq!(entries, ["46.1.0.7", "46.2.0.1"]);
    apply(&mut standing, &plan, NOW);
    assert!(drawn(&terms, &standing, &feeds, NOW).batches.is_empty());
}

#[test]
fn small_networks_go_in_as_addresses_and_carved_ones_without_what_is_guarded() {
    let terms = FirewallTerms {
        accept: vec![Class::Ipv4, Class::Ipv6],
        expand_networks: Some(24),
        ..super::terms(10_000)
    };
    let feeds = one_feed(&[
        "45.0.0.0/24",
        "46.0.0.0/23",
        "45.0.0.9",
        "45.0.0.8/30",
        "2a00::/126",
    ]);
    let plan = drawn(&terms, &Standing::default(), &feeds, NOW);
    let entries = actions(&plan);
    assert_eq!(entries.len(), 255 + 4);
    assert!(
        !entries.iter().any(|(_, text)| text == "45.0.0.3"),
        "it is allowed"
    );
    assert_eq!(
        plan.left_out,
        BTreeMap::from([(LeftOut::ClassNotAccepted, 1)])
    );
    let plan = planned(&terms, &Standing::default(), &feeds, NOW);
    assert_eq!(plan.desired, 259);
}
