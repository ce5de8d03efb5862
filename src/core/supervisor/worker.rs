//! A worker's state machine: its states from start to exit, and their deadlines.

mod departure;
mod watch;

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::member::{Member, WorkerId};
use super::patience::Patience;
use super::report::Report;
use crate::signal::{Signal, SignalSet};
pub(super) use departure::LeaveRules;
use departure::Step;
pub(super) use watch::{Due, Watch, WatchRules};

/// How often `--ready port` probes the port of a booting worker.
const PROBE: Duration = Duration::from_millis(50);

/// The steps of `--ready-timeout` ([`Patience`]).
const BOOT_STEPS: u32 = 32;

/// What a worker is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// This slot.
    Slot(usize),
    /// This spare.
    Spare(usize),
}

/// A worker's process.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) place: Place,
    was_spare: bool,
    pub(super) member: Option<Member>,
    /// When its start was requested.
    pub(super) asked: Moment,
    /// It did not get ready in time, and is stopped because of that.
    pub(super) failed: bool,
    /// It has reported that it is ready, which a spare may do before it gets a slot.
    pub(super) reported_ready: bool,
    /// It was sent SIGKILL.
    pub(super) killed: bool,
    /// Its slot was given to another worker because it leaves on its own or hangs.
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
    /// Signals that wait until its program runs.
    held: Vec<Signal>,
    /// The signals that pidone has sent it, one bit each, to recognise a requested death.
    sent: u64,
    /// The terminal's user has stopped it together with pidone.
    suspended: bool,
    /// It is stopped by a signal (state T in /proc) and has not been continued since.
    stopped: bool,
    channel_open: bool,
    /// It has listeners open that it requested over the channel.
    pub(super) listens: bool,
    /// The signals that its app handles, as far as reported.
    pub(super) handles: SignalSet,
    /// It was sent SIGABRT because its event loop is blocked.
    hung: bool,
    kill_at: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It boots.
    Starting {
        patience: Option<Patience>,
        probe_at: Option<Moment>,
    },
    /// A spare that is booted.
    Held,
    /// It is ready.
    Ready,
    /// It is leaving.
    Leaving(Step),
}

impl Worker {
    pub(super) fn new(id: WorkerId, place: Place, member: Option<Member>, now: Moment) -> Self {
        Self {
            id,
            place,
            was_spare: false,
            member,
            asked: now,
            failed: false,
            reported_ready: false,
            killed: false,
            lost: false,
            watch: Watch::default(),
            no_listener_since: None,
            release_at: None,
            since: None,
            booted_since: None,
            state: State::Starting {
                patience: None,
                probe_at: None,
            },
            held: Vec::new(),
            sent: 0,
            suspended: false,
            stopped: false,
            channel_open: true,
            listens: false,
            handles: SignalSet::default(),
            hung: false,
            kill_at: None,
        }
    }

    pub(super) fn is_starting(&self) -> bool {
        matches!(self.state, State::Starting { .. })
    }

    pub(super) fn is_held(&self) -> bool {
        self.state == State::Held
    }

    /// Whether it has become ready, and is not leaving.
    pub(super) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Whether it is ready and not stopped by a signal.
    pub(super) fn serves(&self) -> bool {
        self.is_ready() && !self.stopped
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether it accepts connections, at least those in its queues.
    pub(super) fn accepts(&self) -> bool {
        match self.state {
            _ if self.stopped => false,
            State::Ready => true,
            State::Leaving(step) => {
                matches!(step, Step::Announced { .. } | Step::Emptying { .. })
            }
            State::Starting { .. } | State::Held => false,
        }
    }

    pub(super) fn has_channel(&self) -> bool {
        self.channel_open
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving(_))
    }

    pub(super) fn is_spare(&self) -> bool {
        matches!(self.place, Place::Spare(_))
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

    pub(super) fn was_sent(&self, signal: Signal) -> bool {
        self.sent & bit(signal) != 0
    }

    pub(super) fn kill_at(&self) -> Option<Moment> {
        self.kill_at
    }

    fn release_due(&self) -> Option<Moment> {
        self.release_at.filter(|_| !self.is_leaving())
    }

    /// When [`on_tick`](Self::on_tick) is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.since?;
        let step = match self.state {
            State::Starting { patience, probe_at } => {
                earliest(patience.map(|patience| patience.deadline()), probe_at)
            }
            State::Held | State::Ready => None,
            State::Leaving(step) => step.deadline(),
        };
        let step = earliest(step, self.release_due());
        if self.killed {
            None
        } else {
            earliest(step, self.kill_at)
        }
    }

    /// Its program runs. It must get ready within `ready_timeout`; its port is `probed`.
    pub(super) fn on_started(
        &mut self,
        now: Moment,
        ready_timeout: Duration,
        probed: bool,
        to_group: bool,
        actions: &mut Vec<Action>,
    ) {
        if self.since.is_some() {
            return;
        }
        self.since = Some(now);
        if self.is_starting() {
            self.state = State::Starting {
                patience: Some(Patience::begin(ready_timeout, BOOT_STEPS, now)),
                probe_at: probed.then_some(now + PROBE),
            };
        }
        for signal in core::mem::take(&mut self.held) {
            self.deliver(signal, to_group, actions);
        }
    }

    /// It reports that it is ready. Returns whether it was not before.
    pub(super) fn on_ready(&mut self, now: Moment) -> bool {
        self.reported_ready = true;
        // A report of a stopped worker takes effect when it is continued.
        let may_serve = self.since.is_some() && self.member.is_some() && !self.stopped;
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

    /// Whether it was ready before it began to leave, and does not hang.
    pub(super) fn is_drained(&self) -> bool {
        self.watch.began() > Moment::ZERO && !self.hung
    }

    /// The time it took to get ready, if it is ready and was not a spare.
    pub(super) fn boot_time(&self) -> Option<Duration> {
        let is_plain = self.is_ready() && !self.was_spare;
        Some(self.watch.began().saturating_sub(self.since?)).filter(|_| is_plain)
    }

    /// Gives a spare a slot; it still has to report that it is ready.
    pub(super) fn admit(
        &mut self,
        place: Place,
        member: Member,
        ready_timeout: Duration,
        now: Moment,
    ) {
        self.place = place;
        self.was_spare = true;
        self.member = Some(member);
        self.booted_since = None;
        self.state = State::Starting {
            patience: Some(Patience::begin(ready_timeout, BOOT_STEPS, now)),
            probe_at: None,
        };
    }

    pub(super) fn deliver(&mut self, signal: Signal, group: bool, actions: &mut Vec<Action>) {
        if self.since.is_none() {
            self.held.push(signal);
            return;
        }
        self.sent |= bit(signal);
        if signal == Signal::CONT && core::mem::take(&mut self.suspended) {
            actions.push(Action::Resume(self.id));
        } else {
            let worker = self.id;
            actions.push(Action::Signal {
                worker,
                signal,
                group,
            });
        }
    }

    /// A stopped process handles no signal but SIGKILL until it is continued (signal(7)).
    pub(super) fn wake(&mut self, group: bool, actions: &mut Vec<Action>) {
        if self.stopped {
            self.deliver(Signal::CONT, group, actions);
        }
    }

    /// Schedules SIGKILL for `grace` after `from`, unless it is due sooner anyway.
    pub(super) fn kill_after(&mut self, grace: Duration, from: Moment) {
        let kill_at = from + grace;
        if self.kill_at.is_none_or(|at| at > kill_at) {
            self.kill_at = Some(kill_at);
        }
    }

    pub(super) fn kill(&mut self, to_group: bool, actions: &mut Vec<Action>) {
        if !self.killed {
            self.killed = true;
            self.deliver(Signal::KILL, to_group, actions);
        }
    }

    /// SIGSTOP does not come from a terminal, so it was meant for the child alone.
    pub(super) fn on_stopped(
        &mut self,
        signal: Signal,
        job_control: bool,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) {
        match signal {
            Signal::TSTP | Signal::TTIN | Signal::TTOU if job_control => {
                self.suspended = true;
                actions.push(Action::Suspend(self.id));
            }
            // Ctrl-Z without a shell that can resume the job; the kernel, too, ignores it there for
            // a process group without a parent in the session (setpgid(2), "orphaned").
            Signal::TSTP => actions.push(Action::Resume(self.id)),
            _ if self.stopped => {}
            _ => {
                self.stopped = true;
                let worker = self.id;
                actions.push(Action::Report(Report::Stopped { worker, signal }));
                // It was stopped before the stop signal, which pidone learns only now. It is
                // continued only once: a process that reads from a terminal in the background is
                // stopped again each time.
                let was_told = self.is_leaving() || self.was_sent(rules.stop_signal);
                if was_told && !self.was_sent(Signal::CONT) {
                    self.wake(rules.to_group, actions);
                }
            }
        }
    }

    /// It was continued, by pidone or another process.
    pub(super) fn on_continued(&mut self, actions: &mut Vec<Action>) {
        self.suspended = false;
        if core::mem::take(&mut self.stopped) {
            let worker = self.id;
            actions.push(Action::Report(Report::Continued { worker }));
        }
    }

    /// Does what is due. Returns whether it has missed its time to get ready.
    pub(super) fn on_tick(
        &mut self,
        now: Moment,
        rules: &LeaveRules,
        actions: &mut Vec<Action>,
    ) -> bool {
        if self.deadline().is_none_or(|at| at > now) {
            return false;
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            let (worker, grace) = (self.id, rules.grace_of(self.hung));
            actions.push(Action::Report(Report::Overdue { worker, grace }));
            self.kill(rules.to_group, actions);
            return false;
        }
        if self.release_due().is_some_and(|at| at <= now) {
            self.release_at = None;
            actions.push(Action::ReleasePorts(self.id));
            return false;
        }
        match &mut self.state {
            State::Starting { patience, probe_at } => {
                let is_late = |patience: &mut Patience| patience.has_ended(now);
                if patience.as_mut().is_some_and(is_late) {
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
            State::Leaving(step) => {
                let step = *step;
                self.next_step(step, now, rules, actions);
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

fn bit(signal: Signal) -> u64 {
    1 << (signal.number() - 1)
}
