//! Sockets and their addresses, in the kernel's form (socket(7), ip(7), ipv6(7)).

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::{c_int, sa_family_t, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};
use nix::errno::Errno;

use crate::steering::Instruction;

/// A new socket, non-blocking and close-on-exec. `kind`: `SOCK_STREAM` or `SOCK_DGRAM`.
pub(super) fn open(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    open_as(family, kind, 0)
}

/// The same, with a protocol that is not the family's default.
pub(super) fn open_as(family: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::socket(family, kind, protocol) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just returned this descriptor; no other code owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// setsockopt(2), for the many options that are an int.
pub(super) fn set_option(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    // SAFETY: the kernel reads one int.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            length_of::<c_int>(),
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// `SO_ATTACH_REUSEPORT_CBPF`: atomically replaces the program of a socket's group.
pub(super) fn attach_steering(fd: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?,
        // `Instruction` has the layout of the kernel's `sock_filter`, and the kernel does not write
        // to it.
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the kernel copies `len` instructions, which outlive the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            length_of::<libc::sock_fprog>(),
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// shutdown(2) of this side of a connection.
pub(super) fn stop_writing(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes numbers only.
    let result = unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_WR) };
    Ok(Errno::result(result).map(drop)?)
}

/// getsockopt(2), for an option of N words; a longer one is truncated.
pub(super) fn option<const N: usize>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
) -> io::Result<[u32; N]> {
    let mut value = [0; N];
    let mut length = length_of::<[u32; N]>();
    // SAFETY: the kernel writes at most `length` bytes, and any bits are valid words.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(result)?;
    Ok(value)
}

/// `IPV6_V6ONLY`, of an IPv6 socket.
pub(super) fn is_only_v6(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let [only] = option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)?;
    Ok(only != 0)
}

/// listen(2).
pub(super) fn listen(fd: BorrowedFd<'_>, backlog: u16) -> io::Result<()> {
    // SAFETY: takes numbers only.
    let result = unsafe { libc::listen(fd.as_raw_fd(), backlog.into()) };
    Ok(Errno::result(result).map(drop)?)
}

/// bind(2) to an IP address.
pub(super) fn bind(fd: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    // SAFETY: bind(2) reads as many bytes as the given length.
    with_raw(address, |raw, length| unsafe {
        libc::bind(fd.as_raw_fd(), raw, length)
    })
}

/// connect(2) to an IP address; `false`: in progress.
pub(super) fn connect(fd: BorrowedFd<'_>, address: SocketAddr) -> io::Result<bool> {
    // SAFETY: connect(2) reads as many bytes as the given length.
    let result = with_raw(address, |raw, length| unsafe {
        libc::connect(fd.as_raw_fd(), raw, length)
    });
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(false),
        Err(error) => Err(error),
    }
}

/// getsockname(2), of an IP socket; `None`: of another family.
pub(super) fn local_address(fd: BorrowedFd<'_>) -> io::Result<Option<SocketAddr>> {
    // SAFETY: a plain structure of numbers, for which zeros are valid.
    let mut storage: sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut length = length_of::<sockaddr_storage>();
    // SAFETY: the kernel writes at most `length` bytes.
    let result = unsafe {
        libc::getsockname(
            fd.as_raw_fd(),
            (&raw mut storage).cast::<sockaddr>(),
            &raw mut length,
        )
    };
    Errno::result(result)?;
    Ok(match c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the storage is large and aligned enough for every family, and the family says
            // that it holds this one.
            let raw = unsafe { &*(&raw const storage).cast::<sockaddr_in>() };
            let ip = u32::from_be(raw.sin_addr.s_addr).into();
            Some(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let raw = unsafe { &*(&raw const storage).cast::<sockaddr_in6>() };
            let ip = raw.sin6_addr.s6_addr.into();
            let port = u16::from_be(raw.sin6_port);
            Some(SocketAddrV6::new(ip, port, 0, raw.sin6_scope_id).into())
        }
        _ => None,
    })
}

/// The next connection in the queue, non-blocking and close-on-exec; `None`: the queue is empty.
///
/// # Errors
/// `EMFILE` and similar. An error of the waiting connection itself is not reported (accept(2)).
pub(super) fn accept(fd: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    loop {
        // SAFETY: null pointers mean that the peer's address is not wanted.
        let accepted = unsafe {
            libc::accept4(
                fd.as_raw_fd(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                flags,
            )
        };
        match Errno::result(accepted) {
            // SAFETY: the kernel has just returned this descriptor; no other code owns it.
            Ok(accepted) => return Ok(Some(unsafe { OwnedFd::from_raw_fd(accepted) })),
            Err(Errno::EAGAIN) => return Ok(None),
            Err(
                Errno::EINTR
                | Errno::ECONNABORTED
                | Errno::EPROTO
                | Errno::ENETDOWN
                | Errno::ENETUNREACH
                | Errno::EHOSTUNREACH
                | Errno::EHOSTDOWN,
            ) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The address family of an IP address.
pub(super) fn family(ip: IpAddr) -> c_int {
    match ip {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    }
}

fn with_raw(
    address: SocketAddr,
    call: impl FnOnce(*const sockaddr, socklen_t) -> c_int,
) -> io::Result<()> {
    let result = match address {
        SocketAddr::V4(address) => {
            // SAFETY: a plain structure of numbers, for which zeros are valid.
            let mut raw: sockaddr_in = unsafe { std::mem::zeroed() };
            raw.sin_family = INET;
            raw.sin_port = address.port().to_be();
            raw.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            call((&raw const raw).cast(), length_of::<sockaddr_in>())
        }
        SocketAddr::V6(address) => {
            // SAFETY: as above.
            let mut raw: sockaddr_in6 = unsafe { std::mem::zeroed() };
            raw.sin6_family = INET6;
            raw.sin6_port = address.port().to_be();
            raw.sin6_addr.s6_addr = address.ip().octets();
            raw.sin6_scope_id = address.scope_id();
            call((&raw const raw).cast(), length_of::<sockaddr_in6>())
        }
    };
    Ok(Errno::result(result).map(drop)?)
}

#[allow(clippy::cast_possible_truncation)]
const INET: sa_family_t = libc::AF_INET as sa_family_t;
#[allow(clippy::cast_possible_truncation)]
const INET6: sa_family_t = libc::AF_INET6 as sa_family_t;

/// Every structure here has at most a few dozen bytes.
#[allow(clippy::cast_possible_truncation)]
const fn length_of<T>() -> socklen_t {
    size_of::<T>() as socklen_t
}
