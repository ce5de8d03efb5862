//! Back-off when accept(2) fails, mostly with EMFILE.

use core::time::Duration;

use crate::supervisor::Moment;

/// Time until the next attempt: the kernel does not tell when a descriptor becomes free.
const AGAIN: Duration = Duration::from_millis(100);

/// A failure after so long without one is logged again.
const QUIET: Duration = Duration::from_secs(10);

/// Decides when to accept again after a failure. Meanwhile listeners must not be polled, because
/// poll(2) would return at once each time.
#[derive(Debug, Default)]
pub struct AcceptBackoff {
    last: Option<Moment>,
}

impl AcceptBackoff {
    /// accept(2) failed. Returns whether to log it: once while it lasts.
    pub fn failed(&mut self, now: Moment) -> bool {
        let last = self.last.replace(now);
        last.is_none_or(|last| now.saturating_sub(last) > QUIET)
    }

    /// When to try again, if not now.
    #[must_use]
    pub fn lasts_until(&self, now: Moment) -> Option<Moment> {
        self.last
            .map(|last| last + AGAIN)
            .filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_retried_later_and_logged_once() {
        let mut backoff = AcceptBackoff::default();
        assert_eq!(backoff.lasts_until(Duration::ZERO), None);
        let mut now = Duration::from_secs(1);
        let mut logged = 0;
        for _ in 0..200 {
            logged += u32::from(backoff.failed(now));
            let again = backoff.lasts_until(now).unwrap();
            assert_eq!(again, now + AGAIN);
            assert_eq!(backoff.lasts_until(again), None);
            now = again;
        }
        assert_eq!(logged, 1);
        assert!(backoff.failed(now + QUIET));
    }
}
