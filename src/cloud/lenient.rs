//! Fields as the cloud may send them: missing, null, or a number in quotes.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An integer, also in quotes; null and the empty text are none.
///
/// # Errors
/// Anything else. Use it with `#[serde(default, deserialize_with = …)]`.
pub fn integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    match Option::<Value>::deserialize(from)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => text.trim().parse().map(Some).map_err(D::Error::custom),
        Some(Value::Number(number)) => number
            .as_i64()
            .map(Some)
            .ok_or_else(|| D::Error::custom(format_args!("{number} is not a whole number"))),
        Some(other) => Err(D::Error::custom(format_args!("{other} is not a number"))),
    }
}

/// A text, also a bare number; null is the empty text.
///
/// # Errors
/// Anything else. Use it with `#[serde(default, deserialize_with = …)]`.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Option::<Value>::deserialize(from)? {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(other) => Err(D::Error::custom(format_args!("{other} is not a text"))),
    }
}

/// A value whose null counts as its default.
///
/// # Errors
/// Those of the value itself. Use it with `#[serde(default, deserialize_with = …)]`.
pub fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        #[serde(default, deserialize_with = "integer")]
        count: Option<i64>,
        #[serde(default, deserialize_with = "text")]
        name: String,
        #[serde(default, deserialize_with = "or_default")]
        list: Vec<u8>,
    }

    #[test]
    fn what_is_taken_and_what_is_not() {
        let row = |count, name: &str, list: &[u8]| Row {
            count,
            name: name.to_owned(),
            list: list.to_vec(),
        };
        for (json, expected) in [
            ("{}", row(None, "", &[])),
            (
                r#"{"count":null,"name":null,"list":null}"#,
                row(None, "", &[]),
            ),
            (
                r#"{"count":7,"name":"x","list":[1]}"#,
                row(Some(7), "x", &[1]),
            ),
            (r#"{"count":" -7 ","name":5}"#, row(Some(-7), "5", &[])),
            (r#"{"count":""}"#, row(None, "", &[])),
        ] {
            assert_eq!(serde_json::from_str::<Row>(json).unwrap(), expected);
        }
        for bad in [
            r#"{"count":"seven"}"#,
            r#"{"count":1.5}"#,
            r#"{"count":[]}"#,
            r#"{"name":{}}"#,
            r#"{"list":"x"}"#,
        ] {
            assert!(serde_json::from_str::<Row>(bad).is_err(), "{bad}");
        }
    }
}
