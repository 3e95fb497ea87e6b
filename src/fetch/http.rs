//! An answer's body on its way from the network to the spool.

use reqwest::header::{CONTENT_ENCODING, ETAG, HeaderMap, LAST_MODIFIED, TRANSFER_ENCODING};
use reqwest::{Response, Version};

use super::ask::{Answer, Question, ask};
use super::client::Asker;
use super::pace::Pace;
use super::redact::plain;
use super::source::HttpSource;
use super::spool::{Gather, Spool};
use super::{Body, FetchError, Fetched, Fetcher, Limits, Validators};

/// Longer validators are not kept: they would be sent back with every poll.
const LONGEST_VALIDATOR: usize = 1024;

/// Asks for `source` and spools what comes.
pub(super) async fn get(
    fetcher: &Fetcher,
    source: &HttpSource,
    validators: &Validators,
    limits: &Limits,
) -> Result<Fetched, FetchError> {
    let asker = Asker::prepare(fetcher, source).await?;
    let question = Question {
        url: &source.url,
        accept: "*/*",
        validators,
    };
    match ask(&asker, &question, limits).await? {
        None => Ok(Fetched::NotModified),
        Some(answer) => {
            let body = receive(fetcher, answer, limits).await?;
            Ok(Fetched::Body(Box::new(body)))
        }
    }
}

/// Spools the body of an answer, as it was sent.
pub(super) async fn receive(
    fetcher: &Fetcher,
    answer: Answer,
    limits: &Limits,
) -> Result<Body, FetchError> {
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
        cursor: None,
    }
}
