//! What arrived, when, and what was said to it: the simulator's own witness of a sender's manners.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

const SECOND_US: u64 = 1_000_000;
/// Longer than any stamp can be late.
const KEPT_US: u64 = 10 * SECOND_US;

/// One call as it arrived at the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrival {
    /// Counts up from 1 over every API call.
    pub number: u64,
    /// Microseconds on a steady clock when the whole request was there.
    pub at_us: u64,
    /// The cloud's wall clock at that moment, in Unix seconds.
    pub unix: i64,
    /// `X-TC-Action` as it came.
    pub action: String,
    /// `IocAction` as it came; empty for other actions.
    pub ioc_action: String,
    /// How many entries the call carried.
    pub entries: usize,
    /// `ok`, an error code, `ReturnCode N` or `HTTP N`.
    pub verdict: String,
    /// Whether the lists were changed as the call asked.
    pub applied: bool,
    /// Whether an answer went back.
    pub answered: bool,
    /// The answer's RequestId.
    pub request_id: String,
    /// The secret id that the call named.
    pub secret_id: String,
}

/// How many calls of one kind there were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallCount {
    /// `X-TC-Action`.
    pub action: String,
    /// `IocAction`; empty for other actions.
    pub ioc_action: String,
    /// As in [`Arrival::verdict`].
    pub verdict: String,
    /// Calls.
    pub calls: u64,
    /// Entries that they carried.
    pub entries: u64,
}

/// How fast the calls of one action came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pace {
    /// `X-TC-Action`.
    pub action: String,
    /// Calls in all.
    pub calls: u64,
    /// The most calls in any sliding second; a call exactly one second after another is not in the same one.
    pub max_in_any_second: usize,
    /// Calls per second while they followed each other within a second; zero before the second such call.
    pub mean_while_busy: f64,
}

#[derive(Debug)]
pub(super) struct Traffic {
    log: VecDeque<Arrival>,
    capacity: usize,
    number: u64,
    windows: BTreeMap<String, Window>,
    counts: BTreeMap<[String; 3], (u64, u64)>,
}

/// The last seconds of one action's arrivals.
#[derive(Debug, Default)]
struct Window {
    /// In order.
    recent: VecDeque<u64>,
    last: Option<u64>,
    calls: u64,
    most: usize,
    busy_gaps: u64,
    busy_us: u64,
}

impl Traffic {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            log: VecDeque::new(),
            capacity,
            number: 0,
            windows: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    pub(super) fn total(&self) -> u64 {
        self.number
    }

    /// Counts an arrival in, and says how many calls of its action the last second holds with it.
    pub(super) fn arrive(&mut self, action: &str, tick_us: u64) -> usize {
        self.windows
            .entry(action.to_owned())
            .or_default()
            .arrive(tick_us)
    }

    pub(super) fn record(&mut self, arrival: Arrival) {
        let kind = [&arrival.action, &arrival.ioc_action, &arrival.verdict].map(String::clone);
        let (calls, entries) = self.counts.entry(kind).or_default();
        *calls += 1;
        *entries += arrival.entries as u64;
        while self.log.len() >= self.capacity.max(1) {
            self.log.pop_front();
        }
        self.log.push_back(arrival);
    }

    pub(super) fn log(&self) -> impl Iterator<Item = &Arrival> {
        self.log.iter()
    }

    pub(super) fn counts(&self) -> Vec<CallCount> {
        let count = |(kind, (calls, entries)): (&[String; 3], &(u64, u64))| {
            let [action, ioc_action, verdict] = kind.clone();
            CallCount {
                action,
                ioc_action,
                verdict,
                calls: *calls,
                entries: *entries,
            }
        };
        self.counts.iter().map(count).collect()
    }

    pub(super) fn paces(&self) -> Vec<Pace> {
        let pace = |(action, window): (&String, &Window)| Pace {
            action: action.clone(),
            calls: window.calls,
            max_in_any_second: window.most,
            mean_while_busy: window.mean_while_busy(),
        };
        self.windows.iter().map(pace).collect()
    }

    pub(super) fn max_in_any_second(&self) -> usize {
        self.windows
            .values()
            .map(|window| window.most)
            .max()
            .unwrap_or(0)
    }
}

impl Window {
    /// Stamps may come slightly out of order, for they are taken before the cloud's lock is waited for.
    fn arrive(&mut self, at: u64) -> usize {
        let place = self.recent.partition_point(|stamp| *stamp <= at);
        self.recent.insert(place, at);
        let newest = self.recent.back().copied().unwrap_or(at);
        while self
            .recent
            .front()
            .is_some_and(|first| newest - first > KEPT_US)
        {
            self.recent.pop_front();
        }
        let ends = self.recent.iter().skip_while(|stamp| **stamp < at);
        self.most = ends
            .map(|end| self.within(*end))
            .fold(self.most, usize::max);
        let gap = self.last.map(|last| at.saturating_sub(last));
        if let Some(gap) = gap.filter(|gap| *gap < SECOND_US) {
            self.busy_gaps += 1;
            self.busy_us += gap;
        }
        self.last = Some(self.last.unwrap_or(0).max(at));
        self.calls += 1;
        self.within(at)
    }

    /// The calls of the second that ends with `end`.
    fn within(&self, end: u64) -> usize {
        let first = self
            .recent
            .partition_point(|stamp| end.saturating_sub(*stamp) >= SECOND_US);
        let past = self.recent.partition_point(|stamp| *stamp <= end);
        past.saturating_sub(first)
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "counts and microseconds of any real run fit a double's 53 bits"
    )]
    fn mean_while_busy(&self) -> f64 {
        if self.busy_us == 0 {
            return 0.0;
        }
        self.busy_gaps as f64 * SECOND_US as f64 / self.busy_us as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_second_is_half_open() {
        let mut window = Window::default();
        for at in (0..20).map(|n| n * 50_000) {
            window.arrive(at);
        }
        assert_eq!(window.most, 20);
        assert_eq!(window.arrive(1_000_000), 20, "the first has just left");
        assert_eq!(window.arrive(1_000_001), 21);
    }

    #[test]
    fn the_mean_leaves_the_pauses_out() {
        let mut window = Window::default();
        for at in [0, 50_000, 100_000, 9_000_000, 9_050_000] {
            window.arrive(at);
        }
        assert!((window.mean_while_busy() - 20.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn the_most_is_that_of_the_plain_definition(
            gaps in proptest::collection::vec(0u64..400_000, 1..200),
            late in proptest::collection::vec(0usize..4, 200),
        ) {
            let mut at = 0;
            let stamps: Vec<u64> = gaps.iter().map(|gap| { at += gap; at }).collect();
            let mut arrivals: Vec<(usize, u64)> = stamps.iter().zip(&late).enumerate().map(|(n, (at, late))| (n + late, *at)).collect();
            arrivals.sort_by_key(|(place, _)| *place);
            let mut window = Window::default();
            for (_, stamp) in &arrivals {
                window.arrive(*stamp);
            }
            let within = |end: &u64| stamps.iter().filter(|at| *at <= end && end - *at < SECOND_US).count();
            prop_assert_eq!(Some(window.most), stamps.iter().map(within).max());
        }
    }
}
