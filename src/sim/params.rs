//! Reading a call's parameters as the vendor's gateway does: first what it does not know, then what is missing, then
//! what is of the wrong type.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// One JSON object of the request, with its place in it for the messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Params<'a> {
    object: &'a Map<String, Value>,
    place: Place<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    Top,
    Item { list: &'a str, index: usize },
}

impl<'a> Params<'a> {
    pub(super) fn top(body: &'a Value) -> Result<Self, Refusal> {
        let object = body
            .as_object()
            .ok_or_else(|| Refusal::invalid("The request body is not a JSON object."))?;
        Ok(Self {
            object,
            place: Place::Top,
        })
    }

    /// Refuses what is not among `known`, then the first of `required` that is missing.
    pub(super) fn expect(&self, known: &[&str], required: &[&str]) -> Result<(), Refusal> {
        let stranger = self
            .object
            .keys()
            .find(|name| !known.contains(&name.as_str()));
        if let Some(name) = stranger {
            return Err(Refusal::unknown(&self.name(name)));
        }
        match required.iter().find(|name| !self.has(name)) {
            Some(name) => Err(Refusal::missing(&self.name(name))),
            None => Ok(()),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.read(name, "integer", Value::as_i64)
    }

    /// A missing text reads as an empty one.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, Refusal> {
        Ok(self.read(name, "string", Value::as_str)?.unwrap_or(""))
    }

    pub(super) fn objects(&self, name: &'a str) -> Result<Vec<Self>, Refusal> {
        let items = self.read(name, "array", Value::as_array)?;
        let object = |(index, item): (usize, &'a Value)| {
            let place = Place::Item { list: name, index };
            let object = item
                .as_object()
                .ok_or_else(|| Refusal::wrong_type(&format!("{name}.{index}"), "object"))?;
            Ok(Self { object, place })
        };
        items
            .into_iter()
            .flatten()
            .enumerate()
            .map(object)
            .collect()
    }

    /// A missing list reads as an empty one.
    pub(super) fn texts(&self, name: &'a str) -> Result<Vec<&'a str>, Refusal> {
        let items = self.read(name, "array", Value::as_array)?;
        let text = |(index, item): (usize, &'a Value)| {
            item.as_str()
                .ok_or_else(|| Refusal::wrong_type(&format!("{name}.{index}"), "string"))
        };
        items.into_iter().flatten().enumerate().map(text).collect()
    }

    /// The parameter's full name, such as `IOC.3.Direction`.
    pub(super) fn name(&self, name: &str) -> String {
        match self.place {
            Place::Top => name.to_owned(),
            Place::Item { list, index } => format!("{list}.{index}.{name}"),
        }
    }

    fn read<T>(
        &self,
        name: &str,
        wanted: &str,
        get: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match self.object.get(name) {
            None => Ok(None),
            Some(value) => match get(value) {
                Some(value) => Ok(Some(value)),
                None => Err(Refusal::wrong_type(&self.name(name), wanted)),
            },
        }
    }
}
