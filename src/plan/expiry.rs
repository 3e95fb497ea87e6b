//! How long a listing is believed, and how much.

use std::time::Duration;

use crate::model::{Class, Directions, FeedTerms, Indicator, Listing, Mode, UnixTime, spread};

/// What ended longer ago than this is of no interest: an entry stands longer than its listing by no more than a step of
/// the grid, which is a day at most.
pub const LOOK_BACK: Duration = Duration::from_secs(86_400);

/// What a feed's listings are judged by.
#[derive(Clone, Debug)]
pub struct FeedFacts {
    /// Its terms.
    pub terms: FeedTerms,
    /// Its last good fetch; without one nothing of it is believed.
    pub last_good: Option<UnixTime>,
    /// Set from a start until the feed has answered: what ended by its silence alone is not deleted before
    /// this moment.
    pub patience_until: Option<UnixTime>,
}

/// A listing that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belief {
    /// What is listed.
    pub indicator: Indicator,
    /// When it was first listed.
    pub first_listed: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
    /// Half percents, 1 to 200: a delisted listing counts half.
    pub weight: u8,
    /// In which directions.
    pub directions: Directions,
    /// It has ended, but what stands on a list stays: either the entry is about to end by itself, or the
    /// feed was not heard since the start. It adds nothing.
    pub lapsed: bool,
}

/// What a listing is worth while it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    /// When it ends.
    pub expires: UnixTime,
    /// Half percents, 1 to 200: a delisted listing counts half.
    pub weight: u8,
    /// The directions that the feed names; `None`: those of the indicator's class.
    pub directions: Option<Directions>,
    /// See [`Belief::lapsed`].
    pub lapsed: bool,
}

/// What `listing` is worth at `now`; `None` once it has ended. `grid` is the step to which EndTimes were
/// rounded up: until then an entry ends by itself, and a delete would be a call for nothing.
#[must_use]
pub fn worth(feed: &FeedFacts, listing: &Listing, grid: Duration, now: UnixTime) -> Option<Worth> {
    let last_good = feed.last_good?;
    if listing.is_withdrawn() {
        // Not even where the clock was put back since.
        return None;
    }
    let expires = expires(&feed.terms, last_good, listing, now);
    let percent = listing.confidence.unwrap_or(feed.terms.confidence);
    let halves = if listing.delisted_at.is_some() { 1 } else { 2 };
    feed.worth(expires, percent.min(100) * halves, grid, now)
}

/// What every listing of a feed is worth that says nothing but that it is listed. The outer `None`: that depends on
/// the indicator, for the feed has been silent for so long that its ends are spread.
#[must_use]
pub fn worth_of_plain(feed: &FeedFacts, grid: Duration, now: UnixTime) -> Option<Option<Worth>> {
    let Some(last_good) = feed.last_good else {
        return Some(None);
    };
    if is_silent(&feed.terms, last_good, now) {
        return None;
    }
    let expires = last_good.plus(feed.terms.ttl);
    Some(feed.worth(expires, feed.terms.confidence.min(100) * 2, grid, now))
}

/// What `listing` says at `now`; `None` once it has ended. For `grid` see [`worth`].
#[must_use]
pub fn believe(
    feed: &FeedFacts,
    listing: &Listing,
    grid: Duration,
    now: UnixTime,
) -> Option<Belief> {
    let worth = worth(feed, listing, grid, now)?;
    Some(Belief {
        indicator: listing.indicator.clone(),
        first_listed: listing.first_listed,
        expires: worth.expires,
        weight: worth.weight,
        directions: worth.directions_of(listing.indicator.class()),
        lapsed: worth.lapsed,
    })
}

/// Whether the ends of what a feed lists are spread, for want of a good fetch.
fn is_silent(terms: &FeedTerms, last_good: UnixTime, now: UnixTime) -> bool {
    let half = terms.ttl / 2;
    terms.mode == Mode::Snapshot && now >= last_good.plus(half) && !half.is_zero()
}

impl FeedFacts {
    fn worth(&self, expires: UnixTime, weight: u8, grid: Duration, now: UnixTime) -> Option<Worth> {
        let lapsed = expires <= now;
        let fading = expires.round_up(grid) > now;
        let patient =
            self.patience_until.is_some_and(|until| until > now) && expires.plus(LOOK_BACK) > now;
        if lapsed && !(fading || patient) {
            return None;
        }
        Some(Worth {
            expires,
            weight,
            directions: self.terms.directions,
            lapsed,
        })
    }
}

impl Worth {
    /// Without a word of the config, domains are blocked outbound only, and addresses both ways.
    #[must_use]
    pub fn directions_of(&self, class: Class) -> Directions {
        self.directions.unwrap_or(match class {
            Class::Domain => Directions::OUT,
            _ => Directions::BOTH,
        })
    }
}

/// When a listing ends, if its feed says nothing more.
#[must_use]
pub fn expires(
    terms: &FeedTerms,
    last_good: UnixTime,
    listing: &Listing,
    now: UnixTime,
) -> UnixTime {
    let own = listing.expires_at;
    let by_feed = own.unwrap_or_else(|| while_listed(terms, last_good, &listing.indicator, now));
    let by_age = listing
        .dated
        .zip(terms.max_age)
        .map(|(dated, age)| dated.plus(age));
    [listing.valid_until, by_age]
        .into_iter()
        .flatten()
        .fold(by_feed, UnixTime::min)
}

/// The last good fetch + ttl. From half a ttl of silence on, the ends are spread by hash over another half,
/// so that a feed that nobody renews does not fall off in one stroke.
fn while_listed(
    terms: &FeedTerms,
    last_good: UnixTime,
    indicator: &Indicator,
    now: UnixTime,
) -> UnixTime {
    let end = last_good.plus(terms.ttl);
    if !is_silent(terms, last_good, now) {
        return end;
    }
    let half = terms.ttl / 2;
    end.plus(Duration::from_secs(
        spread(indicator, 0) % half.as_secs().max(1),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{List, OnDelist};

    const NOW: i64 = 1_800_000_000;
    const DAY: u64 = 86_400;
    const GRID: Duration = Duration::from_secs(1);

    fn feed() -> FeedFacts {
        FeedFacts {
            terms: FeedTerms {
                ttl: Duration::from_secs(7 * DAY),
                confidence: 60,
                directions: None,
                list: List::Block,
                mode: Mode::Snapshot,
                on_delist: OnDelist::AgeOut,
                max_age: None,
            },
            last_good: Some(UnixTime::from_seconds(NOW)),
            patience_until: None,
        }
    }

    fn listing(text: &str) -> Listing {
        Listing {
            indicator: Indicator::try_new(text).unwrap(),
            first_listed: UnixTime::from_seconds(NOW - 1000),
            expires_at: None,
            delisted_at: None,
            valid_until: None,
            dated: None,
            confidence: None,
        }
    }

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(NOW + seconds)
    }

    #[test]
    fn while_listed_the_last_good_fetch_counts() {
        let belief = believe(&feed(), &listing("198.51.100.7"), GRID, at(10)).unwrap();
        assert_eq!(belief.expires, at(7 * 86_400));
        assert_eq!(belief.weight, 120);
        assert_eq!(belief.directions, Directions::BOTH);
        let domain = believe(&feed(), &listing("bad.example.org"), GRID, at(10)).unwrap();
        assert_eq!(domain.directions, Directions::OUT);
    }

    #[test]
    fn a_feed_never_fetched_well_is_not_believed() {
        let feed = FeedFacts {
            last_good: None,
            ..feed()
        };
        assert_eq!(believe(&feed, &listing("198.51.100.7"), GRID, at(0)), None);
    }

    #[test]
    fn a_silent_feed_ends_spread_over_half_a_ttl() {
        let late = at(4 * 86_400);
        let ends: Vec<_> = (0..=255u8)
            .map(|n| {
                expires(
                    &feed().terms,
                    at(0),
                    &listing(&format!("198.51.100.{n}")),
                    late,
                )
            })
            .collect();
        let (first, last) = (ends.iter().min().unwrap(), ends.iter().max().unwrap());
        assert!(*first >= at(7 * 86_400) && *last < at(21 * 43_200));
        assert!(last.since(*first) > Duration::from_secs(3 * DAY));
    }

    #[test]
    fn a_delisted_listing_has_its_own_end_and_counts_half() {
        let delisted = Listing {
            expires_at: Some(at(500)),
            delisted_at: Some(at(1)),
            ..listing("198.51.100.7")
        };
        let belief = believe(&feed(), &delisted, GRID, at(10)).unwrap();
        assert_eq!((belief.expires, belief.weight), (at(500), 60));
        assert_eq!(believe(&feed(), &delisted, GRID, at(500)), None);
    }

    #[test]
    fn the_row_s_own_end_and_age_cap_it() {
        let row = Listing {
            valid_until: Some(at(600)),
            dated: Some(at(-100)),
            confidence: Some(90),
            ..listing("198.51.100.7")
        };
        let belief = believe(&feed(), &row, GRID, at(10)).unwrap();
        assert_eq!((belief.expires, belief.weight), (at(600), 180));
        let mut aged = feed();
        aged.terms.max_age = Some(Duration::from_secs(300));
        assert_eq!(believe(&aged, &row, GRID, at(10)).unwrap().expires, at(200));
    }

    #[test]
    fn what_ends_by_itself_within_the_grid_stays_and_what_was_withdrawn_does_not() {
        let hour = Duration::from_secs(3600);
        let delisted = Listing {
            expires_at: Some(at(500)),
            delisted_at: Some(at(1)),
            ..listing("198.51.100.7")
        };
        assert!(believe(&feed(), &delisted, hour, at(600)).unwrap().lapsed);
        assert_eq!(
            believe(&feed(), &delisted, hour, at(500).round_up(hour)),
            None
        );
        let withdrawn = Listing {
            expires_at: Some(at(1)),
            ..delisted
        };
        assert_eq!(believe(&feed(), &withdrawn, hour, at(2)), None);
        assert_eq!(believe(&feed(), &withdrawn, hour, at(-600)), None);
    }

    #[test]
    fn what_ended_in_silence_waits_for_the_feed_after_a_start() {
        let delisted = Listing {
            expires_at: Some(at(5)),
            delisted_at: Some(at(1)),
            ..listing("198.51.100.7")
        };
        let patient = FeedFacts {
            patience_until: Some(at(60)),
            ..feed()
        };
        assert!(believe(&patient, &delisted, GRID, at(10)).unwrap().lapsed);
        assert_eq!(believe(&patient, &delisted, GRID, at(60)), None);
    }
}
