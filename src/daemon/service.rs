//! What systemd is told: that the daemon is ready, reloads, stops, how it is, and, again and again, that it lives.
//!
//! Where nobody asked to be told (`NOTIFY_SOCKET` is not set) nothing is sent. The watchdog is fed only while every loop
//! keeps its promise ([`Pulse`]): polls, sends to each firewall, and the ledger.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::ledger::{DaemonLock, Ledger};
use crate::stage::Context;
use crate::status::line::line;
use crate::status::report::Report;

use super::Pulse;

/// How often the status line is made anew.
const STATUS: Duration = Duration::from_secs(20);

/// Whoever started this process and wants to hear of it.
#[derive(Debug)]
pub struct Service {
    /// How long it waits for a sign of life, where it waits.
    watchdog: Option<Duration>,
}

/// Those whose promises are known to be broken.
#[derive(Debug, Default)]
struct Stuck(Vec<String>);

impl Service {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`; see sd_notify(3).
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            watchdog: sd_notify::watchdog_enabled(),
        }
    }

    /// A config is in force, and everything runs by it.
    pub fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The config is being read again; [`Service::ready`] ends it.
    pub fn reloading(&self) {
        let status = NotifyState::Status("reading the config again");
        match NotifyState::monotonic_usec_now() {
            Ok(since) => tell(&[NotifyState::Reloading, since, status]),
            Err(_) => tell(&[NotifyState::Reloading, status]),
        }
    }

    /// It has been asked to end.
    pub fn stopping(&self) {
        let status = NotifyState::Status("waiting for the answers of calls under way");
        tell(&[NotifyState::Stopping, status]);
    }

    /// Tells how it is and that it lives, for as long as it is polled.
    pub async fn attend(&self, ctx: &Context, pulse: &Pulse) {
        let mut said = String::new();
        let mut stuck = Stuck::default();
        let mut status = tokio::time::interval(STATUS);
        // Twice in the time that is waited, as sd_watchdog_enabled(3) advises, and once more.
        let every = self
            .watchdog
            .map_or(STATUS, |wait| wait / 3)
            .max(Duration::from_millis(10));
        let mut beat = tokio::time::interval(every);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    if stuck.look(pulse) && self.watchdog.is_some() {
                        tell(&[NotifyState::Watchdog]);
                    }
                }
                _ = status.tick() => {
                    let text = how_it_is(&ctx.ledger, ctx).await;
                    if text != said {
                        tell(&[NotifyState::Status(&text)]);
                        said = text;
                    }
                }
            }
        }
    }
}

impl Stuck {
    /// Whether everything moves. Who begins or ceases to be stuck is logged once.
    fn look(&mut self, pulse: &Pulse) -> bool {
        let overdue = pulse.overdue();
        for (who, late) in &overdue {
            if !self.0.contains(who) {
                let seconds = late.as_secs();
                tracing::error!(
                    who,
                    seconds,
                    "{who} gave no sign of life in time: the watchdog is not fed until it moves again"
                );
            }
        }
        for who in &self.0 {
            if !overdue.iter().any(|(late, _)| late == who) {
                tracing::warn!(who, "{who} moves again");
            }
        }
        self.0 = overdue.into_iter().map(|(who, _)| who).collect();
        self.0.is_empty()
    }
}

/// One line for `systemctl status`.
async fn how_it_is(ledger: &Ledger, ctx: &Context) -> String {
    let running = DaemonLock::is_held(ledger.path());
    match Report::gather(ledger, None, running, ctx.clock.now()).await {
        Ok(report) => line(&report),
        Err(fault) => fault.to_string(),
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(states) {
        tracing::debug!(%fault, "the service manager could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_starves_while_anything_is_stuck() {
        let (pulse, mut stuck) = (Pulse::default(), Stuck::default());
        let minute = Duration::from_secs(60);
        pulse.promise("polls", minute);
        pulse.promise("the ledger", minute);
        assert!(stuck.look(&pulse));
        tokio::time::advance(minute / 2).await;
        pulse.promise("the ledger", minute);
        assert!(stuck.look(&pulse));
        tokio::time::advance(minute * 2 / 3).await;
        assert!(!stuck.look(&pulse) && !stuck.look(&pulse));
        assert_eq!(stuck.0, ["polls"]);
        pulse.promise("polls", minute);
        assert!(stuck.look(&pulse));
    }
}
