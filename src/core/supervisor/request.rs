//! Requests, and the replies to the clients that wait for them.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::member::WorkerId;
use super::report::{Refusal, Report};
use super::rollout::Progress;
use super::{Phase, Supervisor};
use crate::rules::{Instances, PortEnv};
use crate::signal::Signal;

/// A request's id, unique within a run of pidone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A request of `pidone ctl`. Signals request the same, but have no id and get no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Replace every worker.
    Reload,
    /// The same, complete as soon as it has begun.
    BeginReload,
    /// Replace the worker of one slot.
    Restart {
        /// The slot.
        slot: usize,
    },
    /// Change the number of workers.
    Scale {
        /// The number of workers.
        to: ScaleTo,
    },
    /// Stop gracefully; the stop may have begun already.
    Stop,
}

/// A number of workers, as a user requests it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleTo {
    /// This many.
    Number(usize),
    /// This many more than are wanted now.
    More(usize),
    /// This many fewer than are wanted now.
    Fewer(usize),
    /// One for each CPU, followed again with `-i auto`.
    Auto,
    /// This percentage of the CPUs, rounded up.
    Percent(usize),
}

/// The reply to a request: any number of `Progress`, and then one of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// One slot is done: its new worker is ready.
    Progress {
        /// The slot.
        slot: usize,
        /// The new worker.
        worker: WorkerId,
        /// How far all replacements are.
        progress: Progress,
    },
    /// The request is complete.
    Done(Done),
    /// The request was refused or aborted, for this reason.
    Refused(Refusal),
    /// A successor did not get ready: the workers that have not been replaced stay.
    Failed {
        /// The successor.
        worker: WorkerId,
        /// How many have been replaced.
        progress: Progress,
    },
    /// A later request has set another number of workers.
    Superseded {
        /// The number of workers.
        by: usize,
    },
}

impl Reply {
    /// Whether no other reply follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Progress { .. })
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The workers have been replaced.
    Replaced {
        /// The time it took.
        took: Duration,
        /// The number of workers that serve now.
        serving: usize,
        /// The number wanted: the others have exited and are not restarted.
        wanted: usize,
    },
    /// The number of workers was changed.
    Scaled {
        /// The number of workers that serve.
        workers: usize,
    },
    /// A reload has begun.
    Begun,
    /// The stop has begun. Its end cannot be reported, as pidone exits then.
    Stopping,
}

/// The requests without a final reply.
#[derive(Debug, Default)]
pub(super) struct Requests(Vec<(RequestId, Request)>);

impl Requests {
    /// Reports that a slot's new worker is ready.
    pub(super) fn tell_progress(
        &self,
        slot: usize,
        worker: WorkerId,
        progress: Progress,
        actions: &mut Vec<Action>,
    ) {
        for (id, request) in &self.0 {
            if *request == Request::Reload || *request == (Request::Restart { slot }) {
                let reply = Reply::Progress {
                    slot,
                    worker,
                    progress,
                };
                actions.push(Action::Reply { id: *id, reply });
            }
        }
    }

    /// Sends the final reply to the requests that match.
    pub(super) fn end(
        &mut self,
        is_match: impl Fn(Request) -> bool,
        reply: Reply,
        actions: &mut Vec<Action>,
    ) {
        self.0.retain(|(id, request)| {
            let ends = is_match(*request);
            if ends {
                actions.push(Action::Reply { id: *id, reply });
            }
            !ends
        });
    }

    /// Ends all reload and restart requests.
    pub(super) fn end_replacements(&mut self, reply: Reply, actions: &mut Vec<Action>) {
        let is_match = |request| matches!(request, Request::Reload | Request::Restart { .. });
        self.end(is_match, reply, actions);
    }

    /// Refuses all open requests, as pidone stops.
    pub(super) fn end_all(&mut self, actions: &mut Vec<Action>) {
        self.end(|_| true, Reply::Refused(Refusal::Stopping), actions);
    }

    /// Ends earlier requests that a new number of workers overrides.
    pub(super) fn supersede(&mut self, by: usize, actions: &mut Vec<Action>) {
        let is_match = |request| match request {
            Request::Scale { to } => to != ScaleTo::Number(by),
            Request::Restart { slot } => slot >= by,
            Request::Reload | Request::BeginReload | Request::Stop => false,
        };
        self.end(is_match, Reply::Superseded { by }, actions);
    }
}

/// The highest number of workers; with `--port-env` each needs a port of its own.
pub(super) fn most(port_env: Option<&PortEnv>) -> usize {
    let most = usize::from(Instances::MAX);
    let ports = port_env.map(|ports| usize::from(u16::MAX - ports.base) + 1);
    ports.map_or(most, |ports| ports.min(most))
}

impl Supervisor {
    pub(super) fn on_request(
        &mut self,
        id: RequestId,
        request: Request,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let follows_cpus = request == Request::Scale { to: ScaleTo::Auto };
        let request = self.resolved(request);
        if let Some(why) = self.refusal(request) {
            actions.push(Action::Report(Report::RequestRefused { why }));
            let reply = Reply::Refused(why);
            actions.push(Action::Reply { id, reply });
            return;
        }
        let at_once = match request {
            Request::Stop => Some(Done::Stopping),
            Request::BeginReload => Some(Done::Begun),
            _ => None,
        };
        match at_once.map(Reply::Done) {
            Some(reply) => actions.push(Action::Reply { id, reply }),
            None => self.requests.0.push((id, request)),
        }
        match request {
            Request::Reload | Request::BeginReload => self.reload(now, actions),
            Request::Restart { slot } => self.restart(slot, now, actions),
            Request::Scale { to } => self.scale(self.number(to), follows_cpus, now, actions),
            // A stop in progress needs no request, and the request does not count as a second stop
            // signal.
            Request::Stop if self.stop_requested.is_some() => {}
            Request::Stop if self.rules.transparent => {
                self.stop_child(Signal::TERM, false, now, actions);
            }
            Request::Stop => self.stop(Signal::TERM, false, now, actions),
        }
    }

    /// The request with the number of workers that it means now.
    fn resolved(&self, request: Request) -> Request {
        match request {
            Request::Scale { to } => Request::Scale {
                to: ScaleTo::Number(self.number(to)),
            },
            _ => request,
        }
    }

    fn number(&self, to: ScaleTo) -> usize {
        let cpus = self.limits.newest_cpus();
        match to {
            ScaleTo::Number(number) => number,
            ScaleTo::More(more) => self.target.saturating_add(more),
            ScaleTo::Fewer(fewer) => self.target.saturating_sub(fewer),
            ScaleTo::Auto => cpus.clamp(1, self.rules.most),
            ScaleTo::Percent(percent) => cpus.saturating_mul(percent).div_ceil(100),
        }
    }

    /// Why the request is refused now, if it is. A stop is never refused.
    fn refusal(&self, request: Request) -> Option<Refusal> {
        let slots = self.target;
        let most = self.rules.most;
        match (request, &self.phase) {
            (Request::Stop, _) => None,
            _ if self.rules.transparent => Some(Refusal::SingleMode),
            (_, Phase::Beginning) => Some(Refusal::NotStarted),
            (_, Phase::Stopping(_) | Phase::Exiting(_)) => Some(Refusal::Stopping),
            (Request::Restart { slot }, _) if slot >= slots => {
                Some(Refusal::NoSuchSlot { slot, slots })
            }
            (Request::Scale { to }, _) => match self.number(to) {
                0 => Some(Refusal::TooFew),
                to => (to > most).then_some(Refusal::TooMany { most }),
            },
            _ => None,
        }
    }
}
