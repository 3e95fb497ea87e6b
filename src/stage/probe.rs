//! What an account takes, found out on entries that the operator can spare: each is put on the blocklist for a few
//! minutes, read back, changed, taken off, and each of it once more to see how strict the cloud is.
//!
//! It keeps the rules of sending: cleared by the guards, written into the journal before it goes, within the rate. What
//! it leaves behind when it is killed is a lease like any other: the next run takes it off, or its EndTime does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cloud::{Retry, Verdict};
use crate::firewall;
use crate::guard::Cleared;
use crate::ledger::{NewCall, Outcome};
use crate::model::{Class, Direction, Entry, Lease, List, UnixTime};
use crate::plan::drift::Observed;
use crate::plan::{Addition, Batch, Load};

use super::send::Link;
use super::{Context, StageError};

/// How long a probed entry stands if nobody takes it off.
pub const TERM: Duration = Duration::from_secs(900);

/// How often a call is tried that did not get through.
const ATTEMPTS: u32 = 4;

/// Rows of a search that are looked at.
const ROWS: u32 = 20;

/// Beyond `confirm_after`, a change that does not show is taken for one that does not come.
const GRACE: Duration = Duration::from_secs(60);

/// One thing that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// `add`, `add again`, `edit`, `edit to the past`, `delete`, `delete again`, `edit the absent`.
    pub step: &'static str,
    /// On which entry.
    pub entry: String,
    /// What the cloud said.
    pub said: Said,
    /// Its code, where it refused.
    pub code: Option<String>,
    /// Its message, where it refused.
    pub message: Option<String>,
    /// Its name for the call.
    pub request_id: Option<String>,
    /// Milliseconds until the change showed in a read-back; null where it did not, or nobody looked.
    pub shown_after_ms: Option<u64>,
    /// What the read-back showed, where that tells something.
    pub note: Option<String>,
}

/// What the cloud said to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It is done.
    Taken,
    /// It will not do it.
    Refused,
    /// Nothing, or nothing that tells.
    NoAnswer,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// In the order in which it was tried.
    pub findings: Vec<Finding>,
    /// Whether each class that was tried is taken.
    pub classes: BTreeMap<&'static str, bool>,
    /// Entries that could not be taken off; they end by themselves.
    pub left: Vec<String>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// A probe under way.
struct Probe<'a> {
    ctx: &'a Context,
    link: &'a Link,
    cancel: &'a CancellationToken,
    found: Findings,
}

/// What stands under a text already, on either list, in either direction.
///
/// # Errors
/// When the list cannot be read, in a sentence.
pub async fn standing(ctx: &Context, link: &Link, cleared: &Cleared) -> Result<Vec<Entry>, String> {
    let mut found = Vec::new();
    for list in [List::Block, List::Allow] {
        let rows = search(ctx, link, cleared, list).await?;
        found.extend(rows.into_iter().filter_map(|row| row.entry));
    }
    Ok(found)
}

/// Tries the first entry thoroughly, and the others only whether they are taken. Whatever was put on the list is
/// taken off at the end, also after a cancellation.
///
/// # Errors
/// When the ledger cannot be read or written.
pub async fn turn(
    ctx: &Context,
    link: &Link,
    main: &Cleared,
    others: &[Cleared],
    cancel: &CancellationToken,
) -> Result<Findings, StageError> {
    let mut probe = Probe {
        ctx,
        link,
        cancel,
        found: Findings::default(),
    };
    let mut tried = probe.thoroughly(main).await;
    for other in others {
        if tried.is_ok() && !cancel.is_cancelled() {
            tried = probe.whether_taken(other).await;
        }
    }
    // A fault on the way is no reason to leave anything behind.
    let cleaned = probe.clean_up(std::iter::once(main).chain(others)).await;
    tried.and(cleaned)?;
    probe.found.interrupted = cancel.is_cancelled();
    Ok(probe.found)
}

impl Probe<'_> {
    async fn thoroughly(&mut self, cleared: &Cleared) -> Result<(), StageError> {
        let end = self.now().plus(TERM);
        let taken = self.tell(cleared, "add", add(cleared, end)).await?;
        self.found.classes.insert(class(cleared), taken);
        if !taken || !self.shows(cleared, Some(end)).await || self.stopped() {
            return Ok(());
        }
        let Some(lease) = self.lease(cleared).await? else {
            return Ok(());
        };
        let later = end.plus(Duration::from_secs(60));
        if self.tell(cleared, "add again", add(cleared, later)).await? {
            self.shows(cleared, Some(later)).await;
        }
        if self.stopped() {
            return Ok(());
        }
        let later = end.plus(Duration::from_secs(300));
        if self.tell(cleared, "edit", edit(&lease, later)).await? {
            self.shows(cleared, Some(later)).await;
        }
        if self.stopped() {
            return Ok(());
        }
        let past = self.now().minus(Duration::from_secs(120));
        self.tell(cleared, "edit to the past", edit(&lease, past))
            .await?;
        if self.stopped() {
            return Ok(());
        }
        if self.tell(cleared, "delete", delete(&lease)).await? {
            self.shows(cleared, None).await;
        }
        self.tell(cleared, "delete again", delete(&lease)).await?;
        if self.stopped() {
            return Ok(());
        }
        let end = self.now().plus(TERM);
        if self
            .tell(cleared, "edit the absent", edit(&lease, end))
            .await?
        {
            self.shows(cleared, Some(end)).await;
        }
        Ok(())
    }

    async fn whether_taken(&mut self, cleared: &Cleared) -> Result<(), StageError> {
        let end = self.now().plus(TERM);
        let taken = self.tell(cleared, "add", add(cleared, end)).await?;
        self.found.classes.insert(class(cleared), taken);
        if taken {
            self.shows(cleared, Some(end)).await;
        }
        Ok(())
    }

    /// Takes off what the ledger says that we hold of these.
    async fn clean_up(&mut self, all: impl Iterator<Item = &Cleared>) -> Result<(), StageError> {
        for cleared in all {
            let Some(lease) = self.lease(cleared).await? else {
                continue;
            };
            let gone = self.call(&delete(&lease)).await?;
            // A strict cloud refuses to take off what is not there, and that is as good.
            let absent = || async {
                let rows = search(self.ctx, self.link, cleared, List::Block).await;
                rows.is_ok_and(|rows| {
                    !rows
                        .iter()
                        .any(|row| row.entry.as_ref() == Some(&lease.entry))
                })
            };
            if gone.said != Said::Taken && !absent().await {
                self.found.left.push(cleared.indicator().to_string());
            }
        }
        Ok(())
    }

    fn now(&self) -> UnixTime {
        self.ctx.clock.now()
    }

    fn stopped(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// The lease that the ledger holds of it.
    async fn lease(&self, cleared: &Cleared) -> Result<Option<Lease>, StageError> {
        let rows = self
            .ctx
            .ledger
            .leases_of(self.link.id, cleared.indicator())
            .await?;
        let entry = entry(cleared);
        Ok(rows
            .into_iter()
            .map(|row| row.lease)
            .find(|lease| lease.entry == entry))
    }

    /// Sends a call and tells what came of it; whether it was taken.
    async fn tell(
        &mut self,
        cleared: &Cleared,
        step: &'static str,
        batch: Batch,
    ) -> Result<bool, StageError> {
        let finding = self.call(&batch).await?;
        let taken = finding.said == Said::Taken;
        self.found.findings.push(Finding {
            step,
            entry: cleared.indicator().to_string(),
            ..finding
        });
        Ok(taken)
    }

    /// One call, again while that may help, each attempt in the journal.
    async fn call(&self, batch: &Batch) -> Result<Finding, StageError> {
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            let entries = batch.entries();
            let call = NewCall {
                firewall: self.link.id,
                list: batch.list,
                action: batch.action(),
                end_time: batch.end_time(),
                entries: &entries,
                trial: None,
            };
            let id = self
                .ctx
                .ledger
                .journal(&call, self.ctx.clock.now_ms())
                .await?;
            let request = firewall::request(batch, self.link.config.time_zone, self.now());
            let (reply, _) = self.link.ask(self.ctx, &request).await?;
            let (mut settlement, _) = firewall::settlement(&reply, 0, self.now());
            if matches!(
                settlement.outcome,
                Outcome::Refused { .. } | Outcome::Failed { .. }
            ) {
                // A refusal is what was asked for; no entry comes under suspicion.
                settlement.outcome = Outcome::NotApplied;
            }
            self.ctx
                .ledger
                .settle(id, &settlement, self.ctx.clock.now_ms())
                .await?;
            let verdict = reply.verdict();
            last = Some(Finding {
                step: "",
                entry: String::new(),
                said: said(verdict),
                code: settlement.code,
                message: settlement.message,
                request_id: settlement.request_id,
                shown_after_ms: None,
                note: None,
            });
            let again = matches!(
                verdict,
                Verdict::Retry(Retry::Later | Retry::Slower { .. } | Retry::Failed)
                    | Verdict::Reauthenticate
                    | Verdict::Resign { .. }
            );
            if !again {
                break;
            }
            tokio::time::sleep(Duration::from_millis(300 << attempt)).await;
        }
        last.ok_or_else(|| StageError::Task("no call was made".to_owned()))
    }

    /// Looks until the list shows the entry with that EndTime (`None`: shows it no more), and tells how long that took
    /// and what was seen instead. Whether it came to show.
    async fn shows(&mut self, cleared: &Cleared, end: Option<UnixTime>) -> bool {
        let begun = Instant::now();
        let patience = self.link.config.confirm_after + GRACE;
        let entry = entry(cleared);
        let (shown, note) = loop {
            let rows = search(self.ctx, self.link, cleared, List::Block).await;
            let row = rows.map(|rows| {
                rows.into_iter()
                    .find(|row| row.entry.as_ref() == Some(&entry))
            });
            match (&row, end) {
                (Ok(None), None) => break (true, None),
                (Ok(Some(seen)), Some(end)) if seen.end_time == Some(end) => {
                    break (true, Some(format!("source {:?}", seen.source)));
                }
                _ if begun.elapsed() < patience && !self.stopped() => {}
                (Err(why), _) => break (false, Some(format!("the list cannot be read: {why}"))),
                (Ok(Some(seen)), Some(end)) => break (false, Some(otherwise(seen, end))),
                (Ok(None), Some(_)) => break (false, Some("it never showed".to_owned())),
                (Ok(Some(_)), None) => break (false, Some("it still shows".to_owned())),
            }
            tokio::select! {
                () = self.cancel.cancelled() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        };
        if let Some(finding) = self.found.findings.last_mut() {
            let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            (finding.shown_after_ms, finding.note) = (shown.then_some(took), note);
        }
        shown
    }
}

/// What it shows instead of the EndTime that was sent.
fn otherwise(seen: &Observed, end: UnixTime) -> String {
    match seen.end_time {
        None => "it shows, with an EndTime that cannot be read".to_owned(),
        Some(shown) => {
            let off = shown.seconds() - end.seconds();
            format!("it shows with another EndTime than was sent, off by {off} s")
        }
    }
}

/// The rows of a list under exactly this text.
async fn search(
    ctx: &Context,
    link: &Link,
    cleared: &Cleared,
    list: List,
) -> Result<Vec<Observed>, String> {
    let indicator = cleared.indicator();
    let mut why = String::new();
    for attempt in 0..ATTEMPTS {
        let call = firewall::page(link.config.site, list, ROWS, 0, Some(indicator));
        let (reply, told) = link
            .ask(ctx, &call)
            .await
            .map_err(|fault| fault.to_string())?;
        if let Some(page) = reply.body {
            let rows = page
                .data
                .iter()
                .flat_map(|row| firewall::observed(row, list, link.config.time_zone));
            let ours = |row: &Observed| {
                row.entry
                    .as_ref()
                    .is_some_and(|entry| entry.indicator == *indicator)
            };
            return Ok(rows.filter(ours).collect());
        }
        why = told;
        tokio::time::sleep(Duration::from_millis(200 << attempt)).await;
    }
    Err(why)
}

fn said(verdict: Verdict) -> Said {
    match verdict {
        Verdict::Applied => Said::Taken,
        Verdict::Refused
        | Verdict::Split
        | Verdict::Full
        | Verdict::Stop
        | Verdict::Retry(Retry::ThenRefused) => Said::Refused,
        Verdict::Unknown | Verdict::Retry(_) | Verdict::Reauthenticate | Verdict::Resign { .. } => {
            Said::NoAnswer
        }
    }
}

/// Domains are blocked on the way out, all else on the way in.
fn entry(cleared: &Cleared) -> Entry {
    cleared.entry(direction(cleared))
}

fn direction(cleared: &Cleared) -> Direction {
    match cleared.indicator().class() {
        Class::Domain => Direction::Out,
        Class::Ipv4 | Class::Ipv6 | Class::Network => Direction::In,
    }
}

fn class(cleared: &Cleared) -> &'static str {
    cleared.indicator().class().as_str()
}

fn add(cleared: &Cleared, end: UnixTime) -> Batch {
    let addition = Addition {
        cleared: cleared.clone(),
        direction: direction(cleared),
        repeat: false,
    };
    batch(cleared.indicator().class(), Load::Add(vec![addition], end))
}

fn edit(lease: &Lease, end: UnixTime) -> Batch {
    batch(lease.entry.class(), Load::Edit(vec![lease.clone()], end))
}

fn delete(lease: &Lease) -> Batch {
    batch(lease.entry.class(), Load::Delete(vec![lease.clone()]))
}

fn batch(class: Class, load: Load) -> Batch {
    Batch {
        list: List::Block,
        class,
        trial: None,
        load,
    }
}
