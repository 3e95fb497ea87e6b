//! A feed as lines of key and value. What would hold if the file said nothing is what a feed with nothing but a
//! source has.

use std::time::Duration;

use toml::Value;

use crate::catalog;
use crate::fetch::{HttpSource, Limits, Source};
use crate::model::{Brakes, FeedTerms};
use crate::parse::{Format, Recipe};

use super::lines::{Line, path_text, whole};
use super::value::{duration_text, size_text, word_of};
use super::words::Protocol;
use super::{Feed, address, body, feed, guard_list, keys, preset, sent, words};

/// A key with its value.
type Entry = (&'static str, Value);

/// Every key that means something to the feed.
pub(super) fn lines(one: &Feed) -> Vec<Line> {
    beside(one, entries(&feed::with_defaults(one)))
}

/// Every key that means something to the guard list.
pub(super) fn of_guard_list(one: &Feed) -> Vec<Line> {
    let known = |line: &Line| keys::GUARD_LIST.iter().any(|key| key.name == line.key);
    let lines = beside(one, entries(&guard_list::with_defaults(one)));
    lines.into_iter().filter(known).collect()
}

/// The feed's keys, each beside what it would be if the file did not say.
fn beside(one: &Feed, mut defaults: Vec<Entry>) -> Vec<Line> {
    for format in [
        Format::Text,
        Format::Auto,
        Format::Json,
        Format::Stix,
        Format::Misp,
    ] {
        defaults.extend(columns(&Recipe::new(format)));
    }
    let publisher = one.preset.and_then(catalog::find);
    let publisher = publisher.is_some_and(|preset| preset::is_asked(preset, &one.source));
    let default = |key: &str| {
        let known = defaults.iter().find(|(known, _)| *known == key);
        let must = match key {
            "name" | "preset" | "path" => true,
            "url" => !publisher,
            _ => false,
        };
        known.filter(|_| !must).map(|(_, value)| value.clone())
    };
    let lines = entries(one).into_iter();
    lines
        .map(|(key, value)| Line {
            key,
            value,
            default: default(key),
        })
        .collect()
}

fn entries(feed: &Feed) -> Vec<Entry> {
    let protocol = Protocol::of(&feed.source);
    let format = words::format_word(feed.recipe.format, protocol);
    let mut entries = vec![("name", Value::from(feed.name.as_str()))];
    entries.extend(feed.preset.map(|preset| ("preset", preset.into())));
    let along = match &feed.source {
        Source::Http(http) | Source::Taxii(http) | Source::Misp(http) => {
            entries.push(("url", address::url_text(&http.url).into()));
            along(http)
        }
        Source::File(path) => {
            entries.push(("path", path_text(path).into()));
            Vec::new()
        }
        Source::Glob(pattern) => {
            entries.push(("path", pattern.as_str().into()));
            Vec::new()
        }
    };
    entries.push(("format", format.into()));
    entries.extend(columns(&feed.recipe));
    entries.push(("urls", word_of(words::URLS, &feed.recipe.urls).into()));
    let member = feed.limits.member.as_deref();
    entries.push(("member", member.unwrap_or("off").into()));
    entries.extend(along);
    entries.push(("interval", duration_text(feed.interval).into()));
    entries.extend(terms(&feed.terms));
    entries.push(("max_stale", off(feed.max_stale).into()));
    entries.extend(brakes(&feed.brakes));
    entries.extend(limits(&feed.limits));
    entries
}

/// The keys of some formats alone.
fn columns(recipe: &Recipe) -> Vec<Entry> {
    let fields = &recipe.fields;
    let mut entries = Vec::new();
    if recipe.format.has_fields() {
        let maybe = |column: &Option<_>| body::write_maybe(column.as_ref());
        entries = vec![
            ("column", body::write_take(&fields.indicator)),
            ("confidence_column", maybe(&fields.confidence)),
            ("date_column", maybe(&fields.dated)),
            ("expires_column", maybe(&fields.valid_until)),
            ("where", body::write_filters(&fields.filters)),
        ];
    }
    if body::has_delimiter(recipe.format) {
        entries.push(("delimiter", body::write_delimiter(recipe.delimiter)));
    }
    if matches!(recipe.format, Format::Json | Format::Ndjson) {
        let made_at = recipe.made_at.as_ref();
        entries.push(("made_at", body::write_made_at(made_at)));
    }
    match recipe.format {
        Format::Text => entries.push(("separator", body::write_separator(recipe.separator))),
        Format::Json => entries.push(("items", recipe.items.to_string().into())),
        Format::Stix => entries.push(("observables", recipe.observables.into())),
        Format::Misp => entries.push(("to_ids", (!recipe.all_attributes).into())),
        _ => {}
    }
    entries
}

/// What goes along with a request.
fn along(http: &HttpSource) -> Vec<Entry> {
    let headers = http.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value));
    let query = http.query.iter();
    let query = query.map(|(name, value)| (name.as_str(), value));
    let proxy = http.proxy.as_ref().map_or("off", url::Url::as_str);
    let ca_file = http.ca_file.as_deref().map_or("off".to_owned(), path_text);
    let mut entries = vec![
        ("header", sent::write_all(headers)),
        ("query", sent::write_all(query)),
        ("auth", sent::write_login(http.login.as_ref())),
        ("proxy", proxy.into()),
        ("ca_file", ca_file.into()),
    ];
    if let Some(key) = &http.path_key {
        entries.push(("url_key", sent::write("url_key", key)));
    }
    entries
}

fn off(span: Option<Duration>) -> String {
    span.map_or("off".to_owned(), duration_text)
}

fn terms(terms: &FeedTerms) -> Vec<Entry> {
    vec![
        ("ttl", duration_text(terms.ttl).into()),
        ("confidence", terms.confidence.into()),
        (
            "direction",
            word_of(words::DIRECTIONS, &terms.directions).into(),
        ),
        ("list", terms.list.as_str().into()),
        ("mode", word_of(words::MODES, &terms.mode).into()),
        (
            "on_delist",
            word_of(words::ON_DELIST, &terms.on_delist).into(),
        ),
        ("max_age", off(terms.max_age).into()),
    ]
}

fn brakes(brakes: &Brakes) -> Vec<Entry> {
    vec![
        ("may_be_empty", brakes.may_be_empty.into()),
        ("min_entries", whole(brakes.min_entries)),
        ("max_entries", whole(brakes.max_entries)),
        ("max_shrink", brakes.max_shrink.into()),
        ("max_growth", brakes.max_growth.into()),
    ]
}

fn limits(limits: &Limits) -> Vec<Entry> {
    vec![
        ("max_size", size_text(limits.stored).into()),
        ("max_unpacked", size_text(limits.unpacked).into()),
        ("timeout", duration_text(limits.total).into()),
    ]
}
