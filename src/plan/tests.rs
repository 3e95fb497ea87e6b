//! The planner's promises, on random ledgers: applying a plan gives what was admitted, a second plan is
//! empty, no more calls than needed, and no flapping.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;

mod bar;
mod overlaps;
mod renewals;

use super::desired::{candidates, desired};
use super::expiry::Belief;
use super::*;
use crate::guard::{Guards, Material};
use crate::model::{Action, Directions, Indicator, List};
use crate::parse::MinPrefix;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn terms(quota: u64) -> FirewallTerms {
    FirewallTerms {
        accept: Class::ALL.to_vec(),
        expand_networks: None,
        batch: 7,
        quota: Quota::Fixed(quota),
        reserve: 2,
        margin: 0.05,
        max_delete: 1.0,
        lease: Duration::from_secs(3 * 86_400),
        grid: Duration::from_secs(3600),
        min_term: Duration::from_secs(600),
    }
}

static GUARDS: LazyLock<Guards> = LazyLock::new(|| {
    Guards::try_new(Material {
        min_prefix: MinPrefix { v4: 8, v6: 16 },
        allow: vec![Indicator::try_new("45.0.0.3").unwrap()],
        files: Vec::new(),
        by_hand: Vec::new(),
        sets: Vec::new(),
        own_ground: Vec::new(),
    })
    .unwrap()
});

/// A listing of one of 60 addresses (one of them allowed), 10 networks or 10 domains.
fn belief() -> impl Strategy<Value = Belief> {
    let indicator = prop_oneof![
        6 => (0..60u8).prop_map(|n| format!("45.0.0.{n}")),
        1 => (0..10u8).prop_map(|n| format!("46.{n}.0.0/24")),
        1 => (0..10u8).prop_map(|n| format!("d{n}.badhost.com")),
    ];
    let directions = prop_oneof![
        Just(Directions::IN),
        Just(Directions::OUT),
        Just(Directions::BOTH)
    ];
    (indicator, 1..20u64, 1..=200u8, 0..1000i64, directions).prop_map(
        |(text, hours, weight, age, directions)| Belief {
            indicator: Indicator::try_new(&text).unwrap(),
            first_listed: UnixTime::from_seconds(NOW.seconds() - age),
            expires: NOW.plus(Duration::from_secs(hours * 9000)),
            weight,
            directions,
            lapsed: false,
        },
    )
}

fn feeds() -> impl Strategy<Value = Vec<Vec<Belief>>> {
    let feed = prop::collection::vec(belief(), 0..40).prop_map(|mut feed| {
        feed.sort_by(|one, other| one.indicator.cmp(&other.indicator));
        feed.dedup_by(|one, other| one.indicator == other.indicator);
        feed
    });
    prop::collection::vec(feed, 1..4)
}

fn make(terms: &FirewallTerms, standing: &Standing, feeds: &[Vec<Belief>], now: UnixTime) -> Plan {
    let mut left_out = BTreeMap::new();
    let alive = |feed: &Vec<Belief>| -> Vec<Belief> {
        feed.iter()
            .filter(|belief| belief.expires > now)
            .cloned()
            .collect()
    };
    let candidates = candidates(feeds.iter().map(alive).collect());
    let wanted = desired(
        List::Block,
        &candidates,
        &GUARDS,
        terms.takes(),
        &mut left_out,
    );
    plan(terms, standing, wanted, left_out, now)
}

/// Does what the cloud and the ledger do when every call of a plan is applied.
fn apply(standing: &mut Standing, plan: &Plan, now: UnixTime) {
    let mut leases: BTreeMap<Entry, Lease> = standing
        .leases
        .drain(..)
        .map(|lease| (lease.entry.clone(), lease))
        .collect();
    for batch in &plan.batches {
        for entry in batch.entries() {
            match batch.end_time() {
                None => assert!(leases.remove(&entry).is_some(), "deleted what was not held"),
                Some(end_time) => {
                    let lease = Lease {
                        entry: entry.clone(),
                        end_time,
                        set_at: now,
                        doubt: None,
                    };
                    let before = leases.insert(entry, lease);
                    assert_eq!(before.is_some(), batch.action() == Action::Edit);
                }
            }
        }
    }
    standing.leases = leases.into_values().collect();
}

fn held(standing: &Standing) -> BTreeSet<Entry> {
    standing
        .leases
        .iter()
        .map(|lease| lease.entry.clone())
        .collect()
}

/// What should be on the list, found the slow way.
fn model(feeds: &[Vec<Belief>]) -> BTreeSet<Entry> {
    let allowed = Indicator::try_new("45.0.0.3").unwrap();
    feeds
        .iter()
        .flatten()
        .filter(|belief| belief.indicator != allowed)
        .flat_map(|belief| {
            belief.directions.iter().map(|direction| Entry {
                list: List::Block,
                indicator: belief.indicator.clone(),
                direction,
            })
        })
        .collect()
}

fn least_calls(plan: &Plan, batch: usize) -> usize {
    let mut groups: BTreeMap<_, usize> = BTreeMap::new();
    for each in &plan.batches {
        *groups
            .entry((each.list, each.class, each.action(), each.end_time()))
            .or_default() += each.len();
    }
    groups.values().map(|entries| entries.div_ceil(batch)).sum()
}

proptest! {
    #[test]
    fn a_plan_applied_gives_the_desired_set_and_the_next_one_is_empty(feeds in feeds()) {
        let terms = terms(100_000);
        let mut standing = Standing::default();
        let plan = make(&terms, &standing, &feeds, NOW);
        apply(&mut standing, &plan, NOW);
        prop_assert_eq!(held(&standing), model(&feeds));
        prop_assert_eq!(plan.batches.len(), least_calls(&plan, terms.batch));
        let again = make(&terms, &standing, &feeds, NOW);
        prop_assert!(again.batches.is_empty());
        prop_assert_eq!(again.held, again.desired);
    }

    #[test]
    fn from_any_start_the_plan_leads_to_the_desired_set(before in feeds(), after in feeds()) {
        let terms = terms(100_000);
        let mut standing = Standing::default();
        let plan = make(&terms, &standing, &before, NOW);
        apply(&mut standing, &plan, NOW);
        let plan = make(&terms, &standing, &after, NOW);
        apply(&mut standing, &plan, NOW);
        prop_assert_eq!(held(&standing), model(&after));
    }

    #[test]
    fn under_a_quota_the_best_are_held_and_the_next_plan_is_empty(feeds in feeds(), quota in 2..60u64) {
        let terms = terms(quota);
        let mut standing = Standing::default();
        let plan = make(&terms, &standing, &feeds, NOW);
        let most = usize::try_from(quota - 2).unwrap();
        apply(&mut standing, &plan, NOW);
        prop_assert_eq!(standing.leases.len(), most.min(model(&feeds).len()));
        prop_assert_eq!(plan.left_out.get(&LeftOut::Quota).copied().unwrap_or(0) as usize,
            model(&feeds).len().saturating_sub(most));
        prop_assert!(make(&terms, &standing, &feeds, NOW).batches.is_empty());
    }

    #[test]
    fn one_changed_listing_moves_at_most_one_entry_a_direction(
        feeds in feeds(), quota in 2..60u64, change in belief()
    ) {
        let terms = terms(quota);
        let mut standing = Standing::default();
        let plan = make(&terms, &standing, &feeds, NOW);
        apply(&mut standing, &plan, NOW);
        let mut changed = feeds;
        changed[0].retain(|belief| belief.indicator != change.indicator);
        changed[0].push(change);
        changed[0].sort_by(|one, other| one.indicator.cmp(&other.indicator));
        let plan = make(&terms, &standing, &changed, NOW);
        let count = |action, direction| plan.batches.iter().filter(|batch| batch.action() == action)
            .flat_map(Batch::entries).filter(|entry| entry.direction == direction).count();
        // Directions are told apart by entries, and places are shared: an address that takes two new
        // places may push out two entries of one direction.
        let adds: usize = Direction::ALL.iter().map(|direction| count(Action::Add, *direction)).sum();
        let deletes: usize = Direction::ALL.iter().map(|direction| count(Action::Delete, *direction)).sum();
        prop_assert!(adds <= 2 && deletes <= 2, "{adds} adds, {deletes} deletes");
    }

    #[test]
    fn renewals_are_spread_and_no_lease_ever_lapses(feeds in feeds()) {
        let terms = FirewallTerms { lease: Duration::from_secs(86_400), ..terms(100_000) };
        let forever: Vec<Vec<Belief>> = feeds.into_iter().map(|feed| feed.into_iter().map(|belief| Belief {
            expires: NOW.plus(Duration::from_secs(365 * 86_400)), ..belief
        }).collect()).collect();
        let mut standing = Standing::default();
        let mut now = NOW;
        for hour in 0..72u64 {
            now = NOW.plus(Duration::from_secs(hour * 3600));
            prop_assert!(standing.leases.iter().all(|lease| lease.end_time > now));
            let plan = make(&terms, &standing, &forever, now);
            prop_assert!(hour == 0 || plan.batches.iter().all(|batch| batch.action() == Action::Edit));
            apply(&mut standing, &plan, now);
        }
        prop_assert!(make(&terms, &standing, &forever, now).batches.is_empty());
    }

    #[test]
    fn the_order_of_feeds_changes_nothing(feeds in feeds(), quota in 2..60u64) {
        let terms = terms(quota);
        let turned: Vec<_> = feeds.iter().rev().cloned().collect();
        let plan = make(&terms, &Standing::default(), &feeds, NOW);
        prop_assert_eq!(plan, make(&terms, &Standing::default(), &turned, NOW));
    }

    #[test]
    fn what_is_in_doubt_is_settled_and_what_others_hold_is_left(feeds in feeds()) {
        let terms = terms(100_000);
        let mut standing = Standing::default();
        let plan = make(&terms, &standing, &feeds, NOW);
        apply(&mut standing, &plan, NOW);
        for (index, lease) in standing.leases.iter_mut().enumerate() {
            lease.doubt = Action::ALL.get(index % 4).copied();
        }
        let foreign: Vec<Entry> = standing.leases.iter().step_by(5).map(|lease| lease.entry.clone()).collect();
        standing.leases.retain(|lease| !foreign.contains(&lease.entry));
        standing.foreign = foreign.into_iter().collect();
        let plan = make(&terms, &standing, &feeds, NOW);
        let doubtful: BTreeSet<_> = standing.leases.iter().filter(|lease| lease.doubt.is_some())
            .map(|lease| lease.entry.clone()).collect();
        let touched: BTreeSet<_> = plan.batches.iter().flat_map(Batch::entries).collect();
        prop_assert_eq!(touched, doubtful);
    }
}

fn leases(count: u8) -> Standing {
    let lease = |n| Lease {
        entry: Entry {
            list: List::Block,
            indicator: Indicator::try_new(&format!("45.0.1.{n}")).unwrap(),
            direction: Direction::In,
        },
        end_time: NOW.plus(Duration::from_secs(86_400)),
        set_at: NOW,
        doubt: None,
    };
    Standing {
        leases: (0..count).map(lease).collect(),
        ..Standing::default()
    }
}

#[test]
fn deletes_beyond_the_brake_wait_and_an_approval_lets_them_go() {
    let terms = FirewallTerms {
        max_delete: 0.3,
        ..terms(1000)
    };
    let mut standing = leases(200);
    let plan = make(&terms, &standing, &[], NOW);
    assert_eq!(
        (plan.pending, plan.held_deletes, plan.wanted_deletes),
        (60, 140, 200)
    );
    standing.leases.drain(..60);
    standing.deleted = 60;
    let plan = make(&terms, &standing, &[], NOW);
    assert_eq!((plan.pending, plan.held_deletes), (0, 140));
    // The numbers that say why are those of the day, and stand still while it waits.
    assert_eq!((plan.wanted_deletes, plan.allowed_deletes), (200, 60));
    assert_eq!(plan.unwanted.len(), 140);
    standing.approved_deletes = 140;
    assert_eq!(make(&terms, &standing, &[], NOW).pending, 140);
    // A handful never waits.
    assert_eq!(make(&terms, &leases(50), &[], NOW).held_deletes, 0);
}

#[test]
fn the_operator_s_own_hand_is_not_braked() {
    let terms = FirewallTerms {
        max_delete: 0.3,
        ..terms(1000)
    };
    let mut standing = leases(200);
    standing.exempt = standing
        .leases
        .iter()
        .skip(100)
        .map(|lease| lease.entry.clone())
        .collect();
    let plan = make(&terms, &standing, &[], NOW);
    assert_eq!((plan.pending, plan.held_deletes), (160, 40));
    standing.withdrawn = true;
    standing.exempt.clear();
    let plan = make(&terms, &standing, &[], NOW);
    assert_eq!((plan.pending, plan.held_deletes), (200, 0));
}

#[test]
fn what_the_brake_holds_is_renewed_and_keeps_its_places() {
    let terms = FirewallTerms {
        max_delete: 0.3,
        ..terms(202)
    };
    let standing = leases(200);
    let later = NOW.plus(Duration::from_secs(60_000));
    let newcomers = vec![
        (0..100u8)
            .map(|n| Belief {
                indicator: Indicator::try_new(&format!("45.0.2.{n}")).unwrap(),
                first_listed: NOW,
                expires: later.plus(Duration::from_secs(86_400)),
                weight: 120,
                directions: Directions::IN,
                lapsed: false,
            })
            .collect(),
    ];
    let plan = make(&terms, &standing, &newcomers, later);
    let of = |action| {
        plan.batches
            .iter()
            .filter(|batch| batch.action() == action)
            .map(Batch::len)
            .sum::<usize>()
    };
    assert_eq!(plan.held_deletes, 140);
    assert_eq!(
        (of(Action::Delete), of(Action::Add), of(Action::Edit)),
        (60, 60, 140)
    );
}

#[test]
fn a_learned_quota_stops_adds_and_deletes_nothing() {
    let mut standing = leases(20);
    let keep = vec![
        standing
            .leases
            .iter()
            .map(|lease| Belief {
                indicator: lease.entry.indicator.clone(),
                first_listed: NOW,
                expires: NOW.plus(Duration::from_secs(86_400)),
                weight: 10,
                directions: Directions::BOTH,
                lapsed: false,
            })
            .collect::<Vec<_>>(),
    ];
    standing.learned_quota = Some(27);
    let plan = make(&terms(1000), &standing, &keep, NOW);
    assert_eq!(plan.batches.iter().map(Batch::len).sum::<usize>(), 5);
    assert!(
        plan.batches
            .iter()
            .all(|batch| batch.action() == Action::Add)
    );
    standing.learned_quota = Some(5);
    assert!(make(&terms(1000), &standing, &keep, NOW).batches.is_empty());
}

#[test]
fn what_would_end_too_soon_is_not_added() {
    let soon = Belief {
        indicator: Indicator::try_new("45.0.0.1").unwrap(),
        first_listed: NOW,
        expires: NOW.plus(Duration::from_secs(1)),
        weight: 120,
        directions: Directions::IN,
        lapsed: false,
    };
    let terms = FirewallTerms {
        grid: Duration::from_secs(60),
        ..terms(1000)
    };
    let plan = make(&terms, &Standing::default(), &[vec![soon]], NOW);
    assert_eq!(plan.left_out.get(&LeftOut::EndsTooSoon), Some(&1));
    assert!(plan.batches.is_empty());
}
