//! Shutdown: a graceful stop of the workers, then of remaining processes, then the exit status.

use alloc::vec::Vec;
use core::time::Duration;

use super::drain::{DrainEffect, DrainEvent, DrainFacts, DrainStart, DrainStep};
use super::event::{Action, Moment};
use super::leftovers::{LEFTOVER_GRACE, Leftovers};
use super::member::WorkerId;
use super::report::{Report, Verdict};
use super::slot::Slot;
use super::worker::Worker;
use super::{Phase, Supervisor};
use crate::ended::Ended;
use crate::signal::Signal;

/// A stop of all workers.
#[derive(Debug)]
pub(super) struct Stop {
    /// The worker that ended a crash loop; its status becomes pidone's.
    blamed: Option<WorkerId>,
    status: u8,
    /// The drain of all.
    step: DrainStep,
}

impl Stop {
    pub(super) fn is_closed(&self) -> bool {
        !matches!(self.step, DrainStep::Serving { .. })
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.step.deadline()
    }

    /// The end of the grace period, which workers and leftovers share.
    fn ends_by(&self, grace: Duration, now: Moment) -> Moment {
        match self.step {
            DrainStep::Serving { .. } => now + grace,
            DrainStep::SteeredAway { since, .. } | DrainStep::QueueDrained { since } => {
                since + grace
            }
            _ => now,
        }
    }

    pub(super) fn on_exited(&mut self, worker: &Worker, ended: Ended) {
        let own = ended.status();
        if self.blamed == Some(worker.id) && own != 0 {
            self.status = own;
        } else if worker.is_killed() && !worker.is_spare() && self.status == 0 {
            self.status = Signal::KILL.exit_code();
        }
    }
}

impl Supervisor {
    /// Begins a graceful stop. `at_once`: kills everything if one is in progress already.
    pub(super) fn stop(
        &mut self,
        signal: Signal,
        at_once: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        match &mut self.phase {
            Phase::Beginning | Phase::Running => {
                actions.push(Action::Report(Report::Stopping { signal }));
                let signal = self.rules.signals.stop.unwrap_or(signal);
                self.rules.drain.stop_signal = signal;
                self.begin_stop(None, 0, now, actions);
            }
            Phase::Stopping(stop) if at_once && stop.step != DrainStep::Killed => {
                actions.push(Action::Report(Report::StoppingAtOnce));
                self.on_drain_event(None, DrainEvent::KillAll, now, actions);
            }
            Phase::Exiting(leftovers) if at_once => leftovers.kill_now(now, actions),
            Phase::Stopping(_) => self.each(
                |worker, rules, actions| {
                    worker.on_drain_event(DrainEvent::StopAgain, now, rules, actions);
                },
                actions,
            ),
            Phase::Exiting(_) => {}
        }
    }

    /// SIGABRT: pidone exits at once and kills its workers.
    pub(super) fn abort(&mut self, now: Moment, actions: &mut Vec<Action>) {
        actions.push(Action::Report(Report::Aborting));
        self.requests.end_all(actions);
        self.each(
            |worker, rules, actions| worker.kill(now, rules, actions),
            actions,
        );
        self.phase = Phase::Exiting(Leftovers::done(Signal::ABRT.exit_code()));
        actions.push(Action::Abort);
    }

    /// A crash loop: pidone stops, so that a service manager or orchestrator notices it.
    pub(super) fn crash_loop(
        &mut self,
        worker: WorkerId,
        verdict: Verdict,
        own: Option<u8>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let status = own.unwrap_or(0);
        actions.push(Action::Report(Report::CrashLoop {
            worker,
            verdict,
            own,
            status: self.verdict_status(status),
        }));
        self.begin_stop(Some(worker), status, now, actions);
    }

    /// pidone's status after a crash loop: never 0, as service managers take 0 for success and do
    /// not restart the service.
    fn verdict_status(&self, own: u8) -> u8 {
        match self.expected(own) {
            0 => 1,
            status => status,
        }
    }

    /// A command has finished. The other workers run the same one and may finish it.
    pub(super) fn end_command(&mut self, worker: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        for other in self.workers.values_mut() {
            if other.is_starting() {
                other.drain(DrainStart::Complete, now, now, &self.rules.drain, actions);
            }
        }
        let others = self.workers.values().count();
        actions.push(Action::Report(Report::Command { worker, others }));
        self.begin_stop(None, 0, now, actions);
    }

    fn begin_stop(
        &mut self,
        blamed: Option<WorkerId>,
        status: u8,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        self.requests.end_all(actions);
        let facts = DrainFacts::of_all(now, &self.rules.drain);
        let (step, effects) = DrainStep::begin(DrainStart::Retire, &facts);
        self.phase = Phase::Stopping(Stop {
            blamed,
            status,
            step,
        });
        self.apply_to_all(effects, step, now, actions);
        self.on_stop_tick(now, actions);
        self.exit_if_done(None, now, actions);
    }

    pub(super) fn on_stop_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if let Phase::Stopping(stop) = &self.phase
            && stop.deadline().is_some_and(|at| at <= now)
        {
            self.on_drain_event(None, DrainEvent::Due, now, actions);
        }
    }

    /// Continues the drain of a worker; `None`: of all.
    pub(super) fn on_drain_event(
        &mut self,
        worker: Option<WorkerId>,
        event: DrainEvent,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let rules = &self.rules.drain;
        if let Some(worker) = worker {
            if let Some(worker) = self.workers.get_mut(worker) {
                worker.on_drain_event(event, now, rules, actions);
            }
        } else if let Phase::Stopping(stop) = &mut self.phase {
            let (step, effects) = stop.step.next(event, &DrainFacts::of_all(now, rules));
            stop.step = step;
            self.apply_to_all(effects, step, now, actions);
        }
    }

    fn apply_to_all(
        &mut self,
        effects: &[DrainEffect],
        step: DrainStep,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let since = match step {
            DrainStep::QueueDrained { since } => since,
            _ => now,
        };
        for effect in effects {
            match effect {
                DrainEffect::SteerAway => actions.push(Action::CloseToNewConnections),
                DrainEffect::CheckPending => actions.push(Action::CheckPending(None)),
                _ => self.each(
                    |worker, rules, actions| match effect {
                        DrainEffect::Announce if worker.is_ready() => {
                            worker.announce(rules, actions);
                        }
                        DrainEffect::Announce | DrainEffect::DrainEach => {
                            worker.drain(DrainStart::QueueDrained, since, now, rules, actions);
                        }
                        DrainEffect::Kill => worker.kill(now, rules, actions),
                        // For one worker only.
                        _ => {}
                    },
                    actions,
                ),
            }
        }
    }

    /// Single mode: passes a stop signal on to the child. A child that has exited and waits for a
    /// restart is not restarted: pidone exits with its last status.
    pub(super) fn stop_child(
        &mut self,
        signal: Signal,
        at_once: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let signal = self.rules.signals.stop.unwrap_or(signal);
        self.rules.drain.stop_signal = signal;
        let since = *self.stop_requested.get_or_insert(now);
        if let (true, Phase::Exiting(leftovers)) = (at_once, &mut self.phase) {
            leftovers.kill_now(now, actions);
        }
        for slot in &mut self.slots {
            slot.start_at = None;
        }
        self.exit_if_done(None, now, actions);
        self.each(
            |worker, rules, actions| {
                worker.drain(DrainStart::Signal, since, now, rules, actions);
                worker.deliver(signal, actions);
                worker.wake(actions);
            },
            actions,
        );
    }

    /// Continues with the leftovers when all workers have exited and none is to be started.
    pub(super) fn exit_if_done(
        &mut self,
        kill_at: Option<Moment>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let grace = self.rules.drain.grace;
        let kill_at = kill_at.unwrap_or(now + grace);
        let (status, kill_at) = match &self.phase {
            Phase::Exiting(_) => return,
            Phase::Stopping(stop) if stop.blamed.is_some() => {
                (self.verdict_status(stop.status), stop.ends_by(grace, now))
            }
            Phase::Stopping(stop) => (self.expected(stop.status), stop.ends_by(grace, now)),
            Phase::Beginning | Phase::Running => (self.expected(self.status), kill_at),
        };
        let waits = matches!(self.phase, Phase::Running) && self.slots.iter().any(Slot::is_pending);
        if waits || self.workers.values().any(|worker| !worker.is_spare()) {
            return;
        }
        self.requests.end_all(actions);
        let kill_at = kill_at.min(now + LEFTOVER_GRACE);
        self.phase = Phase::Exiting(Leftovers::begin(status, kill_at, now, actions));
    }

    /// The status after `--expect`.
    pub(super) fn expected(&self, status: u8) -> u8 {
        if self.rules.expected.contains(&status) {
            0
        } else {
            status
        }
    }
}
