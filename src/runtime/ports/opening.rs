//! Opens ports: at the start, and for apps.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use super::error::OpenError;
use super::sockets::Sockets;
use super::{PortId, Ports};
use crate::address::ListenAddress;
use crate::channel::cluster::HandleKind;
use crate::channel::query::{Data, Query};
use crate::config::Balance;
use crate::errno;
use crate::ports::{BindOptions, Occupant, Origin, Wanted};
use crate::runtime::notices;
use crate::supervisor::{Member, WorkerId};
use crate::sys::activation::{self, Inherited};
use crate::sys::listener::{Listener, interface_index};

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

impl Ports {
    /// Adds the inherited sockets, and binds the addresses of `--listen` that none of them has. Workers
    /// inherit them in this order.
    ///
    /// # Errors
    /// The first address that cannot be bound.
    pub fn open(
        &mut self,
        balance: Balance,
        addresses: &[ListenAddress],
        inherited: Vec<Inherited>,
    ) -> Result<(), OpenError> {
        for socket in inherited {
            if balance == Balance::SourceIp && matches!(socket.address, ListenAddress::Tcp(_)) {
                notices::inherited_is_shared(&socket.address);
            }
            let mut sockets = Sockets::single(socket.listener, BindOptions::default());
            sockets.name = socket.name;
            let id = self
                .registry
                .insert(Origin::Inherited, socket.address, false);
            self.sockets.insert(id, sockets);
        }
        for address in addresses {
            let failed = |cause| OpenError {
                address: address.clone(),
                cause,
            };
            match self.registry.origin_at(address) {
                Some(Origin::Inherited) => continue,
                Some(_) => return Err(failed(None)),
                None => {}
            }
            let id = self
                .bind(Origin::Named, address, BindOptions::default())
                .map_err(|cause| failed(Some(cause)))?;
            let name = activation::name(self.registry.address(id).unwrap_or(address));
            if let Some(sockets) = self.sockets.get_mut(id) {
                sockets.name = name;
            }
        }
        Ok(())
    }

    /// Answers a worker's query. The worker then holds the port, except after a failure.
    pub fn query(&mut self, worker: WorkerId, member: Member, query: &Query) -> Answer {
        let key = match &query.listener {
            Ok(key) => key,
            Err(errno) => return Answer::Failure(*errno),
        };
        let scope = key.zone().and_then(interface_index).unwrap_or_default();
        let wanted = Wanted::new(key, query.backlog, scope);
        let answer = self
            .find_or_bind(worker, &wanted)
            .and_then(|id| self.hand_out(id, (worker, member), &wanted, &query.data));
        answer.unwrap_or_else(|error| Answer::Failure(error.raw_os_error().unwrap_or(errno::EIO)))
    }

    fn find_or_bind(&mut self, worker: WorkerId, wanted: &Wanted) -> io::Result<PortId> {
        let Some(id) = self.registry.find(wanted).map_err(failure)? else {
            return self.bind_for_app(wanted);
        };
        if wanted.address().is_some() && self.sockets.get(id).is_some_and(Sockets::has_lost_file) {
            self.ensure_file(id)?;
        } else {
            let may = self.registry.may_listen(id, worker, wanted);
            may.map_err(failure)?;
        }
        Ok(id)
    }

    /// Binds what an app asks for. A port that an app opened and no worker holds is closed if it
    /// conflicts; its waiting connections go to the new one.
    fn bind_for_app(&mut self, wanted: &Wanted) -> io::Result<PortId> {
        let address = wanted.address();
        let address = address.ok_or_else(|| failure(errno::EINVAL))?;
        let unheld = self.registry.may_open(address).map_err(|errno| {
            if errno == errno::EMFILE && !std::mem::replace(&mut self.has_hit_limit, true) {
                notices::too_many_ports(address);
            }
            failure(errno)
        })?;
        if let Some(unheld) = unheld {
            self.sockets.remove(unheld);
        }
        let error = match self.bind(wanted.origin(), address, wanted.options) {
            Err(error) if error.raw_os_error() == Some(errno::EADDRINUSE) => error,
            bound => return bound,
        };
        let rivals = match self.registry.occupant(address) {
            Occupant::Same(id) => return Ok(id),
            Occupant::Other => return Err(error),
            Occupant::Unheld(rivals) => rivals.into_iter(),
        };
        let rivals = rivals.filter_map(|id| self.sockets.remove(id));
        let waiting: Vec<_> = rivals.flat_map(Sockets::take_queue).collect();
        let id = self.bind(wanted.origin(), address, wanted.options)?;
        self.displace(id, waiting);
        Ok(id)
    }

    fn bind(
        &mut self,
        origin: Origin,
        address: &ListenAddress,
        options: BindOptions,
    ) -> io::Result<PortId> {
        let listener = Listener::bind(address, options)?;
        // With the port that the kernel chose.
        let bound = listener.address()?.unwrap_or_else(|| address.clone());
        let is_group = self.registry.is_for_group(address);
        let sockets = if is_group {
            Sockets::group(listener, options)?
        } else {
            Sockets::single(listener, options)
        };
        let id = self.registry.insert(origin, bound, is_group);
        self.sockets.insert(id, sockets);
        if let Err(error) = self.grow(id, self.members) {
            self.registry.remove(id);
            self.sockets.remove(id);
            return Err(error);
        }
        Ok(id)
    }

    fn hand_out(
        &mut self,
        id: PortId,
        (worker, member): (WorkerId, Member),
        wanted: &Wanted,
        data: &Data,
    ) -> io::Result<Answer> {
        let kind = self.registry.handout(id, worker).map_err(failure)?;
        if kind.is_some() {
            self.grow(id, member.0 + 1)?;
        }
        let gone = || failure(errno::EINVAL);
        let sockets = self.sockets.get(id).ok_or_else(gone)?;
        let socket = match kind {
            Some(kind) => {
                let socket = sockets.of_member(member).ok_or_else(gone)?;
                Ok((socket.as_fd().try_clone_to_owned()?, kind))
            }
            None => Err(sockets.local_address()),
        };
        let port = id;
        let data = self.registry.hold(id, (worker, member), wanted, data);
        self.steer();
        Ok(match socket {
            Ok((handle, kind)) => Answer::Listener {
                port,
                handle,
                kind,
                data,
            },
            Err(address) => Answer::RoundRobin {
                port,
                address,
                data,
            },
        })
    }

    /// Binds a UNIX socket again if its file is gone or replaced: many apps remove the file before they
    /// listen. Waiting connections go to the new socket.
    fn ensure_file(&mut self, id: PortId) -> io::Result<()> {
        let sockets = self.sockets.get_mut(id).filter(|it| it.has_lost_file());
        let Some((sockets, address)) = sockets.zip(self.registry.address(id)) else {
            return Ok(());
        };
        if !self.registry.may_create_files() {
            if sockets.is_first_warning() {
                notices::socket_file_removed(address);
            }
            return Ok(());
        }
        let listener = Listener::bind(address, sockets.options)?;
        let waiting = sockets.rebind(listener);
        self.registry.rebound(id);
        self.displace(id, waiting);
        Ok(())
    }

    pub(super) fn ensure_files(&mut self) {
        for id in self.registry.ids().collect::<Vec<_>>() {
            if let Err(error) = self.ensure_file(id)
                && let Some(sockets) = self.sockets.get_mut(id)
                && sockets.is_first_warning()
            {
                notices::socket_file_gone(&self.name(id), &error);
            }
        }
    }

    fn displace(&mut self, to: PortId, waiting: Vec<OwnedFd>) {
        let waiting = waiting.into_iter().map(|connection| (to, connection));
        self.displaced.extend(waiting);
    }

    /// Connections from ports that were closed for another one, for the workers that listen on the new
    /// one.
    pub fn take_displaced(&mut self) -> impl Iterator<Item = (PortId, OwnedFd)> {
        self.displaced.drain(..)
    }
}

fn failure(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}
