//! Back-off when accept(2) fails, mostly with EMFILE.

#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use crate::cause::Cause;
use crate::supervisor::Moment;

/// Time until the next attempt: the kernel does not tell when a descriptor becomes free.
const AGAIN: Duration = Duration::from_millis(100);

/// A failure after so long without one is logged again.
const QUIET: Duration = Duration::from_secs(10);

/// Logs the failure once while it lasts. Meanwhile listeners are not polled, because poll(2) would
/// return at once each time.
#[derive(Debug, Default)]
pub(super) struct AcceptBackoff {
    last: Option<Moment>,
}

impl AcceptBackoff {
    /// accept(2) failed.
    pub(super) fn failed(&mut self, error: &io::Error, now: Moment) {
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
