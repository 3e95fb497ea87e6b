//! Format `misp`: events of a MISP feed or server (www.misp-project.org/datamodels), as one event, a list of
//! them, the answer of a search, or one event after the other.
//!
//! An attribute counts where its type is one of a host's and `to_ids` says that it is meant for detection
//! (unless the recipe takes all). Deleted attributes and those of deleted objects do not count. Of
//! `domain|ip` the domain counts alone: the address is where the name once pointed, often a host that
//! strangers share.

use std::io;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::extract::Scalar;
use super::items::{Values, each_item};
use super::lines::as_text;
use super::path::Step::{self, Element, Key};
use super::token::{self, Found};
use super::{Out, Place, Reason, Recipe, Said, Text, url, value};
use crate::model::{Indicator, IndicatorError};

/// Where an event may stand in a body, or an answer that holds attributes alone.
const EVENTS: [&[Step<'_>]; 7] = [
    &[],
    &[Element],
    &[Key("response")],
    &[Key("response"), Element],
    &[Key("Event")],
    &[Element, Key("Event")],
    &[Key("response"), Element, Key("Event")],
];

pub(super) fn parse(recipe: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    let below = |key| EVENTS.map(|event| [event, &[Key(key), Element]].concat());
    let (attributes, objects) = (below("Attribute"), below("Object"));
    let paths = attributes.iter().chain(&objects).map(Vec::as_slice);
    let paths: Vec<_> = paths.chain(EVENTS).collect();
    each_item(text, Values::Many, &paths, out, |out, item| {
        let (group, event) = (item.path / EVENTS.len(), item.path % EVENTS.len());
        let read = as_text(item.bytes).and_then(|text| match group {
            0 => attribute(recipe, out, item.place, text),
            1 => object(recipe, out, item.place, text),
            _ => check_empty(EVENTS[event], text),
        });
        if let Err(reason) = read {
            out.reject(item.place, item.bytes, reason);
        }
    })?;
    Ok(())
}

/// An attribute of an event or an object.
#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow, rename = "type")]
    kind: Scalar<'a>,
    #[serde(borrow)]
    value: Scalar<'a>,
    #[serde(borrow, default)]
    to_ids: Scalar<'a>,
    #[serde(borrow, default)]
    deleted: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
}

/// Attributes that belong together.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    deleted: Scalar<'a>,
    #[serde(borrow, rename = "Attribute")]
    attributes: Option<Vec<Attribute<'a>>>,
}

/// What shows that an event, or an answer, has no attributes and is one all the same.
#[derive(Deserialize)]
struct Empty {
    #[serde(rename = "Attribute")]
    attributes: Option<Vec<IgnoredAny>>,
    #[serde(rename = "Object")]
    objects: Option<Vec<IgnoredAny>>,
}

fn check_empty(way: &[Step<'_>], text: &str) -> Result<(), Reason> {
    if text.starts_with('[') {
        return Ok(());
    }
    let empty: Empty = serde_json::from_str(text).map_err(|error| Reason::of_json(&error))?;
    let event = way.ends_with(&[Key("Event")]);
    let some = event || empty.attributes.is_some() || empty.objects.is_some();
    some.then_some(()).ok_or(Reason::NoItems)
}

fn object(recipe: &Recipe, out: &mut Out<'_>, place: Place, text: &str) -> Result<(), Reason> {
    let object: Object<'_> = serde_json::from_str(text).map_err(|error| Reason::of_json(&error))?;
    let attributes = object.attributes.unwrap_or_default();
    if is_true(&object.deleted) {
        out.tally.passed_over += attributes.len() as u64;
        return Ok(());
    }
    for attribute in &attributes {
        attribute.row(recipe, out, place);
    }
    Ok(())
}

fn attribute(recipe: &Recipe, out: &mut Out<'_>, place: Place, text: &str) -> Result<(), Reason> {
    let attribute: Attribute<'_> =
        serde_json::from_str(text).map_err(|error| Reason::of_json(&error))?;
    attribute.row(recipe, out, place);
    Ok(())
}

impl Attribute<'_> {
    fn row(&self, recipe: &Recipe, out: &mut Out<'_>, place: Place) {
        let meant = recipe.all_attributes || is_true(&self.to_ids);
        let kind = Kind::of(&self.kind.0).filter(|_| meant && !is_true(&self.deleted));
        let Some(kind) = kind else {
            out.tally.passed_over += 1;
            return;
        };
        let text = self.value.0.trim();
        let row = kind.read(recipe, text).and_then(|found| {
            let dated = value::moment(self.timestamp.0.trim())?;
            let said = Said {
                dated,
                ..Said::default()
            };
            Ok((found, said))
        });
        match row {
            Ok((found, said)) => out.row(found, said),
            Err(reason) => out.reject(place, text.as_bytes(), reason),
        }
    }
}

/// `true`, or `"1"` as older servers write it.
fn is_true(flag: &Scalar<'_>) -> bool {
    matches!(&*flag.0, "true" | "1")
}

/// What an attribute's value holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Address,
    AddressAndPort,
    Name,
    NameAndAddress,
    NameAndPort,
    Url,
}

impl Kind {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "ip-src" | "ip-dst" => Self::Address,
            "ip-src|port" | "ip-dst|port" => Self::AddressAndPort,
            "domain" | "hostname" => Self::Name,
            "domain|ip" => Self::NameAndAddress,
            "hostname|port" => Self::NameAndPort,
            "url" => Self::Url,
            _ => return None,
        })
    }

    fn read(self, recipe: &Recipe, text: &str) -> Result<Found, Reason> {
        if text.len() > Reason::LONGEST {
            return Err(Reason::LongField);
        }
        let (first, second) = match self {
            Self::Address | Self::Name | Self::Url => (text, None),
            Self::AddressAndPort | Self::NameAndAddress | Self::NameAndPort => {
                let (first, second) = text.split_once('|').ok_or(Reason::Parts)?;
                (first.trim_end(), Some(second.trim_start()))
            }
        };
        let found = token::read(recipe, first)?;
        let name = matches!(found, Found::One(Indicator::Domain(_)));
        if name && matches!(self, Self::Address | Self::AddressAndPort) {
            return Err(IndicatorError::Address.into());
        }
        match (self, second) {
            (Self::NameAndAddress, Some(address)) => {
                let _: IpAddr = address.parse().map_err(|_| IndicatorError::Address)?;
            }
            (_, Some(port)) => {
                url::port(port)?;
            }
            (_, None) => {}
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
