//! pidone, the init for Node.js containers: the map of the house.
//!
//! | room | what it does | what it deliberately does not know |
//! | --- | --- | --- |
//! | [`signal`] | signals by name and number | masks, delivery |
//! | [`ended`] | how a process ended | waiting for it |
//! | [`cause`] | errors of the system, as people read them | what was tried |
//! | [`address`] | where to listen, as values | sockets |
//! | [`config`] | what the user asked for, typed | how it was spelled |
//! | [`cli`] | options, variables, help, sentences about wrong values | processes |
//! | [`launch`] | which commands cannot be workers, and what to run instead | running them, reading files |
//! | [`logging`] | the shape of a log line | what is worth saying |
//! | [`steering`] | which member of a group gets a new connection, as BPF programs | sockets |
//! | [`table`] | a small ordered map | what is in it |
//! | [`supervisor`] | every decision, as a function of events and time | system calls, clocks, descriptors |
//! | [`protocol`] | Node's cluster channel and pidone's own doors: bytes in, values out, and back; what may be in flight | descriptors, reading and writing |
//! | [`sys`] | thin typed wrappers around system calls; the only `unsafe` | decisions |
//! | [`runtime`] | waits, tells the supervisor, does what it says | why |
//! | [`ctl`] | asks a pidone that runs, and shows what it says | how that one finds out |
//!
//! Imports point down only: `main -> cli -> {config, launch}`, `main -> runtime -> {supervisor, sys}`,
//! `main -> ctl -> {protocol, sys}`.

#![deny(unsafe_code)]

pub mod address;
pub mod cause;
pub mod cli;
pub mod config;
pub mod ctl;
pub mod ended;
pub mod launch;
pub mod logging;
pub mod protocol;
pub mod runtime;
pub mod signal;
pub mod steering;
pub mod supervisor;
#[allow(unsafe_code)]
pub mod sys;
pub mod table;
