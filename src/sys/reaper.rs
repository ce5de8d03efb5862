//! Reaps exited children: pidone's own, and the orphans it has adopted.

use nix::errno::Errno;

use crate::ended::Ended;
use crate::signal::Signal;

/// A change in the state of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has exited and is reaped.
    Ended(Ended),
    /// This signal has stopped it.
    Stopped(Signal),
    /// It was continued.
    Continued,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaped {
    /// A child, by its process id; it is reaped.
    Child(i32, Ended),
    /// There are children, and none has exited.
    NoneExited,
    /// There are no children.
    NoChildren,
}

/// Reaps the next child that has exited, whichever it is; does not wait (waitpid(2)).
///
/// The kernel searches all children, one after the other (`do_wait_thread`, kernel/exit.c).
#[must_use]
pub fn next_dead() -> Reaped {
    let mut status = 0;
    // SAFETY: the kernel writes one int.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    match (pid, change(status)) {
        (1.., Some(Change::Ended(ended))) => Reaped::Child(pid, ended),
        // With WNOHANG the only other error is EINVAL, for options that do not exist.
        (..=-1, _) => Reaped::NoChildren,
        _ => Reaped::NoneExited,
    }
}

/// Whether a process group has members that are children of pidone's, zombies included (waitid(2)).
///
/// While it has, the kernel gives its number to no other group: a number is free again only when no
/// process has it as its id, its group's or its session's (`__change_pid`, kernel/pid.c). And only
/// pidone can reap those members.
#[must_use]
pub fn has_children_in_group(group: i32) -> bool {
    let Ok(group) = libc::id_t::try_from(group) else {
        return false;
    };
    // SAFETY: a plain structure of numbers and pointers, for which zeros are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the kernel writes one record, which outlives the call.
    let result = unsafe { libc::waitid(libc::P_PGID, group, &raw mut info, options) };
    result == 0
}

/// Takes one state change of a child, if there is any. The kernel finds it at once, however many
/// children there are.
#[must_use]
pub fn news_of(pid: i32) -> Option<Change> {
    let mut status = 0;
    // SAFETY: the kernel writes one int.
    let found = unsafe {
        libc::waitpid(
            pid,
            &raw mut status,
            libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED,
        )
    };
    change(status).filter(|_| found == pid)
}

/// Parses a wait status, as the macros of waitpid(2) do.
fn change(status: i32) -> Option<Change> {
    let signal = |number: i32| Signal::from_number(i64::from(number));
    if libc::WIFCONTINUED(status) {
        return Some(Change::Continued);
    }
    if libc::WIFSTOPPED(status) {
        return signal(libc::WSTOPSIG(status)).map(Change::Stopped);
    }
    if libc::WIFSIGNALED(status) {
        return signal(libc::WTERMSIG(status)).map(|signal| Change::Ended(Ended::Killed(signal)));
    }
    let code = u8::try_from(libc::WEXITSTATUS(status)).ok()?;
    Some(Change::Ended(Ended::Code(code)))
}

/// Waits for a child that is about to exit, and discards its status.
pub(super) fn discard(pid: i32) {
    loop {
        // SAFETY: the null pointer asks for no status.
        let result = unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        if Errno::result(result) != Err(Errno::EINTR) {
            return;
        }
    }
}
