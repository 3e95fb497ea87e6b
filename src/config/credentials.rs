//! Where a firewall's keys come from. The keys themselves never enter the config.

use toml::Value;

use crate::cloud::CredentialSource;

use super::keys;
use super::section::{Found, Item, Origin, Problems, Section};
use super::value::{self, text, wrong};
use super::{defaults, lines};

const TAKES: &str =
    r#"{ source = "auto" }, { env = "PREFIX" }, { file = "/path" } or { role = "NAME" }"#;

/// Reads `credentials`. No message repeats a value: somebody may have written a key there.
pub(super) fn read(section: &mut Section<'_>) -> Found<CredentialSource> {
    let mut found = Found {
        value: defaults::CREDENTIALS,
        at: section.at("credentials", Origin::BuiltIn),
    };
    if !section.has("credentials") {
        return found;
    }
    found.at.origin = Origin::Faulty;
    let Some(mut inner) = section.inner("credentials", keys::CREDENTIALS, TAKES) else {
        return found;
    };
    let written = [
        option(&mut inner, "source", source),
        option(&mut inner, "env", env),
        option(&mut inner, "file", |item| {
            value::path(item).map(CredentialSource::File)
        }),
        option(&mut inner, "role", role),
    ];
    let mut at = inner.at("", Origin::Own);
    at.key = "credentials".to_owned();
    match written.iter().filter(|found| found.is_some()).count() {
        1 => {}
        _ => inner.fault(&at, format!("takes exactly one of {TAKES}")),
    }
    let sound = inner.faults.is_empty();
    section.absorb(inner);
    if let (true, Some(value)) = (sound, written.into_iter().flatten().flatten().next()) {
        found = Found { value, at };
    }
    found
}

/// How the config writes it.
pub(super) fn write(credentials: &CredentialSource) -> Value {
    let (key, value) = match credentials {
        CredentialSource::Auto => ("source", "auto".to_owned()),
        CredentialSource::Env(prefix) => ("env", prefix.clone()),
        CredentialSource::File(path) => ("file", lines::path_text(path)),
        CredentialSource::Role(name) => ("role", name.clone()),
    };
    Value::Table(
        [(key.to_owned(), Value::String(value))]
            .into_iter()
            .collect(),
    )
}

/// `None` where the key is absent, `Some(None)` where it cannot be read.
fn option(
    section: &mut Section<'_>,
    key: &'static str,
    parse: impl FnOnce(&Item<'_>) -> Result<CredentialSource, Problems>,
) -> Option<Option<CredentialSource>> {
    section
        .has(key)
        .then(|| section.read(key, None, |item| parse(item).map(Some)).value)
}

fn source(item: &Item<'_>) -> Result<CredentialSource, Problems> {
    match item.get_ref().as_str() {
        Some("auto") => Ok(CredentialSource::Auto),
        _ => wrong("takes \"auto\" alone"),
    }
}

fn env(item: &Item<'_>) -> Result<CredentialSource, Problems> {
    let prefix = text(item, "the prefix of environment variables")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = prefix.starts_with(|first: char| !first.is_ascii_digit());
    if begins && prefix.bytes().all(plain) && prefix.len() <= 64 {
        return Ok(CredentialSource::Env(prefix.to_owned()));
    }
    wrong(
        "takes the prefix of environment variables: \"PROD\" for PROD_SECRET_ID, PROD_SECRET_KEY and PROD_TOKEN",
    )
}

fn role(item: &Item<'_>) -> Result<CredentialSource, Problems> {
    let name = text(item, "the name of the machine's role")?;
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@');
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins && name.bytes().all(plain) && name.len() <= 128 {
        return Ok(CredentialSource::Role(name.to_owned()));
    }
    wrong(
        "takes the name of the machine's role: at most 128 letters, digits, '_', '-', '.' and '@', beginning with a letter or a digit",
    )
}
