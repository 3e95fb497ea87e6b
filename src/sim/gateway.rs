//! The gateway before every service: who calls, when, for what. In the vendor's order.

use axum::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::clock::Moment;
use super::config::{Credential, SimConfig, Site};
use super::faults::{Facts, Plan};
use super::l4;
use super::refusal::Refusal;
use super::tc3::{Authorization, Signed};

/// The gateway refuses a timestamp that is further off than this.
const MAX_SKEW_SECONDS: u64 = 300;

/// One request, read whole.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// `None`: larger than the gateway reads.
    pub(super) body: Option<Bytes>,
}

/// What the cloud can do. Another service's calls would be further lines of [`Action::find`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Modify,
    Describe,
    Quota,
    L4Create,
    L4Describe,
    L4Modify,
    L4Delete,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The secret id that it names, whether or not it signed rightly.
    pub(super) fn secret_id(&self) -> &str {
        let authorization = self.header("Authorization").and_then(Authorization::parse);
        authorization.map_or("", |found| found.secret_id)
    }

    /// What it says of itself, before anything is checked.
    pub(super) fn facts(&self, body: Option<&Value>) -> Facts {
        let field = |name: &str| body.and_then(|body| body.get(name));
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let entry = |item: &Value| {
            let fields = ["IP", "Domain"].map(|name| text(item.get(name)));
            Facts::entry(&fields.concat())
        };
        let items = field("IOC").and_then(Value::as_array);
        let rules = body.map(l4::names).unwrap_or_default();
        Facts {
            action: self.header("X-TC-Action").unwrap_or_default().to_owned(),
            ioc_action: text(field("IocAction")),
            rule_type: field("RuleType").and_then(Value::as_i64),
            iocs: items
                .into_iter()
                .flatten()
                .map(entry)
                .chain(rules.iter().map(|rule| Facts::entry(rule)))
                .collect(),
        }
    }
}

impl Action {
    fn find(service: &str, name: &str, site: Site) -> Result<(Self, &'static str), Refusal> {
        let (list, proxy) = ("2019-09-04", "2022-09-01");
        let found = match (service, name) {
            ("cfw", "ModifyBlockIgnoreList") => (Self::Modify, list),
            ("cfw", "DescribeBlockIgnoreList") => (Self::Describe, list),
            ("cfw", "DescribeOverviewResourceQuota") if site == Site::China => (Self::Quota, list),
            ("teo", "CreateL4ProxyRules") => (Self::L4Create, proxy),
            ("teo", "DescribeL4ProxyRules") => (Self::L4Describe, proxy),
            ("teo", "ModifyL4ProxyRules") => (Self::L4Modify, proxy),
            ("teo", "DeleteL4ProxyRules") => (Self::L4Delete, proxy),
            ("cfw" | "teo", _) => {
                let message = format!(
                    "The action `{name}` is invalid or does not belong to service `{service}`."
                );
                return Err(Refusal::new("InvalidAction", message));
            }
            _ => {
                let message = format!("There is no product `{service}` here.");
                return Err(Refusal::new("NoSuchProduct", message));
            }
        };
        Ok(found)
    }
}

impl Credential {
    fn takes(&self, token: Option<&[u8]>, now: i64) -> bool {
        let wanted = self
            .token
            .as_ref()
            .map(|token| token.expose_secret().as_bytes());
        token == wanted && self.expires.is_none_or(|end| now < end)
    }
}

/// Lets a request through to what it asks for: its form, its headers, then who sent it, then what it wants.
pub(super) fn admit(
    request: &Request,
    config: &SimConfig,
    plan: &Plan,
    now: Moment,
) -> Result<Action, Refusal> {
    let need = |name: &str| request.header(name).ok_or_else(|| Refusal::missing(name));
    check_form(request)?;
    let action = need("X-TC-Action")?;
    let version = need("X-TC-Version")?;
    let timestamp = need("X-TC-Timestamp")?
        .parse::<i64>()
        .map_err(|_| Refusal::invalid("`X-TC-Timestamp` is not a Unix time in seconds."))?;
    let authorization = request
        .header("Authorization")
        .and_then(Authorization::parse)
        .ok_or_else(|| {
            auth(
                "InvalidAuthorization",
                "The `Authorization` header is missing or malformed.",
            )
        })?;
    if timestamp.abs_diff(now.unix) > MAX_SKEW_SECONDS {
        let message =
            "The request is signed for another time: the clocks are more than 5 minutes apart.";
        return Err(auth("SignatureExpire", message));
    }
    let credential = authenticate(request, config, &authorization, timestamp)?;
    let token = request
        .headers
        .get("X-TC-Token")
        .map(|token| token.as_bytes());
    if plan.token_expired || !credential.takes(token, now.unix) {
        return Err(auth("TokenFailure", "The token is wrong or has expired."));
    }
    let (action, known_version) = Action::find(authorization.service, action, config.site)?;
    if version != known_version {
        let message = format!("The API version `{version}` does not exist.");
        return Err(Refusal::new("NoSuchVersion", message));
    }
    Ok(action)
}

fn check_form(request: &Request) -> Result<(), Refusal> {
    let kind = request.header("content-type").unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if request.method != Method::POST || !essence.eq_ignore_ascii_case("application/json") {
        let message = "Only POST with a body of application/json is supported.";
        return Err(Refusal::new("UnsupportedProtocol", message));
    }
    Ok(())
}

/// A body that was too large to read cannot be checked; it is refused for its size later.
fn authenticate<'a>(
    request: &Request,
    config: &'a SimConfig,
    authorization: &Authorization<'_>,
    timestamp: i64,
) -> Result<&'a Credential, Refusal> {
    let mut known = config.credentials.iter();
    let credential = known
        .find(|credential| credential.secret_id == authorization.secret_id)
        .ok_or_else(|| auth("SecretIdNotFound", "The SecretId is not found."))?;
    let signed = Signed {
        method: request.method.as_str(),
        path: request.uri.path(),
        query: request.uri.query().unwrap_or(""),
        headers: &request.headers,
        body: request.body.as_deref().unwrap_or_default(),
        timestamp,
    };
    if request.body.is_some() && !authorization.covers(signed, &credential.secret_key) {
        let message = "The provided credentials could not be validated. Please check that your signature is correct.";
        return Err(auth("SignatureFailure", message));
    }
    Ok(credential)
}

fn auth(code: &str, message: &str) -> Refusal {
    Refusal::new(format!("AuthFailure.{code}"), message)
}
