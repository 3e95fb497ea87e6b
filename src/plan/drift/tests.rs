//! Who is believed where a reading and the ledger disagree.

use super::*;
use crate::model::{Direction, Indicator, List};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn entry(n: usize) -> Entry {
    Entry {
        list: List::Block,
        indicator: Indicator::try_new(&format!("45.155.205.{n}")).unwrap(),
        direction: Direction::In,
    }
}

fn lease(n: usize, doubt: Option<Action>) -> Lease {
    Lease {
        entry: entry(n),
        end_time: at(7200),
        set_at: at(-7200),
        doubt,
    }
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(NOW.seconds() + seconds)
}

fn row(n: usize, end: UnixTime) -> Observed {
    Observed {
        entry: Some(entry(n)),
        end_time: Some(end),
        source: "手动添加".to_owned(),
        match_times: 0,
        last_hit: None,
    }
}

fn read(observed: Vec<Observed>, known: &Known) -> Drift {
    let moment = Moment {
        started: NOW,
        confirm_after: Duration::from_secs(90),
    };
    judge(observed, known, moment, NOW)
}

fn holding(leases: Vec<Lease>) -> Known {
    Known {
        leases,
        ..Known::default()
    }
}

#[test]
fn what_stands_as_we_hold_it_is_confirmed() {
    let drift = read(vec![row(1, at(7200))], &holding(vec![lease(1, None)]));
    assert_eq!(drift.confirmed, [entry(1)]);
    assert_eq!(
        drift,
        Drift {
            confirmed: vec![entry(1)],
            ..Drift::default()
        }
    );
}

#[test]
fn what_others_hold_is_counted_and_left_alone() {
    let unnamed = Observed {
        entry: None,
        ..row(9, at(1))
    };
    let drift = read(vec![row(2, at(99)), unnamed], &Known::default());
    assert_eq!(drift.foreign_places, 2);
    assert_eq!(drift.foreign.len(), 1);
}

#[test]
fn a_call_without_an_answer_is_settled_by_what_stands_there() {
    let known = Known {
        sent: HashMap::from([(entry(3), vec![(at(9000), false)])]),
        ..holding(vec![
            lease(1, Some(Action::Add)),
            lease(2, Some(Action::Add)),
            lease(3, Some(Action::Edit)),
            lease(4, Some(Action::Delete)),
            lease(5, Some(Action::Delete)),
        ])
    };
    let drift = read(
        vec![row(1, at(7200)), row(3, at(9000)), row(4, at(7200))],
        &known,
    );
    // A delete that was not applied is as if it had not been sent.
    assert_eq!(drift.confirmed, [entry(1), entry(4)]);
    assert_eq!(drift.settled, [(entry(3), at(9000))]);
    assert_eq!(drift.missing, [entry(2), entry(5)]);
}

#[test]
fn an_add_that_was_said_to_fail_and_stands_all_the_same_is_ours() {
    let known = Known {
        sent: HashMap::from([(entry(1), vec![(at(7200), false)])]),
        ..Known::default()
    };
    let drift = read(vec![row(1, at(7200))], &known);
    assert_eq!(drift.settled, [(entry(1), at(7200))]);
    let drift = read(vec![row(1, at(999_999))], &known);
    assert_eq!(drift.foreign_places, 1);
}

#[test]
fn prolonged_is_theirs_and_shortened_is_repaired_once() {
    let mut known = holding(vec![lease(1, None), lease(2, None)]);
    let rows = || vec![row(1, at(900_000)), row(2, at(300))];
    let drift = read(rows(), &known);
    assert_eq!(drift.taken_over, [entry(1)]);
    assert_eq!(drift.shortened, [(entry(2), at(300))]);
    known.repaired.insert(entry(2));
    let drift = read(rows(), &known);
    assert_eq!(drift.shortened, []);
    assert_eq!(drift.settled, [(entry(2), at(300))]);
}

#[test]
fn what_was_written_a_moment_ago_need_not_show_yet() {
    let fresh = Lease {
        set_at: at(-30),
        ..lease(1, None)
    };
    let drift = read(vec![], &holding(vec![fresh.clone()]));
    assert_eq!(drift, Drift::default());
    let drift = read(vec![row(1, at(60))], &holding(vec![fresh]));
    assert_eq!(drift, Drift::default());
}

#[test]
fn a_reading_that_may_be_too_early_settles_no_doubt_but_by_what_it_shows() {
    let fresh = |n, doubt| Lease {
        set_at: at(-30),
        ..lease(n, Some(doubt))
    };
    let known = Known {
        sent: HashMap::from([(entry(4), vec![(at(9000), false)])]),
        ..holding(vec![
            fresh(1, Action::Add),
            fresh(2, Action::Add),
            fresh(3, Action::Edit),
            fresh(4, Action::Edit),
            fresh(5, Action::Delete),
            fresh(6, Action::Delete),
        ])
    };
    let rows = vec![
        row(1, at(7200)),
        row(3, at(7200)),
        row(4, at(9000)),
        row(5, at(7200)),
    ];
    let drift = read(rows, &known);
    let expected = Drift {
        confirmed: vec![entry(1)],
        settled: vec![(entry(4), at(9000))],
        ..Drift::default()
    };
    assert_eq!(drift, expected);
}

#[test]
fn what_we_took_off_a_moment_ago_is_nobody_s_while_it_still_shows() {
    let known = Known {
        deleted: HashSet::from([entry(1)]),
        ..Known::default()
    };
    assert_eq!(read(vec![row(1, at(7200))], &known), Drift::default());
}

#[test]
fn an_add_without_an_answer_claims_nothing_that_it_would_not_have_written() {
    let known = Known {
        sent: HashMap::from([(entry(1), vec![(at(7200), false)])]),
        ..holding(vec![lease(1, Some(Action::Add))])
    };
    let drift = read(vec![row(1, at(99_999_999))], &known);
    assert_eq!(drift.taken_over, [entry(1)]);
    assert_eq!((drift.settled.len(), drift.foreign_places), (0, 1));
}

#[test]
fn an_edit_that_was_said_to_fail_and_shows_all_the_same_is_ours() {
    let known = Known {
        sent: HashMap::from([(entry(1), vec![(at(9000), false)])]),
        ..holding(vec![lease(1, None)])
    };
    let drift = read(vec![row(1, at(9000))], &known);
    assert_eq!(drift.settled, [(entry(1), at(9000))]);
}

#[test]
fn what_ended_is_forgotten_or_swept() {
    let ended = |n, ago: i64| Lease {
        end_time: at(-ago),
        ..lease(n, None)
    };
    let known = holding(vec![ended(1, 100), ended(2, 100), ended(3, 80)]);
    let drift = read(vec![row(1, at(-100)), row(3, at(-80))], &known);
    // The third may be gone in a moment by itself.
    assert_eq!(drift.lingering, [entry(1)]);
    assert_eq!(drift.ended, [entry(2)]);
}

#[test]
fn one_common_offset_is_a_fault_of_the_zone_and_changes_nothing() {
    let known = holding((0..20).map(|n| lease(n, None)).collect());
    let rows = (0..20).map(|n| row(n, at(7200 - 8 * 3600))).collect();
    let drift = read(rows, &known);
    assert_eq!(drift.zone_fault, Some(-8 * 3600));
    assert_eq!(drift.confirmed.len(), 20);
    assert!(drift.shortened.is_empty() && drift.taken_over.is_empty());
}

#[test]
fn quarantined_deletes_of_what_is_gone_are_released() {
    let known = Known {
        quarantined: HashMap::from([(entry(1), Action::Delete), (entry(2), Action::Add)]),
        ..Known::default()
    };
    assert_eq!(read(vec![], &known).released, [entry(1)]);
    let drift = read(vec![row(1, at(1)), row(2, at(99))], &known);
    assert_eq!(
        (drift.released, drift.explained),
        (Vec::new(), vec![entry(2)])
    );
}
