//! The part of `feedwall check` that asks outside: each feed is fetched once, each firewall's keys are
//! looked for, and one harmless call is signed with them.

use std::sync::Arc;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::cloud::cfw::DescribeBlockIgnoreList;
use crate::cloud::{Action as _, Client, Credentials, Limits, Surroundings, Verdict};
use crate::config::{Config, Feed, Firewall};
use crate::fetch::{Fetcher, Source};
use crate::firewall;
use crate::ledger::{FeedRow, Ledger};
use crate::model::{List, UnixTime};

use super::check::{Checked, State};
use super::feeds_try;

/// Tries everything that stands outside.
pub(super) async fn run(config: &Config) -> Vec<Checked> {
    let clock = Clock::system();
    let (ledger, mut checks) = ledger(config).await;
    let rows = match &ledger {
        Some(ledger) => ledger.feeds().await.unwrap_or_default(),
        None => Vec::new(),
    };
    match feeds_try::fetcher(config) {
        Ok(fetcher) => {
            for one in config.polled() {
                let row = rows.iter().find(|row| row.name == one.name);
                let guards = config.guard.lists.iter().any(|list| list.name == one.name);
                checks.push(feed(&fetcher, one, guards, row, clock.now()).await);
            }
        }
        Err(fault) => checks.push(checked("feed", None, Err(format!("{fault:#}")), 0)),
    }
    let limits = Limits::default();
    for one in &config.firewalls {
        let begun = Instant::now();
        let found = ask(one, &limits, &clock).await;
        checks.push(checked(
            "firewall",
            Some(one.name.to_string()),
            found,
            ms(begun),
        ));
    }
    if let Some(ledger) = ledger {
        ledger.close().await;
    }
    checks
}

/// Reads the guard lists that are files on this machine, as a start would: before each of them has been heard once,
/// nothing is added to any firewall.
pub(super) async fn guard_files(config: &Config) -> Vec<Checked> {
    let is_file = |list: &&Feed| matches!(list.source, Source::File(_) | Source::Glob(_));
    let lists: Vec<&Feed> = config.guard.lists.iter().filter(is_file).collect();
    if lists.is_empty() {
        return Vec::new();
    }
    let (ledger, _) = ledger(config).await;
    let rows = match &ledger {
        Some(ledger) => ledger.feeds().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let mut checks = Vec::new();
    match feeds_try::fetcher(config) {
        Ok(fetcher) => {
            for list in lists {
                let row = rows.iter().find(|row| row.name == list.name);
                checks.push(feed(&fetcher, list, true, row, Clock::system().now()).await);
            }
        }
        Err(fault) => checks.push(checked("feed", None, Err(format!("{fault:#}")), 0)),
    }
    if let Some(ledger) = ledger {
        ledger.close().await;
    }
    checks
}

/// The ledger knows when each feed was last asked.
async fn ledger(config: &Config) -> (Option<Ledger>, Vec<Checked>) {
    let path = &config.ledger.path;
    if !path.exists() {
        let text = format!(
            "there is none at {} yet; the first run makes it",
            path.display()
        );
        return (None, vec![checked("ledger", None, Ok(text), 0)]);
    }
    match Ledger::open_existing(path).await {
        Ok(ledger) => {
            let text = path.display().to_string();
            (Some(ledger), vec![checked("ledger", None, Ok(text), 0)])
        }
        Err(fault) => (
            None,
            vec![checked("ledger", None, Err(fault.to_string()), 0)],
        ),
    }
}

async fn feed(
    fetcher: &Fetcher,
    feed: &Feed,
    guards: bool,
    row: Option<&FeedRow>,
    now: UnixTime,
) -> Checked {
    let name = Some(feed.name.to_string());
    if let Some(why) = row.and_then(|row| feeds_try::too_soon(feed, row, now)) {
        return Checked {
            state: State::Skipped,
            ..checked("feed", name, Ok(why), 0)
        };
    }
    let begun = Instant::now();
    let found = match feeds_try::parse(fetcher, feed).await {
        Err(fault) => Err(format!("{fault:#}")),
        Ok(parsed) => {
            let counts = format!(
                "{} indicators, {} rows rejected",
                parsed.len(),
                parsed.rejected()
            );
            let doubt = parsed
                .doubt(feed.terms.mode, &feed.brakes, row)
                .or_else(|| parsed.frozen(feed.max_stale, row, now));
            match doubt {
                None => Ok(counts),
                Some(doubt) => Err(format!("{counts}; it would be held: {doubt}")),
            }
        }
    };
    let heard = row.is_some_and(|row| row.last_good.is_some());
    let found = found.map_err(|fault| match guards && !heard {
        true => format!(
            "{fault}; nothing is added to any firewall before this guard list has been heard once: mend it, or take it out of the config"
        ),
        false => fault,
    });
    checked("feed", name, found, ms(begun))
}

/// Looks for keys and asks for one row of the blocklist.
async fn ask(config: &Firewall, limits: &Limits, clock: &Clock) -> Result<String, String> {
    let around = Surroundings::of_this_process();
    let credentials =
        Credentials::new(config.credentials.clone(), around).map_err(|fault| fault.to_string())?;
    let keys = credentials
        .keys(clock.now())
        .await
        .map_err(|fault| fault.to_string())?;
    let source = &keys.source;
    let client = Client::new(&config.endpoint).map_err(|fault| fault.to_string())?;
    let name = DescribeBlockIgnoreList::NAME;
    let limiter = limits.of(keys.account(), client.endpoint(), name, config.rate);
    let call = firewall::page(config.site, List::Block, 1, 0, None);
    let send = async || {
        let permit = Arc::clone(&limiter).place().await.permit().await;
        client.send(&call, &keys, permit, clock.now()).await
    };
    let told_with = clock.offset();
    let mut reply = send().await;
    if let Verdict::Resign { ahead } = reply.verdict() {
        // As the daemon does: it signs with the cloud's time.
        clock.correct(told_with, ahead);
        reply = send().await;
    }
    let id = reply.request_id.as_deref().unwrap_or("none");
    match reply.body {
        Some(page) => {
            let total = page.total.map_or("?".to_owned(), |total| total.to_string());
            let clock = match clock.offset() - told_with {
                0 => String::new(),
                ahead => {
                    let way = if ahead > 0 { "behind" } else { "ahead of" };
                    let seconds = ahead.unsigned_abs();
                    format!(
                        ". This machine's clock is {seconds} s {way} the cloud's: set it right (calls are signed with the cloud's time meanwhile)"
                    )
                }
            };
            Ok(format!(
                "the keys of {source} are taken; its blocklist has {total} rows{clock}"
            ))
        }
        None => Err(format!(
            "with the keys of {source}, {name} gave {}: {} (RequestId {id})",
            reply.answer.code(),
            reply.answer.message()
        )),
    }
}

fn checked(
    kind: &'static str,
    name: Option<String>,
    found: Result<String, String>,
    duration_ms: u64,
) -> Checked {
    Checked {
        kind,
        name,
        state: if found.is_ok() {
            State::Ok
        } else {
            State::Failed
        },
        text: found.unwrap_or_else(|fault| fault),
        duration_ms,
    }
}

fn ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}
