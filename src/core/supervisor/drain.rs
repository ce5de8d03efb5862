//! How one worker, or all of them, are drained in the order that loses no requests: one table for
//! reload, scale, recycling, a failed boot and a stop.
//!
//! ```text
//!  a worker that serves is replaced or removed; all workers are stopped
//!    │ --http-drain; of all, also --drain-delay      │ neither
//!    ▼                                               ▼
//!  Serving ─────────── its time is over ─────────► SteeredAway ──┐ every 10 ms:
//!    │                                               │   ▲───────┘ what is pending?
//!    │ pidone owns no sockets                        │ nothing, or half the grace period is over
//!    ▼                                               ▼
//!  the queues are drained ──── of all ────► QueueDrained: each worker goes on for itself
//!    │
//!    ├─ --stop drain, and its app handles the stop signal ───► Finishing
//!    ├─ --stop drain, and it does not ───────────────────────► Disconnected
//!    ├─ --stop signal ───────────────────── the stop signal ─► Signalled
//!    └─ it has no channel, or it is closed ─ the stop signal ► Told
//!
//!  it boots, or is a spare ──────────────── the stop signal ─► Signalled, or Told as above
//!  it disconnects by itself ─────────────────────────────────► Disconnected
//!  it was not ready in time, and may be a finished command ──► Disconnected
//!  it boots, and another worker has finished that command ───► Completing
//!  it hangs ──────────────────────────────────────── SIGABRT ► Told
//!  it is the child of single mode ────────── the stop signal ► Told
//!
//!  Finishing      all requests are answered, its channel
//!                 closes, or at 4/5 of the grace period
//!                                            the stop signal ► Signalled, or Told as above
//!  Completing     another stop request, or at 4/5 of the
//!                 grace period               the stop signal ► Told
//!  Disconnected   500 ms after its channel has closed, or at
//!                 4/5 of the grace period    the stop signal ► Told
//!  Signalled      it has closed its listeners, or its time
//!                 is over                     the disconnect ► Told
//!                 its channel closes ────────────────────────► Told
//!
//!  every state    the grace period is over, or everything is
//!                 killed at once                     SIGKILL ► Killed
//! ```
//!
//! In every state, the worker's exit ends its drain.
//!
//! Whether an app handles the stop signal decides between `Finishing` and `Disconnected`, and only
//! the module of `--http-drain` can tell. On Node.js 18 to 26 nothing outside the process shows it:
//! the masks in /proc/PID/status, the descriptors and the epoll set are the same with and without a
//! handler. Other orders that were tried:
//! - the stop signal first: kills a worker without a handler, with the requests in it;
//! - the signal after the channel has closed: too late, as an idle Node.js has exited by then;
//! - the signal after the disconnect: the servers are closed already, and the handler's own
//!   `close()` fails.

use core::time::Duration;

use super::event::{Moment, Pending};
use crate::rules::StopMode;
use crate::signal::Signal;

/// How long a connection that began before new connections were steered away may take to complete
/// its handshake and send data. Node.js 26 resets connections that have sent nothing when it closes
/// a server; no version reports handshakes in progress.
const SETTLE: Duration = Duration::from_millis(250);

/// How often pending connections are checked: the kernel sends no notification.
const CHECK: Duration = Duration::from_millis(10);

/// How long a worker whose connections have ended may take to exit before it gets the stop signal.
const LINGER: Duration = Duration::from_millis(500);

/// How long after a stop signal that comes first a worker without open listeners is told to
/// disconnect: without the disconnect no cluster worker with a handler exits.
const AFTER_SIGNAL: Duration = Duration::from_millis(50);

/// The time between SIGABRT and SIGKILL for a worker that hangs, if its grace period is not
/// shorter: it may write a report or a core.
pub(super) const ABORT: Duration = Duration::from_secs(1);

/// The options that decide how workers are drained.
#[derive(Debug, Clone)]
pub(super) struct DrainRules {
    /// Workers have a Node.js channel.
    pub(super) channel: bool,
    /// pidone owns the sockets, so that new connections can be steered away first.
    pub(super) can_steer: bool,
    pub(super) stop: StopMode,
    pub(super) stop_signal: Signal,
    pub(super) http_drain: Option<Duration>,
    pub(super) drain_delay: Duration,
    /// The grace period: the time until SIGKILL.
    pub(super) grace: Duration,
    /// SIGKILL ends it: not in single mode without `--grace`.
    pub(super) kills: bool,
}

/// How far a drain is, and when its next step is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrainStep {
    /// Serves as before, until clients and load balancers have been told and have gone elsewhere.
    Serving { until: Moment },
    /// New connections go elsewhere; those that are pending are served. This has a time limit, as a
    /// worker that hangs never drains its queues.
    SteeredAway { since: Moment, check_at: Moment },
    /// Of all: each worker is drained for itself now.
    QueueDrained { since: Moment },
    /// It answers its open requests and gets the stop signal then: it handles the signal, and its
    /// handler may exit at once; its servers still listen.
    Finishing { signal_at: Moment },
    /// It was told to disconnect, and may first finish what is probably its only task.
    Completing { signal_at: Moment },
    /// It disconnects, finishes its requests, and exits.
    Disconnected { signal_at: Moment },
    /// It got the stop signal. It is told to disconnect when it has closed its listeners itself, or
    /// at `disconnect_at`: before, its own `server.close()` would fail (`ERR_SERVER_NOT_RUNNING`),
    /// and Fastify would answer 503.
    Signalled { disconnect_at: Moment },
    /// It got the stop signal, and was told to disconnect if it can be: it exits, or is killed.
    Told,
    /// It got SIGKILL.
    Killed,
}

/// Why a drain begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrainStart {
    /// It is replaced or removed, was not ready in time, or pidone stops.
    Retire,
    /// The queues of all are drained.
    QueueDrained,
    /// It was not ready in time, and may be a finished command that only its channel keeps alive: a
    /// disconnect makes that exit.
    NeverReady,
    /// It boots, and may complete the command that another worker has finished.
    Complete,
    /// It disconnects on its own.
    Disconnects,
    /// It hangs, so only a signal reaches it.
    Hung,
    /// The child of single mode gets a signal that requests a stop.
    Signal,
    /// It is killed at once.
    Kill,
}

/// What happens during a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrainEvent {
    /// The time of [`DrainStep::deadline`] has come.
    Due,
    /// The answer to [`DrainEffect::CheckPending`].
    Checked(Pending),
    /// All its requests are answered.
    Finished,
    /// It has closed its last listener.
    ListenersClosed,
    /// Its channel is closed: after a disconnect, all its connections have ended.
    ChannelClosed,
    /// Another stop request.
    StopAgain,
    GraceOver,
    /// Everything is killed at once.
    KillAll,
}

/// What is to be done, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrainEffect {
    /// Tell it to send `Connection: close`.
    Announce,
    SteerAway,
    CheckPending,
    /// Of all: drain each worker.
    DrainEach,
    Finish,
    Disconnect,
    StopSignal,
    Abort,
    /// Continue it if it is stopped by a signal.
    Wake,
    ReportOverdue,
    Kill,
}

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct DrainFacts<'a> {
    pub(super) now: Moment,
    /// When the grace period began.
    pub(super) since: Moment,
    pub(super) rules: &'a DrainRules,
    /// `None`: all workers are drained.
    pub(super) worker: Option<WorkerFacts>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct WorkerFacts {
    /// It was ready when its drain began.
    pub(super) is_ready: bool,
    /// Its channel is open.
    pub(super) has_channel: bool,
    pub(super) listens: bool,
    /// Its app handles the stop signal.
    pub(super) handles_stop: bool,
}

type Effects = &'static [DrainEffect];

const SIGNAL: Effects = &[DrainEffect::StopSignal, DrainEffect::Wake];

impl<'a> DrainFacts<'a> {
    /// All workers are drained.
    pub(super) fn of_all(now: Moment, rules: &'a DrainRules) -> Self {
        Self {
            now,
            since: now,
            rules,
            worker: None,
        }
    }

    /// When four fifths of the grace period are over.
    fn most_of_grace(&self) -> Moment {
        self.since + self.rules.grace * 4 / 5
    }

    /// How long it serves as before; `None`: no client is to be told.
    fn serve_for(&self) -> Option<Duration> {
        let announced = self.rules.http_drain;
        match self.worker {
            Some(worker) => announced.filter(|_| worker.has_channel),
            None => Some(self.rules.drain_delay.max(announced.unwrap_or_default())),
        }
    }

    fn steered_away(&self) -> (DrainStep, Effects) {
        if self.rules.can_steer {
            (self.check_later(self.now), &[DrainEffect::SteerAway])
        } else {
            self.queue_drained(self.now)
        }
    }

    fn check_later(&self, since: Moment) -> DrainStep {
        let check_at = (self.now + CHECK).min(self.give_up_at(since));
        DrainStep::SteeredAway { since, check_at }
    }

    fn give_up_at(&self, since: Moment) -> Moment {
        since + self.rules.grace / 2
    }

    fn queue_drained(&self, since: Moment) -> (DrainStep, Effects) {
        use DrainEffect::{Disconnect, DrainEach, Finish, Wake};
        let signal_at = self.most_of_grace();
        match self.worker {
            None => (DrainStep::QueueDrained { since }, &[DrainEach]),
            Some(worker) if !worker.has_channel || self.rules.stop == StopMode::Signal => {
                self.signalled()
            }
            Some(worker) if worker.handles_stop => {
                (DrainStep::Finishing { signal_at }, &[Finish, Wake])
            }
            Some(_) => (DrainStep::Disconnected { signal_at }, &[Disconnect, Wake]),
        }
    }

    /// The stop signal comes before the disconnect.
    fn signalled(&self) -> (DrainStep, Effects) {
        let Some(worker) = self.worker.filter(|worker| worker.has_channel) else {
            return (DrainStep::Told, SIGNAL);
        };
        let disconnect_at = if worker.listens {
            // If its requests took that long, its handler gets a tenth of the grace period.
            self.most_of_grace().max(self.now + self.rules.grace / 10)
        } else {
            self.now + AFTER_SIGNAL
        };
        (DrainStep::Signalled { disconnect_at }, SIGNAL)
    }
}

impl DrainStep {
    /// The first step.
    pub(super) fn begin(start: DrainStart, facts: &DrainFacts<'_>) -> (Self, Effects) {
        use DrainEffect::{Abort, Announce, Disconnect, Kill, Wake};
        let (now, signal_at) = (facts.now, facts.most_of_grace());
        let is_ready = facts.worker.is_none_or(|worker| worker.is_ready);
        let has_channel = facts.worker.is_some_and(|worker| worker.has_channel);
        match start {
            DrainStart::Retire if is_ready => match facts.serve_for() {
                Some(time) => (Self::Serving { until: now + time }, &[Announce]),
                None => facts.steered_away(),
            },
            DrainStart::QueueDrained if is_ready => facts.queue_drained(now),
            DrainStart::NeverReady if has_channel => {
                let signal_at = signal_at.min(now + LINGER);
                (Self::Disconnected { signal_at }, &[Disconnect])
            }
            // It has no connections.
            DrainStart::Retire | DrainStart::QueueDrained | DrainStart::NeverReady => {
                facts.signalled()
            }
            DrainStart::Complete if has_channel => (Self::Completing { signal_at }, &[Disconnect]),
            DrainStart::Complete => (Self::Completing { signal_at }, &[]),
            DrainStart::Disconnects => (Self::Disconnected { signal_at }, &[]),
            DrainStart::Hung => (Self::Told, &[Abort, Wake]),
            DrainStart::Signal => (Self::Told, &[]),
            DrainStart::Kill => (Self::Killed, &[Kill]),
        }
    }

    /// The next step, and what is to be done; an event that does not concern a step changes nothing.
    pub(super) fn next(self, event: DrainEvent, facts: &DrainFacts<'_>) -> (Self, Effects) {
        use DrainEffect::{CheckPending, Disconnect, Kill, ReportOverdue};
        use DrainEvent::{
            ChannelClosed, Checked, Due, Finished, GraceOver, KillAll, ListenersClosed, StopAgain,
        };
        use DrainStep::{
            Completing, Disconnected, Finishing, Killed, QueueDrained, Serving, Signalled,
            SteeredAway, Told,
        };
        let now = facts.now;
        match (self, event) {
            (Killed, _) => (self, &[]),
            (_, GraceOver) => (Killed, &[ReportOverdue, Kill]),
            (_, KillAll) => (Killed, &[Kill]),

            (Serving { .. }, Due) => facts.steered_away(),
            (SteeredAway { since, .. }, Due) if facts.give_up_at(since) <= now => {
                facts.queue_drained(since)
            }
            (SteeredAway { since, .. }, Due) => (facts.check_later(since), &[CheckPending]),
            (SteeredAway { since, .. }, Checked(Pending::Nothing)) => facts.queue_drained(since),
            (SteeredAway { since, .. }, Checked(Pending::Unread)) if since + SETTLE <= now => {
                facts.queue_drained(since)
            }

            (Finishing { .. }, Due | Finished) => facts.signalled(),
            // If its exit follows at once, it needs no signal.
            (Finishing { .. }, ChannelClosed) => (Finishing { signal_at: now }, &[]),
            (Completing { .. }, Due | StopAgain) | (Disconnected { .. }, Due) => (Told, SIGNAL),
            (Disconnected { signal_at }, ChannelClosed) => {
                let signal_at = signal_at.min(now + LINGER);
                (Disconnected { signal_at }, &[])
            }
            (Signalled { .. }, Due | ListenersClosed) => (Told, &[Disconnect]),
            (Signalled { .. }, ChannelClosed) => (Told, &[]),

            (Serving { .. } | SteeredAway { .. }, Checked(_) | Finished)
            | (Serving { .. } | SteeredAway { .. }, ListenersClosed | ChannelClosed | StopAgain)
            | (QueueDrained { .. } | Told, _)
            | (Finishing { .. }, Checked(_) | ListenersClosed | StopAgain)
            | (Completing { .. }, Checked(_) | Finished | ListenersClosed | ChannelClosed)
            | (Disconnected { .. }, Checked(_) | Finished | ListenersClosed | StopAgain)
            | (Signalled { .. }, Checked(_) | Finished | StopAgain) => (self, &[]),
        }
    }

    /// When [`DrainEvent::Due`] is due, in addition to the end of the grace period.
    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            Self::Serving { until: at }
            | Self::SteeredAway { check_at: at, .. }
            | Self::Finishing { signal_at: at }
            | Self::Completing { signal_at: at }
            | Self::Disconnected { signal_at: at }
            | Self::Signalled { disconnect_at: at } => Some(at),
            Self::QueueDrained { .. } | Self::Told | Self::Killed => None,
        }
    }

    /// Whether connections that are pending are still served.
    pub(super) fn accepts(self) -> bool {
        matches!(self, Self::Serving { .. } | Self::SteeredAway { .. })
    }
}

#[cfg(test)]
mod tests;
