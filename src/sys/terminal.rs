//! The terminal on standard input: its foreground group, job control, keys; and the size of the one
//! on standard output.

use nix::errno::Errno;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, getppid, getsid, tcgetpgrp, tcsetpgrp};
use std::io::{stdin, stdout};
use std::os::fd::AsRawFd;

use super::signal::{Target, send};
use crate::signal::Signal;

/// pidone's controlling terminal. Also useful to a background job, which may get the foreground
/// later.
#[derive(Debug)]
pub struct Terminal {
    own_group: Pid,
}

impl Terminal {
    /// The terminal on standard input, if it is pidone's controlling terminal.
    #[must_use]
    pub fn on_stdin() -> Option<Self> {
        let own_group = getpgrp();
        tcgetpgrp(stdin()).is_ok().then_some(Self { own_group })
    }

    /// Whether pidone has the foreground: only then can it pass it on.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        tcgetpgrp(stdin()) == Ok(self.own_group)
    }

    /// Makes a child's group the foreground group, if pidone's own is the foreground group.
    pub fn lend(&self, group: i32) {
        self.hand_over(self.own_group, Pid::from_raw(group));
    }

    /// Takes the foreground back from a child's group, if that group still has it.
    pub fn take_back(&self, group: i32) {
        self.hand_over(Pid::from_raw(group), self.own_group);
    }

    /// Takes the foreground back from a group that no longer exists: a child had taken it and then
    /// failed to exec.
    pub fn reclaim(&self) {
        let _ = tcsetpgrp(stdin(), self.own_group);
    }

    /// SIGTTOU is blocked in pidone, so a change from the background is allowed
    /// (`tty_check_change`, drivers/tty/tty_jobctrl.c). It fails when the terminal is gone, which
    /// can be ignored.
    fn hand_over(&self, from: Pid, to: Pid) {
        if tcgetpgrp(stdin()) == Ok(from) {
            let _ = tcsetpgrp(stdin(), to);
        }
    }
}

/// Makes the caller's own group the foreground group of standard input's terminal.
/// Async-signal-safe, for a child between clone and exec.
pub(super) fn take_foreground() {
    // It fails when the terminal has just gone, which must not prevent the start.
    let _ = tcsetpgrp(stdin(), getpgrp());
}

/// Whether a shell can resume pidone after it stops: its parent is in the same session.
///
/// No shell can resume PID 1 of a container or a session leader; stopping them would be permanent.
#[must_use]
pub fn has_job_control() -> bool {
    let same_session = || Ok::<_, Errno>(getsid(Some(getppid()))? == getsid(None)?);
    getppid().as_raw() > 0 && same_session().unwrap_or(false)
}

/// Stops pidone until another process continues it.
pub fn stop_ourselves() {
    // The default action of SIGTSTP; that is blocked here, so this emulates it.
    let _ = signal_hook::low_level::emulate_default_handler(Signal::TSTP.number());
}

/// Continues every process of a child's group.
pub fn continue_group(group: i32) {
    let _ = send(Target::Group(group), Signal::CONT);
}

/// While this exists, each key is read when it is pressed, and not echoed. Ctrl-C and similar keys
/// still send signals.
#[derive(Debug)]
pub struct KeyMode {
    before: Termios,
}

impl KeyMode {
    /// `None`: standard input is not our terminal.
    #[must_use]
    pub fn enter() -> Option<Self> {
        let before = tcgetattr(stdin()).ok()?;
        let mut changed = before.clone();
        changed
            .local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(stdin(), SetArg::TCSADRAIN, &changed).ok()?;
        Some(Self { before })
    }
}

impl Drop for KeyMode {
    fn drop(&mut self) {
        // Keys typed for us must not reach the shell.
        let _ = tcsetattr(stdin(), SetArg::TCSAFLUSH, &self.before);
    }
}

/// The columns and rows of the terminal on standard output; 80 and 24 if they are unknown.
#[must_use]
pub fn size() -> (usize, usize) {
    // SAFETY: a plain structure of numbers, for which zeros are valid.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ writes a `winsize`, and `size` outlives the call (ioctl_tty(2)).
    let result = unsafe { libc::ioctl(stdout().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    if result != 0 || size.ws_col == 0 || size.ws_row == 0 {
        return (80, 24);
    }
    (size.ws_col.into(), size.ws_row.into())
}
