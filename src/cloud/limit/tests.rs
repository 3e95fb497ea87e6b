//! The guarantee, against a server that only notes when calls arrive. Time is paused, so a minute costs milliseconds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::*;

/// What lies between us and the server, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Network {
    /// Least and most of the way there.
    there: (u64, u64),
    /// Least and most of the way back, with the server's own work.
    back: (u64, u64),
    /// Least and most of writing the call to the ledger.
    journal: (u64, u64),
    /// Of a hundred calls, how many get no answer.
    lost: u64,
    /// Of a hundred calls, how many never leave.
    unsent: u64,
}

const LOOPBACK: Network = Network {
    there: (0, 1),
    back: (0, 1),
    journal: (1, 8),
    lost: 0,
    unsent: 0,
};

const FAR_AND_UNEVEN: Network = Network {
    there: (30, 130),
    back: (30, 30),
    journal: (1, 8),
    lost: 0,
    unsent: 0,
};

/// How long a caller waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_secs(3);

type Arrivals = Arc<Mutex<Vec<Instant>>>;

/// Calls one after the other, for ever.
async fn call(limiter: Arc<Limiter>, network: Network, arrivals: Arrivals, mut random: Rng) {
    let mut pick = |(least, most): (u64, u64)| Duration::from_millis(random.u64(least..=most));
    loop {
        let place = limiter.place().await;
        sleep(pick(network.journal)).await;
        let permit = place.permit().await;
        let fate = pick((1, 100)).as_millis();
        if fate <= u128::from(network.unsent) {
            permit.unsent();
            continue;
        }
        if fate <= u128::from(network.unsent + network.lost) {
            let latest = u64::try_from((PATIENCE + LATE).as_millis()).unwrap();
            arrive(&arrivals, pick((0, latest)));
            sleep(PATIENCE).await;
            // Dropping and losing are the same; both are tried.
            if pick((0, 1)).is_zero() {
                permit.lost();
            }
            continue;
        }
        let there = pick(network.there);
        arrive(&arrivals, there);
        sleep(there + pick(network.back)).await;
        permit.answered();
    }
}

fn arrive(arrivals: &Arrivals, after: Duration) {
    arrivals.lock().unwrap().push(Instant::now() + after);
}

fn start(
    limiter: &Arc<Limiter>,
    callers: u64,
    network: Network,
    arrivals: &Arrivals,
    seed: u64,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let random = Rng::with_seed(seed ^ (caller << 32));
        tasks.spawn(call(
            Arc::clone(limiter),
            network,
            Arc::clone(arrivals),
            random,
        ));
    }
    tasks
}

/// Checks the rule: no second, wherever it begins, holds more than `rate` arrivals.
fn check(arrivals: &Arrivals, rate: u32) -> usize {
    let mut arrivals = arrivals.lock().unwrap().clone();
    arrivals.sort();
    let rate = usize::try_from(rate).unwrap();
    for (first, after) in arrivals.iter().zip(arrivals.iter().skip(rate)) {
        let span = *after - *first;
        assert!(
            span > Duration::from_secs(1),
            "{} calls arrived within {span:?}",
            rate + 1
        );
    }
    arrivals.len()
}

fn held_clock<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

/// Calls that arrived in `span` of work with all callers busy, after the rule was checked.
async fn busy(rate: u32, callers: u64, network: Network, span: Duration, seed: u64) -> usize {
    let arrivals = Arrivals::default();
    let limiter = Arc::new(Limiter::new(rate));
    let mut tasks = start(&limiter, callers, network, &arrivals, seed);
    sleep(span).await;
    tasks.shutdown().await;
    check(&arrivals, rate)
}

fn range(most: u64) -> impl Strategy<Value = (u64, u64)> {
    (0..=most, 0..=most).prop_map(|(a, b)| (a.min(b), a.max(b)))
}

prop_compose! {
    fn network()(
        there in prop_oneof![range(20), range(200), range(4_000)],
        back in prop_oneof![range(20), range(2_000)],
        journal in range(60),
        lost in prop_oneof![Just(0), 0u64..30],
        unsent in prop_oneof![Just(0), 0u64..30],
    ) -> Network {
        Network { there, back, journal, lost, unsent }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_second_holds_more_than_the_rate(network in network(), rate in 1u32..=20, seed in any::<u64>()) {
        let calls = held_clock(busy(rate, 30, network, Duration::from_secs(40), seed));
        prop_assert!(calls > 0);
    }

    #[test]
    fn a_rate_that_changes_breaks_nothing(network in network(), rate in 1u32..=20, seed in any::<u64>()) {
        held_clock(async move {
            let arrivals = Arrivals::default();
            let limiter = Arc::new(Limiter::new(rate));
            let mut random = Rng::with_seed(seed);
            let mut tasks = start(&limiter, 30, network, &arrivals, seed);
            for _ in 0..6 {
                sleep(Duration::from_millis(random.u64(0..20_000))).await;
                limiter.slow_down(random.bool().then(|| random.u32(0..30)));
            }
            tasks.shutdown().await;
            check(&arrivals, rate);
        });
    }

    #[test]
    fn a_killed_process_and_the_next_one_share_the_second(
        network in network(), rate in 1u32..=20, lived in 100u64..5_000, down in 0u64..10_000, seed in any::<u64>(),
    ) {
        held_clock(async move {
            let arrivals = Arrivals::default();
            let limiter = Arc::new(Limiter::new(rate));
            let mut tasks = start(&limiter, 30, network, &arrivals, seed);
            sleep(Duration::from_millis(lived)).await;
            tasks.shutdown().await;
            // What it had written to its sockets arrives without it, up to LATE after its death: `call` notes arrivals ahead.
            let death = Instant::now();
            arrivals.lock().unwrap().retain(|at| *at <= death + LATE);

            sleep(Duration::from_millis(down)).await;
            let limiter = Arc::new(Limiter::new(rate));
            limiter.resume_after(Predecessor::Unanswered(Duration::from_secs(death.elapsed().as_secs())));
            let mut tasks = start(&limiter, 30, network, &arrivals, !seed);
            sleep(Duration::from_secs(15)).await;
            tasks.shutdown().await;
            check(&arrivals, rate);
        });
    }
}

#[test]
fn the_rate_is_reached_on_loopback() {
    for seed in 0..8 {
        let calls = held_clock(busy(20, 30, LOOPBACK, Duration::from_secs(40), seed));
        assert!(calls >= 780, "{calls} calls in 40 s: below 19.5/s");
    }
}

#[test]
fn the_rate_is_near_over_a_long_and_uneven_way() {
    for seed in 0..8 {
        let calls = held_clock(busy(20, 30, FAR_AND_UNEVEN, Duration::from_secs(40), seed));
        assert!(calls >= 700, "{calls} calls in 40 s: below 17.5/s");
    }
}

#[test]
fn a_smaller_rate_is_reached_too() {
    for rate in [1, 2, 5, 19] {
        let calls = held_clock(busy(rate, 30, LOOPBACK, Duration::from_secs(60), 7));
        let least = usize::try_from(rate * 60 * 97 / 100).unwrap();
        assert!(calls >= least, "{calls} calls in 60 s at {rate}/s");
    }
}

#[test]
fn a_rate_error_slows_and_the_rate_returns() {
    held_clock(async {
        let limiter = Arc::new(Limiter::new(20));
        let arrivals = Arrivals::default();
        let mut tasks = start(&limiter, 30, LOOPBACK, &arrivals, 1);
        sleep(Duration::from_secs(5)).await;
        limiter.slow_down(Some(20));
        assert_eq!(limiter.current_rate(), 10);
        sleep(Duration::from_secs(1)).await;
        arrivals.lock().unwrap().clear();
        sleep(Duration::from_secs(3)).await;
        let slow = arrivals.lock().unwrap().len();
        assert!((28..=31).contains(&slow), "{slow} calls in 3 s at 10/s");
        sleep(Duration::from_secs(50)).await;
        assert_eq!(limiter.current_rate(), 20);
        arrivals.lock().unwrap().clear();
        sleep(Duration::from_secs(3)).await;
        tasks.shutdown().await;
        assert!(arrivals.lock().unwrap().len() >= 58);
    });
}

#[test]
fn after_a_restart_it_keeps_quiet_as_long_as_it_must() {
    let seconds = Duration::from_secs;
    let cases = [
        (Predecessor::Answered(seconds(0)), 2_005),
        (Predecessor::Answered(seconds(1)), 1_005),
        (Predecessor::Answered(seconds(3)), 0),
        (Predecessor::Unanswered(seconds(0)), 6_005),
        (Predecessor::Unanswered(seconds(21)), 6_005),
        (Predecessor::Unanswered(seconds(25)), 2_005),
        (Predecessor::Unanswered(seconds(28)), 0),
    ];
    for (predecessor, quiet) in cases {
        held_clock(async move {
            let limiter = Arc::new(Limiter::new(20));
            let before = Instant::now();
            limiter.resume_after(predecessor);
            limiter.place().await.permit().await.answered();
            assert_eq!(
                before.elapsed(),
                Duration::from_millis(quiet),
                "{predecessor:?}"
            );
        });
    }
}

#[test]
fn how_a_call_ends_decides_when_its_slot_is_free() {
    held_clock(async {
        type Ending = fn(Permit);
        let endings: [(Ending, u64); 4] = [
            (Permit::answered, 1_005),
            (Permit::lost, 6_005),
            (drop, 6_005),
            // Free at once, and still at the pace.
            (Permit::unsent, 800),
        ];
        for (ending, free) in endings {
            let limiter = Arc::new(Limiter::new(1));
            let permit = limiter.place().await.permit().await;
            let before = Instant::now();
            ending(permit);
            limiter.place().await.permit().await.answered();
            assert_eq!(before.elapsed(), Duration::from_millis(free));
        }
    });
}

#[test]
fn a_place_that_is_given_up_goes_to_the_next() {
    held_clock(async {
        let limiter = Arc::new(Limiter::new(1));
        let place = limiter.place().await;
        let second = timeout(Duration::from_secs(60), limiter.place()).await;
        assert!(second.is_err(), "two places at a rate of one");
        drop(place);
        limiter.place().await.permit().await.answered();
        // Given up while it waits for its slot: the slot's claim stays.
        let place = limiter.place().await;
        assert!(
            timeout(Duration::from_millis(10), place.permit())
                .await
                .is_err()
        );
        let before = Instant::now();
        limiter.place().await.permit().await.answered();
        assert_eq!(before.elapsed(), AHEAD - Duration::from_millis(10));
    });
}
