//! pidone, the init for Node.js containers: the map of the house.
//!
//! | room | what it does | what it deliberately does not know |
//! | --- | --- | --- |
//! | [`cause`] | errors of the system, as people read them | what was tried |
//! | [`address`] | where to listen, as values | sockets |
//! | [`config`] | what the user asked for, typed | how it was spelled |
//! | [`cli`] | options, variables, help, sentences about wrong values | processes |
//! | [`logging`] | the shape of a log line | what is worth saying |
//! | [`sys`] | thin typed wrappers around system calls; the only `unsafe` | decisions |
//! | [`runtime`] | waits, tells the supervisor, does what it says | why |
//! | [`ctl`] | asks a pidone that runs, and shows what it says | how that one finds out |
//!
//! All that decides, and never calls, is in a crate of its own, `pidone_core`, which has no standard library to call with:
//! see its map.
//!
//! Imports point down only: `main -> cli -> {config, core}`, `main -> runtime -> {core, sys}`, `main -> ctl -> {core, sys}`.

#![deny(unsafe_code)]

pub mod address;
pub mod cause;
pub mod cli;
pub mod config;
pub mod ctl;
pub mod logging;
pub mod runtime;
#[allow(unsafe_code)]
pub mod sys;

pub use pidone_core::{ended, launch, protocol, rules, signal, steering, supervisor, table, text};
