//! Single mode: the real binary with real processes. Run with `PIDONE_BIN` to test another build.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod exit;
mod forward;
mod habits;
mod idle;
mod logging;
mod node;
mod reap;
mod spawn;
mod terminal;
mod user;
