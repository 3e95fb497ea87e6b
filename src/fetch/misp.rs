//! A MISP feed: a directory with a `manifest.json` and one document for each event, read as one event a line.
//!
//! The cursor remembers which version of which event has been read, rather than a newest date: an event may be published
//! long after it was last edited, and its date is that of the edit.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use url::Url;

use super::ask::{Question, ask};
use super::client::Asker;
use super::http::receive;
use super::lines::{LineError, pour_whole};
use super::source::HttpSource;
use super::spool::{Spool, SpoolError, blocking};
use super::{Body, FetchError, Fetched, Fetcher, Limits, Validators};

const PROTOCOL: &str = "a MISP feed";

/// Events of one fetch, newest first. What is left comes with the next one, if the cursor is kept.
const MOST_EVENTS: usize = 1_000;

/// A manifest's size once unpacked: it is held in memory, some hundred bytes for each event.
const MANIFEST_BYTES: u64 = 16 << 20;

/// Events that are told by name where they did not come; the rest is counted.
const NOTES: usize = 10;

/// Fetches the events that are new or changed since the cursor; if there is none, all of them.
pub(super) async fn collect(
    fetcher: &Fetcher,
    source: &HttpSource,
    validators: &Validators,
    limits: &Limits,
) -> Result<Fetched, FetchError> {
    let asker = Asker::prepare(fetcher, source).await?;
    let folder = folder(&source.url);
    let address = file_in(&folder, "manifest.json");
    let what = asker.veil.show(&asker.address(&address));
    let question = Question {
        url: &address,
        accept: "application/json",
        validators,
    };
    let Some(answer) = ask(&asker, &question, limits).await? else {
        return Ok(Fetched::NotModified);
    };
    let manifest = receive(fetcher, answer, limits).await?;
    let given = manifest.validators.clone();
    let listed = read_manifest(manifest, limits, &what).await?;
    let known = Known::read(validators.cursor_from(&what).unwrap_or_default());
    let additions = validators.cursor_from(&what).is_some();
    let (known, wanted) = known.sort_out(listed);
    if wanted.is_empty() && additions {
        return Ok(Fetched::NotModified);
    }
    let asked = wanted.len();
    let run = Run {
        fetcher,
        asker: &asker,
        folder: &folder,
        began: Instant::now(),
        known,
        read: 0,
        notes: Vec::new(),
    };
    let (run, spool) = run.read(wanted, limits).await?;
    // Sent again, the manifest's own validators would say "nothing changed" while there is something left to read.
    let whole = run.read == asked && given.given_by.as_ref() == Some(&what);
    Ok(Fetched::Body(Box::new(Body {
        validators: Validators {
            etag: given.etag.filter(|_| whole),
            last_modified: given.last_modified.filter(|_| whole),
            given_by: Some(what),
            cursor: Some(run.known.write()),
        },
        additions,
        notes: run.notes(asked),
        ..Body::new(spool.finish())
    })))
}

/// One fetch's way through the events.
struct Run<'a> {
    fetcher: &'a Fetcher,
    asker: &'a Asker,
    folder: &'a Url,
    began: Instant,
    known: Known,
    read: usize,
    notes: Vec<String>,
}

/// Whether to go on after an event that did not come.
enum Missing {
    /// The event itself is at fault.
    GoOn(String),
    /// The server is, or there is no room left: what has come is kept.
    Stop(FetchError),
}

impl Run<'_> {
    async fn read(
        mut self,
        wanted: Vec<Event>,
        limits: &Limits,
    ) -> Result<(Self, Spool), FetchError> {
        let mut left = limits.clone();
        let mut spool = Spool::create(&self.fetcher.policy.spool_dir, limits.unpacked)?;
        for event in wanted.into_iter().take(MOST_EVENTS) {
            // What has come by then is kept; the deadline would throw it away.
            if self.read > 0 && self.began.elapsed() > limits.total / 2 {
                break;
            }
            let address = file_in(self.folder, &format!("{}.json", event.uuid));
            let what = self.asker.veil.show(&self.asker.address(&address));
            let outcome = match self.fetch(&address, &left).await {
                Ok(document) => {
                    left.stored = left.stored.saturating_sub(document.stored);
                    let (back, poured) = pour_event(document, limits, spool).await?;
                    spool = back;
                    poured.map_err(|error| self.judge_lines(error, &what, spool.limit))
                }
                Err(error) => Err(self.judge(error)),
            };
            match outcome {
                Ok(()) => {
                    self.read += 1;
                    self.known.0.insert(event.version());
                }
                Err(Missing::GoOn(note)) => self.notes.push(note),
                Err(Missing::Stop(error)) if self.read == 0 => return Err(error),
                Err(Missing::Stop(error)) => {
                    self.notes.push(error.to_string());
                    break;
                }
            }
        }
        Ok((self, spool))
    }

    async fn fetch(&self, address: &Url, limits: &Limits) -> Result<Body, FetchError> {
        let nothing = Validators::default();
        let question = Question {
            url: address,
            accept: "application/json",
            validators: &nothing,
        };
        match ask(self.asker, &question, limits).await? {
            Some(answer) => receive(self.fetcher, answer, limits).await,
            // It was asked without validators, so this has been refused as an error.
            None => Err(FetchError::NotModified {
                what: self.asker.veil.show(address),
            }),
        }
    }

    fn judge(&self, error: FetchError) -> Missing {
        match error {
            // The manifest was written before or after this event was taken away.
            FetchError::Status {
                status: 404 | 410, ..
            } => Missing::GoOn(error.to_string()),
            // With nothing read before it, there will never be more room.
            FetchError::TooLarge { .. } if self.read == 0 => Missing::GoOn(error.to_string()),
            error => Missing::Stop(error),
        }
    }

    fn judge_lines(&self, error: LineError, what: &str, limit: u64) -> Missing {
        let json = matches!(error, LineError::Json(_));
        let disk = matches!(error, LineError::Spool(SpoolError::Disk(_)));
        let error = error.of(what, PROTOCOL, limit);
        match (json, disk) {
            (true, _) => Missing::GoOn(error.to_string()),
            (_, true) => Missing::Stop(error),
            _ => self.judge(error),
        }
    }

    fn notes(mut self, asked: usize) -> Vec<String> {
        let more = self.notes.len().saturating_sub(NOTES);
        self.notes.truncate(NOTES);
        if more > 0 {
            self.notes.push(format!("{more} more events did not come"));
        }
        let left = asked.saturating_sub(self.read);
        if left > 0 {
            self.notes.push(format!(
                "{left} of {asked} events are left for the next fetch"
            ));
        }
        self.notes
    }
}

async fn pour_event(
    document: Body,
    limits: &Limits,
    mut spool: Spool,
) -> Result<(Spool, Result<(), LineError>), FetchError> {
    let limits = limits.clone();
    blocking(move || {
        let poured = pour_whole(&document, &limits, &mut spool);
        Ok((spool, poured))
    })
    .await
}

/// A version of an event.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    timestamp: i64,
    uuid: String,
}

impl Event {
    /// Forty bits: of a hundred thousand events, one in ten million is taken for another.
    fn version(&self) -> [u8; 5] {
        let mut version = [0; 5];
        let digest = Sha256::digest(format!("{}@{}", self.uuid, self.timestamp));
        version
            .iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        version
    }
}

async fn read_manifest(
    manifest: Body,
    limits: &Limits,
    what: &str,
) -> Result<Vec<Event>, FetchError> {
    let mut limits = limits.clone();
    limits.unpacked = limits.unpacked.min(MANIFEST_BYTES);
    let what = what.to_owned();
    blocking(move || {
        let reader = manifest.reader(&limits);
        reader
            .map_err(LineError::json)
            .and_then(|reader| serde_json::from_reader(reader).map_err(LineError::json))
            .map(events)
            .map_err(|error| error.of(&what, PROTOCOL, limits.unpacked))
    })
    .await
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    timestamp: Stamp,
}

/// MISP writes numbers as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stamp {
    Number(i64),
    Text(String),
}

impl Default for Stamp {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// The events that a manifest lists, newest first. A key that is no UUID names no document of ours.
fn events(manifest: BTreeMap<String, Listed>) -> Vec<Event> {
    let mut events: Vec<Event> = manifest
        .into_iter()
        .filter(|(uuid, _)| is_uuid(uuid))
        .map(|(uuid, listed)| Event {
            timestamp: match listed.timestamp {
                Stamp::Number(number) => number,
                Stamp::Text(text) => text.parse().unwrap_or(0),
            },
            uuid,
        })
        .collect();
    events.sort_by(|a, b| {
        b.timestamp
            .cmp(&a.timestamp)
            .then_with(|| a.uuid.cmp(&b.uuid))
    });
    events
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The versions that have been read.
#[derive(Debug, Default, PartialEq)]
struct Known(BTreeSet<[u8; 5]>);

impl Known {
    /// A cursor that cannot be read knows nothing: all events come again, which harms nobody.
    fn read(cursor: &str) -> Self {
        let bytes = hex::decode(cursor).unwrap_or_default();
        let versions = bytes
            .chunks_exact(5)
            .filter_map(|version| version.try_into().ok());
        Self(versions.collect())
    }

    fn write(&self) -> String {
        self.0.iter().map(hex::encode).collect()
    }

    /// Parts what is listed into what is known and what is wanted; what is listed no longer is forgotten.
    fn sort_out(&self, listed: Vec<Event>) -> (Self, Vec<Event>) {
        let (known, wanted): (Vec<_>, Vec<_>) = listed
            .into_iter()
            .partition(|event| self.0.contains(&event.version()));
        (Self(known.iter().map(Event::version).collect()), wanted)
    }
}

/// The directory of a feed, from its own address or that of its manifest.
fn folder(url: &Url) -> Url {
    let mut folder = url.clone();
    let path = url
        .path()
        .trim_end_matches("manifest.json")
        .trim_end_matches('/');
    folder.set_path(&format!("{path}/"));
    folder
}

/// A file of the feed, with the query that the config gives.
fn file_in(folder: &Url, name: &str) -> Url {
    let mut file = folder.clone();
    file.set_path(&format!("{}{name}", folder.path()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_in_the_feed_s_folder() {
        for url in [
            "https://m.example/feed",
            "https://m.example/feed/",
            "https://m.example/feed/manifest.json",
        ] {
            let folder = folder(&Url::parse(url).unwrap());
            assert_eq!(
                file_in(&folder, "x.json").as_str(),
                "https://m.example/feed/x.json"
            );
        }
        let keyed = folder(&Url::parse("https://m.example/?k=1").unwrap());
        assert_eq!(
            file_in(&keyed, "x.json").as_str(),
            "https://m.example/x.json?k=1"
        );
    }

    #[test]
    fn a_manifest_gives_its_events_newest_first() {
        let manifest = r#"{
            "00000000-0000-4000-8000-000000000001": {"timestamp": "10", "info": "x"},
            "00000000-0000-4000-8000-000000000002": {"timestamp": 30},
            "00000000-0000-4000-8000-000000000003": {"info": "no date"},
            "../../etc/passwd": {"timestamp": 40}
        }"#;
        let events = events(serde_json::from_str(manifest).unwrap());
        let stamps: Vec<i64> = events.iter().map(|event| event.timestamp).collect();
        assert_eq!(stamps, [30, 10, 0]);
    }

    #[test]
    fn a_cursor_knows_versions_and_forgets_what_is_gone() {
        let event = |uuid: &str, timestamp| Event {
            timestamp,
            uuid: uuid.to_owned(),
        };
        let (nothing, wanted) = Known::default().sort_out(vec![event("a", 1), event("b", 1)]);
        assert_eq!((nothing, wanted.len()), (Known::default(), 2));
        let known = Known(wanted.iter().map(Event::version).collect());
        let again = Known::read(&known.write());
        assert_eq!(again, known);
        let (kept, wanted) = again.sort_out(vec![event("a", 2), event("b", 1)]);
        assert_eq!(wanted, [event("a", 2)]);
        assert_eq!(kept.0.len(), 1);
        assert_eq!(Known::read("not hex"), Known::default());
    }
}
