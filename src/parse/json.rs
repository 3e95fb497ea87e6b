//! Format `json`: items somewhere in one JSON value, each an object, a list or a lone string.

use std::borrow::Cow;
use std::io;

use super::extract::{Extract, Fields as Texts, Scalar};
use super::fields::{Column, Fields};
use super::items::{Values, each_item};
use super::lines::as_text;
use super::path::{Step, keys};
use super::{Out, Place, Reason, Recipe, Text, value};
use crate::model::UnixTime;

pub(super) fn parse(recipe: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    const ITEM: usize = 1;
    const ABOVE: usize = 2;
    let steps: Vec<_> = recipe.items.steps().collect();
    let elements: Vec<_> = steps.iter().copied().chain([Step::Element]).collect();
    // Of `/*` the object or list itself, for it may be empty.
    let above = match steps.split_last() {
        Some((Step::Each, above)) => Some(above),
        _ => None,
    };
    let made_at: Option<Vec<_>> = recipe.made_at.as_ref().map(|path| path.steps().collect());
    let paths = [Some(elements.as_slice()), Some(steps.as_slice()), above];
    let paths = paths.into_iter().chain([made_at.as_deref()]);
    let paths: Vec<_> = paths.flatten().collect();
    let date = made_at.as_ref().map(|_| paths.len() - 1);
    let (mut dates, mut others) = (false, false);
    let rows = Rows::new(recipe);
    let met = each_item(text, Values::One, &paths, out, |out, item| {
        if Some(item.path) == date {
            dates = true;
            out.tally.made_at = moment_in(item.bytes).or(out.tally.made_at);
            return;
        }
        others = true;
        let empty = matches!(item.bytes, b"null") || item.bytes.starts_with(b"[");
        let nothing = match item.path {
            ITEM => empty,
            ABOVE => empty || item.bytes.starts_with(b"{"),
            _ => false,
        };
        if item.path == ABOVE && !nothing {
            out.reject(item.place, item.bytes, Reason::NoItems);
        } else if !nothing {
            rows.row(out, item.place, item.bytes);
        }
    })?;
    let listed = met && (others || !dates);
    if !listed && !out.tally.broken {
        out.reject(Place { line: 1, byte: 0 }, b"", Reason::NoItems);
    }
    Ok(())
}

/// A date that stands by itself.
fn moment_in(json: &[u8]) -> Option<UnixTime> {
    let Scalar(text) = serde_json::from_slice(json).ok()?;
    value::moment(text.trim()).ok().flatten()
}

/// Reads items as the recipe's fields say.
pub(super) struct Rows<'r> {
    recipe: &'r Recipe,
    extract: Extract,
    fields: Fields<usize>,
    /// The field `type`, which tells rows about the list from rows of the list, and behind it the one that says when the
    /// list was made.
    about: Extract,
}

impl<'r> Rows<'r> {
    pub(super) fn new(recipe: &'r Recipe) -> Self {
        let (mut extract, mut about) = (Extract::default(), Extract::default());
        about.field(keys("type"));
        if let Some(path) = &recipe.made_at {
            about.field(path.keys());
        }
        let fields = recipe.fields.map(|column| match column {
            Column::Name(name) => extract.field(keys(name)),
            Column::Number(number) => {
                let place = number.saturating_sub(1).to_string();
                extract.field([place.into()].into_iter())
            }
        });
        Self {
            recipe,
            extract,
            fields,
            about,
        }
    }

    /// Reads one item; whether it is JSON, at least where it counts.
    pub(super) fn row(&self, out: &mut Out<'_>, place: Place, item: &[u8]) -> bool {
        let texts = as_text(item).and_then(|item| {
            let texts = self.extract.read(item);
            let texts = texts.map_err(|error| Reason::of_json(&error))?;
            Ok((item, texts))
        });
        match &texts {
            Ok((item, texts)) => self.texts(out, place, item, texts),
            Err(reason) => out.reject(place, item, *reason),
        }
        texts.is_ok()
    }

    fn texts(&self, out: &mut Out<'_>, place: Place, item: &str, texts: &Texts<'_>) {
        let text = |slot: &usize| texts.get(*slot)?.as_deref().map(str::trim);
        let indicator = text(self.fields.indicator.first()).filter(|text| !text.is_empty());
        if indicator.is_none() && self.is_metadata(out, item) {
            return;
        }
        let long = |text: &Cow<'_, str>| text.len() > Reason::LONGEST;
        let row = if texts.iter().flatten().any(long) {
            Err(Reason::LongField)
        } else {
            self.fields.read(self.recipe, text)
        };
        match row {
            Ok(Some((found, said))) => out.row(found, said),
            Ok(None) => out.tally.passed_over += 1,
            Err(Reason::NoCell) => out.reject(place, item.as_bytes(), Reason::NoField),
            Err(reason) => out.reject(place, indicator.unwrap_or(item).as_bytes(), reason),
        }
    }

    /// Whether a row is about the list; what it says of the list's date is kept.
    fn is_metadata(&self, out: &mut Out<'_>, item: &str) -> bool {
        let about = self.about.read(item).unwrap_or_default();
        let is_metadata = about.first().and_then(Option::as_deref) == Some("metadata");
        if let (true, Some(Some(date))) = (is_metadata, about.get(1)) {
            let date = value::moment(date.trim()).ok().flatten();
            out.tally.made_at = date.or(out.tally.made_at);
        }
        is_metadata
    }
}

#[cfg(test)]
mod tests;
