//! The socket on which workers report readiness (`NOTIFY_SOCKET`, sd_notify(3)).

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram;
use std::ptr;

use libc::{cmsghdr, iovec, msghdr, sa_family_t, sockaddr, ucred};
use nix::errno::Errno;

use super::socket;

/// The maximum length of a message, as in systemd (`NOTIFY_BUFFER_MAX`).
const LONGEST: usize = 4096;

/// A datagram socket with a name that the kernel has chosen, so that it needs no file.
#[derive(Debug)]
pub struct NotifySocket {
    socket: OwnedFd,
    name: Vec<u8>,
}

impl NotifySocket {
    /// Binds it; close-on-exec and non-blocking.
    ///
    /// # Errors
    /// Those of socket(2) and bind(2).
    pub fn open() -> io::Result<Self> {
        let socket = socket::open(libc::AF_UNIX, libc::SOCK_DGRAM)?;
        socket::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_PASSCRED, 1)?;
        autobind(socket.as_fd())?;
        let address = UnixDatagram::from(socket.try_clone()?).local_addr()?;
        let name = address.as_abstract_name().unwrap_or_default();
        Ok(Self {
            name: [b"@", name].concat(),
            socket,
        })
    }

    /// The value of `NOTIFY_SOCKET`.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The next message, and its sender's process id as the kernel reports it; `None`: no message.
    /// The kernel drops descriptors sent with it, as there is no room for them.
    pub fn receive(&self) -> Option<(i32, Vec<u8>)> {
        let mut bytes = vec![0; LONGEST];
        let mut data = iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        // SAFETY: a plain structure of numbers, for which zeros are valid.
        let mut sender: Credentials = unsafe { std::mem::zeroed() };
        // SAFETY: a plain structure of numbers and pointers, for which zeros are valid.
        let mut message: msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut data;
        message.msg_iovlen = 1;
        message.msg_control = ptr::from_mut(&mut sender).cast();
        // Its type is not the same in every C library.
        #[allow(clippy::cast_possible_truncation)]
        let length = size_of::<Credentials>() as _;
        message.msg_controllen = length;
        let received = loop {
            // SAFETY: the message points to room for bytes and control data, with their lengths.
            let received = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, 0) };
            match Errno::result(received) {
                Err(Errno::EINTR) => {}
                received => break received.ok()?,
            }
        };
        bytes.truncate(usize::try_from(received).ok()?);
        let header = &sender.header;
        let kind = (header.cmsg_level, header.cmsg_type);
        let pid = match kind {
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => sender.credentials.pid,
            _ => 0,
        };
        Some((pid, bytes))
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A control message with the sender, laid out as cmsg(3) says.
#[repr(C)]
struct Credentials {
    header: cmsghdr,
    credentials: ucred,
}

/// bind(2) to a name that the kernel chooses: an address with only its family (unix(7)).
fn autobind(fd: BorrowedFd<'_>) -> io::Result<()> {
    #[allow(clippy::cast_possible_truncation)]
    let family = libc::AF_UNIX as sa_family_t;
    #[allow(clippy::cast_possible_truncation)]
    let length = size_of::<sa_family_t>() as libc::socklen_t;
    let address = (&raw const family).cast::<sockaddr>();
    // SAFETY: the kernel reads `length` bytes, which is the family alone.
    let result = unsafe { libc::bind(fd.as_raw_fd(), address, length) };
    Ok(Errno::result(result).map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll;
    use std::io::{Read, pipe};
    use std::os::unix::net::SocketAddr;

    fn name(socket: &NotifySocket) -> &[u8] {
        socket.name().strip_prefix(b"@").unwrap()
    }

    fn sender(socket: &NotifySocket) -> UnixDatagram {
        let address = SocketAddr::from_abstract_name(name(socket)).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.connect_addr(&address).unwrap();
        sender
    }

    #[test]
    fn a_message_comes_with_its_sender() {
        let socket = NotifySocket::open().unwrap();
        let other = NotifySocket::open().unwrap();
        assert_ne!(socket.name(), other.name());
        assert_eq!(name(&socket).len(), 5);
        assert_eq!(socket.receive(), None);
        let sender = sender(&socket);
        for message in [&b"READY=1"[..], b"", &[b'x'; LONGEST]] {
            sender.send(message).unwrap();
            let us = std::process::id().cast_signed();
            assert_eq!(socket.receive(), Some((us, message.to_vec())));
        }
        sender.send(&[b'x'; LONGEST + 1]).unwrap();
        assert_eq!(socket.receive().unwrap().1.len(), LONGEST);
        assert_eq!(socket.receive(), None);
    }

    #[test]
    fn the_kernel_names_the_sending_process() {
        let socket = NotifySocket::open().unwrap();
        let script = "import socket, sys\n\
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
            s.sendto(b'READY=1', '\\0' + sys.argv[1])\n";
        let name = str::from_utf8(name(&socket)).unwrap();
        let mut python = std::process::Command::new("python3");
        let Ok(mut child) = python.args(["-c", script, name]).spawn() else {
            return eprintln!("skipped: no python3 here");
        };
        assert!(child.wait().unwrap().success());
        let pid = child.id().cast_signed();
        assert!(poll::is_readable(socket.as_fd()));
        assert_eq!(socket.receive(), Some((pid, b"READY=1".to_vec())));
    }

    #[test]
    fn descriptors_sent_with_a_message_are_dropped() {
        use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
        let socket = NotifySocket::open().unwrap();
        let (mut reader, writer) = pipe().unwrap();
        let descriptors = [writer.as_raw_fd()];
        let control = [ControlMessage::ScmRights(&descriptors)];
        let bytes = [io::IoSlice::new(b"FDSTORE=1")];
        let sender = sender(&socket);
        let fd = sender.as_raw_fd();
        sendmsg::<()>(fd, &bytes, &control, MsgFlags::empty(), None).unwrap();
        drop(writer);
        assert_eq!(socket.receive().unwrap().1, b"FDSTORE=1");
        // An end of file proves that no copy is open anywhere.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }
}
