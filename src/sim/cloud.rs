//! The cloud itself: one account's lists, and the gateway that stands before them. No I/O.

use axum::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::clock::Moment;
use super::config::{Credential, Limits, SimConfig, Site};
use super::describe::{self, Query};
use super::list::Lists;
use super::modify;
use super::refusal::Refusal;
use super::tc3::{Authorization, Signed};
use super::traffic::{Arrival, Traffic};

/// The gateway refuses a timestamp that is further off than this.
const MAX_SKEW_SECONDS: i64 = 300;

/// One request, read whole.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// `None`: larger than the gateway reads.
    pub(super) body: Option<Bytes>,
}

#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) config: SimConfig,
    /// How far the cloud's clock is ahead of the injected one.
    pub(super) skew_seconds: i64,
    pub(super) lists: Lists,
    pub(super) traffic: Traffic,
    ids: fastrand::Rng,
}

/// What the cloud can do. Another service's calls would be further lines of [`Action::find`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Modify,
    Describe,
    Quota,
}

/// What a request says of itself before anything is checked, for the log.
#[derive(Debug, Default)]
struct Claims {
    action: String,
    ioc_action: String,
    entries: usize,
    secret_id: String,
}

impl Cloud {
    pub(super) fn new(config: SimConfig) -> Self {
        Self {
            skew_seconds: 0,
            lists: Lists::new(config.visible_after),
            traffic: Traffic::new(config.log_capacity),
            ids: fastrand::Rng::with_seed(config.seed),
            config,
        }
    }

    /// Reads the clock, and lets what has ended go.
    pub(super) fn wake(&mut self) -> Moment {
        let now = self.config.clock.read(self.skew_seconds);
        self.lists.expire(self.config.manners.expired, now);
        now
    }

    /// Answers one call and logs it.
    pub(super) fn answer(&mut self, request: &Request) -> Value {
        let now = self.wake();
        let request_id = self.request_id();
        let body = request.body.as_deref().map(serde_json::from_slice::<Value>);
        let claims = Claims::of(request, body.as_ref().and_then(|body| body.as_ref().ok()));
        let number = self.traffic.next_number();
        let times = self.traffic.arrive(&claims.action, now.tick_us);
        let outcome = self.judge(request, body, times, now);
        let verdict = match &outcome {
            Ok(_) => "ok".to_owned(),
            Err(refusal) => refusal.code.clone().into_owned(),
        };
        self.traffic.record(Arrival {
            number,
            at_us: now.tick_us,
            unix: now.unix,
            action: claims.action,
            ioc_action: claims.ioc_action,
            entries: claims.entries,
            verdict,
            applied: outcome.is_ok(),
            answered: true,
            request_id: request_id.clone(),
            secret_id: claims.secret_id,
        });
        envelope(outcome, request_id)
    }

    fn judge(
        &mut self,
        request: &Request,
        body: Option<serde_json::Result<Value>>,
        times: usize,
        now: Moment,
    ) -> Result<Value, Refusal> {
        let limits = self.config.limits;
        let action = self.admit(request, now)?;
        if times > limits.rate as usize {
            return Err(Refusal::too_often(times, limits.rate));
        }
        let body = match body {
            None => {
                return Err(Refusal::new(
                    "RequestSizeLimitExceeded",
                    "The request body exceeds 10 MB.",
                ));
            }
            Some(Err(_)) => return Err(Refusal::invalid("The request body is not valid JSON.")),
            Some(Ok(body)) => body,
        };
        self.act(action, &body, limits, now)
    }

    /// The gateway's own checks, in its order: what must be there, who signs, what is asked for.
    fn admit(&self, request: &Request, now: Moment) -> Result<Action, Refusal> {
        let header = |name: &str| {
            request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let need = |name: &str| header(name).ok_or_else(|| Refusal::missing(name));
        check_form(request)?;
        let action = need("X-TC-Action")?;
        let version = need("X-TC-Version")?;
        let timestamp = need("X-TC-Timestamp")?
            .parse::<i64>()
            .map_err(|_| Refusal::invalid("`X-TC-Timestamp` is not a Unix time in seconds."))?;
        let authorization = header("Authorization")
            .and_then(Authorization::parse)
            .ok_or_else(|| {
                auth(
                    "InvalidAuthorization",
                    "The `Authorization` header is missing or malformed.",
                )
            })?;
        self.authenticate(request, &authorization, timestamp, now)?;
        let (action, known_version) =
            Action::find(authorization.service, action, self.config.site)?;
        if version != known_version {
            let message = format!("The API version `{version}` does not exist.");
            return Err(Refusal::new("NoSuchVersion", message));
        }
        Ok(action)
    }

    fn authenticate(
        &self,
        request: &Request,
        authorization: &Authorization<'_>,
        timestamp: i64,
        now: Moment,
    ) -> Result<(), Refusal> {
        if timestamp.abs_diff(now.unix) > MAX_SKEW_SECONDS.unsigned_abs() {
            return Err(auth(
                "SignatureExpire",
                "The request is signed for another time; the clocks are more than 5 minutes apart.",
            ));
        }
        let mut known = self.config.credentials.iter();
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
        // What was too large to read cannot be checked; it is refused for its size.
        if request.body.is_some() && !authorization.covers(signed, &credential.secret_key) {
            return Err(auth(
                "SignatureFailure",
                "The provided credentials could not be validated. Please check that your signature is correct.",
            ));
        }
        let token = request
            .headers
            .get("X-TC-Token")
            .map(|token| token.as_bytes());
        if !credential.takes(token, now.unix) {
            return Err(auth("TokenFailure", "The token is wrong or has expired."));
        }
        Ok(())
    }

    fn act(
        &mut self,
        action: Action,
        body: &Value,
        limits: Limits,
        now: Moment,
    ) -> Result<Value, Refusal> {
        match action {
            Action::Modify => {
                let change = modify::read(body, &self.config, limits, now.unix)?;
                self.lists
                    .apply(&change, self.config.manners, limits.quota, now)?;
                Ok(modify::success())
            }
            Action::Describe => {
                let query = Query::read(body, &self.config, limits)?;
                Ok(query.answer(&self.lists, &self.config, now))
            }
            Action::Quota => describe::quota(body, &self.lists, limits),
        }
    }

    /// A random UUID (RFC 9562, version 4), which the vendor's RequestIds look like.
    fn request_id(&mut self) -> String {
        let bits = self.ids.u128(..) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or(""));
        parts.join("-")
    }
}

impl Action {
    fn find(service: &str, name: &str, site: Site) -> Result<(Self, &'static str), Refusal> {
        if service != "cfw" {
            return Err(Refusal::new(
                "NoSuchProduct",
                format!("There is no product `{service}` here."),
            ));
        }
        let action = match name {
            "ModifyBlockIgnoreList" => Self::Modify,
            "DescribeBlockIgnoreList" => Self::Describe,
            "DescribeOverviewResourceQuota" if site == Site::China => Self::Quota,
            _ => {
                let message = format!(
                    "The action `{name}` is invalid or does not belong to service `{service}`."
                );
                return Err(Refusal::new("InvalidAction", message));
            }
        };
        Ok((action, "2019-09-04"))
    }
}

impl Claims {
    fn of(request: &Request, body: Option<&Value>) -> Self {
        let header = |name: &str| {
            request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let authorization = header("Authorization").and_then(Authorization::parse);
        let field = |name: &str| body.and_then(|body| body.get(name));
        Self {
            action: header("X-TC-Action").unwrap_or_default().to_owned(),
            ioc_action: field("IocAction")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            entries: field("IOC").and_then(Value::as_array).map_or(0, Vec::len),
            secret_id: authorization.map_or("", |found| found.secret_id).to_owned(),
        }
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

fn check_form(request: &Request) -> Result<(), Refusal> {
    let kind = request
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    let essence = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or("")
        .trim();
    if request.method != Method::POST || !essence.eq_ignore_ascii_case("application/json") {
        let message = "Only POST with a body of application/json is supported.";
        return Err(Refusal::new("UnsupportedProtocol", message));
    }
    Ok(())
}

fn auth(code: &str, message: &str) -> Refusal {
    Refusal::new(format!("AuthFailure.{code}"), message)
}

fn envelope(outcome: Result<Value, Refusal>, request_id: String) -> Value {
    let mut response = outcome.unwrap_or_else(
        |refusal| json!({ "Error": { "Code": refusal.code, "Message": refusal.message } }),
    );
    if let Some(response) = response.as_object_mut() {
        response.insert("RequestId".to_owned(), Value::String(request_id));
    }
    json!({ "Response": response })
}
