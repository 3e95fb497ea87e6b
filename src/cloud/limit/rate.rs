//! How many calls a second at present: the configured rate, less after a rate error. Pure: `now` is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// One call a second comes back after each of these.
const STEP: Duration = Duration::from_secs(5);

/// Rate errors this soon after a halving answer calls that were under way before it.
const SAME_CROWD: Duration = Duration::from_secs(2);

/// How long a limit that the cloud named below the configured one is believed.
const BELIEVED: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug)]
pub(super) struct Rate {
    configured: u32,
    learned: Option<Mark>,
    slowed: Option<Mark>,
}

/// A rate, and when it was set.
#[derive(Clone, Copy, Debug)]
struct Mark {
    rate: u32,
    at: Instant,
}

impl Rate {
    pub(super) fn new(configured: u32) -> Self {
        Self {
            configured,
            learned: None,
            slowed: None,
        }
    }

    pub(super) fn configured(&self) -> u32 {
        self.configured
    }

    /// Calls a second at `now`, at least 1.
    pub(super) fn at(&self, now: Instant) -> u32 {
        let ceiling = self.ceiling(now);
        let Some(slowed) = self.slowed else {
            return ceiling;
        };
        let steps = now.duration_since(slowed.at).as_secs() / STEP.as_secs();
        let back = u32::try_from(steps).unwrap_or(u32::MAX);
        slowed.rate.saturating_add(back).min(ceiling)
    }

    /// When the rate next rises by itself.
    pub(super) fn next_step(&self, now: Instant) -> Option<Instant> {
        let slowed = self.slowed.filter(|_| self.at(now) < self.ceiling(now));
        let step = slowed.map(|mark| {
            let past = now.duration_since(mark.at).as_secs() / STEP.as_secs();
            mark.at + Duration::from_secs((past + 1) * STEP.as_secs())
        });
        let forgotten = self
            .learned
            .map(|mark| mark.at + BELIEVED)
            .filter(|end| *end > now);
        step.into_iter().chain(forgotten).min()
    }

    /// Halves the rate, and believes a lower limit that the cloud named.
    pub(super) fn slow_down(&mut self, now: Instant, observed: Option<u32>) {
        let before = self.at(now);
        if let Some(rate) = observed.filter(|limit| (1..self.configured).contains(limit)) {
            self.learned = Some(Mark { rate, at: now });
        }
        let same_crowd = |mark: Mark| now.duration_since(mark.at) < SAME_CROWD;
        if !self.slowed.is_some_and(same_crowd) {
            let rate = (before / 2).max(1);
            self.slowed = Some(Mark { rate, at: now });
        }
    }

    /// Lowers the configured rate to `rate`.
    pub(super) fn at_most(&mut self, rate: u32) {
        self.configured = self.configured.min(rate);
    }

    fn ceiling(&self, now: Instant) -> u32 {
        self.learned
            .filter(|mark| now.duration_since(mark.at) < BELIEVED)
            .map_or(self.configured, |mark| mark.rate.min(self.configured))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_error_halves_and_the_rate_comes_back_step_by_step() {
        let start = Instant::now();
        let mut rate = Rate::new(20);
        assert_eq!((rate.at(start), rate.next_step(start)), (20, None));

        rate.slow_down(start, Some(20));
        rate.slow_down(after(start, 1), Some(20));
        assert_eq!(rate.at(after(start, 1)), 10);
        assert_eq!(rate.next_step(after(start, 1)), Some(after(start, 5)));
        assert_eq!(rate.at(after(start, 5)), 11);
        assert_eq!(rate.next_step(after(start, 5)), Some(after(start, 10)));

        rate.slow_down(after(start, 10), None);
        assert_eq!(rate.at(after(start, 10)), 6);
        assert_eq!(rate.at(after(start, 10 + 14 * 5)), 20);
        assert_eq!(rate.next_step(after(start, 10 + 14 * 5)), None);
    }

    #[test]
    fn a_lower_limit_is_believed_for_a_day() {
        let start = Instant::now();
        let mut rate = Rate::new(20);
        rate.slow_down(start, Some(8));
        assert_eq!(rate.at(start), 8);
        assert_eq!(rate.at(after(start, 3_600)), 8);
        assert_eq!(
            rate.next_step(after(start, 3_600)),
            Some(after(start, 86_400))
        );
        assert_eq!(rate.at(after(start, 86_400)), 20);
    }

    #[test]
    fn it_never_stops_and_never_rises_above_the_config() {
        let start = Instant::now();
        let mut rate = Rate::new(3);
        for error in 0..10 {
            rate.slow_down(after(start, error * 2), Some(0));
            assert!(rate.at(after(start, error * 2)) >= 1);
        }
        rate.slow_down(after(start, 100), Some(50));
        assert_eq!(rate.at(after(start, 10_000)), 3);
    }
}
