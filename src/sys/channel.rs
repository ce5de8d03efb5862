//! pidone's end of the channel to a worker: bytes both ways, and descriptors from pidone to the
//! worker.

use std::io::{ErrorKind, Read as _};
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::{io, ptr};

use libc::{c_int, cmsghdr, iovec, msghdr};
use nix::errno::Errno;

/// One end of a connected pair of UNIX stream sockets, non-blocking.
#[derive(Debug)]
pub struct Channel {
    socket: UnixStream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// This many bytes, at least 1.
    Bytes(usize),
    /// No data now.
    Empty,
    /// End of the stream.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// This many bytes, at least 1, were sent, and with them the descriptor. Send the rest without
    /// it.
    Bytes(usize),
    /// No room now; nothing was sent.
    Full,
    /// The other end is closed.
    Closed,
}

impl Channel {
    /// The channel, and the worker's end. Both are close-on-exec.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        Ok((Self { socket }, theirs.into()))
    }

    /// Reads available bytes. The kernel drops descriptors sent with them, because read(2) has no
    /// room for them (unix(7)).
    pub fn read(&self, buffer: &mut [u8]) -> Read {
        loop {
            return match (&self.socket).read(buffer) {
                Ok(0) => Read::Closed,
                Ok(bytes) => Read::Bytes(bytes),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Read::Empty,
                // ECONNRESET: the other end was closed with unread data in it.
                Err(_) => Read::Closed,
            };
        }
    }

    /// Sends at least one byte, and with the first one a descriptor, of which the worker gets a
    /// copy.
    pub fn send(&self, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Sent {
        let mut data = iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let mut control = descriptor.map(RightsMessage::new);
        // SAFETY: a plain structure of numbers and pointers, for which zeros are valid.
        let mut message: msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut data;
        message.msg_iovlen = 1;
        if let Some(control) = &mut control {
            message.msg_control = ptr::from_mut(control).cast();
            // Its type is not the same in every C library.
            #[allow(clippy::cast_possible_truncation)]
            let length = size_of::<RightsMessage>() as _;
            message.msg_controllen = length;
        }
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        loop {
            // SAFETY: the message points to bytes and control data that outlive the call, and
            // sendmsg(2) only reads them.
            let sent = unsafe { libc::sendmsg(self.socket.as_raw_fd(), &raw const message, flags) };
            return match Errno::result(sent).map(usize::try_from) {
                Ok(sent) => Sent::Bytes(sent.unwrap_or_default()),
                Err(Errno::EINTR) => continue,
                // The last one: this user has too many descriptors in flight (unix(7)).
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM | Errno::ETOOMANYREFS) => {
                    Sent::Full
                }
                Err(_) => Sent::Closed,
            };
        }
    }
}

/// Any connected stream socket that is non-blocking.
impl From<OwnedFd> for Channel {
    fn from(socket: OwnedFd) -> Self {
        let socket = socket.into();
        Self { socket }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A control message with one descriptor, laid out as cmsg(3) says: the header, which ends on the
/// alignment of the data, and the data, padded to the alignment of the header.
#[repr(C)]
struct RightsMessage {
    header: cmsghdr,
    descriptor: c_int,
}

impl RightsMessage {
    fn new(descriptor: BorrowedFd<'_>) -> Self {
        // SAFETY: a plain structure of numbers, for which zeros are valid.
        let mut header: cmsghdr = unsafe { std::mem::zeroed() };
        // Its type is not the same in every C library.
        #[allow(clippy::cast_possible_truncation)]
        let length = (size_of::<cmsghdr>() + size_of::<c_int>()) as _;
        header.cmsg_len = length;
        header.cmsg_level = libc::SOL_SOCKET;
        header.cmsg_type = libc::SCM_RIGHTS;
        Self {
            header,
            descriptor: descriptor.as_raw_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use std::io::{Write, pipe};
    use std::process::{Command, Stdio};

    #[test]
    fn bytes_both_ways_and_the_end() {
        let (channel, worker) = Channel::pair().unwrap();
        for fd in [channel.as_fd(), worker.as_fd()] {
            let flags = FdFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFD).unwrap());
            assert!(flags.contains(FdFlag::FD_CLOEXEC));
        }
        let mut worker = UnixStream::from(worker);
        let mut buffer = [0; 16];
        assert_eq!(channel.read(&mut buffer), Read::Empty);
        worker.write_all(b"up").unwrap();
        assert_eq!(channel.read(&mut buffer), Read::Bytes(2));
        assert_eq!(channel.send(b"down", None), Sent::Bytes(4));
        assert_eq!(worker.read(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"down");
        worker.write_all(b"last").unwrap();
        drop(worker);
        assert_eq!(channel.read(&mut buffer), Read::Bytes(4));
        assert_eq!(channel.read(&mut buffer), Read::Closed);
        assert_eq!(channel.send(b"late", None), Sent::Closed);
    }

    #[test]
    fn a_worker_that_exits_with_unread_data_is_closed() {
        let (channel, worker) = Channel::pair().unwrap();
        assert_eq!(channel.send(b"unread", None), Sent::Bytes(6));
        drop(worker);
        assert_eq!(channel.read(&mut [0; 16]), Read::Closed);
    }

    #[test]
    fn a_worker_that_does_not_read_fills_it_up() {
        let (channel, worker) = Channel::pair().unwrap();
        let line = [b'x'; 1000];
        let mut taken = 0;
        while let Sent::Bytes(bytes) = channel.send(&line, None) {
            taken += bytes;
        }
        assert_eq!(channel.send(&line, None), Sent::Full);
        let mut worker = UnixStream::from(worker);
        let mut read = vec![0; taken];
        worker.read_exact(&mut read).unwrap();
        assert_eq!(channel.send(&line, None), Sent::Bytes(1000));
    }

    /// Python's recv_fds(3) stands in for a worker, in a process of its own.
    #[test]
    fn a_descriptor_arrives_with_its_bytes() {
        const WORKER: &str = "import os, socket\n\
            s = socket.socket(fileno=0)\n\
            data, fds, _, _ = socket.recv_fds(s, 100, 4)\n\
            os.write(fds[0], data + b' %d' % len(fds))\n";
        if Command::new("python3").arg("-V").output().is_err() {
            return eprintln!("skipped: no python3 here");
        }
        let (channel, theirs) = Channel::pair().unwrap();
        let (mut reader, writer) = pipe().unwrap();
        let mut worker = Command::new("python3")
            .args(["-c", WORKER])
            .stdin(Stdio::from(theirs))
            .spawn()
            .unwrap();
        assert_eq!(channel.send(b"hello", Some(writer.as_fd())), Sent::Bytes(5));
        drop(writer);
        let mut answer = String::new();
        reader.read_to_string(&mut answer).unwrap();
        assert!(worker.wait().unwrap().success());
        assert_eq!(answer, "hello 1");
    }

    #[test]
    fn descriptors_that_a_worker_sends_are_dropped() {
        let (channel, theirs) = Channel::pair().unwrap();
        let worker = Channel {
            socket: theirs.into(),
        };
        let (mut reader, writer) = pipe().unwrap();
        assert_eq!(worker.send(b"{}\n", Some(writer.as_fd())), Sent::Bytes(3));
        drop(writer);
        assert_eq!(channel.read(&mut [0; 16]), Read::Bytes(3));
        // An end of file proves that no copy is open anywhere.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }
}
