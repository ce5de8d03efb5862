//! Several sockets on one address (`SO_REUSEPORT`, socket(7)), one for each slot, and which of them
//! gets a new connection.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;

use super::{Listener, bind_to};
use crate::steering::Instruction;
use crate::sys::socket;

/// Sockets on one address, which the kernel knows by their index: the order of their listen(2), or
/// of their bind(2) for UDP (`reuseport_add_sock`, net/core/sock_reuseport.c).
#[derive(Debug)]
pub struct Group {
    members: Vec<Listener>,
    address: SocketAddr,
    only_v6: bool,
    backlog: u16,
    is_tcp: bool,
}

impl Group {
    /// Makes a group of a TCP or UDP socket, which becomes its member 0.
    ///
    /// That socket was bound, and listens, without `SO_REUSEPORT`: so nobody else was on the
    /// address, whatever they had asked for, and two that try at once cannot both succeed. The
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
        })
    }

    /// Adds a member at the end. It gets connections at once unless the group is steered.
    ///
    /// # Errors
    /// Those of socket(2), bind(2) and listen(2).
    pub fn add(&mut self) -> io::Result<()> {
        let socket = self.bind_another()?;
        if self.is_tcp {
            socket::listen(socket.as_fd(), self.backlog)?;
        }
        self.members.push(socket.into());
        Ok(())
    }

    /// Takes the last member away; the first one stays. What waits in its queue is reset, so steer
    /// away from it and let the queue be served first.
    ///
    /// A TCP member is gone even if a worker still has a copy of it, so that the next one gets its
    /// index; a UDP member stays a member until the last copy is closed.
    ///
    /// # Errors
    /// None that an open socket could cause (shutdown(2)).
    pub fn remove_last(&mut self) -> io::Result<()> {
        if self.members.len() > 1 {
            let last = self.members.pop();
            if let (true, Some(last)) = (self.is_tcp, last) {
                socket::stop_listening(last.as_fd())?;
            }
        }
        Ok(())
    }

    /// The members; a member's place is its index.
    #[must_use]
    pub fn members(&self) -> &[Listener] {
        &self.members
    }

    /// The address they share.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Lets a program choose the member from now on, in place of the kernel's hash or of the program
    /// before. A member added later gets nothing until the program says so.
    ///
    /// # Errors
    /// `EINVAL` for a program that the kernel does not take, and as long as there is one member
    /// only, for whom nothing needs to be chosen.
    pub fn steer(&self, program: &[Instruction]) -> io::Result<()> {
        let first = self.members.first().ok_or(Errno::EINVAL)?;
        socket::attach_steering(first.as_fd(), program)
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
}

#[cfg(test)]
mod tests;
