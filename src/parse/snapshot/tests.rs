use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::parse::Format;

fn record(text: &str, confidence: Option<u8>, until: Option<i64>, dated: Option<i64>) -> Record {
    Record {
        indicator: Indicator::try_new(text).unwrap(),
        confidence,
        valid_until: until.map(UnixTime::from_seconds),
        dated: dated.map(UnixTime::from_seconds),
    }
}

fn collected(most: usize, records: Vec<Record>) -> Snapshot {
    let mut collector = Collector::new(most);
    records
        .into_iter()
        .for_each(|record| collector.record(record));
    collector.finish(Tally::default())
}

#[test]
fn what_comes_twice_is_one_row_with_the_best_of_both() {
    let snapshot = collected(
        10,
        vec![
            record("192.0.2.7", None, None, None),
            record("192.0.2.8", Some(50), Some(100), Some(7)),
            record("192.0.2.8/32", Some(40), Some(200), None),
            record("192.0.2.7", Some(30), Some(5), Some(9)),
            record("b.example", None, None, None),
            record("a.example", None, None, None),
            record("B.example.", None, None, None),
        ],
    );
    let rows: Vec<_> = snapshot.rows().map(Row::to_record).collect();
    let merged = vec![
        record("192.0.2.7", Some(30), None, Some(9)),
        record("192.0.2.8", Some(50), Some(200), Some(7)),
        record("a.example", None, None, None),
        record("b.example", None, None, None),
    ];
    assert_eq!(rows, merged);
    assert_eq!(snapshot.len(), 4);
    let classes = [
        (Class::Ipv4, 2),
        (Class::Ipv6, 0),
        (Class::Network, 0),
        (Class::Domain, 2),
    ];
    assert_eq!(snapshot.by_class(), classes);
    assert!(!snapshot.overflowed());
}

#[test]
fn rejects_are_counted_in_full_and_the_first_are_kept() {
    let body = format!("{}1.2.3.256\n", "localhost\n".repeat(50));
    let text = Text {
        body: &mut body.as_bytes(),
        ends_surely: true,
    };
    let snapshot = Snapshot::read(&Recipe::new(Format::Text), text, 10).unwrap();
    let rejects = snapshot.rejects();
    assert_eq!(rejects.total(), 51);
    let counts: Vec<_> = rejects
        .by_reason()
        .iter()
        .map(|(_, t)| (t.count, t.first.len()))
        .collect();
    assert_eq!(counts, [(50, 20), (1, 1)]);
    assert_eq!((snapshot.tally().rows, snapshot.tally().lines), (51, 51));
}

#[test]
fn too_much_is_said_and_not_kept() {
    let numbers = |count: u32| {
        (0..count).map(|bits| record(&Ipv4Addr::from_bits(bits).to_string(), None, None, None))
    };
    let fits = collected(1_000, numbers(1_000).chain(numbers(1_000)).collect());
    assert!(!fits.overflowed());
    let much = collected(1_000, numbers(200_000).collect());
    assert!(much.overflowed());
    assert!(much.len() <= 70_000, "{}", much.len());
    let twice: Vec<_> = (0..300).flat_map(|_| numbers(1_000)).collect();
    let repeated = collected(1_000, twice);
    assert_eq!((repeated.len(), repeated.overflowed()), (1_000, false));
}

#[test]
fn names_that_fell_away_give_their_text_back() {
    let mut names = Names::default();
    let extra = Extra::of(&record("192.0.2.7", None, None, None));
    for round in 0..100 {
        assert!(names.push(
            if round % 2 == 0 {
                "same.example"
            } else {
                "other.example"
            },
            extra
        ));
    }
    names.settle();
    let left: Vec<_> = names.iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(left, ["other.example", "same.example"]);
}

proptest! {
    /// A snapshot is a sorted map, whatever the order in which the rows come.
    #[test]
    fn a_snapshot_is_a_sorted_map(
        rows in prop::collection::vec(
            ("[12]\\.2\\.3\\.[0-9](/3[0-2])?|2001:db8::[0-3](/12[0-8])?|[a-c]{1,2}(longer)?\\.example\\.(com|org)", prop::option::of(0..=100_u8), prop::option::of(0..9_i64)),
            0..60,
        )
    ) {
        let mut map = BTreeMap::new();
        let records: Vec<_> = rows.iter().map(|(text, confidence, dated)| record(text, *confidence, None, *dated)).collect();
        for record in &records {
            let slot = map.entry(record.indicator.clone()).or_insert((None, None));
            *slot = (slot.0.max(record.confidence), slot.1.max(record.dated));
        }
        let map: Vec<_> = map.into_iter().collect();
        for records in [records.clone(), records.into_iter().rev().collect()] {
            let snapshot = collected(100, records);
            let rows: Vec<_> = snapshot.rows().map(|row| (row.indicator.to_owned(), (row.confidence, row.dated))).collect();
            prop_assert_eq!(&rows, &map);
            prop_assert_eq!(snapshot.len(), map.len());
        }
    }
}
