//! How a worker leaves, in the order that loses no requests.
//!
//! Whether an app handles the stop signal decides that order, and only the module of `--http-drain`
//! can tell. On Node.js 18 to 26 nothing outside the process shows it: the masks in
//! /proc/PID/status, the descriptors and the epoll set are the same with and without a handler.
//! Other orders that were tried:
//! - the stop signal first: kills a worker without a handler, with the requests in it;
//! - the signal after the channel has closed: too late, as an idle Node.js has exited by then;
//! - the signal after the disconnect: the servers are closed already, and the handler's own
//!   `close()` fails.

use alloc::vec::Vec;
use core::time::Duration;

use super::{State, Worker};
use crate::rules::StopMode;
use crate::signal::Signal;
use crate::supervisor::emptying::Emptying;
use crate::supervisor::event::{Action, Moment, Pending};

/// How long a drained worker may take to exit on its own before it gets the stop signal.
const LINGER: Duration = Duration::from_millis(500);

/// How long after a stop signal that comes first a worker without open listeners is told to
/// disconnect: without the disconnect no cluster worker with a handler exits.
const AFTER_SIGNAL: Duration = Duration::from_millis(50);

/// How long a worker's process may take to exit after its channel has closed: pidone usually sees
/// the close before the exit.
const RELEASE: Duration = Duration::from_millis(20);

/// The time between SIGABRT and SIGKILL for a worker that hangs, if its grace period is not
/// shorter: it may write a report or a core.
const ABORT: Duration = Duration::from_secs(1);

/// The options that decide how a worker leaves.
#[derive(Debug, Clone)]
pub(in crate::supervisor) struct LeaveRules {
    /// Signals go to the process group.
    pub(in crate::supervisor) to_group: bool,
    /// Workers have a Node.js channel.
    pub(in crate::supervisor) channel: bool,
    /// pidone owns the sockets, so that new connections can be steered away first.
    pub(in crate::supervisor) can_steer: bool,
    pub(in crate::supervisor) stop: StopMode,
    pub(in crate::supervisor) stop_signal: Signal,
    pub(in crate::supervisor) http_drain: Option<Duration>,
    /// The time until SIGKILL.
    pub(in crate::supervisor) grace: Duration,
}

impl LeaveRules {
    /// The time until SIGKILL.
    pub(super) fn grace_of(&self, hung: bool) -> Duration {
        if hung {
            ABORT.min(self.grace)
        } else {
            self.grace
        }
    }
}

/// The steps of leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It sends `Connection: close`, and serves.
    Announced { until: Moment },
    /// It serves the connections in its queues; new ones go to other workers.
    Emptying(Emptying),
    /// It answers its open requests and gets the stop signal then: it handles the signal, and its
    /// handler may exit at once; its servers still listen.
    Finishing { signal_at: Moment },
    /// It has been told to disconnect.
    Disconnected { signal_at: Moment },
    /// It has been told to disconnect, and may first finish what is probably its only task.
    Completing { signal_at: Moment },
    /// It has got the stop signal, and is told to disconnect when it has closed its listeners
    /// itself, or at `disconnect_at`. Before that its own `server.close()` would fail
    /// (`ERR_SERVER_NOT_RUNNING`), and Fastify would answer 503.
    Signalled { disconnect_at: Option<Moment> },
}

impl Step {
    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            Self::Announced { until: at }
            | Self::Finishing { signal_at: at }
            | Self::Disconnected { signal_at: at }
            | Self::Completing { signal_at: at } => Some(at),
            Self::Emptying(emptying) => Some(emptying.deadline()),
            Self::Signalled { disconnect_at } => disconnect_at,
        }
    }
}

impl Worker {
    /// Announces the stop over the channel, if it is open.
    pub(in crate::supervisor) fn announce(&self, actions: &mut Vec<Action>) {
        if self.channel_open {
            actions.push(Action::Announce(self.id));
        }
    }

    /// Makes it leave in the order that loses no requests. `quiet`: new connections are steered
    /// away and the queues are empty already.
    pub(in crate::supervisor) fn leave(
        &mut self,
        quiet: bool,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        if self.is_leaving() {
            return;
        }
        let serves = self.is_ready();
        self.kill_after(rules.grace, now);
        match rules.http_drain {
            // It has no connections.
            _ if !serves => self.signal(now, rules, actions),
            _ if quiet => self.dismiss(now, rules, actions),
            Some(time) if self.channel_open => {
                self.state = State::Leaving(Step::Announced { until: now + time });
                actions.push(Action::Announce(self.id));
            }
            _ => self.empty(now, rules, actions),
        }
    }

    /// It did not get ready in time. A finished command that only its channel keeps alive exits
    /// when it is told to disconnect; a worker that does not exit gets the stop signal soon.
    pub(in crate::supervisor) fn leave_idle(
        &mut self,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        if self.is_leaving() || !self.channel_open {
            self.leave(false, now, rules, actions);
            return;
        }
        self.kill_after(rules.grace, now);
        let signal_at = now + LINGER.min(rules.grace * 4 / 5);
        self.state = State::Leaving(Step::Disconnected { signal_at });
        actions.push(Action::Disconnect(self.id));
    }

    /// It has never been ready, and may exit on its own, as another worker has.
    pub(in crate::supervisor) fn may_complete(
        &mut self,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        if !self.is_starting() {
            return;
        }
        self.kill_after(rules.grace, now);
        let signal_at = self.patience_ends(now, rules);
        self.state = State::Leaving(Step::Completing { signal_at });
        if self.channel_open {
            actions.push(Action::Disconnect(self.id));
        }
    }

    /// Ends the time that `may_complete` allowed.
    pub(in crate::supervisor) fn stop_completing(
        &mut self,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        if matches!(self.state, State::Leaving(Step::Completing { .. })) {
            self.signal(now, rules, actions);
        }
    }

    /// It disconnects on its own.
    pub(in crate::supervisor) fn leaves_by_itself(&mut self, now: Moment, rules: &LeaveRules) {
        self.kill_after(rules.grace, now);
        let signal_at = now + rules.grace * 4 / 5;
        self.state = State::Leaving(Step::Disconnected { signal_at });
    }

    /// It hangs, and only a signal can reach it.
    pub(in crate::supervisor) fn abort(
        &mut self,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        self.hung = true;
        self.kill_after(rules.grace_of(true), now);
        let disconnect_at = None;
        self.state = State::Leaving(Step::Signalled { disconnect_at });
        self.deliver(Signal::ABRT, rules.to_group, actions);
        self.wake(rules.to_group, actions);
    }

    pub(in crate::supervisor) fn on_pending(
        &mut self,
        pending: Pending,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        if let State::Leaving(Step::Emptying(emptying)) = self.state
            && emptying.is_done(pending, now)
        {
            self.dismiss(now, rules, actions);
        }
    }

    /// After a disconnect, every connection has ended, and the process may exit on its own. A
    /// worker that was not told to disconnect goes on: Node.js exits when its channel is cut, and a
    /// process that does not exit is still of use. It can only get no more messages.
    pub(in crate::supervisor) fn on_channel_closed(&mut self, now: Moment) {
        let was_open = core::mem::take(&mut self.channel_open);
        self.watch.on_channel_closed();
        match &mut self.state {
            State::Leaving(Step::Disconnected { signal_at }) => {
                *signal_at = (*signal_at).min(now + LINGER);
            }
            State::Leaving(Step::Signalled { disconnect_at }) => *disconnect_at = None,
            State::Leaving(Step::Finishing { signal_at }) => *signal_at = now,
            State::Starting { .. } | State::Held | State::Ready if was_open => {
                self.release_at = Some(now + RELEASE);
            }
            _ => {}
        }
    }

    /// All its requests are answered.
    pub(in crate::supervisor) fn on_finished(
        &mut self,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        if let State::Leaving(Step::Finishing { .. }) = self.state {
            self.signal(now, rules, actions);
        }
    }

    /// It has opened its first listener, or closed the last one. After the stop signal, that means
    /// its handler has closed the servers itself.
    pub(in crate::supervisor) fn on_listens(&mut self, any: bool, actions: &mut Vec<Action>) {
        self.listens = any;
        if let State::Leaving(Step::Signalled { disconnect_at }) = &mut self.state
            && !any
            && disconnect_at.take().is_some()
        {
            actions.push(Action::Disconnect(self.id));
        }
    }

    /// Performs the next step, which is due.
    pub(super) fn next_step(
        &mut self,
        step: Step,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        match step {
            Step::Announced { .. } => self.empty(now, rules, actions),
            Step::Emptying(emptying) if emptying.is_given_up(now) => {
                self.dismiss(now, rules, actions);
            }
            Step::Emptying(mut emptying) => {
                actions.push(Action::CheckPending(Some(self.id)));
                emptying.check_again(now);
                self.state = State::Leaving(Step::Emptying(emptying));
            }
            Step::Finishing { .. } | Step::Disconnected { .. } | Step::Completing { .. } => {
                self.signal(now, rules, actions);
            }
            Step::Signalled { .. } => {
                let disconnect_at = None;
                self.state = State::Leaving(Step::Signalled { disconnect_at });
                actions.push(Action::Disconnect(self.id));
            }
        }
    }

    fn empty(&mut self, now: Moment, rules: &LeaveRules, actions: &mut Vec<Action>) {
        if !rules.can_steer {
            self.dismiss(now, rules, actions);
            return;
        }
        self.state = State::Leaving(Step::Emptying(Emptying::begin(rules.grace, now)));
    }

    fn dismiss(&mut self, now: Moment, rules: &LeaveRules, actions: &mut Vec<Action>) {
        if rules.channel && self.channel_open && rules.stop == StopMode::Drain {
            let signal_at = self.patience_ends(now, rules);
            let (step, action) = if self.handles.contains(rules.stop_signal) {
                (Step::Finishing { signal_at }, Action::Finish(self.id))
            } else {
                (
                    Step::Disconnected { signal_at },
                    Action::Disconnect(self.id),
                )
            };
            self.state = State::Leaving(step);
            actions.push(action);
            self.wake(rules.to_group, actions);
        } else {
            self.signal(now, rules, actions);
        }
    }

    /// When it began to leave, which is when its grace period began.
    pub(in crate::supervisor) fn asked_to_leave(&self, rules: &LeaveRules) -> Option<Moment> {
        Some(self.kill_at?.saturating_sub(rules.grace))
    }

    /// When four fifths of its grace period are over.
    fn patience_ends(&self, now: Moment, rules: &LeaveRules) -> Moment {
        self.asked_to_leave(rules).unwrap_or(now) + rules.grace * 4 / 5
    }

    fn signal(&mut self, now: Moment, rules: &LeaveRules, actions: &mut Vec<Action>) {
        let was_disconnected = matches!(
            self.state,
            State::Leaving(Step::Disconnected { .. } | Step::Completing { .. })
        );
        let tell = rules.channel && self.channel_open && !was_disconnected;
        let disconnect_at = tell.then(|| {
            if self.listens {
                // If its requests took that long, its handler gets a tenth of the grace period.
                self.patience_ends(now, rules).max(now + rules.grace / 10)
            } else {
                now + AFTER_SIGNAL
            }
        });
        self.state = State::Leaving(Step::Signalled { disconnect_at });
        self.deliver(rules.stop_signal, rules.to_group, actions);
        self.wake(rules.to_group, actions);
    }
}
