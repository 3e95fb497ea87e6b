//! `[[guard.list]]`: a feed of what must not be blocked.

use toml::de::DeTable;

use crate::catalog::{self, Preset};
use crate::fetch::Source;
use crate::model::{FeedTerms, List, Mode, Name, OnDelist};

use super::fault::Lines;
use super::feed::{self, Around, FeedRead};
use super::section::{Found, Origin, Section};
use super::{Feed, body, defaults, keys, preset, source, value, words};

/// Reads one `[[guard.list]]`. Of `[defaults]` it takes how the network is reached, and how large a body may be.
pub(super) fn read(section: &mut Section<'_>, around: &Around<'_>) -> FeedRead {
    let name = section.need("name", "is missing; each list needs one", value::name);
    let preset = preset::take(section, preset::is_guard);
    let body = body::read(section, around.min_prefix, words::list_format);
    let source = source::read(section, &preset, &body.protocol, around.allow_private);
    let interval = section.read("interval", defaults::LIST_INTERVAL, feed::span());
    let bounds = feed::bounds(section, preset.publisher_of(source.as_ref()));
    if let Some(source) = &source {
        preset.judge(section, source, &interval, around.contact);
    }
    bounds.judge(section, &interval);
    let known = name.as_ref().zip(source.as_ref());
    let feed = known.map(|(name, source)| {
        let (name, source) = (name.value.clone(), source.value.clone());
        feed::assemble(
            name,
            source,
            preset.preset,
            body,
            interval.value,
            terms(),
            &bounds,
        )
    });
    FeedRead {
        name,
        source,
        ttl: Found {
            value: defaults::TTL,
            at: section.at("", Origin::BuiltIn),
        },
        feed,
    }
}

/// What `like` would be if the file said nothing but its name, its source and its preset.
pub(super) fn with_defaults(like: &Feed) -> Feed {
    let preset = like.preset.and_then(catalog::find);
    let (name, source) = (like.name.clone(), feed::bare(&like.source));
    plain(name, source, preset, like)
}

fn plain(name: Name, source: Source, preset: Option<&'static Preset>, like: &Feed) -> Feed {
    let (nothing, lines) = (DeTable::new(), Lines::new(""));
    let mut section = Section::new(&lines, "", 0, &nothing, keys::GUARD_LIST);
    if let Some(preset) = preset {
        let here = section.at("preset", Origin::Own);
        section.take_preset(&here, preset.keys());
    }
    let body = body::read(&mut section, like.recipe.min_prefix, words::list_format);
    let publisher = preset.filter(|preset| preset::is_asked(preset, &source));
    let interval = section.read("interval", defaults::LIST_INTERVAL, feed::span());
    let bounds = feed::bounds(&mut section, publisher);
    feed::assemble(name, source, preset, body, interval.value, terms(), &bounds)
}

/// A list says what stands on it now; while the config has it, no time ends that.
fn terms() -> FeedTerms {
    FeedTerms {
        ttl: defaults::TTL,
        confidence: defaults::CONFIDENCE,
        directions: defaults::DIRECTION,
        list: List::Allow,
        mode: Mode::Snapshot,
        on_delist: OnDelist::Withdraw,
        max_age: defaults::MAX_AGE,
    }
}
