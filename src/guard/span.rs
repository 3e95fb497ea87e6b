//! Stretches of the address space, of either family, as numbers.

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

/// Addresses from `first` to `last`, both counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span<P> {
    pub(super) first: P,
    pub(super) last: P,
}

/// An address as a number.
pub(super) trait Point: Copy + Ord {
    /// The address above, or `None` at the end of the space.
    fn next(self) -> Option<Self>;
    /// The address below, or `None` at the beginning.
    fn before(self) -> Option<Self>;
    /// The fewest networks that are together `span`, by address.
    fn nets(span: Span<Self>) -> impl Iterator<Item = IpNet>;
}

impl Point for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }

    fn nets(span: Span<Self>) -> impl Iterator<Item = IpNet> {
        Ipv4Subnets::new(span.first.into(), span.last.into(), 0).map(IpNet::V4)
    }
}

impl Point for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }

    fn nets(span: Span<Self>) -> impl Iterator<Item = IpNet> {
        Ipv6Subnets::new(span.first.into(), span.last.into(), 0).map(IpNet::V6)
    }
}

impl Span<u32> {
    /// The addresses of a network.
    pub(super) fn of4(net: Ipv4Net) -> Self {
        Self {
            first: net.network().into(),
            last: net.broadcast().into(),
        }
    }
}

impl Span<u128> {
    /// The addresses of a network.
    pub(super) fn of6(net: Ipv6Net) -> Self {
        Self {
            first: net.network().into(),
            last: net.broadcast().into(),
        }
    }
}
