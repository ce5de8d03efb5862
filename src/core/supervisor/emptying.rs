//! Drains accept queues after new connections were steered away, within a time limit.

use core::time::Duration;

use super::event::{Moment, Pending};

/// How long a connection that began before new connections were steered away may take to complete
/// its handshake and send data. Node.js 26 resets connections that have sent nothing when it closes
/// a server; no version reports handshakes in progress.
const SETTLE: Duration = Duration::from_millis(250);

/// How often the queues are checked: the kernel sends no notification.
const CHECK: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Emptying {
    pub(super) since: Moment,
    check_at: Moment,
    /// The time limit, as a worker that hangs never drains its queues.
    give_up_at: Moment,
}

impl Emptying {
    /// Draining the queues may take half of the grace period at most.
    pub(super) fn begin(grace: Duration, now: Moment) -> Self {
        let give_up_at = now + grace / 2;
        Self {
            since: now,
            check_at: (now + CHECK).min(give_up_at),
            give_up_at,
        }
    }

    pub(super) fn deadline(self) -> Moment {
        self.check_at
    }

    pub(super) fn is_given_up(self, now: Moment) -> bool {
        self.give_up_at <= now
    }

    pub(super) fn check_again(&mut self, now: Moment) {
        self.check_at = (now + CHECK).min(self.give_up_at);
    }

    /// Whether draining is complete, given the state of the queues.
    pub(super) fn is_done(self, pending: Pending, now: Moment) -> bool {
        match pending {
            Pending::Queued => false,
            Pending::Unread => self.since + SETTLE <= now,
            Pending::Nothing => true,
        }
    }
}
