//! The npm packages (release/npm): made as for a release, installed by each package manager, and run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

mod files;
mod from_pm2;
mod installed;
mod launcher;
mod managers;
mod oracle;
mod printed;
mod tarballs;
mod translated;
