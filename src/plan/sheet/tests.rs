//! What a sheet gives back, on random listings.

use proptest::prelude::*;

use super::*;

fn indicator() -> impl Strategy<Value = Indicator> {
    let text = prop_oneof![
        4 => (0..40u8).prop_map(|n| format!("45.0.0.{n}")),
        1 => (0..10u8).prop_map(|n| format!("2a00::{n:x}:1")),
        1 => (0..10u8).prop_map(|n| format!("46.{n}.0.0/24")),
        1 => (1..10u8).prop_map(|n| format!("2a00:{n:x}::/32")),
        2 => (0..20u8).prop_map(|n| format!("a{n}.b.com")),
        1 => (0..20u8).prop_map(|n| format!("a{n}.quite-a-long-name.badhost.com")),
    ];
    text.prop_map(|text| Indicator::try_new(&text).unwrap())
}

fn time() -> impl Strategy<Value = Option<UnixTime>> {
    prop::option::weighted(
        0.2,
        (1..3000u32).prop_map(|s| UnixTime::from_seconds(s.into())),
    )
}

fn listing() -> impl Strategy<Value = Listing> {
    let confidence = prop::option::weighted(0.2, 0..=100u8);
    (
        indicator(),
        1..2000i64,
        time(),
        time(),
        time(),
        time(),
        confidence,
    )
        .prop_map(
            |(indicator, first, expires_at, delisted_at, valid_until, dated, confidence)| Listing {
                indicator,
                first_listed: UnixTime::from_seconds(first),
                expires_at,
                delisted_at,
                valid_until,
                dated,
                confidence,
            },
        )
}

fn listings() -> impl Strategy<Value = Vec<Listing>> {
    prop::collection::vec(listing(), 0..60).prop_map(|mut all| {
        all.sort_by(|one, other| one.indicator.cmp(&other.indicator));
        all.dedup_by(|one, other| one.indicator == other.indicator);
        all
    })
}

fn sheet(listings: &[Listing]) -> Sheet {
    let mut sheet = Sheet::default();
    listings.iter().for_each(|listing| sheet.push(listing));
    sheet
}

proptest! {
    #[test]
    fn a_sheet_gives_back_what_it_was_given(all in listings()) {
        let sheet = sheet(&all);
        prop_assert_eq!(&sheet.listings().collect::<Vec<_>>(), &all);
        for row in 1..sheet.len() {
            prop_assert!(sheet.key(row - 1) < sheet.key(row));
        }
        for (row, listing) in all.iter().enumerate() {
            prop_assert_eq!(sheet.find(&listing.indicator), Some(row));
        }
        prop_assert_eq!(sheet.find(&Indicator::try_new("a.other.com").unwrap()), None);
        let networks = sheet.first_of(3);
        for row in 0..sheet.len() {
            let is_address = matches!(sheet.key(row).indicator(), Some(Indicator::Address(_)));
            prop_assert_eq!(row < networks, is_address);
        }
    }

    #[test]
    fn a_changed_sheet_is_the_one_that_is_built_anew(
        before in listings(), after in listings(), ended in 0..3000i64
    ) {
        // What is the same in both is not told as a change, nor need it be.
        let mut changed: Vec<Indicator> = before.iter().chain(&after)
            .filter(|one| !(before.contains(one) && after.contains(one)))
            .map(|one| one.indicator.clone()).collect();
        changed.sort();
        changed.dedup();
        let ended = UnixTime::from_seconds(ended);
        let now: Vec<Listing> = after.iter()
            .filter(|one| changed.contains(&one.indicator)).cloned().collect();
        let expected: Vec<Listing> = after.iter()
            .filter(|one| changed.contains(&one.indicator)
                || one.expires_at.is_none_or(|end| end.seconds() > ended.seconds().max(1)))
            .cloned().collect();
        let made: Vec<Listing> = sheet(&before).with(&changed, &now, ended).listings().collect();
        prop_assert_eq!(made, expected);
    }
}
