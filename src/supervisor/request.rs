//! What people ask for, and why it may come to nothing.

#![forbid(unsafe_code)]

use super::event::{Action, Moment, Request};
use super::report::{Refusal, Report};
use super::{Phase, Supervisor};
use crate::config::{Instances, PortEnv};
use crate::signal::Signal;

/// How many workers there can be; each has a port of its own with `--port-env`.
pub(super) fn most(port_env: Option<&PortEnv>) -> usize {
    let most = usize::from(Instances::MAX);
    let ports = port_env.map(|ports| usize::from(u16::MAX - ports.base) + 1);
    ports.map_or(most, |ports| ports.min(most))
}

impl Supervisor {
    pub(super) fn on_request(&mut self, request: Request, now: Moment, actions: &mut Vec<Action>) {
        if let Some(why) = self.refusal(request) {
            actions.push(Action::Report(Report::RequestRefused { why }));
            return;
        }
        match request {
            Request::Reload => self.reload(now, actions),
            Request::Restart { slot } => self.restart(slot, now, actions),
            Request::Scale { to } => self.scale(to, now, actions),
            // What goes on already need not be asked for, and is no matter of patience.
            Request::Stop if self.stop_requested.is_some() => {}
            Request::Stop if self.rules.transparent => {
                let signal = self.rules.signals.stop.unwrap_or(Signal::TERM);
                self.pass_on_stop(false, now, actions);
                self.send_to_all(signal, actions);
            }
            Request::Stop => self.stop(Signal::TERM, false, now, actions),
        }
    }

    /// Why this makes no sense now, if it does not. To stop always does.
    fn refusal(&self, request: Request) -> Option<Refusal> {
        let slots = self.target;
        let most = self.rules.most;
        match (request, &self.phase) {
            (Request::Stop, _) => None,
            _ if self.rules.transparent => Some(Refusal::SingleMode),
            (_, Phase::Beginning) => Some(Refusal::NotStarted),
            (_, Phase::Stopping(_) | Phase::Leaving(_)) => Some(Refusal::Stopping),
            (Request::Restart { slot }, _) if slot >= slots => {
                Some(Refusal::NoSuchSlot { slot, slots })
            }
            (Request::Scale { to: 0 }, _) => Some(Refusal::TooFew),
            (Request::Scale { to }, _) if to > most => Some(Refusal::TooMany { most }),
            _ => None,
        }
    }
}
