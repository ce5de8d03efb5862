//! The whole contract between the core and the shell: what can happen, and what can be done.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::ended::Ended;
use crate::signal::Signal;

/// A point in time: how long pidone has been running, by a clock that never jumps.
pub type Moment = Duration;

/// What the shell tells the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A signal reached pidone from outside; SIGCHLD and what pidone raised on itself never do.
    Signal(Signal),
    /// The child that [`Action::Start`] asked for runs its program.
    Started,
    /// The child is gone and reaped.
    Exited(Ended),
    /// A stop signal has stopped the child (waitpid(2), `WUNTRACED`).
    Stopped {
        /// Which.
        signal: Signal,
        /// pidone is a job of a shell that could resume it.
        job_control: bool,
    },
    /// Whether processes are left besides pidone; follows every [`Action::SignalLeftovers`], and
    /// every exit after that.
    Leftovers {
        /// At least one still runs.
        any: bool,
    },
    /// The time that [`super::Supervisor::next_deadline`] named has come.
    Tick,
}

/// What the supervisor wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start the child; answered by [`Event::Started`]. A failure to start ends the run.
    Start,
    /// Send a signal to the child, or to its whole process group.
    Signal {
        /// Which.
        signal: Signal,
        /// To the group.
        group: bool,
    },
    /// Say that the child would not end in time, and is about to be killed.
    ReportOverdue {
        /// How long it was given.
        grace: Duration,
    },
    /// Say how the child died, when a signal killed it.
    ReportDeath {
        /// Which signal.
        signal: Signal,
        /// How long the child ran.
        uptime: Duration,
        /// Whether pidone had sent it that signal.
        sent_by_us: bool,
    },
    /// Stop pidone, as the child is stopped, so that the shell sees the whole job stopped.
    Suspend,
    /// Continue the child's whole group, with the terminal if the job has the foreground.
    Resume,
    /// Signal every process that is left; answered by [`Event::Leftovers`].
    SignalLeftovers(Signal),
    /// Leave with this status.
    Exit(u8),
}
