//! One address, the socket or sockets on it, and the workers that listen there.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{matching, steer};
use crate::address::ListenAddress;
use crate::cause::Cause;
use crate::config::Balance;
use crate::protocol::query::{Data, ListenerKey};
use crate::steering::Program;
use crate::supervisor::{Member, WorkerId};
use crate::sys::listener::{Listener, Options, group::Group};
use crate::sys::poll;

/// The member of no worker, where one socket is for all of them.
const ASIDE: Member = Member(1);

#[derive(Debug)]
pub(super) struct Port {
    pub(super) origin: Origin,
    pub(super) address: ListenAddress,
    /// How it was bound.
    pub(super) options: Options,
    sockets: Sockets,
    /// The first that was not `null`: the session ticket keys of all workers' TLS server.
    data: Option<Data>,
    /// Who listens here; as often as it asked and did not close.
    holders: Vec<Holder>,
    /// The last holder is gone, and did not close.
    pub(super) was_abandoned: bool,
    /// Holders from before have the socket that was here first, which clients find no more.
    is_mixed: bool,
    steered: Option<Program>,
    /// Nobody has served yet since it is there.
    is_provisional: bool,
    has_complained: bool,
    is_closed_to_new_connections: bool,
}

/// Why it is there, and so how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// `--listen`: as long as pidone.
    Named,
    /// pidone was given it, and does not end what its giver has begun.
    Inherited,
    /// An app asked for it, in these words less their flags: as long as workers use it.
    Asked(ListenerKey),
}

#[derive(Debug)]
struct Holder {
    worker: WorkerId,
    member: Member,
    /// What it has asked for, unless that was a descriptor.
    wanted: Option<ListenAddress>,
}

#[derive(Debug)]
enum Sockets {
    /// A socket for each member.
    Group(Group),
    /// One for all members.
    Single {
        listener: Listener,
        /// A group of the same socket, made only to keep new connections out.
        shut: Option<Group>,
    },
}

impl Port {
    pub(super) fn single(origin: Origin, address: ListenAddress, listener: Listener) -> Self {
        let shut = None;
        let sockets = Sockets::Single { listener, shut };
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
            has_complained: false,
            is_closed_to_new_connections: false,
        }
    }

    /// Each new member is steered past at once: nobody accepts from it yet.
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

    /// What a worker in that member listens on.
    pub(super) fn socket(&self, member: Member) -> Option<&Listener> {
        match &self.sockets {
            Sockets::Group(group) => group.members().get(member.0),
            Sockets::Single { listener, .. } => Some(listener),
        }
    }

    /// Whether connections come here, not datagrams.
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

    /// Whether a worker listens there already, by this name or another one.
    pub(super) fn is_wanted_by(&self, worker: WorkerId, address: &ListenAddress) -> bool {
        let mut holders = self.holders.iter().filter(|holder| holder.worker == worker);
        let is_same = |its: &ListenAddress| matching::is_at(address, its);
        holders.any(|holder| holder.wanted.as_ref().is_some_and(is_same))
    }

    /// One listen less of a worker's.
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

    /// Of all servers only TLS' send data with their query (`lib/internal/cluster/child.js` takes it
    /// from `server._getServerData`, which `lib/_tls_wrap.js` alone defines).
    pub(super) fn has_tls(&self) -> bool {
        self.data.is_some()
    }

    /// The data to answer with.
    pub(super) fn share_data(&mut self, own: &Data) -> Data {
        let is_null = own.as_json() == "null";
        if is_null {
            return own.clone();
        }
        self.data.get_or_insert_with(|| own.clone()).clone()
    }

    /// Sends new connections to these members, as far as somebody listens there. Before anybody serves:
    /// where the first ones will. With nobody left, all stays as it is.
    pub(super) fn steer(&mut self, balance: Balance, members: &[Option<Member>]) {
        let Sockets::Group(group) = &self.sockets else {
            return;
        };
        // One alone cannot be steered, and gets everybody.
        if self.is_closed_to_new_connections || group.members().len() < 2 {
            return;
        }
        let is_anybodys = self.holders.is_empty();
        let mut program = steer::program(balance, members, |member| {
            is_anybodys || self.is_held_in(member)
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
            Err(error) if !self.has_complained => {
                self.has_complained = true;
                log::warn!(
                    "{}: the kernel does not let pidone choose who gets new connections: {}",
                    self.address,
                    Cause(&error)
                );
            }
            Err(_) => {}
        }
    }

    /// As far as that can be: of a UNIX socket without a file everybody knows the name, and UDP
    /// knows no connections.
    pub(super) fn close_to_new_connections(&mut self) -> io::Result<()> {
        if self.is_closed_to_new_connections || self.origin == Origin::Inherited {
            return Ok(());
        }
        match (&mut self.sockets, &self.address) {
            (Sockets::Group(group), _) => {
                // The steering is another one then, whether that succeeds or not.
                self.steered = None;
                self.is_provisional = true;
                group.close_to_new_connections()?;
            }
            (Sockets::Single { listener, shut }, ListenAddress::Tcp(_)) => {
                let mut group = Group::new(listener.duplicate()?, 0)?;
                group.close_to_new_connections()?;
                *shut = Some(group);
            }
            (Sockets::Single { listener, .. }, ListenAddress::Unix(_)) => listener.unlink(),
            (Sockets::Single { .. }, ListenAddress::Udp(_)) => {}
        }
        self.is_closed_to_new_connections = true;
        Ok(())
    }

    /// Whence the connections come that keep new connections out.
    pub(super) fn own_connections(&self) -> Vec<SocketAddr> {
        match &self.sockets {
            Sockets::Group(group) => group.own_connections().collect(),
            Sockets::Single { shut, .. } => {
                let groups = shut.iter();
                groups.flat_map(Group::own_connections).collect()
            }
        }
    }

    /// Whether a connection is in the queue, which pidone answers for; `member`: in that member's own.
    pub(super) fn is_awaited(&self, member: Option<Member>) -> bool {
        match (&self.sockets, member) {
            _ if self.origin == Origin::Inherited || !self.is_stream() => false,
            (Sockets::Group(group), None) => group.members().iter().any(has_queue),
            (Sockets::Group(group), Some(member)) => {
                group.members().get(member.0).is_some_and(has_queue)
            }
            (Sockets::Single { listener, .. }, None) => {
                has_queue(listener) || self.aside().is_some_and(has_queue)
            }
            (Sockets::Single { .. }, Some(_)) => false,
        }
    }

    /// The length of a member's own queue; one that is shared is nobody's.
    pub(super) fn queue(&self, member: Member) -> Option<u32> {
        match &self.sockets {
            Sockets::Group(group) => group.members().get(member.0)?.queue_length().ok(),
            Sockets::Single { .. } => None,
        }
    }

    /// The queues that pidone has to empty itself.
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
            .chain(self.aside().map(|aside| (ASIDE, aside.as_fd())))
            .filter(move |_| could_be_served)
    }

    /// Whether clients do not find the UNIX socket any more that pidone has bound.
    pub(super) fn has_lost_file(&self) -> bool {
        match &self.sockets {
            Sockets::Single { listener, .. } => !listener.has_file(),
            Sockets::Group(_) => false,
        }
    }

    /// Another socket is here from now on; returns those who wait at the one before. Workers that have
    /// that one get their connections from pidone.
    pub(super) fn rebind(&mut self, another: Listener) -> Vec<OwnedFd> {
        let Sockets::Single { listener, .. } = &mut self.sockets else {
            return Vec::new();
        };
        let before = std::mem::replace(listener, another);
        self.is_mixed = !self.holders.is_empty();
        queued(&before).collect()
    }

    /// Nobody is to serve what waits here: it is taken out.
    pub(super) fn take_queue(self) -> Vec<OwnedFd> {
        match &self.sockets {
            Sockets::Group(group) => group.members().iter().flat_map(queued).collect(),
            Sockets::Single { listener, .. } if self.is_stream() => queued(listener).collect(),
            Sockets::Single { .. } => Vec::new(),
        }
    }

    /// Whether a complaint is the first.
    pub(super) fn complains(&mut self) -> bool {
        !std::mem::replace(&mut self.has_complained, true)
    }

    pub(super) fn accept(&self, member: Member) -> io::Result<Option<OwnedFd>> {
        let queue = match &self.sockets {
            Sockets::Single { .. } if member == ASIDE => self.aside(),
            _ => self.socket(member),
        };
        queue.map_or(Ok(None), Listener::accept)
    }

    /// Of one socket for all members: where those wait who came while new connections were being shut out.
    fn aside(&self) -> Option<&Listener> {
        match &self.sockets {
            Sockets::Single { shut, .. } => shut.as_ref()?.members().get(ASIDE.0),
            Sockets::Group(_) => None,
        }
    }
}

/// As many as a queue can hold by default (`net.core.somaxconn`); more may come in the meantime.
const QUEUED: usize = 4096;

fn queued(listener: &Listener) -> impl Iterator<Item = OwnedFd> {
    std::iter::from_fn(|| listener.accept().ok().flatten()).take(QUEUED)
}

fn has_queue(listener: &Listener) -> bool {
    // What the kernel does not count, which is a UNIX socket's, it still shows.
    let length = listener.queue_length().ok();
    length.map_or_else(|| poll::is_readable(listener.as_fd()), |length| length > 0)
}
