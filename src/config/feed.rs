//! `[[feed]]`, and `[defaults]` behind it.

use std::time::Duration;

use toml::de::DeTable;
use url::Url;

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
pub(super) struct Bounds {
    pub max_stale: Found<Option<Duration>>,
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
    bounds(section, None);
    body::read(section, defaults::MIN_PREFIX, words::format);
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
    let body = body::read(section, around.min_prefix, words::format);
    let source = source::read(section, &preset, &body.protocol, around.allow_private);
    let terms = terms(section);
    let bounds = bounds(section, preset.publisher_of(source.as_ref()));
    if let Some(source) = &source {
        preset.judge(section, source, &terms.interval, around.contact);
    }
    judge(section, &terms);
    bounds.judge(section, &terms.interval);
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

/// A feed of which the file says nothing but its name and its source.
pub(super) fn plain(name: Name, source: Source, min_prefix: MinPrefix) -> Feed {
    with_preset(name, source, min_prefix, None)
}

/// What `like` would be if the file said nothing but its name, its source and its preset.
pub(super) fn with_defaults(like: &Feed) -> Feed {
    let preset = like.preset.and_then(catalog::find);
    let source = bare(&like.source);
    with_preset(like.name.clone(), source, like.recipe.min_prefix, preset)
}

fn with_preset(
    name: Name,
    source: Source,
    min_prefix: MinPrefix,
    preset: Option<&'static Preset>,
) -> Feed {
    let (nothing, lines) = (DeTable::new(), Lines::new(""));
    let mut section = Section::new(&lines, "", 0, &nothing, keys::FEED);
    if let Some(preset) = preset {
        let here = section.at("preset", Origin::Own);
        section.take_preset(&here, preset.keys());
    }
    let body = body::read(&mut section, min_prefix, words::format);
    let publisher = preset.filter(|preset| preset::is_asked(preset, &source));
    let (terms, bounds) = (terms(&mut section), bounds(&mut section, publisher));
    build(name, source, preset, body, terms, &bounds)
}

/// The feed that a preset stands for, by the preset's own name; `None` where it has no address.
pub(super) fn of_preset(preset: &'static Preset) -> Option<Feed> {
    let url = preset.keys().get("url")?.get_ref().as_str()?;
    let (url, name) = (Url::parse(url).ok()?, Name::try_new(&preset.name).ok()?);
    let mut feed = with_preset(name, Source::http(url), defaults::MIN_PREFIX, Some(preset));
    let item = preset.keys().get("format");
    let protocol = item.and_then(|item| words::format(item).ok());
    if let (Some((_, protocol)), Some(url)) = (protocol, feed.source.url()) {
        feed.source = protocol.source(url.clone().into());
    }
    Some(feed)
}

/// A source without what goes along with a request.
pub(super) fn bare(source: &Source) -> Source {
    match source {
        Source::Http(http) | Source::Taxii(http) | Source::Misp(http) => {
            Source::http(http.url.clone())
        }
        file @ (Source::File(_) | Source::Glob(_)) => file.clone(),
    }
}

fn build(
    name: Name,
    source: Source,
    preset: Option<&'static Preset>,
    body: BodyRead,
    terms: Terms,
    bounds: &Bounds,
) -> Feed {
    let interval = terms.interval.value;
    assemble(
        name,
        source,
        preset,
        body,
        interval,
        terms.into_terms(),
        bounds,
    )
}

/// Puts the parts of a feed together.
pub(super) fn assemble(
    name: Name,
    source: Source,
    preset: Option<&'static Preset>,
    body: BodyRead,
    interval: Duration,
    terms: FeedTerms,
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
        interval,
        max_stale: bounds.max_stale.value,
        terms,
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

/// Reads the bounds; how soon a body is taken for frozen, the publisher's own rhythm says, if it is known.
pub(super) fn bounds(section: &mut Section<'_>, publisher: Option<&Preset>) -> Bounds {
    let count = |least: u64| whole(least..=1_000_000_000);
    let max_stale = publisher
        .and_then(Preset::max_stale)
        .or(defaults::MAX_STALE);
    Bounds {
        max_stale: section.read("max_stale", max_stale, span_or_off),
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

pub(super) fn span() -> impl Fn(&Item<'_>) -> Result<Duration, Problems> {
    duration(SECOND..=LONGEST)
}

fn span_or_off(item: &Item<'_>) -> Result<Option<Duration>, Problems> {
    match item.get_ref().as_str() {
        Some("off") => Ok(None),
        _ => span()(item).map(Some),
    }
}

fn judge(section: &mut Section<'_>, feed: &Terms) {
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
    /// Rules between the bounds.
    pub(super) fn judge(&self, section: &mut Section<'_>, interval: &Found<Duration>) {
        let (min, max) = (&self.min_entries, &self.max_entries);
        section.rule(&[&min.at, &max.at], min.value <= max.value, || {
            format!(
                "min_entries ({}) is more than max_entries ({}), so that no snapshot could be taken",
                min.value, max.value
            )
        });
        let stale = &self.max_stale;
        let longer = stale.value.is_none_or(|stale| stale > interval.value);
        section.rule(&[&stale.at, &interval.at], longer, || {
            format!(
                "a max_stale of {} is not longer than the interval of {}, so that it would always look frozen",
                duration_text(stale.value.unwrap_or_default()),
                duration_text(interval.value),
            )
        });
    }

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
