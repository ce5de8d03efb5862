//! Sockets that are handed over at start: descriptors 3 and up, `LISTEN_FDS`, `LISTEN_PID` and
//! `LISTEN_FDNAMES` (sd_listen_fds(3)), from whoever starts pidone, and from pidone to its children.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::listener::Listener;
use super::socket;
use crate::address::{ListenAddress, UnixName};
use crate::cause::Cause;

/// The first descriptor that is handed over (`SD_LISTEN_FDS_START`).
pub const FIRST: RawFd = 3;

/// The longest name (`LISTEN_FDNAMES`, sd_listen_fds(3)).
const LONGEST_NAME: usize = 255;

/// A socket that pidone was given.
#[derive(Debug)]
pub struct Inherited {
    /// What the giver calls it; "unknown" if it does not say.
    pub name: String,
    /// Where it is bound.
    pub address: ListenAddress,
    /// The socket; no longer inherited by children, and non-blocking.
    pub listener: Listener,
}

/// Why the sockets cannot be taken.
#[derive(Debug)]
pub enum ActivationError {
    /// `LISTEN_FDS` is no number.
    Count,
    /// The descriptor is not open, or no socket.
    Descriptor(RawFd, io::Error),
    /// The socket is of a kind that pidone does not know, or a stream that does not listen.
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

/// Takes the sockets that are meant for this process; none if none are. They can be taken once.
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
            // SAFETY: LISTEN_PID says that the descriptor was opened for this process to own, no
            // one in pidone has opened one before, and `TAKEN` says that nobody took it.
            unsafe { claim(fd, name.to_owned()) }
        })
        .collect()
}

/// The descriptors, and what they are called.
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
        // systemd's own name for what has none.
        (fd, name.unwrap_or("unknown"))
    }))
}

/// # Safety
/// If the descriptor is open, nobody else owns it.
unsafe fn claim(fd: RawFd, name: String) -> Result<Inherited, ActivationError> {
    let failed = |error: io::Error| ActivationError::Descriptor(fd, error);
    // An OwnedFd must be open, so ask first, and with the same call keep it from children.
    // SAFETY: takes numbers only.
    let result = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Errno::result(result).map_err(|errno| failed(errno.into()))?;
    // SAFETY: it is open, and the caller says that it is ours.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    let word =
        |name| socket::option(owned.as_fd(), libc::SOL_SOCKET, name).map(|[value]: [u32; 1]| value);
    let kind = word(libc::SO_TYPE).map_err(failed)?;
    let listens = word(libc::SO_ACCEPTCONN).map_err(failed)? != 0;
    // Whoever gets it from pidone expects that (libuv's accept loop does not end otherwise).
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

/// What pidone calls a socket of its own in `LISTEN_FDNAMES`: `tcp-8080`, `udp-53`,
/// `unix-app.sock`. A name that pidone was given stays as it is.
#[must_use]
pub fn name(address: &ListenAddress) -> String {
    let name = match address {
        ListenAddress::Tcp(endpoint) => format!("tcp-{}", endpoint.port),
        ListenAddress::Udp(endpoint) => format!("udp-{}", endpoint.port),
        ListenAddress::Unix(UnixName::Abstract(name)) => format!("unix-{name}"),
        ListenAddress::Unix(UnixName::Path(path)) => {
            let file = path.file_name().unwrap_or_default();
            format!("unix-{}", file.to_string_lossy())
        }
    };
    // A colon would end the name; what else is not plain ASCII is not allowed.
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
