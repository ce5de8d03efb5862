//! How a worker leaves, in the order that loses nothing.
//!
//! Whether an app handles the stop signal decides that order, and only the module of `--http-drain`
//! can tell. From outside nothing does, on Node.js 18 to 26: the masks in /proc/PID/status, the
//! descriptors and what epoll watches are the same with a handler and without. Other orders, tried:
//! - the signal first kills a worker without a handler, with the requests in it;
//! - the signal at the end of the channel comes too late: with nothing else to do Node.js has ended;
//! - the signal after the disconnect finds the servers closed, and the handler's own `close()` fails.

use alloc::vec::Vec;
use core::time::Duration;

use super::{State, Worker};
use crate::rules::StopMode;
use crate::signal::Signal;
use crate::supervisor::emptying::Emptying;
use crate::supervisor::event::{Action, Moment, Queues};

/// What a worker that is drained has to end by itself, before it gets the stop signal.
const LINGER: Duration = Duration::from_millis(500);

/// How long after a stop signal that comes first a worker is told to disconnect that has no listener
/// open: without that no cluster worker ends that has a handler.
const AFTER_SIGNAL: Duration = Duration::from_millis(50);

/// How long the process of a worker may take to end whose channel has ended: the end of the one is
/// most often heard before that of the other.
const RELEASE: Duration = Duration::from_millis(20);

/// What a worker that hangs has between SIGABRT and SIGKILL, if its grace is not shorter: it may
/// write a report, or a core.
const ABORT: Duration = Duration::from_secs(1);

/// What the departure of a worker depends on.
#[derive(Debug, Clone)]
pub(in crate::supervisor) struct LeaveRules {
    /// Signals go to the group.
    pub(in crate::supervisor) to_group: bool,
    /// Node.js' channel is there.
    pub(in crate::supervisor) channel: bool,
    /// pidone owns the sockets, so that new connections can be steered away first.
    pub(in crate::supervisor) can_steer: bool,
    pub(in crate::supervisor) stop: StopMode,
    pub(in crate::supervisor) stop_signal: Signal,
    pub(in crate::supervisor) http_drain: Option<Duration>,
    /// How long a departure may take until SIGKILL.
    pub(in crate::supervisor) grace: Duration,
}

impl LeaveRules {
    /// How long it may take until SIGKILL.
    pub(super) fn grace_of(&self, hung: bool) -> Duration {
        if hung {
            ABORT.min(self.grace)
        } else {
            self.grace
        }
    }
}

/// The way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It says `Connection: close`, and serves.
    Announced { until: Moment },
    /// It serves what is in its queue; new connections go elsewhere.
    Emptying(Emptying),
    /// It answers what it has been asked for, and gets the stop signal then: it has a handler for it,
    /// which may end the process at once, and its servers still listen.
    Finishing { signal_at: Moment },
    /// It has been told to disconnect.
    Disconnected { signal_at: Moment },
    /// It has been told to disconnect, and has so long to finish what is probably its only task.
    Completing { signal_at: Moment },
    /// It has got the stop signal, and will be told to disconnect: when it has closed its listeners
    /// itself, or then. Before that its own `server.close()` would be an error
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
    /// Announces the end, to one that can hear it.
    pub(in crate::supervisor) fn announce(&self, actions: &mut Vec<Action>) {
        if self.channel_open {
            actions.push(Action::Announce(self.id));
        }
    }

    /// Asks it to leave, in the order that loses nothing. `quiet`: new connections are kept away and the
    /// queues are empty already.
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
            // It has nothing to lose.
            _ if !serves => self.signal(now, rules, actions),
            _ if quiet => self.dismiss(now, rules, actions),
            Some(time) if self.channel_open => {
                self.state = State::Leaving(Step::Announced { until: now + time });
                actions.push(Action::Announce(self.id));
            }
            _ => self.empty(now, rules, actions),
        }
    }

    /// It did not get ready in time. A command that is done, but is kept alive by its channel, ends
    /// when it is told to disconnect; whatever does not gets the stop signal soon.
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

    /// It has never been ready, and may end by itself, as another one has.
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

    /// It may not any more.
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

    /// It leaves on its own account.
    pub(in crate::supervisor) fn leaves_by_itself(&mut self, now: Moment, rules: &LeaveRules) {
        self.kill_after(rules.grace, now);
        let signal_at = now + rules.grace * 4 / 5;
        self.state = State::Leaving(Step::Disconnected { signal_at });
    }

    /// It hangs, and takes in nothing but a signal.
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

    pub(in crate::supervisor) fn on_queues(
        &mut self,
        queues: Queues,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        if let State::Leaving(Step::Emptying(emptying)) = self.state
            && emptying.is_done(queues, now)
        {
            self.dismiss(now, rules, actions);
        }
    }

    /// Every connection has ended, if it was told to disconnect; what is left may end by itself.
    /// One that still serves goes on: Node.js ends a worker whose channel is cut, and what does not
    /// end is still of use. Only it can be told nothing any more.
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

    /// All that it has been asked for is answered.
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

    /// It has opened its first listener, or closed the last one. After the stop signal, that is how far
    /// its handler had to come by itself.
    pub(in crate::supervisor) fn on_listens(&mut self, any: bool, actions: &mut Vec<Action>) {
        self.listens = any;
        if let State::Leaving(Step::Signalled { disconnect_at }) = &mut self.state
            && !any
            && disconnect_at.take().is_some()
        {
            actions.push(Action::Disconnect(self.id));
        }
    }

    /// Takes the next step, which is due.
    pub(super) fn go_on(
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
                actions.push(Action::CheckQueues(Some(self.id)));
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

    /// When it was asked to leave: its grace counts from then.
    pub(in crate::supervisor) fn asked_to_leave(&self, rules: &LeaveRules) -> Option<Moment> {
        Some(self.kill_at?.saturating_sub(rules.grace))
    }

    /// When four fifths of its grace are over.
    fn patience_ends(&self, now: Moment, rules: &LeaveRules) -> Moment {
        self.asked_to_leave(rules).unwrap_or(now) + rules.grace * 4 / 5
    }

    fn signal(&mut self, now: Moment, rules: &LeaveRules, actions: &mut Vec<Action>) {
        let knows = matches!(
            self.state,
            State::Leaving(Step::Disconnected { .. } | Step::Completing { .. })
        );
        let tell = rules.channel && self.channel_open && !knows;
        let disconnect_at = tell.then(|| {
            if self.listens {
                // One whose requests took that long has a tenth for its handler.
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
