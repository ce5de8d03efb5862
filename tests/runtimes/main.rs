//! Bun and Deno under pidone, and pidone under a real systemd-socket-activate.
//!
//! `.ci/runtimes` fetches the two. What works in the versions there is shown to work, and what does not is
//! shown not to, so that a version that can do more is noticed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod activation;
mod both;
mod bun;
mod deno;
mod runtime;
