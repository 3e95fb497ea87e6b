//! The wall clock, read in this file alone. Everything else takes `now` as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::UnixTime;

/// A source of time: the system's clock with what was learned of its error, or one that a test holds.
/// Clones share what they learn.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    held_ms: Option<Arc<AtomicI64>>,
    offset: Arc<AtomicI64>,
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
            offset: Arc::default(),
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
        let wall = match &self.held_ms {
            Some(held) => held.load(Ordering::SeqCst),
            None => system_ms(),
        };
        wall.saturating_add(self.offset().saturating_mul(1000))
    }

    /// Seconds that are added to the wall clock.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.offset.load(Ordering::SeqCst)
    }

    /// Learns that a time told with the offset `told_with` was `behind` seconds behind the cloud's clock.
    /// Of several calls that were under way together only the first one's word counts. Returns whether this
    /// one's did.
    pub fn correct(&self, told_with: i64, behind: i64) -> bool {
        self.offset
            .compare_exchange(
                told_with,
                told_with.saturating_add(behind),
                Ordering::SeqCst,
                Ordering::SeqCst,
            )
            .is_ok()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
fn system_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_counts_once_for_calls_under_way_together() {
        let clock = Clock::held(UnixTime::from_seconds(1000));
        assert!(clock.correct(0, 600));
        assert!(!clock.correct(0, 600));
        assert_eq!(clock.now(), UnixTime::from_seconds(1600));
        assert!(clock.correct(600, -10));
        assert_eq!(clock.now(), UnixTime::from_seconds(1590));
    }
}
