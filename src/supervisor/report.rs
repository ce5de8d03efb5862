//! What is worth a line in the log, as values; the shell finds the words.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::lane::WorkerId;
use crate::ended::Ended;
use crate::signal::Signal;

/// Something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// A worker has ended, and what comes of it.
    Ended {
        /// Which.
        worker: WorkerId,
        /// How.
        ended: Ended,
        /// How long it ran.
        uptime: Duration,
        /// Whether it was killed by a signal that pidone had sent it.
        sent_by_us: bool,
        /// What happens next.
        next: Next,
    },
    /// A worker would not end in time, and is about to be killed.
    Overdue {
        /// Which.
        worker: WorkerId,
        /// How long it was given.
        grace: Duration,
    },
    /// A worker did not get ready in time, and is told to end.
    NeverReady {
        /// Which.
        worker: WorkerId,
        /// How long it was given.
        timeout: Duration,
    },
    /// All workers serve, for the first time or again.
    AllReady {
        /// How many.
        workers: usize,
    },
    /// A slot's workers die one after the other: pidone gives up.
    CrashLoop {
        /// The last of them.
        worker: WorkerId,
        /// Restarts that were allowed.
        restarts: u32,
        /// Within this time.
        window: Duration,
    },
    /// A reload begins.
    ReloadBegun,
    /// Every worker has been replaced.
    ReloadDone {
        /// How long it took.
        took: Duration,
    },
    /// A successor did not get ready: the reload is over, and the old workers stay.
    ReloadFailed {
        /// The successor.
        worker: WorkerId,
    },
    /// There shall be more workers, or fewer.
    Scaled {
        /// So many there were.
        from: usize,
        /// So many there will be.
        to: usize,
    },
    /// The last worker cannot be taken away.
    LastWorker,
    /// An orderly stop begins.
    Stopping {
        /// What asked for it.
        signal: Signal,
    },
    /// Somebody is in a hurry: everything is killed.
    StoppingAtOnce,
}

impl Report {
    /// Whom it is about, if it is about one worker.
    #[must_use]
    pub fn worker(&self) -> Option<WorkerId> {
        match *self {
            Self::Ended { worker, .. }
            | Self::Overdue { worker, .. }
            | Self::NeverReady { worker, .. }
            | Self::CrashLoop { worker, .. }
            | Self::ReloadFailed { worker } => Some(worker),
            Self::AllReady { .. }
            | Self::ReloadBegun
            | Self::ReloadDone { .. }
            | Self::Scaled { .. }
            | Self::LastWorker
            | Self::Stopping { .. }
            | Self::StoppingAtOnce => None,
        }
    }
}

/// What happens when a worker has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it was meant to end, or nothing is left to do.
    Nothing,
    /// Its place is taken by a successor that is there already.
    Successor,
    /// A spare takes its place.
    Spare,
    /// Another one is started, this much later.
    Restart(Duration),
}
