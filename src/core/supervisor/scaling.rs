//! Changes of the number of workers.

use alloc::vec::Vec;

use super::drain::DrainStart;
use super::event::{Action, Moment};
use super::report::Report;
use super::request::{Done, Reply, Request};
use super::slot::Slot;
use super::worker::Role;
use super::{Phase, Supervisor};

impl Supervisor {
    /// Changes the number of workers because a user wants it. `follows_cpus`: with `-i auto`, it
    /// changes with the CPUs from now on.
    pub(super) fn scale(
        &mut self,
        to: usize,
        follows_cpus: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let from = self.target;
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        self.is_scaling = true;
        self.limits.is_auto = follows_cpus && self.rules.is_auto;
        if self.limits.is_auto {
            self.limits.hold_newest_cpus();
        }
        if to != from {
            self.change_number(to, Report::Scaled { from, to }, now, actions);
        }
    }

    /// Changes the number of workers to another one.
    pub(super) fn change_number(
        &mut self,
        to: usize,
        report: Report,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let from = self.target;
        self.is_scaling = true;
        actions.push(Action::Report(report));
        self.target = to;
        self.requests.supersede(to, actions);
        self.was_complete &= to < from;
        for index in self.slots.len()..to {
            let mut slot = Slot::new(index);
            slot.instance = self.free_instance();
            // An old spare may get this slot.
            slot.renew_before = self.rollout.all_before();
            self.slots.push(slot);
        }
        for index in from..to {
            self.start_or_wait(index, now, actions);
        }
        for index in to..self.slots.len() {
            self.vacate(index, now, actions);
        }
        self.trim();
    }

    fn vacate(&mut self, index: usize, now: Moment, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.start_at = None;
        slot.waits = false;
        slot.is_first = false;
        for worker in [slot.successor.take(), slot.current].into_iter().flatten() {
            self.drain(worker, DrainStart::Retire, now, actions);
            self.rollout.on_vacated(worker);
        }
    }

    /// Reports when a change of the number of workers is complete.
    pub(super) fn check_scaling(&mut self, actions: &mut Vec<Action>) {
        if self.is_scaling
            && matches!(self.phase, Phase::Running)
            && self.slots.len() == self.target
            && self.is_settled()
        {
            self.is_scaling = false;
            let workers = self.serving().count();
            actions.push(Action::Report(Report::ScaleDone { workers }));
            let is_match = |request| matches!(request, Request::Scale { .. });
            let reply = Reply::Done(Done::Scaled { workers });
            self.requests.end(is_match, reply, actions);
        }
    }

    /// Removes the last slots when they are not wanted and have no worker any more.
    pub(super) fn trim(&mut self) {
        while self.slots.len() > self.target {
            let last = Role::Slot(self.slots.len() - 1);
            if self.workers.values().any(|worker| worker.role == last) {
                return;
            }
            self.slots.pop();
        }
    }

    /// The lowest instance number that no slot and no spare has.
    fn free_instance(&self) -> usize {
        let slots = self.slots.iter().map(|slot| slot.instance);
        let spares = self.spares.iter().map(|spare| spare.instance);
        let taken: Vec<_> = slots.chain(spares).collect();
        (0..=taken.len())
            .find(|number| !taken.contains(number))
            .unwrap_or(taken.len())
    }
}
