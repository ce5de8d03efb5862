//! Unread connections: those that a draining worker got before new connections were steered away, and
//! whose clients have not sent a request yet, as far as the kernel can tell.
//!
//! Without TLS: connections of which nothing was read. With TLS that proves nothing: what was read may
//! be the handshake, and Node.js 26 closes a connection without a request when it closes the server. So
//! with TLS a connection counts also if its client sent something within the last 250 ms.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::ports::Reached;
use crate::cause::Cause;
use crate::supervisor::WorkerId;
use crate::sys::diag::{self, Connection, Cookie};
use crate::table::Table;

/// A client that has sent nothing for this long has either sent its request already, or is slow: a
/// drain waits this long for unread connections.
const SILENCE: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Unread {
    /// By draining worker, or `None` if all drain: the connections of the first any that are still
    /// there. Newer connections belong to other workers.
    left: Table<Option<WorkerId>, Vec<Cookie>>,
    /// The kernel has no such service. It would try to load a module at every request.
    is_unsupported: bool,
}

impl Unread {
    /// Whether there are unread connections to these ports. Also true if that cannot be known: for a
    /// UNIX socket, or without the kernel's service.
    pub(super) fn any(
        &mut self,
        worker: Option<WorkerId>,
        ports: impl Iterator<Item = Reached>,
    ) -> bool {
        let mut now = Vec::new();
        for port in ports {
            let Some(connections) = port.address.and_then(|address| self.ask(address)) else {
                return true;
            };
            let is_unread = |one: &Connection| match self.left.get(worker) {
                Some(before) => before.contains(&one.cookie) && (one.is_unheard || port.has_tls),
                None => one.is_unheard || (port.has_tls && one.silent < SILENCE),
            };
            let connections = connections.into_iter();
            let connections = connections.filter(|one| !port.own.contains(&one.client));
            let connections = connections.filter(is_unread);
            now.extend(connections.map(|one| one.cookie));
        }
        let any = !now.is_empty();
        self.left.insert(worker, now);
        any
    }

    fn ask(&mut self, port: SocketAddr) -> Option<Vec<Connection>> {
        if self.is_unsupported {
            return None;
        }
        let connections = diag::connections(port);
        if let Err(error) = &connections {
            log::debug!("cannot ask for the connections to {port}: {}", Cause(error));
            self.is_unsupported = error.kind() == io::ErrorKind::Unsupported;
        }
        connections.ok()
    }

    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.left.remove(Some(worker));
    }
}
