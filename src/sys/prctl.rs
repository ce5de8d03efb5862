//! Attributes that pidone sets for its own process (prctl(2)).

use std::io;

use nix::errno::Errno;

use crate::signal::Signal;

/// Makes pidone the parent of its orphaned descendants, as PID 1 is by default.
///
/// # Errors
/// `EINVAL` on a kernel older than 3.4.
pub fn become_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Sends pidone this signal when its parent dies.
///
/// # Errors
/// None that a valid signal could cause.
pub fn signal_on_parent_death(signal: Signal) -> io::Result<()> {
    // SAFETY: takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal.number()) };
    Ok(Errno::result(result).map(drop)?)
}
