//! One look: which queue gives a connection, and which worker gets it.

use alloc::vec::Vec;

use super::{ALIVE, BACKLOG, BURST, Credit, Queue, STUCK, Waiting};
use crate::supervisor::{Member, Moment, WorkerId};
use crate::table::Table;

/// A queue during a look.
pub(super) struct Line<P> {
    pub(super) queue: Queue<P>,
    /// What is left in it after the moves so far.
    pub(super) length: u32,
    /// The worker can be handed a connection.
    is_free: bool,
    /// Whether the worker's process sleeps, once that is known.
    sleeps: Option<bool>,
}

impl<P> Line<P> {
    pub(super) fn new(queue: Queue<P>) -> Self {
        Self {
            length: queue.length,
            is_free: queue.is_free,
            sleeps: None,
            queue,
        }
    }
}

pub(super) struct Found<P> {
    pub(super) to: WorkerId,
    /// The worker sleeps, or has emptied its own queue while the other one is stuck.
    pub(super) is_idle: bool,
    /// The queue, and how many connections more than one the worker may take from it.
    pub(super) credit: Credit<P>,
}

pub(super) struct Choice<'a, P, S> {
    pub(super) now: Moment,
    pub(super) waiting: &'a Table<(P, Member), Waiting>,
    pub(super) alive: &'a Table<WorkerId, Moment>,
    pub(super) last: WorkerId,
    pub(super) lines: Vec<Line<P>>,
    pub(super) sleeps: S,
}

impl<P: Ord + Copy, S: FnMut(WorkerId) -> bool> Choice<'_, P, S> {
    /// The next move, from the longest queue that allows one.
    pub(super) fn next(&mut self) -> Option<Found<P>> {
        let mut sources: Vec<_> = self.lines.iter().enumerate().collect();
        sources.retain(|(_, line)| line.length > 0 && !self.is_fresh(line));
        sources.sort_by_key(|(_, line)| core::cmp::Reverse(line.length));
        let sources: Vec<_> = sources.into_iter().map(|(place, _)| place).collect();
        sources.into_iter().find_map(|source| self.from(source))
    }

    fn from(&mut self, source: usize) -> Option<Found<P>> {
        let from = self.lines.get(source)?;
        let (port, length) = (from.queue.port, from.length);
        let is_stuck = self.is_stuck(from);
        let mut targets: Vec<_> = self.lines.iter().enumerate().collect();
        targets.retain(|(place, line)| {
            *place != source && line.queue.port == port && line.is_free && line.length < length
        });
        // In turn, beginning behind the last one.
        let turn = |line: &Line<P>| (line.queue.worker <= self.last, line.queue.worker);
        targets.sort_by_key(|(_, line)| (line.length, turn(line)));
        let empty = targets.iter().filter(|(_, line)| line.length == 0).count();
        let shortest = targets.iter().find(|(_, line)| {
            let difference = length - line.length;
            // A hand-over costs more than an accept(2), so small differences of long queues stay.
            let is_worth_it =
                difference >= 2 && difference >= length / 2 || is_stuck && line.length == 0;
            is_worth_it && self.is_alive(line)
        });
        let shortest = shortest.map(|(place, line)| (*place, is_stuck && line.length == 0));
        let targets: Vec<_> = targets.into_iter().map(|(place, _)| place).collect();
        let asleep = targets
            .into_iter()
            .take(empty)
            .find(|place| self.is_asleep(*place));
        let (target, is_idle) = asleep.map(|place| (place, true)).or(shortest)?;
        // The queue's own worker takes a share, too, unless it is stuck.
        let takers = u32::try_from(empty + usize::from(!is_stuck)).unwrap_or(u32::MAX);
        let share = length.div_ceil(takers.max(1));
        let taken = if is_idle { share.min(BURST) } else { 1 };
        let target = self.lines.get(target)?.queue;
        let to = target.worker;
        for line in &mut self.lines {
            line.is_free &= line.queue.worker != to;
        }
        let from = self.lines.get_mut(source)?;
        from.length -= taken.min(from.length);
        from.is_free = false;
        self.last = to;
        Some(Found {
            to,
            is_idle,
            credit: Credit {
                port,
                from: from.queue.member,
                own: target.member,
                left: taken - 1,
            },
        })
    }

    fn is_asleep(&mut self, place: usize) -> bool {
        let Some(line) = self.lines.get_mut(place) else {
            return false;
        };
        *line
            .sleeps
            .get_or_insert_with(|| (self.sleeps)(line.queue.worker))
    }

    fn waiting(&self, line: &Line<P>) -> Option<&Waiting> {
        self.waiting.get((line.queue.port, line.queue.member))
    }

    /// The worker may be about to accept what waits in its queue.
    fn is_fresh(&self, line: &Line<P>) -> bool {
        let is_new = self.waiting(line).is_some_and(|it| it.since == self.now);
        is_new && line.queue.length < BACKLOG
    }

    pub(super) fn has_fresh(&self) -> bool {
        self.lines.iter().any(|line| self.is_fresh(line))
    }

    fn is_alive(&self, line: &Line<P>) -> bool {
        let alive = self.alive.get(line.queue.worker);
        alive.is_some_and(|at| self.now.saturating_sub(*at) <= ALIVE)
    }

    fn is_stuck(&self, line: &Line<P>) -> bool {
        let waiting = self.waiting(line);
        waiting.is_some_and(|it| self.now.saturating_sub(it.stuck_since) >= STUCK)
    }

    /// Whether a connection waits on a port where some worker has nothing to do, or soon may not.
    pub(super) fn has_hope(&self) -> bool {
        let waits = |port| {
            let mut lines = self.lines.iter();
            lines.any(|line| line.queue.port == port && line.length > 0)
        };
        let mut lines = self.lines.iter();
        lines.any(|line| line.length == 0 && line.is_free && waits(line.queue.port))
    }
}
