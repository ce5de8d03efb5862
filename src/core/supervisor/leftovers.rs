//! The last phase: all workers have exited; other processes are terminated, then killed, and pidone
//! exits.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::report::Report;
use super::worker::earliest;
use crate::signal::Signal;

/// How long leftovers may take to exit, within the grace period: a shell that was left open must
/// not delay the end of a container.
pub(super) const LEFTOVER_GRACE: Duration = Duration::from_secs(2);

/// Leftovers that exit sooner are not reported.
const REPORT_AFTER: Duration = Duration::from_millis(250);

/// How often leftovers are counted when their exit is not notified.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// How long to wait for a process after SIGKILL; only an uninterruptible system call takes longer,
/// and nothing more can be done about that.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// The last phase: its exit status is settled.
#[derive(Debug)]
pub(super) struct Leftovers {
    status: u8,
    step: LeftoverStep,
    /// When to report that pidone waits for leftovers.
    report_at: Option<Moment>,
    /// When to count the leftovers.
    count_at: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
enum LeftoverStep {
    /// Leftovers were sent SIGTERM.
    Asked { kill_at: Moment },
    /// Leftovers were killed.
    Killed { exit_at: Moment },
    /// pidone exits.
    Done,
}

impl Leftovers {
    pub(super) fn begin(
        status: u8,
        kill_at: Moment,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Self {
        actions.push(Action::SignalLeftovers(Signal::TERM));
        Self {
            status,
            step: LeftoverStep::Asked { kill_at },
            report_at: Some(now + REPORT_AFTER),
            count_at: None,
        }
    }

    /// The very first start failed: exits without signalling leftovers.
    pub(super) fn none(status: u8, actions: &mut Vec<Action>) -> Self {
        actions.push(Action::Exit(status));
        Self::done(status)
    }

    pub(super) fn done(status: u8) -> Self {
        Self {
            status,
            step: LeftoverStep::Done,
            report_at: None,
            count_at: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let step = match self.step {
            LeftoverStep::Asked { kill_at: at } | LeftoverStep::Killed { exit_at: at } => at,
            LeftoverStep::Done => return None,
        };
        earliest(Some(step), earliest(self.report_at, self.count_at))
    }

    pub(super) fn on_leftovers(&mut self, any: bool, actions: &mut Vec<Action>) {
        if !any {
            self.exit(actions);
        }
    }

    pub(super) fn on_unwatched(&mut self, now: Moment) {
        self.count_at = Some(now + COUNT_EVERY);
    }

    pub(super) fn on_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let is_due = |at: &mut Moment| *at <= now;
        match self.step {
            LeftoverStep::Asked { kill_at } if kill_at <= now => self.kill(now, actions),
            LeftoverStep::Killed { exit_at } if exit_at <= now => self.exit(actions),
            LeftoverStep::Asked { .. } | LeftoverStep::Killed { .. } => {
                if self.report_at.take_if(is_due).is_some() {
                    actions.push(Action::Report(Report::WaitingForLeftovers));
                }
                if self.count_at.take_if(is_due).is_some() {
                    actions.push(Action::CountLeftovers);
                }
            }
            LeftoverStep::Done => {}
        }
    }

    /// Kills the leftovers if that has not been done yet.
    pub(super) fn kill_now(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if let LeftoverStep::Asked { .. } = self.step {
            self.kill(now, actions);
        }
    }

    fn kill(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.step = LeftoverStep::Killed {
            exit_at: now + KILL_GRACE,
        };
        self.report_at = None;
        actions.push(Action::Report(Report::KillingLeftovers));
        actions.push(Action::SignalLeftovers(Signal::KILL));
    }

    fn exit(&mut self, actions: &mut Vec<Action>) {
        if !matches!(self.step, LeftoverStep::Done) {
            self.step = LeftoverStep::Done;
            actions.push(Action::Exit(self.status));
        }
    }
}
