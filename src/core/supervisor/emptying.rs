//! New connections are kept away: what came before is taken in by who still serves, and how long that is
//! waited for.

use core::time::Duration;

use super::event::{Moment, Queues};

/// How long a connection may take to be made, and its client to send something, that came before
/// new connections were kept away. Node.js 26 resets connections on which nothing has come when it closes a
/// server; no version tells of handshakes in progress.
const SETTLE: Duration = Duration::from_millis(250);

/// How often it is looked whether everything has been taken in: the kernel does not tell.
const CHECK: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Emptying {
    pub(super) since: Moment,
    check_at: Moment,
    /// A worker that hangs never empties its queues.
    give_up_at: Moment,
}

impl Emptying {
    /// Half of the grace is for it at most.
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

    /// Whether it is over, now that the queues have been looked at.
    pub(super) fn is_done(self, queues: Queues, now: Moment) -> bool {
        match queues {
            Queues::Waiting => false,
            Queues::Unread => self.since + SETTLE <= now,
            Queues::Empty => true,
        }
    }
}
