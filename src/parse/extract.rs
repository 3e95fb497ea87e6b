//! The fields of an item that are asked for, and nothing else of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// Which fields are asked for, as a tree of their keys.
#[derive(Debug, Default)]
pub(super) struct Extract {
    top: Node,
    count: usize,
}

/// What stands in a field, as text; `""` for `null`, and `None` where the item has no such field.
pub(super) type Fields<'a> = Vec<Option<Cow<'a, str>>>;

/// One value as text, be it written as a string, a number, a truth value or `null` (which is empty).
#[derive(Clone, Debug, Default)]
pub(super) struct Scalar<'a>(pub Cow<'a, str>);

#[derive(Debug, Default)]
struct Node {
    slot: Option<usize>,
    below: Vec<(Box<str>, Node)>,
}

impl Extract {
    /// Asks for a field, and says at which place of [`Fields`] it will stand. Numbers are the places of
    /// lists, counted from 0; an item that is no object and no list is a list of itself.
    pub(super) fn field(&mut self, keys: impl Iterator<Item = Box<str>>) -> usize {
        let mut node = &mut self.top;
        for key in keys {
            let known = node.below.iter().position(|(other, _)| *other == key);
            let at = known.unwrap_or_else(|| {
                node.below.push((key, Node::default()));
                node.below.len() - 1
            });
            node = &mut node.below[at].1;
        }
        *node.slot.get_or_insert_with(|| {
            self.count += 1;
            self.count - 1
        })
    }

    /// Reads the fields of an item.
    ///
    /// # Errors
    /// Where the item is no JSON, or a field stands twice in it or holds a list or an object.
    pub(super) fn read<'a>(&self, item: &'a str) -> serde_json::Result<Fields<'a>> {
        let mut fields = vec![None; self.count];
        if item.starts_with(['{', '[']) {
            let mut reader = serde_json::Deserializer::from_str(item);
            let fill = Fill {
                node: &self.top,
                fields: &mut fields,
            };
            fill.deserialize(&mut reader)?;
            reader.end()?;
        } else {
            let Scalar(text) = serde_json::from_str(item)?;
            let first = self.top.below.iter().find(|(key, _)| &**key == "0");
            if let Some(slot) = first.and_then(|(_, node)| node.slot) {
                fields[slot] = Some(text);
            }
        }
        Ok(fields)
    }
}

/// Puts what it reads where its node says.
struct Fill<'n, 'f, 'a> {
    node: &'n Node,
    fields: &'f mut Fields<'a>,
}

impl<'a> Fill<'_, '_, 'a> {
    fn put<E: Error>(self, text: Cow<'a, str>) -> Result<(), E> {
        let Some(slot) = self.node.slot else {
            return Ok(());
        };
        match self.fields[slot].replace(text) {
            None => Ok(()),
            Some(_) => Err(E::custom("the field stands twice")),
        }
    }

    fn no_list<E: Error>(&self) -> Result<(), E> {
        match self.node.slot {
            None => Ok(()),
            Some(_) => Err(E::custom("the field is no single value")),
        }
    }
}

impl<'a> DeserializeSeed<'a> for Fill<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Fill<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        self.no_list()?;
        while let Some(found) = map.next_key_seed(Key(&self.node.below))? {
            match found {
                Some(node) => map.next_value_seed(Fill {
                    node,
                    fields: &mut *self.fields,
                })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        self.no_list()?;
        for place in 0.. {
            let at = |key: &str| key.parse() == Ok::<usize, _>(place);
            let found = self.node.below.iter().find(|(key, _)| at(key));
            let more = match found {
                Some((_, node)) => list.next_element_seed(Fill {
                    node,
                    fields: &mut *self.fields,
                })?,
                None => list.next_element::<IgnoredAny>()?.map(|_| ()),
            };
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<(), E> {
        self.put(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.put(Cow::Owned(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<(), E> {
        self.put(truth.to_string().into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.put(number.to_string().into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.put(number.to_string().into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.put(number.to_string().into())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.put(Cow::Borrowed(""))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        const NODE: Node = Node {
            slot: Some(0),
            below: Vec::new(),
        };
        let mut fields = vec![None];
        let fill = Fill {
            node: &NODE,
            fields: &mut fields,
        };
        fill.deserialize(from)?;
        Ok(Self(fields.pop().flatten().unwrap_or_default()))
    }
}

/// Finds a key among those that are asked for.
struct Key<'n>(&'n [(Box<str>, Node)]);

impl<'a, 'n> DeserializeSeed<'a> for Key<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Key<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let found = self.0.iter().find(|(known, _)| **known == *key);
        Ok(found.map(|(_, node)| node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::path::keys;

    fn read(fields: &[&str], item: &str) -> Result<Vec<Option<String>>, String> {
        let mut extract = Extract::default();
        for (at, field) in fields.iter().enumerate() {
            assert_eq!(extract.field(keys(field)), at);
        }
        let read = extract.read(item).map_err(|error| error.to_string())?;
        Ok(read
            .into_iter()
            .map(|field| field.map(Cow::into_owned))
            .collect())
    }

    #[test]
    fn fields_as_text() {
        let item = r#"{"s": "a\u0062", "n": 75, "f": 87.50, "i": -3, "t": true, "z": null, "x": [1, {"s": 2}],
            "o": {"s": "deep", "l": ["p", "q"]}, "big": 123456789012345678901234567890}"#;
        let table = [
            ("s", Some("ab")),
            ("n", Some("75")),
            ("f", Some("87.5")),
            ("i", Some("-3")),
            ("t", Some("true")),
            ("z", Some("")),
            ("/o/s", Some("deep")),
            ("/o/l/1", Some("q")),
            ("/o/l/2", None),
            ("/x/1/s", Some("2")),
            ("/s/x", None),
            ("absent", None),
            ("/absent/s", None),
        ];
        for (field, text) in table {
            let read = read(&[field], item).unwrap();
            assert_eq!(read, [text.map(str::to_owned)], "{field}");
        }
        let both = read(&["/o/s", "s", "n"], item).unwrap();
        assert_eq!(both, ["deep", "ab", "75"].map(|text| Some(text.to_owned())));
    }

    #[test]
    fn lists_and_lone_values_are_read_by_place() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            read(&["/1", "/0"], "[7, \"x\", {}]"),
            Ok(vec![text("x"), text("7")])
        );
        assert_eq!(read(&["/0", "a"], "\"x\""), Ok(vec![text("x"), None]));
        assert_eq!(read(&["/0"], "null"), Ok(vec![text("")]));
    }

    #[test]
    fn what_is_no_single_value_is_an_error() {
        for item in [
            r#"{"a": [1]}"#,
            r#"{"a": {}}"#,
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": 1, "\u0061": 1}"#,
            r#"{"a": "\ud800"}"#,
            r#"{"a": 1e999}"#,
            r#"{"a": 1,}"#,
            r#"{"a": 1} x"#,
            "",
        ] {
            assert!(read(&["a"], item).is_err(), "{item}");
        }
        assert!(read(&["a"], r#"{"b": "\ud800", "c": 1e999, "b": [1], "a": 1}"#).is_ok());
    }

    /// `serde_json` stops at 128 levels of what is followed, and takes none of the stack for the rest.
    #[test]
    fn depth_is_bounded() {
        let followed = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
        let pointer = "/a".repeat(200);
        assert!(read(&[&pointer], &followed).is_err());
        let ignored = format!("{{\"b\": {}1{}}}", "[".repeat(400_000), "]".repeat(400_000));
        assert_eq!(read(&["a"], &ignored), Ok(vec![None]));
    }
}
