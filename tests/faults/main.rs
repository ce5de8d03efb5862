//! What the machine, the kernel and the workers can do to pidone: it lives, who serves goes on to
//! serve, nothing piles up, and the log says what is the matter.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod crowd;
mod disk;
mod shortage;
mod steps;
mod vitals;
mod worker;

/// Restarts soon, however often.
const SOON: [&str; 4] = ["--backoff", "50ms..200ms", "--max-restarts", "1000/60s"];
