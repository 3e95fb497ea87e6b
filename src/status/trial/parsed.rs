//! A parsed body, and how it is judged.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::time::Duration;

use crate::fetch::{Body, Limits};
use crate::guard::{Guard, Guards, Hold, Judgement, Origin, Strike};
use crate::ledger::{FeedRow, Ledger, LedgerError};
use crate::model::{Brakes, Indicator, List, Listing, Mode, UnixTime};
use crate::parse::{
    Collector, Format, Guess, HEAD, Recipe, Record, Reject, Sink, Snapshot, Text, guess, parse,
};
use crate::stage::{contract, frozen};

use super::{Changes, Effect, Guarded, Rejected, RejectedLine, SHOWN, Trial};

/// A parsed body.
#[derive(Debug)]
pub struct Parsed {
    snapshot: Snapshot,
    first: Vec<Indicator>,
    html: bool,
    /// The beginning, where it may say when it was made, and what the server said of that.
    head: Vec<u8>,
    last_modified: Option<String>,
    sha256: [u8; 32],
    bytes: u64,
    read_as: Format,
    because: Option<String>,
}

/// By what a body is judged.
#[derive(Debug)]
pub struct Measure<'a> {
    /// Blocklist or allowlist.
    pub list: List,
    /// Snapshot or incremental.
    pub mode: Mode,
    /// The contract's numbers.
    pub brakes: &'a Brakes,
    /// The guards.
    pub guards: &'a Guards,
    /// The feed as the ledger knows it.
    pub row: Option<&'a FeedRow>,
}

/// Keeps the first records beside the snapshot.
struct First {
    collector: Collector,
    first: Vec<Indicator>,
}

impl Parsed {
    /// Parses a fetched body. It is work for a processor, and not short.
    ///
    /// # Errors
    /// When the body cannot be unpacked or read.
    pub fn read(body: &Body, recipe: &Recipe, limits: &Limits, most: u64) -> io::Result<Self> {
        let mut head = Vec::new();
        let start = body.reader(limits)?;
        start.take(frozen::HEAD).read_to_end(&mut head)?;
        let guess = match recipe.format {
            Format::Auto => guess_format(body, recipe, limits)?,
            _ => None,
        };
        let recipe = guess.as_ref().map_or(recipe, |guess| &guess.recipe);
        let mut reader = body.reader(limits)?;
        let text = Text {
            body: &mut reader,
            ends_surely: body.ends_surely,
        };
        let mut sink = First {
            collector: Collector::new(usize::try_from(most).unwrap_or(usize::MAX)),
            first: Vec::new(),
        };
        let tally = parse(recipe, text, &mut sink)?;
        Ok(Self {
            snapshot: sink.collector.finish(tally),
            first: sink.first,
            html: contract::looks_like_html(&head),
            head,
            last_modified: body.validators.last_modified.clone(),
            sha256: body.sha256,
            bytes: body.stored,
            read_as: recipe.format,
            because: guess.map(|guess| guess.because),
        })
    }

    /// Indicators in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.snapshot.len() as u64
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.snapshot.is_empty()
    }

    /// Rows that were rejected.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.snapshot.rejects().total()
    }

    /// Why the feed contract would hold it; `None` where it would be recorded.
    #[must_use]
    pub fn doubt(&self, mode: Mode, brakes: &Brakes, row: Option<&FeedRow>) -> Option<String> {
        if let Some(why) = contract::unreadable(&self.snapshot) {
            return Some(why);
        }
        let before = row.and_then(|row| row.last_good.map(|_| row.listed));
        let facts = contract::facts(&self.snapshot, self.html, before);
        let doubt = contract::judge(brakes, mode, &facts).err()?;
        Some(doubt.to_string())
    }

    /// Why it would be taken for frozen; `None` where it would not, or where nobody says how long it may stay the same.
    #[must_use]
    pub fn frozen(
        &self,
        max_stale: Option<Duration>,
        row: Option<&FeedRow>,
        now: UnixTime,
    ) -> Option<String> {
        let before = row.and_then(|row| Some((row.body_sha256.as_deref()?, row.body_since?)));
        match before {
            Some((sha256, since)) if sha256 == self.sha256.as_slice() => {
                frozen::frozen(max_stale, since, now)
            }
            _ => {
                let word = frozen::Word {
                    head: &self.head,
                    field: self.snapshot.tally().made_at,
                    last_modified: self.last_modified.as_deref(),
                };
                frozen::by_its_word(max_stale, before.is_none(), &word, now)
            }
        }
    }

    /// Everything that `feeds try` tells, but for where the body came from and how long it took.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn judge(
        &self,
        ledger: Option<&Ledger>,
        by: &Measure<'_>,
    ) -> Result<Trial, LedgerError> {
        let snapshot = &self.snapshot;
        let changes = match ledger.zip(by.row) {
            Some((ledger, row)) => Some(self.changes(ledger, row, by.mode).await?),
            None => None,
        };
        let by_class = snapshot
            .by_class()
            .map(|(class, count)| (class, count as u64));
        Ok(Trial {
            source: String::new(),
            feed: None,
            read_as: self.read_as,
            because: self.because.clone(),
            bytes: self.bytes,
            unpacked_bytes: snapshot.tally().bytes,
            rows: snapshot.tally().rows,
            passed_over: snapshot.tally().passed_over,
            needless: snapshot.tally().needless,
            indicators: self.len(),
            by_class: by_class.into_iter().collect(),
            first: self.first.iter().map(ToString::to_string).collect(),
            rejected: self.rejected(),
            rejects: rejects(snapshot),
            guarded: guarded(snapshot, by),
            would_hold: self.doubt(by.mode, by.brakes, by.row),
            changes,
            duration_ms: 0,
        })
    }

    /// Holds the body against the feed's listings; both are in the order of indicators.
    async fn changes(
        &self,
        ledger: &Ledger,
        row: &FeedRow,
        mode: Mode,
    ) -> Result<Changes, LedgerError> {
        let mut changes = Changes::default();
        let mut rows = self.snapshot.rows().map(|row| row.indicator).peekable();
        let mut listings = ledger.listings(row.id);
        loop {
            let chunk = listings.next_chunk().await?;
            if chunk.is_empty() {
                changes.added += rows.count() as u64;
                return Ok(changes);
            }
            for Listing {
                indicator,
                delisted_at,
                ..
            } in chunk
            {
                let old = indicator.borrowed();
                while rows.next_if(|new| *new < old).is_some() {
                    changes.added += 1;
                }
                let listed = rows.next_if(|new| *new == old).is_some();
                match (listed, delisted_at) {
                    (true, Some(_)) => changes.relisted += 1,
                    (true, None) => changes.unchanged += 1,
                    (false, None) if mode == Mode::Snapshot => changes.delisted += 1,
                    (false, _) => {}
                }
            }
        }
    }
}

impl Sink for First {
    fn record(&mut self, record: Record) {
        if self.first.len() < SHOWN {
            self.first.push(record.indicator.clone());
        }
        self.collector.record(record);
    }

    fn reject(&mut self, reject: Reject) {
        self.collector.reject(reject);
    }
}

/// What an `auto` body is taken for; `None` where nothing makes sense of it, which its rejects then say.
fn guess_format(body: &Body, recipe: &Recipe, limits: &Limits) -> io::Result<Option<Guess>> {
    let mut head = Vec::new();
    let reader = body.reader(limits)?;
    reader.take(HEAD as u64 + 1).read_to_end(&mut head)?;
    let whole = head.len() <= HEAD;
    head.truncate(HEAD);
    Ok(guess(recipe, &head, whole).ok())
}

fn rejects(snapshot: &Snapshot) -> Vec<Rejected> {
    let by_reason = snapshot.rejects().by_reason().into_iter();
    let rejected = by_reason.map(|(reason, tally)| Rejected {
        reason: reason.to_string(),
        count: tally.count,
        first: tally
            .first
            .iter()
            .take(SHOWN)
            .map(|reject| RejectedLine {
                line: reject.line,
                text: reject.text.clone(),
            })
            .collect(),
    });
    rejected.collect()
}

fn guarded(snapshot: &Snapshot, by: &Measure<'_>) -> Vec<Guarded> {
    let mut guarded: BTreeMap<(String, Effect), Guarded> = BTreeMap::new();
    for row in snapshot.rows() {
        let indicator = row.indicator.to_owned();
        let judgement = match by.list {
            List::Block => by.guards.judge(&indicator),
            List::Allow => by.guards.judge_allow(&indicator),
        };
        let Some((who, effect)) = sort(&judgement) else {
            continue;
        };
        let one = guarded
            .entry((who.clone(), effect))
            .or_insert_with(|| Guarded {
                by: who,
                effect,
                indicators: 0,
                example: indicator.to_string(),
                why: judgement.to_string(),
            });
        one.indicators += 1;
    }
    let mut guarded: Vec<Guarded> = guarded.into_values().collect();
    guarded.sort_by_key(|one| std::cmp::Reverse(one.indicators));
    guarded
}

/// Who does not let an indicator through whole, and what becomes of it.
fn sort(judgement: &Judgement) -> Option<(String, Effect)> {
    let first = |guards: &[Guard]| {
        guards
            .first()
            .map(|guard| origin(&guard.origin))
            .unwrap_or_default()
    };
    Some(match judgement {
        Judgement::Cleared(_) => return None,
        Judgement::Carved { by, .. } => (first(by), Effect::Carved),
        Judgement::Struck(Strike::Guarded(by)) => (first(by), Effect::Struck),
        Judgement::Struck(Strike::TooWide(_)) => ("[guard] min_prefix".to_owned(), Effect::Struck),
        Judgement::Struck(Strike::PublicSuffix) => ("public suffixes".to_owned(), Effect::Struck),
        Judgement::Held(Hold::AboveGuarded(guard)) => (origin(&guard.origin), Effect::Held),
        Judgement::Held(Hold::TooManyPieces(by)) => (first(by), Effect::Held),
    })
}

/// Who guards, in a word or two.
fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Reserved { .. } => "reserved".to_owned(),
        Origin::OwnGround(_) => "own ground".to_owned(),
        Origin::Config => "[guard] allow".to_owned(),
        Origin::File(path) => path.to_string_lossy().into_owned(),
        Origin::Hand => "allowed by hand".to_owned(),
        Origin::List(name) => format!("guard list {name}"),
        Origin::Feed(name) => format!("allow feed {name}"),
    }
}
