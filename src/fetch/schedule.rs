//! When a feed is asked next. Pure: what happened goes in, a moment comes out.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Source;
use crate::model::{Name, UnixTime};

/// What is known of a feed's polls so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// When the last poll ended.
    pub last: UnixTime,
    /// Polls so far, the last one included; it moves the jitter.
    pub polls: u64,
    /// Failures in a row, up to and including the last poll; zero after a good one.
    pub failures: u32,
    /// What the last answer's `Retry-After` asked for.
    pub retry_after: Option<Duration>,
}

/// The first retry after a failure comes this soon, unless the interval is shorter; each further one waits twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(60);

/// The least upper bound of the wait between retries; a longer interval is its own bound.
const SLOWEST_RETRY: Duration = Duration::from_secs(3600);

/// A `Retry-After` beyond this is not believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// No feed is asked more often than this.
const SHORTEST: Duration = Duration::from_secs(1);

/// What is added to a floor, for the publisher's clock starts when the request reaches it, not when ours ended.
const FLOOR_MARGIN: Duration = Duration::from_secs(5);

/// The hosts that lock out those who ask more often, with the time between two polls that they take.
///
/// A leading dot stands for the host and everything under it. Sources: the publishers' own pages.
const FLOORS: [(&str, Duration); 6] = [
    (".spamhaus.org", Duration::from_secs(3600)),
    (".dan.me.uk", Duration::from_secs(30 * 60)),
    ("check.torproject.org", Duration::from_secs(30 * 60)),
    (".abuse.ch", Duration::from_secs(5 * 60)),
    // Five a day for the free plan.
    ("api.abuseipdb.com", Duration::from_secs(24 * 3600 / 5)),
    ("data.phishtank.com", Duration::from_secs(3600)),
];

/// The least time between two polls of `source` that its publisher takes, where one is known.
#[must_use]
pub fn floor_for(source: &Source) -> Option<Duration> {
    let host = source.url()?.host_str()?.trim_end_matches('.');
    FLOORS.iter().find_map(|(pattern, floor)| {
        let matches = match pattern.strip_prefix('.') {
            Some(parent) => host == parent || host.ends_with(pattern),
            None => host == *pattern,
        };
        matches.then_some(*floor)
    })
}

/// The moment of the next poll.
///
/// After a good poll: the interval, ± 10 %. After n failures in a row: one minute, doubled n − 1 times, at most the
/// interval or one hour, whichever is longer, ± 10 %; and not before `Retry-After`, of which at most a day is believed.
/// Never before the publisher's floor, whatever the config says. The jitter comes from the feed's name and its number of
/// polls: two feeds part, and a restart changes nothing.
#[must_use]
pub fn next_poll(
    feed: &Name,
    interval: Duration,
    floor: Option<Duration>,
    past: &Past,
) -> UnixTime {
    let spread = spread(feed, past.polls);
    let wanted = if past.failures == 0 {
        interval
    } else {
        backoff(interval, past.failures)
    };
    let mut wait = scaled(wanted, 0.9 + 0.2 * spread).max(SHORTEST);
    if let Some(asked) = past.retry_after {
        wait = wait.max(later(asked.min(LONGEST_RETRY_AFTER), spread));
    }
    if let Some(floor) = floor {
        wait = wait.max(later(floor.saturating_add(FLOOR_MARGIN), spread));
    }
    past.last.plus(whole_second_up(wait))
}

fn backoff(interval: Duration, failures: u32) -> Duration {
    let doubled = 1u32
        .checked_shl(failures.saturating_sub(1))
        .unwrap_or(u32::MAX);
    FIRST_RETRY
        .min(interval)
        .saturating_mul(doubled)
        .min(interval.max(SLOWEST_RETRY))
}

/// At `least`, or up to a tenth later: a bound that is kept still needs jitter.
fn later(least: Duration, spread: f64) -> Duration {
    scaled(least, 1.0 + 0.1 * spread)
}

fn scaled(span: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(span.as_secs_f64() * by).unwrap_or(Duration::MAX)
}

/// A number in [0, 1) that looks random and is always the same.
fn spread(feed: &Name, polls: u64) -> f64 {
    let digest = Sha256::new()
        .chain_update(feed.as_str())
        .chain_update([0])
        .chain_update(polls.to_be_bytes())
        .finalize();
    let bits = digest
        .iter()
        .take(4)
        .fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte));
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

fn whole_second_up(span: Duration) -> Duration {
    Duration::from_secs(
        span.as_secs()
            .saturating_add(u64::from(span.subsec_nanos() > 0)),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    const HOUR: u64 = 3600;

    fn wait(
        interval: u64,
        floor: Option<u64>,
        failures: u32,
        retry_after: Option<u64>,
        polls: u64,
    ) -> u64 {
        let past = Past {
            last: UnixTime::from_seconds(1_000),
            polls,
            failures,
            retry_after: retry_after.map(Duration::from_secs),
        };
        let feed = Name::try_new("feodo").unwrap();
        let next = next_poll(
            &feed,
            Duration::from_secs(interval),
            floor.map(Duration::from_secs),
            &past,
        );
        next.since(past.last).as_secs()
    }

    #[test]
    fn waits_are_what_the_table_says() {
        // (interval, floor, failures in a row, Retry-After) and the wait before jitter
        let table = [
            (900, None, 0, None, 900),
            (900, None, 1, None, 60),
            (900, None, 2, None, 120),
            (900, None, 6, None, 1_920),
            (900, None, 7, None, HOUR),
            (900, None, 4_000_000, None, HOUR),
            (30, None, 1, None, 30),
            (86_400, None, 12, None, 86_400),
            (900, None, 1, Some(7_200), 7_560),
            (900, None, 1, Some(10), 60),
            (900, None, 1, Some(1_000_000), 90_720),
            (60, Some(HOUR), 0, None, 3_785),
            (60, Some(HOUR), 1, None, 3_785),
        ];
        for (interval, floor, failures, retry_after, expected) in table {
            for polls in 0..50 {
                let wait = wait(interval, floor, failures, retry_after, polls) as f64;
                let off = wait / expected as f64;
                assert!(
                    (0.899..=1.14).contains(&off),
                    "{interval} {failures} {retry_after:?}: {wait}"
                );
            }
        }
    }

    #[test]
    fn jitter_parts_polls_and_feeds_but_not_restarts() {
        let waits: std::collections::BTreeSet<u64> = (0..100)
            .map(|polls| wait(HOUR, None, 0, None, polls))
            .collect();
        assert!(waits.len() > 50, "{}", waits.len());
        assert!(waits.iter().all(|wait| (3_240..=3_961).contains(wait)));
        assert_eq!(wait(HOUR, None, 0, None, 7), wait(HOUR, None, 0, None, 7));
        let names = ["a", "b"].map(|name| spread(&Name::try_new(name).unwrap(), 1));
        assert_ne!(names[0], names[1]);
    }

    #[test]
    fn publishers_who_lock_out_have_a_floor() {
        let table = [
            ("https://www.spamhaus.org/drop/drop_v4.json", Some(HOUR)),
            ("https://SPAMHAUS.org./drop/drop.txt", Some(HOUR)),
            ("https://notspamhaus.org/drop/drop.txt", None),
            ("https://www.dan.me.uk/torlist/?exit", Some(1_800)),
            ("https://check.torproject.org/torbulkexitlist", Some(1_800)),
            ("https://www.torproject.org/", None),
            (
                "https://urlhaus-api.abuse.ch/files/exports/recent.csv",
                Some(300),
            ),
            ("https://api.abuseipdb.com/api/v2/blacklist", Some(17_280)),
            ("https://example.net/", None),
        ];
        for (url, floor) in table {
            let source = Source::http(Url::parse(url).unwrap());
            assert_eq!(floor_for(&source), floor.map(Duration::from_secs), "{url}");
        }
        assert_eq!(
            floor_for(&Source::File("/srv/www.spamhaus.org".into())),
            None
        );
    }

    proptest! {
        #[test]
        fn a_floor_is_kept_whatever_else_is_said(
            interval in 0u64..10_000_000,
            floor in 1u64..1_000_000,
            failures in any::<u32>(),
            retry_after in proptest::option::of(any::<u32>()),
            polls in any::<u64>(),
        ) {
            let wait = wait(interval, Some(floor), failures, retry_after.map(u64::from), polls);
            prop_assert!(wait >= floor);
        }
    }
}
