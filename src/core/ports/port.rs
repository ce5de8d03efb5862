//! One port, and the workers that listen there.

use alloc::vec::Vec;

use super::matching;
use super::steer::Admission;
use crate::address::ListenAddress;
use crate::channel::query::{Data, ListenerKey};
use crate::supervisor::{Member, WorkerId};

#[derive(Debug)]
pub(super) struct Port {
    pub(super) origin: Origin,
    pub(super) address: ListenAddress,
    /// The number of sockets in its group; `None`: one socket for all members.
    pub(super) members: Option<usize>,
    /// Where its new connections go.
    pub(super) admission: Admission,
    /// The first data that was not `null`: the session ticket keys for all workers' TLS servers.
    data: Option<Data>,
    /// One entry for each listen that is not closed.
    holders: Vec<Holder>,
    /// The last holder exited without closing it.
    pub(super) was_abandoned: bool,
    /// Earlier holders have the previous socket, which clients no longer reach.
    pub(super) is_mixed: bool,
    /// The worker that got the last connection which pidone accepted here.
    pub(super) last_taker: WorkerId,
}

/// Where a port comes from, which decides when it is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
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

impl Port {
    pub(super) fn new(origin: Origin, address: ListenAddress, is_group: bool) -> Self {
        Self {
            origin,
            address,
            members: is_group.then_some(1),
            admission: Admission::Unsteered,
            data: None,
            holders: Vec::new(),
            was_abandoned: false,
            is_mixed: false,
            last_taker: WorkerId(0),
        }
    }

    /// Whether it has connections, not datagrams.
    pub(super) fn is_stream(&self) -> bool {
        !matches!(self.address, ListenAddress::Udp(_))
    }

    pub(super) fn is_asked_for(&self) -> bool {
        matches!(self.origin, Origin::Asked(_))
    }

    /// Clients cannot know such a number beforehand, although all workers that ask for port 0 share
    /// one.
    pub(super) fn is_chosen_by_kernel(&self) -> bool {
        use ListenerKey::{Tcp, Udp};
        matches!(
            self.origin,
            Origin::Asked(Tcp { port: 0, .. } | Udp { port: 0, .. })
        )
    }

    pub(super) fn holders(&self) -> impl Iterator<Item = (WorkerId, Member)> {
        let holders = self.holders.iter();
        holders.map(|holder| (holder.worker, holder.member))
    }

    pub(super) fn is_unheld(&self) -> bool {
        self.holders.is_empty()
    }

    pub(super) fn is_held_by(&self, worker: WorkerId) -> bool {
        self.holders.iter().any(|holder| holder.worker == worker)
    }

    pub(super) fn is_held_in(&self, member: Member) -> bool {
        self.holders.iter().any(|holder| holder.member == member)
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

    /// Whether a worker listens there already, by this address or an equivalent one.
    pub(super) fn is_wanted_by(
        &self,
        worker: WorkerId,
        address: &ListenAddress,
        directory: &[u8],
    ) -> bool {
        let mut holders = self.holders.iter().filter(|holder| holder.worker == worker);
        let is_same = |its: &ListenAddress| matching::is_at(address, its, directory);
        holders.any(|holder| holder.wanted.as_ref().is_some_and(is_same))
    }

    /// Removes one listen of a worker.
    pub(super) fn remove_holder(&mut self, worker: WorkerId) {
        let place = |holder: &Holder| holder.worker == worker;
        if let Some(place) = self.holders.iter().position(place) {
            self.holders.swap_remove(place);
        }
    }

    pub(super) fn forget(&mut self, worker: WorkerId) {
        let before = self.holders.len();
        self.holders.retain(|holder| holder.worker != worker);
        self.was_abandoned |= self.holders.is_empty() && before > 0;
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
}
