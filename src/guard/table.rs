//! The guarded addresses of one family: sorted intervals, and which guard covers each.

use super::roll::Id;
use super::span::{Point, Span};

/// How much of a span is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    Nothing,
    Part,
    Whole,
}

/// The union of all guarded networks, merged as far as it goes, beside the disjoint stretches of it for
/// each of which one guard is named. The first answers nearly every question; the second says why.
#[derive(Debug)]
pub(super) struct Table<P> {
    firsts: Vec<P>,
    lasts: Vec<P>,
    stretches: Vec<(Span<P>, Id)>,
}

impl<P: Point> Table<P> {
    /// Takes networks, which nest or lie apart. Of those that cover an address, the one that is least by
    /// `prefer` is named for it.
    pub(super) fn new<K: Ord>(mut nets: Vec<(Span<P>, Id)>, prefer: impl Fn(Id) -> K) -> Self {
        nets.sort_unstable_by(|(a, a_id), (b, b_id)| {
            let outer_first = a.first.cmp(&b.first).then(b.last.cmp(&a.last));
            outer_first.then_with(|| prefer(*a_id).cmp(&prefer(*b_id)))
        });
        let stretches = flatten(&nets, prefer);
        let (firsts, lasts) = merge(&stretches);
        Self {
            firsts,
            lasts,
            stretches,
        }
    }

    /// How much of `span` is guarded.
    pub(super) fn cover(&self, span: Span<P>) -> Cover {
        let after = self.firsts.partition_point(|first| *first <= span.first);
        let before = after.checked_sub(1).and_then(|at| self.lasts.get(at));
        if let Some(last) = before.filter(|last| **last >= span.first) {
            return if *last >= span.last {
                Cover::Whole
            } else {
                Cover::Part
            };
        }
        match self.firsts.get(after) {
            Some(first) if *first <= span.last => Cover::Part,
            _ => Cover::Nothing,
        }
    }

    /// The unguarded parts of `span`, by address; no two touch.
    pub(super) fn gaps(&self, span: Span<P>) -> impl Iterator<Item = Span<P>> {
        let mut at = self.lasts.partition_point(|last| *last < span.first);
        let mut open = Some(span.first);
        std::iter::from_fn(move || {
            while let Some(first) = open.filter(|first| *first <= span.last) {
                let guarded = self.firsts.get(at).zip(self.lasts.get(at));
                let Some((from, to)) = guarded.filter(|(from, _)| **from <= span.last) else {
                    open = None;
                    return Some(Span {
                        first,
                        last: span.last,
                    });
                };
                at += 1;
                open = to.next();
                if let Some(last) = from.before().filter(|last| first <= *last) {
                    return Some(Span { first, last });
                }
            }
            None
        })
    }

    /// The guards named for the guarded parts of `span`, by address.
    pub(super) fn guards(&self, span: Span<P>) -> impl Iterator<Item = Id> {
        let from = self
            .stretches
            .partition_point(|(stretch, _)| stretch.last < span.first);
        let rest = self.stretches.get(from..).unwrap_or_default();
        rest.iter()
            .take_while(move |(stretch, _)| stretch.first <= span.last)
            .map(|(_, id)| *id)
    }
}

/// Cuts nested networks, outer ones first, into disjoint stretches with one guard each.
fn flatten<P: Point, K: Ord>(
    nets: &[(Span<P>, Id)],
    prefer: impl Fn(Id) -> K,
) -> Vec<(Span<P>, Id)> {
    let mut stretches = Stretches(Vec::with_capacity(nets.len()));
    let mut open: Vec<(P, Id)> = Vec::new();
    let mut at: Option<P> = None;
    for &(net, id) in nets {
        while let Some((last, outer)) = open.pop_if(|(last, _)| *last < net.first) {
            stretches.push(at, last, outer);
            at = last.next();
        }
        let named = match open.last() {
            Some(&(_, outer)) => {
                if let Some(before) = net.first.before() {
                    stretches.push(at, before, outer);
                }
                if prefer(outer) <= prefer(id) {
                    outer
                } else {
                    id
                }
            }
            None => id,
        };
        at = Some(net.first);
        open.push((net.last, named));
    }
    while let Some((last, outer)) = open.pop() {
        stretches.push(at, last, outer);
        at = last.next();
    }
    stretches.0
}

/// Stretches in the making; what touches and has the same guard becomes one.
struct Stretches<P>(Vec<(Span<P>, Id)>);

impl<P: Point> Stretches<P> {
    /// Adds `from..=last`, or nothing where that is empty.
    fn push(&mut self, from: Option<P>, last: P, id: Id) {
        let Some(first) = from.filter(|first| *first <= last) else {
            return;
        };
        match self.0.last_mut() {
            Some((span, named)) if *named == id && span.last.next() == Some(first) => {
                span.last = last;
            }
            _ => self.0.push((Span { first, last }, id)),
        }
    }
}

fn merge<P: Point>(stretches: &[(Span<P>, Id)]) -> (Vec<P>, Vec<P>) {
    let mut firsts = Vec::new();
    let mut lasts: Vec<P> = Vec::new();
    for (span, _) in stretches {
        match lasts.last_mut() {
            Some(last) if last.next() == Some(span.first) => *last = span.last,
            _ => {
                firsts.push(span.first);
                lasts.push(span.last);
            }
        }
    }
    (firsts, lasts)
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;
    use proptest::prelude::*;

    use super::*;

    /// A universe of 256 addresses at one place of the whole space, and guards that lie within it.
    fn guards_at(base: u32) -> impl Strategy<Value = Vec<(Span<u32>, Id)>> {
        prop::collection::vec((0u32..256, 24u8..=32), 0..12).prop_map(move |rows| {
            let net = |(at, length): (u32, u8)| Ipv4Net::new((base + at).into(), length).unwrap();
            rows.into_iter()
                .map(net)
                .zip(0..)
                .map(|(net, id)| (Span::of4(net), id))
                .collect()
        })
    }

    /// Which guard the naive model names for `address`: the least of those that cover it.
    fn named(guards: &[(Span<u32>, Id)], address: u32, prefer: impl Fn(Id) -> Id) -> Option<Id> {
        let covers = |span: &Span<u32>| span.first <= address && address <= span.last;
        let covering = guards.iter().filter(|(span, _)| covers(span));
        covering.map(|(_, id)| *id).min_by_key(|id| prefer(*id))
    }

    proptest! {
        #[test]
        fn every_address_is_named_the_guard_of_the_naive_model(
            (base, guards) in prop_oneof![Just(0u32), Just(0x2d9b_cd00), Just(0xffff_ff00)]
                .prop_flat_map(|base| (Just(base), guards_at(base))),
            turn in 0u32..12,
        ) {
            let prefer = |id: Id| (id * 7 + turn) % 13;
            let table = Table::new(guards.clone(), prefer);
            for address in base..=base + 255 {
                let one = Span { first: address, last: address };
                let expected = named(&guards, address, prefer);
                prop_assert_eq!(table.guards(one).collect::<Vec<_>>(), Vec::from_iter(expected));
                let cover = if expected.is_some() { Cover::Whole } else { Cover::Nothing };
                prop_assert_eq!(table.cover(one), cover);
            }
        }

        #[test]
        fn a_span_is_covered_as_its_addresses_are_and_its_gaps_are_the_rest(
            (base, guards) in prop_oneof![Just(0u32), Just(0xffff_ff00)]
                .prop_flat_map(|base| (Just(base), guards_at(base))),
            ends in (0u32..256, 0u32..256),
        ) {
            let table = Table::new(guards.clone(), |id| id);
            let span = Span { first: base + ends.0.min(ends.1), last: base + ends.0.max(ends.1) };
            let free = |address: u32| named(&guards, address, |id| id).is_none();
            let expected: Vec<u32> = (span.first..=span.last).filter(|at| free(*at)).collect();
            let gaps: Vec<Span<u32>> = table.gaps(span).collect();
            let found: Vec<u32> = gaps.iter().flat_map(|gap| gap.first..=gap.last).collect();
            let cover = match expected.len() {
                0 => Cover::Whole,
                all if all == (span.last - span.first) as usize + 1 => Cover::Nothing,
                _ => Cover::Part,
            };
            prop_assert_eq!(table.cover(span), cover);
            prop_assert_eq!(found, expected);
            for pair in gaps.windows(2) {
                prop_assert!(pair[0].last + 1 < pair[1].first, "two gaps touch");
            }
        }
    }

    #[test]
    fn a_table_without_guards_covers_nothing() {
        let table: Table<u128> = Table::new(Vec::new(), |id| id);
        let all = Span {
            first: 0,
            last: u128::MAX,
        };
        assert_eq!(table.cover(all), Cover::Nothing);
        assert_eq!(table.gaps(all).collect::<Vec<_>>(), [all]);
        assert_eq!(table.guards(all).count(), 0);
    }

    #[test]
    fn a_guard_of_everything_leaves_nothing() {
        let all = Span {
            first: 0u128,
            last: u128::MAX,
        };
        let table = Table::new(vec![(all, 7)], |id| id);
        assert_eq!(table.cover(all), Cover::Whole);
        assert_eq!(table.gaps(all).count(), 0);
        assert_eq!(table.guards(all).collect::<Vec<_>>(), [7]);
    }
}
