//! Ports without a holder: they are closed when no starting worker may want them, or when they conflict
//! with a requested port. Also the check for workers that listen on different ports.

use std::fmt::Write;
use std::io;
use std::os::fd::OwnedFd;

use super::port::{Origin, Port};
use super::{LIMIT, PortId, Ports, failure, matching};
use crate::address::ListenAddress;
use crate::channel::query::ListenerKey;
use crate::supervisor::WorkerId;
use crate::sys::listener::{Listener, Options};

use crate::errno;

/// Static file servers and free-port finders do this: pidone itself, or another worker, uses the port.
const HINT: &str =
    "; if the app takes another port when its own is in use, turn that off, or run it without -i";

/// A warning names at most so many ports.
const NAMED: usize = 8;

/// The addresses that make up the service, as far as can be known.
#[derive(Debug, Default)]
pub(super) struct Common {
    addresses: Vec<ListenAddress>,
    /// There were several workers, and each listened at all of them.
    is_shared: bool,
    /// The addresses as text, when no worker listens on any of them and the workers share no other.
    lost: Option<String>,
}

impl Ports {
    /// The addresses of the service, when no worker listens there any longer: clients are refused,
    /// however many workers run. [`Self::compare`] finds out.
    #[must_use]
    pub fn lost(&self) -> Option<&str> {
        self.common.lost.as_deref()
    }

    /// Whether the port is still open.
    #[must_use]
    pub fn contains(&self, port: PortId) -> bool {
        self.ports.get(port).is_some()
    }

    /// Its address, for messages.
    #[must_use]
    pub fn name(&self, port: PortId) -> String {
        let port = self.ports.get(port);
        port.map_or_else(String::new, |port| port.address.to_string())
    }

    /// Connections from ports that were closed for another one, for the workers that listen on the new
    /// one.
    pub fn take_displaced(&mut self) -> impl Iterator<Item = (PortId, OwnedFd)> {
        self.displaced.drain(..)
    }

    /// Closes the ports that apps opened and no worker holds; waiting clients are refused.
    pub fn close_unheld(&mut self) {
        let unheld: Vec<_> = self.unheld().collect();
        let closed = unheld.into_iter().filter_map(|id| self.ports.remove(id));
        let mut abandoned = Vec::new();
        for port in closed {
            log::debug!("{}: closed", port.address);
            if port.was_abandoned {
                abandoned.push(port.address.to_string());
            }
        }
        if !abandoned.is_empty() {
            log::warn!(
                "closed {}: the workers that listened there have exited, and no other worker does{HINT}",
                listed(&abandoned)
            );
        }
        self.has_hit_limit = false;
    }

    /// A worker has become another program (execve(2)) that does not use its ports, and may bind them
    /// itself.
    pub fn release(&mut self, worker: WorkerId) {
        let asked = self.ports.iter().filter(|(_, port)| port.is_asked_for());
        for id in asked.map(|(id, _)| id).collect::<Vec<_>>() {
            let Some(port) = self.ports.get_mut(id) else {
                continue;
            };
            if port.holders().any(|(holder, _)| holder == worker) {
                port.forget(worker);
                if port.is_unheld() {
                    self.ports.remove(id);
                }
            }
        }
        self.steer_all();
    }

    /// Warns once if these workers, each with its instance number, listen on different ports.
    pub fn compare(&mut self, workers: &[(WorkerId, usize)]) {
        let mut apart = Vec::new();
        let mut shared = Vec::new();
        for port in self.ports.values() {
            let listens = |(worker, _): &&(WorkerId, usize)| {
                port.holders().any(|(holder, _)| holder == *worker)
            };
            let mut numbers: Vec<_> = workers.iter().filter(listens).map(|it| it.1).collect();
            numbers.sort_unstable();
            if let Some((first, others)) = numbers.split_first()
                && numbers.len() < workers.len()
            {
                let s = if others.is_empty() { "" } else { "s" };
                let mut text = format!("{} only in worker{s} {first}", port.address);
                for number in others {
                    let _ = write!(text, ", {number}");
                }
                apart.push(text);
            } else if !numbers.is_empty() && !is_chosen_by_kernel(port) {
                shared.push(port.address.clone());
            }
        }
        self.remember(shared, workers.len() > 1);
        if !apart.is_empty() && apart != self.last_difference {
            log::warn!(
                "workers listen on different ports: {}; connections to a port reach only the workers that listen on it{HINT}",
                listed(&apart)
            );
        }
        self.last_difference = apart;
    }

    /// Takes the addresses at which all workers listen. If there are none, the last ones are compared
    /// with what is open now. A new version of the app may listen elsewhere, but then its workers share
    /// that; and ports of one worker each may change every time, as long as the app itself names them.
    fn remember(&mut self, shared: Vec<ListenAddress>, by_several: bool) {
        let held = self.ports.values().filter(|port| !port.is_unheld());
        let named = held.filter(|port| !is_chosen_by_kernel(port));
        let named: Vec<_> = named.map(|port| port.address.clone()).collect();
        let common = &mut self.common;
        common.lost = None;
        if !shared.is_empty() {
            common.addresses = shared;
            common.is_shared = by_several;
        } else if common.addresses.is_empty() || !common.is_shared && !named.is_empty() {
            common.addresses = named;
        } else if !common.addresses.iter().any(|last| named.contains(last)) {
            let names = common.addresses.iter().map(ToString::to_string);
            common.lost = Some(listed(&names.collect::<Vec<_>>()));
        }
    }

    /// Binds what an app asks for. A port that an app opened and no worker holds is closed if it
    /// conflicts; its waiting connections go to the new one.
    pub(super) fn bind_for_app(
        &mut self,
        origin: Origin,
        address: &ListenAddress,
        options: Options,
    ) -> io::Result<PortId> {
        self.make_room(address)?;
        let error = match self.bind(origin.clone(), address, options) {
            Err(error) if error.raw_os_error() == Some(errno::EADDRINUSE) => error,
            bound => return bound,
        };
        // The kernel may have chosen this number for another worker's port 0.
        let same = |port: &Port| port.is_asked_for() && matching::is_same(address, &port.address);
        if let Some((id, _)) = self.ports.iter().find(|(_, port)| same(port)) {
            return Ok(id);
        }
        let rivals: Vec<_> = self
            .unheld()
            .filter(|id| {
                let rival = self.ports.get(*id);
                rival.is_some_and(|port| matching::collide(address, &port.address))
            })
            .collect();
        if rivals.is_empty() {
            return Err(error);
        }
        let rivals = rivals.into_iter().filter_map(|id| self.ports.remove(id));
        let waiting: Vec<_> = rivals.flat_map(|port| port.take_queue()).collect();
        let id = self.bind(origin, address, options)?;
        self.displaced
            .extend(waiting.into_iter().map(|connection| (id, connection)));
        Ok(id)
    }

    /// Makes sure that one more port may be opened: closes the oldest without a holder if necessary.
    fn make_room(&mut self, wanted: &ListenAddress) -> io::Result<()> {
        if self.ports.len() < LIMIT + self.passed_on.len() {
            return Ok(());
        }
        let oldest = self.unheld().next();
        if oldest.and_then(|id| self.ports.remove(id)).is_some() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.has_hit_limit, true) {
            log::warn!(
                "{wanted}: a worker cannot listen there, because workers have {LIMIT} ports open already, the most that pidone holds for them (EMFILE)"
            );
        }
        Err(failure(errno::EMFILE))
    }

    /// Binds a UNIX socket again if its file is gone or replaced: many apps remove the file before they
    /// listen. Waiting connections go to the new socket.
    pub(super) fn ensure_file(&mut self, id: PortId) -> io::Result<()> {
        let may_bind = self.may_bind_files() && !self.is_closed_to_new_connections;
        let Some(port) = self.ports.get_mut(id).filter(|port| port.has_lost_file()) else {
            return Ok(());
        };
        if !may_bind {
            if port.is_first_warning() {
                log::warn!(
                    "{}: a worker has removed the file, so no client finds the socket; with --user pidone does not create it again: the app must not remove it",
                    port.address
                );
            }
            return Ok(());
        }
        let listener = Listener::bind(&port.address, port.options)?;
        let waiting = port.rebind(listener);
        self.displaced
            .extend(waiting.into_iter().map(|connection| (id, connection)));
        Ok(())
    }

    pub(super) fn ensure_files(&mut self) {
        let lost = self.ports.iter().filter(|(_, port)| port.has_lost_file());
        for id in lost.map(|(id, _)| id).collect::<Vec<_>>() {
            if let Err(error) = self.ensure_file(id)
                && let Some(port) = self.ports.get_mut(id)
                && port.is_first_warning()
            {
                log::warn!(
                    "{}: the file is gone, so no client finds the socket, and pidone cannot create it again: {error}",
                    port.address
                );
            }
        }
    }

    fn unheld(&self) -> impl Iterator<Item = PortId> {
        let ports = self.ports.iter();
        ports.filter_map(|(id, port)| (port.is_asked_for() && port.is_unheld()).then_some(id))
    }
}

/// Clients cannot know such a number beforehand, although all workers that ask for port 0 share one.
fn is_chosen_by_kernel(port: &Port) -> bool {
    use ListenerKey::{Tcp, Udp};
    matches!(
        port.origin,
        Origin::Asked(Tcp { port: 0, .. } | Udp { port: 0, .. })
    )
}

/// At most `NAMED` items.
fn listed(things: &[String]) -> String {
    let mut text = things
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    if things.len() > NAMED {
        let _ = write!(text, " and {} more", things.len() - NAMED);
    }
    text
}
