//! `preset`: a feed of the catalogue, and the terms on which its publisher gives it away.

use std::time::Duration;

use crate::catalog::{self, KeyPlace, Preset, Standing};
use crate::fetch::{self, HttpSource, Source};

use super::keys;
use super::section::{At, Found, Item, Origin, Problems, Section};
use super::value::{duration_text, shown, text, wrong};

/// What a section makes of the catalogue.
#[derive(Debug)]
pub(super) struct Taken {
    /// The preset, where one is named and known.
    pub preset: Option<&'static Preset>,
    at: At,
}

/// Reads `preset`, and puts what it stands for behind the section. `fits` says what is taken, and what to do with
/// anything else.
pub(super) fn take(
    section: &mut Section<'_>,
    fits: impl Fn(&Preset) -> Result<(), Problems>,
) -> Taken {
    let found = section.read("preset", None, |item| {
        let preset = known(item)?;
        fits(preset).map(|()| Some(preset))
    });
    if let Some(preset) = found.value {
        section.take_preset(&found.at, preset.keys());
    }
    Taken {
        preset: found.value,
        at: found.at,
    }
}

/// A preset that may be a feed.
pub(super) fn is_feed(preset: &Preset) -> Result<(), Problems> {
    match &preset.standing {
        Standing::Feed | Standing::Retired(_) => Ok(()),
        Standing::Guard => wrong(format!(
            "{} lists what must not be blocked; name it in a [[guard.list]]",
            shown(&preset.name)
        )),
        Standing::Unfit(why) => wrong(format!("{} is no feed: {why}", shown(&preset.name))),
    }
}

/// A preset that may be a guard list.
pub(super) fn is_guard(preset: &Preset) -> Result<(), Problems> {
    match &preset.standing {
        Standing::Guard => Ok(()),
        Standing::Feed | Standing::Retired(_) | Standing::Unfit(_) => wrong(format!(
            "{} does not list what must not be blocked",
            shown(&preset.name)
        )),
    }
}

fn known(item: &Item<'_>) -> Result<&'static Preset, Problems> {
    let written = text(item, "the name of a feed of the catalogue")?;
    catalog::find(written).map_or_else(|| unknown(written), Ok)
}

fn unknown(written: &str) -> Result<&'static Preset, Problems> {
    let names = catalog::all().iter().map(|preset| preset.name.as_str());
    let near = keys::nearest(written, names);
    let near = near.map(|near| format!("did you mean {near:?}? "));
    wrong(format!(
        "the catalogue has no {}; {}`feedwall feeds catalog` shows what it has",
        shown(written),
        near.unwrap_or_default()
    ))
}

impl Taken {
    /// Whether a preset is named that cannot be used, and has been complained of.
    pub(super) fn is_faulty(&self) -> bool {
        self.at.origin == Origin::Faulty
    }

    /// The preset, if it is its publisher whom `source` asks: what the publisher wants holds for nobody else.
    fn publisher(&self, source: &Source) -> Option<&'static Preset> {
        self.preset.filter(|preset| is_asked(preset, source))
    }

    /// The preset, if it is its publisher whom the feed asks.
    pub(super) fn publisher_of(&self, source: Option<&Found<Source>>) -> Option<&'static Preset> {
        source.and_then(|source| self.publisher(&source.value))
    }

    /// Holds the feed to what its publisher wants, and remarks on what is no more.
    pub(super) fn judge(
        &self,
        section: &mut Section<'_>,
        source: &Found<Source>,
        interval: &Found<Duration>,
        contact: bool,
    ) {
        let floor = floor(self.publisher(&source.value), &source.value);
        if let Some(floor) = floor
            && interval.value < floor
            && interval.at.origin != Origin::Faulty
            && interval.at.origin <= Origin::Defaults
        {
            let floor = duration_text(floor);
            section.warn(
                &interval.at,
                format!("its publisher locks out who asks more than once in {floor}, so that it is asked no more often"),
            );
        }
        let Some(preset) = self.publisher(&source.value) else {
            return;
        };
        if let Standing::Retired(why) = &preset.standing {
            section.warn(
                &self.at,
                format!("{} is no more: {why}", shown(&preset.name)),
            );
            return;
        }
        section.rule(&[&self.at], contact || !preset.contact, || {
            "its publisher wants to know who reads it; write `contact` in [fetch]".to_owned()
        });
        let missing = match &source.value {
            Source::Http(http) | Source::Taxii(http) | Source::Misp(http) => {
                missing_key(preset, http)
            }
            Source::File(_) | Source::Glob(_) => None,
        };
        section.rule(&[&self.at], missing.is_none(), || {
            missing.unwrap_or_default()
        });
    }
}

/// The least time between two polls: the publisher's rule, or that of the host, whichever is longer.
pub(super) fn floor(publisher: Option<&Preset>, source: &Source) -> Option<Duration> {
    let by_preset = publisher.and_then(|preset| preset.floor);
    fetch::floor_for(source).max(by_preset)
}

/// Whether a source is the preset's own address.
pub(super) fn is_asked(preset: &Preset, source: &Source) -> bool {
    let own = preset
        .keys()
        .get("url")
        .and_then(|url| url.get_ref().as_str());
    let own = own.and_then(|own| url::Url::parse(own).ok());
    own.is_some() && own.as_ref() == source.url()
}

fn missing_key(preset: &Preset, http: &HttpSource) -> Option<String> {
    let key = preset.key.as_ref()?;
    let file = r#"{ file = "/path" }"#;
    let (given, write) = match &key.place {
        KeyPlace::Header(name) => (
            http.headers
                .iter()
                .any(|(given, _)| given.as_str().eq_ignore_ascii_case(name)),
            format!("header = {{ {name} = {file} }}"),
        ),
        KeyPlace::Query(name) => (
            http.query.iter().any(|(given, _)| given == name),
            format!("query = {{ {name} = {file} }}"),
        ),
        KeyPlace::Path => (http.path_key.is_some(), format!("url_key = {file}")),
    };
    (!given).then(|| {
        format!(
            "its publisher wants a key, which {} gives out; write `{write}`",
            key.from
        )
    })
}

#[cfg(test)]
mod tests;
