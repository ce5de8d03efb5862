//! pidone, the init for Node.js containers: the modules.
//!
//! | module | what it does | what it deliberately does not know |
//! | --- | --- | --- |
//! | [`cause`] | formats system errors | the operation that failed |
//! | [`config`] | the configuration, typed | how the user wrote it |
//! | [`cli`] | options, variables, help, errors about invalid values | processes |
//! | [`logging`] | writes log lines | what to log |
//! | [`sys`] | thin typed wrappers around system calls; the only `unsafe` | decisions |
//! | [`runtime`] | waits for events, reports them to the supervisor, performs its actions | why |
//! | [`ctl`] | sends requests to a running pidone, and prints the answers | how pidone answers them |
//!
//! All decisions are in a crate of their own, `pidone_core`, which makes no system calls and has no standard library:
//! see its module list.
//!
//! Imports point down only: `main -> cli -> {config, core}`, `main -> runtime -> {core, sys}`, `main -> ctl -> {core, sys}`.

#![deny(unsafe_code)]

pub mod cause;
pub mod cli;
pub mod config;
pub mod ctl;
pub mod logging;
pub mod runtime;
#[allow(unsafe_code)]
pub mod sys;

pub use pidone_core::{
    accept_backoff, address, admin, app_metrics, channel, ended, errno, json, launch, number,
    ports, reap_throttle, relief, rules, signal, steering, supervisor, table, text,
};
