//! Everything of one feed: `feedwall feeds show NAME`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Config;
use crate::ledger::{BY_HAND, ClassCount, FeedRow, Ledger, LedgerError};
use crate::model::{Class, Direction, FeedTerms, List, Mode, OnDelist, UnixTime};
use crate::parse::Format;
use crate::plan::shares::Share;

use super::escape::escape;
use super::layout::{count, heading, items, warn};
use super::report::FeedReport;
use super::span::{span, when, when_or};

/// One feed, in full.
#[derive(Clone, Debug, Serialize)]
pub struct FeedDetails {
    /// What `status` and `feeds` tell of it.
    #[serde(flatten)]
    pub report: FeedReport,
    /// Where it comes from, without what may be a key; null where the config has it no more.
    pub source: Option<String>,
    /// How it is read.
    pub format: Option<String>,
    /// Seconds between polls.
    pub interval_s: Option<u64>,
    /// Percent, where a row says nothing of its own.
    pub confidence: u8,
    /// `out`, `in`; null: both for addresses and networks, outbound for domains.
    pub directions: Option<Vec<Direction>>,
    /// What becomes of what it no longer lists.
    pub on_delist: OnDelist,
    /// Seconds after a row's own date.
    pub max_age_s: Option<u64>,
    /// When a body of it is held; null where the config has it no more.
    pub brakes: Option<Brakes>,
    /// What it lists, and what it listed, by class.
    pub by_class: BTreeMap<Class, ClassCount>,
    /// What it is good for; null for a guard list or an allow feed.
    pub share: Option<Share>,
    /// Attempts so far.
    pub polls: u64,
    /// SHA-256 of the recorded body.
    pub body_sha256: Option<String>,
    /// What its publisher gave to ask "has it changed?" with.
    pub etag: Option<String>,
    /// The same, as a date.
    pub last_modified: Option<String>,
}

/// The feed contract's numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Brakes {
    /// Whether an empty body is believed.
    pub may_be_empty: bool,
    /// The fewest indicators.
    pub min_entries: u64,
    /// The most indicators.
    pub max_entries: u64,
    /// The largest part that may vanish at once.
    pub max_shrink: f64,
    /// The largest ratio of new size to old.
    pub max_growth: f64,
}

impl FeedDetails {
    /// Gathers it; reads all of the feed's listings to count them.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn gather(
        ledger: &Ledger,
        config: Option<&Config>,
        row: FeedRow,
        share: Option<Share>,
    ) -> Result<Self, LedgerError> {
        let named = |config: &Config| config.polled().find(|feed| feed.name == row.name).cloned();
        let feed = config.and_then(named);
        let by_class = ledger.class_counts(row.id).await?;
        let FeedTerms {
            confidence,
            directions,
            on_delist,
            max_age,
            ..
        } = row.terms;
        Ok(Self {
            source: feed.as_ref().map(|feed| feed.source.to_string()),
            format: feed.as_ref().map(|feed| format_word(feed.recipe.format)),
            interval_s: feed.as_ref().map(|feed| feed.interval.as_secs()),
            brakes: feed.as_ref().map(|feed| Brakes {
                may_be_empty: feed.brakes.may_be_empty,
                min_entries: feed.brakes.min_entries,
                max_entries: feed.brakes.max_entries,
                max_shrink: feed.brakes.max_shrink,
                max_growth: feed.brakes.max_growth,
            }),
            confidence,
            directions: directions.map(|set| set.iter().collect()),
            on_delist,
            max_age_s: max_age.map(|age| age.as_secs()),
            by_class,
            share,
            polls: row.polls,
            body_sha256: row.body_sha256.as_ref().map(hex::encode),
            etag: row.validators.etag.clone(),
            last_modified: row.validators.last_modified.clone(),
            report: FeedReport::gather(ledger, row).await?,
        })
    }

    /// All of it as text.
    #[must_use]
    pub fn text(&self, now: UnixTime) -> String {
        let report = &self.report;
        let mut rows = vec![("state", self.state(now))];
        let source = self
            .source
            .as_ref()
            .map(|source| escape(source).into_owned());
        rows.push((
            "source",
            source.unwrap_or_else(|| "no longer in the config".to_owned()),
        ));
        if let (Some(format), Some(interval)) = (&self.format, self.interval_s) {
            let every = span(std::time::Duration::from_secs(interval));
            rows.push((
                "read as",
                format!("{format}, {}, every {every}", mode(report.mode)),
            ));
        }
        rows.push(("lists", self.lists()));
        if let Some(share) = &self.share {
            rows.push(("of use", of_use(share)));
        }
        rows.push(("terms", self.terms()));
        if let Some(brakes) = &self.brakes {
            rows.push(("held if", brakes.text(report.mode)));
        }
        rows.push(("last poll", when_or(report.last_poll, now, "never")));
        let change = when_or(report.last_change, now, "never");
        rows.push((
            "last change",
            format!("{change}; {}", count(self.polls, "poll", "polls")),
        ));
        if report.hits.indicators > 0 {
            let hits = report.hits;
            let indicators = count(hits.indicators, "indicator", "indicators");
            let times = count(hits.match_times, "time", "times");
            let last = when_or(hits.last_hit, now, "at a time unknown");
            rows.push(("matched", format!("{indicators}, {times}, last {last}")));
        }
        if let Some(sha256) = &self.body_sha256 {
            rows.push(("SHA-256", sha256.clone()));
        }
        let validators = [("ETag", &self.etag), ("Last-Modified", &self.last_modified)];
        let validators = validators
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", escape(value.as_ref()?))));
        let validators = validators.collect::<Vec<_>>().join(", ");
        if !validators.is_empty() {
            rows.push(("asked with", validators));
        }
        let mut text = heading(&format!("Feed {}", report.name)) + &items(rows);
        if let Some(trouble) = &report.trouble {
            text += &warn(&items([("trouble", escape(trouble))]));
        }
        text
    }

    fn state(&self, now: UnixTime) -> String {
        let report = &self.report;
        let good = when_or(report.last_good, now, "never");
        if report.name.as_str() == BY_HAND {
            return "what was blocked by hand, each until its own end".to_owned();
        }
        if !report.configured {
            return format!("has left the config and ages out; last good fetch {good}");
        }
        let failures = match report.failures {
            0 => String::new(),
            failures => format!(
                " ({} since)",
                count(u64::from(failures), "bad try", "bad tries")
            ),
        };
        let held = match &report.held {
            Some(held) if held.approved_at.is_some() => ", approved, taken at the next poll",
            _ => "",
        };
        let next = match report.next_poll {
            Some(at) if at > now => when(at, now),
            _ => "due".to_owned(),
        };
        let state = report.state.as_str();
        format!("{state}{held}; last good fetch {good}{failures}; next poll {next}")
    }

    fn lists(&self) -> String {
        let report = &self.report;
        let classes = |of: fn(&ClassCount) -> u64| -> Vec<String> {
            let counts = self
                .by_class
                .iter()
                .map(|(class, counted)| (class, of(counted)));
            let counts = counts.filter(|(_, number)| *number > 0);
            counts
                .map(|(class, number)| format!("{number} {class}"))
                .collect()
        };
        let listed = classes(|counted| counted.listed);
        let delisted = classes(|counted| counted.delisted);
        let mut text = match listed.is_empty() {
            true => "nothing".to_owned(),
            false => listed.join(", "),
        };
        if !delisted.is_empty() {
            text += &format!("; delisted and still remembered: {}", delisted.join(", "));
        }
        if report.rejected > 0 {
            let rows = count(report.rejected, "row", "rows");
            text +=
                &format!("; {rows} of its last body rejected (`feedwall feeds try` shows them)");
        }
        text
    }

    fn terms(&self) -> String {
        let report = &self.report;
        if report.guard {
            return "a guard list: what it lists is never blocked, and never ages out".to_owned();
        }
        let directions = match self.directions.as_deref() {
            None => "both ways for addresses, outbound for domains",
            Some([Direction::Out]) => "outbound",
            Some([Direction::In]) => "inbound",
            Some(_) => "both ways",
        };
        let list = match report.list {
            List::Block => "blocklist",
            List::Allow => "allowlist, and a guard",
        };
        let gone = match (report.mode, self.on_delist) {
            (Mode::Incremental, _) => "",
            (Mode::Snapshot, OnDelist::AgeOut) => "; what it delists ages out",
            (Mode::Snapshot, OnDelist::Withdraw) => "; what it delists goes at once",
        };
        let age = self
            .max_age_s
            .map(|age| span(std::time::Duration::from_secs(age)));
        let age = age.map_or(String::new(), |age| {
            format!("; rows older than {age} are not believed")
        });
        format!(
            "{list}, {directions}; confidence {} %; believed for {} after the last good fetch{gone}{age}",
            self.confidence,
            span(report.ttl())
        )
    }
}

/// What a feed is good for, in words.
fn of_use(share: &Share) -> String {
    let Share {
        lists,
        alone,
        shared,
        blocked,
        hits,
    } = share;
    let on_lists = match blocked {
        0 => "nothing stands on a firewall's list on its word".to_owned(),
        1 => "1 stands on a firewall's list on its word".to_owned(),
        more => format!("{more} stand on a firewall's list on its word"),
    };
    let hits = match (blocked, hits) {
        (0, _) => String::new(),
        (_, 0) => ", not hit as far as was read back".to_owned(),
        (_, hits) => format!(", hit {}", count(*hits, "time", "times")),
    };
    format!(
        "of {lists} listed now {alone} by no other feed, {shared} by others too; {on_lists}{hits}"
    )
}

impl Brakes {
    fn text(&self, mode: Mode) -> String {
        let most = format!("more than {} indicators", self.max_entries);
        if mode == Mode::Incremental {
            return most;
        }
        let empty = if self.may_be_empty { "" } else { "empty, " };
        let few = match self.min_entries {
            0 | 1 => String::new(),
            least => format!("fewer than {least} indicators, "),
        };
        format!(
            "{empty}{few}{most}, smaller by more than {} %, or more than {} times as large",
            (self.max_shrink * 100.0).round(),
            self.max_growth
        )
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Snapshot => "whole each time",
        Mode::Incremental => "additions only",
    }
}

/// The format as the config writes it.
#[must_use]
pub fn format_word(format: Format) -> String {
    let value = serde_json::to_value(format).ok();
    let word = value.as_ref().and_then(serde_json::Value::as_str);
    word.unwrap_or_default().to_owned()
}
