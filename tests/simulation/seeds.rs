//! Runs from many seeds, on every processor; the one that fails is lived through once more, aloud.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::oracle::Broken;

/// How much a run says of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Aloud {
    No,
    Yes,
}

fn number_of(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={value}: no number")),
    )
}

/// Lives from each seed, or from the one that is asked for. `live` tells how many events there were.
pub fn live_through(
    test: &str,
    usual: u64,
    live: impl Fn(u64, Aloud) -> Result<u64, Broken> + Sync,
) {
    let carefully = |seed, aloud| {
        catch_unwind(AssertUnwindSafe(|| live(seed, aloud)))
            .unwrap_or_else(|_| Err("it panicked".into()))
    };
    if let Some(seed) = number_of("PIDONE_SIM_SEED") {
        if let Err(broken) = carefully(seed, Aloud::Yes) {
            panic!("seed {seed}: {broken}");
        }
        return;
    }
    let seeds = number_of("PIDONE_SIM_SEEDS").unwrap_or(usual);
    let (next, events) = (AtomicU64::new(0), AtomicU64::new(0));
    let first_broken: Mutex<Option<(u64, Broken)>> = Mutex::new(None);
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds {
            return;
        }
        match carefully(seed, Aloud::No) {
            Ok(more) => events.fetch_add(more, Ordering::Relaxed),
            Err(broken) => {
                next.store(seeds, Ordering::Relaxed);
                let mut first = first_broken.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert((seed, broken));
                return;
            }
        };
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    println!("{seeds} runs, {} events", events.into_inner());
    let broken = first_broken
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some((seed, broken)) = broken {
        let _ = carefully(seed, Aloud::Yes);
        panic!(
            "{broken}; once more: PIDONE_SIM_SEED={seed} cargo test --test simulation {test} -- --nocapture"
        );
    }
}
