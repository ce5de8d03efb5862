//! Every decision pidone takes, as a pure function of events and time.
//!
//! Knows no system call, no clock and no descriptor: the same events at the same moments give the
//! same actions, so a test can live through any life of a container in microseconds.
//!
//! Single mode is the case of one slot whose worker gets every signal itself, is never restarted
//! unless that was asked for, and whose status becomes pidone's.

mod backoff;
mod emptying;
mod event;
mod groups;
mod health;
mod lifecycle;
mod member;
mod patience;
mod replacement;
mod report;
mod request;
mod rollout;
mod shutdown;
mod signals;
mod slot;
mod stop_signals;
mod unheld;
mod view;
mod worker;

use alloc::vec::Vec;
use core::time::Duration;

use crate::rules::{Boot, Readiness, RestartRules, RunRules, SignalRules, StopMode};
use crate::signal::Signal;
use crate::table::Table;
pub use event::{Action, Event, Moment, Queues, Start};
use groups::Groups;
pub use member::{Member, WorkerId};
pub use report::{Next, Reason, Refusal, Report, Verdict};
use request::Requests;
pub use request::{Done, Reply, Request, RequestId};
use rollout::Rollout;
use shutdown::{Leftovers, Stop};
use slot::{Slot, Spare};
use stop_signals::StopSignals;
use unheld::Review;
pub use view::{SlotView, StateView, Unready};
use worker::{LeaveRules, WatchRules, Worker, earliest};

/// The state of one run.
#[derive(Debug)]
pub struct Supervisor {
    rules: Rules,
    workers: Table<WorkerId, Worker>,
    /// How many have been started so far.
    launched: u32,
    slots: Vec<Slot>,
    /// How many of the slots are wanted; those beyond are being vacated.
    target: usize,
    spares: Vec<Spare>,
    rollout: Rollout,
    groups: Groups,
    /// Their number has changed, and that is not complete.
    is_scaling: bool,
    /// When the workers' memory is to be measured.
    measure_at: Option<Moment>,
    /// Where new connections go.
    steered: Vec<Option<Member>>,
    /// All slots have served at the same time since the last change of their number.
    was_complete: bool,
    /// All slots have served at the same time, at least once.
    has_been_complete: bool,
    /// Some worker has been ready, or, where nothing tells, has done well for long enough.
    has_served: bool,
    /// Some worker has asked for a listener.
    has_listened: bool,
    /// What the run will end with, as far as is known.
    status: u8,
    review: Review,
    /// Single mode: when the child was first asked to stop.
    stop_requested: Option<Moment>,
    stop_signals: StopSignals,
    requests: Requests,
    phase: Phase,
}

/// What does not change.
#[derive(Debug)]
struct Rules {
    signals: SignalRules,
    /// Single mode: every signal is the child's own.
    transparent: bool,
    grace: Option<Duration>,
    expected: Vec<u8>,
    restart: RestartRules,
    ready: Readiness,
    ready_timeout: Duration,
    boot: Boot,
    drain_delay: Duration,
    /// A successor needs the place of the one before, its port for example, and cannot boot
    /// beside it.
    in_place: bool,
    /// There can be so many workers.
    most: usize,
    leave: LeaveRules,
    watch: WatchRules,
}

#[derive(Debug)]
enum Phase {
    /// The first worker has not been started yet; whether anything can be is not known.
    Beginning,
    Running,
    /// Asked to stop, or given up.
    Stopping(Stop),
    /// All workers are gone; others may be left.
    Leaving(Leftovers),
}

impl Supervisor {
    /// A supervisor of so many workers that has done nothing yet. Without `--instances` there is
    /// one, whatever `instances` says. `max_memory`: what `--max-memory` comes to, in bytes.
    #[must_use]
    pub fn new(config: &RunRules, instances: usize, max_memory: Option<u64>) -> Self {
        let workers = config.workers.as_ref();
        let port_env = workers.and_then(|workers| workers.port_env.as_ref());
        let target = workers.map_or(1, |_| instances.max(1));
        let spares = workers.map_or(0, |workers| usize::from(workers.spares));
        let channel = workers.is_some_and(|workers| workers.channel);
        Self {
            rules: Rules {
                signals: config.signals.clone(),
                transparent: workers.is_none(),
                grace: config.grace,
                expected: config.expected.clone(),
                restart: config.restart.clone(),
                ready: workers.map_or(Readiness::None, |workers| workers.ready),
                ready_timeout: workers.map_or(Duration::ZERO, |workers| workers.ready_timeout),
                boot: workers.map_or(Boot::Together, |workers| workers.boot),
                drain_delay: workers.map_or(Duration::ZERO, |workers| workers.drain_delay),
                in_place: !channel && port_env.is_some(),
                most: request::most(port_env),
                leave: LeaveRules {
                    to_group: config.signals.to_group,
                    channel,
                    can_steer: channel || (workers.is_some() && config.listens),
                    stop: workers.map_or(StopMode::Signal, |workers| workers.stop),
                    stop_signal: config.signals.stop.unwrap_or(Signal::TERM),
                    http_drain: workers.and_then(|workers| workers.http_drain),
                    grace: config.grace.unwrap_or(shutdown::LEFTOVER_GRACE),
                },
                watch: WatchRules {
                    max_memory,
                    max_age: workers.and_then(|workers| workers.max_age),
                    hang_timeout: workers
                        .and_then(|workers| workers.hang_timeout)
                        .filter(|_| channel),
                    unresponsive_after: workers
                        .map_or(Duration::ZERO, |workers| workers.unresponsive_after),
                },
            },
            workers: Table::default(),
            launched: 0,
            slots: (0..target).map(Slot::new).collect(),
            target,
            spares: (0..spares)
                .map(|index| Spare::new(target + index))
                .collect(),
            rollout: Rollout::default(),
            groups: Groups::default(),
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

    /// The first thing to do. The other workers follow when the first one could be started.
    pub fn start(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.start_in_slot(0, now, actions);
    }

    /// When [`Event::Tick`] is due; `None`: nothing is, sleep for as long as nothing happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let phase = match &self.phase {
            Phase::Beginning | Phase::Running => self.running_deadline(),
            Phase::Stopping(stop) => stop.deadline(),
            Phase::Leaving(leftovers) => leftovers.deadline(),
        };
        let workers = self.workers.values().filter_map(Worker::deadline);
        earliest(phase, earliest(workers.min(), self.groups.deadline()))
    }

    /// Takes one event and appends what is to be done about it, in order.
    pub fn handle(&mut self, event: Event, now: Moment, actions: &mut Vec<Action>) {
        match event {
            // Nothing else follows from it, and nothing shall delay it.
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
                self.with(worker, |worker, _, _| worker.on_held(now), actions);
            }
            Event::Leaving(worker) => self.on_leaving(worker, now, actions),
            Event::Listens { worker, any } => self.on_listens(worker, any, now, actions),
            Event::ChannelClosed(worker) => {
                self.with(
                    worker,
                    |worker, _, _| worker.on_channel_closed(now),
                    actions,
                );
            }
            Event::Queues {
                worker: Some(worker),
                queues,
            } => self.with(
                worker,
                |worker, rules, actions| worker.on_queues(queues, now, rules, actions),
                actions,
            ),
            Event::Queues {
                worker: None,
                queues,
            } => self.on_all_queues(queues, now, actions),
            Event::Memory { worker, bytes } => {
                if let Some(worker) = self.workers.get_mut(worker) {
                    worker.watch.on_memory(bytes, now, &self.rules.watch);
                }
            }
            Event::Pong(worker) => self.on_pong(worker, now, actions),
            Event::Look => self.on_look(now, actions),
            Event::Announced { worker, handles } => {
                self.with(worker, |worker, _, _| worker.handles = handles, actions);
            }
            Event::Finished(worker) => self.with(
                worker,
                |worker, rules, actions| worker.on_finished(now, rules, actions),
                actions,
            ),
            Event::Exited { worker, ended } => self.on_exited(worker, ended, now, actions),
            Event::Stopped {
                worker,
                signal,
                job_control,
            } => self.with(
                worker,
                |worker, rules, actions| worker.on_stopped(signal, job_control, rules, actions),
                actions,
            ),
            Event::Continued(worker) => self.on_continued(worker, now, actions),
            Event::Leftovers { any } => {
                if let Phase::Leaving(leftovers) = &mut self.phase {
                    leftovers.on_leftovers(any, actions);
                }
            }
            // The last phase is for all who are left.
            Event::GroupLeft(_) if matches!(self.phase, Phase::Leaving(_)) => {}
            Event::GroupLeft(worker) => self.groups.on_left(worker, now, actions),
            Event::GroupGone(worker) => self.groups.on_gone(worker),
            Event::LeftoversUnwatched => {
                if let Phase::Leaving(leftovers) = &mut self.phase {
                    leftovers.on_unwatched(now);
                }
            }
            Event::Tick => self.on_tick(now, actions),
        }
        self.fill_slots(now, actions);
        // First, so that "ready" is true of the next connection.
        self.steer(actions);
        self.look_whether_complete(actions);
        self.advance(now, actions);
        self.look_at_scaling(actions);
        self.look_at_ports(now, actions);
        self.steer(actions);
    }

    /// Those who serve, in the order in which they were started.
    pub fn serving(&self) -> impl Iterator<Item = WorkerId> {
        let workers = self.workers.values();
        workers
            .filter(|worker| worker.serves())
            .map(|worker| worker.id)
    }

    /// Whether somebody accepts what comes into this member.
    #[must_use]
    pub fn is_served(&self, member: Member) -> bool {
        let mut workers = self.workers.values();
        workers.any(|worker| worker.member == Some(member) && worker.accepts())
    }

    fn with(
        &mut self,
        worker: WorkerId,
        each: impl FnOnce(&mut Worker, &LeaveRules, &mut Vec<Action>),
        actions: &mut Vec<Action>,
    ) {
        if let Some(worker) = self.workers.get_mut(worker) {
            each(worker, &self.rules.leave, actions);
        }
    }

    fn on_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let mut late = Vec::new();
        for worker in self.workers.values_mut() {
            if worker.on_tick(now, &self.rules.leave, actions) {
                late.push(worker.id);
            }
        }
        for worker in late {
            self.on_never_ready(worker, now, actions);
        }
        self.groups.on_tick(now, actions);
        match &mut self.phase {
            Phase::Beginning | Phase::Running => {
                self.start_those_due(now, actions);
                self.look_after(now, actions);
            }
            Phase::Stopping(_) => self.on_stop_tick(now, actions),
            Phase::Leaving(leftovers) => leftovers.on_tick(now, actions),
        }
    }

    /// Sends new connections to those who serve; if nobody does, to where somebody will first.
    fn steer(&mut self, actions: &mut Vec<Action>) {
        let closed = match &self.phase {
            Phase::Stopping(stop) => stop.is_closed(),
            Phase::Leaving(_) => true,
            Phase::Beginning | Phase::Running => false,
        };
        if closed || !self.rules.leave.can_steer {
            return;
        }
        let serves = |slot: &Slot| {
            let current = slot.current.and_then(|current| self.workers.get(current));
            current.is_some_and(Worker::serves)
        };
        let anybody = self.slots.iter().any(serves);
        let members: Vec<_> = self
            .slots
            .iter()
            .enumerate()
            .map(|(index, slot)| {
                let wanted = if anybody {
                    serves(slot)
                } else {
                    index < self.target
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
