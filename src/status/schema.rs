//! The published JSON schema of `status --json`, made from the types themselves and held to what they write.

use std::borrow::Cow;
use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::model::{Name, UnixTime};

use super::report::Report;

impl JsonSchema for UnixTime {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "A moment, in RFC 3339 and UTC." })
    }
}

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A feed's or firewall's name." })
    }
}

/// What the types say today.
fn generated() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Report>()
        .to_value();
    let object = schema.as_object_mut().unwrap();
    object.insert("title".to_owned(), "feedwall status --json".into());
    schema
}

/// With UPDATE_EXPECT set, the file is written instead of compared, to be read in the diff.
#[test]
fn the_published_schema_is_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/status.schema.json");
    let text = serde_json::to_string_pretty(&generated()).unwrap() + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        published, text,
        "run with UPDATE_EXPECT=1, and read the diff"
    );
}

#[tokio::test]
async fn what_is_written_is_what_the_schema_takes() {
    let schema = generated();
    for fixture in [
        super::tests::troubled().await,
        super::testing::Fixture::new().await,
    ] {
        for daemon in [true, false] {
            let report = Report::gather(&fixture.ledger, None, daemon, super::testing::NOW);
            let json = serde_json::to_value(report.await.unwrap()).unwrap();
            let faults = faults(&schema, &schema, &json, "status");
            assert!(faults.is_empty(), "{faults:#?}");
        }
    }
    // The reader of schemas finds what does not fit.
    let mut wrong = Map::new();
    wrong.insert("now".to_owned(), 7.into());
    wrong.insert("colour".to_owned(), "red".into());
    let faults = faults(&schema, &schema, &wrong.into(), "status");
    for word in [
        "status.now",
        "`feeds` is missing",
        "`colour` is not in the schema",
    ] {
        assert!(
            faults.iter().any(|fault| fault.contains(word)),
            "{word}: {faults:#?}"
        );
    }
}

/// What in `value` is not as the schema says, in the words of the schema language that the generator uses. Stricter
/// than a validator in one thing: a key that the schema does not name is a fault.
fn faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = root.pointer(name.trim_start_matches('#')).unwrap();
        return faults(root, schema, value, at);
    }
    for any in ["anyOf", "oneOf"] {
        if let Some(options) = schema[any].as_array() {
            let fits = |option: &Value| faults(root, option, value, at).is_empty();
            return match options.iter().any(fits) {
                true => Vec::new(),
                false => vec![format!("{at}: {value} fits none of {options:?}")],
            };
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return match words.contains(value) {
            true => Vec::new(),
            false => vec![format!("{at}: {value} is none of {words:?}")],
        };
    }
    if let Some(word) = schema.get("const") {
        return match word == value {
            true => Vec::new(),
            false => vec![format!("{at}: {value} is not {word}")],
        };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        other => return vec![format!("{at}: the schema's type is {other}")],
    };
    if !kinds.contains(&kind) {
        return vec![format!("{at}: {value} is {kind}, not {kinds:?}")];
    }
    let mut found = Vec::new();
    if let Some(items) = value.as_array() {
        for (place, item) in items.iter().enumerate() {
            found.extend(faults(
                root,
                &schema["items"],
                item,
                &format!("{at}[{place}]"),
            ));
        }
    }
    if let Some(object) = value.as_object() {
        for key in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(key.as_str().unwrap()) {
                found.push(format!("{at}: `{}` is missing", key.as_str().unwrap()));
            }
        }
        for (key, value) in object {
            let more = schema.get("additionalProperties");
            match schema["properties"].get(key).or(more) {
                Some(Value::Bool(true)) => {}
                Some(schema) => found.extend(faults(root, schema, value, &format!("{at}.{key}"))),
                None => found.push(format!("{at}: `{key}` is not in the schema")),
            }
        }
    }
    found
}
