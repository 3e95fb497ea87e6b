//! The words of the config's language, each with what it stands for.

use toml::de::DeValue;

use crate::fetch::{HttpSource, Source};
use crate::model::{Class, Directions, List, Mode, OnDelist};
use crate::parse::{Format, Urls};

use super::section::{Item, Problems};
use super::value::{shown, text, whole, wrong};
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
    /// The events under a MISP feed's directory.
    Misp,
}

impl Protocol {
    /// The source that is asked so.
    pub(super) fn source(self, http: HttpSource) -> Source {
        match self {
            Self::Plain => Source::Http(Box::new(http)),
            Self::Taxii => Source::Taxii(Box::new(http)),
            Self::Misp => Source::Misp(Box::new(http)),
        }
    }

    /// How a source is asked.
    pub(super) fn of(source: &Source) -> Self {
        match source {
            Source::Taxii(_) => Self::Taxii,
            Source::Misp(_) => Self::Misp,
            Source::Http(_) | Source::File(_) | Source::Glob(_) => Self::Plain,
        }
    }

    /// The format of what a server gives so, when it lies in a file; `None` where any format may.
    pub(super) fn in_a_file(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Taxii => Some("stix"),
            Self::Misp => Some("misp-json"),
        }
    }
}

/// A format as the config names it, with what it means.
type Named = (&'static str, (Format, Protocol));

/// The formats of feeds.
const FORMATS: &[Named] = &[
    ("text", (Format::Text, Protocol::Plain)),
    ("csv", (Format::Csv, Protocol::Plain)),
    ("json", (Format::Json, Protocol::Plain)),
    ("ndjson", (Format::Ndjson, Protocol::Plain)),
    ("hosts", (Format::Hosts, Protocol::Plain)),
    ("adblock", (Format::Adblock, Protocol::Plain)),
    ("dshield", (Format::Dshield, Protocol::Plain)),
    ("rpz", (Format::Rpz, Protocol::Plain)),
    ("stix", (Format::Stix, Protocol::Plain)),
    ("taxii", (Format::Stix, Protocol::Taxii)),
    ("misp", (Format::Misp, Protocol::Misp)),
    ("misp-json", (Format::Misp, Protocol::Plain)),
    ("auto", (Format::Auto, Protocol::Plain)),
];

/// The format of lists of what must not be blocked, and of nothing else.
const WARNINGLIST: Named = (
    "misp-warninglist",
    (Format::MispWarninglist, Protocol::Plain),
);

/// A feed's format, and how its source is asked.
pub(super) fn format(item: &Item<'_>) -> Result<(Format, Protocol), Problems> {
    if item.get_ref().as_str() == Some(WARNINGLIST.0) {
        return wrong("a warninglist says what must not be blocked; write a [[guard.list]] for it");
    }
    named(item, FORMATS)
}

/// The format of a list of what must not be blocked.
pub(super) fn list_format(item: &Item<'_>) -> Result<(Format, Protocol), Problems> {
    let fits = |format| {
        matches!(
            format,
            Format::Text | Format::Csv | Format::Json | Format::Ndjson
        )
    };
    let plain = FORMATS.iter().filter(|(_, (format, _))| fits(*format));
    let formats: Vec<Named> = plain.copied().chain([WARNINGLIST]).collect();
    named(item, &formats)
}

fn named(item: &Item<'_>, formats: &[Named]) -> Result<(Format, Protocol), Problems> {
    let written = text(item, "the name of a format")?;
    let words = || formats.iter().map(|(word, _)| *word);
    if let Some((_, format)) = formats.iter().find(|(word, _)| *word == written) {
        return Ok(*format);
    }
    let known = || {
        let quoted: Vec<_> = words().map(|word| format!("{word:?}")).collect();
        quoted.join(", ")
    };
    let advice = match keys::nearest(written, words()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known: {}", known()),
    };
    wrong(format!("unknown format {}; {advice}", shown(written)))
}

/// A format as the config writes it.
pub(super) fn format_word(format: Format, protocol: Protocol) -> &'static str {
    let mut known = FORMATS.iter().chain([&WARNINGLIST]);
    known
        .find(|(_, meant)| *meant == (format, protocol))
        .map_or("", |(word, _)| word)
}

/// `"off"`: networks go in whole or not at all; a prefix length: those of it, and longer ones, as addresses.
pub(super) fn expand_networks(item: &Item<'_>) -> Result<Option<u8>, Problems> {
    match item.get_ref() {
        DeValue::String(word) if word == "off" => Ok(None),
        DeValue::Integer(_) => whole(16..=31_u8)(item).map(Some),
        _ => wrong("takes a prefix length from 16 to 31, or \"off\""),
    }
}
