//! Whatever happens to workers, in any order and for as long as one likes: nothing is lost but what
//! was inside one that was killed, and pidone has as much in the end as in the beginning.
//!
//! `PIDONE_SOAK=10m cargo test --release --test soak -- --nocapture` takes ten minutes, and
//! `PIDONE_SOAK_SEED` names what is done; the kernel and the clock have their part in the rest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod scene;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::random::Random;
use scene::{MOST, Scene};

/// For how long, if nothing else is said.
const USUAL: Duration = Duration::from_secs(20);

fn how_long() -> Duration {
    let Ok(text) = std::env::var("PIDONE_SOAK") else {
        return USUAL;
    };
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => panic!("PIDONE_SOAK={text}: neither 60s nor 10m nor 2h"),
    };
    Duration::from_secs(number.parse::<u64>().unwrap() * seconds)
}

fn seed() -> u64 {
    if let Ok(seed) = std::env::var("PIDONE_SOAK_SEED") {
        return seed.parse().unwrap();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos() % 1_000_000_007).unwrap()
}

#[test]
fn nothing_is_lost_and_nothing_piles_up() {
    let (seed, end) = (seed(), Instant::now() + how_long());
    eprintln!("PIDONE_SOAK_SEED={seed}");
    let mut random = Random::new(seed);
    let mut scene = Scene::begin();
    while Instant::now() < end {
        match random.below(10) {
            0..4 => scene.kill(random.next()),
            4 => scene.pause(random.next()),
            5 => scene.reload(),
            6..8 => scene.kill_during_a_reload(random.next()),
            _ => scene.scale(1 + usize::try_from(random.below(MOST as u64)).unwrap()),
        }
    }
    scene.end();
}
