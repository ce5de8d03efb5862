//! All listening sockets, and which worker gets which: `--listen`, inherited sockets, and what apps
//! listen on.
//!
//! Knows nothing of the workers' states; callers pass in which workers serve.

#![forbid(unsafe_code)]

mod asking;
mod error;
mod matching;
mod port;
mod steer;
mod unheld;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::address::ListenAddress;
use crate::cause::Cause;
use crate::channel::cluster::HandleKind;
use crate::channel::query::{Data, Query};
use crate::config::Balance;
use crate::errno;
use crate::supervisor::{Member, WorkerId};
use crate::sys::activation::{self, Inherited};
use crate::sys::listener::{Listener, Options, group::Group};
use crate::table::Table;
pub use error::OpenError;
use port::{Origin, Port};
use unheld::Common;

/// The most ports that apps can have open, and the most listens of one worker on one port. No app needs
/// so many, and a broken app must not use up pidone's descriptors.
const LIMIT: usize = 64;

/// The id of an open port; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(u32);

/// Which rights apply when an app listens on a port that `--listen` does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// pidone's own: the workers have the same.
    Own,
    /// The workers have fewer rights than pidone, so they get only what they could bind themselves.
    Less {
        /// Lower ports are privileged.
        ports_from: u16,
    },
}

/// The answer to a worker's query.
#[derive(Debug)]
pub enum Answer {
    /// Listen on this socket.
    Listener {
        /// The port.
        port: PortId,
        /// A duplicate of the socket of the worker's member.
        handle: OwnedFd,
        /// The kind of the socket.
        kind: HandleKind,
        /// The data for the reply.
        data: Data,
    },
    /// Wait for connections that pidone accepts.
    RoundRobin {
        /// The port.
        port: PortId,
        /// The app's `server.address()`; `None`: a UNIX socket.
        address: Option<SocketAddr>,
        /// The data for the reply.
        data: Data,
    },
    /// An errno(3), which the app gets as Node.js' usual error.
    Failure(i32),
}

/// A port that gets connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// `None`: a UNIX socket.
    pub address: Option<SocketAddr>,
    /// A TLS server listens on it.
    pub has_tls: bool,
    /// pidone's own connections, which fill a blackhole listener.
    pub own: Vec<SocketAddr>,
}

/// The owner of every listening socket.
///
/// It counts the holders of each port. An answer adds one ([`Self::query`]); an app's `close()`
/// ([`Self::closed`]) or a worker's exit ([`Self::forget`]) removes it. Neither closes the port,
/// because the accept queue waits for the successor. [`Self::close_unheld`] closes it when no successor
/// is starting.
#[derive(Debug)]
pub struct Ports {
    balance: Balance,
    rights: Rights,
    members: usize,
    /// The members that get new connections, by slot.
    steering: Vec<Option<Member>>,
    /// The ports that workers inherit, in the order of their descriptors.
    passed_on: Vec<(PortId, String)>,
    ports: Table<PortId, Port>,
    next: u32,
    is_closed_to_new_connections: bool,
    /// Connections from the accept queues of ports that were closed for others.
    displaced: Vec<(PortId, OwnedFd)>,
    /// The last warning about workers that listen on different ports.
    last_difference: Vec<String>,
    /// The addresses of the service, and whether they are lost.
    common: Common,
    /// The warning about too many ports was logged.
    has_hit_limit: bool,
}

impl Ports {
    /// Without any port.
    #[must_use]
    pub fn new(balance: Balance, rights: Rights) -> Self {
        Self {
            balance,
            rights,
            members: 0,
            steering: Vec::new(),
            passed_on: Vec::new(),
            ports: Table::default(),
            next: 0,
            is_closed_to_new_connections: false,
            displaced: Vec::new(),
            last_difference: Vec::new(),
            common: Common::default(),
            has_hit_limit: false,
        }
    }

    /// Adds the inherited sockets, and binds the addresses of `--listen` that none of them has. Workers
    /// inherit them in this order.
    ///
    /// An inherited socket remains one socket for all members. In a group it would still be steered
    /// after pidone exits, and the queues of the other members would be lost.
    ///
    /// # Errors
    /// The first address that cannot be bound.
    pub fn open(
        &mut self,
        addresses: &[ListenAddress],
        inherited: Vec<Inherited>,
    ) -> Result<(), OpenError> {
        for socket in inherited {
            if matches!(self.balance, Balance::SourceIp) && is_tcp(&socket.address) {
                log::warn!(
                    "--balance source-ip: {} is an inherited socket, which all workers share",
                    socket.address
                );
            }
            let port = Port::single(Origin::Inherited, socket.address, socket.listener);
            let id = self.insert(port);
            self.passed_on.push((id, socket.name));
        }
        for address in addresses {
            let failed = |cause| OpenError {
                address: address.clone(),
                cause,
            };
            match self.find_at(address).map(|port| &port.1.origin) {
                Some(Origin::Inherited) => continue,
                Some(_) => return Err(failed(None)),
                None => {}
            }
            let id = self
                .bind(Origin::Named, address, Options::default())
                .map_err(|cause| failed(Some(cause)))?;
            let name = self.ports.get(id).map(|port| &port.address);
            let name = activation::name(name.unwrap_or(address));
            self.passed_on.push((id, name));
        }
        Ok(())
    }

    /// Creates as many members as workers need; none is ever removed.
    ///
    /// # Errors
    /// The error of binding one more socket, usually `EMFILE`; the members created before it remain.
    pub fn ensure_members(&mut self, count: usize) -> io::Result<()> {
        let count = self.members.max(count);
        for port in self.ports.values_mut() {
            port.grow(count, self.balance, &self.steering)?;
        }
        self.members = count;
        Ok(())
    }

    /// Answers a worker's query. The worker then holds the port, except after a failure.
    pub fn query(&mut self, worker: WorkerId, member: Member, query: &Query) -> Answer {
        let answer = match &query.listener {
            Ok(key) => self
                .find_or_bind(worker, key, query.backlog)
                .and_then(|id| self.hand_out(id, (worker, member), key, &query.data))
                .map_err(|error| error.raw_os_error().unwrap_or(errno::EIO)),
            Err(errno) => Err(*errno),
        };
        answer.unwrap_or_else(Answer::Failure)
    }

    fn bind(
        &mut self,
        origin: Origin,
        address: &ListenAddress,
        options: Options,
    ) -> io::Result<PortId> {
        let listener = Listener::bind(address, options)?;
        // With the port that the kernel chose.
        let bound = listener.address()?.unwrap_or_else(|| address.clone());
        let in_group = matches!(self.balance, Balance::ReusePort | Balance::SourceIp);
        let mut port = if in_group && is_tcp(address) {
            Port::group(origin, bound, Group::new(listener, options.backlog)?)
        } else {
            Port::single(origin, bound, listener)
        };
        port.options = options;
        port.grow(self.members, self.balance, &self.steering)?;
        Ok(self.insert(port))
    }

    fn insert(&mut self, port: Port) -> PortId {
        let id = PortId(self.next);
        self.next += 1;
        self.ports.insert(id, port);
        id
    }

    /// An app has closed a server. Not to be called for a draining worker: the connections in its queue
    /// are still its own.
    pub fn closed(&mut self, port: PortId, worker: WorkerId) {
        let Some(state) = self.ports.get_mut(port) else {
            return;
        };
        state.remove_holder(worker);
        state.steer(self.balance, &self.steering);
    }

    /// A worker has exited. Its ports and their accept queues remain. It may have removed the file of a
    /// UNIX socket that other workers serve.
    pub fn forget(&mut self, worker: WorkerId) {
        for port in self.ports.values_mut() {
            port.forget(worker);
        }
        self.ensure_files();
        self.steer_all();
    }

    /// The workers that listen on a port, and their members.
    pub fn holders(&self, port: PortId) -> impl Iterator<Item = (WorkerId, Member)> {
        self.ports.get(port).into_iter().flat_map(Port::holders)
    }

    /// The ports that bring connections to a worker, or to any worker.
    pub fn reached_by(&self, worker: Option<WorkerId>) -> impl Iterator<Item = Reached> {
        let holds = move |port: &&Port| {
            let mut holders = port.holders();
            worker.is_none_or(|worker| holders.any(|(id, _)| id == worker))
        };
        let ports = self.ports.values().filter(|port| port.is_stream());
        ports.filter(holds).map(|port| Reached {
            address: port.local_address(),
            has_tls: port.has_tls(),
            own: port.own_connections(),
        })
    }

    /// Sends new connections to these members, one per slot if the slot has one. On a port that apps
    /// have opened, only to members whose workers listen there. Without any such member nothing
    /// changes.
    pub fn steer(&mut self, members: &[Option<Member>]) {
        members.clone_into(&mut self.steering);
        self.steer_all();
    }

    fn steer_all(&mut self) {
        for port in self.ports.values_mut() {
            port.steer(self.balance, &self.steering);
        }
    }

    /// Rejects new connections from now on; those in the accept queues can still be accepted. An
    /// inherited socket stays open: connections wait in it for the next process that gets it.
    ///
    /// Keep this value until all workers have exited: workers may have duplicates of the sockets, and
    /// without the blackhole listeners new connections would enter queues that no worker serves.
    pub fn close_to_new_connections(&mut self) {
        self.is_closed_to_new_connections = true;
        for port in self.ports.values_mut() {
            if let Err(error) = port.close_to_new_connections() {
                log::warn!(
                    "{}: cannot reject new connections: {}",
                    port.address,
                    Cause(&error)
                );
                port.steer(self.balance, &self.steering);
            }
        }
    }

    /// Whether a connection waits in the member's own queues, or in any queue.
    #[must_use]
    pub fn waiting(&self, member: Option<Member>) -> bool {
        self.ports.values().any(|port| port.is_awaited(member))
    }

    /// The number of connections in a member's own queues, as far as the kernel counts them; `None`: it
    /// has no queue of its own.
    #[must_use]
    pub fn queue(&self, member: Member) -> Option<u32> {
        let queues = self.ports.values().filter_map(|port| port.queue(member));
        queues.reduce(u32::saturating_add)
    }

    /// The orphaned queues: those that no worker empties although other workers could serve them. These
    /// are queues of members without a worker that serves, and of workers that do not listen on this
    /// port; with round-robin every queue. A port without a serving holder has none.
    pub fn orphaned_queues(
        &self,
        is_served: impl Fn(Member) -> bool,
    ) -> Vec<(PortId, Member, BorrowedFd<'_>)> {
        let mut orphaned_queues = Vec::new();
        for (id, port) in self.ports.iter().filter(|(_, port)| port.is_stream()) {
            let queues = port.orphaned_queues(is_round_robin(self.balance, port), &is_served);
            orphaned_queues.extend(queues.map(|(member, fd)| (id, member, fd)));
        }
        orphaned_queues
    }

    /// The connection that has waited longest; `None`: none waits.
    ///
    /// # Errors
    /// `EMFILE` and similar errors.
    pub fn accept(&self, port: PortId, member: Member) -> io::Result<Option<OwnedFd>> {
        self.ports
            .get(port)
            .map_or(Ok(None), |port| port.accept(member))
    }

    /// The sockets that a worker inherits as descriptors 3 and up, with their names. A spare, which has
    /// no member yet, gets those of member 0, so that it finds the same descriptors as any worker. Its
    /// queries are held back anyway, also `listen({fd: 3})`.
    #[must_use]
    pub fn inherited_by(&self, member: Option<Member>) -> Vec<(BorrowedFd<'_>, &str)> {
        let socket = |id| {
            let port = self.ports.get(id)?;
            // Never a gap: the worker counts the descriptors.
            member
                .and_then(|member| port.socket(member))
                .or_else(|| port.socket(Member(0)))
        };
        self.passed_on
            .iter()
            .filter_map(|(id, name)| Some((socket(*id)?.as_fd(), name.as_str())))
            .collect()
    }
}

fn is_tcp(address: &ListenAddress) -> bool {
    matches!(address, ListenAddress::Tcp(_))
}

fn is_round_robin(balance: Balance, port: &Port) -> bool {
    balance == Balance::RoundRobin && port.is_stream()
}

fn failure(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

#[cfg(test)]
mod tests;
