//! Unread connections: those that a draining worker got before new connections were steered away,
//! and whose clients have not sent a request yet, as far as the kernel can tell.
//!
//! Without TLS: connections of which nothing was read. With TLS that proves nothing: what was read
//! may be the handshake, and Node.js 26 closes a connection without a request when it closes the
//! server. So with TLS a connection counts also if its client sent something within the last 250 ms.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::supervisor::WorkerId;
use crate::table::Table;

/// A client that has sent nothing for this long has either sent its request already, or is slow: a
/// drain waits this long for unread connections.
const SILENCE: Duration = Duration::from_millis(250);

/// The kernel's cookie of a connection: unique, and the same from its first packet on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie(pub [u32; 2]);

/// The kernel's information about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Its cookie.
    pub cookie: Cookie,
    /// Its other end; an IPv4 address as IPv4, even on a dual-stack socket.
    pub client: SocketAddr,
    /// No data of its client was read yet: its handshake is going on, or nothing of it has been
    /// read.
    pub is_unheard: bool,
    /// The time since the last data came; zero during the handshake.
    pub silent: Duration,
}

/// A port that gets connections.
#[derive(Debug, Clone)]
pub struct Reached {
    /// A TLS server listens on it.
    pub has_tls: bool,
    /// pidone's own connections, which fill a blackhole listener.
    pub own: Vec<SocketAddr>,
    /// Its connections; `None`: they cannot be known.
    pub connections: Option<Vec<Connection>>,
}

/// The unread connections of draining workers.
#[derive(Debug, Default)]
pub struct Unread {
    /// By draining worker, or `None` if all drain: the connections of the first check that are still
    /// there. Newer connections belong to other workers.
    left: Table<Option<WorkerId>, Vec<Cookie>>,
}

impl Unread {
    /// Whether there are unread connections to these ports. Also true if that cannot be known: for a
    /// UNIX socket, or without the kernel's service.
    pub fn any(&mut self, worker: Option<WorkerId>, ports: impl Iterator<Item = Reached>) -> bool {
        let mut now = Vec::new();
        for port in ports {
            let Some(connections) = port.connections else {
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

    /// A worker has exited.
    pub fn forget(&mut self, worker: WorkerId) {
        self.left.remove(Some(worker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(cookie: u32, is_unheard: bool, silent: u64) -> Connection {
        Connection {
            cookie: Cookie([cookie, 0]),
            client: SocketAddr::from(([127, 0, 0, 1], u16::try_from(cookie).unwrap())),
            is_unheard,
            silent: Duration::from_millis(silent),
        }
    }

    fn port(has_tls: bool, connections: &[Connection]) -> Reached {
        Reached {
            has_tls,
            own: Vec::new(),
            connections: Some(connections.into()),
        }
    }

    #[test]
    fn connections_of_the_first_check_count_until_they_are_read() {
        let mut unread = Unread::default();
        let mut any = |port: Reached| unread.any(Some(WorkerId(1)), [port].into_iter());
        let waiting = connection(1, true, 0);
        assert!(any(port(false, &[waiting, connection(2, false, 0)])));
        assert!(any(port(false, &[waiting])));
        // A newer one belongs to another worker.
        assert!(!any(port(
            false,
            &[connection(1, false, 0), connection(3, true, 0)]
        )));
        assert!(!any(port(false, &[waiting])), "it was read already");
        unread.forget(WorkerId(1));
        assert!(unread.any(Some(WorkerId(1)), [port(false, &[waiting])].into_iter()));
    }

    #[test]
    fn with_tls_a_client_that_has_just_sent_counts_too() {
        for (has_tls, silent, expected) in
            [(true, 249, true), (true, 250, false), (false, 0, false)]
        {
            let mut unread = Unread::default();
            let mut any = |silent| {
                let port = port(has_tls, &[connection(1, false, silent)]);
                unread.any(None, [port].into_iter())
            };
            assert_eq!(any(silent), expected);
            // It counts until it is closed.
            assert_eq!(any(9000), expected);
        }
    }

    #[test]
    fn unknown_connections_count_and_pidones_own_do_not() {
        let mut unread = Unread::default();
        let own = connection(1, true, 0);
        let mut reached = port(false, &[own]);
        reached.own.push(own.client);
        assert!(!unread.any(None, [reached.clone()].into_iter()));
        reached.connections = None;
        assert!(unread.any(None, [reached].into_iter()));
    }
}
