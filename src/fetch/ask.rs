//! One conditional GET, its redirects followed by hand: each of them leads where a stranger says.

use std::time::Duration;

use reqwest::header::{
    DATE, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, RequestBuilder, Response};
use url::Url;

use super::address::permit_url;
use super::client::{Asker, bare};
use super::redact::Veil;
use super::{FetchError, Limits, Validators, trouble};

const MAX_REDIRECTS: usize = 5;

/// What is asked for.
pub(super) struct Question<'a> {
    pub(super) url: &'a Url,
    /// The media types that are taken.
    pub(super) accept: &'static str,
    pub(super) validators: &'a Validators,
}

/// A 200 whose body has not been read yet.
pub(super) struct Answer {
    pub(super) response: Response,
    /// Who gave it, as shown.
    pub(super) what: String,
    /// Where nothing but permanent redirects led.
    pub(super) moved_to: Option<Url>,
}

/// Follows redirects to an answer; `None` is a 304.
pub(super) async fn ask(
    asker: &Asker,
    question: &Question<'_>,
    limits: &Limits,
) -> Result<Option<Answer>, FetchError> {
    let mut url = asker.address(question.url);
    let mut permanent = true;
    for hop in 0..=MAX_REDIRECTS {
        let what = asker.veil.show(&url);
        judge(&url, &what, asker.allow_private)?;
        let (response, conditional) = send(asker, question, &url, &what, limits).await?;
        match response.status().as_u16() {
            200 => {
                let moved_to = (hop > 0 && permanent).then(|| asker.without_keys(&url));
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
                url = next_hop(&url, &asker.veil, status, response.headers())?;
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
        what: asker.veil.show(question.url),
        limit: MAX_REDIRECTS,
    })
}

/// Asks one address. A publisher may close a connection that was kept from an earlier question just as the next one goes
/// out; then it is asked once more, on a connection of its own, as a GET may be (RFC 9110 §9.2.2). Nothing else is asked
/// twice: a publisher that answered nothing on a new connection was heard.
async fn send(
    asker: &Asker,
    question: &Question<'_>,
    url: &Url,
    what: &str,
    limits: &Limits,
) -> Result<(Response, bool), FetchError> {
    let build = |client: &Client| {
        let request = asker.request(client, url, question.accept);
        with_validators(request, question.validators, what)
    };
    let (request, conditional) = build(&asker.client);
    let mut sent = in_time(request, what, limits).await?;
    if let Err(error) = &sent
        && asker.kept.may_be_open(url)
        && trouble::ended_unanswered(error)
    {
        let (request, _) = build(&asker.afresh().await?);
        sent = in_time(request, what, limits).await?;
    }
    let response = sent.map_err(|error| trouble::before_the_answer(what, &error))?;
    asker.kept.answered(url);
    Ok((response, conditional))
}

async fn in_time(
    request: RequestBuilder,
    what: &str,
    limits: &Limits,
) -> Result<reqwest::Result<Response>, FetchError> {
    tokio::time::timeout(limits.first_byte, request.send())
        .await
        .map_err(|_| FetchError::FirstByte {
            what: what.to_owned(),
            limit: limits.first_byte,
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

fn next_hop(url: &Url, veil: &Veil, status: u16, headers: &HeaderMap) -> Result<Url, FetchError> {
    let what = || veil.show(url);
    let next = headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| url.join(location).ok())
        .ok_or_else(|| FetchError::Location {
            what: what(),
            status,
        })?;
    match (url.scheme(), next.scheme()) {
        ("https", "http") => Err(FetchError::Downgrade {
            what: what(),
            to: veil.show(&next),
        }),
        (_, "http" | "https") => Ok(bare(&next)),
        (_, scheme) => Err(FetchError::RedirectScheme {
            what: what(),
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
            let next = next_hop(
                &from,
                &Veil::default(),
                302,
                &headers(&[("location", location)]),
            );
            match (next, expected) {
                (Ok(next), Ok(expected)) => assert_eq!(next.as_str(), expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (next, expected) => panic!("{location}: {next:?}, not {expected:?}"),
            }
        }
    }
}
