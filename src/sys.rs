//! Thin typed wrappers around system calls: one noun per file, and no decisions.
//!
//! The only module that may use `unsafe`, `nix` or `libc`.

pub mod activation;
pub mod admin;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub mod alone;
pub mod cgroup;
pub mod channel;
pub mod cpu;
pub mod diag;
pub mod entry;
pub mod environment;
pub mod host;
pub mod identity;
pub mod leftovers;
pub mod limits;
pub mod listener;
pub mod manager;
pub mod memory;
pub mod notify;
pub mod output;
pub mod poll;
pub mod prctl;
pub mod process;
pub mod procfs;
pub mod reaper;
pub mod signal;
mod socket;
pub mod terminal;
