//! The watch over the clock, while which is not believed nothing is polled, planned or sent; and the hourly
//! housekeeping of the ledger.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::firewall;
use crate::ledger::Swept;
use crate::model::List;

use super::pulse::{CALLING, WORKING};
use super::{Session, sleep};

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The name of this loop's promise: whoever takes turns with the ledger is not stuck.
const LEDGER: &str = "the ledger";

/// How often the ledger is swept.
const SWEEP: Duration = Duration::from_secs(3600);

pub(super) async fn run(session: Arc<Session>, cancel: CancellationToken) -> anyhow::Result<()> {
    let mut swept = tokio::time::Instant::now();
    session.pulse.promise(LEDGER, CALLING);
    loop {
        // A ledger that others hold for long is no reason to end, but one to be heard of.
        if session.ctx.ledger.probe().await.is_ok() {
            session.pulse.promise(LEDGER, CALLING);
        }
        if swept.elapsed() >= SWEEP && session.ctx.clock.doubt().is_none() {
            session.pulse.promise(LEDGER, WORKING);
            sweep(&session).await?;
            swept = tokio::time::Instant::now();
        }
        if let Some(doubt) = session.ctx.clock.doubt() {
            tracing::error!(
                "{doubt}; nothing is polled or sent until the cloud has said what time it is"
            );
            session.ctx.ledger.tell_clock(Some(&doubt)).await?;
            session.pulse.promise(LEDGER, CALLING);
            ask_the_cloud(&session).await;
        }
        if session.ctx.clock.doubt().is_none() {
            session.ctx.ledger.tell_clock(None).await?;
            let offset = session.ctx.clock.offset();
            session.ctx.ledger.remember_clock_offset(offset).await?;
        }
        if !sleep(&cancel, LOOK).await {
            return Ok(());
        }
    }
}

/// Takes away what has been dead for `keep_history`.
pub(super) async fn sweep(session: &Session) -> anyhow::Result<()> {
    let now = session.ctx.clock.now();
    let keep = session.config.ledger.keep_history;
    let swept = session.ctx.ledger.sweep(now, keep).await?;
    if swept != Swept::default() {
        tracing::info!(
            listings = swept.listings,
            calls = swept.calls,
            feeds = swept.feeds,
            firewalls = swept.firewalls,
            bytes = swept.bytes,
            "swept what was long dead"
        );
    }
    Ok(())
}

/// Asks each firewall in turn for one row of its list, and takes the time from the first answer's `Date`.
pub(super) async fn ask_the_cloud(session: &Session) {
    for link in &session.links {
        session.pulse.promise(LEDGER, CALLING);
        let call = firewall::page(link.config.site, List::Block, 1, 0, None);
        let date = match link.ask(&session.ctx, &call).await {
            Ok((reply, _)) => reply.date,
            Err(_) => None,
        };
        if let Some(date) = date {
            session.ctx.clock.agree_with(date);
            tracing::warn!(
                firewall = %link.config.name,
                seconds = session.ctx.clock.offset(),
                "the cloud has said what time it is; this is added to this machine's clock"
            );
            return;
        }
    }
}

/// Waits while the clock is not believed. `false` where it was cancelled meanwhile.
pub(super) async fn believed(session: &Session, cancel: &CancellationToken) -> bool {
    while session.ctx.clock.doubt().is_some() {
        if !sleep(cancel, Duration::from_secs(1)).await {
            return false;
        }
    }
    true
}
