//! Sockets that clients connect or send to: TCP and UNIX listeners, and UDP.

pub mod group;

use std::ffi::{CString, OsStr};
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use libc::c_int;
use nix::errno::Errno;

use super::socket;
use crate::address::{Endpoint, Host, ListenAddress, UnixName};
use crate::ports::BindOptions;

/// A bound socket: non-blocking, close-on-exec, and listening if its kind can.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    /// The file, removed with the listener; only held for its `Drop`.
    file: Option<SocketFile>,
}

impl Listener {
    /// Binds, and listens. A UNIX socket's file is replaced if no process listens on it.
    ///
    /// # Errors
    /// Those of socket(2), bind(2) and listen(2), above all `EADDRINUSE`, also for a path that is
    /// not a socket; and of chmod(2).
    pub fn bind(address: &ListenAddress, options: BindOptions) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(endpoint) => Self::tcp(*endpoint, options.backlog),
            ListenAddress::Udp(endpoint) => Self::udp(*endpoint, options.reuse_address),
            ListenAddress::Unix(name) => Self::unix(name, options),
        }
    }

    fn tcp(endpoint: Endpoint, backlog: u16) -> io::Result<Self> {
        // Connections of a previous server may remain on the port (TIME_WAIT, tcp(7)). This does
        // not allow a second listener.
        let socket = bind_ip(endpoint, libc::SOCK_STREAM, &[libc::SO_REUSEADDR])?;
        socket::listen(socket.as_fd(), backlog)?;
        Ok(socket.into())
    }

    fn udp(endpoint: Endpoint, reuse_address: bool) -> io::Result<Self> {
        let options: &[_] = if reuse_address {
            &[libc::SO_REUSEADDR]
        } else {
            &[]
        };
        bind_ip(endpoint, libc::SOCK_DGRAM, options).map(Self::from)
    }

    fn unix(name: &UnixName, options: BindOptions) -> io::Result<Self> {
        let (listener, file) = match name {
            UnixName::Abstract(name) => {
                let address = UnixAddress::from_abstract_name(name)?;
                (UnixListener::bind_addr(&address)?, None)
            }
            UnixName::Path(path) => {
                let path = Path::new(OsStr::from_bytes(path));
                let listener = match UnixListener::bind(path) {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
                        fs::remove_file(path)?;
                        UnixListener::bind(path)?
                    }
                    bound => bound?,
                };
                (listener, Some(SocketFile::new(path, options)?))
            }
        };
        listener.set_nonblocking(true)?;
        socket::listen(listener.as_fd(), options.backlog)?;
        Ok(Self {
            socket: listener.into(),
            file,
        })
    }

    /// The address and, if the kernel has chosen it, the port; `None` for a UNIX socket.
    ///
    /// # Errors
    /// None that an open socket could cause (getsockname(2)).
    pub fn local_address(&self) -> io::Result<Option<SocketAddr>> {
        socket::local_address(self.socket.as_fd())
    }

    /// The address it is bound to, in the form of an option; `None`: it is not bound, or to another
    /// kind of address.
    ///
    /// # Errors
    /// `ENOTSOCK`, for an inherited descriptor.
    pub fn address(&self) -> io::Result<Option<ListenAddress>> {
        let Some(address) = self.local_address()? else {
            return unix_name(&self.socket).map(|name| name.map(ListenAddress::Unix));
        };
        let [kind] = socket::option(self.as_fd(), libc::SOL_SOCKET, libc::SO_TYPE)?;
        let host = match address.ip() {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(ip) => Host::V6 {
                address: ip,
                scope: scope(address),
                only: socket::is_only_v6(self.as_fd())?,
            },
        };
        let port = address.port();
        let endpoint = Endpoint { host, port };
        Ok(match kind.cast_signed() {
            libc::SOCK_STREAM => Some(ListenAddress::Tcp(endpoint)),
            libc::SOCK_DGRAM => Some(ListenAddress::Udp(endpoint)),
            _ => None,
        })
    }

    /// The connection that has waited longest, non-blocking and close-on-exec; `None`: the queue is
    /// empty.
    ///
    /// # Errors
    /// Those of accept(2) that do not concern the connection itself: `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn accept(&self) -> io::Result<Option<OwnedFd>> {
        socket::accept(self.socket.as_fd())
    }

    /// Removes a UNIX socket's file, so that no new client finds it; queued connections stay.
    pub fn unlink(&mut self) {
        self.file = None;
    }

    /// Whether the file that it was bound with exists; always true for a socket without a file.
    #[must_use]
    pub fn has_file(&self) -> bool {
        self.file.as_ref().is_none_or(SocketFile::is_there)
    }

    /// Another descriptor of the same socket, which does not remove its file.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn duplicate(&self) -> io::Result<Self> {
        self.socket.try_clone().map(Self::from)
    }

    /// The length of a TCP listener's accept queue; unfinished handshakes are not counted.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for a socket of another kind.
    pub fn queue_length(&self) -> io::Result<u32> {
        // `struct tcp_info` (linux/tcp.h): eight bytes, then words; for a listener tcpi_unacked is
        // the length of its queue (tcp_get_info, net/ipv4/tcp.c).
        let [.., unacked] = socket::option::<7>(self.as_fd(), libc::IPPROTO_TCP, libc::TCP_INFO)?;
        Ok(unacked)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Wraps a socket that was bound elsewhere.
impl From<OwnedFd> for Listener {
    fn from(socket: OwnedFd) -> Self {
        Self { socket, file: None }
    }
}

/// The index of an interface; `None`: no interface has this name.
#[must_use]
pub fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: reads a string that ends in NUL.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

/// The interface of a link-local address; else 0.
fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V6(address) => address.scope_id(),
        SocketAddr::V4(_) => 0,
    }
}

fn unix_name(socket: &OwnedFd) -> io::Result<Option<UnixName>> {
    let [family] = socket::option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN)?;
    if family.cast_signed() != libc::AF_UNIX {
        return Ok(None);
    }
    let address = UnixListener::from(socket.try_clone()?).local_addr()?;
    let path = address
        .as_pathname()
        .map(|path| UnixName::Path(path.as_os_str().as_bytes().into()));
    let name = address
        .as_abstract_name()
        .map(|name| UnixName::Abstract(String::from_utf8_lossy(name).into_owned()));
    Ok(path.or(name))
}

/// A bound IP socket, with options of `SOL_SOCKET` set before the bind.
fn bind_ip(endpoint: Endpoint, kind: c_int, options: &[c_int]) -> io::Result<OwnedFd> {
    let port = endpoint.port;
    let bind = |ip, only| bind_to(SocketAddr::new(ip, port), only, kind, options);
    match endpoint.host {
        Host::V4(address) => bind(address.into(), false),
        Host::V6 {
            address,
            only,
            scope,
        } => {
            let address = SocketAddrV6::new(address, port, 0, scope);
            bind_to(address.into(), only, kind, options)
        }
        Host::Any => {
            let everything = bind(IpAddr::V6(Ipv6Addr::UNSPECIFIED), false);
            match everything.as_ref().map_err(io::Error::raw_os_error) {
                // The errors of a kernel without IPv6, and of one in which it is disabled.
                Err(Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)) => {
                    bind(IpAddr::V4(Ipv4Addr::UNSPECIFIED), false)
                }
                _ => everything,
            }
        }
    }
}

fn bind_to(
    address: SocketAddr,
    only_v6: bool,
    kind: c_int,
    options: &[c_int],
) -> io::Result<OwnedFd> {
    let socket = socket::open(socket::family(address.ip()), kind)?;
    for option in options {
        socket::set_option(socket.as_fd(), libc::SOL_SOCKET, *option, 1)?;
    }
    if address.is_ipv6() {
        // Set in either case: the default is the system's (net.ipv6.bindv6only).
        let fd = socket.as_fd();
        socket::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only_v6.into())?;
    }
    socket::bind(socket.as_fd(), address)?;
    Ok(socket)
}

/// Whether the path is a socket's that no process has open. The test connects with a socket of
/// another kind: if the socket is in use, that fails with `EPROTOTYPE`, and neither waits nor
/// leaves a connection in the queue (unix(7)).
fn is_stale(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket
        && UnixDatagram::unbound().is_ok_and(|probe| {
            let refused = Some(Errno::ECONNREFUSED as i32);
            probe
                .connect(path)
                .is_err_and(|error| error.raw_os_error() == refused)
        })
}

/// The file of a UNIX socket, which the kernel does not remove.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path, options: BindOptions) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        let file = Self {
            path: path.to_owned(),
            identity: identity(&metadata),
        };
        let mode = metadata.mode();
        let wanted = mode
            | if options.readable_all { 0o444 } else { 0 }
            | if options.writable_all { 0o222 } else { 0 };
        if wanted != mode {
            fs::set_permissions(path, Permissions::from_mode(wanted))?;
        }
        Ok(file)
    }
}

impl SocketFile {
    /// Whether it exists and was not replaced by another file.
    fn is_there(&self) -> bool {
        let now = fs::symlink_metadata(&self.path);
        now.is_ok_and(|now| identity(&now) == self.identity)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests;
