//! A worker's drain: tells [`DrainStep`] what happens, and does what follows.

use alloc::vec::Vec;
use core::time::Duration;

use super::{State, Worker, earliest};
use crate::signal::Signal;
use crate::supervisor::drain::{
    ABORT, DrainEffect, DrainEvent, DrainFacts, DrainRules, DrainStart, DrainStep, WorkerFacts,
};
use crate::supervisor::event::{Action, Moment};
use crate::supervisor::report::Report;

/// How long a worker's process may take to exit after its channel has closed: pidone usually sees
/// the close before the exit.
const RELEASE: Duration = Duration::from_millis(20);

/// The drain of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Drain {
    pub(super) step: DrainStep,
    since: Moment,
    /// How long after `since` it is killed; `None`: never.
    grace: Option<Duration>,
    /// Its time counts: it was ready, and neither hangs nor was killed at once.
    counts: bool,
}

impl Drain {
    pub(super) fn kill_at(self) -> Option<Moment> {
        Some(self.since + self.grace?)
    }

    pub(super) fn deadline(self) -> Option<Moment> {
        match self.step {
            DrainStep::Killed => None,
            step => earliest(step.deadline(), self.kill_at()),
        }
    }
}

impl Worker {
    fn drain_state(&self) -> Option<Drain> {
        match self.state {
            State::Draining(drain) => Some(drain),
            _ => None,
        }
    }

    pub(in crate::supervisor) fn is_draining(&self) -> bool {
        self.drain_state().is_some()
    }

    pub(in crate::supervisor) fn is_killed(&self) -> bool {
        let drain = self.drain_state();
        drain.is_some_and(|drain| drain.step == DrainStep::Killed)
    }

    /// When its grace period ends.
    pub(in crate::supervisor) fn kill_at(&self) -> Option<Moment> {
        self.drain_state()?.kill_at()
    }

    /// Since when it is drained, if its time counts.
    pub(in crate::supervisor) fn draining_since(&self) -> Option<Moment> {
        let drain = self.drain_state().filter(|drain| drain.counts)?;
        Some(drain.since)
    }

    /// Begins a drain whose grace period began at `since`; one in progress ends no later than that
    /// one would.
    pub(in crate::supervisor) fn drain(
        &mut self,
        start: DrainStart,
        since: Moment,
        now: Moment,
        rules: &DrainRules,
        actions: &mut Vec<Action>,
    ) {
        if let State::Draining(drain) = &mut self.state {
            drain.since = drain.since.min(since);
            return;
        }
        let grace = match start {
            DrainStart::Hung => ABORT.min(rules.grace),
            _ => rules.grace,
        };
        let counts = !matches!(
            start,
            DrainStart::Hung | DrainStart::Signal | DrainStart::Kill
        );
        let (step, effects) = DrainStep::begin(start, &self.facts(since, now, rules));
        self.state = State::Draining(Drain {
            step,
            since,
            grace: rules.kills.then_some(grace),
            counts: counts && self.is_ready(),
        });
        self.apply(effects, rules, actions);
    }

    /// Continues its drain; does nothing if there is none.
    pub(in crate::supervisor) fn on_drain_event(
        &mut self,
        event: DrainEvent,
        now: Moment,
        rules: &DrainRules,
        actions: &mut Vec<Action>,
    ) {
        let Some(drain) = self.drain_state() else {
            return;
        };
        let facts = self.facts(drain.since, now, rules);
        let (step, effects) = drain.step.next(event, &facts);
        self.state = State::Draining(Drain { step, ..drain });
        self.apply(effects, rules, actions);
    }

    pub(in crate::supervisor) fn kill(
        &mut self,
        now: Moment,
        rules: &DrainRules,
        actions: &mut Vec<Action>,
    ) {
        self.drain(DrainStart::Kill, now, now, rules, actions);
        self.on_drain_event(DrainEvent::KillAll, now, rules, actions);
    }

    /// Announces its drain over the channel, if the options ask for that and it is open.
    pub(in crate::supervisor) fn announce(&self, rules: &DrainRules, actions: &mut Vec<Action>) {
        if rules.http_drain.is_some() && self.channel_open {
            actions.push(Action::Announce(self.id));
        }
    }

    /// A worker that was not told to disconnect goes on: Node.js exits when its channel is cut, and
    /// a process that does not exit is still of use. It can only get no more messages.
    pub(in crate::supervisor) fn on_channel_closed(
        &mut self,
        now: Moment,
        rules: &DrainRules,
        actions: &mut Vec<Action>,
    ) {
        let was_open = core::mem::take(&mut self.channel_open);
        self.watch.on_channel_closed();
        if was_open && !self.is_draining() {
            self.release_at = Some(now + RELEASE);
        }
        self.on_drain_event(DrainEvent::ChannelClosed, now, rules, actions);
    }

    fn facts<'a>(&self, since: Moment, now: Moment, rules: &'a DrainRules) -> DrainFacts<'a> {
        DrainFacts {
            now,
            since,
            rules,
            worker: Some(WorkerFacts {
                is_ready: self.is_ready(),
                has_channel: self.channel_open,
                listens: self.listens,
                handles_stop: self.handles.contains(rules.stop_signal),
            }),
        }
    }

    fn apply(&mut self, effects: &[DrainEffect], rules: &DrainRules, actions: &mut Vec<Action>) {
        let worker = self.id;
        for effect in effects {
            match effect {
                DrainEffect::Announce => actions.push(Action::Announce(worker)),
                // The supervisor steers connections to workers that are ready.
                DrainEffect::SteerAway | DrainEffect::DrainEach => {}
                DrainEffect::CheckPending => actions.push(Action::CheckPending(Some(worker))),
                DrainEffect::Finish => actions.push(Action::Finish(worker)),
                DrainEffect::Disconnect => actions.push(Action::Disconnect(worker)),
                DrainEffect::StopSignal => self.deliver(rules.stop_signal, actions),
                DrainEffect::Abort => self.deliver(Signal::ABRT, actions),
                DrainEffect::Wake => self.wake(actions),
                DrainEffect::ReportOverdue => {
                    let grace = self.drain_state().and_then(|drain| drain.grace);
                    let grace = grace.unwrap_or_default();
                    actions.push(Action::Report(Report::Overdue { worker, grace }));
                }
                DrainEffect::Kill => self.deliver(Signal::KILL, actions),
            }
        }
    }
}
