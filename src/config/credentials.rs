//! Where a firewall's keys come from. The keys themselves never enter the config.

use std::path::PathBuf;

use toml::Value;

use super::keys;
use super::section::{Found, Item, Origin, Problems, Section};
use super::value::{self, text, wrong};
use super::{defaults, lines};

/// Where a firewall's keys come from. Never the keys themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// systemd credentials, then the vendor's own order.
    Auto,
    /// Environment variables `PREFIX_SECRET_ID`, `PREFIX_SECRET_KEY`, `PREFIX_TOKEN`.
    Env(String),
    /// A file in the vendor's INI or JSON form.
    File(PathBuf),
    /// The machine's role of this name, from the vendor's metadata service.
    Role(String),
}

const TAKES: &str =
    r#"{ source = "auto" }, { env = "PREFIX" }, { file = "/path" } or { role = "NAME" }"#;

/// Reads `credentials`. No message repeats a value: somebody may have written a key there.
pub(super) fn read(section: &mut Section<'_>) -> Found<Credentials> {
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
            value::path(item).map(Credentials::File)
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
pub(super) fn write(credentials: &Credentials) -> Value {
    let (key, value) = match credentials {
        Credentials::Auto => ("source", "auto".to_owned()),
        Credentials::Env(prefix) => ("env", prefix.clone()),
        Credentials::File(path) => ("file", lines::path_text(path)),
        Credentials::Role(name) => ("role", name.clone()),
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
    parse: impl FnOnce(&Item<'_>) -> Result<Credentials, Problems>,
) -> Option<Option<Credentials>> {
    section
        .has(key)
        .then(|| section.read(key, None, |item| parse(item).map(Some)).value)
}

fn source(item: &Item<'_>) -> Result<Credentials, Problems> {
    match item.get_ref().as_str() {
        Some("auto") => Ok(Credentials::Auto),
        _ => wrong("takes \"auto\" alone"),
    }
}

fn env(item: &Item<'_>) -> Result<Credentials, Problems> {
    let prefix = text(item, "the prefix of environment variables")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = prefix.starts_with(|first: char| !first.is_ascii_digit());
    if begins && prefix.bytes().all(plain) && prefix.len() <= 64 {
        return Ok(Credentials::Env(prefix.to_owned()));
    }
    wrong(
        "takes the prefix of environment variables: \"PROD\" for PROD_SECRET_ID, PROD_SECRET_KEY and PROD_TOKEN",
    )
}

fn role(item: &Item<'_>) -> Result<Credentials, Problems> {
    let name = text(item, "the name of the machine's role")?;
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@');
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins && name.bytes().all(plain) && name.len() <= 128 {
        return Ok(Credentials::Role(name.to_owned()));
    }
    wrong(
        "takes the name of the machine's role: at most 128 letters, digits, '_', '-', '.' and '@', beginning with a letter or a digit",
    )
}
