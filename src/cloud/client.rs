//! One signed call: one attempt, one signature, one permit.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::Instant;
use url::{Host, Url};

use super::answer::{Answer, Said, Wire, read};
use super::credentials::Keys;
use super::limit::{LATE, Permit};
use super::sign::{Signing, authorization};
use super::verdict::Verdict;
use crate::model::UnixTime;
use crate::net;

/// How long an attempt may take, its connection included, until the last byte of the answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest body that the API takes, in bytes.
pub const MAX_REQUEST: usize = 10 * 1_000 * 1_000;

/// The largest answer that is read, in bytes; a page of a list is far below.
pub const MAX_ANSWER: usize = 16 * 1_024 * 1_024;

const CONTENT: &str = "application/json";

/// One action of the API: the request is what implements it, as the body that goes out.
pub trait Action: Serialize {
    /// `X-TC-Action`.
    const NAME: &'static str;
    /// The product, as in its host name and in the signature.
    const SERVICE: &'static str;
    /// `X-TC-Version`.
    const VERSION: &'static str;
    /// What `Response` holds when it went well.
    type Response: DeserializeOwned;
}

/// What came of one attempt.
#[derive(Debug)]
pub struct Reply<T> {
    /// What was said, or why nothing was.
    pub answer: Answer,
    /// The answer's content, exactly where `answer` is [`Answer::Success`].
    pub body: Option<T>,
    /// `RequestId`, by which the vendor finds the call.
    pub request_id: Option<String>,
    /// The answer's `Date` header: the cloud's own clock.
    pub date: Option<UnixTime>,
    /// From the sending to the end of the answer.
    pub took: Duration,
}

/// Why a client cannot be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The endpoint is not just a host, or not one that HTTP reaches.
    #[error(
        "the endpoint {endpoint} will not do: it must be http:// or https:// with a host and perhaps a port, and no path, query or user"
    )]
    Endpoint {
        /// The endpoint, without what may be a password.
        endpoint: String,
    },
    /// The HTTP client cannot be made.
    #[error("no HTTP client can be made: {0}")]
    Http(#[from] reqwest::Error),
}

/// A client for one endpoint. Cheap to clone; the clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Url,
    host: String,
    http: reqwest::Client,
}

impl<T> Reply<T> {
    /// What the answer means.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.answer.verdict()
    }
}

impl Client {
    /// A client for `endpoint`, such as `https://cfw.tencentcloudapi.com`.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`] for a URL with more than a host and a port.
    pub fn new(endpoint: &Url) -> Result<Self, ClientError> {
        Self::with_timeout(endpoint, ANSWER_TIMEOUT)
    }

    /// The same with another timeout than [`ANSWER_TIMEOUT`].
    ///
    /// # Errors
    /// [`ClientError::Endpoint`] for a URL with more than a host and a port.
    pub fn with_timeout(endpoint: &Url, timeout: Duration) -> Result<Self, ClientError> {
        let host = signed_host(endpoint).ok_or_else(|| {
            let mut shown = endpoint.clone();
            // A URL that cannot have a user has none to hide.
            let _ = shown.set_password(None);
            ClientError::Endpoint {
                endpoint: shown.to_string(),
            }
        })?;
        // HTTP/1 only, so that a call that is given up takes its connection with it and nothing else.
        let http = net::client_builder()
            .http1_only()
            .timeout(timeout)
            // A connection that the server has dropped in the meantime costs an answer; do not keep one for long.
            .pool_idle_timeout(Duration::from_secs(10));
        // The limiter counts on it that the kernel gives up before LATE is over.
        #[cfg(target_os = "linux")]
        let http = http.tcp_user_timeout(LATE - Duration::from_secs(1));
        Ok(Self {
            endpoint: endpoint.clone(),
            host,
            http: http.build()?,
        })
    }

    /// The endpoint, as it was given.
    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Sends `action` once. `now` is the wall clock, corrected by what was learned of its offset.
    ///
    /// The permit ends as the attempt does: unsent, answered, or lost.
    pub async fn send<A: Action>(
        &self,
        action: &A,
        keys: &Keys,
        permit: Permit,
        now: UnixTime,
    ) -> Reply<A::Response> {
        let start = Instant::now();
        let request = match self.request(action, keys, now) {
            Ok(request) => request,
            Err(answer) => {
                permit.unsent();
                return Reply::without_answer(answer, start);
            }
        };
        match self.exchange(request).await {
            Ok(Exchanged { status, date, body }) => {
                permit.answered();
                let said = match &body {
                    Some(body) => read(&Wire { status, date, body }, now),
                    None => Said::too_long(status),
                };
                Reply {
                    answer: said.answer,
                    body: said.body,
                    request_id: said.request_id,
                    date,
                    took: start.elapsed(),
                }
            }
            Err(broken) => {
                let answer = settle(permit, broken);
                Reply::without_answer(answer, start)
            }
        }
    }

    fn request<A: Action>(
        &self,
        action: &A,
        keys: &Keys,
        now: UnixTime,
    ) -> Result<reqwest::Request, Answer> {
        let unsendable = |why: String| Answer::Unsendable { why };
        let body = serde_json::to_vec(action)
            .map_err(|fault| unsendable(format!("the request cannot be written: {fault}")))?;
        if body.len() > MAX_REQUEST {
            return Err(Answer::TooLarge { bytes: body.len() });
        }
        let signing = Signing {
            service: A::SERVICE,
            headers: &[("content-type", CONTENT), ("host", &self.host)],
            body: &body,
            at: now,
        };
        let authorization = authorization(&keys.secret_id, &keys.secret_key, &signing);
        let value = |text: &str, secret| {
            let mut value = HeaderValue::from_str(text)
                .map_err(|_| unsendable("a key holds what no header can".into()))?;
            value.set_sensitive(secret);
            Ok(value)
        };
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value(&authorization, true)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
        headers.insert(HOST, value(&self.host, false)?);
        headers.insert("x-tc-action", HeaderValue::from_static(A::NAME));
        headers.insert("x-tc-language", HeaderValue::from_static("en-US"));
        headers.insert("x-tc-timestamp", HeaderValue::from(now.seconds()));
        headers.insert("x-tc-version", HeaderValue::from_static(A::VERSION));
        if let Some(token) = &keys.token {
            headers.insert("x-tc-token", value(token.expose_secret(), true)?);
        }
        self.http
            .post(self.endpoint.clone())
            .headers(headers)
            .body(body)
            .build()
            .map_err(|fault| unsendable(net::chain(&fault.without_url())))
    }

    async fn exchange(&self, request: reqwest::Request) -> Result<Exchanged, Broken> {
        let response = self.http.execute(request).await.map_err(Broken::Silent)?;
        let status = response.status().as_u16();
        let date = response.headers().get(DATE).and_then(date);
        let body = match net::body(response, MAX_ANSWER).await {
            // A status that tells of trouble tells it without its body too.
            Err(_) if status != 200 => Some(Vec::new()),
            body => body.map_err(Broken::CutShort)?,
        };
        Ok(Exchanged { status, date, body })
    }
}

/// A response, read to its end.
struct Exchanged {
    status: u16,
    date: Option<UnixTime>,
    /// `None` where it is larger than [`MAX_ANSWER`].
    body: Option<Vec<u8>>,
}

/// An exchange without a whole response.
enum Broken {
    /// Nothing of one came.
    Silent(reqwest::Error),
    /// Its head came.
    CutShort(reqwest::Error),
}

impl<T> Reply<T> {
    fn without_answer(answer: Answer, start: Instant) -> Self {
        Self {
            answer,
            body: None,
            request_id: None,
            date: None,
            took: start.elapsed(),
        }
    }
}

/// Says what a broken exchange means for the call, and ends its permit accordingly.
fn settle(permit: Permit, broken: Broken) -> Answer {
    let (fault, heard) = match broken {
        Broken::Silent(fault) => (fault.without_url(), false),
        Broken::CutShort(fault) => (fault.without_url(), true),
    };
    let why = net::chain(&fault);
    if fault.is_connect() {
        // No connection, TLS included: nothing of the request was sent.
        permit.unsent();
        return Answer::NotSent { why };
    }
    // A connection that was closed without an answer is no word of the server's: something on the way may have closed
    // it, and carry the call on.
    if heard {
        permit.answered();
    } else {
        permit.lost();
    }
    Answer::NoAnswer { why }
}

/// The host as it is signed: with its port, where that is not the scheme's own.
fn signed_host(endpoint: &Url) -> Option<String> {
    let bare = matches!(endpoint.scheme(), "http" | "https")
        && endpoint.path() == "/"
        && endpoint.query().is_none()
        && endpoint.fragment().is_none()
        && endpoint.username().is_empty()
        && endpoint.password().is_none();
    let host = match endpoint.host().filter(|_| bare)? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => format!("[{address}]"),
    };
    Some(match endpoint.port() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

/// An HTTP date, such as `Mon, 25 Feb 2019 16:44:25 GMT` (RFC 9110, section 5.6.7).
fn date(value: &HeaderValue) -> Option<UnixTime> {
    let text = value.to_str().ok()?;
    let stamp = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    Some(UnixTime::from_seconds(stamp.as_second()))
}

#[cfg(test)]
mod tests;
