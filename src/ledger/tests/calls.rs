//! The journal: what each outcome does to leases, and what outlives a crash.

use proptest::prelude::*;

use super::super::calls::{pack, unpack};
use super::desk::{Answer, entry, settlement};
use super::*;
use crate::model::{Action, Direction, Entry, Lease};

fn new_call(firewall: i64, action: Action, entries: &[Entry]) -> NewCall<'_> {
    NewCall {
        firewall,
        list: List::Block,
        action,
        end_time: (action != Action::Delete).then(|| at(DAY)),
        entries,
        trial: None,
    }
}

fn ms(seconds: i64) -> i64 {
    (NOW + seconds) * 1000 + 250
}

impl Fixture {
    /// Journals a call at `seconds` and settles it a second later.
    async fn call_through(&self, call: &NewCall<'_>, seconds: i64, outcome: Outcome) -> i64 {
        let id = self.journal(call, ms(seconds)).await.unwrap();
        let settlement = Settlement {
            outcome,
            ..settlement(&Answer::Taken, at(0))
        };
        self.settle(id, &settlement, ms(seconds + 1)).await.unwrap();
        id
    }
}

fn lease(entry: &Entry, end: i64, set: i64, doubt: Option<Action>) -> Lease {
    Lease {
        entry: entry.clone(),
        end_time: at(end),
        set_at: at(set),
        doubt,
    }
}

#[tokio::test]
async fn each_outcome_of_each_action_leaves_the_lease_that_it_should() {
    let entry = entry("9.9.9.9");
    let one = [entry.clone()];
    let held = |end, set, doubt| Some(lease(&entry, end, set, doubt));
    let failed = Outcome::Failed { not_before: at(99) };
    let refused = Outcome::Refused { too_large: false };
    // Nothing is there before, and then a lease until DAY set at 0.
    let cases = [
        (
            Action::Add,
            Outcome::Applied,
            held(DAY, 10, None),
            held(DAY, 10, None),
        ),
        (
            Action::Add,
            Outcome::NotApplied,
            None,
            held(DAY / 2, 0, None),
        ),
        (
            Action::Add,
            Outcome::Unknown,
            // As late as it can have been applied: when nobody waited for it any more.
            held(DAY, 11, Some(Action::Add)),
            held(DAY, 11, Some(Action::Add)),
        ),
        (Action::Add, failed, None, held(DAY / 2, 0, None)),
        (Action::Add, refused, None, held(DAY / 2, 0, None)),
        (
            Action::Edit,
            Outcome::Applied,
            held(DAY, 10, None),
            held(DAY, 10, None),
        ),
        (
            Action::Edit,
            Outcome::NotApplied,
            None,
            held(DAY / 2, 0, None),
        ),
        (
            Action::Edit,
            Outcome::Unknown,
            None,
            held(DAY / 2, 11, Some(Action::Edit)),
        ),
        (Action::Edit, failed, None, held(DAY / 2, 0, None)),
        (Action::Edit, refused, None, held(DAY / 2, 0, None)),
        (Action::Delete, Outcome::Applied, None, None),
        (
            Action::Delete,
            Outcome::NotApplied,
            None,
            held(DAY / 2, 0, None),
        ),
        (
            Action::Delete,
            Outcome::Unknown,
            None,
            held(DAY / 2, 11, Some(Action::Delete)),
        ),
        (Action::Delete, failed, None, held(DAY / 2, 0, None)),
        (Action::Delete, refused, None, held(DAY / 2, 0, None)),
    ];
    for (action, outcome, from_nothing, from_lease) in cases {
        let ledger = fixture().await;
        let prod = ledger.firewall("prod").await;
        let call = new_call(prod, action, &one);
        ledger.call_through(&call, 10, outcome).await;
        let after = ledger.leases(prod).await.unwrap();
        assert_eq!(after.first(), from_nothing.as_ref(), "{action} {outcome:?}");
        let ledger = fixture().await;
        let prod = ledger.firewall("prod").await;
        let half = NewCall {
            end_time: Some(at(DAY / 2)),
            ..new_call(prod, Action::Add, &one)
        };
        ledger.call_through(&half, 0, Outcome::Applied).await;
        let call = new_call(prod, action, &one);
        ledger.call_through(&call, 10, outcome).await;
        let after = ledger.leases(prod).await.unwrap();
        assert_eq!(
            after.first(),
            from_lease.as_ref(),
            "{action} {outcome:?} over a lease"
        );
        let counts = ledger.lease_counts(prod, at(20)).await.unwrap();
        let doubtful = u64::from(after.first().is_some_and(|lease| lease.doubt.is_some()));
        assert_eq!(
            (counts.there, counts.held, counts.doubtful),
            (after.len() as u64, after.len() as u64 - doubtful, doubtful)
        );
    }
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_there_but_not_held() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    let mut entries = ["9.9.9.9", "45.155.205.7", "a.badhost.com"].map(entry);
    entries.sort();
    let call = new_call(prod, Action::Add, &entries);
    ledger.call_through(&call, 0, Outcome::Applied).await;
    for unwanted in [&entries[..2], &entries[1..], &entries[1..], &entries[..0]] {
        ledger.mark_unwanted(prod, unwanted).await.unwrap();
        let counts = ledger.lease_counts(prod, at(20)).await.unwrap();
        let gone = unwanted.len() as u64;
        assert_eq!(
            (counts.there, counts.held, counts.unwanted),
            (3, 3 - gone, gone)
        );
    }
    // Where nothing changes, nothing is written.
    let version = ledger.version().await.unwrap();
    ledger.mark_unwanted(prod, &[]).await.unwrap();
    assert_eq!(ledger.version().await.unwrap(), version);
}

#[tokio::test]
async fn a_call_settles_once() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    let one = [entry("9.9.9.9")];
    let id = ledger
        .journal(&new_call(prod, Action::Add, &one), ms(0))
        .await
        .unwrap();
    let unsettled = ledger.call(id).await.unwrap().unwrap();
    assert_eq!(
        (unsettled.settled_ms, unsettled.verdict.as_deref()),
        (None, None)
    );
    assert_eq!(
        (unsettled.sent_ms, unsettled.count, unsettled.attempt),
        (ms(0), 1, 1)
    );
    let applied = settlement(&Answer::Taken, at(0));
    ledger.settle(id, &applied, ms(1)).await.unwrap();
    let gone = settlement(&Answer::Lost { taken: false }, at(0));
    ledger.settle(id, &gone, ms(2)).await.unwrap();
    let call = ledger.call(id).await.unwrap().unwrap();
    assert_eq!(
        (call.settled_ms, call.verdict.as_deref()),
        (Some(ms(1)), Some("applied"))
    );
    assert_eq!(ledger.leases(prod).await.unwrap()[0].doubt, None);
}

#[tokio::test]
async fn a_settle_that_fails_leaves_the_call_unsettled() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    let many: Vec<Entry> = (0..2_000)
        .map(|n| entry(&format!("host-{n}.example.org")))
        .collect();
    let id = ledger
        .journal(&new_call(prod, Action::Add, &many), ms(0))
        .await
        .unwrap();
    ledger.execute("PRAGMA max_page_count = 1").await;
    let applied = settlement(&Answer::Taken, at(0));
    let fault = ledger.settle(id, &applied, ms(1)).await.unwrap_err();
    assert!(matches!(fault, LedgerError::DiskFull), "{fault}");
    assert_eq!(ledger.call(id).await.unwrap().unwrap().settled_ms, None);
    assert!(ledger.leases(prod).await.unwrap().is_empty());
    ledger.execute("PRAGMA max_page_count = 1000000").await;
    ledger.settle(id, &applied, ms(2)).await.unwrap();
    assert_eq!(ledger.leases(prod).await.unwrap().len(), 2_000);
}

#[tokio::test]
async fn a_call_is_written_with_full_synchronization_and_a_settle_without() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    ledger
        .execute("CREATE TEMP TABLE seen (word TEXT, level INTEGER)")
        .await;
    ledger
        .execute(
            "CREATE TEMP TRIGGER journalled AFTER INSERT ON main.calls
             BEGIN INSERT INTO seen SELECT 'journal', synchronous FROM pragma_synchronous; END",
        )
        .await;
    ledger
        .execute(
            "CREATE TEMP TRIGGER settled AFTER UPDATE ON main.calls
             BEGIN INSERT INTO seen SELECT 'settle', synchronous FROM pragma_synchronous; END",
        )
        .await;
    let one = [entry("9.9.9.9")];
    for round in 0..2 {
        let call = new_call(prod, Action::Add, &one);
        ledger.call_through(&call, round, Outcome::Applied).await;
    }
    let seen: Vec<(String, i64)> = sqlx::query_as("SELECT word, level FROM temp.seen")
        .fetch_all(&ledger.writer)
        .await
        .unwrap();
    let (full, normal) = (2, 1);
    let round = [("journal".to_owned(), full), ("settle".to_owned(), normal)];
    assert_eq!(seen, [round.clone(), round].concat());
}

#[tokio::test]
async fn what_was_journalled_is_in_the_files_before_the_call_leaves() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    let one = [entry("9.9.9.9")];
    ledger
        .journal(&new_call(prod, Action::Add, &one), ms(0))
        .await
        .unwrap();
    // The daemon is killed here: what the files hold is what its successor finds.
    let dir = tempfile::tempdir().unwrap();
    for name in ["ledger.db", "ledger.db-wal"] {
        std::fs::copy(ledger.dir.path().join(name), dir.path().join(name)).unwrap();
    }
    let successor = Ledger::open(&dir.path().join("ledger.db")).await.unwrap();
    let last = successor.last_call().await.unwrap();
    assert_eq!(
        last,
        Some(LastCall {
            at_ms: ms(0),
            unsettled: true
        })
    );
    assert_eq!(successor.settle_abandoned(prod, ms(60)).await.unwrap(), 1);
    let doubtful = lease(&one[0], DAY, 60, Some(Action::Add));
    assert_eq!(successor.leases(prod).await.unwrap(), [doubtful]);
}

#[tokio::test]
async fn abandoned_calls_are_settled_as_unknown_for_their_own_firewall() {
    let ledger = fixture().await;
    let names = [name("prod"), name("test")];
    ledger.configure_firewalls(&names).await.unwrap();
    let prod = ledger.ledger.firewall(&names[0]).await.unwrap().unwrap().id;
    let test = ledger.ledger.firewall(&names[1]).await.unwrap().unwrap().id;
    assert_eq!(ledger.last_call().await.unwrap(), None);
    let entries = [entry("9.9.9.1"), entry("9.9.9.2"), entry("9.9.9.3")];
    let all = new_call(prod, Action::Add, &entries);
    ledger.call_through(&all, 0, Outcome::Applied).await;
    let actions = [Action::Edit, Action::Delete, Action::Add];
    for (entry, action) in entries.chunks(1).zip(actions) {
        ledger
            .journal(&new_call(prod, action, entry), ms(10))
            .await
            .unwrap();
    }
    ledger
        .journal(&new_call(test, Action::Add, &entries), ms(11))
        .await
        .unwrap();
    assert_eq!(ledger.settle_abandoned(prod, ms(20)).await.unwrap(), 3);
    assert_eq!(ledger.settle_abandoned(prod, ms(21)).await.unwrap(), 0);
    let doubts: Vec<Option<Action>> = ledger
        .leases(prod)
        .await
        .unwrap()
        .iter()
        .map(|lease| lease.doubt)
        .collect();
    assert_eq!(doubts, actions.map(Some));
    assert!(ledger.leases(test).await.unwrap().is_empty());
    let last = ledger.last_call().await.unwrap();
    assert_eq!(
        last,
        Some(LastCall {
            at_ms: ms(20),
            unsettled: true
        })
    );
    let rows = ledger.calls(true, 10).await.unwrap();
    assert_eq!(rows.len(), 4);
    assert!(
        rows[1].message.as_deref().unwrap().contains("stopped"),
        "{:?}",
        rows[1]
    );
}

#[tokio::test]
async fn deletes_are_counted_where_they_were_applied() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    let entries: Vec<Entry> = (1..=5).map(|n| entry(&format!("9.9.9.{n}"))).collect();
    ledger
        .call_through(&new_call(prod, Action::Add, &entries), 0, Outcome::Applied)
        .await;
    let delete = |count: usize| new_call(prod, Action::Delete, &entries[..count]);
    ledger.call_through(&delete(1), 100, Outcome::Applied).await;
    ledger.call_through(&delete(2), 200, Outcome::Applied).await;
    let unknown = ledger.journal(&delete(3), ms(300)).await.unwrap();
    let lost = settlement(&Answer::Lost { taken: true }, at(0));
    ledger.settle(unknown, &lost, ms(301)).await.unwrap();
    assert_eq!(ledger.deleted_since(prod, at(0)).await.unwrap(), 3);
    assert_eq!(ledger.deleted_since(prod, at(150)).await.unwrap(), 2);
    assert_eq!(ledger.deleted_since(prod + 1, at(0)).await.unwrap(), 0);
    let counts = ledger.call_counts(prod).await.unwrap();
    let expected = [
        (Action::Add, "applied", 1, 5),
        (Action::Delete, "applied", 2, 3),
        (Action::Delete, "unknown", 1, 3),
    ];
    let counts: Vec<_> = counts
        .iter()
        .map(|(action, verdict, calls, entries)| (*action, verdict.as_str(), *calls, *entries))
        .collect();
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn leases_come_in_the_order_of_entries_however_many_there_are() {
    let ledger = fixture().await;
    let prod = ledger.firewall("prod").await;
    let mut entries = Vec::new();
    for n in 0..5_300u32 {
        let address = std::net::Ipv4Addr::from(0x2c3a_0000 + n).to_string();
        for text in [address, format!("h{n}.example.org")] {
            for direction in Direction::ALL {
                entries.push(Entry {
                    direction,
                    ..entry(&text)
                });
            }
        }
    }
    entries.sort();
    for chunk in entries.chunks(997) {
        ledger
            .call_through(&new_call(prod, Action::Add, chunk), 0, Outcome::Applied)
            .await;
    }
    let allow = [Entry {
        list: List::Allow,
        ..entry("9.9.9.9")
    }];
    let call = NewCall {
        list: List::Allow,
        ..new_call(prod, Action::Add, &allow)
    };
    ledger.call_through(&call, 1, Outcome::Applied).await;
    entries.push(allow[0].clone());
    let leased: Vec<Entry> = ledger
        .leases(prod)
        .await
        .unwrap()
        .into_iter()
        .map(|lease| lease.entry)
        .collect();
    assert_eq!(leased.len(), 21_201);
    assert_eq!(leased, entries);
    let of_one = ledger
        .leases_of(prod, &indicator("44.58.0.44"))
        .await
        .unwrap();
    assert_eq!(of_one.len(), 2);
    assert_eq!((of_one[0].leased_at, of_one[0].confirmed_at), (at(0), None));
    assert_eq!(
        ledger.drop_ended_leases(prod, at(DAY - 1)).await.unwrap(),
        0
    );
    assert_eq!(
        ledger.drop_ended_leases(prod, at(DAY)).await.unwrap(),
        21_201
    );
}

/// Any entry: addresses with separators among their bytes, networks, names up to the longest.
fn any_entry() -> impl Strategy<Value = Entry> {
    let text = prop_oneof![
        any::<[u8; 4]>().prop_map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
        any::<[u8; 16]>().prop_map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        (any::<[u8; 4]>(), 8..=31u8)
            .prop_map(|(bytes, length)| format!("{}/{length}", std::net::Ipv4Addr::from(bytes))),
        (any::<[u8; 16]>(), 16..=127u8)
            .prop_map(|(bytes, length)| format!("{}/{length}", std::net::Ipv6Addr::from(bytes))),
        prop::collection::vec("[a-z0-9]{1,60}", 1..5)
            .prop_map(|labels| format!("{}.xy", labels.join("."))),
        Just(format!(
            "{0}.{0}.{0}.{1}.xy",
            "a".repeat(63),
            "b".repeat(58)
        )),
    ];
    (text, any::<bool>()).prop_filter_map("a name that is none", |(text, inbound)| {
        Some(Entry {
            list: List::Block,
            indicator: Indicator::try_new(&text).ok()?,
            direction: if inbound {
                Direction::In
            } else {
                Direction::Out
            },
        })
    })
}

proptest! {
    #[test]
    fn a_batch_is_unpacked_as_it_was_packed(entries in prop::collection::vec(any_entry(), 0..40)) {
        let packed = pack(&entries);
        prop_assert_eq!(unpack(List::Block, &packed).unwrap(), entries.clone());
        if !entries.is_empty() {
            prop_assert!(unpack(List::Block, &packed[..packed.len() - 1]).is_err());
        }
    }
}
