//! Which slots are taken, and until when. Pure: `now` is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// The slots in use: held by a call, or cooling until their second is over.
#[derive(Debug, Default)]
pub(super) struct Window {
    held: usize,
    /// When each cooling slot comes free, earliest first.
    cooling: Vec<Instant>,
    quiet_until: Option<Instant>,
}

impl Window {
    /// Takes one of `rate` slots that is free, or will be within `ahead`, and says from when it may be used.
    ///
    /// # Errors
    /// The moment at which to ask again, `None` where only a release can help.
    pub(super) fn take(
        &mut self,
        now: Instant,
        rate: u32,
        ahead: Duration,
    ) -> Result<Instant, Option<Instant>> {
        self.cooling.retain(|free| *free > now);
        let opening = self.quiet_until.unwrap_or(now).max(now);
        if opening > now + ahead {
            return Err(Some(opening - ahead));
        }
        let slots = usize::try_from(rate).unwrap_or(usize::MAX);
        let in_use = self.held + self.cooling.len();
        if in_use < slots {
            self.held += 1;
            return Ok(opening);
        }
        // After a slowing, more than `slots` are in use; the surplus must come free first.
        let surplus = in_use - slots;
        let free = *self.cooling.get(surplus).ok_or(None)?;
        if free > now + ahead {
            return Err(Some(free - ahead));
        }
        self.cooling.remove(surplus);
        self.held += 1;
        Ok(free.max(opening))
    }

    /// Gives a held slot back; it is free from `free` on.
    pub(super) fn release(&mut self, now: Instant, free: Instant) {
        self.held = self.held.saturating_sub(1);
        if free > now {
            let at = self.cooling.partition_point(|other| *other <= free);
            self.cooling.insert(at, free);
        }
    }

    #[cfg(test)]
    pub(super) fn cooling(&self, now: Instant) -> Vec<Duration> {
        self.cooling.iter().map(|free| *free - now).collect()
    }

    /// Lets nothing be used before `until`.
    pub(super) fn keep_quiet(&mut self, until: Instant) {
        self.quiet_until = self.quiet_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_slowing_the_surplus_comes_free_first() {
        let now = Instant::now();
        let at = |millis| now + Duration::from_millis(millis);
        let mut window = Window::default();
        for _ in 0..3 {
            assert_eq!(window.take(now, 3, Duration::ZERO), Ok(now));
        }
        assert_eq!(window.take(now, 3, Duration::ZERO), Err(None));
        for free in [300, 100, 200] {
            window.release(now, at(free));
        }
        assert_eq!(window.take(now, 3, Duration::ZERO), Err(Some(at(100))));
        assert_eq!(window.take(now, 2, Duration::ZERO), Err(Some(at(200))));
        assert_eq!(window.take(now, 1, Duration::ZERO), Err(Some(at(300))));
        assert_eq!(
            window.take(at(250), 1, Duration::from_millis(50)),
            Ok(at(300))
        );
        assert_eq!(window.take(at(400), 1, Duration::ZERO), Err(None));
    }
}
