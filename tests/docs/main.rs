//! README, manual and examples: their links lead somewhere, their options and messages are pidone's own. The commands in
//! them are run by tests/commands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pidone_testkit as harness;

// What `cargo manual` makes the page of options with.
#[path = "../../release/manual/options.rs"]
mod generator;
#[allow(dead_code)]
#[path = "../../release/manual/help.rs"]
mod help;
mod layout;
mod links;
mod messages;
mod options;
mod pictures;
mod shipped;

/// Fails with all that was found.
#[track_caller]
fn none_of(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
