//! Processes left in an exited worker's process group: terminated, and killed after a delay.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::member::WorkerId;
use crate::signal::Signal;
use crate::table::Table;

/// The time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// The process groups of exited workers in which processes are left, and when to kill these.
#[derive(Debug, Default)]
pub(super) struct Groups(Table<WorkerId, Moment>);

impl Groups {
    pub(super) fn on_left(&mut self, worker: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        // A stopped process handles SIGTERM only after SIGCONT.
        for signal in [Signal::TERM, Signal::CONT] {
            actions.push(Action::SignalGroup { worker, signal });
        }
        self.0.insert(worker, now + GRACE);
    }

    pub(super) fn on_gone(&mut self, worker: WorkerId) {
        self.0.remove(worker);
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.0.values().copied().min()
    }

    pub(super) fn on_tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let due = self.0.iter().filter(|(_, kill_at)| **kill_at <= now);
        let due: Vec<_> = due.map(|(worker, _)| worker).collect();
        for worker in due {
            let signal = Signal::KILL;
            actions.push(Action::SignalGroup { worker, signal });
            self.0.remove(worker);
        }
    }
}
