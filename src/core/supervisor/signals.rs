//! How pidone handles each signal it receives.

use super::Supervisor;
use super::event::{Action, Moment};
use super::report::{Refusal, Report};
use crate::signal::Signal;
use alloc::vec::Vec;

impl Supervisor {
    pub(super) fn on_signal(&mut self, signal: Signal, now: Moment, actions: &mut Vec<Action>) {
        if let Some(signal) = self.rewritten(signal) {
            self.apply(signal, now, actions);
        }
    }

    /// SIGHUP from the kernel is not a reload request: the terminal is closed.
    pub(super) fn on_terminal_closed(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match self.rewritten(Signal::HUP) {
            Some(Signal::HUP) => {
                if !self.is_stopping() {
                    actions.push(Action::Report(Report::TerminalClosed));
                }
                self.stop(Signal::TERM, false, now, actions);
            }
            Some(signal) => self.apply(signal, now, actions),
            None => {}
        }
    }

    fn apply(&mut self, signal: Signal, now: Moment, actions: &mut Vec<Action>) {
        match signal {
            _ if signal.asks_to_stop() => {
                let at_once = self.stop_signals.add(now);
                self.stop(signal, at_once, now, actions);
            }
            Signal::HUP => self.reload(now, actions),
            // Sent by a service manager's watchdog (systemd.service(5), WatchdogSignal=).
            Signal::ABRT => self.abort(actions),
            Signal::TTIN if self.target >= self.rules.most => {
                let why = Refusal::TooMany {
                    most: self.rules.most,
                };
                actions.push(Action::Report(Report::RequestRefused { why }));
            }
            Signal::TTIN => self.scale(self.target + 1, now, actions),
            Signal::TTOU if self.target == 1 => {
                actions.push(Action::Report(Report::LastWorker));
            }
            Signal::TTOU => self.scale(self.target - 1, now, actions),
            _ => self.send_to_all(signal, actions),
        }
    }

    /// Single mode: the child gets every signal; its grace period begins with a stop request.
    pub(super) fn pass_on(&mut self, signal: Signal, now: Moment, actions: &mut Vec<Action>) {
        let Some(signal) = self.rewritten(signal) else {
            return;
        };
        if signal.asks_to_stop() {
            let at_once = self.stop_signals.add(now);
            self.stop_child(signal, at_once, now, actions);
        } else {
            self.send_to_all(signal, actions);
        }
    }

    /// Single mode: requests a stop of the child, which may have exited already.
    pub(super) fn stop_child(
        &mut self,
        signal: Signal,
        at_once: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let signal = self.rules.signals.stop.unwrap_or(signal);
        self.rules.leave.stop_signal = signal;
        self.pass_on_stop(at_once, now, actions);
        self.send_to_all(signal, actions);
        for worker in self.workers.values_mut() {
            worker.wake(self.rules.signals.to_group, actions);
        }
    }

    fn send_to_all(&mut self, signal: Signal, actions: &mut Vec<Action>) {
        for worker in self.workers.values_mut() {
            worker.deliver(signal, self.rules.signals.to_group, actions);
        }
    }

    /// The signal after `--rewrite`; `None`: it is dropped.
    fn rewritten(&self, signal: Signal) -> Option<Signal> {
        let mut rewrites = self.rules.signals.rewrites.iter();
        match rewrites.find(|(from, _)| *from == signal) {
            Some((_, to)) => *to,
            None => Some(signal),
        }
    }
}
