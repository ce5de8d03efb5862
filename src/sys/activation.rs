//! Sockets passed in at start: descriptors 3 and up, `LISTEN_FDS`, `LISTEN_PID` and
//! `LISTEN_FDNAMES` (sd_listen_fds(3)), from the process that starts pidone, and from pidone to its
//! children.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::listener::Listener;
use super::socket;
use crate::address::{ListenAddress, UnixName};
use crate::cause::Cause;

/// The first descriptor that is passed (`SD_LISTEN_FDS_START`).
pub const FIRST: RawFd = 3;

/// Maximum length of a name (`LISTEN_FDNAMES`, sd_listen_fds(3)).
const LONGEST_NAME: usize = 255;

/// A socket that pidone inherited.
#[derive(Debug)]
pub struct Inherited {
    /// Its name in `LISTEN_FDNAMES`; "unknown" without one.
    pub name: String,
    /// The address it is bound to.
    pub address: ListenAddress,
    /// The socket; close-on-exec and non-blocking.
    pub listener: Listener,
}

/// Why the sockets cannot be used.
#[derive(Debug)]
pub enum ActivationError {
    /// `LISTEN_FDS` is not a number.
    Count,
    /// The descriptor is not open, or is not a socket.
    Descriptor(RawFd, io::Error),
    /// The socket is of an unsupported kind, or a stream socket that does not listen.
    Kind(RawFd),
}

impl fmt::Display for ActivationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => out.write_str("LISTEN_FDS is not a number of sockets"),
            Self::Descriptor(fd, cause) => {
                write!(
                    out,
                    "LISTEN_FDS: descriptor {fd} is not a socket: {}",
                    Cause(cause)
                )
            }
            Self::Kind(fd) => write!(
                out,
                "LISTEN_FDS: descriptor {fd} is neither a listening TCP or UNIX socket nor a UDP socket"
            ),
        }
    }
}

impl std::error::Error for ActivationError {}

/// Takes the sockets that are meant for this process (`LISTEN_PID`); empty if there are none. A
/// second call returns none.
///
/// # Errors
/// See [`ActivationError`].
pub fn take() -> Result<Vec<Inherited>, ActivationError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);

    let variable = |name| std::env::var(name).unwrap_or_default();
    let ours = variable("LISTEN_PID").parse() == Ok(std::process::id());
    if !ours || TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    announced(&variable("LISTEN_FDS"), &variable("LISTEN_FDNAMES"))?
        .map(|(fd, name)| {
            // SAFETY: LISTEN_PID says that the descriptor was opened for this process to own; no
            // code in pidone has opened one before, and `TAKEN` says that no earlier call took it.
            unsafe { claim(fd, name.to_owned()) }
        })
        .collect()
}

/// The descriptors and their names.
///
/// # Errors
/// [`ActivationError::Count`]
pub fn announced<'a>(
    count: &str,
    names: &'a str,
) -> Result<impl Iterator<Item = (RawFd, &'a str)>, ActivationError> {
    let count: u16 = count.parse().map_err(|_| ActivationError::Count)?;
    let mut names = names.split(':');
    Ok((FIRST..FIRST + RawFd::from(count)).map(move |fd| {
        let name = names.next().filter(|name| !name.is_empty());
        // systemd's name for a socket without one.
        (fd, name.unwrap_or("unknown"))
    }))
}

/// # Safety
/// If the descriptor is open, no other code owns it.
unsafe fn claim(fd: RawFd, name: String) -> Result<Inherited, ActivationError> {
    let failed = |error: io::Error| ActivationError::Descriptor(fd, error);
    // An OwnedFd must be open, so check that first; the same call sets close-on-exec.
    // SAFETY: takes numbers only.
    let result = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Errno::result(result).map_err(|errno| failed(errno.into()))?;
    // SAFETY: it is open, and the caller guarantees that we own it.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    let word =
        |name| socket::option(owned.as_fd(), libc::SOL_SOCKET, name).map(|[value]: [u32; 1]| value);
    let kind = word(libc::SO_TYPE).map_err(failed)?;
    let listens = word(libc::SO_ACCEPTCONN).map_err(failed)? != 0;
    // The programs that get it from pidone expect that (libuv's accept loop does not end
    // otherwise).
    let flags = fcntl(&owned, FcntlArg::F_GETFL).map_err(|errno| failed(errno.into()))?;
    let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
    fcntl(&owned, FcntlArg::F_SETFL(flags)).map_err(|errno| failed(errno.into()))?;

    let listener = Listener::from(owned);
    let address = listener.address().map_err(failed)?;
    let stream = kind == libc::SOCK_STREAM.unsigned_abs();
    match address {
        Some(address @ ListenAddress::Udp(_)) if !stream => Ok((address, listener)),
        Some(address) if stream && listens => Ok((address, listener)),
        _ => Err(ActivationError::Kind(fd)),
    }
    .map(|(address, listener)| Inherited {
        name,
        address,
        listener,
    })
}

/// The name of one of pidone's own sockets in `LISTEN_FDNAMES`: `tcp-8080`, `udp-53`,
/// `unix-app.sock`. An inherited name is kept.
#[must_use]
pub fn name(address: &ListenAddress) -> String {
    let name = match address {
        ListenAddress::Tcp(endpoint) => format!("tcp-{}", endpoint.port),
        ListenAddress::Udp(endpoint) => format!("udp-{}", endpoint.port),
        ListenAddress::Unix(UnixName::Abstract(name)) => format!("unix-{name}"),
        ListenAddress::Unix(UnixName::Path(path)) => {
            let file = Path::new(OsStr::from_bytes(path)).file_name();
            format!("unix-{}", file.unwrap_or_default().to_string_lossy())
        }
    };
    // A colon would end the name; characters other than plain ASCII are not allowed.
    let plain = |c: char| {
        if c.is_ascii_graphic() && c != ':' {
            c
        } else {
            '_'
        }
    };
    name.chars().map(plain).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests;
