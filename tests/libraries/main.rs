//! The libraries of docs/libraries.md, each in an app of two workers: what the table says of it holds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod agents;
mod library;
mod limits;
mod logs;
mod primary;
mod schedulers;
mod serving;
mod starters;
