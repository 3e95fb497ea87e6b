//! What the simulator takes for the time. It never reads the machine's clock itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

type Reading = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Two readings: a wall clock for dates, signatures and EndTimes, and a steady one for the rate windows, so that
/// a jump of the first never looks like a burst of calls.
#[derive(Clone)]
pub struct Clock {
    wall: Reading,
    ticks: Reading,
}

/// A wall clock that stands until it is moved, for tests.
#[derive(Clone, Debug)]
pub struct HeldClock {
    micros: Arc<AtomicU64>,
}

/// One moment, read once a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// The cloud's wall clock in Unix seconds, with whatever skew it was given.
    pub(super) unix: i64,
    /// The wall clock without the skew, for how long a change takes to show.
    pub(super) true_wall: Duration,
    /// Microseconds on the steady clock.
    pub(super) tick_us: u64,
}

impl Clock {
    /// `wall` tells the time since the Unix epoch. The rate windows run on tokio's clock, from now on.
    pub fn new(wall: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let start = Instant::now();
        Self {
            wall: Arc::new(wall),
            ticks: Arc::new(move || start.elapsed()),
        }
    }

    /// The same wall clock with the rate windows on `ticks`, which must never go back.
    #[must_use]
    pub fn with_ticks(self, ticks: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            ticks: Arc::new(ticks),
            ..self
        }
    }

    pub(super) fn read(&self, skew_seconds: i64) -> Moment {
        let true_wall = (self.wall)();
        let seconds = i64::try_from(true_wall.as_secs()).unwrap_or(i64::MAX);
        Moment {
            unix: seconds.saturating_add(skew_seconds),
            true_wall,
            tick_us: self.tick_us(),
        }
    }

    /// Microseconds on the steady clock.
    pub(super) fn tick_us(&self) -> u64 {
        micros((self.ticks)())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Clock").finish_non_exhaustive()
    }
}

impl HeldClock {
    /// A clock that stands at `unix` seconds.
    #[must_use]
    pub fn new(unix: u64) -> Self {
        Self {
            micros: Arc::new(AtomicU64::new(unix.saturating_mul(1_000_000))),
        }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.micros.fetch_add(micros(by), Ordering::SeqCst);
    }

    /// Where the clock stands, in whole Unix seconds.
    #[must_use]
    pub fn unix(&self) -> u64 {
        self.micros.load(Ordering::SeqCst) / 1_000_000
    }

    /// The clock to start a simulator with; its rate windows still run on tokio's clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let micros = Arc::clone(&self.micros);
        Clock::new(move || Duration::from_micros(micros.load(Ordering::SeqCst)))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
