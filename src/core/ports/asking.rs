//! Which port a query means, who may have it, and who listens on it.

use alloc::vec::Vec;

use super::port::{Origin, Port};
use super::{BindRights, LIMIT, PortId, Registry, Wanted, matching};
use crate::address::ListenAddress;
use crate::channel::cluster::HandleKind;
use crate::channel::query::{Data, ListenerKey};
use crate::errno::{EACCES, EADDRINUSE, EINVAL, EMFILE, ESHUTDOWN};
use crate::rules::Balance;
use crate::supervisor::{Member, WorkerId};

/// The first descriptor that a worker inherits (`SD_LISTEN_FDS_START`, sd_listen_fds(3)).
const FIRST: i32 = 3;

/// What has an address that the kernel finds in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occupant {
    /// A port that is the same one: the kernel may have chosen its number for another worker's
    /// port 0.
    Same(PortId),
    /// These ports without a holder, which are closed now; their waiting connections belong to the
    /// new one.
    Unheld(Vec<PortId>),
    /// Another worker or another program.
    Other,
}

impl Registry {
    /// The port that a query means; `None`: it is not open. A descriptor must have the kind in the
    /// query, otherwise Node.js' own primary answers `EINVAL` too.
    ///
    /// # Errors
    /// An errno(3) for the app.
    pub fn find(&self, wanted: &Wanted) -> Result<Option<PortId>, i32> {
        let Some(address) = &wanted.address else {
            return self.descriptor(&wanted.key).ok_or(EINVAL).map(Some);
        };
        let origin = wanted.origin();
        let asked = self.ports.iter().find(|(_, port)| port.origin == origin);
        let found = asked.or_else(|| self.fixed_at(address));
        Ok(found.map(|(id, _)| id))
    }

    fn descriptor(&self, key: &ListenerKey) -> Option<PortId> {
        let ListenerKey::Fd { number, is_udp } = key else {
            return None;
        };
        let place = usize::try_from(number.checked_sub(FIRST)?).ok()?;
        let id = self.passed_on().nth(place)?;
        let is_stream = self.ports.get(id)?.is_stream();
        (is_stream != *is_udp).then_some(id)
    }

    /// Where the port of `--listen` or the inherited port for this address comes from.
    #[must_use]
    pub fn origin_at(&self, address: &ListenAddress) -> Option<&Origin> {
        self.fixed_at(address).map(|(_, port)| &port.origin)
    }

    /// An exact match comes first: `--listen` can name `0.0.0.0:80` beside an inherited IPv6 socket.
    fn fixed_at(&self, address: &ListenAddress) -> Option<(PortId, &Port)> {
        let fixed = || self.ports.iter().filter(|(_, port)| !port.is_asked_for());
        let is_at = |port: &Port| matching::is_at(address, &port.address, &self.directory);
        fixed()
            .find(|(_, port)| port.address == *address)
            .or_else(|| fixed().find(|(_, port)| is_at(port)))
    }

    /// Whether a worker may listen on an open port.
    ///
    /// # Errors
    /// An errno(3) for the app: it listens there already.
    pub fn may_listen(&self, port: PortId, worker: WorkerId, wanted: &Wanted) -> Result<(), i32> {
        let is_wanted = |address| {
            let port = self.ports.get(port);
            port.is_some_and(|port| port.is_wanted_by(worker, address, &self.directory))
        };
        let address = wanted.address.as_ref();
        if address.is_some_and(is_wanted) && !wanted.options.reuse_address {
            return Err(EADDRINUSE);
        }
        Ok(())
    }

    /// Whether an app may open another port. Returns the port that is closed for it, because there
    /// would be too many.
    ///
    /// # Errors
    /// An errno(3) for the app.
    pub fn may_open(&mut self, address: &ListenAddress) -> Result<Option<PortId>, i32> {
        if self.is_closed {
            return Err(ESHUTDOWN);
        }
        if let BindRights::Less { ports_from } = self.rights
            && !matching::is_for_everybody(address, ports_from)
        {
            return Err(EACCES);
        }
        if self.ports.len() < LIMIT + self.passed_on().count() {
            return Ok(None);
        }
        let oldest = self.unheld().next().ok_or(EMFILE)?;
        self.ports.remove(oldest);
        Ok(Some(oldest))
    }

    /// What is in the way when the kernel finds an address in use.
    pub fn occupant(&mut self, address: &ListenAddress) -> Occupant {
        let same = |port: &Port| port.is_asked_for() && matching::is_same(address, &port.address);
        if let Some((id, _)) = self.ports.iter().find(|(_, port)| same(port)) {
            return Occupant::Same(id);
        }
        let rivals: Vec<_> = self
            .unheld()
            .filter(|id| {
                let rival = self.address(*id);
                rival.is_some_and(|rival| matching::collide(address, rival))
            })
            .collect();
        if rivals.is_empty() {
            return Occupant::Other;
        }
        for rival in &rivals {
            self.ports.remove(*rival);
        }
        Occupant::Unheld(rivals)
    }

    /// Whether pidone may create a socket's file again: only if the workers have the same rights.
    #[must_use]
    pub fn may_create_files(&self) -> bool {
        matches!(self.rights, BindRights::Own) && !self.is_closed
    }

    /// The single socket of a port was bound again: workers that have the previous one get their
    /// connections from pidone.
    pub fn rebound(&mut self, port: PortId) {
        if let Some(port) = self.ports.get_mut(port) {
            port.is_mixed = !port.is_unheld();
        }
    }

    /// The kind of the socket that a worker gets on a port; `None`: it gets connections that pidone
    /// accepts (round robin).
    ///
    /// # Errors
    /// An errno(3) for the app.
    pub fn handout(&self, port: PortId, worker: WorkerId) -> Result<Option<HandleKind>, i32> {
        let port = self.ports.get(port).ok_or(EINVAL)?;
        if port.holders().filter(|(id, _)| *id == worker).count() >= LIMIT {
            return Err(EMFILE);
        }
        Ok(match port.is_stream() {
            true if self.is_round_robin() => None,
            true => Some(HandleKind::Stream),
            false => Some(HandleKind::Datagram),
        })
    }

    /// The worker holds the port from now on. Returns the data for the reply.
    pub fn hold(
        &mut self,
        port: PortId,
        (worker, member): (WorkerId, Member),
        wanted: &Wanted,
        data: &Data,
    ) -> Data {
        let Some(port) = self.ports.get_mut(port) else {
            return data.clone();
        };
        port.add_holder(worker, member, wanted.address.clone());
        port.share_data(data)
    }

    /// An app has closed a server. Not to be called for a draining worker: the connections in its
    /// queue are still its own.
    pub fn closed(&mut self, port: PortId, worker: WorkerId) {
        if let Some(port) = self.ports.get_mut(port) {
            port.remove_holder(worker);
        }
    }

    /// A worker has exited. Its ports and their accept queues remain.
    pub fn forget(&mut self, worker: WorkerId) {
        for port in self.ports.values_mut() {
            port.forget(worker);
        }
    }

    pub(super) fn is_round_robin(&self) -> bool {
        self.balance == Balance::RoundRobin
    }
}
