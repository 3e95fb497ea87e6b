//! Format `stix`: STIX 2.0 and 2.1 (docs.oasis-open.org/cti/stix/v2.1) as a bundle, as the envelope of a
//! TAXII page, as a list of objects, or as one object after the other.
//!
//! An indicator counts by what its [`pattern`] accuses. One that is revoked, or that accuses files or mail
//! only, and every object of another type, says nothing about hosts and is passed over.

mod claim;
mod pattern;
mod token;

use std::borrow::Cow;
use std::io;

use claim::{Claim, Kind};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::extract::Extract;
use super::items::{Item, Values, each_item};
use super::lines::as_text;
use super::path::{Step, keys};
use super::{Out, Place, Reason, Recipe, Said, Text, value};

/// A lone object, a list of objects, a list of bundles, a bundle or an envelope.
const PATHS: [&[Step<'_>]; 4] = [
    &[],
    &[Step::Element],
    &[Step::Element, Step::Key("objects"), Step::Element],
    &[Step::Key("objects"), Step::Element],
];

const INDICATOR: [&str; 6] = [
    "pattern",
    "pattern_type",
    "valid_from",
    "valid_until",
    "revoked",
    "confidence",
];

pub(super) fn parse(recipe: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    let reader = Reader {
        recipe,
        kind: extract(&["type"]),
        indicator: extract(&INDICATOR),
        observable: extract(&["value"]),
    };
    each_item(text, Values::Many, &PATHS, out, |out, item| {
        if !(item.path == 0 && item.bytes.starts_with(b"[")) {
            reader.object(out, &item);
        }
    })?;
    Ok(())
}

fn extract(fields: &[&str]) -> Extract {
    let mut extract = Extract::default();
    for field in fields {
        extract.field(keys(field));
    }
    extract
}

struct Reader<'r> {
    recipe: &'r Recipe,
    kind: Extract,
    indicator: Extract,
    observable: Extract,
}

/// The list of a bundle (or envelope) whose objects are none.
#[derive(Deserialize)]
struct Bundle {
    objects: Option<Vec<IgnoredAny>>,
    more: Option<bool>,
}

impl Reader<'_> {
    fn object(&self, out: &mut Out<'_>, item: &Item<'_>) {
        let read = as_text(item.bytes).and_then(|text| {
            let kind = self.kind.read(text);
            let mut kind = kind.map_err(|error| Reason::of_json(&error))?;
            Ok((text, kind.pop().flatten()))
        });
        match read {
            Ok((text, kind)) => self.of_kind(out, item.place, text, kind.as_deref()),
            Err(reason) => out.reject(item.place, item.bytes, reason),
        }
    }

    fn of_kind(&self, out: &mut Out<'_>, place: Place, text: &str, kind: Option<&str>) {
        let done = match kind {
            Some("indicator") => return self.indicator(out, place, text),
            Some("bundle") | None => check_empty(text, kind.is_some()),
            Some(kind) if self.recipe.observables => match Kind::of_object(kind) {
                Some(kind) => return self.observable(out, place, text, kind),
                None if kind == "observed-data" => return self.observed(out, place, text),
                None => Ok(1),
            },
            Some(_) => Ok(1),
        };
        match done {
            Ok(passed_over) => out.tally.passed_over += passed_over,
            Err(reason) => out.reject(place, text.as_bytes(), reason),
        }
    }

    fn indicator(&self, out: &mut Out<'_>, place: Place, text: &str) {
        let fields = match self.indicator.read(text) {
            Ok(fields) => fields,
            Err(error) => return out.reject(place, text.as_bytes(), Reason::of_json(&error)),
        };
        let field = |at: usize| fields.get(at).and_then(Option::as_deref);
        let [pattern, language, from, until, revoked, confidence] = [0, 1, 2, 3, 4, 5].map(field);
        if revoked == Some("true") || language.is_some_and(|language| language != "stix") {
            out.tally.passed_over += 1;
            return;
        }
        let Some(pattern) = pattern else {
            return out.reject(place, text.as_bytes(), Reason::NoField);
        };
        let read = || {
            let said = Said {
                confidence: value::percent(confidence.unwrap_or_default())?,
                dated: value::moment(from.unwrap_or_default())?,
                valid_until: value::moment(until.unwrap_or_default())?,
            };
            Ok((self.pattern(pattern)?, said))
        };
        match read() {
            Ok((Claim::Hosts(hosts), said)) if !hosts.is_empty() => {
                out.row_said(
                    hosts.into_iter().map(|host| (host.indicator, host.until)),
                    said,
                );
            }
            Ok(_) => out.tally.passed_over += 1,
            Err(reason) => out.reject(place, pattern.as_bytes(), reason),
        }
    }

    fn pattern(&self, pattern: &str) -> Result<Claim, Reason> {
        if pattern.len() > Reason::LONGEST {
            return Err(Reason::LongField);
        }
        pattern::read(self.recipe, pattern)
    }

    /// An address, a name or a URL as an object of its own.
    fn observable(&self, out: &mut Out<'_>, place: Place, text: &str, kind: Kind) {
        match self.observable.read(text) {
            Ok(mut fields) => {
                let shown = fields.pop().flatten();
                self.observed_value(out, place, text, kind, shown, Said::default());
            }
            Err(error) => out.reject(place, text.as_bytes(), Reason::of_json(&error)),
        }
    }

    /// The objects inside one of STIX 2.0's observations, a row each.
    fn observed(&self, out: &mut Out<'_>, place: Place, text: &str) {
        let read = || {
            let observed: Value =
                serde_json::from_str(text).map_err(|error| Reason::of_json(&error))?;
            let last = observed.get("last_observed").and_then(Value::as_str);
            let dated = value::moment(last.unwrap_or_default())?;
            Ok((observed, dated))
        };
        let (observed, dated) = match read() {
            Ok(read) => read,
            Err(reason) => return out.reject(place, text.as_bytes(), reason),
        };
        let objects = observed.get("objects").and_then(Value::as_object);
        let Some(objects) = objects.filter(|_| observed.get("revoked") != Some(&Value::Bool(true)))
        else {
            out.tally.passed_over += 1;
            return;
        };
        let said = Said {
            dated,
            ..Said::default()
        };
        for object in objects.values() {
            let kind = object.get("type").and_then(Value::as_str);
            match kind.and_then(Kind::of_object) {
                Some(kind) => {
                    let value = object.get("value").and_then(Value::as_str);
                    let value = value.map(Cow::Borrowed);
                    self.observed_value(out, place, text, kind, value, said);
                }
                None => out.tally.passed_over += 1,
            }
        }
    }

    fn observed_value(
        &self,
        out: &mut Out<'_>,
        place: Place,
        text: &str,
        kind: Kind,
        value: Option<Cow<'_, str>>,
        said: Said,
    ) {
        let Some(value) = value else {
            return out.reject(place, text.as_bytes(), Reason::NoField);
        };
        match kind.read(self.recipe, &value) {
            Ok(indicator) => out.row(super::token::Found::One(indicator), said),
            Err(reason) => out.reject(place, value.as_bytes(), reason),
        }
    }
}

/// A bundle without objects is an empty list, and so is an envelope, which has no type.
fn check_empty(text: &str, is_bundle: bool) -> Result<u64, Reason> {
    if !text.starts_with('{') {
        return Err(Reason::NoType);
    }
    let bundle: Bundle = serde_json::from_str(text).map_err(|error| Reason::of_json(&error))?;
    let envelope = bundle.objects.is_some() || bundle.more.is_some();
    let bare = text.trim_start_matches('{').trim_ascii_start() == "}";
    if is_bundle || envelope || bare {
        Ok(0)
    } else {
        Err(Reason::NoType)
    }
}

#[cfg(test)]
mod tests;
