//! Spreading by hash: the same indicator always falls on the same place of a span.

use super::Indicator;

/// A stable hash (64-bit FNV-1a over the canonical key, its bits then mixed as splitmix64 ends), the same in every
/// version: renewals and ends that were spread must stay where they were.
#[must_use]
pub fn spread(indicator: &Indicator, salt: u8) -> u64 {
    let mut key = Vec::with_capacity(32);
    indicator.write_key(&mut key);
    key.push(salt);
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // FNV's low bits depend on the low bits of neighbours alone, and a remainder shows that.
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
