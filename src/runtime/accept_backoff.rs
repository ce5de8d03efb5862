//! Somebody waits to be let in, and there is no descriptor for the connection.

#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use crate::cause::Cause;
use crate::supervisor::Moment;

/// How long until it is tried again: nobody tells when a descriptor is to be had.
const AGAIN: Duration = Duration::from_millis(100);

/// It is a failure of its own, and logged again, if there was none for so long.
const QUIET: Duration = Duration::from_secs(10);

/// Said once for as long as it lasts; meanwhile who waits is left waiting, or poll(2) would return
/// at once, again and again.
#[derive(Debug, Default)]
pub(super) struct AcceptBackoff {
    last: Option<Moment>,
}

impl AcceptBackoff {
    /// It was tried, and failed.
    pub(super) fn met(&mut self, error: &io::Error, now: Moment) {
        let last = self.last.replace(now);
        if last.is_none_or(|last| now.saturating_sub(last) > QUIET) {
            log::warn!(
                "cannot accept a connection: {}; raise ulimit -n",
                Cause(error)
            );
        }
    }

    /// When to try again, if not now.
    pub(super) fn lasts_until(&self, now: Moment) -> Option<Moment> {
        self.last
            .map(|last| last + AGAIN)
            .filter(|until| *until > now)
    }
}
