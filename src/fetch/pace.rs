//! Holds a body to a least throughput. A time-out between two reads would miss a server that sends a byte now and then.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, timeout};

use super::{FetchError, Limits, trouble};

/// Counts bytes over stretches of time spent waiting for the network; the time that the disk takes does not count.
pub(super) struct Pace {
    stretch: Duration,
    least: u64,
    waited: Duration,
    got: u64,
    total: u64,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            stretch: limits.stretch,
            least: limits.least,
            waited: Duration::ZERO,
            got: 0,
            total: 0,
        }
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn next(
        &mut self,
        response: &mut Response,
        what: &str,
    ) -> Result<Option<Bytes>, FetchError> {
        loop {
            let began = Instant::now();
            let left = self.stretch.saturating_sub(self.waited);
            let piece = timeout(left, response.chunk()).await;
            self.waited = self.waited.saturating_add(began.elapsed());
            match piece {
                Ok(Ok(None)) => return Ok(None),
                Ok(Ok(Some(bytes))) => {
                    self.got = self.got.saturating_add(bytes.len() as u64);
                    self.total = self.total.saturating_add(bytes.len() as u64);
                    self.judge(what)?;
                    return Ok(Some(bytes));
                }
                Ok(Err(error)) => {
                    return Err(FetchError::Cut {
                        what: what.to_owned(),
                        got: self.total,
                        reason: trouble::innermost(&error),
                    });
                }
                Err(_) => self.judge(what)?,
            }
        }
    }

    fn judge(&mut self, what: &str) -> Result<(), FetchError> {
        if self.waited < self.stretch {
            return Ok(());
        }
        if self.got < self.least {
            return Err(FetchError::Slow {
                what: what.to_owned(),
                got: self.got,
                stretch: self.stretch,
                least: self.least,
            });
        }
        self.waited = Duration::ZERO;
        self.got = 0;
        Ok(())
    }
}
