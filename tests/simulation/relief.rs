//! Simulates relief: workers that are busy now and then, connections that come at random, and pidone, which
//! looks at the queues and moves connections. An oracle that knows nothing of the rules checks each move.

mod load;
mod world;

use std::time::Duration;

use crate::seeds::{Print, run_seeds};
use load::{Load, Outcome};
use pidone_testkit::random::Random;
use world::World;

const MS: Duration = Duration::from_millis(1);

fn run(load: &Load, seed: u64) -> Outcome {
    World::new(load, seed, false)
        .run()
        .unwrap_or_else(|broken| panic!("{load:?}: {broken}"))
}

/// The sum over runs with many seeds.
fn total(load: &Load) -> Outcome {
    let runs = (0..10).map(|seed| run(load, seed));
    runs.reduce(Outcome::add).unwrap()
}

#[test]
fn relief_rules_hold_in_every_run() {
    run_seeds("relief_rules", 1000, |seed, print| {
        let mut random = Random::new(seed);
        let workers = 1 + random.below(8);
        let cost = random.pick(&[MS / 10, MS / 2, 3 * MS / 2, 5 * MS]);
        // Of what all workers can serve.
        let percent = random.pick(&[1, 10, 50, 90, 150]);
        let capacity = Duration::from_secs(workers).as_micros() / cost.as_micros();
        let load = Load {
            workers: usize::try_from(workers).unwrap(),
            arrivals: 1 + random.below(800),
            per_second: (u64::try_from(capacity).unwrap() * percent / 100).clamp(5, 4000),
            at_once: random.pick(&[1, 1, 1, 8, 64]),
            cost,
            blocks: random.pick(&[
                None,
                Some((1, 20 * MS)),
                Some((2, 200 * MS)),
                Some((1, 1000 * MS)),
            ]),
            accepts_all: random.chance(40),
            leaves: random.chance(20),
            has_relief: true,
        };
        let outcome = World::new(&load, seed, print == Print::Yes).run()?;
        Ok(outcome.events)
    });
}

/// One of two workers is blocked for a second.
fn blocked(per_second: u64, workers: usize) -> Load {
    Load {
        workers,
        arrivals: per_second * 2,
        per_second,
        blocks: Some((0, 1000 * MS)),
        ..Load::light(per_second)
    }
}

#[test]
fn no_request_waits_25_ms_for_a_busy_worker_while_another_is_idle() {
    for workers in [2, 4] {
        for per_second in [50, 200, 1000] {
            let load = blocked(per_second, workers);
            let outcome = total(&load);
            let without = total(&Load {
                has_relief: false,
                ..load
            });
            println!(
                "{workers} workers, {per_second}/s, one blocked: {outcome}; without relief: {without}"
            );
            assert!(outcome.longest_beside_idle < 25 * MS);
            // But for those that the blocked worker had accepted before.
            assert!(outcome.late * 20 < without.late, "{outcome}; {without}");
        }
    }
}

#[test]
fn looks_are_rare_when_nothing_is_to_be_relieved() {
    for (per_second, most_wakes) in [(50, 80), (1000, 150)] {
        let outcome = total(&Load::light(per_second));
        let seconds = outcome.time.as_secs().max(1);
        println!(
            "{per_second}/s, nothing to relieve: {} wake-ups/s, {} looks/s, {} states read/s, {} moves/s",
            outcome.wakes / seconds,
            outcome.looks / seconds,
            outcome.states / seconds,
            outcome.moves / seconds
        );
        assert!(outcome.wakes / seconds < most_wakes);
        assert!(outcome.moves / seconds < per_second / 50 + 1);
    }
}

/// All workers have more to do than they can: wake-ups are few, and waits are shorter than without relief.
#[test]
fn full_queues_are_evened_out_at_small_cost() {
    let load = Load {
        workers: 4,
        arrivals: 4000,
        per_second: 2600,
        at_once: 64,
        cost: 3 * MS / 2,
        ..Load::light(2600)
    };
    let outcome = total(&load);
    let without = total(&Load {
        has_relief: false,
        ..load
    });
    println!("full queues: {outcome}; without relief: {without}");
    let seconds = outcome.time.as_secs().max(1);
    println!(
        "{} looks/s, {} moves/s",
        outcome.looks / seconds,
        outcome.moves / seconds
    );
    assert!(outcome.looks / seconds < 250);
    assert!(outcome.longest < without.longest);
}
