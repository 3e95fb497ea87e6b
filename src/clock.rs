//! The wall clock, read in this file alone. Everything else takes `now` as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::UnixTime;

/// A source of time: the system's clock, or one that a test holds in its hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    held_ms: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `at` until [`Clock::set`] moves it.
    #[must_use]
    pub fn held(at: UnixTime) -> Self {
        let ms = at.seconds().saturating_mul(1000);
        Self {
            held_ms: Some(Arc::new(AtomicI64::new(ms))),
        }
    }

    /// Moves a held clock; the system's stays as it is.
    pub fn set(&self, at: UnixTime) {
        if let Some(held) = &self.held_ms {
            held.store(at.seconds().saturating_mul(1000), Ordering::SeqCst);
        }
    }

    /// Now, in whole seconds.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        UnixTime::from_seconds(self.now_ms().div_euclid(1000))
    }

    /// Now, in Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &self.held_ms {
            Some(held) => held.load(Ordering::SeqCst),
            None => system_ms(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
fn system_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
