//! Runs many seeds, on every processor; a seed that fails is run again and printed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::oracle::Broken;

/// Whether a run prints its events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Print {
    No,
    Yes,
}

fn number_of(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={value}: not a number")),
    )
}

/// Runs each seed, or the requested one. `run` returns the number of events.
pub fn run_seeds(test: &str, usual: u64, run: impl Fn(u64, Print) -> Result<u64, Broken> + Sync) {
    let run_caught = |seed, print| {
        catch_unwind(AssertUnwindSafe(|| run(seed, print)))
            .unwrap_or_else(|_| Err("it panicked".into()))
    };
    if let Some(seed) = number_of("PIDONE_SIM_SEED") {
        if let Err(broken) = run_caught(seed, Print::Yes) {
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
        match run_caught(seed, Print::No) {
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
        let _ = run_caught(seed, Print::Yes);
        panic!(
            "{broken}; reproduce with: PIDONE_SIM_SEED={seed} cargo test --test simulation {test} -- --nocapture"
        );
    }
}
