//! What a worker's query asks for, in the form of `--listen` and of a bind.

use core::net::IpAddr;

use super::Origin;
use crate::address::{Endpoint, Host, ListenAddress, UnixName};
use crate::channel::query::{Address, ListenerKey};

/// The default length of an accept queue: Node.js' own default.
pub const DEFAULT_BACKLOG: u16 = 511;

/// Options of a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindOptions {
    /// The length of the accept queue (listen(2)); the kernel limits it to `net.core.somaxconn`.
    pub backlog: u16,
    /// UDP: share the address with other sockets that also set this (Node.js: `reuseAddr`).
    pub reuse_address: bool,
    /// UNIX: every user may read the file (Node.js: `readableAll`).
    pub readable_all: bool,
    /// UNIX: every user may write to the file, and so connect (`writableAll`).
    pub writable_all: bool,
}

impl Default for BindOptions {
    fn default() -> Self {
        Self {
            backlog: DEFAULT_BACKLOG,
            reuse_address: false,
            readable_all: false,
            writable_all: false,
        }
    }
}

/// The listener in a query.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Without flags.
    pub(super) key: ListenerKey,
    /// `None`: a descriptor, which is bound already.
    pub(super) address: Option<ListenAddress>,
    /// How to bind it.
    pub options: BindOptions,
}

impl Wanted {
    /// `backlog`: 0 means Node.js' default. `scope`: the index of the interface that the key names
    /// ([`ListenerKey::zone`]). For an unknown interface 0: the kernel refuses it with `EINVAL`
    /// where a scope is required.
    #[must_use]
    pub fn new(key: &ListenerKey, backlog: u32, scope: u32) -> Self {
        Self {
            key: key.without_flags(),
            address: address(key, scope),
            options: options(key, backlog),
        }
    }

    /// The origin of the port that is opened for it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin::Asked(self.key.clone())
    }

    /// The address to bind; `None`: an inherited descriptor.
    #[must_use]
    pub fn address(&self) -> Option<&ListenAddress> {
        self.address.as_ref()
    }
}

fn address(key: &ListenerKey, scope: u32) -> Option<ListenAddress> {
    let endpoint = |address: Option<&Address>, port, only| Endpoint {
        host: match address.map(|address| address.ip) {
            None => Host::Any,
            Some(IpAddr::V4(address)) => Host::V4(address),
            Some(IpAddr::V6(address)) => Host::V6 {
                address,
                only,
                scope,
            },
        },
        port,
    };
    Some(match key {
        ListenerKey::Tcp {
            address,
            port,
            v6only,
            ..
        } => ListenAddress::Tcp(endpoint(address.as_ref(), *port, *v6only)),
        ListenerKey::Udp {
            address,
            port,
            v6only,
            ..
        } => ListenAddress::Udp(endpoint(Some(address), *port, *v6only)),
        ListenerKey::Unix { path, .. } => {
            ListenAddress::Unix(UnixName::Path(path.as_bytes().into()))
        }
        ListenerKey::Abstract(name) => ListenAddress::Unix(UnixName::Abstract(name.clone())),
        ListenerKey::Fd { .. } => return None,
    })
}

fn options(key: &ListenerKey, backlog: u32) -> BindOptions {
    let mut options = BindOptions {
        backlog: match backlog {
            0 => DEFAULT_BACKLOG,
            _ => u16::try_from(backlog).unwrap_or(u16::MAX),
        },
        ..BindOptions::default()
    };
    match key {
        ListenerKey::Udp { reuse_addr, .. } => options.reuse_address = *reuse_addr,
        ListenerKey::Unix {
            readable_all,
            writable_all,
            ..
        } => {
            options.readable_all = *readable_all;
            options.writable_all = *writable_all;
        }
        _ => {}
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_do_not_distinguish_sockets_but_an_index_does() {
        let unix = |readable_all| ListenerKey::Unix {
            path: "/a".into(),
            readable_all,
            writable_all: false,
        };
        assert_eq!(unix(true).without_flags(), unix(false));
        let tcp = |port, v6only, index| ListenerKey::Tcp {
            address: None,
            port,
            v6only,
            index,
        };
        assert_eq!(tcp(80, true, 0).without_flags(), tcp(80, false, 0));
        assert_ne!(tcp(0, false, 0).without_flags(), tcp(0, false, 1));
    }

    #[test]
    fn the_backlog_is_the_apps_or_the_default_of_node() {
        let key = ListenerKey::Abstract("app".into());
        for (asked, given) in [(0, 511), (1, 1), (65_536, 65_535)] {
            assert_eq!(Wanted::new(&key, asked, 0).options.backlog, given);
        }
    }
}
