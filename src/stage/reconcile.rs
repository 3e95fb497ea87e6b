//! Reading the cloud's lists back: what is confirmed, what is missing, what belongs to others.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cloud::cfw::{DescribeOverviewResourceQuota, Page};
use crate::cloud::{Action as CloudAction, Reply, Verdict};
use crate::config::{Firewall, Site};
use crate::firewall;
use crate::ledger::{FirewallRow, LEARNED_FOR, ReadState};
use crate::model::{Entry, Indicator, List, UnixTime};
use crate::plan::drift::{self, Drift, Moment, Observed};
use crate::plan::{FirewallTerms, Quota};

use super::send::Link;
use super::{Context, StageError};

/// What a read-back found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSummary {
    /// Calls that it took.
    pub calls: u64,
    /// Rows on the lists, each direction counted.
    pub rows: u64,
    /// What they say.
    pub drift: Drift,
    /// Of the missing leases, those that a search did not find either.
    pub gone: Vec<Entry>,
    /// Why the lists could not be read, where they could not.
    pub failure: Option<String>,
    /// A person has to do something before they can be.
    pub halted: bool,
}

/// The largest page that is asked for first; where it is refused, the vendor's own tools' size.
const PAGE: u32 = 100;
/// The page size of the vendor's own tools.
const SMALL_PAGE: u32 = 20;

/// A pass in which the total changes is made again, so often.
const PASSES: u32 = 3;

/// Attempts at one page: a long list is read whole even where every other call fails.
const ATTEMPTS: u32 = 10;

/// The longest wait between two of them.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// More missing leases than this are made sure of by another pass, and not one by one.
const SEARCHES: usize = 50;

/// After a round of writes the lists are read again, but not more often than every so many `confirm_after`.
const CONFIRM_EVERY: u32 = 10;

/// Why the reading ended.
enum Broken {
    Cancelled,
    Failed(String),
    /// Nothing that is sent will help until a person has done something.
    Halted(String),
}

/// One reading of both lists.
struct Reading {
    observed: Vec<Observed>,
    /// The totals stood still from the first page to the last, so that absence means something.
    steady: bool,
}

/// What somebody added by hand in the cloud's own words; our calls are marked alike.
const BY_HAND: &str = "手动添加";

/// Of the entries that a reading calls foreign, those that look like leases of a ledger that was lost: the
/// feeds want them, they were added by hand or by a call, and their EndTime is one that we would have set.
#[must_use]
pub fn adoptable(
    drift: &Drift,
    wanted: &HashSet<Entry>,
    terms: &FirewallTerms,
    now: UnixTime,
) -> Vec<(Entry, UnixTime)> {
    let grid = i64::try_from(terms.grid.as_secs().max(1)).unwrap_or(i64::MAX);
    let latest = now.plus(terms.lease).round_up(terms.grid);
    let ours = drift.foreign.iter().filter_map(|(entry, end, source)| {
        let end = (*end)?;
        let like_ours =
            source == BY_HAND && end.seconds() % grid == 0 && end <= latest && end > now;
        (like_ours && wanted.contains(entry)).then(|| (entry.clone(), end))
    });
    ours.collect()
}

/// Reads with one firewall's link.
struct Reader<'a> {
    ctx: &'a Context,
    link: &'a Link,
    cancel: &'a CancellationToken,
    page: u32,
    calls: u64,
}

/// When a firewall's lists are to be read next, if nothing more happens, and why then. Where that moment is past,
/// they are read before the next plan.
#[must_use]
pub fn next_due(firewall: &Firewall, row: &FirewallRow, state: ReadState) -> (UnixTime, String) {
    let at_once = UnixTime::default();
    if let Some(why) = &row.read_wanted {
        return (at_once, why.clone());
    }
    let Some(read_at) = row.read_at else {
        return (at_once, "this ledger has never read them".to_owned());
    };
    let shows = |at: UnixTime| at.plus(firewall.confirm_after);
    let rested = read_at.plus(firewall.confirm_after * CONFIRM_EVERY);
    let interval = read_at.plus(firewall.reconcile_interval);
    // Doubts that go on coming put the reading off, but not for ever.
    let doubts = state.doubts.filter(|_| state.repeats_refused);
    let doubts = doubts.map(|(first, last)| {
        let late = first.plus(firewall.confirm_after * CONFIRM_EVERY);
        shows(last).min(late.max(shows(first)))
    });
    let written = state.last_applied.filter(|at| shows(*at) > read_at);
    let worthwhile = state.unconfirmed * 10 > state.leases;
    let written = written
        .filter(|_| worthwhile)
        .map(|at| shows(at).max(rested));
    let refused = state.quarantined.map(|at| shows(at).max(rested));
    let full = state.full.map(|at| shows(at).max(rested));
    let alike = state.alike.map(|at| shows(at).max(rested));
    let due = [
        (Some(interval), "reconcile_interval has passed"),
        (doubts, "calls had no answer, and to repeat them is refused"),
        (written, "entries were written and wait to be confirmed"),
        (refused, "an entry alone was refused"),
        (full, "the list is full"),
        (alike, "three entries alone were refused alike"),
    ];
    let due = due.into_iter().filter_map(|(at, why)| Some((at?, why)));
    let (at, why) = due.min().unwrap_or((interval, ""));
    (at, why.to_owned())
}

/// What was written to a firewall after this moment, its last reading may not have shown.
#[must_use]
pub fn unseen_since(firewall: &Firewall, row: &FirewallRow) -> UnixTime {
    row.read_at
        .map_or(UnixTime::default(), |at| at.minus(firewall.confirm_after))
}

/// Reads a firewall's lists and takes over what they say. `dry_run` changes nothing.
///
/// # Errors
/// When the ledger cannot be read or written.
pub async fn turn(
    ctx: &Context,
    link: &Link,
    dry_run: bool,
    cancel: &CancellationToken,
) -> Result<ReadSummary, StageError> {
    let mut reader = Reader {
        ctx,
        link,
        cancel,
        page: PAGE,
        calls: 0,
    };
    let confirm_after = link.config.confirm_after;
    let (started, offset) = (ctx.clock.now(), ctx.clock.offset());
    ctx.ledger.reading_begins(link.id, started).await?;
    let mut summary = ReadSummary::default();
    let reading = match reader.read().await? {
        Ok(reading) => reading,
        Err(broken) => return Ok(failed(summary, &reader, &broken)),
    };
    // Its first answer may have told that the clock was wrong when it began.
    let corrected = ctx.clock.offset() - offset;
    let started = UnixTime::from_seconds(started.seconds().saturating_add(corrected));
    let now = ctx.clock.now();
    let moment = Moment {
        started,
        confirm_after,
    };
    let unseen_since = started.minus(confirm_after);
    let known = ctx.ledger.known(link.id, unseen_since, now).await?;
    summary.rows = reading.observed.len() as u64;
    summary.drift = drift::judge(reading.observed, &known, moment, now);
    let reading_is_steady = reading.steady;
    if reading_is_steady {
        match reader.make_sure(&summary.drift.missing).await? {
            Ok(gone) => summary.gone = gone,
            Err(broken) => return Ok(failed(summary, &reader, &broken)),
        }
    }
    summary.calls = reader.calls;
    if !dry_run {
        let (drift, gone) = (&summary.drift, &summary.gone);
        let patient = started.minus(confirm_after * CONFIRM_EVERY);
        ctx.ledger
            .store_read_back(link.id, drift, gone, patient, started)
            .await?;
        if reading_is_steady {
            has_places(ctx, link, summary.rows, now).await?;
        }
        reader.ask_quota().await?;
    }
    Ok(summary)
}

/// A list on which so much stands has at least so many places, whatever a refusal taught while calls had no clear answer.
async fn has_places(
    ctx: &Context,
    link: &Link,
    rows: u64,
    now: UnixTime,
) -> Result<(), StageError> {
    let learned = ctx.ledger.learned(link.id, now.minus(LEARNED_FOR)).await?;
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let full = learned.into_iter().find(|(subject, ..)| subject == "full");
    if let Some((_, Some(places), said)) = full
        && places < rows
    {
        ctx.ledger
            .learn(link.id, "full", Some(rows), &said, now)
            .await?;
    }
    Ok(())
}

fn failed(mut summary: ReadSummary, reader: &Reader<'_>, broken: &Broken) -> ReadSummary {
    summary.calls = reader.calls;
    summary.failure = Some(match broken {
        Broken::Cancelled => "stopped before the lists were read".to_owned(),
        Broken::Failed(why) | Broken::Halted(why) => why.clone(),
    });
    summary.halted = matches!(broken, Broken::Halted(_));
    summary
}

type Read<T> = Result<Result<T, Broken>, StageError>;

impl Reader<'_> {
    /// Reads both lists, again where they changed under way.
    async fn read(&mut self) -> Read<Reading> {
        let mut last = None;
        for _ in 0..PASSES {
            let mut observed = Vec::new();
            let mut steady = true;
            for list in [List::Block, List::Allow] {
                match self.pass(list).await? {
                    Ok(part) => {
                        observed.extend(part.observed);
                        steady &= part.steady;
                    }
                    Err(broken) => return Ok(Err(broken)),
                }
            }
            let reading = Reading { observed, steady };
            if steady {
                return Ok(Ok(reading));
            }
            last = Some(reading);
        }
        Ok(last.ok_or_else(|| Broken::Failed("no pass was made".to_owned())))
    }

    async fn pass(&mut self, list: List) -> Read<Reading> {
        let mut reading = Reading {
            observed: Vec::new(),
            steady: true,
        };
        let (mut rows, mut total) = (0u32, None);
        loop {
            let page = match self.page(list, rows, None).await? {
                Ok(page) => page,
                Err(broken) => return Ok(Err(broken)),
            };
            reading.steady &= total.is_none() || total == page.total;
            total = page.total;
            let fetched = u32::try_from(page.data.len()).unwrap_or(u32::MAX);
            let zone = self.link.config.time_zone;
            let places = page
                .data
                .iter()
                .flat_map(|row| firewall::observed(row, list, zone));
            reading.observed.extend(places);
            rows = rows.saturating_add(fetched);
            let all = total.is_some_and(|total| i64::from(rows) >= total);
            if fetched == 0 || all || (total.is_none() && fetched < self.page) {
                // Pages that end before the total are no whole list.
                reading.steady &= total.is_none_or(|total| i64::from(rows) == total);
                return Ok(Ok(reading));
            }
        }
    }

    /// Of `missing`, those that are gone for sure.
    async fn make_sure(&mut self, missing: &[Entry]) -> Read<Vec<Entry>> {
        if missing.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        if missing.len() > SEARCHES {
            return match self.read().await? {
                Ok(again) if again.steady => {
                    let there: HashSet<_> = again
                        .observed
                        .into_iter()
                        .filter_map(|row| row.entry)
                        .collect();
                    let gone = missing.iter().filter(|entry| !there.contains(*entry));
                    Ok(Ok(gone.cloned().collect()))
                }
                // Absence means nothing while the list moves.
                Ok(_) => Ok(Ok(Vec::new())),
                Err(broken) => Ok(Err(broken)),
            };
        }
        let mut gone = Vec::new();
        for entry in missing {
            match self.find(entry).await? {
                Ok(true) => {}
                Ok(false) => gone.push(entry.clone()),
                Err(broken) => return Ok(Err(broken)),
            }
        }
        Ok(Ok(gone))
    }

    /// Searches for one entry. The cloud gives every row that holds its text somewhere, which may be many pages.
    async fn find(&mut self, entry: &Entry) -> Read<bool> {
        let mut rows = 0u32;
        loop {
            let page = match self.page(entry.list, rows, Some(&entry.indicator)).await? {
                Ok(page) => page,
                Err(broken) => return Ok(Err(broken)),
            };
            let zone = self.link.config.time_zone;
            let mut places = page
                .data
                .iter()
                .flat_map(|row| firewall::observed(row, entry.list, zone));
            if places.any(|place| place.entry.as_ref() == Some(entry)) {
                return Ok(Ok(true));
            }
            let fetched = u32::try_from(page.data.len()).unwrap_or(u32::MAX);
            rows = rows.saturating_add(fetched);
            let more = page.total.is_none_or(|total| i64::from(rows) < total);
            if fetched == 0 || !more {
                return Ok(Ok(false));
            }
        }
    }

    /// One page, tried again while that helps.
    async fn page(&mut self, list: List, offset: u32, search: Option<&Indicator>) -> Read<Page> {
        let mut why = String::new();
        for attempt in 0..ATTEMPTS {
            if self.cancel.is_cancelled() {
                return Ok(Err(Broken::Cancelled));
            }
            let site = self.link.config.site;
            let call = firewall::page(site, list, self.page, offset, search);
            let (reply, told) = self.send(&call).await?;
            let verdict = reply.verdict();
            if let Some(page) = reply.body {
                return Ok(Ok(page));
            }
            why = told;
            match verdict {
                Verdict::Refused | Verdict::Split if self.page > SMALL_PAGE => {
                    self.page = SMALL_PAGE
                }
                Verdict::Stop => return Ok(Err(Broken::Halted(why))),
                Verdict::Refused | Verdict::Full => break,
                _ => {
                    let wait = Duration::from_millis(100 << attempt).min(LONGEST_WAIT);
                    let _ = tokio::time::timeout(wait, self.cancel.cancelled()).await;
                }
            }
        }
        Ok(Err(Broken::Failed(why)))
    }

    async fn send<A: CloudAction>(
        &mut self,
        call: &A,
    ) -> Result<(Reply<A::Response>, String), StageError> {
        self.calls += 1;
        self.link.ask(self.ctx, call).await
    }

    /// The quota, where nobody wrote one down and the site can be asked.
    async fn ask_quota(&mut self) -> Result<(), StageError> {
        let config = &self.link.config;
        if config.terms.quota != Quota::Auto || config.site != Site::China {
            return Ok(());
        }
        let (reply, _) = self.send(&DescribeOverviewResourceQuota {}).await?;
        let total = reply.body.and_then(|quota| quota.blocklist()?.total);
        if let Some(total) = total {
            let now = self.ctx.clock.now();
            let said = "the cloud says so";
            self.ctx
                .ledger
                .learn(self.link.id, "quota", Some(total), said, now)
                .await?;
        }
        Ok(())
    }
}
