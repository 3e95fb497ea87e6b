//! What the networks on a list cover, so that an address inside one of them is not put there twice.

use ipnet::IpNet;

use crate::model::{Direction, Indicator};

/// Stretches of addresses for each direction, sorted and apart.
#[derive(Clone, Debug, Default)]
pub struct Cover {
    v4: [Vec<(u32, u32)>; 2],
    v6: [Vec<(u128, u128)>; 2],
}

impl Cover {
    /// Takes in a network; networks come in their order, so that what holds another comes before it.
    pub fn add(&mut self, network: &Indicator, direction: Direction) {
        match network.net() {
            Some(IpNet::V4(four)) => extend(
                &mut self.v4[direction as usize],
                four.network().into(),
                four.broadcast().into(),
            ),
            Some(IpNet::V6(six)) => extend(
                &mut self.v6[direction as usize],
                six.network().into(),
                six.broadcast().into(),
            ),
            None => {}
        }
    }

    /// Whether networks taken in hold all of `indicator`.
    #[must_use]
    pub fn holds(&self, indicator: &Indicator, direction: Direction) -> bool {
        match indicator.net() {
            Some(IpNet::V4(four)) => lies_in(
                &self.v4[direction as usize],
                four.network().into(),
                four.broadcast().into(),
            ),
            Some(IpNet::V6(six)) => lies_in(
                &self.v6[direction as usize],
                six.network().into(),
                six.broadcast().into(),
            ),
            None => false,
        }
    }

    /// Whether nothing was taken in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.iter().all(Vec::is_empty) && self.v6.iter().all(Vec::is_empty)
    }
}

fn extend<P: Copy + Ord>(stretches: &mut Vec<(P, P)>, first: P, last: P) {
    match stretches.last_mut() {
        // Networks nest or lie apart.
        Some((_, end)) if *end >= first => *end = last.max(*end),
        _ => stretches.push((first, last)),
    }
}

fn lies_in<P: Copy + Ord>(stretches: &[(P, P)], first: P, last: P) -> bool {
    let behind = stretches.partition_point(|(begin, _)| *begin <= first);
    let before = behind.checked_sub(1).and_then(|at| stretches.get(at));
    before.is_some_and(|(_, end)| *end >= last)
}
