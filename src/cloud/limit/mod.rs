//! The rate guarantee: never more than `rate` calls in any sliding second, as the server sees them arrive.
//!
//! A pace alone cannot promise that, because the network bunches what was sent apart. So there are `rate` *slots*.
//! A slot is taken before a call is sent and comes free one second after its answer: the call had arrived by the
//! time it was answered, and the slot's next call cannot arrive before it is sent, so two arrivals of one slot
//! are more than a second apart whatever the network does. A pace (burst 1) spreads what would otherwise empty all slots
//! at once. The price is the round trip: `rate / (1 + round trip)` calls a second.
//!
//! The order of a call, each step once:
//!
//! ```text
//! let place = limiter.place().await;      // a slot is ours, or will be within AHEAD
//! …write the call to the ledger…          // the slot's last moments pay for the disk
//! let permit = place.permit().await;      // now: send at once, with nothing in between
//! client.send(&call, &keys, permit, now)  // ends the permit by what became of the call
//! ```

mod pace;
mod rate;
mod registry;
mod window;

#[cfg(test)]
mod tests;

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub use registry::Limits;

use pace::Pacer;
use rate::Rate;
use window::Window;

/// The vendor's limit for every call that this program makes, in calls a second; no limiter goes above it.
pub const MAX_RATE: u32 = 20;

/// How long after our side gave a call up it may still arrive.
///
/// The client sets `TCP_USER_TIMEOUT` to a second less: by then the kernel has stopped sending what nobody acknowledged,
/// even for a process that is dead, and the second is for what is still in the wires.
pub const LATE: Duration = Duration::from_secs(5);

/// How long after an answer a slot comes free: a second, and what two clocks may differ in one.
const COOLING: Duration = Duration::from_millis(1_005);

/// How early a slot is promised before it is free, so that writing the call to disk costs no rate: a disk that others
/// keep busy takes a tenth of a second.
const AHEAD: Duration = Duration::from_millis(150);

/// The longest that a call can lie between the ledger's word of it and its sending: [`MAX_RATE`] of them, one a second.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Lets calls of one (account, endpoint, action) go, never more than its rate in any second at the server.
#[derive(Debug)]
pub struct Limiter {
    /// Held by the one caller that is next to get a place; the lock is fair, so places go in the order of asking.
    door: tokio::sync::Mutex<()>,
    /// Held by the one place-holder that is next to be let go.
    line: tokio::sync::Mutex<()>,
    freed: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: Rate,
    window: Window,
    pacer: Pacer,
}

/// A slot that is taken for one call that has not been sent. Dropped, it goes back unused.
#[derive(Debug)]
#[must_use = "a place that is dropped goes back unused"]
pub struct Place(Slot);

/// Leave to send one call, now.
///
/// Whoever sends says how it ended; a permit that is dropped counts as [`lost`](Self::lost), which is safe and slow.
#[derive(Debug)]
#[must_use = "a permit that is dropped holds its slot as long as a lost call"]
pub struct Permit(Slot);

#[derive(Debug)]
struct Slot {
    limiter: Arc<Limiter>,
    end: End,
}

/// When a slot comes free, if it were dropped now.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Nothing was sent; what the slot's last call still claims stays.
    Unused { free: Instant },
    /// The other side has said its last word.
    Answered,
    /// Nobody knows.
    Lost,
}

/// What the journal knows of the calls of the process before this one, as an age in whole seconds
/// ([`UnixTime::since`](crate::model::UnixTime::since)); the limiter adds the second that such an age may be short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predecessor {
    /// Every call has its answer, the last of them this long ago.
    Answered(Duration),
    /// At least one call has no answer; the last such was written to the ledger this long ago.
    Unanswered(Duration),
}

impl Limiter {
    /// A limiter for `rate` calls a second, brought into 1 to [`MAX_RATE`].
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let rate = Rate::new(rate.clamp(1, MAX_RATE));
        let state = State {
            pacer: Pacer::new(rate.configured()),
            window: Window::default(),
            rate,
        };
        Self {
            door: tokio::sync::Mutex::new(()),
            line: tokio::sync::Mutex::new(()),
            freed: Notify::new(),
            state: Mutex::new(state),
        }
    }

    /// Waits for a slot. Places go in the order in which they were asked for.
    pub async fn place(self: &Arc<Self>) -> Place {
        let _door = self.door.lock().await;
        loop {
            let now = Instant::now();
            let taken = self.state().take(now);
            let again = match taken {
                Ok(free) => {
                    let limiter = Arc::clone(self);
                    let end = End::Unused { free };
                    return Place(Slot { limiter, end });
                }
                Err(again) => again,
            };
            tokio::select! {
                () = self.freed.notified() => {}
                () = until(again) => {}
            }
        }
    }

    /// Halves the rate after a rate error; it returns by one call a second every five seconds.
    ///
    /// `observed` is the limit that the cloud's message named: one below the configured rate is the ceiling for a day.
    /// Errors within two seconds of a halving are of the same crowd and halve nothing.
    pub fn slow_down(&self, observed: Option<u32>) {
        self.state().rate.slow_down(Instant::now(), observed);
    }

    /// Calls a second that are let go at present.
    #[must_use]
    pub fn current_rate(&self) -> u32 {
        self.state().rate.at(Instant::now())
    }

    /// Calls a second by the config, which the rate returns to.
    #[must_use]
    pub fn configured_rate(&self) -> u32 {
        self.state().rate.configured()
    }

    /// Keeps quiet until no call of the process before this one can share a second with one of ours. To be called
    /// before the first place is asked for.
    ///
    /// The caller holds the ledger's lock, so that process is dead; what it left in the kernel's buffers may still arrive
    /// for as long as [`LATE`] from now.
    pub fn resume_after(&self, predecessor: Predecessor) {
        let tick = Duration::from_secs(1);
        let quiet = match predecessor {
            Predecessor::Answered(age) => (COOLING + tick).saturating_sub(age),
            Predecessor::Unanswered(age) => (LONGEST_WAIT + LATE + COOLING + tick)
                .saturating_sub(age)
                .min(LATE + COOLING),
        };
        let until = Instant::now() + quiet;
        self.state().window.keep_quiet(until);
    }

    /// Lowers the configured rate: of two that share a limit, the more careful one counts.
    fn at_most(&self, rate: u32) {
        self.state().rate.at_most(rate.clamp(1, MAX_RATE));
    }

    /// For how long each slot that nobody holds stays taken, shortest first.
    #[cfg(test)]
    pub(super) fn cooling(&self) -> Vec<Duration> {
        self.state().window.cooling(Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, and each change under it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The moment from which a newly taken slot may be used, or when to ask again (`None`: when one is freed).
    fn take(&mut self, now: Instant) -> Result<Instant, Option<Instant>> {
        let rate = self.rate.at(now);
        self.window.take(now, rate, AHEAD).map_err(|again| {
            let faster = self.rate.next_step(now);
            again.into_iter().chain(faster).min()
        })
    }
}

impl Place {
    /// Waits until the slot is free and the pace allows it, in the order of asking. Send at once when this returns.
    pub async fn permit(mut self) -> Permit {
        if let End::Unused { free } = self.0.end {
            sleep_until(free).await;
        }
        self.0.wait_for_the_pace().await;
        self.0.end = End::Lost;
        Permit(self.0)
    }
}

impl Permit {
    /// The other side has answered, if only in part. Free in a second.
    pub fn answered(mut self) {
        self.0.end = End::Answered;
    }

    /// No answer came, whoever closed the connection, and the call may still be on its way. Free a second after [`LATE`].
    pub fn lost(self) {}

    /// Not a byte was sent. Free at once; the pace stays as if it had been.
    pub fn unsent(mut self) {
        let free = Instant::now();
        self.0.end = End::Unused { free };
    }
}

impl Slot {
    async fn wait_for_the_pace(&self) {
        let _line = self.limiter.line.lock().await;
        loop {
            let now = Instant::now();
            let checked = {
                let mut state = self.limiter.state();
                let rate = state.rate.at(now);
                state.pacer.check(rate)
            };
            match checked {
                Ok(()) => return,
                Err(wait) => sleep_until(now + wait).await,
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let now = Instant::now();
        let free = match self.end {
            End::Unused { free } => free,
            End::Answered => now + COOLING,
            End::Lost => now + LATE + COOLING,
        };
        self.limiter.state().window.release(now, free);
        self.limiter.freed.notify_one();
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
