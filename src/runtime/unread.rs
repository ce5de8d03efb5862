//! Connections that came before new connections were kept away from a worker, and whose clients have not
//! asked for anything yet, as far as the kernel can tell.
//!
//! Of plain ones, those of which nothing has been read. Where TLS is spoken that tells nothing: what
//! has been read may be the handshake, and Node.js 26 ends a connection whose request is still to
//! come when it closes the server. There all those count that were not silent for a while.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::ports::Reached;
use crate::cause::Cause;
use crate::supervisor::WorkerId;
use crate::sys::diag::{self, Connection, Cookie};
use crate::table::Table;

/// Who has sent nothing for that long has either asked already, or does not hurry to: as long as a
/// drain waits for those that arrive.
const HESITATION: Duration = Duration::from_millis(250);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// By the worker that leaves, or `None` where all do: those that were there at the first look, as
    /// far as they still are. Others have come to those who stay.
    left: Table<Option<WorkerId>, Vec<Cookie>>,
    /// The kernel has no such service. It looks for a module each time that it is asked for it.
    is_mute: bool,
}

impl Unread {
    /// Whether some are left, of those to these ports. `None`, and a kernel that does not tell: it
    /// cannot be known.
    pub(super) fn look(
        &mut self,
        worker: Option<WorkerId>,
        ports: impl Iterator<Item = Reached>,
    ) -> bool {
        let mut now = Vec::new();
        for port in ports {
            let Some(connections) = port.address.and_then(|address| self.ask(address)) else {
                return true;
            };
            let arrives = |one: &Connection| match self.left.get(worker) {
                Some(before) => before.contains(&one.cookie) && (one.is_unheard || port.has_tls),
                None => one.is_unheard || (port.has_tls && one.silent < HESITATION),
            };
            let connections = connections.into_iter();
            let connections = connections.filter(|one| !port.own.contains(&one.client));
            let connections = connections.filter(arrives);
            now.extend(connections.map(|one| one.cookie));
        }
        let any = !now.is_empty();
        self.left.insert(worker, now);
        any
    }

    fn ask(&mut self, port: SocketAddr) -> Option<Vec<Connection>> {
        if self.is_mute {
            return None;
        }
        let connections = diag::connections(port);
        if let Err(error) = &connections {
            log::debug!("cannot ask for the connections to {port}: {}", Cause(error));
            self.is_mute = error.kind() == io::ErrorKind::Unsupported;
        }
        connections.ok()
    }

    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.left.remove(Some(worker));
    }
}
