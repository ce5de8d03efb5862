//! After the child: the processes it left behind, and the way out.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::event::{Action, Moment};
use crate::signal::Signal;

/// How long leftovers may take to finish when no `--grace` was given.
pub(super) const LEFTOVER_GRACE: Duration = Duration::from_secs(2);

/// How long after SIGKILL a process is waited for; only one in the middle of a system call that
/// cannot be interrupted takes longer, and nothing more can be done about that.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// The last phase: its exit status is settled.
#[derive(Debug)]
pub(super) struct Shutdown {
    status: u8,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Leftovers were asked to end.
    Asked { kill_at: Moment },
    /// Leftovers were killed.
    Killed { leave_at: Moment },
    /// Nothing more to do.
    Done,
}

impl Shutdown {
    pub(super) fn begin(status: u8, kill_at: Moment, actions: &mut Vec<Action>) -> Self {
        actions.push(Action::SignalLeftovers(Signal::TERM));
        Self {
            status,
            step: Step::Asked { kill_at },
        }
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        match self.step {
            Step::Asked { kill_at: at } | Step::Killed { leave_at: at } => Some(at),
            Step::Done => None,
        }
    }

    pub(super) fn on_leftovers(&mut self, any: bool, actions: &mut Vec<Action>) {
        if !any {
            self.leave(actions);
        }
    }

    pub(super) fn on_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match self.step {
            Step::Asked { kill_at } if kill_at <= now => self.kill(now, actions),
            Step::Killed { leave_at } if leave_at <= now => self.leave(actions),
            _ => {}
        }
    }

    /// A second request to stop: nobody wants to wait any longer.
    pub(super) fn hurry(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if let Step::Asked { .. } = self.step {
            self.kill(now, actions);
        }
    }

    fn kill(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.step = Step::Killed {
            leave_at: now + KILL_GRACE,
        };
        actions.push(Action::SignalLeftovers(Signal::KILL));
    }

    fn leave(&mut self, actions: &mut Vec<Action>) {
        if !matches!(self.step, Step::Done) {
            self.step = Step::Done;
            actions.push(Action::Exit(self.status));
        }
    }
}
