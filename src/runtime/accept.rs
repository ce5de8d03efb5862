//! Connections that pidone accepts itself and hands to workers; queue checks.

#![forbid(unsafe_code)]

use super::ports::PortId;
use super::workers::AcceptedConnection;
use super::{Runtime, environment};
use crate::supervisor::{Event, Member, Pending, WorkerId};
use crate::sys::procfs;

/// How many connections are accepted from one queue in one turn.
const ACCEPTED_AT_ONCE: usize = 16;

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

    /// Accepts connections from an orphaned queue.
    pub(super) fn accept(&mut self, port: PortId, member: Member) {
        for _ in 0..ACCEPTED_AT_ONCE {
            match self.ports.accept(port, member) {
                Ok(Some(connection)) => self.hand_over((port, connection)),
                Ok(None) => return,
                Err(error) => return self.accept_failed(&error),
            }
        }
    }

    pub(super) fn hand_over_accepted(&mut self) {
        for _ in 0..self.workers.accepted_connections.len() {
            if let Some(connection) = self.workers.accepted_connections.pop_front() {
                self.hand_over(connection);
            }
        }
    }

    /// Hands a connection to the next worker in turn. If no worker is there, it waits for the first
    /// one.
    pub(super) fn hand_over(&mut self, connection: AcceptedConnection) {
        let port = connection.0;
        let takers = self.ports.registry.takers(port, self.supervisor.serving());
        match self.workers.hand_over(connection, takers.into_iter()) {
            Ok(worker) => self.ports.registry.handed_over(port, worker),
            Err(connection) => self.workers.accepted_connections.push_back(connection),
        }
    }
}
