//! Simulates random histories of the supervisor, and of the channel to a worker: configurations,
//! apps and requests, all from a seed.
//!
//! `PIDONE_SIM_SEEDS=1000000 cargo test --release --test simulation` runs more seeds;
//! `PIDONE_SIM_SEED=42 cargo test --test simulation supervisor_rules -- --nocapture` runs one, and
//! prints all events and actions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

macro_rules! must {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

mod channel;
mod oracle;
mod process;
mod record;
mod relief;
mod scenario;
mod seeds;
mod world;

use oracle::Broken;
use record::Record;
use seeds::{Print, run_seeds};
use world::World;

fn run(seed: u64, record: Record) -> (Result<(), Broken>, Record) {
    let mut world = World::new(seed, record);
    let run = world.run();
    (run, world.record)
}

/// Runs are short: a debug build takes a few seconds for these.
#[test]
fn supervisor_rules_hold_in_every_run() {
    run_seeds("supervisor_rules", 3000, |seed, print| {
        let record = Record {
            print: print == Print::Yes,
            ..Record::default()
        };
        let (run, record) = run(seed, record);
        run.map(|()| record.steps)
    });
}

#[test]
fn the_same_events_give_the_same_actions() {
    let digest = |seed| {
        let record = Record {
            digest: Some(0),
            ..Record::default()
        };
        run(seed, record).1.digest
    };
    for seed in 0..100 {
        assert_eq!(digest(seed), digest(seed), "seed {seed}");
    }
}

#[test]
fn channel_messages_are_neither_lost_nor_repeated() {
    run_seeds("channel_messages", 3000, channel::run);
}
