//! One conditional GET, its redirects followed by hand: each of them leads where a stranger says.

use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, DATE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RETRY_AFTER, TRANSFER_ENCODING,
};
use reqwest::{Client, RequestBuilder, Response, Version, redirect};
use url::Url;

use super::address::permit_url;
use super::redact::plain;
use super::resolve::Filtered;
use super::spool::{Gather, Spool};
use super::{Body, FetchError, FetchPolicy, Fetched, Fetcher, Limits, Validators, redact};
use super::{pace::Pace, trouble};

const MAX_REDIRECTS: usize = 5;

/// One address's share of `first_byte`: a name with a dead and a living address still gets through.
const CONNECT: Duration = Duration::from_secs(15);

/// Longer validators are not kept: they would be sent back with every poll.
const LONGEST_VALIDATOR: usize = 1024;

/// The client for every feed without settings of its own.
pub(super) fn client(policy: &FetchPolicy) -> Result<Client, FetchError> {
    let mut agent = concat!("feedwall/", env!("CARGO_PKG_VERSION")).to_owned();
    if let Some(contact) = &policy.contact {
        agent.push_str(&format!(" (+{contact})"));
    }
    crate::net::client_builder()
        .user_agent(agent)
        .redirect(redirect::Policy::none())
        .dns_resolver(Filtered {
            allow_private: policy.allow_private,
        })
        .connect_timeout(CONNECT)
        .pool_idle_timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| FetchError::Client {
            reason: trouble::innermost(&error),
        })
}

/// Asks for `url` and spools what comes.
pub(super) async fn get(
    fetcher: &Fetcher,
    url: &Url,
    validators: &Validators,
    limits: &Limits,
) -> Result<Fetched, FetchError> {
    match ask(fetcher, url, validators, limits).await? {
        None => Ok(Fetched::NotModified),
        Some(answer) => {
            let body = receive(fetcher, answer, limits).await?;
            Ok(Fetched::Body(Box::new(body)))
        }
    }
}

/// A 200 whose body has not been read yet.
struct Answer {
    response: Response,
    /// Who gave it, as shown.
    what: String,
    moved_to: Option<Url>,
}

/// Follows redirects to an answer; `None` is a 304.
async fn ask(
    fetcher: &Fetcher,
    start: &Url,
    validators: &Validators,
    limits: &Limits,
) -> Result<Option<Answer>, FetchError> {
    let mut url = start.clone();
    let mut permanent = true;
    for hop in 0..=MAX_REDIRECTS {
        let what = redact(&url);
        judge(&url, &what, fetcher.policy.allow_private)?;
        let request = fetcher.client.get(asked(&url, start));
        let (request, conditional) = with_validators(request, validators, &what);
        let request = request.header(ACCEPT_ENCODING, "gzip");
        let response = tokio::time::timeout(limits.first_byte, request.send())
            .await
            .map_err(|_| FetchError::FirstByte {
                what: what.clone(),
                limit: limits.first_byte,
            })?
            .map_err(|error| trouble::before_the_answer(&what, &error))?;
        match response.status().as_u16() {
            200 => {
                let moved_to = (hop > 0 && permanent).then_some(url);
                return Ok(Some(Answer {
                    response,
                    what,
                    moved_to,
                }));
            }
            304 if conditional => return Ok(None),
            304 => return Err(FetchError::NotModified { what }),
            status @ (301 | 302 | 303 | 307 | 308) => {
                permanent &= matches!(status, 301 | 308);
                url = next_hop(&url, &what, status, response.headers())?;
            }
            status => {
                return Err(FetchError::Status {
                    what,
                    status,
                    retry_after: retry_after(response.headers()),
                });
            }
        }
    }
    Err(FetchError::Redirects {
        what: redact(start),
        limit: MAX_REDIRECTS,
    })
}

fn judge(url: &Url, what: &str, allow_private: bool) -> Result<(), FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(FetchError::Scheme {
            what: what.to_owned(),
        });
    }
    permit_url(url, allow_private).map_err(|refusal| FetchError::Host {
        what: what.to_owned(),
        refusal,
    })
}

/// The address as it is asked: user and password, which the library makes a header of, go to the feed's own origin and
/// to no other.
fn asked(url: &Url, start: &Url) -> Url {
    let mut url = bare(url);
    if url.origin() == start.origin() {
        // These fail only for addresses without a host, which have been refused.
        let _ = url.set_username(start.username());
        let _ = url.set_password(start.password());
    }
    url
}

fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url
}

fn with_validators(
    request: RequestBuilder,
    validators: &Validators,
    what: &str,
) -> (RequestBuilder, bool) {
    if validators.given_by.as_deref() != Some(what) {
        return (request, false);
    }
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &Option<String>| {
        if let Some(value) = value.as_ref().and_then(|value| value.parse().ok()) {
            headers.insert(name, value);
        }
    };
    set(IF_NONE_MATCH, &validators.etag);
    set(IF_MODIFIED_SINCE, &validators.last_modified);
    let conditional = !headers.is_empty();
    (request.headers(headers), conditional)
}

fn next_hop(url: &Url, what: &str, status: u16, headers: &HeaderMap) -> Result<Url, FetchError> {
    let next = headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| url.join(location).ok())
        .ok_or_else(|| FetchError::Location {
            what: what.to_owned(),
            status,
        })?;
    match (url.scheme(), next.scheme()) {
        ("https", "http") => Err(FetchError::Downgrade {
            what: what.to_owned(),
            to: redact(&next),
        }),
        (_, "http" | "https") => Ok(bare(&next)),
        (_, scheme) => Err(FetchError::RedirectScheme {
            what: what.to_owned(),
            scheme: scheme.chars().take(20).collect(),
        }),
    }
}

/// Seconds, or a date, which is held against the answer's own `Date` and not against this machine's clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| {
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text)
            .ok()
    };
    let until = date(asked)?;
    let from = date(headers.get(DATE)?.to_str().ok()?)?;
    Duration::try_from(until.duration_since(from)).ok()
}

async fn receive(fetcher: &Fetcher, answer: Answer, limits: &Limits) -> Result<Body, FetchError> {
    let Answer {
        mut response,
        what,
        moved_to,
    } = answer;
    refuse_encodings(&response, &what)?;
    if response.content_length() > Some(limits.stored) {
        return Err(FetchError::TooLarge {
            what,
            limit: limits.stored,
        });
    }
    let validators = validators(response.headers(), &what);
    let ends_surely = ends_surely(&response);
    let mut pace = Pace::new(limits);
    let mut gather = Gather::new(Spool::create(&fetcher.policy.spool_dir, limits.stored)?);
    while let Some(bytes) = pace.next(&mut response, &what).await? {
        gather = gather
            .push(&bytes)
            .await
            .map_err(|error| error.of(&what, limits.stored))?;
    }
    let spooled = gather
        .finish()
        .await
        .map_err(|error| error.of(&what, limits.stored))?;
    Ok(Body {
        validators,
        ends_surely,
        moved_to,
        ..Body::new(spooled)
    })
}

/// Only gzip was asked for, and whether it came, the body's first bytes tell.
fn refuse_encodings(response: &Response, what: &str) -> Result<(), FetchError> {
    for value in response.headers().get_all(CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for encoding in text.split(',').map(|name| name.trim().to_ascii_lowercase()) {
            if !matches!(encoding.as_str(), "" | "identity" | "gzip" | "x-gzip") {
                return Err(FetchError::Encoding {
                    what: what.to_owned(),
                    encoding: plain(&encoding).chars().take(40).collect(),
                });
            }
        }
    }
    Ok(())
}

/// HTTP/2 marks the end of a body; HTTP/1 does where it gives a length or sends chunks. Without either, a connection
/// that was cut looks the same as one that is done.
fn ends_surely(response: &Response) -> bool {
    response.content_length().is_some()
        || response.version() >= Version::HTTP_2
        || response.headers().contains_key(TRANSFER_ENCODING)
}

fn validators(headers: &HeaderMap, what: &str) -> Validators {
    let text = |name| {
        let value = headers.get(name)?.to_str().ok()?;
        (value.len() <= LONGEST_VALIDATOR).then(|| value.to_owned())
    };
    Validators {
        etag: text(ETAG),
        last_modified: text(LAST_MODIFIED),
        given_by: Some(what.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_against_the_servers_own() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let table = [
            (vec![("retry-after", "120")], Some(120)),
            (
                vec![("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"), date],
                Some(60),
            ),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], None),
            (
                vec![("retry-after", "Sun, 06 Nov 1994 08:48:37 GMT"), date],
                None,
            ),
            (vec![("retry-after", "-1")], None),
            (vec![], None),
        ];
        for (pairs, seconds) in table {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers(&pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn redirects_lead_to_http_and_never_down_from_https() {
        let table = [
            ("https://a.example/x", "/y", Ok("https://a.example/y")),
            (
                "http://a.example/x",
                "https://b.example/y#part",
                Ok("https://b.example/y"),
            ),
            (
                "https://a.example/x",
                "//b.example/y",
                Ok("https://b.example/y"),
            ),
            (
                "https://a.example/x",
                "https://me:pw@b.example/",
                Ok("https://b.example/"),
            ),
            (
                "https://a.example/x",
                "http://a.example/x",
                Err("from https to http"),
            ),
            ("http://a.example/x", "file:///etc/passwd", Err("`file:`")),
            (
                "http://a.example/x",
                "javascript:alert(1)",
                Err("`javascript:`"),
            ),
            (
                "http://a.example/x",
                "http://[::bad",
                Err("without a usable Location"),
            ),
        ];
        for (from, location, expected) in table {
            let from = Url::parse(from).unwrap();
            let next = next_hop(&from, "it", 302, &headers(&[("location", location)]));
            match (next, expected) {
                (Ok(next), Ok(expected)) => assert_eq!(next.as_str(), expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (next, expected) => panic!("{location}: {next:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn a_login_goes_to_its_own_origin_only() {
        let start = Url::parse("https://me:p%40ss@a.example/x").unwrap();
        let to = |url: &str| asked(&Url::parse(url).unwrap(), &start).to_string();
        assert_eq!(to("https://a.example/y"), "https://me:p%40ss@a.example/y");
        assert_eq!(to("https://a.example:8443/y"), "https://a.example:8443/y");
        assert_eq!(to("http://a.example/y"), "http://a.example/y");
        assert_eq!(to("https://b.example/y"), "https://b.example/y");
    }
}
