//! The supervisor, and the channel to a worker, in simulated worlds: random configurations, apps and
//! people, from a seed.
//!
//! `PIDONE_SIM_SEEDS=1000000 cargo test --release --test simulation` lives through more lives;
//! `PIDONE_SIM_SEED=42 cargo test --test simulation whatever_happens -- --nocapture` through one, and
//! prints all that was told and done.

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
mod random;
mod record;
mod scenario;
mod seeds;
mod world;

use oracle::Broken;
use record::Record;
use seeds::{Aloud, live_through};
use world::World;

fn live(seed: u64, record: Record) -> (Result<(), Broken>, Record) {
    let mut world = World::new(seed, record);
    let run = world.run();
    (run, world.record)
}

/// Lives are short: a debug build lives through these in a few seconds.
#[test]
fn whatever_happens_what_must_never_be_is_not() {
    live_through("whatever_happens", 3000, |seed, aloud| {
        let record = Record {
            aloud: aloud == Aloud::Yes,
            ..Record::default()
        };
        let (run, record) = live(seed, record);
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
        live(seed, record).1.digest
    };
    for seed in 0..100 {
        assert_eq!(digest(seed), digest(seed), "seed {seed}");
    }
}

#[test]
fn on_the_channel_nothing_is_lost_and_nothing_comes_twice() {
    live_through("on_the_channel", 3000, channel::live);
}
