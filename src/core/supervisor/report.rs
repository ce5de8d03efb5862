//! What is worth a line in the log, as values; the shell finds the words.

use core::time::Duration;

use super::member::WorkerId;
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
        /// What tells that it is one.
        verdict: Verdict,
        /// Its own status; `None`: it has not ended yet.
        own: Option<u8>,
        /// What that makes pidone's, which is never 0.
        status: u8,
    },
    /// A worker has ended with 0 before any has ever asked to listen: it is a command, not a server.
    /// pidone leaves when the others are done.
    Command {
        /// Which.
        worker: WorkerId,
        /// How many others still run.
        others: usize,
    },
    /// A reload begins, perhaps in the middle of another one.
    ReloadBegun,
    /// A restart of one slot begins, perhaps as part of what is being replaced already.
    RestartBegun {
        /// Which.
        slot: usize,
    },
    /// A slot's worker has been replaced, whatever for: the new one serves.
    SlotReplaced {
        /// The slot.
        slot: usize,
        /// The new one.
        worker: WorkerId,
    },
    /// All that reloads and restarts have asked for is replaced: each of them ends with this, or
    /// with `ReloadFailed`, `Stopping`, `CrashLoop` or `Command`.
    ReloadDone {
        /// How long it took.
        took: Duration,
    },
    /// A successor did not get ready: reloads and restarts are over, and the old workers stay.
    ReloadFailed {
        /// The successor.
        worker: WorkerId,
    },
    /// A worker is about to be replaced, for what its time or its memory costs.
    Recycled {
        /// Which.
        worker: WorkerId,
        /// Why.
        reason: Reason,
    },
    /// A worker's event loop has stood still for too long: the worker is killed.
    Hung {
        /// Which.
        worker: WorkerId,
        /// For how long.
        after: Duration,
    },
    /// A worker that serves has not answered a question to its event loop.
    Unresponsive {
        /// Which.
        worker: WorkerId,
        /// For so long.
        after: Duration,
    },
    /// One that was unresponsive has answered.
    Responsive {
        /// Which.
        worker: WorkerId,
    },
    /// A signal has stopped a worker: it does nothing until it is continued.
    Stopped {
        /// Which.
        worker: WorkerId,
        /// By what.
        signal: Signal,
    },
    /// It runs again.
    Continued {
        /// Which.
        worker: WorkerId,
    },
    /// There shall be more workers, or fewer.
    Scaled {
        /// So many there were.
        from: usize,
        /// So many there will be.
        to: usize,
    },
    /// The last change of their number is complete: those that are to serve do, and the others are
    /// gone.
    ScaleDone {
        /// How many serve.
        workers: usize,
    },
    /// A request comes to nothing.
    RequestRefused {
        /// Why.
        why: Refusal,
    },
    /// The last worker cannot be taken away.
    LastWorker,
    /// An orderly stop begins.
    Stopping {
        /// What asked for it.
        signal: Signal,
    },
    /// The terminal is closed, which is a reason to stop.
    TerminalClosed,
    /// SIGABRT is for pidone itself, which ends at once.
    Aborting,
    /// Somebody is in a hurry: everything is killed.
    StoppingAtOnce,
    /// Processes that no worker is are waited for.
    WaitingForLeftovers,
    /// They have had their time, and are about to be killed.
    KillingLeftovers,
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
            | Self::Command { worker, .. }
            | Self::SlotReplaced { worker, .. }
            | Self::ReloadFailed { worker }
            | Self::Recycled { worker, .. }
            | Self::Hung { worker, .. }
            | Self::Unresponsive { worker, .. }
            | Self::Responsive { worker }
            | Self::Stopped { worker, .. }
            | Self::Continued { worker } => Some(worker),
            Self::AllReady { .. }
            | Self::ReloadBegun
            | Self::RestartBegun { .. }
            | Self::ReloadDone { .. }
            | Self::Scaled { .. }
            | Self::ScaleDone { .. }
            | Self::RequestRefused { .. }
            | Self::LastWorker
            | Self::Stopping { .. }
            | Self::TerminalClosed
            | Self::Aborting
            | Self::StoppingAtOnce
            | Self::WaitingForLeftovers
            | Self::KillingLeftovers => None,
        }
    }
}

/// Why a worker that serves is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has too much in memory (`--max-memory`).
    Memory {
        /// So much.
        bytes: u64,
        /// It may have so much.
        limit: u64,
    },
    /// It has run for long enough (`--max-age`).
    Age,
}

/// Why a request comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is one child, and nothing to replace or to add.
    SingleMode,
    /// The first worker has not been started yet.
    NotStarted,
    /// All workers are to end.
    Stopping,
    /// There is no such slot.
    NoSuchSlot {
        /// What was asked for.
        slot: usize,
        /// There are so many, counted from 0.
        slots: usize,
    },
    /// One worker is the least: to have none is to stop.
    TooFew,
    /// There cannot be so many.
    TooMany {
        /// The most there can be.
        most: usize,
    },
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
    /// Another one is started when some worker is ready, or when all others have failed.
    Wait,
}

/// What makes a crash loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Starts of one slot that failed one after the other, whatever the time.
    NeverReady {
        /// So many.
        boots: u32,
        /// Some worker has been ready since pidone has started.
        ever: bool,
    },
    /// Restarts of one slot, within a time.
    Restarts {
        /// So many were allowed.
        restarts: u32,
        /// Within this time.
        window: Duration,
    },
}
