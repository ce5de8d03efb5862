//! Every decision about ports, as values: which port a query means and who may have it, which
//! members get new connections, which queues pidone must empty itself and which worker gets a
//! connection from them, which connections are unread, and when a port is closed.
//!
//! Knows no sockets: the runtime holds those of each [`PortId`], and does what is returned here.
//! Knows nothing of the workers' states either: callers say which workers and members serve.

mod asking;
mod matching;
mod port;
mod queues;
mod service;
mod steer;
mod unheld;
mod unread;
mod wanted;

use alloc::vec::Vec;

use crate::address::ListenAddress;
use crate::rules::Balance;
use crate::supervisor::{Member, WorkerId};
use crate::table::Table;
pub use asking::Occupant;
pub use port::Origin;
use port::Port;
pub use queues::LATE;
use service::Service;
pub use service::{Comparison, Difference};
pub use unheld::ClosedPort;
pub use unread::{Connection, Cookie, Reached, Unread};
pub use wanted::{BindOptions, DEFAULT_BACKLOG, Wanted};

/// The most ports that apps can have open, and the most listens of one worker on one port. No app
/// needs so many, and a broken app must not use up pidone's descriptors.
pub const LIMIT: usize = 64;

/// The id of an open port; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(u32);

/// Which rights apply when an app listens on a port that `--listen` does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindRights {
    /// pidone's own: the workers have the same.
    Own,
    /// The workers have fewer rights than pidone, so they get only what they could bind themselves.
    Less {
        /// Lower ports are privileged.
        ports_from: u16,
    },
}

/// All open ports.
///
/// It counts the holders of each port. An answer adds one ([`Self::hold`]); an app's `close()`
/// ([`Self::closed`]) or a worker's exit ([`Self::forget`]) removes it. Neither closes the port,
/// because the accept queue waits for the successor. [`Self::close_unheld`] closes it when no
/// successor is starting.
#[derive(Debug)]
pub struct Registry {
    balance: Balance,
    rights: BindRights,
    /// pidone's working directory.
    directory: Vec<u8>,
    ports: Table<PortId, Port>,
    next: u32,
    /// The members that get new connections, by slot.
    steering: Vec<Option<Member>>,
    /// No new connections are accepted any more.
    is_closed: bool,
    service: Service,
}

impl Registry {
    /// Without any port. `directory`: the working directory of pidone and of the workers.
    #[must_use]
    pub fn new(balance: Balance, rights: BindRights, directory: Vec<u8>) -> Self {
        Self {
            balance,
            rights,
            directory,
            ports: Table::default(),
            next: 0,
            steering: Vec::new(),
            is_closed: false,
            service: Service::default(),
        }
    }

    /// A port was bound, or inherited, with one socket. All named and inherited ones come first, in
    /// the order in which workers inherit them.
    pub fn insert(&mut self, origin: Origin, address: ListenAddress, is_group: bool) -> PortId {
        let id = PortId(self.next);
        self.next += 1;
        self.ports.insert(id, Port::new(origin, address, is_group));
        id
    }

    /// A port could not be opened completely.
    pub fn remove(&mut self, port: PortId) {
        self.ports.remove(port);
    }

    /// Whether a port at this address gets a socket for each member, not one for all.
    ///
    /// An inherited socket remains one for all members: in a group it would still be steered after
    /// pidone exits, and the queues of the other members would be lost.
    #[must_use]
    pub fn is_for_group(&self, address: &ListenAddress) -> bool {
        let is_single = matches!(self.balance, Balance::Shared | Balance::RoundRobin);
        !is_single && matches!(address, ListenAddress::Tcp(_))
    }

    /// Whether a group needs another socket, to have one for each of this many members.
    #[must_use]
    pub fn lacks_members(&self, port: PortId, count: usize) -> bool {
        let port = self.ports.get(port).filter(|port| !port.is_closed());
        let members = port.and_then(|port| port.members);
        members.is_some_and(|members| members < count)
    }

    /// A group has got another socket: [`Self::steer`] it at once, as no worker accepts from it yet.
    pub fn grown(&mut self, port: PortId) {
        let port = self.ports.get_mut(port);
        if let Some(members) = port.and_then(|port| port.members.as_mut()) {
            *members += 1;
        }
    }

    /// The open ports.
    pub fn ids(&self) -> impl Iterator<Item = PortId> {
        self.ports.keys()
    }

    /// The named and inherited ports, in the order of the descriptors that workers inherit.
    pub fn passed_on(&self) -> impl Iterator<Item = PortId> {
        let ports = self.ports.iter();
        ports.filter_map(|(id, port)| (!port.is_asked_for()).then_some(id))
    }

    /// The address of an open port.
    #[must_use]
    pub fn address(&self, port: PortId) -> Option<&ListenAddress> {
        Some(&self.ports.get(port)?.address)
    }

    /// The workers that listen on a port, and their members: one entry for each listen.
    pub fn holders(&self, port: PortId) -> impl Iterator<Item = (WorkerId, Member)> {
        self.ports.get(port).into_iter().flat_map(Port::holders)
    }
}

#[cfg(test)]
mod tests;
