//! pidone's own listeners and the connections to them: over TCP, or through a private UNIX socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use super::channel::{Channel, Read, Sent};
use super::listener::Listener;
use super::socket;
use crate::address::{Endpoint, ListenAddress, UnixName};
use crate::ports::BindOptions;

/// The length of the accept queue.
const BACKLOG: u16 = 64;

/// One of pidone's own listening sockets, with its file if it has one.
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

    /// A UNIX socket with mode 0600, which replaces a file that no process listens on. `owner`: the
    /// owner of the file instead of pidone's own user. Until the mode is set, the file may have
    /// another one: check each client's user.
    ///
    /// # Errors
    /// As [`Listener::bind`], and those of chmod(2) and chown(2).
    pub fn private(path: &Path, owner: Option<u32>) -> io::Result<Self> {
        let listener = Self::open(&ListenAddress::Unix(UnixName::Path(
            path.as_os_str().as_bytes().into(),
        )))?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        if owner.is_some() {
            lchown(path, owner, None)?;
        }
        Ok(listener)
    }

    fn open(address: &ListenAddress) -> io::Result<Self> {
        let options = BindOptions {
            backlog: BACKLOG,
            ..BindOptions::default()
        };
        Listener::bind(address, options).map(Self)
    }

    /// The connection that has waited longest; `None`: the queue is empty.
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

#[derive(Debug)]
pub struct ClientConnection(Channel);

impl ClientConnection {
    /// Reads what is available and fits.
    pub fn read(&self, buffer: &mut [u8]) -> Read {
        self.0.read(buffer)
    }

    /// Writes what there is room for.
    pub fn write(&self, bytes: &[u8]) -> Sent {
        self.0.send(bytes, None)
    }

    /// The user that connected through a UNIX socket, as the kernel knows it (`SO_PEERCRED`,
    /// unix(7)).
    ///
    /// # Errors
    /// None that a UNIX socket could cause.
    pub fn user(&self) -> io::Result<u32> {
        // `struct ucred`: the process, the user, the group.
        let [_, user, _] =
            socket::option::<3>(self.0.as_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED)?;
        Ok(user)
    }

    /// Shuts down the sending side. A close with unread data in the socket resets the connection,
    /// and discards what the other side has not read yet (RFC 9112, section 9.6).
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
    fn a_private_socket_knows_its_clients_and_leaves_no_file() {
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
