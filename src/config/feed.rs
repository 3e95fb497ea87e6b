//! `[[feed]]`, and `[defaults]` behind it.

use std::time::Duration;

use toml::de::DeTable;

use crate::catalog::{self, Preset, Standing};
use crate::fetch::{Limits, Source};
use crate::model::{Brakes, Directions, FeedTerms, List, Mode, Name, OnDelist};
use crate::parse::MinPrefix;

use super::body::{self, BodyRead};
use super::fault::Lines;
use super::section::{Found, Item, Origin, Problems, Section};
use super::value::{LONGEST, SECOND, boolean, duration, duration_text, number, size, whole, word};
use super::{Feed, defaults, keys, preset, source, value, words};

/// One feed as read, with the places that rules across sections look at.
#[derive(Debug)]
pub(super) struct FeedRead {
    pub name: Option<Found<Name>>,
    pub source: Option<Found<Source>>,
    pub ttl: Found<Duration>,
    /// Absent where the name or the source cannot be read; other faults leave fillers in it.
    pub feed: Option<Feed>,
}

/// What a feed's listings are worth, and how often it is asked.
#[derive(Debug)]
struct Terms {
    interval: Found<Duration>,
    ttl: Found<Duration>,
    confidence: Found<u8>,
    direction: Found<Option<Directions>>,
    list: Found<List>,
    mode: Found<Mode>,
    on_delist: Found<OnDelist>,
    max_age: Found<Option<Duration>>,
}

/// When a fetch is given up, or not believed.
#[derive(Debug)]
struct Bounds {
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
    terms(section);
    bounds(section);
    body::read(section, defaults::MIN_PREFIX);
    source::read_defaults(section);
}

/// What of other sections a feed is read with.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub min_prefix: MinPrefix,
    pub allow_private: &'a Found<bool>,
    /// Whether publishers are told who reads them.
    pub contact: bool,
}

/// Reads one `[[feed]]`.
pub(super) fn read(section: &mut Section<'_>, around: &Around<'_>) -> FeedRead {
    let name = section.need("name", "is missing; each feed needs one", value::name);
    let preset = preset::take(section, preset::is_feed);
    let body = body::read(section, around.min_prefix);
    let source = source::read(section, &preset, &body.protocol, around.allow_private);
    let terms = terms(section);
    let bounds = bounds(section);
    if let Some(source) = &source {
        preset.judge(section, source, &terms.interval, around.contact);
    }
    judge(section, &terms, &bounds);
    remark(section, &terms, &bounds);
    let ttl = terms.ttl.clone();
    let known = name.as_ref().zip(source.as_ref());
    let feed = known.map(|(name, source)| {
        let (name, source) = (name.value.clone(), source.value.clone());
        build(name, source, preset.preset, body, terms, &bounds)
    });
    FeedRead {
        name,
        source,
        ttl,
        feed,
    }
}

/// What `like` would be if the file said nothing but its name, its source and its preset.
pub(super) fn with_defaults(like: &Feed) -> Feed {
    let preset = like.preset.and_then(catalog::find);
    let (nothing, lines) = (DeTable::new(), Lines::new(""));
    let mut section = Section::new(&lines, "", 0, &nothing, keys::FEED);
    if let Some(preset) = preset {
        let here = section.at("preset", Origin::Own);
        section.take_preset(&here, preset.keys());
    }
    let body = body::read(&mut section, like.recipe.min_prefix);
    let (terms, bounds) = (terms(&mut section), bounds(&mut section));
    let source = match &like.source {
        Source::Http(http) | Source::Taxii(http) | Source::Misp(http) => {
            Source::http(http.url.clone())
        }
        file @ (Source::File(_) | Source::Glob(_)) => file.clone(),
    };
    build(like.name.clone(), source, preset, body, terms, &bounds)
}

fn build(
    name: Name,
    source: Source,
    preset: Option<&'static Preset>,
    body: BodyRead,
    terms: Terms,
    bounds: &Bounds,
) -> Feed {
    let publisher = preset.filter(|preset| preset::is_asked(preset, &source));
    let retired = publisher.and_then(|preset| match &preset.standing {
        Standing::Retired(why) => Some(why.as_str()),
        _ => None,
    });
    Feed {
        name,
        preset: preset.map(|preset| preset.name.as_str()),
        retired,
        floor: preset::floor(publisher, &source),
        source,
        limits: bounds.limits(&body),
        recipe: body.recipe,
        interval: terms.interval.value,
        terms: terms.into_terms(),
        brakes: bounds.brakes(),
    }
}

fn terms(section: &mut Section<'_>) -> Terms {
    Terms {
        interval: section.read("interval", defaults::INTERVAL, span()),
        ttl: section.read("ttl", defaults::TTL, span()),
        confidence: section.read("confidence", defaults::CONFIDENCE, whole(1..=100)),
        direction: section.read("direction", defaults::DIRECTION, word(words::DIRECTIONS)),
        list: section.read("list", defaults::LIST, word(words::LISTS)),
        mode: section.read("mode", defaults::MODE, word(words::MODES)),
        on_delist: section.read("on_delist", defaults::ON_DELIST, word(words::ON_DELIST)),
        max_age: section.read("max_age", defaults::MAX_AGE, span_or_off),
    }
}

fn bounds(section: &mut Section<'_>) -> Bounds {
    let count = |least: u64| whole(least..=1_000_000_000);
    Bounds {
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

fn span() -> impl Fn(&Item<'_>) -> Result<Duration, Problems> {
    duration(SECOND..=LONGEST)
}

fn span_or_off(item: &Item<'_>) -> Result<Option<Duration>, Problems> {
    match item.get_ref().as_str() {
        Some("off") => Ok(None),
        _ => span()(item).map(Some),
    }
}

fn judge(section: &mut Section<'_>, feed: &Terms, bounds: &Bounds) {
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
        &[&bounds.min_entries.at, &bounds.max_entries.at],
        bounds.min_entries.value <= bounds.max_entries.value,
        || {
            format!(
                "min_entries ({}) is more than max_entries ({}), so that no snapshot could be taken",
                bounds.min_entries.value, bounds.max_entries.value
            )
        },
    );
}

/// What an incremental feed has no use for is not a fault, but whoever wrote it expects something of it.
fn remark(section: &mut Section<'_>, feed: &Terms, bounds: &Bounds) {
    if feed.mode.value != Mode::Incremental {
        return;
    }
    let useless = [
        &feed.on_delist.at,
        &bounds.may_be_empty.at,
        &bounds.max_shrink.at,
    ];
    for at in useless.into_iter().filter(|at| at.origin == Origin::Own) {
        section.warn(
            at,
            "has no effect: an incremental feed only adds, so nothing is missing from it",
        );
    }
}

impl Terms {
    fn into_terms(self) -> FeedTerms {
        FeedTerms {
            ttl: self.ttl.value,
            confidence: self.confidence.value,
            directions: self.direction.value,
            list: self.list.value,
            mode: self.mode.value,
            on_delist: self.on_delist.value,
            max_age: self.max_age.value,
        }
    }
}

impl Bounds {
    fn limits(&self, body: &BodyRead) -> Limits {
        Limits {
            stored: self.max_size.value,
            unpacked: self.max_unpacked.value,
            member: body.member.clone(),
            first_byte: self.timeout.value.min(defaults::FIRST_BYTE),
            total: self.timeout.value,
            ..Limits::default()
        }
    }

    fn brakes(&self) -> Brakes {
        Brakes {
            may_be_empty: self.may_be_empty.value,
            min_entries: self.min_entries.value,
            max_entries: self.max_entries.value,
            max_shrink: self.max_shrink.value,
            max_growth: self.max_growth.value,
        }
    }
}
