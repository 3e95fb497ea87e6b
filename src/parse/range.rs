//! Ranges `a-b` as the fewest networks that cover exactly them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use super::{MinPrefix, Reason};
use crate::model::Indicator;

/// The addresses from `start` to `end`, both included, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

impl Range {
    /// Judges the range before anything is made of it.
    pub(super) fn try_new(start: IpAddr, end: IpAddr, widest: MinPrefix) -> Result<Self, Reason> {
        let (range, span, limit) = match (start.to_canonical(), end.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let span = b.to_bits().checked_sub(a.to_bits()).map(u128::from);
                (
                    Self::V4(a, b),
                    span,
                    u128::from(u32::MAX).checked_shr(widest.v4.into()),
                )
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let span = b.to_bits().checked_sub(a.to_bits());
                (
                    Self::V6(a, b),
                    span,
                    u128::MAX.checked_shr(widest.v6.into()),
                )
            }
            _ => return Err(Reason::RangeEnds),
        };
        let span = span.ok_or(Reason::RangeOrder)?;
        if span > limit.unwrap_or(0) {
            return Err(Reason::RangeWidth(match range {
                Self::V4(..) => widest.v4,
                Self::V6(..) => widest.v6,
            }));
        }
        Ok(range)
    }

    /// Its networks in order; at most 62 for IPv4 and 254 for IPv6.
    pub(super) fn indicators(self) -> impl Iterator<Item = Indicator> {
        let (four, six) = match self {
            Self::V4(start, end) => (Some(Ipv4Subnets::new(start, end, 0)), None),
            Self::V6(start, end) => (None, Some(Ipv6Subnets::new(start, end, 0))),
        };
        let four = four.into_iter().flatten().map(IpNet::V4);
        let six = six.into_iter().flatten().map(IpNet::V6);
        four.chain(six).map(Indicator::from_net)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(start: &str, end: &str) -> Result<Vec<String>, Reason> {
        let widest = MinPrefix::default();
        let range = Range::try_new(start.parse().unwrap(), end.parse().unwrap(), widest)?;
        Ok(range.indicators().map(|one| one.to_string()).collect())
    }

    #[test]
    fn ranges_become_the_fewest_networks() {
        assert_eq!(texts("192.0.2.0", "192.0.2.255").unwrap(), ["192.0.2.0/24"]);
        assert_eq!(texts("192.0.2.7", "192.0.2.7").unwrap(), ["192.0.2.7"]);
        assert_eq!(
            texts("192.0.2.1", "192.0.2.4").unwrap(),
            ["192.0.2.1", "192.0.2.2/31", "192.0.2.4"]
        );
        assert_eq!(
            texts("255.255.255.254", "255.255.255.255").unwrap(),
            ["255.255.255.254/31"]
        );
        assert_eq!(
            texts("2001:db8::", "2001:db8::ffff").unwrap(),
            ["2001:db8::/112"]
        );
        assert_eq!(
            texts("::ffff:192.0.2.0", "192.0.2.1").unwrap(),
            ["192.0.2.0/31"]
        );
        assert_eq!(texts("10.0.0.0", "10.255.255.255").unwrap(), ["10.0.0.0/8"]);
    }

    #[test]
    fn ranges_are_judged_before_they_are_split() {
        assert_eq!(texts("10.0.0.0", "11.0.0.0"), Err(Reason::RangeWidth(8)));
        assert_eq!(
            texts("0.0.0.0", "255.255.255.255"),
            Err(Reason::RangeWidth(8))
        );
        assert!(texts("::1", "1::").is_ok());
        assert_eq!(texts("::", "1::"), Err(Reason::RangeWidth(16)));
        assert_eq!(texts("10.0.0.2", "10.0.0.1"), Err(Reason::RangeOrder));
        assert_eq!(texts("10.0.0.2", "2001:db8::"), Err(Reason::RangeEnds));
    }

    proptest! {
        #[test]
        fn the_networks_are_exactly_the_range(start in any::<u32>(), span in 0..=0xff_ffff_u32) {
            let end = start.saturating_add(span);
            let widest = MinPrefix { v4: 8, v6: 16 };
            let (a, b) = (Ipv4Addr::from_bits(start), Ipv4Addr::from_bits(end));
            let range = Range::try_new(a.into(), b.into(), widest).unwrap();
            let mut next = u64::from(start);
            let mut count = 0;
            for indicator in range.indicators() {
                let Some(IpNet::V4(net)) = indicator.net() else { unreachable!() };
                prop_assert_eq!(u64::from(net.network().to_bits()), next);
                next = u64::from(net.broadcast().to_bits()) + 1;
                count += 1;
            }
            prop_assert_eq!(next, u64::from(end) + 1);
            prop_assert!(count <= 62);
        }
    }
}
