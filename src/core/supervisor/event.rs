//! The whole contract between the core and the shell: what can happen, and what can be done.

use alloc::vec::Vec;
use core::time::Duration;

use super::member::{Member, WorkerId};
use super::report::Report;
use super::request::{Reply, Request, RequestId};
use crate::ended::Ended;
use crate::signal::{Signal, SignalSet};

/// A point in time: how long pidone has been running, by a clock that never jumps.
pub type Moment = Duration;

/// What the shell tells the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A signal reached pidone from outside; SIGCHLD and what pidone raised on itself never do.
    Signal(Signal),
    /// The kernel has sent SIGHUP: the terminal of pidone's session is closed.
    TerminalClosed,
    /// Somebody asks for something, and is answered by [`Action::Reply`].
    Request {
        /// The name of this request.
        id: RequestId,
        /// What is asked for.
        request: Request,
    },
    /// The worker that [`Action::Start`] asked for runs its program.
    Started(WorkerId),
    /// It could not be started, which has been logged.
    StartFailed {
        /// Which.
        worker: WorkerId,
        /// The exit status that tells why: 125, 126 or 127.
        status: u8,
    },
    /// A worker serves, in the way that `--ready` names. May come more than once.
    Ready(WorkerId),
    /// A worker has asked for a listener. May come more than once.
    Asked(WorkerId),
    /// A spare is booted: it has asked for a listener, and the answer is held back.
    Held(WorkerId),
    /// A worker leaves on its own account: it has closed its listeners, or is about to.
    Leaving(WorkerId),
    /// A worker has opened or closed a listener. When it has closed the last one itself, requests may
    /// still be in progress.
    Listens {
        /// Which.
        worker: WorkerId,
        /// It has one at least.
        any: bool,
    },
    /// The channel to a worker is closed: once told to disconnect, all its connections have ended.
    ChannelClosed(WorkerId),
    /// The answer to [`Action::CheckQueues`].
    Queues {
        /// Whose; `None`: all.
        worker: Option<WorkerId>,
        /// What is in them.
        queues: Queues,
    },
    /// The answer to [`Action::MeasureMemory`].
    Memory {
        /// Whose.
        worker: WorkerId,
        /// What it has in memory.
        bytes: u64,
    },
    /// The answer to [`Action::Ping`]: the worker's event loop turns.
    Pong(WorkerId),
    /// The module of `--http-drain` has heard [`Action::Announce`].
    Announced {
        /// In which worker.
        worker: WorkerId,
        /// The signals that its app listens to.
        handles: SignalSet,
    },
    /// The answer to [`Action::Finish`]: nothing that it has been asked for is unanswered.
    Finished(WorkerId),
    /// A worker is gone and reaped.
    Exited {
        /// Which.
        worker: WorkerId,
        /// How.
        ended: Ended,
    },
    /// Others are left in the process group of a worker that has ended. They have not left its session:
    /// they are its helpers, not services of their own.
    GroupLeft(WorkerId),
    /// They have ended.
    GroupGone(WorkerId),
    /// A stop signal has stopped a worker (waitpid(2), `WUNTRACED`).
    Stopped {
        /// Which.
        worker: WorkerId,
        /// By what.
        signal: Signal,
        /// pidone is a job of a shell that could resume it.
        job_control: bool,
    },
    /// A stopped worker was continued (waitpid(2), `WCONTINUED`).
    Continued(WorkerId),
    /// Somebody looks how the workers do (a readiness probe, `pidone ctl status`, a scraper): their
    /// event loops are to be asked. What is known now is what this one sees.
    Look,
    /// Whether processes are left besides pidone; follows every [`Action::SignalLeftovers`], and
    /// every exit after that.
    Leftovers {
        /// At least one still runs.
        any: bool,
    },
    /// Follows [`Event::Leftovers`] where nothing will tell when some of them end: look again.
    LeftoversUnwatched,
    /// The time that [`super::Supervisor::next_deadline`] named has come.
    Tick,
}

/// What has come for a worker and is not served yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queues {
    /// Connections wait to be accepted.
    Waiting,
    /// None does, but some that have come since the first look or before are still being made, or
    /// nothing that they brought has been read; or nobody knows.
    Unread,
    /// Nothing at all.
    Empty,
}

/// What the supervisor wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a worker; answered by [`Event::Started`] or [`Event::StartFailed`].
    Start(Start),
    /// A spare gets its place: answer what it has asked for with the sockets of this member.
    Admit {
        /// Which.
        worker: WorkerId,
        /// Where.
        member: Member,
    },
    /// Send a signal to a worker, or to its whole process group.
    Signal {
        /// Whom.
        worker: WorkerId,
        /// Which.
        signal: Signal,
        /// To the group.
        group: bool,
    },
    /// Signal what a worker that has ended has left in its process group.
    SignalGroup {
        /// Whose.
        worker: WorkerId,
        /// Which.
        signal: Signal,
    },
    /// Announce the end to a worker, so that it says `Connection: close` (`--http-drain`).
    Announce(WorkerId),
    /// Ask a worker that has heard [`Action::Announce`] to say when all requests are answered;
    /// answered by [`Event::Finished`].
    Finish(WorkerId),
    /// Tell a worker to close its listeners, to finish what is in progress, and to disconnect.
    Disconnect(WorkerId),
    /// See whether a worker's port accepts connections: if so, [`Event::Ready`] follows.
    ProbePort(WorkerId),
    /// Look what has come for a worker, or for any, and is not served yet; answered by
    /// [`Event::Queues`].
    CheckQueues(Option<WorkerId>),
    /// See how much a worker has in memory; answered by [`Event::Memory`].
    MeasureMemory(WorkerId),
    /// Ask a worker's event loop for a sign of life; answered by [`Event::Pong`], when it turns.
    Ping(WorkerId),
    /// Send new connections to these members only: one for each slot that shall have some.
    Steer(Vec<Option<Member>>),
    /// No new connections from now on, for good.
    CloseToNewConnections,
    /// Close the ports that no worker listens on: nobody is on the way who may want them. And say
    /// where workers listen on different ones.
    CloseUnheldPorts,
    /// A worker's channel has ended and its process goes on: it has become another program, which
    /// may bind for itself what pidone holds for nobody else.
    ReleasePorts(WorkerId),
    /// Stop pidone, as this worker is stopped, so that the shell sees the whole job stopped.
    Suspend(WorkerId),
    /// Continue a worker's whole group, with the terminal if the job has the foreground.
    Resume(WorkerId),
    /// Tell somebody what has come of a request. Each request gets one final reply.
    Reply {
        /// Which request.
        id: RequestId,
        /// What has come of it.
        reply: Reply,
    },
    /// Say something that is worth a line in the log.
    Report(Report),
    /// Signal every process that is left; answered by [`Event::Leftovers`]. With SIGTERM go SIGHUP to
    /// those that have a terminal, as interactive shells ignore SIGTERM, and SIGCONT.
    SignalLeftovers(Signal),
    /// See whether anybody is left; answered by [`Event::Leftovers`].
    CountLeftovers,
    /// Leave with this status.
    Exit(u8),
    /// Kill what is left, and end as SIGABRT ends a program that does not handle it.
    Abort,
}

/// A worker to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Its name from now on.
    pub worker: WorkerId,
    /// Its number among those that run (`NODE_APP_INSTANCE`).
    pub instance: usize,
    /// Where it accepts; `None`: a spare, whose queries are held back until it is admitted.
    pub member: Option<Member>,
}
