//! Closing all ports to new connections. pidone connects to each of them for that, and does not wait
//! until it is connected.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::sockets::Sockets;
use super::{PortId, Ports};
use crate::runtime::notices;
use crate::runtime::sources::{Source, Sources};
use crate::supervisor::Moment;
use crate::sys::listener::group::Group;
use crate::sys::poll::Interest;

/// Time limit for pidone's own connections over the loopback interface, which are established at once
/// unless the machine is overloaded: the kernel repeats a packet that is lost after 1 s (RFC 6298).
const LIMIT: Duration = Duration::from_secs(2);

impl Ports {
    /// Rejects new connections from now on; those in the accept queues can still be accepted.
    ///
    /// Keep this value until all workers have exited: workers may have duplicates of the sockets, and
    /// without the blackhole listeners new connections would enter queues that no worker serves.
    pub fn close_to_new_connections(&mut self, sources: &Sources, now: Moment) {
        self.closing_until = Some(now + LIMIT);
        for id in self.registry.close() {
            let ports = self.sockets.get_mut(id).zip(self.registry.address(id));
            let is_done = ports.map(|(sockets, at)| sockets.close_to_new_connections(at));
            self.closing(id, is_done, sources);
        }
    }

    /// The event source of a port is ready.
    pub fn continue_closing(&mut self, id: PortId, sources: &Sources) {
        let sockets = self.sockets.get_mut(id);
        let group = sockets.and_then(Sockets::closing_group);
        let is_done = group.map(Group::continue_closing);
        self.closing(id, is_done, sources);
    }

    /// Keeps the ports open that are not closed in time. Returns when that will be.
    pub fn keep_open(&mut self, sources: &Sources, now: Moment) -> Option<Moment> {
        if self.closing_until? <= now {
            for id in self.registry.ids().collect::<Vec<_>>() {
                let sockets = self.sockets.get_mut(id);
                let sockets = sockets.filter(|sockets| sockets.closing.is_some());
                if let Some(group) = sockets.and_then(Sockets::closing_group) {
                    group.keep_open();
                    self.closing(id, Some(Err(ErrorKind::TimedOut.into())), sources);
                }
            }
        }
        self.closing_until = self.closing_until.filter(|_| self.are_closing());
        self.closing_until
    }

    /// Whether ports are not closed to new connections yet.
    #[must_use]
    pub fn are_closing(&self) -> bool {
        let mut all = self.sockets.values();
        all.any(|sockets| sockets.closing.is_some())
    }

    fn closing(&mut self, id: PortId, is_done: Option<io::Result<bool>>, sources: &Sources) {
        let Some((is_done, port)) = is_done.zip(self.sockets.get_mut(id)) else {
            return;
        };
        let listener = port.closing_group().and_then(|group| group.closing());
        let register = |fd| sources.register(Source::Closing(id), fd, Interest::Read);
        port.closing = listener.map(register);
        if let Err(error) = is_done {
            notices::cannot_close(&self.name(id), &error);
            self.registry.not_steered(id);
            self.steer();
        }
    }
}
