//! `[[feed]]`, and `[defaults]` behind it.

use std::time::Duration;

use crate::fetch::{Limits, Source};
use crate::model::{Brakes, Directions, FeedTerms, List, Mode, Name, OnDelist};
use crate::parse::{Format, MinPrefix, Recipe, Urls};

use super::address::{self, Ground};
use super::section::{Found, Origin, Section};
use super::value::{LONGEST, SECOND, boolean, duration, duration_text, number, size, whole, word};
use super::{Feed, defaults, value, words};

/// One feed as read, with the places that rules across sections look at.
#[derive(Debug)]
pub(super) struct FeedRead {
    pub name: Option<Found<Name>>,
    pub source: Option<Found<Source>>,
    pub ttl: Found<Duration>,
    /// Absent where the name or the source cannot be read; other faults leave fillers in it.
    pub feed: Option<Feed>,
}

/// Every key that may also stand in `[defaults]`.
#[derive(Debug)]
struct Shared {
    format: Found<Format>,
    interval: Found<Duration>,
    ttl: Found<Duration>,
    confidence: Found<u8>,
    direction: Found<Option<Directions>>,
    list: Found<List>,
    mode: Found<Mode>,
    on_delist: Found<OnDelist>,
    max_age: Found<Option<Duration>>,
    urls: Found<Urls>,
    may_be_empty: Found<bool>,
    min_entries: Found<u64>,
    max_entries: Found<u64>,
    max_shrink: Found<f64>,
    max_growth: Found<f64>,
    max_size: Found<u64>,
    max_unpacked: Found<u64>,
    timeout: Found<Duration>,
}

/// Reads `[defaults]` by itself, so that what is wrong there is told even if every feed overrides it.
pub(super) fn read_defaults(section: &mut Section<'_>) {
    shared(section);
}

/// Reads one `[[feed]]`.
pub(super) fn read(
    section: &mut Section<'_>,
    min_prefix: MinPrefix,
    allow_private: &Found<bool>,
) -> FeedRead {
    let name = section.need("name", "is missing; each feed needs one", value::name);
    let source = source(section, allow_private);
    let shared = shared(section);
    judge(section, &shared);
    remark(section, &shared);
    let ttl = shared.ttl.clone();
    let feed = name.as_ref().zip(source.as_ref()).map(|(name, source)| {
        shared.into_feed(name.value.clone(), source.value.clone(), min_prefix)
    });
    FeedRead {
        name,
        source,
        ttl,
        feed,
    }
}

fn source(section: &mut Section<'_>, allow_private: &Found<bool>) -> Option<Found<Source>> {
    let url = section
        .has("url")
        .then(|| section.need("url", "", address::feed_url));
    let path = section
        .has("path")
        .then(|| section.need("path", "", |item| value::path(item).map(Source::File)));
    let whole = section.at("", Origin::BuiltIn);
    match (url, path) {
        (None, None) => {
            section.fault(&whole, "names no source; give it a `url` or a `path`");
            None
        }
        (Some(_), Some(_)) => {
            section.fault(&whole, "has both `url` and `path`; keep one of them");
            None
        }
        (None, Some(path)) => path,
        (Some(url), None) => {
            let url = url?;
            if let Source::Http(address) = &url.value {
                let ground = address::ground(&address.url);
                let at = &url.at;
                section.rule(&[at], ground != Ground::Nowhere, || {
                    "no feed can stand at this address".to_owned()
                });
                let open =
                    matches!(ground, Ground::Public | Ground::Nowhere) || allow_private.value;
                section.rule(&[at, &allow_private.at], open, || {
                    "the host is a private address; if that is meant, set `allow_private = true` in [guard]".to_owned()
                });
            }
            Some(url)
        }
    }
}

fn shared(section: &mut Section<'_>) -> Shared {
    let span = || duration(SECOND..=LONGEST);
    let count = |least: u64| whole(least..=1_000_000_000);
    Shared {
        format: section.read("format", defaults::FORMAT, words::format),
        interval: section.read("interval", defaults::INTERVAL, span()),
        ttl: section.read("ttl", defaults::TTL, span()),
        confidence: section.read("confidence", defaults::CONFIDENCE, whole(1..=100)),
        direction: section.read("direction", defaults::DIRECTION, word(words::DIRECTIONS)),
        list: section.read("list", defaults::LIST, word(words::LISTS)),
        mode: section.read("mode", defaults::MODE, word(words::MODES)),
        on_delist: section.read("on_delist", defaults::ON_DELIST, word(words::ON_DELIST)),
        max_age: section.read("max_age", defaults::MAX_AGE, |item| {
            match item.get_ref().as_str() {
                Some("off") => Ok(None),
                _ => span()(item).map(Some),
            }
        }),
        urls: section.read("urls", defaults::URLS, word(words::URLS)),
        may_be_empty: section.read("may_be_empty", defaults::MAY_BE_EMPTY, boolean),
        min_entries: section.read("min_entries", defaults::MIN_ENTRIES, count(0)),
        max_entries: section.read("max_entries", defaults::MAX_ENTRIES, count(1)),
        max_shrink: section.read("max_shrink", defaults::MAX_SHRINK, number(0.0..=1.0)),
        max_growth: section.read("max_growth", defaults::MAX_GROWTH, number(1.0..=1e6)),
        max_size: section.read("max_size", defaults::MAX_SIZE, size),
        max_unpacked: section.read("max_unpacked", defaults::MAX_UNPACKED, size),
        timeout: section.read("timeout", defaults::TIMEOUT, span()),
    }
}

fn judge(section: &mut Section<'_>, feed: &Shared) {
    let three = feed.interval.value.saturating_mul(3);
    section.rule(
        &[&feed.ttl.at, &feed.interval.at],
        feed.ttl.value >= three,
        || {
            format!(
                "a ttl of {} is shorter than three intervals of {}, so that a few failed fetches would unblock what is still listed; make it {} or more",
                duration_text(feed.ttl.value),
                duration_text(feed.interval.value),
                duration_text(three),
            )
        },
    );
    section.rule(
        &[&feed.min_entries.at, &feed.max_entries.at],
        feed.min_entries.value <= feed.max_entries.value,
        || {
            format!(
                "min_entries ({}) is more than max_entries ({}), so that no snapshot could be taken",
                feed.min_entries.value, feed.max_entries.value
            )
        },
    );
}

/// What an incremental feed has no use for is not a fault, but whoever wrote it expects something of it.
fn remark(section: &mut Section<'_>, feed: &Shared) {
    if feed.mode.value != Mode::Incremental {
        return;
    }
    let useless = [
        &feed.on_delist.at,
        &feed.may_be_empty.at,
        &feed.max_shrink.at,
    ];
    for at in useless.into_iter().filter(|at| at.origin == Origin::Own) {
        section.warn(
            at,
            "has no effect: an incremental feed only adds, so nothing is missing from it",
        );
    }
}

impl Shared {
    fn into_feed(self, name: Name, source: Source, min_prefix: MinPrefix) -> Feed {
        Feed {
            name,
            source,
            limits: Limits {
                stored: self.max_size.value,
                unpacked: self.max_unpacked.value,
                first_byte: self.timeout.value.min(defaults::FIRST_BYTE),
                total: self.timeout.value,
                ..Limits::default()
            },
            recipe: Recipe {
                format: self.format.value,
                urls: self.urls.value,
                min_prefix,
                ..Recipe::new(self.format.value)
            },
            interval: self.interval.value,
            terms: FeedTerms {
                ttl: self.ttl.value,
                confidence: self.confidence.value,
                directions: self.direction.value,
                list: self.list.value,
                mode: self.mode.value,
                on_delist: self.on_delist.value,
                max_age: self.max_age.value,
            },
            brakes: Brakes {
                may_be_empty: self.may_be_empty.value,
                min_entries: self.min_entries.value,
                max_entries: self.max_entries.value,
                max_shrink: self.max_shrink.value,
                max_growth: self.max_growth.value,
            },
        }
    }
}
