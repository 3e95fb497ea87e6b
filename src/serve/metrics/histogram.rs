//! How long it took from the first listing of an indicator until a read-back saw its entry.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Name;

use super::text::Text;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Upper bounds in seconds: from what a quick feed takes to what waits for a place.
const BOUNDS: [u64; 11] = [
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    24 * HOUR,
    7 * 24 * HOUR,
];

/// What was observed since the daemon started.
#[derive(Clone, Debug, Default)]
pub(in crate::serve) struct Histogram {
    /// By the smallest bound that holds it; what none holds is in `count` alone.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

impl Histogram {
    pub fn observe(&mut self, lag: Duration) {
        let place = BOUNDS.iter().position(|bound| lag.as_secs() <= *bound);
        if let Some(bucket) = place.and_then(|place| self.buckets.get_mut(place)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(lag);
    }
}

pub(super) fn write(text: &mut Text, lags: &BTreeMap<Name, Histogram>) {
    let help = "From an indicator's first listing until a read-back first saw its entry, of at most 2000 entries a read-back.";
    let mut family = text.family("feedwall_listing_to_confirmed_seconds", "histogram", help);
    for (firewall, histogram) in lags {
        let firewall = ("firewall", firewall.as_str());
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(histogram.buckets) {
            below += count;
            family.part("_bucket", &[firewall, ("le", &bound.to_string())], below);
        }
        family.part("_bucket", &[firewall, ("le", "+Inf")], histogram.count);
        family.part("_sum", &[firewall], histogram.sum.as_secs_f64());
        family.part("_count", &[firewall], histogram.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up() {
        let mut histogram = Histogram::default();
        for seconds in [0, 60, 61, 8 * 24 * HOUR] {
            histogram.observe(Duration::from_secs(seconds));
        }
        let mut text = Text::default();
        let name = Name::try_new("prod").unwrap();
        write(&mut text, &[(name, histogram)].into());
        let text = text.into_string();
        for line in [
            "_bucket{firewall=\"prod\",le=\"60\"} 2\n",
            "_bucket{firewall=\"prod\",le=\"120\"} 3\n",
            "_bucket{firewall=\"prod\",le=\"604800\"} 3\n",
            "_bucket{firewall=\"prod\",le=\"+Inf\"} 4\n",
            "_sum{firewall=\"prod\"} 691321\n",
            "_count{firewall=\"prod\"} 4\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
