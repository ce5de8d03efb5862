//! The first start: as many workers boot at a time as there are CPUs, so that the first ones serve
//! soon, and the last ones no later. Restarts, successors and added workers do not wait for that.

use alloc::vec::Vec;

use super::Supervisor;
use super::event::{Action, Moment};
use crate::rules::{Boot, Readiness, RestartPolicy};

impl Supervisor {
    /// How many more workers may boot in the first start.
    pub(super) fn free_cpus(&self) -> usize {
        // Without a ready check, nothing would show when they have booted.
        if self.rules.ready == Readiness::None || self.rules.boot == Boot::All {
            return usize::MAX;
        }
        let booting = self.workers.values().filter(|worker| worker.is_starting());
        self.limits.cpus().saturating_sub(booting.count())
    }

    /// Starts slots that wait for a CPU since the first start. When the first workers have failed,
    /// these wait until one is ready, unless failed ones are not restarted.
    pub(super) fn continue_first_start(&mut self, now: Moment, actions: &mut Vec<Action>) {
        loop {
            let mut wanted = self.slots.iter().take(self.target);
            let Some(index) = wanted.position(|slot| slot.is_first && slot.waits) else {
                return;
            };
            let may_start = self.may_others_boot()
                || self.rules.restart.policy == RestartPolicy::Never
                || !self.has_pending_other(index);
            if !may_start || self.boots_first() || self.free_cpus() == 0 {
                return;
            }
            self.start_in_slot(index, now, actions);
        }
    }
}
