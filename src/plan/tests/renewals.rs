//! When renewals come.

use std::time::Duration;

use super::*;

/// 2,400 leases of three days, all set in one hour. Their window is open for a day, so that a 24th is each hour's share.
#[test]
fn no_hour_carries_much_more_than_its_share_of_the_renewals() {
    const LEASES: usize = 2_400;
    let terms = FirewallTerms {
        quota: Quota::Auto,
        ..terms(0)
    };
    let belief = |place: u16| Belief {
        indicator: Indicator::try_new(&format!("45.1.{}.{}", place / 100, place % 100)).unwrap(),
        first_listed: NOW,
        expires: NOW.plus(Duration::from_secs(365 * 86_400)),
        weight: 120,
        directions: Directions::IN,
        lapsed: false,
    };
    let feed = vec![(0..2_400).map(belief).collect::<Vec<_>>()];
    let mut standing = Standing::default();
    let mut busiest = Vec::new();
    for day in 0..6u64 {
        let mut most = 0;
        for hour in day * 24..(day + 1) * 24 {
            let now = NOW.plus(Duration::from_secs(hour * 3600));
            let plan = make(&terms, &standing, &feed, now);
            let edits = plan
                .batches
                .iter()
                .filter(|one| one.action() == Action::Edit);
            most = edits.map(Batch::len).sum::<usize>().max(most);
            apply(&mut standing, &plan, now);
            assert_eq!(standing.leases.len(), LEASES);
        }
        busiest.push(most);
    }
    // On the second day all of them come due, and are spread over it; from then on they stay apart.
    assert_eq!(busiest.first(), Some(&0));
    let most = busiest.iter().max().copied().unwrap();
    assert!(
        (LEASES / 24..LEASES / 24 * 3 / 2).contains(&most),
        "{busiest:?}"
    );
}
