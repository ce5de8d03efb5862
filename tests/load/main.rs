//! Nothing is dropped: the real pidone under a steady load, every answer checked. One test at a time,
//! for the load is part of the test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod client;
mod cost;
mod flood;
mod kill;
mod reload;
mod scale;
mod shares;
mod stop;

const BALANCES: [&str; 5] = ["auto", "reuseport", "shared", "source-ip", "round-robin"];
