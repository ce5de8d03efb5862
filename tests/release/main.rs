//! What a release is made of (release): man pages, completions, packages and their checksums.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod completions;
mod crates;
mod manual;
