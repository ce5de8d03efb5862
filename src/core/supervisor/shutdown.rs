//! Shutdown: a graceful stop of the workers, then of remaining processes, then the exit status.

use alloc::vec::Vec;
use core::time::Duration;

use super::emptying::Emptying;
use super::event::{Action, Moment, Pending};
use super::member::WorkerId;
use super::report::{Report, Verdict};
use super::slot::Slot;
use super::worker::{Worker, earliest};
use super::{Phase, Supervisor};
use crate::ended::Ended;
use crate::signal::Signal;

/// How long leftovers may take to exit, within the grace period: a shell that was left open must
/// not delay the end of a container.
pub(super) const LEFTOVER_GRACE: Duration = Duration::from_secs(2);

/// Leftovers that exit sooner are not reported.
const REPORT_AFTER: Duration = Duration::from_millis(250);

/// How often leftovers are counted when their exit is not notified.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// How long to wait for a process after SIGKILL; only an uninterruptible system call takes longer,
/// and nothing more can be done about that.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// A stop of all workers.
#[derive(Debug)]
pub(super) struct Stop {
    /// The worker that ended a crash loop; its status becomes pidone's.
    blamed: Option<WorkerId>,
    status: u8,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Workers serve as before, until load balancers stop sending traffic and clients have been
    /// told.
    Serving { until: Moment },
    /// New connections are kept away; those already in the accept queues are served.
    Emptying(Emptying),
    /// Every worker leaves.
    Draining { since: Moment },
    /// All workers were killed.
    Killing,
}

impl Stop {
    pub(super) fn is_closed(&self) -> bool {
        !matches!(self.step, Step::Serving { .. })
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        match self.step {
            Step::Serving { until } => Some(until),
            Step::Emptying(emptying) => Some(emptying.deadline()),
            Step::Draining { .. } | Step::Killing => None,
        }
    }

    /// The end of the grace period, which workers and leftovers share.
    fn ends_by(&self, grace: Duration, now: Moment) -> Moment {
        match self.step {
            Step::Serving { .. } => now + grace,
            Step::Emptying(Emptying { since, .. }) | Step::Draining { since } => since + grace,
            Step::Killing => now,
        }
    }

    pub(super) fn on_exited(&mut self, worker: &Worker, ended: Ended) {
        let own = ended.status();
        if self.blamed == Some(worker.id) && own != 0 {
            self.status = own;
        } else if worker.killed && !worker.is_spare() && self.status == 0 {
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
                self.rules.leave.stop_signal = signal;
                self.begin_stop(None, 0, now, actions);
            }
            Phase::Stopping(stop) if at_once && !matches!(stop.step, Step::Killing) => {
                stop.step = Step::Killing;
                actions.push(Action::Report(Report::StoppingAtOnce));
                for worker in self.workers.values_mut() {
                    worker.kill(self.rules.leave.to_group, actions);
                }
            }
            Phase::Exiting(leftovers) if at_once => leftovers.kill_now(now, actions),
            Phase::Stopping(_) => {
                for worker in self.workers.values_mut() {
                    worker.stop_completing(now, &self.rules.leave, actions);
                }
            }
            Phase::Exiting(_) => {}
        }
    }

    /// SIGABRT: pidone exits at once and kills its workers.
    pub(super) fn abort(&mut self, actions: &mut Vec<Action>) {
        actions.push(Action::Report(Report::Aborting));
        self.requests.end_all(actions);
        for worker in self.workers.values_mut() {
            worker.kill(self.rules.leave.to_group, actions);
        }
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
            other.may_complete(now, &self.rules.leave, actions);
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
        let rules = &self.rules;
        let serving = rules
            .drain_delay
            .max(rules.leave.http_drain.unwrap_or_default());
        for worker in self.workers.values_mut() {
            if !worker.is_ready() {
                worker.leave(true, now, &rules.leave, actions);
            } else if rules.leave.http_drain.is_some() {
                worker.announce(actions);
            }
        }
        self.phase = Phase::Stopping(Stop {
            blamed,
            status,
            step: Step::Serving {
                until: now + serving,
            },
        });
        self.on_stop_tick(now, actions);
        self.leave_if_done(None, now, actions);
    }

    pub(super) fn on_stop_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Stopping(stop) = &mut self.phase else {
            return;
        };
        match stop.step {
            Step::Serving { until } if until <= now => {
                if !self.rules.leave.can_steer {
                    self.drain(now, now, actions);
                    return;
                }
                actions.push(Action::CloseToNewConnections);
                stop.step = Step::Emptying(Emptying::begin(self.rules.leave.grace, now));
            }
            Step::Emptying(emptying) if emptying.is_given_up(now) => {
                self.drain(emptying.since, now, actions);
            }
            Step::Emptying(mut emptying) if emptying.deadline() <= now => {
                actions.push(Action::CheckPending(None));
                emptying.check_again(now);
                stop.step = Step::Emptying(emptying);
            }
            _ => {}
        }
    }

    pub(super) fn on_all_pending(
        &mut self,
        pending: Pending,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        if let Phase::Stopping(stop) = &self.phase
            && let Step::Emptying(emptying) = stop.step
            && emptying.is_done(pending, now)
        {
            self.drain(emptying.since, now, actions);
        }
    }

    /// Makes every worker leave; their grace period began at `since`.
    fn drain(&mut self, since: Moment, now: Moment, actions: &mut Vec<Action>) {
        if let Phase::Stopping(stop) = &mut self.phase {
            stop.step = Step::Draining { since };
        }
        let rules = &self.rules.leave;
        for worker in self.workers.values_mut() {
            worker.kill_after(rules.grace, since);
            worker.leave(true, now, rules, actions);
        }
    }

    /// Single mode: a stop signal is passed on to the child. A child that has exited and waits for
    /// a restart is not restarted: pidone exits with its last status.
    pub(super) fn pass_on_stop(&mut self, at_once: bool, now: Moment, actions: &mut Vec<Action>) {
        let first = *self.stop_requested.get_or_insert(now);
        if let (true, Phase::Exiting(leftovers)) = (at_once, &mut self.phase) {
            leftovers.kill_now(now, actions);
        }
        for worker in self.workers.values_mut() {
            if let Some(grace) = self.rules.grace {
                worker.kill_after(grace, first);
            }
        }
        for slot in &mut self.slots {
            slot.start_at = None;
        }
        self.leave_if_done(None, now, actions);
    }

    /// Continues with the leftovers when all workers have exited and none is to be started.
    pub(super) fn leave_if_done(
        &mut self,
        kill_at: Option<Moment>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let grace = self.rules.grace.unwrap_or(LEFTOVER_GRACE);
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

/// The last phase: its exit status is settled.
#[derive(Debug)]
pub(super) struct Leftovers {
    status: u8,
    step: LastStep,
    /// When to report that pidone waits for leftovers.
    report_at: Option<Moment>,
    /// When to count the leftovers.
    count_at: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
enum LastStep {
    /// Leftovers were sent SIGTERM.
    Asked { kill_at: Moment },
    /// Leftovers were killed.
    Killed { leave_at: Moment },
    /// pidone exits.
    Done,
}

impl Leftovers {
    fn begin(status: u8, kill_at: Moment, now: Moment, actions: &mut Vec<Action>) -> Self {
        actions.push(Action::SignalLeftovers(Signal::TERM));
        Self {
            status,
            step: LastStep::Asked { kill_at },
            report_at: Some(now + REPORT_AFTER),
            count_at: None,
        }
    }

    /// The very first start failed: exits without signalling leftovers.
    pub(super) fn none(status: u8, actions: &mut Vec<Action>) -> Self {
        actions.push(Action::Exit(status));
        Self::done(status)
    }

    fn done(status: u8) -> Self {
        Self {
            status,
            step: LastStep::Done,
            report_at: None,
            count_at: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let step = match self.step {
            LastStep::Asked { kill_at: at } | LastStep::Killed { leave_at: at } => at,
            LastStep::Done => return None,
        };
        earliest(Some(step), earliest(self.report_at, self.count_at))
    }

    pub(super) fn on_leftovers(&mut self, any: bool, actions: &mut Vec<Action>) {
        if !any {
            self.leave(actions);
        }
    }

    pub(super) fn on_unwatched(&mut self, now: Moment) {
        self.count_at = Some(now + COUNT_EVERY);
    }

    pub(super) fn on_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let is_due = |at: &mut Moment| *at <= now;
        match self.step {
            LastStep::Asked { kill_at } if kill_at <= now => self.kill(now, actions),
            LastStep::Killed { leave_at } if leave_at <= now => self.leave(actions),
            LastStep::Asked { .. } | LastStep::Killed { .. } => {
                if self.report_at.take_if(is_due).is_some() {
                    actions.push(Action::Report(Report::WaitingForLeftovers));
                }
                if self.count_at.take_if(is_due).is_some() {
                    actions.push(Action::CountLeftovers);
                }
            }
            LastStep::Done => {}
        }
    }

    /// Kills the leftovers if that has not been done yet.
    fn kill_now(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if let LastStep::Asked { .. } = self.step {
            self.kill(now, actions);
        }
    }

    fn kill(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.step = LastStep::Killed {
            leave_at: now + KILL_GRACE,
        };
        self.report_at = None;
        actions.push(Action::Report(Report::KillingLeftovers));
        actions.push(Action::SignalLeftovers(Signal::KILL));
    }

    fn leave(&mut self, actions: &mut Vec<Action>) {
        if !matches!(self.step, LastStep::Done) {
            self.step = LastStep::Done;
            actions.push(Action::Exit(self.status));
        }
    }
}
