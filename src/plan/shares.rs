//! What each feed is good for: what it alone lists, what others list too, and what is blocked on its word.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::Serialize;

use crate::model::{Indicator, UnixTime, tags};

use super::expiry::worth;
use super::merge::Source;
use super::sheet::Sheet;

/// One feed in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Indicators that it lists now, and that have not ended.
    pub lists: u64,
    /// Of those, the ones that no other feed lists.
    pub alone: u64,
    /// Of those, the ones that another feed lists too.
    pub shared: u64,
    /// What stands on a firewall's list because it lists that, or a network that holds it; others may list it too.
    pub blocked: u64,
    /// How often that was hit, as last read back.
    pub hits: u64,
}

/// What stands on firewalls' lists.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What it is.
    pub indicator: Indicator,
    /// How often it was hit.
    pub hits: u64,
}

/// A number for each source, in their order.
#[must_use]
pub fn shares(sources: &[Source<'_>], standing: &[Standing], now: UnixTime) -> Vec<Share> {
    let mut shares = vec![Share::default(); sources.len()];
    count_listed(sources, &mut shares, now);
    for (source, share) in sources.iter().zip(&mut shares) {
        let lengths = lengths(source.sheet);
        let mut words = Words { source, now };
        for one in standing {
            if words.lists(&one.indicator, &lengths) {
                share.blocked += 1;
                share.hits += one.hits;
            }
        }
    }
    shares
}

/// Goes through all sheets side by side.
fn count_listed(sources: &[Source<'_>], shares: &mut [Share], now: UnixTime) {
    let mut rows = vec![0; sources.len()];
    let mut words = vec![0; sources.len()];
    loop {
        let keys = sources.iter().zip(&rows);
        let keys = keys.filter(|(source, row)| **row < source.sheet.len());
        let Some(least) = keys.map(|(source, row)| source.sheet.key(*row)).min() else {
            return;
        };
        let mut listed = Vec::new();
        let both = sources.iter().zip(rows.iter_mut().zip(&mut words));
        for (at, (source, (row, words))) in both.enumerate() {
            if *row >= source.sheet.len() || source.sheet.key(*row) != least {
                continue;
            }
            if is_listed(source, *row, words, now) {
                listed.push(at);
            }
            *row += 1;
        }
        let is_alone = listed.len() == 1;
        for at in listed {
            if let Some(share) = shares.get_mut(at) {
                share.lists += 1;
                share.alone += u64::from(is_alone);
                share.shared += u64::from(!is_alone);
            }
        }
    }
}

/// Whether a feed lists a row now, and the listing has not ended.
fn is_listed(source: &Source<'_>, row: usize, words: &mut usize, now: UnixTime) -> bool {
    let _ = source.sheet.is_plain(row, words);
    let Some(indicator) = source.sheet.key(row).indicator() else {
        return false;
    };
    let listing = source.sheet.listing(row, indicator, *words);
    let worth = worth(source.facts, &listing, std::time::Duration::ZERO, now);
    listing.delisted_at.is_none() && worth.is_some_and(|worth| !worth.lapsed)
}

/// The prefix lengths of the networks on a sheet, of each family.
fn lengths(sheet: &Sheet) -> [BTreeSet<u8>; 2] {
    let mut lengths = [BTreeSet::new(), BTreeSet::new()];
    let networks = sheet.first_of(tags::NETWORKS.start)..sheet.first_of(tags::NETWORKS.end);
    for row in networks {
        match sheet.key(row).indicator().and_then(|one| one.net()) {
            Some(IpNet::V4(four)) => lengths[0].insert(four.prefix_len()),
            Some(IpNet::V6(six)) => lengths[1].insert(six.prefix_len()),
            None => false,
        };
    }
    lengths
}

/// What one feed says of single indicators.
struct Words<'a> {
    source: &'a Source<'a>,
    now: UnixTime,
}

impl Words<'_> {
    /// Whether the feed's word counts for `indicator`: delisted or not, it has not ended.
    fn lists(&mut self, indicator: &Indicator, lengths: &[BTreeSet<u8>; 2]) -> bool {
        if self.says(indicator) {
            return true;
        }
        let Some(net) = indicator.net() else {
            return false;
        };
        let [four, six] = lengths;
        let lengths = match net {
            IpNet::V4(_) => four,
            IpNet::V6(_) => six,
        };
        let wider = lengths.range(..net.prefix_len()).rev();
        let mut holders = wider.filter_map(|length| IpNet::new(net.addr(), *length).ok());
        holders.any(|holder| self.says(&Indicator::from_net(holder)))
    }

    fn says(&self, indicator: &Indicator) -> bool {
        let Some(row) = self.source.sheet.find(indicator) else {
            return false;
        };
        let mut words = self.source.sheet.words_from(row);
        let _ = self.source.sheet.is_plain(row, &mut words);
        let listing = self.source.sheet.listing(row, indicator.clone(), words);
        worth(
            self.source.facts,
            &listing,
            std::time::Duration::ZERO,
            self.now,
        )
        .is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{FeedTerms, List, Listing, Mode, OnDelist};
    use crate::plan::expiry::FeedFacts;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn facts() -> FeedFacts {
        FeedFacts {
            terms: FeedTerms {
                ttl: Duration::from_secs(7 * 86_400),
                confidence: 60,
                directions: None,
                list: List::Block,
                mode: Mode::Snapshot,
                on_delist: OnDelist::AgeOut,
                max_age: None,
            },
            last_good: Some(NOW),
            patience_until: None,
        }
    }

    fn ioc(text: &str) -> Indicator {
        Indicator::try_new(text).unwrap()
    }

    /// A sheet of these; a `-` before one: delisted.
    fn sheet(texts: &[&str]) -> Sheet {
        let listing = |text: &&str| Listing {
            indicator: ioc(text.trim_start_matches('-')),
            first_listed: NOW,
            expires_at: text
                .starts_with('-')
                .then(|| NOW.plus(Duration::from_secs(600))),
            delisted_at: text.starts_with('-').then_some(NOW),
            valid_until: None,
            dated: None,
            confidence: None,
        };
        let mut listings: Vec<Listing> = texts.iter().map(listing).collect();
        listings.sort_by(|one, other| one.indicator.cmp(&other.indicator));
        let mut sheet = Sheet::default();
        listings.iter().for_each(|listing| sheet.push(listing));
        sheet
    }

    #[test]
    fn a_feed_is_told_what_it_alone_lists_and_what_stands_on_its_word() {
        let facts = facts();
        let one = sheet(&["45.0.0.1", "45.0.0.2", "bad.badhost.com", "-45.0.0.9"]);
        let two = sheet(&["45.0.0.2", "45.0.1.0/24", "45.0.0.9"]);
        let sources = [&one, &two].map(|sheet| Source {
            sheet,
            facts: &facts,
        });
        let standing = [
            ("45.0.0.2", 5),
            ("45.0.0.9", 1),
            ("45.0.1.128/25", 7),
            ("45.0.1.3", 0),
            ("9.9.9.9", 3),
        ];
        let standing = standing.map(|(text, hits)| Standing {
            indicator: ioc(text),
            hits,
        });
        let shares = shares(&sources, &standing, NOW);
        let first = Share {
            lists: 3,
            alone: 2,
            shared: 1,
            blocked: 2,
            hits: 6,
        };
        let second = Share {
            lists: 3,
            alone: 2,
            shared: 1,
            blocked: 4,
            hits: 13,
        };
        assert_eq!(shares, [first, second]);
        assert_eq!(super::shares(&[], &standing, NOW), []);
    }
}
