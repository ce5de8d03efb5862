//! The signals that a worker gets, and the job control signals that stop it.

use alloc::vec::Vec;

use super::Worker;
use crate::signal::Signal;
use crate::supervisor::drain::DrainRules;
use crate::supervisor::event::Action;
use crate::supervisor::report::Report;

/// The state of a worker's process.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// They go to its process group.
    to_group: bool,
    /// Those that wait until its program runs.
    held: Vec<Signal>,
    /// Those that pidone has sent it, one bit each, to recognise a requested death.
    sent: u64,
    /// The terminal's user has stopped it together with pidone.
    is_suspended: bool,
    /// It is stopped by a signal (state T in /proc) and has not been continued since.
    is_stopped: bool,
}

impl Signals {
    pub(super) fn new(to_group: bool) -> Self {
        Self {
            to_group,
            ..Self::default()
        }
    }
}

impl Worker {
    pub(in crate::supervisor) fn is_stopped(&self) -> bool {
        self.signals.is_stopped
    }

    pub(in crate::supervisor) fn was_sent(&self, signal: Signal) -> bool {
        self.signals.sent & bit(signal) != 0
    }

    pub(in crate::supervisor) fn deliver(&mut self, signal: Signal, actions: &mut Vec<Action>) {
        if self.since.is_none() {
            self.signals.held.push(signal);
            return;
        }
        self.signals.sent |= bit(signal);
        let worker = self.id;
        if signal == Signal::CONT && core::mem::take(&mut self.signals.is_suspended) {
            actions.push(Action::Resume(worker));
        } else {
            actions.push(Action::Signal {
                worker,
                signal,
                group: self.signals.to_group,
            });
        }
    }

    /// Sends what has waited for its start.
    pub(super) fn deliver_held(&mut self, actions: &mut Vec<Action>) {
        for signal in core::mem::take(&mut self.signals.held) {
            self.deliver(signal, actions);
        }
    }

    /// A stopped process handles no signal but SIGKILL until it is continued (signal(7)).
    pub(in crate::supervisor) fn wake(&mut self, actions: &mut Vec<Action>) {
        if self.signals.is_stopped {
            self.deliver(Signal::CONT, actions);
        }
    }

    /// SIGSTOP does not come from a terminal, so it was meant for the child alone.
    pub(in crate::supervisor) fn on_stopped(
        &mut self,
        signal: Signal,
        job_control: bool,
        rules: &DrainRules,
        actions: &mut Vec<Action>,
    ) {
        let worker = self.id;
        match signal {
            Signal::TSTP | Signal::TTIN | Signal::TTOU if job_control => {
                self.signals.is_suspended = true;
                actions.push(Action::Suspend(worker));
            }
            // Ctrl-Z without a shell that can resume the job; the kernel, too, ignores it there for
            // a process group without a parent in the session (setpgid(2), "orphaned").
            Signal::TSTP => actions.push(Action::Resume(worker)),
            _ if self.signals.is_stopped => {}
            _ => {
                self.signals.is_stopped = true;
                actions.push(Action::Report(Report::Stopped { worker, signal }));
                // It was stopped before the stop signal, which pidone learns only now. It is
                // continued only once: a process that reads from a terminal in the background is
                // stopped again each time.
                let was_told = self.is_draining() || self.was_sent(rules.stop_signal);
                if was_told && !self.is_killed() && !self.was_sent(Signal::CONT) {
                    self.wake(actions);
                }
            }
        }
    }

    /// It was continued, by pidone or another process.
    pub(in crate::supervisor) fn on_continued(&mut self, actions: &mut Vec<Action>) {
        self.signals.is_suspended = false;
        if core::mem::take(&mut self.signals.is_stopped) {
            let worker = self.id;
            actions.push(Action::Report(Report::Continued { worker }));
        }
    }
}

fn bit(signal: Signal) -> u64 {
    1 << (signal.number() - 1)
}
