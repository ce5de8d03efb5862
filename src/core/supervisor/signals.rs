//! How pidone handles each signal it receives, and which of them mean to kill everything at once.

use alloc::vec::Vec;
use core::time::Duration;

use super::Supervisor;
use super::event::{Action, Moment};
use super::report::{Refusal, Report};
use crate::signal::Signal;

/// A second stop signal within this time repeats the first: timeout(1) signals its child and then
/// its whole group, npm and Compose pass on what the terminal has sent to all, and the kubelet
/// sends SIGTERM when a `preStop` hook has done so already.
const REPEAT_WITHIN: Duration = Duration::from_secs(1);

/// With this many signals, the user means it even within that time.
const MANY: u32 = 3;

/// The stop signals received so far. `pidone ctl stop` does not count.
#[derive(Debug, Default)]
pub(super) struct StopSignals {
    /// The times of the first and the last signal.
    times: Option<(Moment, Moment)>,
    count: u32,
}

impl StopSignals {
    /// Counts a signal; whether it means to kill everything at once. Signals that were read from
    /// the kernel together have the same time and count as one.
    pub(super) fn add(&mut self, now: Moment) -> bool {
        let (first, last) = *self.times.get_or_insert((now, now));
        if self.count > 0 && last == now {
            return false;
        }
        self.times = Some((first, now));
        self.count = self.count.saturating_add(1);
        self.count > 1 && (self.count >= MANY || first + REPEAT_WITHIN <= now)
    }
}

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
            Signal::ABRT => self.abort(now, actions),
            Signal::TTIN if self.target >= self.rules.most => {
                let why = Refusal::TooMany {
                    most: self.rules.most,
                };
                actions.push(Action::Report(Report::RequestRefused { why }));
            }
            Signal::TTIN => self.scale(self.target + 1, false, now, actions),
            Signal::TTOU if self.target == 1 => {
                actions.push(Action::Report(Report::LastWorker));
            }
            Signal::TTOU => self.scale(self.target - 1, false, now, actions),
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

    pub(super) fn send_to_all(&mut self, signal: Signal, actions: &mut Vec<Action>) {
        self.each(
            |worker, _, actions| worker.deliver(signal, actions),
            actions,
        );
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn repeated_stop_signals_within_a_second_do_not_kill() {
        for (times, kills) in [
            (&[0][..], false),
            (&[0, 0, 0, 0], false),
            (&[0, 1], false),
            (&[0, 999], false),
            (&[5, 5, 5, 900], false),
            (&[0, 1000], true),
            (&[0, 1, 2], true),
            (&[0, 0, 1, 1, 2], true),
        ] {
            let mut signals = StopSignals::default();
            let add = |ms: &u64| signals.add(Duration::from_millis(*ms));
            let verdicts: Vec<_> = times.iter().map(add).collect();
            let mut expected = vec![false; times.len()];
            expected[times.len() - 1] = kills;
            assert_eq!(verdicts, expected, "{times:?}");
        }
    }
}
