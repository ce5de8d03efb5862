//! All listening sockets: `--listen`, inherited sockets, and what apps listen on.
//!
//! Which port a query means, where new connections go and when a port is closed is decided by
//! [`Registry`]; this module has the sockets, and does it.

#![forbid(unsafe_code)]

mod closing;
mod error;
mod opening;
mod sockets;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use crate::config::Balance;
pub use crate::ports::PortId;
use crate::ports::{BindRights, Connection, Reached, Registry};
use crate::runtime::notices;
use crate::supervisor::{Member, Moment, WorkerId};
use crate::sys::listener::Listener;
use crate::table::Table;
pub use error::OpenError;
pub use opening::Answer;
use sockets::Sockets;

/// The owner of every listening socket.
#[derive(Debug)]
pub struct Ports {
    /// What is decided about them.
    pub registry: Registry,
    sockets: Table<PortId, Sockets>,
    /// The number of members in each group.
    members: usize,
    /// When ports that are not closed to new connections yet stay open; `None`: there are none.
    closing_until: Option<Moment>,
    /// Connections from the accept queues of ports that were closed for others.
    displaced: Vec<(PortId, OwnedFd)>,
    /// The warning about too many ports was logged.
    has_hit_limit: bool,
}

impl Ports {
    /// Without any port.
    #[must_use]
    pub fn new(balance: Balance, rights: BindRights) -> Self {
        let directory = std::env::current_dir().unwrap_or_default();
        let directory = directory.into_os_string().into_vec();
        Self {
            registry: Registry::new(balance, rights, directory),
            sockets: Table::default(),
            members: 0,
            closing_until: None,
            displaced: Vec::new(),
            has_hit_limit: false,
        }
    }

    /// Creates as many members as workers need; none is ever removed.
    ///
    /// # Errors
    /// The error of binding one more socket, usually `EMFILE`; the members created before it remain.
    pub fn ensure_members(&mut self, count: usize) -> io::Result<()> {
        let count = self.members.max(count);
        for id in self.registry.ids().collect::<Vec<_>>() {
            self.grow(id, count)?;
        }
        self.members = count;
        Ok(())
    }

    /// The program excludes each new member at once: no worker accepts from it yet.
    fn grow(&mut self, id: PortId, members: usize) -> io::Result<()> {
        while self.registry.lacks_members(id, members)
            && let Some(group) = self.sockets.get_mut(id).and_then(Sockets::group_mut)
        {
            group.add()?;
            self.registry.grown(id);
            self.steer();
        }
        Ok(())
    }

    /// Sends new connections to these members, one per slot if the slot has one. On a port that apps
    /// have opened, only to members whose workers listen there. Without any such member nothing
    /// changes.
    pub fn serve(&mut self, members: &[Option<Member>]) {
        self.registry.serve(members);
        self.steer();
    }

    fn steer(&mut self) {
        for (id, program) in self.registry.steer() {
            let Some(sockets) = self.sockets.get_mut(id) else {
                continue;
            };
            let group = sockets.group_mut();
            if let Some(Err(error)) = group.map(|group| group.steer(&program)) {
                self.registry.not_steered(id);
                if sockets.is_first_warning() {
                    notices::cannot_steer(&self.name(id), &error);
                }
            }
        }
    }

    /// The port's address.
    #[must_use]
    pub fn name(&self, port: PortId) -> String {
        let address = self.registry.address(port);
        address.map_or_else(String::new, ToString::to_string)
    }

    /// The addresses of the service, when no worker listens there any longer.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        self.registry.lost().map(notices::listed)
    }

    /// Closes the ports that apps opened and no worker holds; waiting clients are refused.
    pub fn close_unheld(&mut self) {
        let mut abandoned = Vec::new();
        for port in self.registry.close_unheld() {
            self.sockets.remove(port.id);
            log::debug!("{}: closed", port.address);
            if port.was_abandoned {
                abandoned.push(port.address);
            }
        }
        if !abandoned.is_empty() {
            notices::abandoned_ports_closed(&abandoned);
        }
        self.has_hit_limit = false;
    }

    /// Warns once if these workers, each with its instance number, listen on different ports. Returns
    /// whether the service's port is lost, if that has changed.
    pub fn compare(&mut self, workers: &[(WorkerId, usize)]) -> Option<bool> {
        let news = self.registry.compare(workers);
        if !news.differences.is_empty() {
            notices::ports_differ(&news.differences);
        }
        news.is_lost
    }

    /// An app has closed a server. Not to be called for a draining worker: the connections in its queue
    /// are still its own.
    pub fn closed(&mut self, port: PortId, worker: WorkerId) {
        self.registry.closed(port, worker);
        self.steer();
    }

    /// A worker has exited. Its ports and their accept queues remain. It may have removed the file of a
    /// UNIX socket that other workers serve.
    pub fn forget(&mut self, worker: WorkerId) {
        self.registry.forget(worker);
        self.ensure_files();
        self.steer();
    }

    /// A worker has become another program (execve(2)) that does not use its ports, and may bind them
    /// itself.
    pub fn release(&mut self, worker: WorkerId) {
        for closed in self.registry.release(worker) {
            self.sockets.remove(closed);
        }
        self.steer();
    }

    /// Whether the port is still open.
    #[must_use]
    pub fn contains(&self, port: PortId) -> bool {
        self.sockets.get(port).is_some()
    }

    /// The ports that bring connections to a worker, or to any worker. `ask`: asks the kernel for the
    /// connections to a port.
    pub fn reached_by(
        &self,
        worker: Option<WorkerId>,
        mut ask: impl FnMut(SocketAddr) -> Option<Vec<Connection>>,
    ) -> impl Iterator<Item = Reached> {
        let ports = self.registry.reached_by(worker);
        ports.filter_map(move |(id, has_tls)| {
            let sockets = self.sockets.get(id)?;
            Some(Reached {
                has_tls,
                own: sockets.own_connections(),
                connections: sockets.local_address().and_then(&mut ask),
            })
        })
    }

    /// Whether a connection waits in the member's own queues, or in any queue.
    #[must_use]
    pub fn waiting(&self, member: Option<Member>) -> bool {
        let mut queues = self.registry.queues(member);
        queues.any(|(id, member)| {
            self.queue_of(id, member)
                .is_some_and(sockets::has_connection)
        })
    }

    /// The number of connections in a member's own queues, as far as the kernel counts them; `None`: it
    /// has no queue of its own.
    #[must_use]
    pub fn queue(&self, member: Member) -> Option<u32> {
        let queues = self.registry.queues(Some(member));
        let queues = queues.filter_map(|(id, member)| self.queue_of(id, member));
        let lengths = queues.filter_map(|queue| queue.queue_length().ok());
        lengths.reduce(u32::saturating_add)
    }

    /// See [`Registry::orphaned_queues`].
    pub fn orphaned_queues(
        &self,
        accepts: impl Fn(WorkerId) -> bool,
        serving: &[WorkerId],
    ) -> Vec<(PortId, Member, BorrowedFd<'_>)> {
        let queues = self.registry.orphaned_queues(accepts, serving);
        queues
            .filter_map(|(id, member)| Some((id, member, self.queue_of(id, member)?.as_fd())))
            .collect()
    }

    /// The connection that has waited longest; `None`: none waits.
    ///
    /// # Errors
    /// `EMFILE` and similar errors.
    pub fn accept(&self, port: PortId, member: Member) -> io::Result<Option<OwnedFd>> {
        let queue = self.queue_of(port, member);
        queue.map_or(Ok(None), Listener::accept)
    }

    /// The length of a queue; 0 if it has none.
    #[must_use]
    pub fn queue_length(&self, port: PortId, member: Member) -> u32 {
        let queue = self.queue_of(port, member);
        queue.map_or(0, |queue| queue.queue_length().unwrap_or(0))
    }

    /// The socket with that queue.
    #[must_use]
    pub fn queue_fd(&self, port: PortId, member: Member) -> Option<BorrowedFd<'_>> {
        Some(self.queue_of(port, member)?.as_fd())
    }

    fn queue_of(&self, port: PortId, member: Member) -> Option<&Listener> {
        self.sockets.get(port)?.queue(member)
    }

    /// The sockets that a worker inherits as descriptors 3 and up, with their names. A spare, which has
    /// no member yet, gets those of member 0, so that it finds the same descriptors as any worker. Its
    /// queries are held back anyway, also `listen({fd: 3})`.
    #[must_use]
    pub fn inherited_by(&self, member: Option<Member>) -> Vec<(BorrowedFd<'_>, &str)> {
        let inherited = self.registry.passed_on().filter_map(|id| {
            let sockets = self.sockets.get(id)?;
            // Never a gap: the worker counts the descriptors.
            let own = member.and_then(|member| sockets.of_member(member));
            let socket = own.or_else(|| sockets.of_member(Member(0)))?;
            Some((socket.as_fd(), sockets.name.as_str()))
        });
        inherited.collect()
    }
}

#[cfg(test)]
mod tests;
