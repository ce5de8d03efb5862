//! New connections that pidone itself lets in: it accepts what no worker would, and hands it to one that
//! serves. And whether anybody is still waiting, and who says that it is ready.

#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::ports::PortId;
use super::workers::AcceptedConnection;
use super::{Runtime, environment};
use crate::protocol::notify;
use crate::supervisor::{Event, Member, Queues, WorkerId};
use crate::sys::notify::NotifySocket;
use crate::sys::{process, procfs};

/// How many connections are accepted from one queue before the others have their turn.
const ACCEPTED_AT_ONCE: usize = 16;

/// How long a port may take to answer when it is tried; on this machine it does so at once.
const PROBE_LIMIT: Duration = Duration::from_millis(20);

impl Runtime<'_> {
    /// What comes from a process of a worker's group is the worker's.
    pub(super) fn hear_notify(&mut self) {
        while let Some((pid, message)) = self.notify.as_ref().and_then(NotifySocket::receive) {
            let worker = self.workers.of_pid(pid);
            let worker = worker.or_else(|| self.workers.of_pid(process::group_of(pid)?));
            if let Some(worker) = worker
                && notify::is_ready(&message)
            {
                self.news.push_back(Event::Ready(worker));
            }
        }
    }

    pub(super) fn probe_port(&mut self, worker: WorkerId) {
        let port = self
            .workers
            .instance(worker)
            .and_then(|instance| self.starter.port(instance));
        let answers = |port| {
            let here = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            here.into_iter().any(|ip| {
                TcpStream::connect_timeout(&SocketAddr::new(ip, port), PROBE_LIMIT).is_ok()
            })
        };
        if port.is_some_and(answers) {
            self.news.push_back(Event::Ready(worker));
        }
    }

    pub(super) fn check_queues(&mut self, worker: Option<WorkerId>) {
        let member = worker.and_then(|worker| self.workers.member(worker));
        let queues = if self.ports.waiting(member) || self.workers.expects(worker) {
            Queues::Waiting
        } else if self.unread.look(worker, self.ports.reached_by(worker)) {
            Queues::Unread
        } else {
            Queues::Empty
        };
        self.news.push_back(Event::Queues { worker, queues });
    }

    /// Whether somebody accepts what comes into this member.
    pub(super) fn is_served(&self, member: Member) -> bool {
        self.supervisor.is_served(member)
    }

    pub(super) fn close_unheld_ports(&mut self) {
        self.ports.close_unheld();
        let ports = &self.ports;
        self.workers.refuse_arrivals(|port| ports.contains(port));
        self.turns.retain(|port| ports.contains(port));
        let workers = self.supervisor.serving();
        let workers = workers.filter_map(|id| Some((id, self.workers.instance(id)?)));
        let workers: Vec<_> = workers.collect();
        self.ports.compare(&workers);
    }

    /// Unless the process is about to end, as Node.js is without its channel: its successor wants the
    /// ports. Another program that has taken its place has other variables.
    pub(super) fn release_ports(&mut self, worker: WorkerId) {
        let lives = self.workers.pid(worker).is_some_and(|pid| {
            !procfs::is_exiting(pid) && procfs::began_with(pid, environment::CHANNEL) != Some(true)
        });
        if lives {
            let (ports, news) = (&mut self.ports, &mut self.news);
            self.workers.release(worker, ports, news);
        }
    }

    /// Who can be handed a connection of this port.
    pub(super) fn takers(&self, port: PortId) -> impl Iterator<Item = WorkerId> {
        let serving = self.supervisor.serving();
        serving.filter(move |worker| {
            let mut holders = self.ports.holders(port);
            holders.any(|(holder, _)| holder == *worker)
        })
    }

    /// Takes connections out of a queue that nobody else empties.
    pub(super) fn accept(&mut self, port: PortId, member: Member) {
        for _ in 0..ACCEPTED_AT_ONCE {
            match self.ports.accept(port, member) {
                Ok(Some(connection)) => self.hand_over((port, connection)),
                Ok(None) => return,
                Err(error) => return self.accept_backoff.met(&error, self.now()),
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

    /// To the next worker whose turn it is; if nobody is there, to the first who will be.
    pub(super) fn hand_over(&mut self, connection: AcceptedConnection) {
        let port = connection.0;
        let takers: Vec<_> = self.takers(port).collect();
        let last = self.turns.get(port).copied().unwrap_or(WorkerId(0));
        let behind = takers.partition_point(|worker| *worker <= last);
        let in_turn = takers
            .iter()
            .cycle()
            .skip(behind)
            .take(takers.len())
            .copied();
        match self.workers.hand_over(connection, in_turn) {
            Ok(worker) => {
                self.turns.insert(port, worker);
            }
            Err(connection) => self.workers.accepted_connections.push_back(connection),
        }
    }
}
