//! Relief: connections that wait behind a busy worker go to another one that can take them sooner.
//!
//! The kernel puts each new connection into the queue of one worker, whatever that worker is doing. pidone
//! takes a connection from a queue that is not emptied, and hands it to another worker over its channel. A
//! pure function of queue lengths and time:
//!
//! - *Watching*: no connection waits. The runtime polls the served queues with everything else, without a
//!   timer, so nothing runs while nothing comes.
//! - *Resting*: a connection has come. The queues are not polled for a while, because the worker usually
//!   accepts it at once. At the end one poll(2) shows whether a connection waits: if none does, pidone
//!   watches again; otherwise the runtime reads the lengths of the queues for [`Relief::look`].
//!
//! A worker gets one connection at a time, and the next one when it has taken that one
//! ([`Relief::on_taken`]). Until then the connection belongs to pidone.

mod choice;

use alloc::vec::Vec;
use core::time::Duration;

use crate::supervisor::{Member, Moment, WorkerId};
use crate::table::Table;
use choice::{Choice, Found, Line};

/// The shortest rest: connections were handed to idle workers, and others wait.
const SHORTEST: Duration = Duration::from_millis(2);

/// The rest after all that waited was handed to idle workers; and the longest one while a connection waits
/// and some worker has nothing in its queue: it may be idle at the next look.
const HOPEFUL: Duration = Duration::from_millis(4);

/// The rest after queues of busy workers were evened out, which is less urgent.
const EVENED: Duration = Duration::from_millis(10);

/// The longest rest. With the time for a poll and a hand-over, no connection waits for 25 ms behind a
/// busy worker while another worker is idle.
const LONGEST: Duration = Duration::from_millis(12);

/// Connections that come so soon after the last rest come all the time. It is cheaper then not to wait for
/// the next one, but to rest again a few times.
const BUSY: Duration = Duration::from_millis(5);
const RESTS: u8 = 4;

/// A queue that has not become shorter for so long is not served now.
const STUCK: Duration = Duration::from_millis(6);

/// A worker that runs gets connections only if it has emptied its queue or taken a connection within this
/// time: otherwise it may be blocked itself.
const ALIVE: Duration = Duration::from_millis(20);

/// So many connections in a queue have not just come: its worker is busy.
const BACKLOG: u32 = 4;

/// The most connections that an idle worker takes before it is looked at again.
const BURST: u32 = 8;

/// The accept queue of a serving worker on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue<P> {
    /// The port.
    pub port: P,
    /// The queue.
    pub member: Member,
    /// The worker that accepts from it.
    pub worker: WorkerId,
    /// The number of connections in it.
    pub length: u32,
    /// No connection is on its way to the worker over its channel.
    pub is_free: bool,
}

/// Accept the connection that has waited longest in a queue, and hand it to another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move<P> {
    /// The port.
    pub port: P,
    /// The queue.
    pub from: Member,
    /// The worker that gets the connection.
    pub to: WorkerId,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Relief<P> {
    phase: Phase,
    /// The length of the next rest.
    rest: Duration,
    /// How many rests follow even if nothing waits.
    rests_left: u8,
    /// The queues in which connections waited at the last look.
    waiting: Table<(P, Member), Waiting>,
    /// When a worker was last known to take connections.
    alive: Table<WorkerId, Moment>,
    /// What idle workers may take besides the connections on their way.
    credits: Table<WorkerId, Credit<P>>,
    /// The worker that got the last connection: the idle ones take turns.
    last: WorkerId,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Until poll(2) finds that a connection waits.
    Watching {
        since: Moment,
    },
    Resting {
        until: Moment,
    },
    /// The rest is over: poll(2) shows whether a connection waits.
    Polling,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// Since then a connection has waited at each look.
    since: Moment,
    /// Since then the queue has not become shorter, except by moves.
    stuck_since: Moment,
    /// After the moves of the last look.
    length: u32,
}

#[derive(Debug, Clone, Copy)]
struct Credit<P> {
    port: P,
    from: Member,
    /// The worker's own queue.
    own: Member,
    left: u32,
}

impl<P> Default for Relief<P> {
    fn default() -> Self {
        Self {
            phase: Phase::Watching {
                since: Moment::ZERO,
            },
            rests_left: 0,
            rest: SHORTEST,
            waiting: Table::default(),
            alive: Table::default(),
            credits: Table::default(),
            last: WorkerId(0),
        }
    }
}

impl<P: Ord + Copy> Relief<P> {
    /// Whether to poll the served queues.
    #[must_use]
    pub fn polls(&self) -> bool {
        !matches!(self.phase, Phase::Resting { .. })
    }

    /// When the runtime must wake up if nothing happens; [`Moment::ZERO`]: it must not sleep, but poll.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self.phase {
            Phase::Watching { .. } => None,
            Phase::Resting { until } => Some(until),
            Phase::Polling => Some(Moment::ZERO),
        }
    }

    /// Before a poll: the end of a rest may have come.
    pub fn on_tick(&mut self, now: Moment) {
        if let Phase::Resting { until } = self.phase
            && until <= now
        {
            self.phase = Phase::Polling;
        }
    }

    /// After a poll of the served queues: whether a connection waits in any of them. Returns whether
    /// [`Self::look`] must follow, with the lengths.
    pub fn on_poll(&mut self, now: Moment, is_any_ready: bool) -> bool {
        match self.phase {
            Phase::Polling if is_any_ready => true,
            Phase::Watching { since } if is_any_ready => {
                self.rests_left = if now <= since + BUSY { RESTS } else { 0 };
                self.rest_longer(now);
                false
            }
            Phase::Polling if self.rests_left > 0 => {
                self.waiting = Table::default();
                self.rests_left -= 1;
                self.rest_longer(now);
                false
            }
            Phase::Polling => {
                self.waiting = Table::default();
                self.phase = Phase::Watching { since: now };
                false
            }
            Phase::Watching { .. } | Phase::Resting { .. } => false,
        }
    }

    /// Decides, with the lengths of all served queues. `sleeps`: whether a worker's process sleeps now,
    /// which is asked only if a move depends on it.
    pub fn look(
        &mut self,
        now: Moment,
        queues: &[Queue<P>],
        sleeps: impl FnMut(WorkerId) -> bool,
    ) -> Vec<Move<P>> {
        self.remember(now, queues);
        self.credits = Table::default();
        let mut choice = Choice {
            now,
            waiting: &self.waiting,
            alive: &self.alive,
            last: self.last,
            lines: queues.iter().copied().map(Line::new).collect(),
            sleeps,
        };
        let mut moves = Vec::new();
        let mut to_idle = false;
        while let Some(found) = choice.next() {
            let Found { to, credit, .. } = found;
            self.last = to;
            to_idle |= found.is_idle;
            moves.push(Move {
                port: credit.port,
                from: credit.from,
                to,
            });
            if credit.left > 0 {
                self.credits.insert(to, credit);
            }
        }
        let (has_hope, has_fresh) = (choice.has_hope(), choice.has_fresh());
        let is_any_left = choice.lines.iter().any(|line| line.length > 0);
        for line in &choice.lines {
            let key = (line.queue.port, line.queue.member);
            if let Some(waiting) = self.waiting.get_mut(key) {
                waiting.length = line.length;
            }
        }
        let rest = if to_idle {
            self.rest = if is_any_left { SHORTEST } else { HOPEFUL };
            self.rest
        } else if !moves.is_empty() {
            self.rest = EVENED;
            EVENED
        } else if has_hope && has_fresh {
            SHORTEST
        } else {
            self.grow();
            self.rest.min(if has_hope { HOPEFUL } else { LONGEST })
        };
        self.phase = Phase::Resting { until: now + rest };
        moves
    }

    /// A worker has taken the connection that was handed to it. Returns the next one for it. `length`: that
    /// of a queue now; 0 if no worker serves it any more.
    pub fn on_taken(
        &mut self,
        worker: WorkerId,
        now: Moment,
        length: impl Fn(P, Member) -> u32,
    ) -> Option<Move<P>> {
        self.alive.insert(worker, now);
        let credit = self.credits.get_mut(worker)?;
        let (port, from) = (credit.port, credit.from);
        credit.left = credit.left.checked_sub(1)?;
        let to = worker;
        (length(port, credit.own) < length(port, from)).then_some(Move { port, from, to })
    }

    /// The worker serves no longer, or a move for it came to nothing.
    pub fn forget(&mut self, worker: WorkerId) {
        self.credits.remove(worker);
        self.alive.remove(worker);
    }

    /// The last rest ended with empty queues.
    fn rest_longer(&mut self, now: Moment) {
        self.grow();
        let until = now + self.rest;
        self.phase = Phase::Resting { until };
    }

    fn grow(&mut self) {
        self.rest = (self.rest * 2).min(LONGEST);
    }

    /// Notes since when connections have waited in each queue.
    fn remember(&mut self, now: Moment, queues: &[Queue<P>]) {
        let mut waiting = Table::default();
        for queue in queues {
            let key = (queue.port, queue.member);
            let before = self.waiting.get(key).copied();
            if before.is_some_and(|before| queue.length < before.length) {
                self.alive.insert(queue.worker, now);
            }
            if queue.length == 0 {
                continue;
            }
            let mut noted = before.unwrap_or(Waiting {
                since: now,
                stuck_since: now,
                length: 0,
            });
            if queue.length < noted.length {
                noted.stuck_since = now;
            }
            noted.length = queue.length;
            waiting.insert(key, noted);
        }
        self.waiting = waiting;
    }
}

#[cfg(test)]
mod tests;
