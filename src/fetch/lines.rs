//! JSON documents made into lines, one object each, without holding a document in memory.

use std::fmt;
use std::io::{self, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::redact::plain;
use super::spool::{Spool, SpoolError};
use super::{Body, FetchError, Limits};

/// What a TAXII envelope says beside its objects.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Envelope {
    pub(super) more: bool,
    pub(super) next: Option<String>,
    pub(super) objects: u64,
}

/// Why a document gave no lines.
#[derive(Debug)]
pub(super) enum LineError {
    /// It is not the JSON that was asked for, or cannot be unpacked.
    Json(String),
    Spool(SpoolError),
}

impl LineError {
    pub(super) fn of(self, what: &str, protocol: &'static str, limit: u64) -> FetchError {
        match self {
            Self::Json(reason) => FetchError::Protocol {
                what: what.to_owned(),
                protocol,
                reason,
            },
            Self::Spool(error) => error.of(what, limit),
        }
    }

    pub(super) fn json(error: impl fmt::Display) -> Self {
        Self::Json(plain(&error.to_string()).chars().take(200).collect())
    }
}

impl From<SpoolError> for LineError {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

/// Appends the objects of a TAXII envelope to `into`, one a line.
pub(super) fn pour(page: &Body, limits: &Limits, into: &mut Spool) -> Result<Envelope, LineError> {
    let reader = page.reader(limits).map_err(LineError::json)?;
    let mut pouring = Pouring {
        into,
        objects: 0,
        trouble: None,
    };
    let mut parser = serde_json::Deserializer::from_reader(reader);
    let read = parser
        .deserialize_map(EnvelopeVisitor(&mut pouring))
        .and_then(|envelope| parser.end().map(|()| envelope));
    if let Some(trouble) = pouring.trouble {
        return Err(trouble.into());
    }
    let envelope = read.map_err(LineError::json)?;
    Ok(Envelope {
        objects: pouring.objects,
        ..envelope
    })
}

/// Appends a whole document to `into` as one line, if it is a JSON object and there is room for all of it.
pub(super) fn pour_whole(
    document: &Body,
    limits: &Limits,
    into: &mut Spool,
) -> Result<(), LineError> {
    let mut counted = Counted {
        reader: document.reader(limits).map_err(LineError::json)?,
        bytes: 1,
    };
    let mut parser = serde_json::Deserializer::from_reader(BufReader::new(&mut counted));
    parser
        .deserialize_map(ObjectVisitor)
        .and_then(|()| parser.end())
        .map_err(LineError::json)?;
    into.room_for(counted.bytes)?;
    let mut reader = document.reader(limits).map_err(LineError::json)?;
    let mut chunk = vec![0; 64 << 10];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(into.push(b"\n")?),
            Ok(read) => {
                let bytes = chunk.get_mut(..read).unwrap_or_default();
                one_line(bytes);
                into.push(bytes)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(LineError::json(error)),
        }
    }
}

struct Counted<R> {
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        self.bytes = self.bytes.saturating_add(read as u64);
        Ok(read)
    }
}

/// In JSON a line end stands between tokens only (RFC 8259, sections 2 and 7), where a space means the same.
fn one_line(bytes: &mut [u8]) {
    for byte in bytes
        .iter_mut()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
    {
        *byte = b' ';
    }
}

/// The way of objects into the spool; it remembers why that ended, for the parser's errors cannot.
struct Pouring<'a> {
    into: &'a mut Spool,
    objects: u64,
    trouble: Option<SpoolError>,
}

struct EnvelopeVisitor<'a, 'b>(&'a mut Pouring<'b>);

impl<'de> Visitor<'de> for EnvelopeVisitor<'_, '_> {
    type Value = Envelope;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an envelope of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "more" => envelope.more = map.next_value::<Option<bool>>()?.unwrap_or(false),
                "next" => envelope.next = next_token(map.next_value()?),
                "objects" => map.next_value_seed(Objects(&mut *self.0))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(envelope)
    }
}

/// Opaque to us. Some servers count in numbers, and say "none" in several ways.
fn next_token(value: Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

struct Objects<'a, 'b>(&'a mut Pouring<'b>);

impl<'de> DeserializeSeed<'de> for Objects<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<(), A::Error> {
        while let Some(object) = objects.next_element::<Box<RawValue>>()? {
            let mut line = Box::<str>::from(object).into_string().into_bytes();
            one_line(&mut line);
            line.push(b'\n');
            let pushed = self.0.into.push(&line);
            if let Err(error) = pushed {
                self.0.trouble = Some(error);
                return Err(serde::de::Error::custom("the spool takes no more"));
            }
            self.0.objects = self.0.objects.saturating_add(1);
        }
        Ok(())
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
