//! What a person sees: each chapter named, and the simulated list counted each second.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;
use crate::model::{Action, Name};
use crate::sim::Sim;

use super::super::print;
use super::feeds::{CALLBACKS, Chapter, DROPPED, FeedServer, NEW, SCANNERS};

/// Entries that should be on the list while both feeds list all they know: one scanner is allowed.
const AT_FIRST: usize = (SCANNERS - 1 + CALLBACKS) as usize;
/// After the scanners' feed has changed; the allowed one is among those that it dropped.
const AFTERWARDS: usize = (SCANNERS - DROPPED + NEW + CALLBACKS) as usize;

/// The longest that a chapter may take before the demo says that it failed.
const PATIENCE: Duration = Duration::from_secs(40);

struct Teller<'a> {
    cloud: &'a Sim,
    ledger: &'a Ledger,
    cancel: &'a CancellationToken,
    begun: Instant,
    last_line: String,
}

/// Entries by what was done to them, as the ledger's journal has it.
#[derive(Clone, Copy, Default)]
struct Done {
    added: u64,
    renewed: u64,
    deleted: u64,
}

/// Tells the story; `false` where a chapter did not come to its end.
pub(super) async fn tell(
    cloud: &Sim,
    feeds: &FeedServer,
    ledger: &Ledger,
    cancel: &CancellationToken,
) -> anyhow::Result<bool> {
    let mut teller = Teller {
        cloud,
        ledger,
        cancel,
        begun: Instant::now(),
        last_line: String::new(),
    };
    teller.say("The feeds list 60 scanners and 20 callbacks, some defanged, two on private\naddresses, one allowed by the config, one broken. What may be blocked is added.")?;
    if !teller.until(|entries, _| entries == AT_FIRST).await? {
        return teller.give_up();
    }
    teller.say("Leases run for 12 s. The daemon renews them while the feeds list the entries.")?;
    let before = teller.done().await?;
    let renewed = |_, done: Done| done.renewed >= before.renewed + AT_FIRST as u64;
    if !teller.until(renewed).await? {
        return teller.give_up();
    }
    teller.say("The scanners' feed drops 20 addresses and lists 5 new ones. It is configured\nwith on_delist = \"withdraw\": the 19 that were blocked are deleted at once.")?;
    feeds.turn_to(Chapter::Dropped);
    if !teller
        .until(|entries, done| entries == AFTERWARDS && done.deleted > 0)
        .await?
    {
        return teller.give_up();
    }
    teller.say("Both feeds go silent. Nothing renews the listings any more: they end after their\nttl, spread over time, and the cloud drops the entries at their EndTime.")?;
    feeds.turn_to(Chapter::Silent);
    if !teller.until(|entries, _| entries == 0).await? {
        return teller.give_up();
    }
    teller.say("The list is empty again, and nobody had to clean it up.")?;
    Ok(true)
}

impl Teller<'_> {
    fn say(&self, sentence: &str) -> anyhow::Result<()> {
        Ok(print(format_args!("\n{sentence}"))?)
    }

    /// Counts each half second until `there`; `false` when it takes too long or is interrupted.
    async fn until(&mut self, there: impl Fn(usize, Done) -> bool) -> anyhow::Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let entries = self.cloud.entry_count(1);
            let done = self.done().await?;
            self.line(entries, done)?;
            if there(entries, done) {
                return Ok(true);
            }
            let waits = tokio::time::sleep(Duration::from_millis(500));
            tokio::select! {
                () = self.cancel.cancelled() => return Ok(false),
                () = waits => {}
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    fn line(&mut self, entries: usize, done: Done) -> anyhow::Result<()> {
        let line = format!(
            "{entries:3} entries on the firewall's list   added {:3}   renewed {:3}   deleted {:3}",
            done.added, done.renewed, done.deleted
        );
        if line != self.last_line {
            print(format_args!(
                "{:5.1} s  {line}",
                self.begun.elapsed().as_secs_f64()
            ))?;
            self.last_line = line;
        }
        Ok(())
    }

    async fn done(&self) -> anyhow::Result<Done> {
        let mut done = Done::default();
        let Some(firewall) = self.ledger.firewall(&Name::try_new("demo")?).await? else {
            return Ok(done);
        };
        for (action, verdict, _, entries) in self.ledger.call_counts(firewall.id).await? {
            let sum = match action {
                Action::Add => &mut done.added,
                Action::Edit => &mut done.renewed,
                Action::Delete => &mut done.deleted,
            };
            *sum += if verdict == "applied" { entries } else { 0 };
        }
        Ok(done)
    }

    fn give_up(&self) -> anyhow::Result<bool> {
        if !self.cancel.is_cancelled() {
            self.say("This did not come about in time; please report it with the log above.")?;
        }
        Ok(false)
    }
}
