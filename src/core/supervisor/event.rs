//! The whole contract between the core and the runtime: events in, actions out.

use alloc::vec::Vec;
use core::time::Duration;

use super::limits::ContainerLimits;
use super::member::{Member, WorkerId};
use super::report::Report;
use super::request::{Reply, Request, RequestId};
use crate::ended::Ended;
use crate::signal::{Signal, SignalSet};

/// A point in time: the time since pidone's start, by the monotonic clock.
pub type Moment = Duration;

/// What the runtime reports to the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// pidone received a signal; never SIGCHLD, nor a signal that pidone raised itself.
    Signal(Signal),
    /// The kernel has sent SIGHUP: the terminal of pidone's session is closed.
    TerminalClosed,
    /// A request, answered by [`Action::Reply`].
    Request {
        /// The request's id.
        id: RequestId,
        /// The request.
        request: Request,
    },
    /// The worker that [`Action::Start`] asked for runs its program.
    Started(WorkerId),
    /// The worker could not be started; the cause has been logged.
    StartFailed {
        /// The worker.
        worker: WorkerId,
        /// The exit status for the cause: 125, 126 or 127.
        status: u8,
    },
    /// A worker is ready, by the criterion of `--ready`. May come more than once.
    Ready(WorkerId),
    /// A worker has asked for a listener. May come more than once.
    Asked(WorkerId),
    /// A spare is booted: it has asked for a listener, and the answer is held back.
    Held(WorkerId),
    /// A worker disconnects on its own: it has closed its listeners, or is about to.
    Disconnects(WorkerId),
    /// A worker has opened or closed a listener. When the worker has closed its last one itself,
    /// requests may still be in progress.
    Listens {
        /// The worker.
        worker: WorkerId,
        /// It has at least one listener.
        any: bool,
    },
    /// A look at the ports ([`Action::CloseUnheldPorts`]) has changed whether the service's port is lost:
    /// all workers listened on it, now none does, and they share no other one.
    PortLost(bool),
    /// The channel to a worker is closed. After a disconnect that means that all its connections
    /// have ended.
    ChannelClosed(WorkerId),
    /// The answer to [`Action::CheckPending`].
    Pending {
        /// The worker; `None`: all.
        worker: Option<WorkerId>,
        /// What is pending.
        pending: Pending,
    },
    /// The answer to [`Action::MeasureMemory`].
    Memory {
        /// The worker.
        worker: WorkerId,
        /// The memory it uses.
        bytes: u64,
    },
    /// The answer to [`Action::Ping`]: the worker's event loop is not blocked.
    Pong(WorkerId),
    /// The module of `--http-drain` has received [`Action::Announce`].
    Announced {
        /// The worker.
        worker: WorkerId,
        /// The signals that its app handles.
        handles: SignalSet,
    },
    /// The answer to [`Action::Finish`]: the worker has answered all requests.
    Finished(WorkerId),
    /// A worker has exited and was reaped.
    Exited {
        /// The worker.
        worker: WorkerId,
        /// The exit status or signal.
        ended: Ended,
    },
    /// Processes are left in the process group of a worker that has exited. They are still in its
    /// session, so they are its helpers, not services of their own.
    GroupLeft(WorkerId),
    /// These processes have exited.
    GroupGone(WorkerId),
    /// A stop signal has stopped a worker (waitpid(2), `WUNTRACED`).
    Stopped {
        /// The worker.
        worker: WorkerId,
        /// The stop signal.
        signal: Signal,
        /// pidone is a job of a shell that can resume it.
        job_control: bool,
    },
    /// A stopped worker was continued (waitpid(2), `WCONTINUED`).
    Continued(WorkerId),
    /// The workers' state is queried (a readiness probe, `pidone ctl status`, a scraper), so their
    /// event loops are to be pinged. This query gets the results known now.
    Look,
    /// The container's limits have changed, or may have.
    Limits(ContainerLimits),
    /// Whether other processes than pidone are left; follows every [`Action::SignalLeftovers`], and
    /// every exit after that.
    Leftovers {
        /// At least one still runs.
        any: bool,
    },
    /// Follows [`Event::Leftovers`] when no notification comes for the exit of some of them: check
    /// again.
    LeftoversUnwatched,
    /// The time of [`super::Supervisor::next_deadline`] has come.
    Tick,
}

/// The connections that a worker has not served yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Connections are in an accept queue.
    Queued,
    /// The accept queues are empty, but handshakes that began before or since the first check are
    /// in progress, or accepted connections are unread; or the state is unknown.
    Unread,
    /// No connection is pending.
    Nothing,
}

/// What the runtime must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a worker; answered by [`Event::Started`] or [`Event::StartFailed`].
    Start(Start),
    /// A spare gets a slot: answer its listen queries with the sockets of this member.
    Admit {
        /// The worker.
        worker: WorkerId,
        /// The slot's member.
        member: Member,
    },
    /// Send a signal to a worker or to its whole process group.
    Signal {
        /// The worker.
        worker: WorkerId,
        /// The signal.
        signal: Signal,
        /// Send it to the group.
        group: bool,
    },
    /// Signal the processes that an exited worker has left in its process group.
    SignalGroup {
        /// The worker.
        worker: WorkerId,
        /// The signal.
        signal: Signal,
    },
    /// Announce the stop to a worker, so that it sends `Connection: close` (`--http-drain`).
    Announce(WorkerId),
    /// Ask a worker that has received [`Action::Announce`] to report when all requests are
    /// answered; answered by [`Event::Finished`].
    Finish(WorkerId),
    /// Tell a worker to close its listeners, to finish what is in progress, and to disconnect.
    Disconnect(WorkerId),
    /// Check whether a worker's port accepts connections: if so, [`Event::Ready`] follows, at the
    /// latest before the next check.
    ProbePort(WorkerId),
    /// Check the accept queues and unread connections of a worker, or of all; answered by
    /// [`Event::Pending`].
    CheckPending(Option<WorkerId>),
    /// Measure a worker's memory; answered by [`Event::Memory`].
    MeasureMemory(WorkerId),
    /// Ping a worker's event loop; answered by [`Event::Pong`] unless the loop is blocked.
    Ping(WorkerId),
    /// Send new connections to these members only: one for each slot, `None` for a slot that must
    /// get none.
    Steer(Vec<Option<Member>>),
    /// Accept no new connections any more.
    CloseToNewConnections,
    /// Close the ports that no worker listens on: no starting worker can want them now. Also report
    /// workers that listen on different ports.
    CloseUnheldPorts,
    /// A worker's channel has closed and its process goes on: it now runs another program, which
    /// may itself bind the ports that pidone holds for no other worker.
    ReleasePorts(WorkerId),
    /// Stop pidone because this worker is stopped, so that the shell sees the whole job stopped.
    Suspend(WorkerId),
    /// Continue a worker's whole group, with the terminal if the job is in the foreground.
    Resume(WorkerId),
    /// Answer a request. Each request gets one final reply.
    Reply {
        /// The request.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// Log a message.
    Report(Report),
    /// Signal all remaining processes; answered by [`Event::Leftovers`]. With SIGTERM, also send
    /// SIGHUP to processes with a terminal, as interactive shells ignore SIGTERM, and SIGCONT.
    SignalLeftovers(Signal),
    /// Check whether processes are left; answered by [`Event::Leftovers`].
    CountLeftovers,
    /// Exit with this status.
    Exit(u8),
    /// Kill all remaining processes, and exit like a program killed by SIGABRT.
    Abort,
}

/// A worker to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Its id.
    pub worker: WorkerId,
    /// Its number among the running workers (`NODE_APP_INSTANCE`).
    pub instance: usize,
    /// Its member; `None`: a spare, whose queries are held back until it is admitted.
    pub member: Option<Member>,
}
