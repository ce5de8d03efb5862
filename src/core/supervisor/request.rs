//! What people ask for, who waits for what, and what each is told.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::member::WorkerId;
use super::report::{Refusal, Report};
use super::{Phase, Supervisor};
use crate::rules::{Instances, PortEnv};
use crate::signal::Signal;

/// A request, by a number that no other one of this run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What can be asked for (`pidone ctl`). A signal asks for the same, but has no name and gets no
/// reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Replace every worker.
    Reload,
    /// Replace the worker of one slot.
    Restart {
        /// Which.
        slot: usize,
    },
    /// Have so many workers.
    Scale {
        /// How many.
        to: usize,
    },
    /// Stop in good order, which may have begun already.
    Stop,
}

/// What somebody is told who has asked for something: `Progress` any number of times, and then one
/// of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// A part is done: a new worker serves.
    Progress {
        /// In this slot.
        slot: usize,
        /// This worker.
        worker: WorkerId,
    },
    /// All is done.
    Done(Done),
    /// It is not done, or no longer, and why.
    Refused(Refusal),
    /// A successor did not get ready, and the old workers stay.
    Failed {
        /// The successor.
        worker: WorkerId,
    },
    /// There are to be so many workers, which somebody has asked for later.
    Superseded {
        /// How many.
        by: usize,
    },
}

impl Reply {
    /// Nothing follows it.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Progress { .. })
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The workers have been replaced.
    Replaced {
        /// How long that took.
        took: Duration,
        /// So many serve now.
        serving: usize,
        /// So many are wanted: others have ended for good.
        wanted: usize,
    },
    /// There are so many workers.
    Scaled {
        /// How many serve.
        workers: usize,
    },
    /// The stop has begun. Its end could not be told: pidone ends then.
    Stopping,
}

/// The requests that have not got their final reply.
#[derive(Debug, Default)]
pub(super) struct Requests(Vec<(RequestId, Request)>);

impl Requests {
    /// A new worker serves in this slot.
    pub(super) fn tell_progress(&self, slot: usize, worker: WorkerId, actions: &mut Vec<Action>) {
        for (id, request) in &self.0 {
            if *request == Request::Reload || *request == (Request::Restart { slot }) {
                let reply = Reply::Progress { slot, worker };
                actions.push(Action::Reply { id: *id, reply });
            }
        }
    }

    /// The final reply to those that are meant.
    pub(super) fn end(
        &mut self,
        is_meant: impl Fn(Request) -> bool,
        reply: Reply,
        actions: &mut Vec<Action>,
    ) {
        self.0.retain(|(id, request)| {
            let ends = is_meant(*request);
            if ends {
                actions.push(Action::Reply { id: *id, reply });
            }
            !ends
        });
    }

    /// The workers that somebody wanted to be replaced are, or will not be.
    pub(super) fn end_replacements(&mut self, reply: Reply, actions: &mut Vec<Action>) {
        let is_meant = |request| matches!(request, Request::Reload | Request::Restart { .. });
        self.end(is_meant, reply, actions);
    }

    /// Nothing that was asked for will be done any more.
    pub(super) fn end_all(&mut self, actions: &mut Vec<Action>) {
        self.end(|_| true, Reply::Refused(Refusal::Stopping), actions);
    }

    /// There are to be so many workers, whatever others have asked for before.
    pub(super) fn supersede(&mut self, by: usize, actions: &mut Vec<Action>) {
        let is_meant = |request| match request {
            Request::Scale { to } => to != by,
            Request::Restart { slot } => slot >= by,
            Request::Reload | Request::Stop => false,
        };
        self.end(is_meant, Reply::Superseded { by }, actions);
    }
}

/// How many workers there can be; each has a port of its own with `--port-env`.
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
        if let Some(why) = self.refusal(request) {
            actions.push(Action::Report(Report::RequestRefused { why }));
            let reply = Reply::Refused(why);
            actions.push(Action::Reply { id, reply });
            return;
        }
        if request == Request::Stop {
            let reply = Reply::Done(Done::Stopping);
            actions.push(Action::Reply { id, reply });
        } else {
            self.requests.0.push((id, request));
        }
        match request {
            Request::Reload => self.reload(now, actions),
            Request::Restart { slot } => self.restart(slot, now, actions),
            Request::Scale { to } => self.scale(to, now, actions),
            // What goes on already need not be asked for, and is no matter of patience.
            Request::Stop if self.stop_requested.is_some() => {}
            Request::Stop if self.rules.transparent => {
                self.stop_child(Signal::TERM, false, now, actions);
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
