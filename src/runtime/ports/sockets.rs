//! The socket or sockets of one port.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use crate::address::ListenAddress;
use crate::ports::{BindOptions, LATE};
use crate::runtime::sources::Registration;
use crate::supervisor::Member;
use crate::sys::listener::{Listener, group::Group};
use crate::sys::poll;

#[derive(Debug)]
pub(super) struct Sockets {
    /// The event source while they are being closed to new connections. The first field is dropped
    /// first.
    pub(super) closing: Option<Registration>,
    kind: Kind,
    /// How they were bound.
    pub(super) options: BindOptions,
    /// The name for the workers that inherit one.
    pub(super) name: String,
    has_warned: bool,
}

#[derive(Debug)]
enum Kind {
    /// A socket for each member.
    Group(Group),
    /// One for all members.
    Single {
        listener: Listener,
        /// A group with the same socket, created only to reject new connections.
        blackhole: Option<Group>,
    },
}

impl Sockets {
    pub(super) fn single(listener: Listener, options: BindOptions) -> Self {
        let blackhole = None;
        Self::new(
            Kind::Single {
                listener,
                blackhole,
            },
            options,
        )
    }

    pub(super) fn group(first: Listener, options: BindOptions) -> io::Result<Self> {
        let group = Group::new(first, options.backlog)?;
        Ok(Self::new(Kind::Group(group), options))
    }

    fn new(kind: Kind, options: BindOptions) -> Self {
        Self {
            closing: None,
            kind,
            options,
            name: String::new(),
            has_warned: false,
        }
    }

    pub(super) fn group_mut(&mut self) -> Option<&mut Group> {
        match &mut self.kind {
            Kind::Group(group) => Some(group),
            Kind::Single { .. } => None,
        }
    }

    /// The socket for a worker in that member.
    pub(super) fn of_member(&self, member: Member) -> Option<&Listener> {
        match &self.kind {
            Kind::Group(group) => group.members().get(member.0),
            Kind::Single { listener, .. } => Some(listener),
        }
    }

    /// The socket with that queue.
    pub(super) fn queue(&self, queue: Member) -> Option<&Listener> {
        match &self.kind {
            Kind::Single { blackhole, .. } if queue == LATE => {
                blackhole.as_ref()?.members().get(LATE.0)
            }
            _ => self.of_member(queue),
        }
    }

    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        self.of_member(Member(0))?.local_address().ok().flatten()
    }

    /// Returns whether it is done; if not, see [`Group::close_to_new_connections`].
    pub(super) fn close_to_new_connections(&mut self, address: &ListenAddress) -> io::Result<bool> {
        match (&mut self.kind, address) {
            (Kind::Group(group), _) => return group.close_to_new_connections(),
            (
                Kind::Single {
                    listener,
                    blackhole,
                },
                ListenAddress::Tcp(_),
            ) => {
                let group = Group::new(listener.duplicate()?, 0)?;
                return blackhole.insert(group).close_to_new_connections();
            }
            (Kind::Single { listener, .. }, ListenAddress::Unix(_)) => listener.unlink(),
            (Kind::Single { .. }, ListenAddress::Udp(_)) => {}
        }
        Ok(true)
    }

    /// The group that is being closed to new connections, without its event source.
    pub(super) fn closing_group(&mut self) -> Option<&mut Group> {
        self.closing = None;
        match &mut self.kind {
            Kind::Group(group) => Some(group),
            Kind::Single { blackhole, .. } => blackhole.as_mut(),
        }
    }

    /// The client addresses of pidone's own connections, which fill the blackhole listener.
    pub(super) fn own_connections(&self) -> Vec<SocketAddr> {
        let group = match &self.kind {
            Kind::Group(group) => Some(group),
            Kind::Single { blackhole, .. } => blackhole.as_ref(),
        };
        group.into_iter().flat_map(Group::own_connections).collect()
    }

    /// Whether clients can no longer reach the UNIX socket that pidone has bound.
    pub(super) fn has_lost_file(&self) -> bool {
        match &self.kind {
            Kind::Single { listener, .. } => !listener.has_file(),
            Kind::Group(_) => false,
        }
    }

    /// Replaces the socket. Returns the connections in the previous one's queue.
    pub(super) fn rebind(&mut self, another: Listener) -> Vec<OwnedFd> {
        let Kind::Single { listener, .. } = &mut self.kind else {
            return Vec::new();
        };
        let before = mem::replace(listener, another);
        queued(&before).collect()
    }

    /// Takes the connections out of the queues, because no worker will serve them there.
    pub(super) fn take_queue(self) -> Vec<OwnedFd> {
        match &self.kind {
            Kind::Group(group) => group.members().iter().flat_map(queued).collect(),
            Kind::Single { listener, .. } => queued(listener).collect(),
        }
    }

    /// Whether this is the first warning.
    pub(super) fn is_first_warning(&mut self) -> bool {
        !mem::replace(&mut self.has_warned, true)
    }
}

/// The default length limit of a queue (`net.core.somaxconn`); more may come meanwhile.
const QUEUED: usize = 4096;

/// The kernel refuses accept(2) on UDP.
fn queued(listener: &Listener) -> impl Iterator<Item = OwnedFd> {
    std::iter::from_fn(|| listener.accept().ok().flatten()).take(QUEUED)
}

pub(super) fn has_connection(listener: &Listener) -> bool {
    // The kernel does not count the queue of a UNIX socket, but poll(2) shows whether it is empty.
    let length = listener.queue_length().ok();
    length.map_or_else(|| poll::is_readable(listener.as_fd()), |length| length > 0)
}
