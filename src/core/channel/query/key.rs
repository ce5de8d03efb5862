//! The identity of a requested listener.

use alloc::boxed::Box;
use alloc::string::String;
use core::net::{AddrParseError, IpAddr, Ipv6Addr};
use core::str::FromStr;

/// The maximum length of an interface name, in bytes: `IFNAMSIZ` less one (netdevice(7)).
const ZONE_MAX: usize = 15;

/// An IP address as Node.js writes it after it has resolved names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The address without its zone.
    pub ip: IpAddr,
    /// The part of `fe80::1%eth0` after `%`: a link-local address belongs to an interface.
    pub zone: Option<Box<str>>,
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self { ip, zone: None }
    }
}

impl FromStr for Address {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        match text.split_once('%') {
            Some((ip, zone)) if (1..=ZONE_MAX).contains(&zone.len()) && !zone.contains('\0') => {
                Ok(Self {
                    ip: ip.parse::<Ipv6Addr>()?.into(),
                    zone: Some(zone.into()),
                })
            }
            _ => text.parse::<IpAddr>().map(Self::from),
        }
    }
}

/// The identity of a shared listener: workers with equal keys share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListenerKey {
    /// A TCP port.
    Tcp {
        /// `None` is any address: `::` for both families, or `0.0.0.0` without IPv6.
        address: Option<Address>,
        /// 0 lets the kernel choose.
        port: u16,
        /// `::` without IPv4.
        v6only: bool,
        /// Distinguishes several listeners on port 0 in one worker, which get a port each; else 0.
        index: u32,
    },
    /// A UNIX stream socket with a path.
    Unix {
        /// Absolute, as the worker resolved it; shorter than `sun_path`, without NUL.
        path: String,
        /// All users may read (`readableAll`).
        readable_all: bool,
        /// All users may write (`writableAll`).
        writable_all: bool,
    },
    /// A UNIX stream socket with an abstract name, here without its leading NUL.
    Abstract(String),
    /// A UDP port.
    Udp {
        /// The address.
        address: Address,
        /// 0 lets the kernel choose.
        port: u16,
        /// `::` without IPv4.
        v6only: bool,
        /// `reuseAddr`.
        reuse_addr: bool,
        /// As with TCP.
        index: u32,
    },
    /// `listen({fd})` of a server or `bind({fd})` of a datagram socket. Must never be used without an
    /// allow list.
    Fd {
        /// A descriptor number in the *primary's* table.
        number: i32,
        /// It must be a UDP socket.
        is_udp: bool,
    },
}

impl ListenerKey {
    /// The name of the interface that its address belongs to.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        match self {
            Self::Tcp { address, .. } => address.as_ref()?.zone.as_deref(),
            Self::Udp { address, .. } => address.zone.as_deref(),
            Self::Unix { .. } | Self::Abstract(_) | Self::Fd { .. } => None,
        }
    }

    /// The identity of a socket, without flags: the flags of the first query apply. Node.js' own
    /// primary does the same (`queryServer`, `lib/internal/cluster/primary.js`).
    #[must_use]
    pub fn without_flags(&self) -> Self {
        let mut key = self.clone();
        match &mut key {
            Self::Tcp { v6only, .. } => *v6only = false,
            Self::Udp {
                v6only, reuse_addr, ..
            } => (*v6only, *reuse_addr) = (false, false),
            Self::Unix {
                readable_all,
                writable_all,
                ..
            } => (*readable_all, *writable_all) = (false, false),
            Self::Abstract(_) | Self::Fd { .. } => {}
        }
        key
    }
}
