//! One process, from its start to its end: its states, and the deadline of each.

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

/// How often a port is tried by `--ready port`, while a worker boots.
const PROBE: Duration = Duration::from_millis(50);

/// Readiness is waited for in so many steps ([`Patience`]).
const BOOT_STEPS: u32 = 32;

/// Where a worker is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In this slot.
    Slot(usize),
    /// In reserve.
    Spare(usize),
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) place: Place,
    was_spare: bool,
    pub(super) member: Option<Member>,
    /// When its start was asked for.
    pub(super) asked: Moment,
    /// It did not get ready in time; that it is made to leave is its own fault.
    pub(super) failed: bool,
    /// It has said that it serves, which a spare may do before it has a place.
    pub(super) said_ready: bool,
    /// It has been killed at the end of its grace.
    pub(super) killed: bool,
    /// Another one has taken its place because it leaves by itself, or hangs.
    pub(super) lost: bool,
    pub(super) watch: Watch,
    /// Since when it has listened on nothing any more.
    pub(super) silent_since: Option<Moment>,
    /// Its channel has ended: if it goes on, it wants none of pidone's ports from then on.
    release_at: Option<Moment>,
    since: Option<Moment>,
    /// Since when it serves, or, of a spare, is booted.
    well_since: Option<Moment>,
    state: State,
    /// What waits for its program to run.
    held: Vec<Signal>,
    /// What pidone has sent it, as one bit per signal: tells a death that was asked for.
    sent: u64,
    /// The terminal's user has stopped it, and pidone with it.
    suspended: bool,
    /// A signal has stopped it (state T in /proc), and nothing has continued it since.
    stopped: bool,
    channel_open: bool,
    /// It has listeners open, which it asked for over the channel.
    pub(super) listens: bool,
    /// The signals its app listens to, as far as it has said so.
    pub(super) handles: SignalSet,
    /// It was sent SIGABRT because its event loop stands still.
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
    /// It serves.
    Ready,
    /// It is on its way out.
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
            said_ready: false,
            killed: false,
            lost: false,
            watch: Watch::default(),
            silent_since: None,
            release_at: None,
            since: None,
            well_since: None,
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

    /// It has got ready, and nobody wants it to leave.
    pub(super) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// It is ready, and runs.
    pub(super) fn serves(&self) -> bool {
        self.is_ready() && !self.stopped
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// It takes new connections, perhaps for the last time.
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

    /// How long it served, or, as a spare, was booted; `None`: it never came to that.
    pub(super) fn well_for(&self, now: Moment) -> Option<Duration> {
        Some(now.saturating_sub(self.well_since?))
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

    /// Its program runs. `ready_timeout`: it has so long to get ready, and its port is `probed`.
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

    /// It says that it serves. Whether that is news.
    pub(super) fn on_ready(&mut self, now: Moment) -> bool {
        self.said_ready = true;
        // What it has said before it was stopped holds when it is continued.
        let may_serve = self.since.is_some() && self.member.is_some() && !self.stopped;
        let is_news = self.is_starting() && may_serve;
        if is_news {
            self.state = State::Ready;
            self.well_since = Some(now);
        }
        is_news
    }

    pub(super) fn on_held(&mut self, now: Moment) {
        if self.is_starting() && self.member.is_none() {
            self.state = State::Held;
            self.well_since = Some(now);
        }
    }

    /// It served before it was asked to leave, and its event loop turned.
    pub(super) fn is_drained(&self) -> bool {
        self.watch.began() > Moment::ZERO && !self.hung
    }

    /// How long it took to get ready, if it serves, and did not wait in reserve meanwhile.
    pub(super) fn boot_time(&self) -> Option<Duration> {
        let is_plain = self.is_ready() && !self.was_spare;
        Some(self.watch.began().saturating_sub(self.since?)).filter(|_| is_plain)
    }

    /// A spare takes a place, and will say when it serves.
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
        self.well_since = None;
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

    /// One that is stopped takes nothing but SIGKILL until it is continued (signal(7)).
    pub(super) fn wake(&mut self, group: bool, actions: &mut Vec<Action>) {
        if self.stopped {
            self.deliver(Signal::CONT, group, actions);
        }
    }

    /// SIGKILL when this much has passed since `from`, unless it comes sooner anyway.
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

    /// SIGSTOP is no terminal's doing: whoever sent it to the child meant the child alone.
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
            // Ctrl-Z where nobody could ever resume the job; the kernel, too, ignores it there for
            // a process group without a parent in the session (setpgid(2), "orphaned").
            Signal::TSTP => actions.push(Action::Resume(self.id)),
            _ if self.stopped => {}
            _ => {
                self.stopped = true;
                let worker = self.id;
                actions.push(Action::Report(Report::Stopped { worker, signal }));
                // It was stopped before a stop signal came, and nobody knew. Once is enough: one that
                // reads from a terminal in vain is stopped again.
                let was_told = self.is_leaving() || self.was_sent(rules.stop_signal);
                if was_told && !self.was_sent(Signal::CONT) {
                    self.wake(rules.to_group, actions);
                }
            }
        }
    }

    /// It runs again, whoever has stopped it.
    pub(super) fn on_continued(&mut self, actions: &mut Vec<Action>) {
        self.suspended = false;
        if core::mem::take(&mut self.stopped) {
            let worker = self.id;
            actions.push(Action::Report(Report::Continued { worker }));
        }
    }

    /// Does what is due. Whether it has missed its time to get ready.
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
                self.go_on(step, now, rules, actions);
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
