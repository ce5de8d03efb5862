//! Every decision pidone takes, as a pure function of events and time.
//!
//! Knows no system call, no clock and no descriptor: the same events at the same moments give the
//! same actions, so a test can live through any life of a container in microseconds.

#![forbid(unsafe_code)]

mod event;
mod lane;
mod shutdown;

use std::time::Duration;

use crate::config::{Config, SignalRules};
use crate::ended::Ended;
use crate::signal::Signal;
pub use event::{Action, Event, Moment};
pub use lane::{Lane, WorkerId};
use shutdown::Shutdown;

/// The state of one run.
#[derive(Debug)]
pub struct Supervisor {
    rules: SignalRules,
    grace: Option<Duration>,
    expected: Vec<u8>,
    /// When TERM, INT or QUIT was first seen.
    stop_requested: Option<Moment>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The child does not run its program yet; these signals wait for it.
    Starting { held: Vec<Signal> },
    /// The child runs.
    Running(Child),
    /// The child is gone; others may be left.
    ShuttingDown(Shutdown),
}

#[derive(Debug)]
struct Child {
    since: Moment,
    /// What pidone has sent it, as one bit per signal: tells a death that was asked for.
    sent: u64,
    /// The terminal's user has stopped it, and pidone with it.
    suspended: bool,
    /// When its grace ends, once it was asked to stop.
    kill_at: Option<Moment>,
    /// It has been killed at the end of its grace.
    killed: bool,
}

impl Supervisor {
    /// A supervisor that has done nothing yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            rules: config.signals.clone(),
            grace: config.grace,
            expected: config.expected.clone(),
            stop_requested: None,
            phase: Phase::Starting { held: Vec::new() },
        }
    }

    /// The first thing to do.
    #[must_use]
    pub fn start(&self) -> Action {
        Action::Start
    }

    /// When [`Event::Tick`] is due; `None`: nothing is, sleep for as long as nothing happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Starting { .. } => None,
            Phase::Running(child) => child.kill_at.filter(|_| !child.killed),
            Phase::ShuttingDown(shutdown) => shutdown.deadline(),
        }
    }

    /// Takes one event and appends what is to be done about it, in order.
    pub fn handle(&mut self, event: Event, now: Moment, actions: &mut Vec<Action>) {
        match event {
            Event::Signal(signal) => self.on_signal(signal, now, actions),
            Event::Started => self.on_started(now, actions),
            Event::Exited(ended) => self.on_exited(ended, now, actions),
            Event::Stopped {
                signal,
                job_control,
            } => self.on_stopped(signal, job_control, actions),
            Event::Leftovers { any } => {
                if let Phase::ShuttingDown(shutdown) = &mut self.phase {
                    shutdown.on_leftovers(any, actions);
                }
            }
            Event::Tick => self.on_tick(now, actions),
        }
    }

    fn on_signal(&mut self, received: Signal, now: Moment, actions: &mut Vec<Action>) {
        let Some(signal) = rewrite(&self.rules, received) else {
            return;
        };
        let mut sent = signal;
        if signal.asks_to_stop() {
            sent = self.rules.stop.unwrap_or(signal);
            let first = *self.stop_requested.get_or_insert(now);
            if let (true, Phase::ShuttingDown(shutdown)) = (first < now, &mut self.phase) {
                shutdown.hurry(now, actions);
            }
        }
        match &mut self.phase {
            Phase::Starting { held } => held.push(sent),
            Phase::Running(child) => {
                if signal.asks_to_stop() && child.kill_at.is_none() {
                    child.kill_at = self.grace.map(|grace| now + grace);
                }
                child.deliver(sent, self.rules.to_group, actions);
            }
            // Nobody is left whom it was meant for.
            Phase::ShuttingDown(_) => {}
        }
    }

    fn on_started(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Starting { held } = &mut self.phase else {
            return;
        };
        let held = std::mem::take(held);
        let mut child = Child {
            since: now,
            sent: 0,
            suspended: false,
            kill_at: self
                .stop_requested
                .zip(self.grace)
                .map(|(at, grace)| at + grace),
            killed: false,
        };
        for signal in held {
            child.deliver(signal, self.rules.to_group, actions);
        }
        self.phase = Phase::Running(child);
    }

    fn on_exited(&mut self, ended: Ended, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Running(child) = &self.phase else {
            return;
        };
        if let Ended::Killed(signal) = ended {
            actions.push(Action::ReportDeath {
                signal,
                uptime: now.saturating_sub(child.since),
                sent_by_us: child.sent & bit(signal) != 0,
            });
        }
        let status = ended.status();
        let status = if self.expected.contains(&status) {
            0
        } else {
            status
        };
        let kill_at = child
            .kill_at
            .unwrap_or_else(|| now + self.grace.unwrap_or(shutdown::LEFTOVER_GRACE));
        self.phase = Phase::ShuttingDown(Shutdown::begin(status, kill_at, actions));
    }

    /// SIGSTOP is no terminal's doing: whoever sent it to the child meant the child alone.
    fn on_stopped(&mut self, signal: Signal, job_control: bool, actions: &mut Vec<Action>) {
        let Phase::Running(child) = &mut self.phase else {
            return;
        };
        match signal {
            Signal::TSTP | Signal::TTIN | Signal::TTOU if job_control => {
                child.suspended = true;
                actions.push(Action::Suspend);
            }
            // Ctrl-Z where nobody could ever resume the job; the kernel, too, ignores it there for
            // a process group without a parent in the session (setpgid(2), "orphaned").
            Signal::TSTP => actions.push(Action::Resume),
            _ => {}
        }
    }

    fn on_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Starting { .. } => {}
            Phase::Running(child) => {
                if !child.killed && child.kill_at.is_some_and(|at| at <= now) {
                    child.killed = true;
                    let grace = self.grace.unwrap_or_default();
                    actions.push(Action::ReportOverdue { grace });
                    child.deliver(Signal::KILL, self.rules.to_group, actions);
                }
            }
            Phase::ShuttingDown(shutdown) => shutdown.on_tick(now, actions),
        }
    }
}

impl Child {
    fn deliver(&mut self, signal: Signal, group: bool, actions: &mut Vec<Action>) {
        self.sent |= bit(signal);
        if signal == Signal::CONT && std::mem::take(&mut self.suspended) {
            actions.push(Action::Resume);
        } else {
            actions.push(Action::Signal { signal, group });
        }
    }
}

fn bit(signal: Signal) -> u64 {
    1 << (signal.number() - 1)
}

/// What `--rewrite` makes of a signal; `None`: it is dropped.
fn rewrite(rules: &SignalRules, signal: Signal) -> Option<Signal> {
    match rules.rewrites.iter().find(|(from, _)| *from == signal) {
        Some((_, to)) => *to,
        None => Some(signal),
    }
}

#[cfg(test)]
mod tests;
