//! Key files: the vendor's INI and JSON, and plain files of one value each.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Deserializer};

use super::{CredentialError, Keys};
use crate::cloud::lenient;
use crate::model::UnixTime;

/// No key file is larger.
const MAX_BYTES: u64 = 64 * 1_024;

/// A text that may hold a key; wiped when it goes.
pub(super) type Text = Zeroizing<String>;

/// What a place holds, before it is judged whole.
#[derive(Default)]
pub(super) struct Found {
    id: Option<Text>,
    key: Option<Text>,
    token: Option<Text>,
    expires: Option<UnixTime>,
}

impl Found {
    /// Values as they were read; white space around them is nothing, and an empty one is none.
    pub(super) fn new(id: Option<Text>, key: Option<Text>, token: Option<Text>) -> Self {
        let present = |text: Option<Text>| {
            text.map(|text| Text::new(text.trim().to_owned()))
                .filter(|text| !text.is_empty())
        };
        Self {
            id: present(id),
            key: present(key),
            token: present(token),
            expires: None,
        }
    }

    /// The same for keys that end.
    pub(super) fn until(self, expires: Option<UnixTime>) -> Self {
        Self { expires, ..self }
    }

    /// Keys, where there are any.
    ///
    /// # Errors
    /// Half a pair, and characters that no key has and no header takes.
    pub(super) fn keys(self, place: &str) -> Result<Option<Keys>, CredentialError> {
        let missing = |missing| CredentialError::Incomplete {
            place: place.to_owned(),
            missing,
        };
        let (id, key) = match (self.id, self.key) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(missing("secret key")),
            (None, Some(_)) => return Err(missing("secret id")),
            (Some(id), Some(key)) => (id, key),
        };
        let graphic = |text: &Text| text.bytes().all(|byte| byte.is_ascii_graphic());
        if ![Some(&id), Some(&key), self.token.as_ref()]
            .into_iter()
            .flatten()
            .all(graphic)
        {
            return Err(CredentialError::Malformed {
                place: place.to_owned(),
                why: "a value holds a space or a character that no key has".into(),
            });
        }
        let secret = |text: Text| SecretString::from(text.as_str());
        Ok(Some(Keys {
            secret_id: id.as_str().to_owned(),
            secret_key: secret(key),
            token: self.token.map(secret),
            expires: self.expires,
            source: place.to_owned(),
        }))
    }
}

/// The text of a small file, or nothing where there is no file.
///
/// # Errors
/// A file that cannot be read, that is not UTF-8, or that is larger than any key file.
pub(super) fn text(path: &Path) -> io::Result<Option<Text>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let mut text = Text::default();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read > MAX_BYTES) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(text))
}

/// A text field that is wiped when it goes; null is none.
pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Text>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Text::new))
}

/// Reads either of the vendor's forms.
///
/// # Errors
/// What is wrong with the text, without a word of it.
pub(super) fn parse(text: &str) -> Result<Found, String> {
    if text.trim_start().starts_with('{') {
        parse_json(text)
    } else {
        Ok(parse_ini(text))
    }
}

/// The form of the vendor's command line tool.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    #[serde(default, deserialize_with = "secret")]
    secret_id: Option<Text>,
    #[serde(default, deserialize_with = "secret")]
    secret_key: Option<Text>,
    #[serde(default, deserialize_with = "secret")]
    token: Option<Text>,
    #[serde(default, deserialize_with = "lenient::integer")]
    expires_at: Option<i64>,
}

fn parse_json(text: &str) -> Result<Found, String> {
    let json: Json = serde_json::from_str(text).map_err(|fault| {
        // The fault's own words would quote the text.
        format!(
            "its JSON is wrong at line {} column {}",
            fault.line(),
            fault.column()
        )
    })?;
    let expires = json.expires_at.map(UnixTime::from_seconds);
    Ok(Found::new(json.secret_id, json.secret_key, json.token).until(expires))
}

/// The form of the vendor's SDKs; only `[default]` counts.
fn parse_ini(text: &str) -> Found {
    let mut in_default = false;
    let [mut id, mut key, mut token] = [None, None, None];
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            in_default = section.trim_end_matches(']').trim() == "default";
        } else if in_default
            && !line.starts_with(['#', ';'])
            && let Some((name, value)) = line.split_once(['=', ':'])
        {
            let value = Text::new(unquote(value.trim()).to_owned());
            match name.trim().to_ascii_lowercase().as_str() {
                "secret_id" => id = Some(value),
                "secret_key" => key = Some(value),
                "token" => token = Some(value),
                _ => {}
            }
        }
    }
    Found::new(id, key, token)
}

fn unquote(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}
