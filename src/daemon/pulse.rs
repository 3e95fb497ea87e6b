//! Whether everything in the daemon still moves. Each loop promises its next sign of life; one that breaks its promise
//! is stuck, and whoever watches (systemd's watchdog, `/healthz`) is told.
//!
//! A promise is as long as the slowest thing that may rightly happen before the next sign, so that what is slow is
//! not taken for dead.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// What a loop waits for when it only looks whether there is something to do: longer than the ledger's busy timeout.
pub(super) const LOOKING: Duration = Duration::from_secs(60);

/// One call with its permit, its rests and its answer, or none; and a turn at the ledger, behind a large feed that is being
/// recorded.
pub(super) const CALLING: Duration = Duration::from_secs(300);

/// Whatever is done to the whole ledger at once: planning, recording a large feed, sweeping.
pub(super) const WORKING: Duration = Duration::from_secs(900);

/// The promises of the loops.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Until when each will have given its next sign.
    promises: Mutex<BTreeMap<String, Instant>>,
}

impl Pulse {
    /// A sign of life of `who`, and the promise of the next one `within` that time.
    pub(super) fn promise(&self, who: &str, within: Duration) {
        let until = Instant::now() + within;
        let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        match promises.get_mut(who) {
            Some(promise) => *promise = until,
            None => drop(promises.insert(who.to_owned(), until)),
        }
    }

    /// Nothing is promised any more, until the next promise.
    pub(super) fn rest(&self, who: &str) {
        let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        promises.remove(who);
    }

    /// Waits for `work`, of which each move of `progress` is a sign of life.
    pub(super) async fn during<T, P>(
        &self,
        who: &str,
        mut progress: watch::Receiver<P>,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(work);
        loop {
            self.promise(who, CALLING);
            tokio::select! {
                done = &mut work => return done,
                Ok(()) = progress.changed() => {}
            }
        }
    }

    /// Who has broken a promise, and by how much.
    #[must_use]
    pub fn overdue(&self) -> Vec<(String, Duration)> {
        let now = Instant::now();
        let promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        let late = promises.iter().filter(|(_, until)| **until < now);
        late.map(|(who, until)| (who.clone(), now - *until))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::daemon::service::Service;
    use crate::status::testing::Fixture;

    /// The name of [`a_process_with_a_loop_that_is_stuck_for_a_while`] among the tests.
    const CHILD: &str = "daemon::pulse::tests::a_process_with_a_loop_that_is_stuck_for_a_while";

    /// How often the watchdog is fed, and how long the loop moves, is stuck, and moves again.
    const BEAT: Duration = Duration::from_millis(200);
    const STUCK: Duration = Duration::from_secs(2);

    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            // It may have ended already, which is as good.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// What the service manager hears of a real process: beats while all loops move, none while one of two is stuck
    /// though the other moves, and beats again.
    #[test]
    fn the_watchdog_hears_nothing_while_one_loop_is_stuck() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([CHILD, "--exact", "--ignored"])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", (BEAT * 3).as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let _child = Killed(child.unwrap());
        // What came, in its order: beats, and what the process says of its loop.
        let mut heard: Vec<String> = Vec::new();
        let mut datagram = [0; 4096];
        while heard.last().is_none_or(|last| last != "STATUS=end") {
            let length = manager.recv(&mut datagram).unwrap();
            let text = String::from_utf8_lossy(&datagram[..length]);
            heard.extend(text.lines().map(str::to_owned));
        }
        let spans: Vec<usize> = heard
            .split(|line| ["STATUS=stuck", "STATUS=moves", "STATUS=end"].contains(&line.as_str()))
            .map(|span| span.iter().filter(|line| *line == "WATCHDOG=1").count())
            .collect();
        assert!(
            matches!(spans[..], [before, 0, after, 0] if before > 1 && after > 1),
            "moving, stuck, moving: {spans:?}\n{heard:#?}"
        );
    }

    /// The process of the test above, which alone starts it.
    #[tokio::test]
    #[ignore = "is a part of the_watchdog_hears_nothing_while_one_loop_is_stuck, which starts it"]
    async fn a_process_with_a_loop_that_is_stuck_for_a_while() {
        let say = |word: &str| sd_notify::notify(&[sd_notify::NotifyState::Status(word)]).unwrap();
        let fixture = Fixture::new().await;
        let (ctx, pulse) = (fixture.ctx(), Pulse::default());
        let service = Service::of_this_process();
        let loops = async {
            let moves = async |polls: bool, span: Duration| {
                let end = Instant::now() + span;
                while Instant::now() < end {
                    pulse.promise("the ledger", LOOKING);
                    if polls {
                        pulse.promise("polls", LOOKING);
                    }
                    tokio::time::sleep(BEAT / 4).await;
                }
            };
            moves(true, STUCK).await;
            pulse.promise("polls", Duration::ZERO);
            tokio::time::sleep(Duration::from_millis(2)).await;
            say("stuck");
            moves(false, STUCK).await;
            say("moves");
            moves(true, STUCK).await;
            say("end");
        };
        tokio::select! {
            () = loops => {}
            () = service.attend(&ctx, &pulse) => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_stuck_is_found_among_those_that_move() {
        let pulse = Pulse::default();
        pulse.promise("polls", Duration::from_secs(10));
        for _ in 0..4 {
            pulse.promise("ledger", Duration::from_secs(5));
            tokio::time::advance(Duration::from_secs(3)).await;
        }
        assert_eq!(
            pulse.overdue(),
            [("polls".to_owned(), Duration::from_secs(2))]
        );
        pulse.promise("polls", Duration::from_secs(10));
        assert!(pulse.overdue().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn long_work_lives_while_it_moves_and_no_longer() {
        let pulse = std::sync::Arc::new(Pulse::default());
        let progress = watch::Sender::new(0);
        let (seen, moved) = (std::sync::Arc::clone(&pulse), progress.subscribe());
        let work = tokio::spawn(async move {
            seen.during("sends", moved, std::future::pending::<()>())
                .await
        });
        for call in 1..=5 {
            tokio::time::sleep(CALLING / 2).await;
            assert!(pulse.overdue().is_empty(), "after {call} halves");
            progress.send_replace(call);
        }
        tokio::time::sleep(CALLING + Duration::from_secs(1)).await;
        assert_eq!(pulse.overdue().len(), 1);
        work.abort();
    }
}
