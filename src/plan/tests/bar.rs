//! What the bar says of an entry, beside the whole contest.

use super::super::admission::admit;
use super::super::bar::Place;
use super::overlaps::{Feeds, by_belief, drawn, feeds, terms};
use super::*;

/// What the whole contest makes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Has,
    Inside,
    Lost,
    /// It takes no part, and nobody asks the bar.
    Barred,
}

struct Ground {
    terms: FirewallTerms,
    standing: Standing,
    wanted: Vec<Wanted>,
}

impl Ground {
    fn new(terms: FirewallTerms, standing: Standing, feeds: &Feeds) -> Self {
        let candidates = by_belief(&terms, feeds, NOW);
        let takes = terms.takes();
        let wanted = desired(
            List::Block,
            &candidates,
            &GUARDS,
            takes,
            &mut BTreeMap::new(),
        );
        Self {
            terms,
            standing,
            wanted,
        }
    }

    fn plan(&self) -> Plan {
        plan(
            &self.terms,
            &self.standing,
            self.wanted.clone(),
            BTreeMap::new(),
            NOW,
        )
    }

    /// Holds the contest, and makes the plan for what a want of room takes away.
    fn whole(&self) -> BTreeMap<Entry, Whole> {
        let mut ends = BTreeMap::new();
        let left = |reason, wanted: &Wanted| {
            let end = match reason {
                LeftOut::Quota => Whole::Lost,
                LeftOut::Covered => Whole::Inside,
                _ => Whole::Barred,
            };
            ends.insert(wanted.entry(), end);
        };
        let standing = &self.standing;
        let admitted = admit(&self.terms, standing, self.wanted.clone(), left, NOW);
        let plan = self.plan();
        let adds: BTreeSet<Entry> = plan.batches.iter().flat_map(Batch::entries).collect();
        for wanted in &admitted.wanted {
            let entry = wanted.entry();
            let is_held = standing.leases.iter().any(|lease| lease.entry == entry);
            let has =
                is_held || adds.contains(&entry) || standing.suspects.entries.contains_key(&entry);
            ends.insert(entry, if has { Whole::Has } else { Whole::Lost });
        }
        // A network that was admitted and finds no room keeps what it holds waiting.
        let has_place = |one: &Entry, ends: &BTreeMap<Entry, Whole>| {
            let nets = |other: &Entry| one.indicator.net().zip(other.indicator.net());
            let mut placed = ends.iter().filter(|(_, end)| **end == Whole::Has);
            placed.any(|(other, _)| {
                other.direction == one.direction
                    && nets(other).is_some_and(|(one, other)| other.contains(&one))
            })
        };
        let inside: Vec<Entry> = ends
            .iter()
            .filter(|(_, end)| **end == Whole::Inside)
            .map(|(entry, _)| entry.clone())
            .collect();
        for entry in inside {
            if !has_place(&entry, &ends) {
                ends.insert(entry, Whole::Lost);
            }
        }
        ends
    }

    fn by(&self, bar: &Bar) -> BTreeMap<Entry, Whole> {
        let (terms, standing, wanted) = (&self.terms, &self.standing, &self.wanted);
        let place = |one: &Wanted| match bar.place(terms, standing, wanted, one, NOW) {
            Place::Has => Whole::Has,
            Place::Inside(_) => Whole::Inside,
            Place::Lost => Whole::Lost,
        };
        wanted.iter().map(|one| (one.entry(), place(one))).collect()
    }
}

/// Beside what is held: what others hold, what was hit, a quota that was learned, a brake.
fn around() -> impl Strategy<Value = (Vec<usize>, Vec<usize>, Option<u64>, f64)> {
    let some = || prop::collection::vec(0..60usize, 0..6);
    let learned = prop::option::weighted(0.4, 2..30u64);
    (some(), some(), learned, prop_oneof![Just(1.0), Just(0.0)])
}

proptest! {
    #[test]
    fn the_bar_says_of_every_entry_what_the_whole_contest_says(
        before in feeds(), after in feeds(), terms in terms(), around in around()
    ) {
        let (foreign, hits, learned_quota, max_delete) = around;
        let mut standing = Standing::default();
        apply(&mut standing, &drawn(&terms, &Standing::default(), &before, NOW), NOW);
        standing.learned_quota = learned_quota;
        let mut ground = Ground::new(FirewallTerms { max_delete, ..terms }, standing, &after);
        let pick = |places: &[usize]| -> Vec<Entry> {
            let entries = places.iter().filter_map(|at| ground.wanted.get(*at));
            entries.map(Wanted::entry).collect()
        };
        let (foreign, hits) = (pick(&foreign), pick(&hits));
        let held = held(&ground.standing);
        ground.standing.foreign = foreign.into_iter().filter(|one| !held.contains(one)).collect();
        ground.standing.last_hits = hits.into_iter().zip((0..).map(UnixTime::from_seconds)).collect();
        let plan = ground.plan();
        // As the ledger keeps it.
        let json = serde_json::to_string(&plan.bar).unwrap();
        let bar: Bar = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&bar, &plan.bar);
        let whole = ground.whole();
        let told = ground.by(&bar);
        for (entry, end) in &whole {
            if *end != Whole::Barred {
                prop_assert_eq!(told.get(entry), Some(end), "{:?}", entry);
            }
        }
        if whole.values().any(|end| *end == Whole::Lost) {
            let placed = ground.wanted.iter().filter(|one| whole.get(&one.entry()) == Some(&Whole::Has));
            prop_assert_eq!(bar.lowest, placed.map(|one| one.score).min());
        }
        // It stays where it is once the calls were sent that the plan makes of it, where no more follow.
        apply(&mut ground.standing, &plan, NOW);
        if ground.plan().batches.is_empty() && learned_quota.is_none() {
            let after = ground.whole();
            let told = ground.by(&bar);
            for (entry, end) in after.iter().filter(|(_, end)| **end != Whole::Barred) {
                prop_assert_eq!(told.get(entry), Some(end), "{:?} once applied", entry);
            }
        }
    }
}
