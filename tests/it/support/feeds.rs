//! Feeds from a seed, and what of them may be blocked, judged here by hand.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Addresses that no feed may have blocked: reserved ranges and public resolvers. Their low numbers would put most of
/// them among the first that get a place.
pub const NEVER: [&str; 20] = [
    "0.0.0.0",
    "0.1.2.3",
    "1.0.0.1",
    "1.1.1.1",
    "8.8.4.4",
    "8.8.8.8",
    "9.9.9.9",
    "10.0.0.1",
    "10.255.255.254",
    "100.64.0.7",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.31.7",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.5",
    "198.51.100.77",
    "203.0.113.5",
    "224.0.0.251",
    "255.255.255.255",
];

/// So many different addresses that nothing guards, in the order of their numbers.
pub fn addresses(seed: u64, count: usize) -> Vec<Ipv4Addr> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut found = BTreeSet::new();
    while found.len() < count {
        let address = Ipv4Addr::from(chance.u32(..));
        if may_be_blocked(address) {
            found.insert(address);
        }
    }
    found.into_iter().collect()
}

/// One address a line.
pub fn lines<'a>(addresses: impl IntoIterator<Item = &'a Ipv4Addr>) -> String {
    let mut text = String::from("# addresses from a seed\n");
    for address in addresses {
        writeln!(text, "{address}").unwrap();
    }
    text
}

/// As ipsum writes it: an address, a tab, on how many lists it was seen; the most seen first.
pub fn ipsum<'a>(seed: u64, addresses: impl IntoIterator<Item = &'a Ipv4Addr>) -> String {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut rows: Vec<(u32, &Ipv4Addr)> = addresses
        .into_iter()
        .map(|address| (seen(chance.f64()), address))
        .collect();
    chance.shuffle(&mut rows);
    rows.sort_by_key(|(times, _)| std::cmp::Reverse(*times));
    let mut text = String::from("# IP\tnumber of (black)lists\n#\n");
    for (times, address) in rows {
        writeln!(text, "{address}\t{times}").unwrap();
    }
    text
}

/// Three quarters were seen once, and ever fewer more often.
fn seen(chance: f64) -> u32 {
    let rest = [0.255, 0.118, 0.044, 0.011, 0.0027, 0.000_58, 0.000_19];
    1 + u32::try_from(rest.iter().filter(|part| chance < **part).count()).unwrap()
}

fn may_be_blocked(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = a == 0
        || a >= 224
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || matches!(
            (a, b, c),
            (192, 31, 196) | (192, 52, 193) | (192, 88, 99) | (192, 175, 48)
        );
    // The operator's own, in the tests that have an allowlist.
    let ours = a == 2 && b == 57;
    !reserved && !ours && !NEVER.contains(&address.to_string().as_str())
}
