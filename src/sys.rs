//! Thin typed wrappers around system calls: one noun per file, and no decisions.
//!
//! The only module that may use `unsafe`, `nix` or `libc`.

pub mod activation;
pub(crate) mod admin;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod alone;
pub mod cgroup;
pub(crate) mod channel;
pub(crate) mod connecting;
pub(crate) mod cpu;
pub(crate) mod diag;
pub(crate) mod directory;
pub mod entry;
pub mod environment;
pub(crate) mod host;
pub mod identity;
pub(crate) mod inotify;
pub(crate) mod journal;
pub(crate) mod leftovers;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod manager;
pub(crate) mod memory;
pub(crate) mod notify;
pub(crate) mod output;
pub(crate) mod poll;
pub(crate) mod prctl;
pub(crate) mod process;
pub mod procfs;
pub(crate) mod reaper;
pub mod signal;
mod socket;
pub(crate) mod terminal;
#[cfg(pidone_release)]
mod unwinder;
