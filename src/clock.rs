//! The wall clock, read in this file alone. Everything else takes `now` as an argument.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::UnixTime;

/// A wall clock that moves by more than this against the monotonic one has jumped.
const JUMP: Duration = Duration::from_secs(600);

/// A wall clock that lies further than this before something already recorded cannot be right.
const BEHIND: Duration = Duration::from_secs(60);

/// The cloud's clock and ours agree when they are no further apart than this.
const AGREED: i64 = 300;

/// A source of time: the system's clock with what was learned of its error, or one that a test holds.
/// Clones share what they learn.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    held_ms: Option<Arc<AtomicI64>>,
    offset: Arc<AtomicI64>,
    trust: Arc<Mutex<Trust>>,
}

/// Whether the wall clock is believed.
#[derive(Debug, Default)]
struct Trust {
    /// A pair of readings taken together while the clock was believed.
    anchor: Option<(Instant, i64)>,
    /// Why it is not believed.
    doubt: Option<String>,
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
            ..Self::default()
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

    /// Takes up the offset that an earlier run learned. The clock may have been set right since, so it is not believed
    /// before the cloud has spoken again.
    pub fn resume(&self, offset: i64) {
        if offset == 0 {
            return;
        }
        self.offset.store(offset, Ordering::SeqCst);
        self.trust().doubt = Some(format!(
            "an earlier run found this machine's clock off by {offset} s against the cloud's"
        ));
    }

    /// Learns that a time told with the offset `told_with` was `behind` seconds behind the cloud's clock.
    /// Of several calls that were under way together only the first one's word counts. Returns whether this
    /// one's did.
    pub fn correct(&self, told_with: i64, behind: i64) -> bool {
        // Held from before the correction until after it, so that nobody takes it for a jump in between.
        let mut trust = self.trust();
        let corrected = self
            .offset
            .compare_exchange(
                told_with,
                told_with.saturating_add(behind),
                Ordering::SeqCst,
                Ordering::SeqCst,
            )
            .is_ok();
        if corrected && let Some((_, wall)) = &mut trust.anchor {
            // What we changed ourselves is no jump.
            *wall = wall.saturating_add(behind.saturating_mul(1000));
        }
        corrected
    }
}

impl Clock {
    /// Looks whether the wall clock has jumped against the monotonic one since the last look, and says why
    /// it is not believed, where it is not.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        let mut trust = self.trust();
        let (tick, wall) = (Instant::now(), self.now_ms());
        let (before, wall_before) = *trust.anchor.get_or_insert((tick, wall));
        let passed = i64::try_from((tick - before).as_millis()).unwrap_or(i64::MAX);
        let jump = wall.saturating_sub(wall_before).saturating_sub(passed);
        if trust.doubt.is_none() && jump.unsigned_abs() > JUMP.as_millis() as u64 {
            let seconds = jump / 1000;
            trust.doubt = Some(format!("this machine's clock jumped by {seconds} s"));
        }
        if trust.doubt.is_none() {
            trust.anchor = Some((tick, wall));
        }
        trust.doubt.clone()
    }

    /// Doubts a clock that lies before `last_word`, the latest time on record.
    pub fn hold_against(&self, last_word: UnixTime) {
        let behind = last_word.since(self.now());
        if behind > BEHIND {
            let seconds = behind.as_secs();
            self.trust().doubt = Some(format!(
                "this machine's clock lies {seconds} s before the ledger's last word"
            ));
        }
    }

    /// Takes the cloud's word for the time: where it and ours are further apart than five minutes, the
    /// difference is added from now on. Either way the clock is believed again.
    pub fn agree_with(&self, cloud: UnixTime) {
        let ahead = cloud.seconds().saturating_sub(self.now().seconds());
        if ahead.abs() > AGREED {
            self.correct(self.offset(), ahead);
        }
        *self.trust() = Trust {
            anchor: Some((Instant::now(), self.now_ms())),
            doubt: None,
        };
    }

    fn trust(&self) -> std::sync::MutexGuard<'_, Trust> {
        // No code panics while it holds this lock.
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test(start_paused = true)]
    async fn a_jump_is_doubted_until_the_cloud_has_spoken() {
        let at = UnixTime::from_seconds;
        let clock = Clock::held(at(100_000));
        assert_eq!(clock.doubt(), None);
        tokio::time::advance(Duration::from_secs(60)).await;
        clock.set(at(100_060));
        assert_eq!(clock.doubt(), None);
        clock.set(at(100_661));
        let doubt = "this machine's clock jumped by 601 s";
        assert_eq!(clock.doubt().as_deref(), Some(doubt));
        // It stays in doubt even if it jumps back, until somebody else has said what time it is.
        clock.set(at(100_060));
        assert_eq!(clock.doubt().as_deref(), Some(doubt));
        clock.agree_with(at(100_100));
        assert_eq!((clock.doubt(), clock.offset()), (None, 0));
        clock.agree_with(at(103_660));
        assert_eq!((clock.doubt(), clock.now()), (None, at(103_660)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_drift_and_our_own_correction_are_no_jump() {
        let at = UnixTime::from_seconds;
        let clock = Clock::held(at(100_000));
        for hour in 1..50 {
            assert_eq!(clock.doubt(), None);
            tokio::time::advance(Duration::from_secs(3600)).await;
            clock.set(at(100_000 + hour * 3630));
        }
        assert!(clock.correct(0, 7200));
        assert_eq!(clock.doubt(), None);
    }

    #[test]
    fn an_earlier_run_s_offset_counts_until_the_cloud_says_otherwise() {
        let at = UnixTime::from_seconds;
        let clock = Clock::held(at(10_000));
        clock.resume(0);
        assert_eq!(clock.doubt(), None);
        clock.resume(-900);
        assert_eq!(clock.now(), at(9_100));
        assert!(clock.doubt().is_some());
        clock.agree_with(at(9_150));
        assert_eq!((clock.doubt(), clock.offset()), (None, -900));
        // Somebody set it right meanwhile.
        clock.resume(-900);
        clock.agree_with(at(10_000));
        assert_eq!((clock.doubt(), clock.offset()), (None, 0));
    }

    #[test]
    fn a_clock_before_the_ledger_s_last_word_is_doubted() {
        let clock = Clock::held(UnixTime::from_seconds(1000));
        clock.hold_against(UnixTime::from_seconds(1050));
        assert_eq!(clock.doubt(), None);
        clock.hold_against(UnixTime::from_seconds(5000));
        assert!(clock.doubt().is_some());
    }
}
