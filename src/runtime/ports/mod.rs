//! Every listening socket, and which worker gets which: what `--listen` names, what pidone was
//! given, and what apps ask for.
//!
//! Knows nothing of how workers live; it is told who serves, and asked.

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
use crate::config::Balance;
use crate::protocol::cluster::HandleKind;
use crate::protocol::query::{Data, Query};
use crate::supervisor::{Member, WorkerId};
use crate::sys::activation::{self, Inherited};
use crate::sys::listener::{Listener, Options, group::Group};
use crate::table::Table;
pub use error::OpenError;
use error::errno;
use port::{Origin, Port};

/// The most ports that apps can have pidone hold, and the most listens of a worker on one of them:
/// no app has so many, and a broken one shall not use up pidone's descriptors.
const LIMIT: usize = 64;

/// A port, as long as it is open; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(u32);

/// Whose rights count when an app asks for a port that nobody has named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// pidone's own, which the workers have too.
    Own,
    /// Those of workers who have fewer: they get what they could have bound themselves.
    Less {
        /// Ports below are not for everybody.
        ports_from: u16,
    },
}

/// What a worker that wants to listen is told.
#[derive(Debug)]
pub enum Answer {
    /// Listen on this.
    Listener {
        /// Which port it is.
        port: PortId,
        /// A copy of the socket of its member, for it to have.
        handle: OwnedFd,
        /// What kind of socket.
        kind: HandleKind,
        /// The data to answer with.
        data: Data,
    },
    /// Wait for the connections that pidone accepts.
    RoundRobin {
        /// Which port it is.
        port: PortId,
        /// What the app's `server.address()` says; `None`: a UNIX socket.
        address: Option<SocketAddr>,
        /// The data to answer with.
        data: Data,
    },
    /// It cannot be: a number of errno(3), which the app gets as Node.js' own error.
    Failure(i32),
}

/// Where connections come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// `None`: a UNIX socket.
    pub address: Option<SocketAddr>,
    /// A TLS server has asked for it.
    pub has_tls: bool,
    /// pidone's own, which keep new connections out.
    pub own: Vec<SocketAddr>,
}

/// The owner of every listening socket.
///
/// Who holds a port is counted: an answer counts ([`Self::query`]); an app's `close()` ends that
/// ([`Self::closed`]), and so does a worker's death ([`Self::forget`]). Neither closes the port,
/// because what is in the queue waits for the successor: [`Self::close_unheld`] does, when none is
/// on the way.
#[derive(Debug)]
pub struct Ports {
    balance: Balance,
    rights: Rights,
    members: usize,
    /// Where new connections are wanted, by slot.
    steering: Vec<Option<Member>>,
    /// Those that are passed on at start, in the order of their descriptors.
    passed_on: Vec<(PortId, String)>,
    ports: Table<PortId, Port>,
    next: u32,
    is_closed_to_new_connections: bool,
    /// Taken out of the queues of ports that have made room for others.
    displaced: Vec<(PortId, OwnedFd)>,
    /// What was last said about workers that listen on different ports.
    told_apart: Vec<String>,
    /// It has been said that there are too many ports.
    has_hit_limit: bool,
}

impl Ports {
    /// No port yet.
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
            told_apart: Vec::new(),
            has_hit_limit: false,
        }
    }

    /// Takes the sockets that pidone was given, and binds what `--listen` names, unless it is one of
    /// those. Workers find them in this order.
    ///
    /// A socket that somebody else has made stays one for all members: as a group, it would still be
    /// steered when pidone is gone, and take the queues of the other members along.
    ///
    /// # Errors
    /// The first address that cannot be had.
    pub fn open(
        &mut self,
        addresses: &[ListenAddress],
        inherited: Vec<Inherited>,
    ) -> Result<(), OpenError> {
        for socket in inherited {
            if matches!(self.balance, Balance::SourceIp) && is_tcp(&socket.address) {
                log::warn!(
                    "--balance source-ip: {} is a socket that pidone was given, and is shared by all workers",
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

    /// Makes as many members as workers need; none is ever taken away.
    ///
    /// # Errors
    /// Those of binding one more socket, above all `EMFILE`; the members before are there.
    pub fn ensure_members(&mut self, count: usize) -> io::Result<()> {
        let count = self.members.max(count);
        for port in self.ports.values_mut() {
            port.grow(count, self.balance, &self.steering)?;
        }
        self.members = count;
        Ok(())
    }

    /// Answers a worker in a member, who holds the port from then on, unless it is a failure.
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
        // With the port that the kernel has chosen.
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

    /// An app has closed a server, and goes on or leaves. Not to be called for a worker that drains:
    /// what is in its queue is still its own.
    pub fn closed(&mut self, port: PortId, worker: WorkerId) {
        let Some(state) = self.ports.get_mut(port) else {
            return;
        };
        state.remove_holder(worker);
        state.steer(self.balance, &self.steering);
    }

    /// A worker is gone; its ports stay, and so does what is in their queues. It may have cleaned up,
    /// and removed the file of a UNIX socket that others serve.
    pub fn forget(&mut self, worker: WorkerId) {
        for port in self.ports.values_mut() {
            port.forget(worker);
        }
        self.ensure_files();
        self.steer_all();
    }

    /// Who listens on a port, and where.
    pub fn holders(&self, port: PortId) -> impl Iterator<Item = (WorkerId, Member)> {
        self.ports.get(port).into_iter().flat_map(Port::holders)
    }

    /// Where connections come to a worker, or to anybody.
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

    /// From now on new connections go to these members, one of each slot that has one for them. On a port
    /// that workers have asked for, only to those who have. With none left, all stays as it was.
    pub fn steer(&mut self, members: &[Option<Member>]) {
        members.clone_into(&mut self.steering);
        self.steer_all();
    }

    fn steer_all(&mut self) {
        for port in self.ports.values_mut() {
            port.steer(self.balance, &self.steering);
        }
    }

    /// No new connections, for good; those in the queues can still be accepted. An inherited socket
    /// stays open to them: they wait in it for whoever gets it next.
    ///
    /// Keep this value until every worker is gone: workers may have copies of the sockets, and
    /// without the dead ends new connections would be let into queues that nobody serves.
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

    /// Whether a connection waits: in the member's own queues, or in any at all.
    #[must_use]
    pub fn waiting(&self, member: Option<Member>) -> bool {
        self.ports.values().any(|port| port.is_awaited(member))
    }

    /// How many connections wait in a member's own queues, as far as the kernel counts them; `None`: it
    /// has none of its own.
    #[must_use]
    pub fn queue(&self, member: Member) -> Option<u32> {
        let queues = self.ports.values().filter_map(|port| port.queue(member));
        queues.reduce(u32::saturating_add)
    }

    /// The queues that nobody empties though others could serve what is in them: of members that are
    /// not served, and of workers that do not listen on this port; with round-robin every queue. A
    /// port that no worker who serves has asked for has none.
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

    /// The connection that has waited longest; `None`: nobody waits.
    ///
    /// # Errors
    /// `EMFILE` and its like.
    pub fn accept(&self, port: PortId, member: Member) -> io::Result<Option<OwnedFd>> {
        self.ports
            .get(port)
            .map_or(Ok(None), |port| port.accept(member))
    }

    /// What a worker is given at start, as descriptors 3 and up, with their names. A spare, which
    /// has no member yet, gets those of member 0, so that it finds what its successor in life will find:
    /// what it asks for over the channel is held back all the same, `listen({fd: 3})` too.
    #[must_use]
    pub fn inherited_by(&self, member: Option<Member>) -> Vec<(BorrowedFd<'_>, &str)> {
        let socket = |id| {
            let port = self.ports.get(id)?;
            // Never a gap: the numbers are counted by those who get them.
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
