//! pidone as its operators meet it: control, probes, metrics, a service manager, logs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../harness/mod.rs"]
mod harness;

mod control;
mod doors;
mod flood;
mod http;
mod idle;
mod logs;
mod metrics;
mod systemd;
mod who;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for the others that take the whole machine, or measure what it can do.
fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}
