//! Keys of the machine's role, from the metadata service that the vendor's machines have.

use std::time::Duration;

use reqwest::StatusCode;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use url::Url;

use super::files::{self, Found, Text};
use super::{CredentialError, Keys};
use crate::cloud::lenient;
use crate::model::UnixTime;
use crate::net;

/// The service is one hop away; on any other machine the name does not resolve, or leads nowhere.
const CONNECT: Duration = Duration::from_secs(1);
const TOTAL: Duration = Duration::from_secs(3);

const MAX_BYTES: usize = 64 * 1_024;

/// What the service says of a role.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleKeys {
    #[serde(default, deserialize_with = "lenient::text")]
    code: String,
    #[serde(default, deserialize_with = "files::secret")]
    tmp_secret_id: Option<Text>,
    #[serde(default, deserialize_with = "files::secret")]
    tmp_secret_key: Option<Text>,
    #[serde(default, deserialize_with = "files::secret")]
    token: Option<Text>,
    #[serde(default, deserialize_with = "lenient::integer")]
    expired_time: Option<i64>,
}

/// A client for the metadata service.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    net::client_builder()
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .build()
}

/// The keys of `role`, or of the role that the machine has; none where it has none.
///
/// # Errors
/// When the service cannot be asked, or does not say what it should.
pub(super) async fn fetch(
    http: &reqwest::Client,
    roles: &Url,
    role: Option<&str>,
) -> Result<Option<Keys>, CredentialError> {
    let listed;
    let role = match role {
        Some(role) => role,
        None => {
            let Some(list) = get(http, roles.clone()).await? else {
                return Ok(None);
            };
            listed = list;
            match listed.lines().map(str::trim).find(|line| !line.is_empty()) {
                Some(role) => role,
                None => return Ok(None),
            }
        }
    };
    if !is_role_name(role) {
        return Err(fault(format!("{role:?} is not the name of a role")));
    }
    let url = roles.join(role).map_err(|wrong| fault(wrong.to_string()))?;
    match get(http, url).await? {
        Some(text) => read(&text, role).map(Some),
        None => Err(fault(format!("it knows no role {role}"))),
    }
}

fn read(text: &str, role: &str) -> Result<Keys, CredentialError> {
    // The parser's own words could quote a key.
    let keys: RoleKeys = serde_json::from_str(text)
        .map_err(|_| fault(format!("what it says of role {role} is not its JSON")))?;
    if keys.code != "Success" {
        return Err(fault(format!("for role {role} it says {:?}", keys.code)));
    }
    let Some(expires) = keys.expired_time else {
        return Err(fault(format!(
            "the keys of role {role} have no ExpiredTime"
        )));
    };
    let token = keys
        .token
        .ok_or_else(|| fault(format!("the keys of role {role} have no Token")))?;
    Found::new(keys.tmp_secret_id, keys.tmp_secret_key, Some(token))
        .until(Some(UnixTime::from_seconds(expires)))
        .keys(&format!("role {role} of this machine"))?
        .ok_or_else(|| fault(format!("role {role} has no keys")))
}

/// The text at `url`; none where there is nothing.
async fn get(http: &reqwest::Client, url: Url) -> Result<Option<Text>, CredentialError> {
    let at = url.clone();
    let unreachable = |wrong: reqwest::Error| {
        let why = net::chain(&wrong.without_url());
        fault(format!("{at} does not answer ({why})"))
    };
    let response = http.get(url).send().await.map_err(&unreachable)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        status => return Err(fault(format!("{at} answers with HTTP status {status}"))),
    }
    let body = net::body(response, MAX_BYTES).await.map_err(unreachable)?;
    let text = body.and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(|text| Some(Zeroizing::new(text))).ok_or_else(|| {
        fault(format!(
            "{at} answers with something else than a small text"
        ))
    })
}

/// By the vendor's rule for role names: letters, digits and `+=,.@_-`.
fn is_role_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('.')
}

fn fault(why: String) -> CredentialError {
    CredentialError::Metadata { why }
}
