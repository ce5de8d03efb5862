//! Every decision of pidone, as a pure function of events and time.
//!
//! Has no system calls, clock or descriptors: the same events at the same times give the same
//! actions, so a test can run any history of a container in microseconds.
//!
//! Single mode is one slot whose worker receives every signal, is restarted only with `--restart`,
//! and whose status becomes pidone's.

mod backoff;
mod boots;
mod drain;
mod event;
mod groups;
mod health;
mod leftovers;
mod lifecycle;
mod limits;
mod member;
mod options;
mod replacement;
mod report;
mod request;
mod rollout;
mod scaling;
mod shutdown;
mod signals;
mod slot;
mod timeout;
mod unheld;
mod view;
mod worker;

use alloc::vec::Vec;

use crate::rules::{Instances, RunRules};
use crate::signal::Signal;
use crate::table::Table;
use drain::{DrainEvent, DrainRules, DrainStart};
pub use event::{Action, Event, Moment, Pending, Start};
use groups::Groups;
use leftovers::Leftovers;
pub use limits::ContainerLimits;
use limits::FollowedLimits;
pub use member::{Member, WorkerId};
use options::Rules;
pub use report::{Next, Reason, Refusal, Report, Verdict};
use request::Requests;
pub use request::{Done, Reply, Request, RequestId, ScaleTo};
pub use rollout::Progress;
use rollout::Rollout;
use shutdown::Stop;
use signals::StopSignals;
use slot::{Slot, Spare};
use unheld::Review;
pub use view::{SlotView, StateView, Unready};
use worker::{Worker, earliest};

/// The state of one run.
#[derive(Debug)]
pub struct Supervisor {
    rules: Rules,
    workers: Table<WorkerId, Worker>,
    /// The number of workers started so far.
    launched: u32,
    slots: Vec<Slot>,
    /// The number of slots wanted; those beyond are being vacated.
    target: usize,
    spares: Vec<Spare>,
    rollout: Rollout,
    groups: Groups,
    limits: FollowedLimits,
    /// The number of slots has changed, and the change is not complete.
    is_scaling: bool,
    /// When to measure the workers' memory next.
    measure_at: Option<Moment>,
    /// Where new connections go.
    steered: Vec<Option<Member>>,
    /// All slots have been ready at the same time since the last change of their number.
    was_complete: bool,
    /// All slots have been ready at the same time at least once.
    has_been_complete: bool,
    /// Some worker has been ready, or, without a readiness signal, has run for `--min-uptime`.
    has_served: bool,
    /// Some worker has asked for a listener.
    has_listened: bool,
    /// pidone's exit status, as far as it is known.
    status: u8,
    review: Review,
    /// Single mode: when the child was first asked to stop.
    stop_requested: Option<Moment>,
    stop_signals: StopSignals,
    requests: Requests,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The first worker has not been started yet.
    Beginning,
    Running,
    /// A stop was requested, or restarts were given up.
    Stopping(Stop),
    /// All workers have exited; other processes may be left.
    Exiting(Leftovers),
}

impl Supervisor {
    /// A supervisor that has started nothing yet. Without `--instances` there is one worker,
    /// whatever `limits` says.
    #[must_use]
    pub fn new(config: &RunRules, limits: ContainerLimits) -> Self {
        let workers = config.workers.as_ref();
        let rules = Rules::new(config, limits.max_memory);
        let target = match workers.map(|workers| workers.instances) {
            Some(Instances::Auto) => limits.cpus.clamp(1, rules.most),
            Some(Instances::Count(count)) => usize::from(count).max(1),
            None => 1,
        };
        let spares = workers.map_or(0, |workers| usize::from(workers.spares));
        let limits = FollowedLimits::new(limits, rules.is_auto);
        Self {
            rules,
            workers: Table::default(),
            launched: 0,
            slots: (0..target).map(Slot::first).collect(),
            target,
            spares: (0..spares)
                .map(|index| Spare::new(target + index))
                .collect(),
            rollout: Rollout::default(),
            groups: Groups::default(),
            limits,
            is_scaling: false,
            measure_at: None,
            steered: Vec::new(),
            was_complete: false,
            has_been_complete: false,
            has_served: false,
            has_listened: false,
            status: 0,
            review: Review::default(),
            stop_requested: None,
            stop_signals: StopSignals::default(),
            requests: Requests::default(),
            phase: Phase::Beginning,
        }
    }

    /// Starts the first worker. The others follow once it runs.
    pub fn start(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.start_in_slot(0, now, actions);
    }

    /// When [`Event::Tick`] is due; `None`: sleep until another event.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let phase = match &self.phase {
            Phase::Beginning | Phase::Running => self.running_deadline(),
            Phase::Stopping(stop) => stop.deadline(),
            Phase::Exiting(leftovers) => leftovers.deadline(),
        };
        let workers = self.workers.values().filter_map(Worker::deadline);
        earliest(phase, earliest(workers.min(), self.groups.deadline()))
    }

    /// Handles one event and appends the resulting actions, in order.
    pub fn handle(&mut self, event: Event, now: Moment, actions: &mut Vec<Action>) {
        match event {
            // Nothing else follows from it, so the signal is passed on without delay.
            Event::Signal(signal) if self.rules.transparent => {
                return self.pass_on(signal, now, actions);
            }
            Event::TerminalClosed if self.rules.transparent => {
                return self.pass_on(Signal::HUP, now, actions);
            }
            Event::Signal(signal) => self.on_signal(signal, now, actions),
            Event::TerminalClosed => self.on_terminal_closed(now, actions),
            Event::Request { id, request } => self.on_request(id, request, now, actions),
            Event::Started(worker) => self.on_started(worker, now, actions),
            Event::StartFailed { worker, status } => {
                self.on_start_failed(worker, status, now, actions);
            }
            Event::Ready(worker) => self.on_ready(worker, now, actions),
            Event::Asked(_) => self.has_listened = true,
            Event::Held(worker) => {
                self.has_listened = true;
                if let Some(worker) = self.workers.get_mut(worker) {
                    worker.on_held(now);
                }
            }
            Event::Disconnects(worker) => self.on_disconnects(worker, now, actions),
            Event::Listens { worker, any } => self.on_listens(worker, any, now, actions),
            Event::PortLost(is_lost) => self.review.port_is_lost = is_lost,
            Event::ChannelClosed(worker) => {
                if let Some(worker) = self.workers.get_mut(worker) {
                    worker.on_channel_closed(now, &self.rules.drain, actions);
                }
            }
            Event::Pending { worker, pending } => {
                self.on_drain_event(worker, DrainEvent::Checked(pending), now, actions);
            }
            Event::Memory { worker, bytes } => {
                if let Some(worker) = self.workers.get_mut(worker) {
                    worker.watch.on_memory(bytes, now, &self.rules.watch);
                }
            }
            Event::Pong(worker) => self.on_pong(worker, now, actions),
            Event::Look => self.on_look(now, actions),
            Event::Limits(read) => self.limits.on_read(read, now),
            Event::Announced { worker, handles } => {
                if let Some(worker) = self.workers.get_mut(worker) {
                    worker.handles = handles;
                }
            }
            Event::Finished(worker) => {
                self.on_drain_event(Some(worker), DrainEvent::Finished, now, actions);
            }
            Event::Exited { worker, ended } => self.on_exited(worker, ended, now, actions),
            Event::Stopped {
                worker,
                signal,
                job_control,
            } => {
                if let Some(worker) = self.workers.get_mut(worker) {
                    worker.on_stopped(signal, job_control, &self.rules.drain, actions);
                }
            }
            Event::Continued(worker) => self.on_continued(worker, now, actions),
            Event::Leftovers { any } => {
                if let Phase::Exiting(leftovers) = &mut self.phase {
                    leftovers.on_leftovers(any, actions);
                }
            }
            // The last phase signals all remaining processes.
            Event::GroupLeft(_) if matches!(self.phase, Phase::Exiting(_)) => {}
            Event::GroupLeft(worker) => self.groups.on_left(worker, now, actions),
            Event::GroupGone(worker) => self.groups.on_gone(worker),
            Event::LeftoversUnwatched => {
                if let Phase::Exiting(leftovers) = &mut self.phase {
                    leftovers.on_unwatched(now);
                }
            }
            Event::Tick => self.on_tick(now, actions),
        }
        self.fill_slots(now, actions);
        // Before the readiness reports, so that the next connection already reaches a ready worker.
        self.steer(actions);
        self.check_complete(actions);
        self.advance(now, actions);
        self.check_scaling(actions);
        self.check_ports(now, actions);
        self.steer(actions);
    }

    /// The workers that serve, in the order in which they were started.
    pub fn serving(&self) -> impl Iterator<Item = WorkerId> {
        let workers = self.workers.values();
        workers
            .filter(|worker| worker.serves())
            .map(|worker| worker.id)
    }

    /// Whether a worker accepts connections, at least those in its queues.
    #[must_use]
    pub fn accepts(&self, worker: WorkerId) -> bool {
        self.workers.get(worker).is_some_and(Worker::accepts)
    }

    /// Does the same with all workers.
    fn each(
        &mut self,
        each: impl Fn(&mut Worker, &DrainRules, &mut Vec<Action>),
        actions: &mut Vec<Action>,
    ) {
        for worker in self.workers.values_mut() {
            each(worker, &self.rules.drain, actions);
        }
    }

    /// Begins to drain a worker.
    fn drain(
        &mut self,
        worker: WorkerId,
        start: DrainStart,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.drain(start, now, now, &self.rules.drain, actions);
        }
    }

    fn on_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let mut late = Vec::new();
        for worker in self.workers.values_mut() {
            if worker.on_tick(now, &self.rules.drain, actions) {
                late.push(worker.id);
            }
        }
        for worker in late {
            self.on_never_ready(worker, now, actions);
        }
        self.groups.on_tick(now, actions);
        match &mut self.phase {
            Phase::Beginning | Phase::Running => {
                self.start_due(now, actions);
                self.check_health(now, actions);
                self.follow_limits(now, actions);
            }
            Phase::Stopping(_) => self.on_stop_tick(now, actions),
            Phase::Exiting(leftovers) => leftovers.on_tick(now, actions),
        }
    }

    /// Steers new connections to the workers that serve; if none does, to every wanted slot whose
    /// worker boots or is to be restarted.
    fn steer(&mut self, actions: &mut Vec<Action>) {
        let closed = match &self.phase {
            Phase::Stopping(stop) => stop.is_closed(),
            Phase::Exiting(_) => true,
            Phase::Beginning | Phase::Running => false,
        };
        if closed || !self.rules.drain.can_steer {
            return;
        }
        let serves = |slot: &Slot| {
            let current = slot.current.and_then(|current| self.workers.get(current));
            current.is_some_and(Worker::serves)
        };
        let any_serves = self.slots.iter().any(serves);
        let members: Vec<_> = self
            .slots
            .iter()
            .enumerate()
            .map(|(index, slot)| {
                let wanted = if any_serves {
                    serves(slot)
                } else {
                    index < self.target && !slot.is_first
                };
                wanted.then_some(slot.member)
            })
            .collect();
        if members != self.steered {
            self.steered.clone_from(&members);
            actions.push(Action::Steer(members));
        }
    }
}

#[cfg(test)]
mod tests;
