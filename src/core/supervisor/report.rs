//! Log messages as values; the runtime turns them into text.

use core::time::Duration;

use super::member::WorkerId;
use super::rollout::Progress;
use crate::ended::Ended;
use crate::signal::Signal;

/// A log message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// A worker has exited, and what follows.
    Ended {
        /// The worker.
        worker: WorkerId,
        /// The exit status or signal.
        ended: Ended,
        /// How long it ran.
        uptime: Duration,
        /// Whether it was killed by a signal that pidone had sent it.
        sent_by_us: bool,
        /// Whether pidone had asked it to exit, and not because it failed.
        is_planned: bool,
        /// What happens next.
        next: Next,
    },
    /// A worker did not exit in time, and is about to be killed.
    Overdue {
        /// The worker.
        worker: WorkerId,
        /// The time it had.
        grace: Duration,
    },
    /// A worker did not get ready in time, and is stopped.
    NeverReady {
        /// The worker.
        worker: WorkerId,
        /// The time it had.
        timeout: Duration,
    },
    /// All workers are ready, for the first time or again.
    AllReady {
        /// The number of workers.
        workers: usize,
    },
    /// A slot's workers keep failing: pidone gives up.
    CrashLoop {
        /// The last of them.
        worker: WorkerId,
        /// Why it is a crash loop.
        verdict: Verdict,
        /// The worker's own status; `None`: it has not exited yet.
        own: Option<u8>,
        /// pidone's exit status, which is never 0.
        status: u8,
    },
    /// A worker has exited with 0 before any has ever asked to listen: it is a command, not a
    /// server. pidone exits when the others are done.
    Command {
        /// The worker.
        worker: WorkerId,
        /// How many others still run.
        others: usize,
    },
    /// A reload begins, perhaps during another one.
    ReloadBegun,
    /// A restart of one slot begins, perhaps during a rollout.
    RestartBegun {
        /// The slot.
        slot: usize,
    },
    /// A slot's worker has been replaced, for any reason: the new one is ready.
    SlotReplaced {
        /// The slot.
        slot: usize,
        /// The new one.
        worker: WorkerId,
    },
    /// All requested reloads and restarts are complete. Each of them ends with this, or with
    /// `ReloadFailed`, `Stopping`, `CrashLoop` or `Command`.
    ReloadDone {
        /// How long it took.
        took: Duration,
    },
    /// A successor did not get ready: reloads and restarts end, and the workers that have not been
    /// replaced stay.
    ReloadFailed {
        /// The successor.
        worker: WorkerId,
        /// How many have been replaced.
        progress: Progress,
    },
    /// A worker is about to be replaced because of its age or memory.
    Recycled {
        /// The worker.
        worker: WorkerId,
        /// Why.
        reason: Reason,
    },
    /// A worker's event loop has been blocked for too long: the worker is killed.
    Hung {
        /// The worker.
        worker: WorkerId,
        /// The time without an answer.
        after: Duration,
    },
    /// A worker that serves has not answered a ping.
    Unresponsive {
        /// The worker.
        worker: WorkerId,
        /// The time without an answer.
        after: Duration,
    },
    /// An unresponsive worker has answered.
    Responsive {
        /// The worker.
        worker: WorkerId,
    },
    /// A signal has stopped a worker until it is continued.
    Stopped {
        /// The worker.
        worker: WorkerId,
        /// The stop signal.
        signal: Signal,
    },
    /// A stopped worker was continued.
    Continued {
        /// The worker.
        worker: WorkerId,
    },
    /// The number of workers is being changed.
    Scaled {
        /// The old number.
        from: usize,
        /// The new number.
        to: usize,
    },
    /// The number of workers is being changed because the container's CPU limit has changed.
    CpusChanged {
        /// The old number.
        from: usize,
        /// The new number.
        to: usize,
    },
    /// `--max-memory` has changed because the container's memory limit has.
    MemoryChanged {
        /// The old value, in bytes.
        from: u64,
        /// The new value, in bytes.
        to: u64,
    },
    /// The last change of the number of workers is complete: those wanted are ready, and the others
    /// have exited.
    ScaleDone {
        /// The number of workers that serve.
        workers: usize,
    },
    /// A request is refused.
    RequestRefused {
        /// Why.
        why: Refusal,
    },
    /// The last worker cannot be removed.
    LastWorker,
    /// An orderly stop begins.
    Stopping {
        /// What asked for it.
        signal: Signal,
    },
    /// The terminal is closed, which causes a stop.
    TerminalClosed,
    /// pidone received SIGABRT and exits at once.
    Aborting,
    /// A second stop signal: everything is killed.
    StoppingAtOnce,
    /// pidone waits for remaining processes that are not workers.
    WaitingForLeftovers,
    /// The remaining processes are about to be killed.
    KillingLeftovers,
}

impl Report {
    /// The worker it concerns, if it concerns one.
    #[must_use]
    pub fn worker(&self) -> Option<WorkerId> {
        match *self {
            Self::Ended { worker, .. }
            | Self::Overdue { worker, .. }
            | Self::NeverReady { worker, .. }
            | Self::CrashLoop { worker, .. }
            | Self::Command { worker, .. }
            | Self::SlotReplaced { worker, .. }
            | Self::ReloadFailed { worker, .. }
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
            | Self::CpusChanged { .. }
            | Self::MemoryChanged { .. }
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
    /// It uses too much memory (`--max-memory`).
    Memory {
        /// The memory it uses.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It has reached its age limit (`--max-age`).
    Age,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Single mode has one child, and no workers to replace or add.
    SingleMode,
    /// The first worker has not been started yet.
    NotStarted,
    /// pidone is stopping.
    Stopping,
    /// There is no such slot.
    NoSuchSlot {
        /// The requested slot.
        slot: usize,
        /// The number of slots, counted from 0.
        slots: usize,
    },
    /// At least one worker must remain; to have none is a stop.
    TooFew,
    /// The requested number of workers is too high.
    TooMany {
        /// The limit.
        most: usize,
    },
}

/// What happens after a worker's exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the exit was intended, or no restart follows.
    Nothing,
    /// A successor that runs already takes its slot.
    Successor,
    /// A spare takes its slot.
    Spare,
    /// Another worker is started after this delay.
    Restart(Duration),
    /// Another worker is started when some worker is ready, or when all others have failed.
    Wait,
}

/// Why pidone gives up restarting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Starts of one slot failed in a row, in any time.
    NeverReady {
        /// So many.
        boots: u32,
        /// Some worker has been ready since pidone started.
        ever: bool,
    },
    /// One slot reached its restart limit within a period.
    Restarts {
        /// The number of restarts allowed.
        restarts: u32,
        /// The period.
        window: Duration,
    },
}
