//! The terminal on standard input: whose group has the foreground, stopping as a job, keys; and
//! the one on standard output: its size.

use nix::errno::Errno;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, getppid, getsid, tcgetpgrp, tcsetpgrp};
use std::io::{stdin, stdout};
use std::os::fd::AsRawFd;

use super::signal::{Target, send};
use crate::signal::Signal;

/// pidone's controlling terminal. A job that was started in the background may get the foreground
/// later, so this is worth having without it.
#[derive(Debug)]
pub struct Terminal {
    own_group: Pid,
}

impl Terminal {
    /// The terminal on standard input, if it is pidone's own.
    #[must_use]
    pub fn on_stdin() -> Option<Self> {
        let own_group = getpgrp();
        tcgetpgrp(stdin()).is_ok().then_some(Self { own_group })
    }

    /// Whether pidone has the foreground: only then is there something to hand on.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        tcgetpgrp(stdin()) == Ok(self.own_group)
    }

    /// Makes a child's group the foreground group, if pidone's own still is.
    pub fn lend(&self, group: i32) {
        self.hand_over(self.own_group, Pid::from_raw(group));
    }

    /// Takes the foreground back from a child's group, if it still has it.
    pub fn take_back(&self, group: i32) {
        self.hand_over(Pid::from_raw(group), self.own_group);
    }

    /// Takes the foreground back from a group that is gone: a child that had taken it and then
    /// could not become its program.
    pub fn reclaim(&self) {
        let _ = tcsetpgrp(stdin(), self.own_group);
    }

    /// SIGTTOU is blocked in pidone, so a change from the background is allowed (`tty_check_change`,
    /// drivers/tty/tty_jobctrl.c). It fails when the terminal is gone, and then nobody minds.
    fn hand_over(&self, from: Pid, to: Pid) {
        if tcgetpgrp(stdin()) == Ok(from) {
            let _ = tcsetpgrp(stdin(), to);
        }
    }
}

/// Makes the caller's own group the foreground group of standard input's terminal.
/// Async-signal-safe, for a child between clone and exec.
pub(super) fn take_foreground() {
    // It fails when the terminal has just gone, which is no reason not to start.
    let _ = tcsetpgrp(stdin(), getpgrp());
}

/// Whether a shell can resume pidone once it stops: its parent is in the same session.
///
/// PID 1 of a container and session leaders have nobody; stopping them would be for ever.
#[must_use]
pub fn has_job_control() -> bool {
    let same_session = || Ok::<_, Errno>(getsid(Some(getppid()))? == getsid(None)?);
    getppid().as_raw() > 0 && same_session().unwrap_or(false)
}

/// Stops pidone until somebody continues it.
pub fn stop_ourselves() {
    // What the default action of SIGTSTP does; it is blocked here, so its emulation is called.
    let _ = signal_hook::low_level::emulate_default_handler(Signal::TSTP.number());
}

/// Continues every process of a child's group.
pub fn continue_group(group: i32) {
    let _ = send(Target::Group(group), Signal::CONT);
}

/// Each key is read when it is pressed, and not shown, for as long as this lives. Ctrl-C and the
/// like remain signals.
#[derive(Debug)]
pub struct KeyMode {
    before: Termios,
}

impl KeyMode {
    /// `None`: standard input is no terminal of ours.
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
        // What was typed for us is not for the shell.
        let _ = tcsetattr(stdin(), SetArg::TCSAFLUSH, &self.before);
    }
}

/// The columns and rows of the terminal on standard output; where they are not known, as many as
/// terminals had when they were made of glass.
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
