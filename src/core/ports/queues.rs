//! Accept queues: whose they are, which ones pidone empties itself, and which worker is next in
//! turn to get a connection from them.

use alloc::vec::Vec;

use super::port::{Origin, Port};
use super::{PortId, Registry};
use crate::address::ListenAddress;
use crate::rules::Balance;
use crate::supervisor::{Member, WorkerId};

/// The queue of connections that came while a single socket was being closed to new ones; no worker
/// has this member.
pub const LATE: Member = Member(1);

impl Registry {
    /// The queues that pidone is responsible for: those of a member alone, or all.
    pub fn queues(&self, member: Option<Member>) -> impl Iterator<Item = (PortId, Member)> {
        let ports = self.ports.iter();
        let own = ports.filter(|(_, port)| port.origin != Origin::Inherited && port.is_stream());
        own.flat_map(move |(id, port)| {
            let queues = port.queues().filter(move |queue| {
                member.is_none_or(|member| port.members.is_some() && *queue == member)
            });
            queues.map(move |queue| (id, queue))
        })
    }

    /// The orphaned queues: those that no worker empties although another one could take their
    /// connections. These are queues of members without a worker that `accepts` and listens on this
    /// port; with round-robin every queue. A port without a `serving` holder has none.
    pub fn orphaned_queues(
        &self,
        accepts: impl Fn(WorkerId) -> bool,
        serving: &[WorkerId],
    ) -> impl Iterator<Item = (PortId, Member)> {
        let ports = self.ports.iter().filter(|(_, port)| port.is_stream());
        let ports = ports.filter(move |(_, port)| serving.iter().any(|it| port.is_held_by(*it)));
        ports.flat_map(move |(id, port)| {
            let is_emptied = |queue| match port.members {
                _ if self.is_round_robin() || port.is_mixed => false,
                None => queue != LATE,
                Some(_) => {
                    let mut holders = port.holders();
                    holders.any(|(worker, member)| member == queue && accepts(worker))
                }
            };
            let orphaned = port.queues().filter(|queue| !is_emptied(*queue));
            let orphaned: Vec<_> = orphaned.map(|queue| (id, queue)).collect();
            orphaned
        })
    }

    /// The queues that pidone relieves with `--balance auto`, and the workers that empty them: on each port
    /// with a queue for each worker, if at least two workers serve there.
    pub fn relieved_queues(
        &self,
        serving: &[WorkerId],
    ) -> impl Iterator<Item = (PortId, Member, WorkerId)> {
        let ports = self.ports.iter();
        let ports = ports.filter(|(_, port)| self.is_relieved() && port.members.is_some());
        ports.flat_map(|(id, port)| {
            let mut queues: Vec<_> = port
                .holders()
                .filter(|(worker, _)| serving.contains(worker))
                .map(|(worker, member)| (id, member, worker))
                .collect();
            queues.sort_unstable();
            queues.dedup();
            if queues.len() < 2 {
                queues.clear();
            }
            queues
        })
    }

    /// Whether queues of busy workers are relieved.
    #[must_use]
    pub fn is_relieved(&self) -> bool {
        self.balance == Balance::Auto
    }

    /// The workers that can take a connection to this port, the next in turn first. `serving`: in
    /// the order in which they were started.
    pub fn takers(&self, port: PortId, serving: impl Iterator<Item = WorkerId>) -> Vec<WorkerId> {
        let Some(port) = self.ports.get(port) else {
            return Vec::new();
        };
        let mut takers: Vec<_> = serving.filter(|worker| port.is_held_by(*worker)).collect();
        let behind = takers.partition_point(|worker| *worker <= port.last_taker);
        takers.rotate_left(behind);
        takers
    }

    /// A worker got a connection that pidone accepted on this port.
    pub fn handed_over(&mut self, port: PortId, worker: WorkerId) {
        if let Some(port) = self.ports.get_mut(port) {
            port.last_taker = worker;
        }
    }

    /// The ports that bring connections to a worker, or to any worker, and whether a TLS server
    /// listens there.
    pub fn reached_by(&self, worker: Option<WorkerId>) -> impl Iterator<Item = (PortId, bool)> {
        let ports = self.ports.iter().filter(|(_, port)| port.is_stream());
        let held =
            ports.filter(move |(_, port)| worker.is_none_or(|worker| port.is_held_by(worker)));
        held.map(|(id, port)| (id, port.has_tls()))
    }
}

impl Port {
    fn queues(&self) -> impl Iterator<Item = Member> {
        let is_late = self.is_closed() && matches!(self.address, ListenAddress::Tcp(_));
        let own = self.members.unwrap_or(1);
        let count = own + usize::from(self.members.is_none() && is_late);
        (0..count).map(Member)
    }
}
