//! Cutting guarded addresses out of a listed network, exactly, in the fewest pieces.

use ipnet::IpNet;

use super::judgement::MOST_PIECES;
use super::span::{Point, Span};
use super::table::Table;

/// What `table` leaves of `span`, in the fewest networks (CIDR, RFC 4632); `None` where
/// that would take more than [`MOST_PIECES`].
///
/// No two gaps touch, so the fewest networks of each are the fewest of all.
pub(super) fn remaining<P: Point>(table: &Table<P>, span: Span<P>) -> Option<Vec<IpNet>> {
    let pieces = table.gaps(span).flat_map(P::nets);
    let pieces: Vec<IpNet> = pieces.take(MOST_PIECES + 1).collect();
    (pieces.len() <= MOST_PIECES).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use ipnet::{Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    use super::*;

    const SIZE: usize = 512;

    /// The fewest networks that make up the set bits of an aligned block, counted by halving.
    fn fewest(free: &[bool]) -> usize {
        match free.iter().filter(|bit| **bit).count() {
            0 => 0,
            all if all == free.len() => 1,
            _ => {
                let (low, high) = free.split_at(free.len() / 2);
                fewest(low) + fewest(high)
            }
        }
    }

    fn guards() -> impl Strategy<Value = Vec<(usize, u8)>> {
        prop::collection::vec((0..SIZE, 0u8..=9), 1..20)
    }

    /// Which of the 512 addresses no guard covers.
    fn bitmap(guards: &[(usize, u8)]) -> Vec<bool> {
        let mut free = vec![true; SIZE];
        for (at, bits) in guards {
            let first = at >> bits << bits;
            free[first..first + (1 << bits)].fill(false);
        }
        free
    }

    proptest! {
        #[test]
        fn pieces_of_ipv4_are_the_rest_of_the_network_disjoint_and_fewest(
            guards in guards(),
            base in prop_oneof![Just(0u32), Just(0x2d9b_cc00), Just(0xffff_fe00)],
        ) {
            let rows = guards.iter().map(|(at, bits)| {
                let address = base + u32::try_from(*at).unwrap();
                (Span::of4(Ipv4Net::new(address.into(), 32 - bits).unwrap()), 0)
            });
            let table = Table::new(rows.collect(), |id| id);
            let span = Span { first: base, last: base + 511 };
            let pieces = remaining(&table, span).unwrap();
            let mut free = vec![false; SIZE];
            for piece in &pieces {
                let IpNet::V4(four) = piece else { panic!("another family") };
                let within = Span::of4(*four);
                for address in within.first..=within.last {
                    let bit = &mut free[(address - base) as usize];
                    prop_assert!(!*bit, "two pieces overlap");
                    *bit = true;
                }
            }
            prop_assert_eq!(&free, &bitmap(&guards));
            prop_assert_eq!(pieces.len(), fewest(&free));
            prop_assert!(pieces.is_sorted());
        }

        #[test]
        fn pieces_of_ipv6_are_the_rest_of_the_network_disjoint_and_fewest(
            guards in guards(),
            base in prop_oneof![Just(0u128), Just(0x2a00u128 << 112), Just(u128::MAX - 511)],
        ) {
            let rows = guards.iter().map(|(at, bits)| {
                let address = base + *at as u128;
                (Span::of6(Ipv6Net::new(address.into(), 128 - bits).unwrap()), 0)
            });
            let table = Table::new(rows.collect(), |id| id);
            let pieces = remaining(&table, Span { first: base, last: base + 511 }).unwrap();
            let mut free = vec![false; SIZE];
            for piece in &pieces {
                let IpNet::V6(six) = piece else { panic!("another family") };
                let within = Span::of6(*six);
                for address in within.first..=within.last {
                    let bit = &mut free[usize::try_from(address - base).unwrap()];
                    prop_assert!(!*bit, "two pieces overlap");
                    *bit = true;
                }
            }
            prop_assert_eq!(&free, &bitmap(&guards));
            prop_assert_eq!(pieces.len(), fewest(&free));
        }
    }

    #[test]
    fn as_many_pieces_as_the_bound_are_made_and_one_more_is_not() {
        let every_other = |count: u32| {
            let one = |at: u32| (Span::of4(Ipv4Net::new((at * 2).into(), 32).unwrap()), 0);
            Table::new((0..count).map(one).collect(), |id| id)
        };
        let span = |addresses: u32| Span {
            first: 0,
            last: addresses - 1,
        };
        let pieces = remaining(&every_other(256), span(512)).unwrap();
        assert_eq!(pieces.len(), MOST_PIECES);
        assert_eq!(remaining(&every_other(257), span(514)), None);
        assert_eq!(remaining(&every_other(4096), span(8192)), None);
    }
}
