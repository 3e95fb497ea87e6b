//! The pace: one call every `0.8 / rate` seconds, burst 1, on tokio's clock.
//!
//! The slots keep the rule; the pace only spreads what would otherwise go in one burst. At the full `1 / rate` it would cost
//! rate as well: a slot that comes free right after another waits for the pace, and that wait is lost. Over
//! 60 to 160 ms of round trip, 20 slots gave 17.6 calls a second at 50 ms, and 17.8 at 40 ms.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// governor's own clocks do not see tokio's paused time.
#[derive(Clone, Debug)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Spreads calls, at a rate that may change from one to the next.
#[derive(Debug)]
pub(super) struct Pacer {
    rate: u32,
    clock: TokioClock,
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
}

impl Pacer {
    pub(super) fn new(rate: u32) -> Self {
        let start = Instant::now();
        let clock = TokioClock { start };
        let limiter = RateLimiter::direct_with_clock(quota(rate), clock.clone());
        Self {
            rate,
            clock,
            limiter,
        }
    }

    /// Lets one call go at `rate`.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub(super) fn check(&mut self, rate: u32) -> Result<(), Duration> {
        if rate != self.rate {
            *self = Self::new(rate);
            // A fresh pacer knows no last call; let this be it, or each change of rate would let one go early.
            let _ = self.limiter.check();
        }
        self.limiter
            .check()
            .map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

fn quota(rate: u32) -> Quota {
    let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_millis(800) / rate.get();
    Quota::with_period(period)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_call_a_period_also_when_the_rate_changes() {
        let mut pacer = Pacer::new(20);
        let millis = Duration::from_millis;
        assert_eq!(pacer.check(20), Ok(()));
        assert_eq!(pacer.check(20), Err(millis(40)));
        assert_eq!(pacer.check(10), Err(millis(80)));
        tokio::time::advance(millis(80)).await;
        assert_eq!(pacer.check(10), Ok(()));
        // Time that was not used is not saved up.
        tokio::time::advance(millis(5_000)).await;
        assert_eq!(pacer.check(10), Ok(()));
        assert_eq!(pacer.check(10), Err(millis(80)));
    }
}
