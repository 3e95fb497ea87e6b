//! Random faults, kills and changes, all of them from a seed; then calm, and the list must become what it should be.
//!
//! A handful of seeds runs with every test; `FEEDWALL_CHAOS_SEEDS=200 cargo test --test it chaos` runs the first 200, and
//! `FEEDWALL_CHAOS_SEED=17` that one alone and says what happened.

mod case;
mod proof;
mod run;

use std::env;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use case::Case;

/// Runs side by side; they wait more than they work.
const AT_ONCE: usize = 8;

/// What runs with every test: each kind of cloud.
const SEEDS: [u64; 6] = [0, 1, 2, 3, 4, 5];

/// What failed once: 34 kept a quota that was learned too small, for entries under trial stood there uncounted.
const FAILED_ONCE: [u64; 1] = [34];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_the_list_becomes_what_it_should_be() {
    let seeds = seeds();
    let count = seeds.len();
    let begun = Instant::now();
    let runs = seeds.into_iter().map(|seed| async move {
        // A run of its own task, so that a panic in one does not end the others.
        let ended = tokio::spawn(run::run(Case::new(seed))).await;
        let ended = ended.unwrap_or_else(|panic| Err(panic.to_string()));
        (seed, ended)
    });
    let mut runs = stream::iter(runs).buffer_unordered(AT_ONCE);
    let (mut failed, mut calm) = (Vec::new(), Vec::new());
    while let Some((seed, ended)) = runs.next().await {
        match ended {
            Ok(took) => {
                println!("seed {seed}: {took:.1?}");
                calm.push(took);
            }
            Err(why) => {
                println!("seed {seed}: {why}");
                failed.push(seed);
            }
        }
    }
    calm.sort();
    println!(
        "{} of {count} runs converged in {:.0?}; from the calm on the middle one took {:.1?}, the longest {:.1?}",
        calm.len(),
        begun.elapsed(),
        calm.get(calm.len() / 2).copied().unwrap_or_default(),
        calm.last().copied().unwrap_or_default(),
    );
    assert!(failed.is_empty(), "seeds {failed:?} did not converge");
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match (
        number("FEEDWALL_CHAOS_SEED"),
        number("FEEDWALL_CHAOS_SEEDS"),
    ) {
        (Some(seed), _) => vec![seed],
        (None, Some(seeds)) => (0..seeds).collect(),
        (None, None) => [&SEEDS[..], &FAILED_ONCE].concat(),
    }
}
