//! Spreading by hash: the same indicator always falls on the same place of a span.

use super::Indicator;

/// A stable hash (64-bit FNV-1a over the canonical key), the same in every version: renewals and ends that
/// were spread must stay where they were.
#[must_use]
pub fn spread(indicator: &Indicator, salt: u8) -> u64 {
    let mut key = Vec::with_capacity(32);
    indicator.write_key(&mut key);
    key.push(salt);
    key.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
