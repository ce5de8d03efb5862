//! Waiting for descriptors, with an optional time limit.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A descriptor, and the events to wait for.
pub type Watched<'a> = (BorrowedFd<'a>, Interest);

/// The events to wait for; errors and hang-ups are always included (poll(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Readable, or at its end.
    Read,
    /// Writable.
    Write,
    /// Either.
    Both,
    /// Only a hang-up in both directions.
    HangUp,
}

impl Interest {
    fn flags(self) -> PollFlags {
        match self {
            Self::Read => PollFlags::POLLIN,
            Self::Write => PollFlags::POLLOUT,
            Self::Both => PollFlags::POLLIN | PollFlags::POLLOUT,
            Self::HangUp => PollFlags::empty(),
        }
    }
}

/// Sleeps until one of the descriptors is ready, or the time has passed; `None`: no time limit.
/// Returns for each, in order, whether it is ready. An error or a hang-up counts as ready: the next
/// read reports it.
///
/// # Errors
/// Those of poll(2), except an interruption.
pub fn wait(watched: &[Watched<'_>], limit: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut fds: Vec<_> = watched
        .iter()
        .map(|(fd, interest)| PollFd::new(*fd, interest.flags()))
        .collect();
    let timeout = match limit {
        None => PollTimeout::NONE,
        Some(limit) => milliseconds_up(limit),
    };
    match poll(&mut fds, timeout) {
        Ok(_) => Ok(fds.iter().map(|fd| fd.any() != Some(false)).collect()),
        Err(Errno::EINTR) => Ok(vec![false; fds.len()]),
        Err(errno) => Err(errno.into()),
    }
}

/// Sleeps until one of the descriptors is readable, or the time has passed; `None`: no time limit.
///
/// # Errors
/// As [`wait`].
pub fn wait_readable(fds: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<()> {
    let watched: Vec<_> = fds.iter().map(|fd| (*fd, Interest::Read)).collect();
    wait(&watched, limit).map(drop)
}

/// Whether a read returns at once, with data or the end.
#[must_use]
pub fn is_readable(fd: BorrowedFd<'_>) -> bool {
    wait(&[(fd, Interest::Read)], Some(Duration::ZERO)).is_ok_and(|ready| ready.contains(&true))
}

/// Rounded up: waking too early would need a second sleep. Capped at the maximum of poll(2).
fn milliseconds_up(limit: Duration) -> PollTimeout {
    let milliseconds = limit.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}
