//! A worker's state machine: its states from start to exit, and their deadlines.

mod draining;
mod signals;
mod watch;

use alloc::vec::Vec;
use core::time::Duration;

use super::drain::{DrainEvent, DrainRules};
use super::event::{Action, Moment};
use super::member::{Member, WorkerId};
use super::timeout::Timeout;
use crate::signal::SignalSet;
use draining::Drain;
use signals::Signals;
pub(super) use watch::{Due, Watch, WatchRules};

/// How often `--ready port` probes the port of a booting worker.
const PROBE: Duration = Duration::from_millis(50);

/// The steps of `--ready-timeout` ([`Timeout`]).
const BOOT_STEPS: u32 = 32;

/// What a worker is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// To serve in this slot.
    Slot(usize),
    /// To be this spare.
    Spare(usize),
}

/// A worker's process.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) role: Role,
    was_spare: bool,
    pub(super) member: Option<Member>,
    /// When its start was requested.
    pub(super) asked: Moment,
    /// It did not get ready in time, and is drained because of that.
    pub(super) failed: bool,
    /// It has reported that it is ready, which a spare may do before it gets a slot.
    pub(super) reported_ready: bool,
    /// Its slot was given to another worker because it disconnects by itself or hangs.
    pub(super) lost: bool,
    pub(super) watch: Watch,
    /// Since when it has had no listener any more.
    pub(super) no_listener_since: Option<Moment>,
    /// Its channel has closed: if its process still runs at this time, it needs none of pidone's
    /// ports.
    release_at: Option<Moment>,
    since: Option<Moment>,
    /// Since when it has been ready, or a spare booted.
    booted_since: Option<Moment>,
    state: State,
    signals: Signals,
    channel_open: bool,
    /// It has listeners open that it requested over the channel.
    pub(super) listens: bool,
    /// The signals that its app handles, as far as reported.
    pub(super) handles: SignalSet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It boots.
    Starting {
        /// `None`: its program does not run yet.
        timeout: Option<Timeout>,
        probe_at: Option<Moment>,
    },
    /// A spare that is booted.
    Held,
    /// It is ready.
    Ready,
    /// It is being drained, and will exit.
    Draining(Drain),
}

impl Worker {
    pub(super) fn new(
        id: WorkerId,
        role: Role,
        member: Option<Member>,
        has_channel: bool,
        to_group: bool,
        now: Moment,
    ) -> Self {
        Self {
            id,
            role,
            was_spare: false,
            member,
            asked: now,
            failed: false,
            reported_ready: false,
            lost: false,
            watch: Watch::default(),
            no_listener_since: None,
            release_at: None,
            since: None,
            booted_since: None,
            state: State::Starting {
                timeout: None,
                probe_at: None,
            },
            signals: Signals::new(to_group),
            channel_open: has_channel,
            listens: false,
            handles: SignalSet::default(),
        }
    }

    pub(super) fn is_starting(&self) -> bool {
        matches!(self.state, State::Starting { .. })
    }

    pub(super) fn is_held(&self) -> bool {
        self.state == State::Held
    }

    /// Whether it has become ready, and is not being drained.
    pub(super) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Whether it is ready and not stopped by a signal.
    pub(super) fn serves(&self) -> bool {
        self.is_ready() && !self.is_stopped()
    }

    /// Whether it accepts connections, at least those in its queues.
    pub(super) fn accepts(&self) -> bool {
        let accepts = match self.state {
            State::Ready => true,
            State::Draining(drain) => drain.step.accepts(),
            State::Starting { .. } | State::Held => false,
        };
        accepts && !self.is_stopped()
    }

    /// Whether it is drained so far that its slot's next worker may have its queues.
    pub(super) fn has_left_queues(&self) -> bool {
        matches!(self.state, State::Draining(drain) if !drain.step.accepts()) && !self.listens
    }

    pub(super) fn has_channel(&self) -> bool {
        self.channel_open
    }

    pub(super) fn is_spare(&self) -> bool {
        matches!(self.role, Role::Spare(_))
    }

    /// Since when its program runs.
    pub(super) fn since(&self) -> Option<Moment> {
        self.since
    }

    pub(super) fn uptime(&self, now: Moment) -> Duration {
        now.saturating_sub(self.since.unwrap_or(now))
    }

    /// How long it has been ready, or a spare booted; `None`: it never was.
    pub(super) fn booted_for(&self, now: Moment) -> Option<Duration> {
        Some(now.saturating_sub(self.booted_since?))
    }

    /// The time it took to get ready, if it is ready and was not a spare.
    pub(super) fn boot_time(&self) -> Option<Duration> {
        let is_plain = self.is_ready() && !self.was_spare;
        Some(self.watch.began().saturating_sub(self.since?)).filter(|_| is_plain)
    }

    fn release_due(&self) -> Option<Moment> {
        self.release_at.filter(|_| !self.is_draining())
    }

    /// When [`on_tick`](Self::on_tick) is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.since?;
        let state = match self.state {
            State::Starting { timeout, probe_at } => {
                earliest(timeout.map(|timeout| timeout.deadline()), probe_at)
            }
            State::Held | State::Ready => None,
            State::Draining(drain) => drain.deadline(),
        };
        earliest(state, self.release_due())
    }

    /// Its program runs. It must get ready within `ready_timeout`; its port is `probed`.
    pub(super) fn on_started(
        &mut self,
        now: Moment,
        ready_timeout: Duration,
        probed: bool,
        actions: &mut Vec<Action>,
    ) {
        if self.since.is_some() {
            return;
        }
        self.since = Some(now);
        if self.is_starting() {
            self.state = State::Starting {
                timeout: Some(Timeout::begin(ready_timeout, BOOT_STEPS, now)),
                probe_at: probed.then_some(now + PROBE),
            };
        }
        self.deliver_held(actions);
    }

    /// It reports that it is ready. Returns whether it was not before.
    pub(super) fn on_ready(&mut self, now: Moment) -> bool {
        self.reported_ready = true;
        // A report of a stopped worker takes effect when it is continued.
        let may_serve = self.since.is_some() && self.member.is_some() && !self.is_stopped();
        let is_news = self.is_starting() && may_serve;
        if is_news {
            self.state = State::Ready;
            self.booted_since = Some(now);
        }
        is_news
    }

    pub(super) fn on_held(&mut self, now: Moment) {
        if self.is_starting() && self.member.is_none() {
            self.state = State::Held;
            self.booted_since = Some(now);
        }
    }

    /// Gives a spare a slot; it still has to report that it is ready.
    pub(super) fn admit(
        &mut self,
        role: Role,
        member: Member,
        ready_timeout: Duration,
        now: Moment,
    ) {
        self.role = role;
        self.was_spare = true;
        self.member = Some(member);
        self.booted_since = None;
        self.state = State::Starting {
            timeout: Some(Timeout::begin(ready_timeout, BOOT_STEPS, now)),
            probe_at: None,
        };
    }

    /// Does what is due. Returns whether it has missed its time to get ready.
    pub(super) fn on_tick(
        &mut self,
        now: Moment,
        rules: &DrainRules,
        actions: &mut Vec<Action>,
    ) -> bool {
        if self.deadline().is_none_or(|at| at > now) {
            return false;
        }
        if self.release_due().is_some_and(|at| at <= now) {
            self.release_at = None;
            actions.push(Action::ReleasePorts(self.id));
            return false;
        }
        match &mut self.state {
            State::Starting { timeout, probe_at } => {
                let is_late = |timeout: &mut Timeout| timeout.has_ended(now);
                if timeout.as_mut().is_some_and(is_late) {
                    self.failed = true;
                    return true;
                }
                if let Some(at) = probe_at
                    && *at <= now
                {
                    *at = now + PROBE;
                    actions.push(Action::ProbePort(self.id));
                }
            }
            State::Draining(drain) => {
                let event = match drain.kill_at() {
                    Some(at) if at <= now => DrainEvent::GraceOver,
                    _ => DrainEvent::Due,
                };
                self.on_drain_event(event, now, rules, actions);
            }
            State::Held | State::Ready => {}
        }
        false
    }
}

pub(super) fn earliest(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
