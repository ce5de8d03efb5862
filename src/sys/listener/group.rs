//! Several sockets on one address (`SO_REUSEPORT`, socket(7)), one for each slot, and which of them
//! gets a new connection.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::{Listener, bind_to};
use crate::steering::{self, Program};
use crate::sys::{poll, socket};

/// How many blackhole listeners a group gets, so that one keeps its index while the sockets are
/// closed (see [`Group::drop`]).
const BLACKHOLES: usize = 2;

/// Sockets on one address. The kernel numbers them in the order of their listen(2), or of their
/// bind(2) for UDP (`reuseport_add_sock`, net/core/sock_reuseport.c).
#[derive(Debug)]
pub struct Group {
    members: Vec<Listener>,
    address: SocketAddr,
    only_v6: bool,
    backlog: u16,
    is_tcp: bool,
    /// The program that chooses the member of a new connection; empty: the kernel's hash does.
    program: Program,
    /// Kept open until the end; empty while new connections are accepted.
    blackholes: Vec<Blackhole>,
    /// The next one, whose queue is not full yet.
    filling: Option<Blackhole>,
}

/// A member that accepts no connection, and pidone's own connection that fills its queue.
#[derive(Debug)]
struct Blackhole {
    listener: OwnedFd,
    _filling: OwnedFd,
    /// The source address of that connection.
    source: SocketAddr,
}

impl Group {
    /// Makes a group of a TCP or UDP socket, which becomes its member 0.
    ///
    /// That socket was bound, and listens, without `SO_REUSEPORT`: so no other process was on the
    /// address, with any socket option, and of two that try at once only one can succeed. The
    /// option can still be set now, because the kernel compares both sockets when the second one is
    /// bound (`inet_csk_bind_conflict`); from then on the same user's processes could join.
    ///
    /// # Errors
    /// `EINVAL` for a UNIX socket; those of setsockopt(2).
    pub fn new(first: Listener, backlog: u16) -> io::Result<Self> {
        let fd = first.as_fd();
        let address = first.local_address()?.ok_or(Errno::EINVAL)?;
        let [kind] = socket::option(fd, libc::SOL_SOCKET, libc::SO_TYPE)?;
        let only_v6 = address.is_ipv6() && socket::is_only_v6(fd)?;
        socket::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        Ok(Self {
            members: vec![first],
            address,
            only_v6,
            backlog,
            is_tcp: kind == libc::SOCK_STREAM.unsigned_abs(),
            program: Program::new(),
            blackholes: Vec::new(),
            filling: None,
        })
    }

    /// Adds a member at the end. It gets connections immediately unless the group is steered.
    ///
    /// # Errors
    /// Those of socket(2), bind(2) and listen(2); `EADDRINUSE` once there is a blackhole listener.
    pub fn add(&mut self) -> io::Result<()> {
        if !self.blackholes.is_empty() || self.filling.is_some() {
            return Err(Errno::EADDRINUSE.into());
        }
        let socket = self.bind_another()?;
        if self.is_tcp {
            socket::listen(socket.as_fd(), self.backlog)?;
        }
        self.members.push(socket.into());
        Ok(())
    }

    /// The members, by index.
    #[must_use]
    pub fn members(&self) -> &[Listener] {
        &self.members
    }

    /// The source addresses of pidone's own connections to the group, which are never accepted.
    pub fn own_connections(&self) -> impl Iterator<Item = SocketAddr> {
        let blackholes = self.blackholes.iter().chain(&self.filling);
        blackholes.map(|blackhole| blackhole.source)
    }

    /// Attaches a program that chooses the member of each new connection, instead of the kernel's
    /// hash or the previous program. A member added later gets none until a program names it.
    ///
    /// # Errors
    /// `EINVAL` for a program that the kernel rejects, and while the group has only one member.
    pub fn steer(&mut self, program: &Program) -> io::Result<()> {
        self.attach(program)?;
        self.program.clone_from(program);
        Ok(())
    }

    fn attach(&self, program: &Program) -> io::Result<()> {
        let first = self.members.first().ok_or(Errno::EINVAL)?;
        socket::attach_steering(first.as_fd(), program)
    }

    /// Stops new connections permanently: the kernel does not answer new clients, which retry until
    /// the sockets are closed and they are refused. Queued connections and handshakes in progress
    /// continue. Returns whether it is done, which is usual; if not, call
    /// [`continue_closing`](Self::continue_closing) when [`closing`](Self::closing) is readable, or
    /// [`keep_open`](Self::keep_open). Until it is done, new connections go where they went before.
    ///
    /// All new connections are steered to a member that has room for one connection, and pidone
    /// makes that one itself. Until it is established, only its own port is steered there. A group
    /// of one member cannot be steered before it has a second one; so it gets one first, and the
    /// connections that this member gets between two system calls must be accepted like all others.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for UDP; the errors of socket(2), bind(2), connect(2): then the group stays
    /// open.
    pub fn close_to_new_connections(&mut self) -> io::Result<bool> {
        if !self.is_tcp {
            return Err(Errno::EOPNOTSUPP.into());
        }
        if self.members.len() == 1 {
            self.add()?;
            self.steer(&steering::only(0))?;
        } else if self.program.is_empty() {
            let all: Vec<_> = (0..self.members.len()).collect();
            self.steer(&steering::among(&all))?;
        }
        self.continue_closing()
    }

    /// See [`close_to_new_connections`](Self::close_to_new_connections).
    ///
    /// # Errors
    /// As there.
    pub fn continue_closing(&mut self) -> io::Result<bool> {
        let is_done = self.fill();
        if is_done.is_err() {
            self.keep_open();
        }
        is_done
    }

    /// Makes blackhole listeners until one is not full at once.
    fn fill(&mut self) -> io::Result<bool> {
        while self.blackholes.len() < BLACKHOLES {
            let next = match self.filling.take() {
                Some(blackhole) => blackhole,
                None => self.blackhole(self.members.len() + self.blackholes.len())?,
            };
            // connect(2) succeeds before the connection is in the queue, so check the listener.
            if !poll::is_readable(next.listener.as_fd()) {
                self.filling = Some(next);
                return Ok(false);
            }
            self.blackholes.push(next);
        }
        self.attach(&steering::only(self.members.len()))?;
        Ok(true)
    }

    /// The descriptor that is readable when closing can continue; `None`: it is done, or has not
    /// begun.
    #[must_use]
    pub fn closing(&self) -> Option<BorrowedFd<'_>> {
        Some(self.filling.as_ref()?.listener.as_fd())
    }

    /// Gives up closing: new connections go where they went before.
    pub fn keep_open(&mut self) {
        // In this order the members keep their indexes: the last one is closed first.
        self.filling = None;
        self.blackholes.clear();
        let _ = self.attach(&self.program);
    }

    /// A new member with this index, and pidone's own connection to it.
    fn blackhole(&self, index: usize) -> io::Result<Blackhole> {
        let (filling, target) = self.own_socket()?;
        let own_port = socket::local_address(filling.as_fd())?.map_or(0, |own| own.port());

        let listener = self.bind_another()?;
        self.attach(&steering::own_connection(own_port, index, &self.program))?;
        socket::listen(listener.as_fd(), 0)?;
        socket::connect(filling.as_fd(), target)?;
        Ok(Blackhole {
            listener,
            _filling: filling,
            source: SocketAddr::new(target.ip(), own_port),
        })
    }

    /// A socket to connect to the group with from this machine itself, and the target: the loopback
    /// address for a group on all addresses, which may have only IPv4 or only IPv6.
    fn own_socket(&self) -> io::Result<(OwnedFd, SocketAddr)> {
        let mut last = Err(Errno::EADDRNOTAVAIL.into());
        for target in self.reachable_addresses() {
            let filling = socket::open(socket::family(target.ip()), libc::SOCK_STREAM)?;
            let mut own = target;
            own.set_port(0);
            last = socket::bind(filling.as_fd(), own).map(|()| (filling, target));
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn bind_another(&self) -> io::Result<OwnedFd> {
        let (kind, options): (_, &[_]) = if self.is_tcp {
            let options = &[libc::SO_REUSEADDR, libc::SO_REUSEPORT];
            (libc::SOCK_STREAM, options)
        } else {
            (libc::SOCK_DGRAM, &[libc::SO_REUSEPORT])
        };
        bind_to(self.address, self.only_v6, kind, options)
    }

    fn reachable_addresses(&self) -> Vec<SocketAddr> {
        let v4 = IpAddr::from(Ipv4Addr::LOCALHOST);
        let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
        let loopback: &[_] = match self.address.ip() {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) if self.only_v6 => &[v6],
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => &[v4, v6],
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => &[v4],
            _ => return vec![self.address],
        };
        let port = self.address.port();
        loopback
            .iter()
            .map(|ip| SocketAddr::new(*ip, port))
            .collect()
    }
}

impl Drop for Group {
    /// Accepts no connection while the sockets are closed one by one. The kernel moves the last
    /// member to the index of a closed one (`__reuseport_detach_sock`, net/core/sock_reuseport.c),
    /// and chooses a member itself when no member has the index: so the second blackhole becomes
    /// member 0 first, while the first one still has its index, and stays there until all others
    /// are closed.
    fn drop(&mut self) {
        let mut members = mem::take(&mut self.members).into_iter();
        if let [first, _] = self.blackholes.as_slice() {
            drop(members.next());
            let _ = socket::attach_steering(first.listener.as_fd(), &steering::only(0));
            drop(members);
            // The blackholes are closed in order, the first one first.
        }
    }
}

#[cfg(test)]
mod tests;
