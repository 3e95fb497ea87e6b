//! A TAXII 2.1 collection (OASIS TAXII 2.1, section 5.4), page after page, as one STIX object a line.
//!
//! The cursor is the date at which the last object was added; the next fetch asks for what was added after it.

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use url::Url;

use super::ask::{Question, ask};
use super::client::Asker;
use super::http::receive;
use super::lines::{Envelope, pour};
use super::source::HttpSource;
use super::spool::{Spool, blocking};
use super::{Body, FetchError, Fetched, Fetcher, Limits, Validators};

const MEDIA_TYPE: &str = "application/taxii+json;version=2.1";

/// Objects asked for at a time; servers may give fewer.
const PAGE: &str = "1000";

/// A page's size once unpacked; it bounds the size of one object, which is held in memory.
const PAGE_BYTES: u64 = 64 << 20;

/// Pages of one fetch; the deadline comes before it, except from a server that gives nothing quickly.
const MOST_PAGES: usize = 10_000;

/// Fetches what was added to the collection since the cursor; all of it if there is none.
pub(super) async fn collect(
    fetcher: &Fetcher,
    source: &HttpSource,
    validators: &Validators,
    limits: &Limits,
) -> Result<Fetched, FetchError> {
    let asker = Asker::prepare(fetcher, source).await?;
    let objects = objects_url(&source.url);
    let what = asker.veil.show(&asker.address(&objects));
    let since = validators.cursor_from(&what).and_then(Added::read);
    let mut spool = Spool::create(&fetcher.policy.spool_dir, limits.unpacked)?;
    let mut place = Place {
        after: since.clone(),
        next: None,
    };
    let mut newest = since.clone();
    let mut left = limits.clone();
    let mut objects_seen = 0u64;
    for _ in 0..MOST_PAGES {
        let (page, last) = fetch_page(fetcher, &asker, &place.url(&objects), &left).await?;
        left.stored = left.stored.saturating_sub(page.stored);
        let (poured, envelope) = pour_page(page, spool, limits, &what).await?;
        spool = poured;
        objects_seen = objects_seen.saturating_add(envelope.objects);
        newest = newest.max(last.clone());
        match place.advance(envelope, last) {
            Step::Done if objects_seen == 0 && since.is_some() => return Ok(Fetched::NotModified),
            Step::Done => {
                let validators = Validators {
                    cursor: newest.map(|added| added.text),
                    given_by: Some(what),
                    ..Validators::default()
                };
                return Ok(Fetched::Body(Box::new(Body {
                    validators,
                    additions: since.is_some(),
                    ..Body::new(spool.finish())
                })));
            }
            Step::To(further) => place = further,
            Step::Nowhere => break,
        }
    }
    Err(FetchError::Paging { what })
}

/// The address of a collection's objects, from that of the collection or of the objects themselves.
fn objects_url(collection: &Url) -> Url {
    let mut url = collection.clone();
    let path = url
        .path()
        .trim_end_matches('/')
        .trim_end_matches("/objects");
    let path = format!("{path}/objects/");
    url.set_path(&path);
    if !url.query_pairs().any(|(name, _)| name == "limit") {
        url.query_pairs_mut().append_pair("limit", PAGE);
    }
    url
}

/// A page's body, and `X-TAXII-Date-Added-Last`.
async fn fetch_page(
    fetcher: &Fetcher,
    asker: &Asker,
    url: &Url,
    limits: &Limits,
) -> Result<(Body, Option<Added>), FetchError> {
    let nothing = Validators::default();
    let question = Question {
        url,
        accept: MEDIA_TYPE,
        validators: &nothing,
    };
    let Some(answer) = ask(asker, &question, limits).await? else {
        // It was asked without validators, so this has been refused as an error.
        return Err(FetchError::NotModified {
            what: asker.veil.show(url),
        });
    };
    let last = added_last(answer.response.headers());
    Ok((receive(fetcher, answer, limits).await?, last))
}

async fn pour_page(
    page: Body,
    mut spool: Spool,
    limits: &Limits,
    what: &str,
) -> Result<(Spool, Envelope), FetchError> {
    let (mut limits, what) = (limits.clone(), what.to_owned());
    limits.unpacked = limits.unpacked.min(PAGE_BYTES);
    blocking(move || {
        let envelope = pour(&page, &limits, &mut spool)
            .map_err(|error| error.of(&what, "TAXII 2.1", spool.limit))?;
        Ok((spool, envelope))
    })
    .await
}

fn added_last(headers: &HeaderMap) -> Option<Added> {
    let text = headers.get("x-taxii-date-added-last")?.to_str().ok()?;
    Added::read(text)
}

/// When an object was added: in order by its moment, sent back as it came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Added {
    moment: Timestamp,
    text: String,
}

impl Added {
    fn read(text: &str) -> Option<Self> {
        Some(Self {
            moment: text.parse().ok()?,
            text: text.to_owned(),
        })
    }
}

/// Where in the collection a page begins.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    after: Option<Added>,
    next: Option<String>,
}

/// What comes after a page.
#[derive(Debug, PartialEq)]
enum Step {
    To(Place),
    Done,
    /// There is more, and no way to it.
    Nowhere,
}

impl Place {
    fn url(&self, objects: &Url) -> Url {
        let mut url = objects.clone();
        {
            let mut pairs = url.query_pairs_mut();
            if let Some(after) = &self.after {
                pairs.append_pair("added_after", &after.text);
            }
            if let Some(next) = &self.next {
                pairs.append_pair("next", next);
            }
        }
        url
    }

    /// A server gives `next`, or the date from which to go on. One that takes `added_after` to include that date would
    /// give its last page for ever.
    fn advance(&self, page: Envelope, last: Option<Added>) -> Step {
        if !page.more {
            return Step::Done;
        }
        match (page.next, last) {
            (Some(next), _) if Some(&next) == self.next.as_ref() => Step::Nowhere,
            (Some(next), _) => Step::To(Self {
                after: self.after.clone(),
                next: Some(next),
            }),
            (None, Some(last)) if Some(&last) > self.after.as_ref() => Step::To(Self {
                after: Some(last),
                next: None,
            }),
            (None, _) => Step::Nowhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objects_are_found_from_the_collection() {
        let table = [
            (
                "https://t.example/api/collections/1/",
                "https://t.example/api/collections/1/objects/?limit=1000",
            ),
            (
                "https://t.example/api/collections/1",
                "https://t.example/api/collections/1/objects/?limit=1000",
            ),
            (
                "https://t.example/c/1/objects/?limit=50",
                "https://t.example/c/1/objects/?limit=50",
            ),
            (
                "https://t.example/c/1/?match[type]=indicator",
                "https://t.example/c/1/objects/?match[type]=indicator&limit=1000",
            ),
        ];
        for (collection, objects) in table {
            assert_eq!(
                objects_url(&Url::parse(collection).unwrap()).as_str(),
                objects
            );
        }
    }

    #[test]
    fn pages_lead_on_or_the_fetch_ends() {
        let added = |text: &str| Added::read(text);
        let at = |after: Option<&str>, next: Option<&str>| Place {
            after: after.and_then(Added::read),
            next: next.map(str::to_owned),
        };
        let page = |more, next: Option<&str>| Envelope {
            more,
            next: next.map(str::to_owned),
            objects: 1,
        };
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z");
        let table = [
            (at(None, None), page(false, Some("x")), None, Step::Done),
            (
                at(Some(old), None),
                page(true, Some("x")),
                None,
                Step::To(at(Some(old), Some("x"))),
            ),
            (
                at(Some(old), Some("x")),
                page(true, Some("y")),
                None,
                Step::To(at(Some(old), Some("y"))),
            ),
            (
                at(Some(old), Some("x")),
                page(true, Some("x")),
                added(new),
                Step::Nowhere,
            ),
            (
                at(None, None),
                page(true, None),
                added(old),
                Step::To(at(Some(old), None)),
            ),
            (
                at(Some(old), None),
                page(true, None),
                added(new),
                Step::To(at(Some(new), None)),
            ),
            (
                at(Some(new), None),
                page(true, None),
                added(new),
                Step::Nowhere,
            ),
            (
                at(Some(new), None),
                page(true, None),
                added(old),
                Step::Nowhere,
            ),
            (at(None, None), page(true, None), None, Step::Nowhere),
        ];
        for (place, page, last, step) in table {
            assert_eq!(place.advance(page, last), step);
        }
    }
}
