//! A TCP connection that is being made, without waiting for it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::poll::{self, Interest};
use super::socket;

/// A connection that is not established yet: the socket becomes writable when there is an answer.
#[derive(Debug)]
pub struct Connecting(OwnedFd);

impl Connecting {
    /// Begins to connect.
    ///
    /// # Errors
    /// Those of socket(2) and connect(2); over the loopback interface seldom `ECONNREFUSED`, which
    /// [`is_established`](Self::is_established) reports.
    pub fn begin(target: SocketAddr) -> io::Result<Self> {
        let socket = socket::open(socket::family(target.ip()), libc::SOCK_STREAM)?;
        socket::connect(socket.as_fd(), target)?;
        Ok(Self(socket))
    }

    /// Whether it is established; `false`: there is no answer yet.
    ///
    /// # Errors
    /// `ECONNREFUSED`, `ETIMEDOUT` and others of connect(2).
    pub fn is_established(&self) -> io::Result<bool> {
        if !poll::is_ready((self.as_fd(), Interest::Write)) {
            return Ok(false);
        }
        match socket::option(self.as_fd(), libc::SOL_SOCKET, libc::SO_ERROR)? {
            [0] => Ok(true),
            [errno] => Err(io::Error::from_raw_os_error(errno.cast_signed())),
        }
    }
}

impl AsFd for Connecting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::net::TcpListener;

    #[test]
    fn on_this_machine_the_answer_is_there_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        let connecting = Connecting::begin(target).unwrap();
        assert!(connecting.is_established().unwrap());
        drop(listener);
        let refused = Connecting::begin(target).and_then(|it| it.is_established());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_connection_without_an_answer_is_not_established() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        socket::listen(listener.as_fd(), 0).unwrap();
        let target = listener.local_addr().unwrap();
        // The queue has room for one; the kernel does not answer the others.
        let first = Connecting::begin(target).unwrap();
        assert!(first.is_established().unwrap());
        let second = Connecting::begin(target).unwrap();
        assert!(!second.is_established().unwrap());
    }
}
