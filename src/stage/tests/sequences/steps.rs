//! What may happen: polls, the operator's acts, config changes, steps of the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::TTL;
use crate::model::{Class, Directions, FeedTerms, List, Mode, OnDelist};
use crate::stage::tests::model::{NAMES, NETWORKS, Row};

#[derive(Clone, Debug)]
pub(super) enum Step {
    Body(usize, BTreeMap<usize, Row>),
    Same(usize),
    Failed(usize),
    Held(usize, BTreeMap<usize, Row>),
    /// The operator approves what is held, and it is polled.
    Approve(usize),
    Block(usize, i64),
    Unblock(usize, i64),
    Allow(usize),
    Disallow(usize),
    Drop(usize),
    Withdraw(bool),
    Terms(usize, FeedTerms),
    Configured(usize, bool),
    Allowed(BTreeSet<usize>),
    Wall(Vec<Class>, bool),
    Restart,
}

fn body(tight: bool) -> impl Strategy<Value = BTreeMap<usize, Row>> {
    let confidence = prop_oneof![3 => Just(None), 1 => Just(Some(90u8)), 1 => Just(Some(30u8))];
    let valid = prop_oneof![6 => Just(None), 1 => (1_000..60_000i64).prop_map(Some)];
    let row = prop::option::of((confidence, valid));
    prop::collection::vec(row, NAMES.len()).prop_map(move |rows| {
        let rows = rows.into_iter().enumerate();
        let rows = rows.filter(|(place, _)| !(tight && NETWORKS.contains(place)));
        rows.filter_map(|(place, row)| Some((place, row?)))
            .collect()
    })
}

fn terms() -> impl Strategy<Value = FeedTerms> {
    let directions = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Directions::IN)),
        1 => Just(Some(Directions::OUT)),
        1 => Just(Some(Directions::BOTH))
    ];
    let mode = prop_oneof![3 => Just(Mode::Snapshot), 1 => Just(Mode::Incremental)];
    let on_delist = prop_oneof![Just(OnDelist::AgeOut), Just(OnDelist::Withdraw)];
    let ttl = prop_oneof![Just(TTL), Just(TTL / 2), Just(TTL * 10)];
    (ttl, 1..=100u8, directions, mode, on_delist).prop_map(
        |(ttl, confidence, directions, mode, on_delist)| FeedTerms {
            ttl: Duration::from_secs(ttl.unsigned_abs()),
            confidence,
            directions,
            list: List::Block,
            mode,
            on_delist,
            max_age: None,
        },
    )
}

fn step(tight: bool) -> impl Strategy<Value = Step> {
    let feed = || 0..3usize;
    let place = move || {
        (0..NAMES.len()).prop_filter("networks have no place here", move |place| {
            !(tight && NETWORKS.contains(place))
        })
    };
    let allowed = prop::collection::btree_set(place(), 0..3);
    let classes = prop_oneof![
        2 => Just(vec![Class::Ipv4, Class::Network, Class::Domain]),
        1 => Just(vec![Class::Ipv4, Class::Domain]),
        1 => Just(vec![Class::Network]),
    ];
    prop_oneof![
        8 => (feed(), body(tight)).prop_map(|(feed, body)| Step::Body(feed, body)),
        3 => feed().prop_map(Step::Same),
        1 => feed().prop_map(Step::Failed),
        1 => (feed(), body(tight)).prop_map(|(feed, body)| Step::Held(feed, body)),
        1 => feed().prop_map(Step::Approve),
        1 => (place(), 300..50_000i64).prop_map(|(place, span)| Step::Block(place, span)),
        1 => (place(), 300..50_000i64).prop_map(|(place, span)| Step::Unblock(place, span)),
        1 => place().prop_map(Step::Allow),
        1 => place().prop_map(Step::Disallow),
        1 => feed().prop_map(Step::Drop),
        1 => any::<bool>().prop_map(Step::Withdraw),
        1 => (feed(), terms()).prop_map(|(feed, terms)| Step::Terms(feed, terms)),
        1 => (feed(), any::<bool>()).prop_map(|(feed, there)| Step::Configured(feed, there)),
        1 => allowed.prop_map(Step::Allowed),
        1 => (classes, any::<bool>()).prop_map(|(accept, expand)| Step::Wall(accept, expand)),
        1 => Just(Step::Restart),
    ]
}

/// A quota that is scarce or not, and steps, each so many seconds after the one before.
pub(super) fn sequence() -> impl Strategy<Value = (Option<u64>, Vec<(i64, Step)>)> {
    prop_oneof![2 => Just(None), 1 => (3..14u64).prop_map(Some)].prop_flat_map(|tight| {
        let pause = prop_oneof![
            1 => Just(0i64),
            6 => 1..4_000i64,
            2 => 4_000..40_000i64,
            1 => 40_000..300_000i64
        ];
        let steps = prop::collection::vec((pause, step(tight.is_some())), 1..12);
        (Just(tight), steps)
    })
}
