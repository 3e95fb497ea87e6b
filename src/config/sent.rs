//! What is sent along with a request: headers, parameters, a login. The place of a key is written, never the key.

use reqwest::header::HeaderName;
use toml::Value as Written;
use toml::de::DeValue;

use crate::fetch::{self, Login, Secret, Value};

use super::lines::path_text;
use super::section::{At, Item, Problems, Section, kind};
use super::value::{self, entries, shown, text, wrong};

/// What `check --print` shows in the place of a text that may be a key.
const HIDDEN: &str = "***";

const PLACES: &str = r#"{ file = "/path" }, { env = "NAME" } or { credential = "NAME" }"#;
const LOGINS: &str = r#"{ basic = { user = "NAME", password = { file = "/path" } } }, { bearer = { file = "/path" } } or "off""#;

/// `header`
pub(super) fn headers(item: &Item<'_>) -> Result<Vec<(HeaderName, Value)>, Problems> {
    let takes = r#"a table such as { Auth-Key = { file = "/path" } }"#;
    let mut headers: Vec<(HeaderName, Value)> = Vec::new();
    let read = entries(item, takes, |name, item| {
        let broken = |fault| wrong(format!("{} cannot be sent: {fault}", shown(name)));
        let header = fetch::header_name(name).or_else(broken)?;
        let value = sent(name, item)?;
        if let Value::Text(text) = &value
            && !text
                .bytes()
                .all(|byte| byte == b'\t' || matches!(byte, b' '..=b'~'))
        {
            return wrong(format!(
                "the value of `{header}` holds more than plain ASCII"
            ));
        }
        Ok((header, value))
    })?;
    for (header, value) in read {
        if headers.iter().any(|(before, _)| *before == header) {
            return wrong(format!("names `{header}` twice"));
        }
        headers.push((header, value));
    }
    headers.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
    Ok(headers)
}

/// `query`
pub(super) fn query(item: &Item<'_>) -> Result<Vec<(String, Value)>, Problems> {
    let takes = r#"a table such as { auth-key = { file = "/path" }, days = 7 }"#;
    entries(item, takes, |name, item| {
        if name.is_empty() {
            return wrong("holds a parameter without a name");
        }
        Ok((name.to_owned(), sent(name, item)?))
    })
}

/// `auth`
pub(super) fn login(item: &Item<'_>) -> Result<Option<Login>, Problems> {
    if item.get_ref().as_str() == Some("off") {
        return Ok(None);
    }
    let takes = || wrong(format!("takes {LOGINS}"));
    let Some((way, inner)) = only_entry(item) else {
        return takes();
    };
    match way {
        "bearer" => sent(way, inner).map(|token| Some(Login::Bearer(token))),
        "basic" => basic(inner).map(Some),
        _ => takes(),
    }
}

fn basic(item: &Item<'_>) -> Result<Login, Problems> {
    let takes = r#"takes { user = "NAME", password = { file = "/path" } } for `basic`"#;
    let Some(table) = item.get_ref().as_table() else {
        return wrong(takes);
    };
    match (table.get("user"), table.get("password"), table.len()) {
        (Some(user), Some(password), 2) => {
            let user = text(user, "the name of a user")?;
            // RFC 7617 §2
            if user.is_empty() || user.contains(|sign: char| sign == ':' || sign.is_control()) {
                return wrong("takes a user's name without a colon");
            }
            Ok(Login::Basic(user.to_owned(), sent("password", password)?))
        }
        _ => wrong(takes),
    }
}

/// `url_key`
pub(super) fn url_key(item: &Item<'_>) -> Result<Option<Value>, Problems> {
    sent("url_key", item).map(Some)
}

/// A value as it is, or the place of a key. No message repeats it.
fn sent(name: &str, item: &Item<'_>) -> Result<Value, Problems> {
    match item.get_ref() {
        DeValue::Table(_) => place(name, item).map(Value::Secret),
        DeValue::String(text) if text == HIDDEN => wrong(format!(
            "`{HIDDEN}` stands where `check --print` hid a key of {}; write its place: {PLACES}",
            shown(name)
        )),
        DeValue::String(text) => Ok(Value::Text(text.to_string())),
        DeValue::Integer(_) => {
            value::whole(i64::MIN..=i64::MAX)(item).map(|number| Value::Text(number.to_string()))
        }
        _ => wrong(format!(
            "takes text, or the place of a key, for {}, not {}",
            shown(name),
            kind(item)
        )),
    }
}

/// The place of a key. No message repeats what is written.
pub(super) fn place(name: &str, item: &Item<'_>) -> Result<Secret, Problems> {
    let takes = || {
        wrong(format!(
            "takes the place of a key for {}: {PLACES}",
            shown(name)
        ))
    };
    let Some((way, inner)) = only_entry(item) else {
        return takes();
    };
    let Some(written) = inner.get_ref().as_str() else {
        return takes();
    };
    match way {
        "file" => value::path(inner).map(Secret::File),
        "env" if is_plain(written, b"_") && !written.starts_with(|c: char| c.is_ascii_digit()) => {
            Ok(Secret::Env(written.to_owned()))
        }
        "env" => wrong("takes the name of an environment variable for `env`"),
        // systemd.exec(5): a credential's name is a file's name.
        "credential" if is_plain(written, b"_-.@") && !written.starts_with('.') => {
            Ok(Secret::Credential(written.to_owned()))
        }
        "credential" => {
            wrong("takes the name that `LoadCredential=` gives a credential, for `credential`")
        }
        _ => takes(),
    }
}

fn is_plain(name: &str, signs: &[u8]) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || signs.contains(&byte);
    !name.is_empty() && name.len() <= 255 && name.bytes().all(plain)
}

fn only_entry<'i, 'a>(item: &'i Item<'a>) -> Option<(&'i str, &'i Item<'a>)> {
    let table = item.get_ref().as_table()?;
    let (name, value) = table.iter().next()?;
    (table.len() == 1).then_some((name.get_ref().as_ref(), value))
}

/// Remarks on texts that may be keys.
pub(super) fn remark<'v>(
    section: &mut Section<'_>,
    at: &At,
    values: impl Iterator<Item = (&'v str, &'v Value)>,
) {
    for (name, value) in values {
        if let Value::Text(text) = value
            && may_be_a_key(name, text)
        {
            section.warn(
                at,
                format!(
                    "the value of {} looks like a key, and this file is no place for one; write the key's place: {PLACES}",
                    shown(name)
                ),
            );
        }
    }
}

/// How the config writes a value.
pub(super) fn write(name: &str, value: &Value) -> Written {
    match value {
        Value::Text(text) if may_be_a_key(name, text) => Written::from(HIDDEN),
        Value::Text(text) => Written::from(text.as_str()),
        Value::Secret(secret) => write_place(secret),
    }
}

/// How the config writes the place of a key.
pub(super) fn write_place(secret: &Secret) -> Written {
    let (way, place) = match secret {
        Secret::File(path) => ("file", path_text(path)),
        Secret::Env(name) => ("env", name.clone()),
        Secret::Credential(name) => ("credential", name.clone()),
    };
    table([(way, Written::from(place))])
}

/// How the config writes `header` and `query`.
pub(super) fn write_all<'v>(values: impl Iterator<Item = (&'v str, &'v Value)>) -> Written {
    table(values.map(|(name, value)| (name, write(name, value))))
}

/// How the config writes `auth`.
pub(super) fn write_login(login: Option<&Login>) -> Written {
    match login {
        None => Written::from("off"),
        Some(Login::Bearer(token)) => table([("bearer", write("bearer token", token))]),
        Some(Login::Basic(user, password)) => {
            let password = write("password", password);
            let basic = table([
                ("user", Written::from(user.as_str())),
                ("password", password),
            ]);
            table([("basic", basic)])
        }
    }
}

fn table<'k>(entries: impl IntoIterator<Item = (&'k str, Written)>) -> Written {
    let entries = entries.into_iter();
    Written::Table(
        entries
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

/// Whether a text under this name may be a key: by the name, or by its own looks.
fn may_be_a_key(name: &str, text: &str) -> bool {
    !text.is_empty() && (names_a_key(name) || fetch::looks_like_a_key(text))
}

/// Whether a header or parameter of this name holds keys with most publishers.
pub(super) fn names_a_key(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "auth",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "key",
        "passwd",
        "pwd",
        "session",
        "sig",
        "signature",
        "bearer",
    ];
    const ENDS: [&str; 7] = [
        "token",
        "secret",
        "password",
        "apikey",
        "authkey",
        "accesskey",
        "passphrase",
    ];
    let name = name.to_lowercase();
    name.split(|sign: char| !sign.is_alphanumeric())
        .any(|word| WORDS.contains(&word) || ENDS.iter().any(|end| word.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_hold_keys() {
        for name in [
            "Auth-Key",
            "X-OTX-API-KEY",
            "key",
            "access_token",
            "accessToken",
            "Authorization",
            "apikey",
            "sig",
        ] {
            assert!(names_a_key(name), "{name}");
        }
        for name in [
            "User-Agent",
            "Accept",
            "keyword",
            "limit",
            "code",
            "confidenceMinimum",
        ] {
            assert!(!names_a_key(name), "{name}");
        }
    }
}
