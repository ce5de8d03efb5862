//! Replacing workers that serve, one slot at a time, and changing their number.

#![forbid(unsafe_code)]

use super::event::{Action, Moment};
use super::lane::WorkerId;
use super::report::Report;
use super::slot::Slot;
use super::worker::Place;
use super::{Phase, Supervisor};

/// What is being replaced.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    /// When it was asked for: workers started earlier are to be replaced.
    begun: Option<Moment>,
    step: Option<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// This successor boots.
    Booting(WorkerId),
    /// This old worker leaves.
    Retiring(WorkerId),
}

impl Rollout {
    pub(super) fn abandon(&mut self) {
        *self = Self::default();
    }
}

impl Supervisor {
    /// Replaces every worker, the spares last. While it goes on, it begins anew.
    pub(super) fn reload(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        actions.push(Action::Report(Report::ReloadBegun));
        self.rollout.begun = Some(now);
        if self.rollout.step.is_none() {
            self.advance(now, actions);
        }
    }

    /// Takes up the next slot.
    pub(super) fn advance(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.rollout.step = None;
        let Some(begun) = self.rollout.begun else {
            return;
        };
        let mut slots = 0..self.target;
        if let Some((index, old)) =
            slots.find_map(|index| Some((index, self.outdated(index, begun)?)))
        {
            let step = if self.rules.in_place {
                self.dismiss(old, now, actions);
                Step::Retiring(old)
            } else {
                Step::Booting(self.start_successor(index, now, actions))
            };
            self.rollout.step = Some(step);
            return;
        }
        self.rollout.begun = None;
        let spares = self.spares.iter().filter_map(|spare| spare.worker);
        for spare in spares.collect::<Vec<_>>() {
            if self
                .workers
                .get(spare)
                .is_some_and(|spare| spare.asked < begun)
            {
                self.dismiss(spare, now, actions);
            }
        }
        let took = now.saturating_sub(begun);
        actions.push(Action::Report(Report::ReloadDone { took }));
    }

    /// A slot's worker, if it is to be replaced. Whoever follows one that leaves is new anyway.
    fn outdated(&self, index: usize, begun: Moment) -> Option<WorkerId> {
        let worker = self.workers.get(self.slots.get(index)?.current?)?;
        (worker.asked < begun && !worker.is_leaving()).then_some(worker.id)
    }

    fn start_successor(
        &mut self,
        index: usize,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> WorkerId {
        let slot = self.slots.get(index);
        let instance = slot.map_or(index, |slot| slot.instance);
        let lane = slot.map(|slot| slot.lane.other());
        let worker = self.launch(Place::Slot(index), instance, lane, now, actions);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.successor = Some(worker);
        }
        worker
    }

    pub(super) fn dismiss(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        self.with(
            id,
            |worker, rules, actions| worker.leave(false, now, rules, actions),
            actions,
        );
    }

    /// A worker of this slot serves from now on.
    pub(super) fn on_slot_ready(
        &mut self,
        index: usize,
        id: WorkerId,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let is_successor = |slot: &Slot| slot.successor == Some(id);
        if self.slots.get(index).is_some_and(is_successor)
            && let Some(old) = self.promote(index, id)
        {
            self.rollout.step = Some(Step::Retiring(old));
            self.dismiss(old, now, actions);
        } else if self.rollout.step == Some(Step::Booting(id)) {
            self.advance(now, actions);
        }
    }

    /// The rollout waits for this worker's end.
    pub(super) fn is_retiring(&self, id: WorkerId) -> bool {
        self.rollout.step == Some(Step::Retiring(id))
    }

    /// The rollout waits until this slot's new worker is ready.
    pub(super) fn watch_boot(&mut self, index: usize) {
        let current = self.slots.get(index).and_then(|slot| slot.current);
        self.rollout.step = current.map(Step::Booting);
    }

    /// A successor takes its slot over; returns whom it replaces.
    pub(super) fn promote(&mut self, index: usize, successor: WorkerId) -> Option<WorkerId> {
        let lane = self.workers.get(successor).and_then(|worker| worker.lane);
        let slot = self.slots.get_mut(index)?;
        slot.successor = None;
        slot.lane = lane.unwrap_or(slot.lane);
        slot.current.replace(successor)
    }

    /// A successor will not do: the old worker stays, and the reload is over.
    pub(super) fn give_up_successor(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        for slot in &mut self.slots {
            if slot.successor == Some(id) {
                slot.successor = None;
            }
        }
        if self.rollout.step == Some(Step::Booting(id)) {
            self.rollout.abandon();
            actions.push(Action::Report(Report::ReloadFailed { worker: id }));
        }
    }

    /// From now on there shall be so many workers.
    pub(super) fn scale(&mut self, to: usize, now: Moment, actions: &mut Vec<Action>) {
        let from = self.target;
        if !matches!(self.phase, Phase::Running) || to == from {
            return;
        }
        actions.push(Action::Report(Report::Scaled { from, to }));
        self.target = to;
        self.was_complete &= to < from;
        for index in self.slots.len()..to {
            let mut slot = Slot::new(index);
            slot.instance = self.free_instance();
            self.slots.push(slot);
        }
        for index in from..to {
            self.start_in_slot(index, now, actions);
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
        for worker in [slot.successor.take(), slot.current].into_iter().flatten() {
            self.dismiss(worker, now, actions);
            // It is the slot that was given up, not the worker that boots for it.
            if self.rollout.step == Some(Step::Booting(worker)) {
                self.rollout.step = Some(Step::Retiring(worker));
            }
        }
    }

    /// Forgets the last slots when they are not wanted and nobody is there any more.
    pub(super) fn trim(&mut self) {
        while self.slots.len() > self.target {
            let last = Place::Slot(self.slots.len() - 1);
            if self.workers.values().any(|worker| worker.place == last) {
                return;
            }
            self.slots.pop();
        }
    }

    /// The least number that no slot and no spare has.
    fn free_instance(&self) -> usize {
        let slots = self.slots.iter().map(|slot| slot.instance);
        let spares = self.spares.iter().map(|spare| spare.instance);
        let taken: Vec<_> = slots.chain(spares).collect();
        (0..=taken.len())
            .find(|number| !taken.contains(number))
            .unwrap_or(taken.len())
    }
}
