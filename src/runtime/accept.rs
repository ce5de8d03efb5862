//! Connections that pidone accepts itself and hands to workers; queue checks.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::ports::PortId;
use super::workers::AcceptedConnection;
use super::{Runtime, environment};
use crate::supervisor::{Event, Member, Moment, Pending, WorkerId};
use crate::sys::procfs;

/// How many connections are accepted from one queue in one turn.
const ACCEPTED_AT_ONCE: usize = 16;

/// The time between two offers of connections that pidone holds.
const OFFER_AGAIN: Duration = Duration::from_millis(5);

/// How long pidone holds connections if all workers that can take them are busy.
const BUSY_LIMIT: Duration = Duration::from_millis(50);

impl Runtime<'_> {
    pub(super) fn check_pending(&mut self, worker: Option<WorkerId>) {
        let member = worker.and_then(|worker| self.workers.member(worker));
        let are_closing = worker.is_none() && self.ports.are_closing();
        let pending = if are_closing || self.ports.waiting(member) || self.workers.expects(worker) {
            Pending::Queued
        } else if self.unread.any(worker, &self.ports) {
            Pending::Unread
        } else {
            Pending::Nothing
        };
        self.events.push_back(Event::Pending { worker, pending });
    }

    pub(super) fn close_unheld_ports(&mut self) {
        self.ports.close_unheld();
        let ports = &self.ports;
        self.workers
            .drop_connections_to_closed(|port| ports.contains(port));
        let workers = self.supervisor.serving();
        let workers = workers.filter_map(|id| Some((id, self.workers.instance(id)?)));
        let workers: Vec<_> = workers.collect();
        let is_lost = self.ports.compare(&workers);
        self.events.extend(is_lost.map(Event::PortLost));
    }

    /// Not if the process is about to exit, as Node.js does when its channel closes: its successor
    /// needs the ports. Another program in its place (execve(2)) has other variables.
    pub(super) fn release_ports(&mut self, worker: WorkerId) {
        let is_running = self.workers.pid(worker).is_some_and(|pid| {
            !procfs::is_exiting(pid) && procfs::began_with(pid, environment::CHANNEL) != Some(true)
        });
        if is_running {
            let (ports, events) = (&mut self.ports, &mut self.events);
            self.workers.release(worker, ports, events);
        }
    }

    /// The workers that can be handed a connection now: not those that have not taken the last one.
    pub(super) fn free_workers(&self) -> impl Iterator<Item = WorkerId> {
        let serving = self.supervisor.serving();
        serving.filter(|worker| self.workers.is_free(*worker))
    }

    /// The free workers that listen on a port, the next in turn first; with `--balance auto`, those that
    /// have nothing else to do come first.
    fn takers(&self, port: PortId) -> Vec<WorkerId> {
        let registry = &self.ports.registry;
        let mut takers = registry.takers(port, self.free_workers());
        if takers.len() > 1 && registry.is_relieved() {
            takers.sort_by_cached_key(|worker| !self.sleeps(*worker));
        }
        takers
    }

    /// Whether a worker waits for something to do.
    pub(super) fn sleeps(&self, worker: WorkerId) -> bool {
        self.workers.pid(worker).is_some_and(procfs::sleeps)
    }

    /// Accepts connections from an orphaned queue, as long as workers can take them.
    pub(super) fn accept(&mut self, port: PortId, member: Member) {
        self.queues_changed = true;
        for _ in 0..ACCEPTED_AT_ONCE {
            let registry = &self.ports.registry;
            if registry.takers(port, self.free_workers()).is_empty() {
                return;
            }
            match self.ports.accept(port, member) {
                Ok(Some(connection)) => self.hand_over((port, connection)),
                Ok(None) => return,
                Err(error) => return self.accept_failed(&error),
            }
        }
    }

    /// Hands over the connections that pidone has. Returns when to try again, if not at once: workers refuse
    /// a connection while they close, but also while they have `server.maxConnections`, perhaps all of them;
    /// and with `--balance auto`, pidone does not give them to a busy worker at first.
    pub(super) fn hand_over_accepted(&mut self, now: Moment) -> Option<Moment> {
        if self.workers.accepted_connections.is_empty() {
            self.held_since = None;
            return None;
        }
        let held_since = *self.held_since.get_or_insert(now);
        let again = self.offered + OFFER_AGAIN;
        if now < again && self.workers.was_refused {
            return Some(again);
        }
        self.offered = now;
        self.workers.was_refused = false;
        let is_picky = self.ports.registry.is_relieved() && now < held_since + BUSY_LIMIT;
        let mut is_held_back = false;
        for _ in 0..self.workers.accepted_connections.len() {
            let Some(connection) = self.workers.accepted_connections.pop_front() else {
                continue;
            };
            let first = self.takers(connection.0).first().copied();
            if is_picky && first.is_some_and(|first| !self.sleeps(first)) {
                is_held_back = true;
                self.workers.accepted_connections.push_back(connection);
            } else {
                self.hand_over(connection);
            }
        }
        is_held_back.then_some(now + OFFER_AGAIN)
    }

    /// Hands a connection to the next worker in turn. If no worker is there, it waits for the first
    /// one.
    pub(super) fn hand_over(&mut self, connection: AcceptedConnection) {
        let port = connection.0;
        let takers = self.takers(port);
        match self.workers.hand_over(connection, takers.into_iter()) {
            Ok(worker) => self.ports.registry.handed_over(port, worker),
            Err(connection) => self.workers.accepted_connections.push_back(connection),
        }
    }
}
