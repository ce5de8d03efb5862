//! One address, its socket or sockets, and the workers that listen there.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{matching, steer};
use crate::address::ListenAddress;
use crate::cause::Cause;
use crate::channel::query::{Data, ListenerKey};
use crate::config::Balance;
use crate::steering::Program;
use crate::supervisor::{Member, WorkerId};
use crate::sys::listener::{Listener, Options, group::Group};
use crate::sys::poll;

/// The queue of connections that came while a single socket was being closed to new ones; no worker has
/// this member.
const LATE: Member = Member(1);

#[derive(Debug)]
pub(super) struct Port {
    pub(super) origin: Origin,
    pub(super) address: ListenAddress,
    /// How it was bound.
    pub(super) options: Options,
    sockets: Sockets,
    /// The first data that was not `null`: the session ticket keys for all workers' TLS servers.
    data: Option<Data>,
    /// One entry for each listen that is not closed.
    holders: Vec<Holder>,
    /// The last holder exited without closing it.
    pub(super) was_abandoned: bool,
    /// Earlier holders have the previous socket, which clients no longer reach.
    is_mixed: bool,
    steered: Option<Program>,
    /// No worker has served yet since the port was opened.
    is_provisional: bool,
    has_warned: bool,
    is_closed_to_new_connections: bool,
}

/// Where the port comes from, which decides when it is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// `--listen`: open until pidone exits.
    Named,
    /// Inherited: pidone does not shut it down.
    Inherited,
    /// An app asked for it, with this key without flags: open while workers use it.
    Asked(ListenerKey),
}

#[derive(Debug)]
struct Holder {
    worker: WorkerId,
    member: Member,
    /// The address of its query; `None`: it asked for a descriptor.
    wanted: Option<ListenAddress>,
}

#[derive(Debug)]
enum Sockets {
    /// A socket for each member.
    Group(Group),
    /// One for all members.
    Single {
        listener: Listener,
        /// A group with the same socket, created only to reject new connections.
        blackhole: Option<Group>,
    },
}

impl Port {
    pub(super) fn single(origin: Origin, address: ListenAddress, listener: Listener) -> Self {
        let blackhole = None;
        let sockets = Sockets::Single {
            listener,
            blackhole,
        };
        Self::new(origin, address, sockets)
    }

    pub(super) fn group(origin: Origin, address: ListenAddress, group: Group) -> Self {
        Self::new(origin, address, Sockets::Group(group))
    }

    fn new(origin: Origin, address: ListenAddress, sockets: Sockets) -> Self {
        Self {
            origin,
            address,
            options: Options::default(),
            sockets,
            data: None,
            holders: Vec::new(),
            was_abandoned: false,
            is_mixed: false,
            steered: None,
            is_provisional: true,
            has_warned: false,
            is_closed_to_new_connections: false,
        }
    }

    /// The program excludes each new member at once: no worker accepts from it yet.
    pub(super) fn grow(
        &mut self,
        members: usize,
        balance: Balance,
        steering: &[Option<Member>],
    ) -> io::Result<()> {
        while let Sockets::Group(group) = &mut self.sockets
            && !self.is_closed_to_new_connections
            && group.members().len() < members
        {
            group.add()?;
            self.steer(balance, steering);
        }
        Ok(())
    }

    /// The socket for a worker in that member.
    pub(super) fn socket(&self, member: Member) -> Option<&Listener> {
        match &self.sockets {
            Sockets::Group(group) => group.members().get(member.0),
            Sockets::Single { listener, .. } => Some(listener),
        }
    }

    /// Whether it has connections, not datagrams.
    pub(super) fn is_stream(&self) -> bool {
        !matches!(self.address, ListenAddress::Udp(_))
    }

    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        self.socket(Member(0))?.local_address().ok().flatten()
    }

    pub(super) fn holders(&self) -> impl Iterator<Item = (WorkerId, Member)> {
        self.holders
            .iter()
            .map(|holder| (holder.worker, holder.member))
    }

    pub(super) fn add_holder(
        &mut self,
        worker: WorkerId,
        member: Member,
        wanted: Option<ListenAddress>,
    ) {
        self.was_abandoned = false;
        self.holders.push(Holder {
            worker,
            member,
            wanted,
        });
    }

    pub(super) fn is_asked_for(&self) -> bool {
        matches!(self.origin, Origin::Asked(_))
    }

    pub(super) fn is_unheld(&self) -> bool {
        self.holders.is_empty()
    }

    /// Whether a worker listens there already, by this address or an equivalent one.
    pub(super) fn is_wanted_by(&self, worker: WorkerId, address: &ListenAddress) -> bool {
        let mut holders = self.holders.iter().filter(|holder| holder.worker == worker);
        let is_same = |its: &ListenAddress| matching::is_at(address, its);
        holders.any(|holder| holder.wanted.as_ref().is_some_and(is_same))
    }

    /// Removes one listen of a worker.
    pub(super) fn remove_holder(&mut self, worker: WorkerId) {
        if let Some(place) = self
            .holders
            .iter()
            .position(|holder| holder.worker == worker)
        {
            self.holders.swap_remove(place);
        }
    }

    pub(super) fn forget(&mut self, worker: WorkerId) {
        let before = self.holders.len();
        self.holders.retain(|holder| holder.worker != worker);
        self.was_abandoned |= self.holders.is_empty() && before > 0;
    }

    fn is_held_in(&self, member: Member) -> bool {
        self.holders.iter().any(|holder| holder.member == member)
    }

    /// Only TLS servers send data with their query (`lib/internal/cluster/child.js` takes it from
    /// `server._getServerData`, which only `lib/_tls_wrap.js` defines).
    pub(super) fn has_tls(&self) -> bool {
        self.data.is_some()
    }

    /// The data for the reply.
    pub(super) fn share_data(&mut self, own: &Data) -> Data {
        let is_null = own.as_json() == "null";
        if is_null {
            return own.clone();
        }
        self.data.get_or_insert_with(|| own.clone()).clone()
    }

    /// Sends new connections to these members, if workers listen there. Before any worker serves: to
    /// the members of the first ones. If no worker serves any more, nothing changes.
    pub(super) fn steer(&mut self, balance: Balance, members: &[Option<Member>]) {
        let Sockets::Group(group) = &self.sockets else {
            return;
        };
        // A single member cannot be steered, and gets all connections.
        if self.is_closed_to_new_connections || group.members().len() < 2 {
            return;
        }
        let has_no_holder = self.holders.is_empty();
        let mut program = steer::program(balance, members, |member| {
            has_no_holder || self.is_held_in(member)
        });
        if program.is_some() {
            self.is_provisional = false;
        } else if self.is_provisional {
            let holders: Vec<_> = self.holders().collect();
            let first = steer::first_members(group.members().len(), &holders);
            program = steer::program(balance, &first, |_| true);
        }
        let Some(program) = program.filter(|new| self.steered.as_ref() != Some(new)) else {
            return;
        };
        match group.steer(&program) {
            Ok(()) => self.steered = Some(program),
            Err(error) if !self.has_warned => {
                self.has_warned = true;
                log::warn!(
                    "{}: cannot steer new connections between workers: {}",
                    self.address,
                    Cause(&error)
                );
            }
            Err(_) => {}
        }
    }

    /// As far as possible: an abstract UNIX socket stays reachable by its name, and UDP has no
    /// connections.
    pub(super) fn close_to_new_connections(&mut self) -> io::Result<()> {
        if self.is_closed_to_new_connections || self.origin == Origin::Inherited {
            return Ok(());
        }
        match (&mut self.sockets, &self.address) {
            (Sockets::Group(group), _) => {
                // The program is replaced then, even if this fails.
                self.steered = None;
                self.is_provisional = true;
                group.close_to_new_connections()?;
            }
            (
                Sockets::Single {
                    listener,
                    blackhole,
                },
                ListenAddress::Tcp(_),
            ) => {
                let mut group = Group::new(listener.duplicate()?, 0)?;
                group.close_to_new_connections()?;
                *blackhole = Some(group);
            }
            (Sockets::Single { listener, .. }, ListenAddress::Unix(_)) => listener.unlink(),
            (Sockets::Single { .. }, ListenAddress::Udp(_)) => {}
        }
        self.is_closed_to_new_connections = true;
        Ok(())
    }

    /// The client addresses of pidone's own connections, which fill the blackhole listener.
    pub(super) fn own_connections(&self) -> Vec<SocketAddr> {
        match &self.sockets {
            Sockets::Group(group) => group.own_connections().collect(),
            Sockets::Single { blackhole, .. } => {
                let groups = blackhole.iter();
                groups.flat_map(Group::own_connections).collect()
            }
        }
    }

    /// Whether a connection waits that pidone is responsible for; `member`: in that member's own queue.
    pub(super) fn is_awaited(&self, member: Option<Member>) -> bool {
        match (&self.sockets, member) {
            _ if self.origin == Origin::Inherited || !self.is_stream() => false,
            (Sockets::Group(group), None) => group.members().iter().any(has_queue),
            (Sockets::Group(group), Some(member)) => {
                group.members().get(member.0).is_some_and(has_queue)
            }
            (Sockets::Single { listener, .. }, None) => {
                has_queue(listener) || self.late_queue().is_some_and(has_queue)
            }
            (Sockets::Single { .. }, Some(_)) => false,
        }
    }

    /// The length of a member's own queue; a shared queue belongs to no member.
    pub(super) fn queue(&self, member: Member) -> Option<u32> {
        match &self.sockets {
            Sockets::Group(group) => group.members().get(member.0)?.queue_length().ok(),
            Sockets::Single { .. } => None,
        }
    }

    /// The queues that pidone must empty itself.
    pub(super) fn orphaned_queues(
        &self,
        is_round_robin: bool,
        is_served: &impl Fn(Member) -> bool,
    ) -> impl Iterator<Item = (Member, BorrowedFd<'_>)> {
        let could_be_served = self.holders().any(|(_, member)| is_served(member));
        let is_mixed = self.is_mixed;
        let (sockets, is_group) = match &self.sockets {
            Sockets::Group(group) => (group.members(), true),
            Sockets::Single { listener, .. } => (std::slice::from_ref(listener), false),
        };
        let sockets = sockets.iter().enumerate();
        sockets
            .map(|(index, socket)| (Member(index), socket.as_fd()))
            .filter(move |(member, _)| {
                let is_orphan = is_group && !(self.is_held_in(*member) && is_served(*member));
                is_round_robin || is_mixed || is_orphan
            })
            .chain(
                self.late_queue()
                    .map(|late_queue| (LATE, late_queue.as_fd())),
            )
            .filter(move |_| could_be_served)
    }

    /// Whether clients can no longer reach the UNIX socket that pidone has bound.
    pub(super) fn has_lost_file(&self) -> bool {
        match &self.sockets {
            Sockets::Single { listener, .. } => !listener.has_file(),
            Sockets::Group(_) => false,
        }
    }

    /// Replaces the socket. Returns the connections in the previous one's queue. Workers that have that
    /// one get their connections from pidone.
    pub(super) fn rebind(&mut self, another: Listener) -> Vec<OwnedFd> {
        let Sockets::Single { listener, .. } = &mut self.sockets else {
            return Vec::new();
        };
        let before = std::mem::replace(listener, another);
        self.is_mixed = !self.holders.is_empty();
        queued(&before).collect()
    }

    /// Takes the connections out of the queues, because no worker will serve them there.
    pub(super) fn take_queue(self) -> Vec<OwnedFd> {
        match &self.sockets {
            Sockets::Group(group) => group.members().iter().flat_map(queued).collect(),
            Sockets::Single { listener, .. } if self.is_stream() => queued(listener).collect(),
            Sockets::Single { .. } => Vec::new(),
        }
    }

    /// Whether this is the first warning.
    pub(super) fn is_first_warning(&mut self) -> bool {
        !std::mem::replace(&mut self.has_warned, true)
    }

    pub(super) fn accept(&self, member: Member) -> io::Result<Option<OwnedFd>> {
        let queue = match &self.sockets {
            Sockets::Single { .. } if member == LATE => self.late_queue(),
            _ => self.socket(member),
        };
        queue.map_or(Ok(None), Listener::accept)
    }

    /// For one socket for all members: the queue of connections that came while it was being closed to
    /// new ones.
    fn late_queue(&self) -> Option<&Listener> {
        match &self.sockets {
            Sockets::Single { blackhole, .. } => blackhole.as_ref()?.members().get(LATE.0),
            Sockets::Group(_) => None,
        }
    }
}

/// The default length limit of a queue (`net.core.somaxconn`); more may come meanwhile.
const QUEUED: usize = 4096;

fn queued(listener: &Listener) -> impl Iterator<Item = OwnedFd> {
    std::iter::from_fn(|| listener.accept().ok().flatten()).take(QUEUED)
}

fn has_queue(listener: &Listener) -> bool {
    // The kernel does not count the queue of a UNIX socket, but poll(2) shows whether it is empty.
    let length = listener.queue_length().ok();
    length.map_or_else(|| poll::is_readable(listener.as_fd()), |length| length > 0)
}
