//! Where others come to pidone itself, and those who come: over TCP, or through a private UNIX socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use super::channel::{Channel, Read, Sent};
use super::listener::{Listener, Options};
use super::socket;
use crate::address::{Endpoint, ListenAddress, UnixName};

/// How many may wait to be let in.
const BACKLOG: u16 = 64;

/// A listening socket of pidone's own; a file goes with it.
#[derive(Debug)]
pub struct AdminListener(Listener);

impl AdminListener {
    /// A TCP port.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn tcp(endpoint: Endpoint) -> io::Result<Self> {
        Self::open(&ListenAddress::Tcp(endpoint))
    }

    /// A UNIX socket with mode 0600, which replaces one that nobody listens on; `owner`: who it
    /// belongs to instead of pidone's own user. Until the mode is set it may be another one: ask each
    /// client who it is.
    ///
    /// # Errors
    /// As [`Listener::bind`], and those of chmod(2) and chown(2).
    pub fn private(path: &Path, owner: Option<u32>) -> io::Result<Self> {
        let listener = Self::open(&ListenAddress::Unix(UnixName::Path(path.into())))?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        if owner.is_some() {
            lchown(path, owner, None)?;
        }
        Ok(listener)
    }

    fn open(address: &ListenAddress) -> io::Result<Self> {
        let options = Options {
            backlog: BACKLOG,
            ..Options::default()
        };
        Listener::bind(address, options).map(Self)
    }

    /// Who has waited longest; `None`: nobody waits.
    ///
    /// # Errors
    /// As [`Listener::accept`].
    pub fn accept(&self) -> io::Result<Option<ClientConnection>> {
        Ok(self.0.accept()?.map(ClientConnection::from))
    }
}

impl AsFd for AdminListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The connection to one who has come.
#[derive(Debug)]
pub struct ClientConnection(Channel);

impl ClientConnection {
    /// Reads as much as there is and fits.
    pub fn read(&self, buffer: &mut [u8]) -> Read {
        self.0.read(buffer)
    }

    /// Writes as much as there is room for.
    pub fn write(&self, bytes: &[u8]) -> Sent {
        self.0.send(bytes, None)
    }

    /// The user who has come through a UNIX socket, as the kernel knows it (`SO_PEERCRED`, unix(7)).
    ///
    /// # Errors
    /// None that a UNIX socket could cause.
    pub fn user(&self) -> io::Result<u32> {
        // `struct ucred`: the process, the user, the group.
        let [_, user, _] =
            socket::option::<3>(self.0.as_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED)?;
        Ok(user)
    }

    /// Nothing more will be said. Who closes with something unread in the socket resets the
    /// connection, and takes from the other side what it has not read yet (RFC 9112, section 9.6).
    pub fn end(&self) {
        let _ = socket::stop_writing(self.0.as_fd());
    }
}

impl From<OwnedFd> for ClientConnection {
    fn from(socket: OwnedFd) -> Self {
        Self(Channel::from(socket))
    }
}

impl AsFd for ClientConnection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;

    fn fresh(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("pidone-listener.{}.{name}", std::process::id()))
    }

    #[test]
    fn a_private_door_knows_its_visitors_and_leaves_no_file() {
        let path = fresh("private");
        let us = nix::unistd::getuid().as_raw();
        let listener = AdminListener::private(&path, Some(us)).unwrap();
        let file = fs::metadata(&path).unwrap();
        assert_eq!((file.mode() & 0o7777, file.uid()), (0o600, us));
        assert!(listener.accept().unwrap().is_none());
        let _visitor = UnixStream::connect(&path).unwrap();
        let connection = listener.accept().unwrap().unwrap();
        assert_eq!(connection.user().unwrap(), us);
        let second = AdminListener::private(&path, None).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!path.exists());
    }
}
