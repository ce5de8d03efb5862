//! Waiting for descriptors, with an optional time limit (ppoll(2)).

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;
use std::{io, ptr};

use nix::errno::Errno;

use super::memory;

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
    /// Nothing, not even a hang-up.
    None,
}

impl Interest {
    fn flags(self) -> i16 {
        match self {
            Self::Read => libc::POLLIN,
            Self::Write => libc::POLLOUT,
            Self::Both => libc::POLLIN | libc::POLLOUT,
            Self::HangUp | Self::None => 0,
        }
    }
}

/// Descriptors to wait for, which stay from one wait to the next. Each has a place; what is ready
/// there is taken by [`take_ready`](Self::take_ready).
#[derive(Debug, Default)]
pub struct PollSet(Vec<libc::pollfd>);

impl PollSet {
    /// Watches a descriptor at a place: at the end, or instead of another one. It must be cleared
    /// there before it is closed: another file may get its number.
    pub fn set(&mut self, place: usize, fd: BorrowedFd<'_>, interest: Interest) {
        let entry = entry((fd, interest));
        match self.0.get_mut(place) {
            Some(old) => *old = entry,
            None => self.0.push(entry),
        }
    }

    /// What to wait for at a place from now on.
    pub fn change(&mut self, place: usize, interest: Interest) {
        if let Some(entry) = self.0.get_mut(place) {
            // poll(2) ignores negative numbers.
            if (interest == Interest::None) == (entry.fd >= 0) {
                entry.fd = !entry.fd;
            }
            entry.events = interest.flags();
        }
    }

    /// Watches nothing at a place any more.
    pub fn clear(&mut self, place: usize) {
        if let Some(entry) = self.0.get_mut(place) {
            *entry = IGNORED;
        }
    }

    /// Sleeps until a descriptor is ready, or the time has passed; `None`: no time limit. Returns
    /// whether one is. An error or a hang-up counts as ready: the next read reports it.
    ///
    /// # Errors
    /// Those of ppoll(2), except an interruption.
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<bool> {
        poll(&mut self.0, limit)
    }

    /// The same, without the program's code in memory ([`memory::release_code`]).
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_small(&mut self, limit: Option<Duration>) -> io::Result<bool> {
        memory::release_code();
        poll(&mut self.0, limit)
    }

    /// The first place from `from` on that is ready. Each is returned once after a wait.
    pub fn take_ready(&mut self, from: usize) -> Option<usize> {
        let mut rest = self.0.iter_mut().enumerate().skip(from);
        let (place, entry) = rest.find(|(_, entry)| entry.revents != 0)?;
        entry.revents = 0;
        Some(place)
    }
}

const IGNORED: libc::pollfd = libc::pollfd {
    fd: -1,
    events: 0,
    revents: 0,
};

fn entry((fd, interest): Watched<'_>) -> libc::pollfd {
    let fd = fd.as_raw_fd();
    libc::pollfd {
        fd: if interest == Interest::None { !fd } else { fd },
        events: interest.flags(),
        revents: 0,
    }
}

/// The system call itself, not the C library's function: pidone sleeps in it, and so has one page
/// of the library less in memory.
// Inlined into its callers, for the same reason.
#[allow(clippy::inline_always)]
#[inline(always)]
fn poll(entries: &mut [libc::pollfd], limit: Option<Duration>) -> io::Result<bool> {
    let mut limit = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
        // Always below 1,000,000,000.
        tv_nsec: limit.subsec_nanos().cast_signed().into(),
    });
    let limit = limit.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: the kernel reads and writes as many entries as there are, and the limit if there is
    // one (the system call leaves the remaining time there); both outlive the call. A null mask
    // leaves the signal mask as it is.
    let ready = unsafe {
        libc::syscall(
            libc::SYS_ppoll,
            entries.as_mut_ptr(),
            entries.len(),
            limit,
            ptr::null::<u64>(),
            size_of::<u64>(),
        )
    };
    match Errno::result(ready) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Sleeps until one of the descriptors is ready, or the time has passed; `None`: no time limit.
/// Returns for each, in order, whether it is ready. An error or a hang-up counts as ready: the next
/// read reports it.
///
/// # Errors
/// Those of ppoll(2), except an interruption.
pub fn wait(watched: &[Watched<'_>], limit: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut entries: Vec<_> = watched.iter().copied().map(entry).collect();
    poll(&mut entries, limit)?;
    Ok(entries.iter().map(|entry| entry.revents != 0).collect())
}

/// Sleeps until one of the descriptors is readable, or the time has passed; `None`: no time limit.
///
/// # Errors
/// As [`wait`].
#[cfg(test)]
pub fn wait_readable(fds: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<()> {
    let watched: Vec<_> = fds.iter().map(|fd| (*fd, Interest::Read)).collect();
    wait(&watched, limit).map(drop)
}

/// Whether a read returns at once, with data or the end.
#[must_use]
pub fn is_readable(fd: BorrowedFd<'_>) -> bool {
    is_ready((fd, Interest::Read))
}

/// Whether a descriptor is ready now.
#[must_use]
pub fn is_ready(watched: Watched<'_>) -> bool {
    wait(&[watched], Some(Duration::ZERO)).is_ok_and(|ready| ready.contains(&true))
}
