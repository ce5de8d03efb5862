//! The supervisor in a simulated world: random configurations, apps and people, from a seed.
//!
//! `PIDONE_SIM_SEEDS=1000000 cargo test --release --test simulation` lives through more lives;
//! `PIDONE_SIM_SEED=42 cargo test --test simulation -- --nocapture` through one, and prints all that
//! was told and done.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

mod process;
mod random;
mod record;
mod scenario;
mod witness;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use record::Record;
use witness::Broken;
use world::World;

/// Lives are short: a debug build lives through these in a few seconds.
const SEEDS: u64 = 3000;

fn number_of(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={value}: no number")),
    )
}

fn live(seed: u64, lines: Option<Vec<String>>) -> (Result<(), Broken>, Record) {
    let record = Record {
        lines,
        ..Record::default()
    };
    let mut world = World::new(seed, record);
    let run = catch_unwind(AssertUnwindSafe(|| world.run()));
    let run = run.unwrap_or_else(|_| Err("it panicked".into()));
    (run, world.record)
}

/// Lives once more, and prints all of it.
fn replay(seed: u64) -> Result<(), Broken> {
    let (run, record) = live(seed, Some(Vec::new()));
    for line in record.lines.unwrap_or_default() {
        println!("{line}");
    }
    run
}

#[test]
fn whatever_happens_what_must_never_be_is_not() {
    if let Some(seed) = number_of("PIDONE_SIM_SEED") {
        replay(seed).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        return;
    }
    let mut steps = 0;
    for seed in 0..number_of("PIDONE_SIM_SEEDS").unwrap_or(SEEDS) {
        let (run, record) = live(seed, None);
        steps += record.steps;
        if let Err(broken) = run {
            let _ = replay(seed);
            panic!(
                "{broken}; once more: PIDONE_SIM_SEED={seed} cargo test --test simulation -- --nocapture"
            );
        }
    }
    println!("{steps} events");
}

#[test]
fn the_same_events_give_the_same_actions() {
    for seed in 0..100 {
        assert_eq!(
            live(seed, None).1.digest,
            live(seed, None).1.digest,
            "seed {seed}"
        );
    }
}
