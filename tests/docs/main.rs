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

use harness::markdown::Page;

/// What a user reads: the README, the manual and the examples.
fn manual() -> Vec<Page> {
    let is_manual = |page: &Page| {
        let beginnings = ["README.md", "docs/", "examples/"];
        beginnings.iter().any(|begin| page.name.starts_with(begin))
    };
    let pages: Vec<_> = Page::all().into_iter().filter(is_manual).collect();
    assert!(pages.len() > 12, "{}", pages.len());
    pages
}

/// Fails with all that was found.
#[track_caller]
fn none_of(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
