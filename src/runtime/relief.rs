//! Takes connections from the queues of busy workers, and hands them to others: looks at queue lengths
//! and workers, and does what [`Relief`](crate::relief::Relief) decides.

#![forbid(unsafe_code)]

use super::Runtime;
use super::ports::PortId;
use super::sources::{Registration, Source};
use crate::relief::{Move, Queue};
use crate::supervisor::{Member, Moment, WorkerId};
use crate::sys::poll::Interest;

/// A queue that is relieved while other workers are idle, and its worker.
pub(super) struct RelievedQueue {
    port: PortId,
    member: Member,
    worker: WorkerId,
    registration: Registration,
}

impl Runtime<'_> {
    /// The queues to relieve have changed, or may have.
    pub(super) fn watch_relieved(&mut self, accepts: bool) {
        let serving: Vec<_> = self.supervisor.serving().collect();
        let serving = if accepts { &*serving } else { &[] };
        let queues: Vec<_> = self.ports.registry.relieved_queues(serving).collect();
        let known = self.relieved.iter();
        if known
            .map(|queue| (queue.port, queue.member, queue.worker))
            .eq(queues.iter().copied())
        {
            return;
        }
        self.relieved.clear();
        for (port, member, worker) in queues {
            let Some(fd) = self.ports.queue_fd(port, member) else {
                continue;
            };
            let interest = relief_interest(self.relief.polls());
            self.relieved.push(RelievedQueue {
                port,
                member,
                worker,
                registration: self.sources.register(Source::Relieved, fd, interest),
            });
        }
    }

    /// Before the loop sleeps: polls the queues, unless relief rests. Returns when to wake up.
    pub(super) fn prepare_relief(&mut self, now: Moment) -> Option<Moment> {
        let was_polling = self.relief.polls();
        self.relief.on_tick(now);
        self.poll_relieved(was_polling);
        self.relief.deadline()
    }

    /// Only a change is told to the event sources.
    fn poll_relieved(&self, was_polling: bool) {
        let polls = self.relief.polls();
        if polls != was_polling {
            for queue in &self.relieved {
                queue.registration.wait_for(relief_interest(polls));
            }
        }
    }

    /// After the loop has slept.
    pub(super) fn relieve(&mut self, is_any_ready: bool) {
        let now = self.now();
        self.on_taken(now);
        let was_polling = self.relief.polls();
        if was_polling && self.relief.on_poll(now, is_any_ready) {
            self.look(now);
        }
        self.poll_relieved(was_polling);
    }

    fn look(&mut self, now: Moment) {
        let queues: Vec<_> = self
            .relieved
            .iter()
            .map(|queue| Queue {
                port: queue.port,
                member: queue.member,
                worker: queue.worker,
                length: self.ports.queue_length(queue.port, queue.member),
                is_free: self.workers.is_free(queue.worker),
            })
            .collect();
        let mut relief = std::mem::take(&mut self.relief);
        let moves = relief.look(now, &queues, |worker| self.sleeps(worker));
        self.relief = relief;
        for one in moves {
            self.relocate(one);
        }
    }

    /// Workers have taken connections that pidone handed to them.
    fn on_taken(&mut self, now: Moment) {
        for worker in std::mem::take(&mut self.workers.have_taken) {
            let (ports, relieved) = (&self.ports, &self.relieved);
            let length = |port, member| {
                let mut queues = relieved.iter();
                let is_served = queues.any(|queue| queue.port == port && queue.member == member);
                if is_served {
                    ports.queue_length(port, member)
                } else {
                    0
                }
            };
            if let Some(next) = self.relief.on_taken(worker, now, length) {
                self.relocate(next);
            }
        }
    }

    /// Until the worker has taken it, the connection belongs to pidone.
    fn relocate(&mut self, Move { port, from, to }: Move<PortId>) {
        match self.ports.accept(port, from) {
            Ok(Some(connection)) => {
                self.tally.relieved += 1;
                let mut queues = self.relieved.iter();
                if let Some(queue) = queues.find(|queue| queue.member == from) {
                    self.workers.count_relieved(queue.worker);
                }
                if let Err(connection) =
                    self.workers.hand_over((port, connection), [to].into_iter())
                {
                    self.relief.forget(to);
                    self.hand_over(connection);
                }
            }
            Ok(None) => self.relief.forget(to),
            Err(error) => {
                self.relief.forget(to);
                self.accept_failed(&error);
            }
        }
    }
}

fn relief_interest(polls: bool) -> Interest {
    if polls {
        Interest::Read
    } else {
        Interest::None
    }
}
