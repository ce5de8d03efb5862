//! Somebody waits to be let in, and there is no descriptor for the connection.

#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use crate::supervisor::Moment;

/// How long until it is tried again: nobody tells when a descriptor is to be had.
const AGAIN: Duration = Duration::from_millis(100);

/// Said once for as long as it lasts; meanwhile who waits is left waiting, or poll(2) would return
/// at once, again and again.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    until: Option<Moment>,
}

impl Shortage {
    /// It was tried, and failed.
    pub(super) fn met(&mut self, error: &io::Error, now: Moment) {
        if self.until.replace(now + AGAIN).is_none() {
            log::warn!("cannot accept a connection: {error}; see ulimit -n");
        }
    }

    /// It was tried, and did not fail.
    pub(super) fn is_over(&mut self) {
        self.until = None;
    }

    /// When to try again, if not now.
    pub(super) fn lasts_until(&self, now: Moment) -> Option<Moment> {
        self.until.filter(|until| *until > now)
    }
}
