//! The words of the config's language, each with what it stands for.

use toml::de::DeValue;

use crate::fetch::{HttpSource, Source};
use crate::model::{Class, Directions, List, Mode, OnDelist};
use crate::parse::{Format, Urls};

use super::section::{Item, Problems};
use super::value::{shown, text, wrong};
use super::{Site, keys};

pub(super) const DIRECTIONS: &[(&str, Option<Directions>)] = &[
    ("in", Some(Directions::IN)),
    ("out", Some(Directions::OUT)),
    ("both", Some(Directions::BOTH)),
    ("auto", None),
];
pub(super) const LISTS: &[(&str, List)] = &[("block", List::Block), ("allow", List::Allow)];
pub(super) const MODES: &[(&str, Mode)] = &[
    ("snapshot", Mode::Snapshot),
    ("incremental", Mode::Incremental),
];
pub(super) const ON_DELIST: &[(&str, OnDelist)] = &[
    ("age_out", OnDelist::AgeOut),
    ("withdraw", OnDelist::Withdraw),
];
pub(super) const URLS: &[(&str, Urls)] = &[("reject", Urls::Reject), ("host", Urls::Host)];
pub(super) const KINDS: &[(&str, ())] = &[(super::Firewall::KIND, ())];
pub(super) const SITES: &[(&str, Site)] = &[
    ("china", Site::China),
    ("international", Site::International),
];
pub(super) const CLASSES: &[(&str, Class)] = &[
    ("ipv4", Class::Ipv4),
    ("ipv6", Class::Ipv6),
    ("network", Class::Network),
    ("domain", Class::Domain),
];

/// How a feed is asked for: part of what `format` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One body under one address, or a file.
    Plain,
    /// The pages of a TAXII 2.1 collection.
    Taxii,
}

impl Protocol {
    /// The source that is asked so.
    pub(super) fn source(self, http: HttpSource) -> Source {
        match self {
            Self::Plain => Source::Http(Box::new(http)),
            Self::Taxii => Source::Taxii(Box::new(http)),
        }
    }

    /// How a source is asked.
    pub(super) fn of(source: &Source) -> Self {
        match source {
            Source::Taxii(_) => Self::Taxii,
            _ => Self::Plain,
        }
    }
}

/// The formats of the design, each with what it means; those without a meaning are refused by name.
const FORMATS: &[(&str, Option<(Format, Protocol)>)] = &[
    ("text", Some((Format::Text, Protocol::Plain))),
    ("csv", Some((Format::Csv, Protocol::Plain))),
    ("hosts", Some((Format::Hosts, Protocol::Plain))),
    ("adblock", Some((Format::Adblock, Protocol::Plain))),
    ("dshield", Some((Format::Dshield, Protocol::Plain))),
    ("rpz", Some((Format::Rpz, Protocol::Plain))),
    ("auto", Some((Format::Auto, Protocol::Plain))),
    ("json", Some((Format::Json, Protocol::Plain))),
    ("ndjson", Some((Format::Ndjson, Protocol::Plain))),
    ("stix", Some((Format::Stix, Protocol::Plain))),
    ("taxii", Some((Format::Stix, Protocol::Taxii))),
    ("misp", None),
    ("misp-warninglist", None),
];

/// A format that can be read, and how its source is asked.
pub(super) fn format(item: &Item<'_>) -> Result<(Format, Protocol), Problems> {
    let written = text(item, "the name of a format")?;
    match FORMATS.iter().find(|(word, _)| *word == written) {
        Some((_, Some(format))) => return Ok(*format),
        Some((_, None)) => {
            return wrong(format!(
                "the format {written:?} is not built yet; known: {}",
                built_formats()
            ));
        }
        None => {}
    }
    let advice = match keys::nearest(written, FORMATS.iter().map(|(word, _)| *word)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known: {}", built_formats()),
    };
    wrong(format!("unknown format {}; {advice}", shown(written)))
}

/// A format as the config writes it.
pub(super) fn format_word(format: Format, protocol: Protocol) -> &'static str {
    let meant = Some((format, protocol));
    let known = FORMATS.iter().find(|(_, known)| *known == meant);
    known.map_or("", |(word, _)| word)
}

fn built_formats() -> String {
    let built = FORMATS.iter().filter(|(_, format)| format.is_some());
    let quoted: Vec<_> = built.map(|(word, _)| format!("{word:?}")).collect();
    quoted.join(", ")
}

/// `"off"`: networks go in whole or not at all.
pub(super) fn expand_networks(item: &Item<'_>) -> Result<(), Problems> {
    match item.get_ref() {
        DeValue::String(word) if word == "off" => Ok(()),
        _ => wrong(
            "expanding networks is not built yet: a network goes in whole, or is held; write \"off\" or remove it",
        ),
    }
}
