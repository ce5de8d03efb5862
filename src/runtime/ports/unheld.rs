//! Ports that no worker listens on: closed when nobody is on the way who may want them, or as soon
//! as they are in the way of one that is wanted. And workers that listen on different ports.

use std::fmt::Write;
use std::io;
use std::os::fd::OwnedFd;

use super::port::{Origin, Port};
use super::{LIMIT, PortId, Ports, failure, matching};
use crate::address::ListenAddress;
use crate::supervisor::WorkerId;
use crate::sys::listener::{Listener, Options};

use super::error::errno;

/// What static file servers do, and what finders of free ports are for: the port is in use by pidone
/// itself, or by the worker next door.
const HINT: &str = "; if the app takes another port when its own is in use, turn that off";

/// A warning names so many ports.
const NAMED: usize = 8;

impl Ports {
    /// Whether it is still open.
    #[must_use]
    pub fn contains(&self, port: PortId) -> bool {
        self.ports.get(port).is_some()
    }

    /// Its address, for people.
    #[must_use]
    pub fn name(&self, port: PortId) -> String {
        let port = self.ports.get(port);
        port.map_or_else(String::new, |port| port.address.to_string())
    }

    /// Connections that waited for a port in place of which another one was opened: they are for
    /// who listens there.
    pub fn take_displaced(&mut self) -> impl Iterator<Item = (PortId, OwnedFd)> {
        self.displaced.drain(..)
    }

    /// Closes what apps have asked for and no worker listens on; clients that wait there are refused.
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

    /// A worker has become a program that knows nothing of its ports, and may bind them itself.
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

    /// Says where these workers, each with its number, do not listen on the same ports; once.
    pub fn compare(&mut self, workers: &[(WorkerId, usize)]) {
        let mut apart = Vec::new();
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
            }
        }
        if !apart.is_empty() && apart != self.told_apart {
            log::warn!(
                "workers listen on different ports: {}; connections to a port reach only the workers that listen on it{HINT}",
                listed(&apart)
            );
        }
        self.told_apart = apart;
    }

    /// Binds what an app asks for. A port of pidone's own that nobody holds is in nobody's way: it
    /// makes room, and those who wait there get in by the new one.
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
        // The kernel's choice for somebody's port 0 may be the number that is asked for now.
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

    /// Another one more may be open: one that nobody holds is closed for it.
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

    /// Binds a UNIX socket again whose file is gone, or has another in its place: an app has removed
    /// it, as many do before they listen. Those who wait get in by the new one.
    pub(super) fn ensure_file(&mut self, id: PortId) -> io::Result<()> {
        let may_bind = self.may_bind_files() && !self.is_closed_to_new_connections;
        let Some(port) = self.ports.get_mut(id).filter(|port| port.has_lost_file()) else {
            return Ok(());
        };
        if !may_bind {
            if port.complains() {
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
                && port.complains()
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

/// Not more than can be read.
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
