//! Format `json`: items somewhere in one JSON value, each an object, a list or a lone string.

use std::borrow::Cow;
use std::io;

use super::extract::{Extract, Fields as Texts};
use super::fields::{Column, Fields};
use super::items::{Values, each_item};
use super::lines::as_text;
use super::path::{Step, keys};
use super::{Out, Place, Reason, Recipe, Text};

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
    let paths = [Some(elements.as_slice()), Some(steps.as_slice()), above];
    let paths: Vec<_> = paths.into_iter().flatten().collect();
    let rows = Rows::new(recipe);
    let met = each_item(text, Values::One, &paths, out, |out, item| {
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
    if !met && !out.tally.broken {
        out.reject(Place { line: 1, byte: 0 }, b"", Reason::NoItems);
    }
    Ok(())
}

/// Reads items as the recipe's fields say.
pub(super) struct Rows<'r> {
    recipe: &'r Recipe,
    extract: Extract,
    fields: Fields<usize>,
    /// The field `type` alone, which tells rows about the list from rows of the list.
    kind: Extract,
}

impl<'r> Rows<'r> {
    pub(super) fn new(recipe: &'r Recipe) -> Self {
        let (mut extract, mut kind) = (Extract::default(), Extract::default());
        kind.field(keys("type"));
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
            kind,
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
        if indicator.is_none() && self.is_metadata(item) {
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

    fn is_metadata(&self, item: &str) -> bool {
        let kind = self.kind.read(item).unwrap_or_default();
        kind.first().and_then(Option::as_deref) == Some("metadata")
    }
}

#[cfg(test)]
mod tests;
