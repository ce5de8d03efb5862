//! Rollouts: replaces workers one slot at a time, and changes their number.

use super::drain::DrainStart;
use super::event::{Action, Moment};
use super::member::WorkerId;
use super::report::Report;
use super::request::{Done, Reply, Request};
use super::slot::Slot;
use super::worker::{Role, Worker};
use super::{Phase, Supervisor};
use alloc::vec::Vec;

/// The rollout: one slot at a time, for any reason. Requests made during a rollout are merged into
/// it and complete together; workers that exceed a limit come last.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    /// When it was requested; `None`: no request is open.
    begun: Option<Moment>,
    /// All workers that were started before this time are replaced, spares included.
    all_before: Option<Moment>,
    step: Option<Replacement>,
    /// The step replaces a worker that exceeds a limit, without a request.
    recycles: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacement {
    /// A successor boots.
    Booting(WorkerId),
    /// An old worker is drained.
    Retiring(WorkerId),
}

impl Rollout {
    /// Whether a reload or restart was requested.
    pub(super) fn is_asked_for(&self) -> bool {
        self.begun.is_some()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.step.is_none()
    }
}

impl Supervisor {
    /// Replaces every worker, the spares last. During a reload, begins again.
    pub(super) fn reload(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        actions.push(Action::Report(Report::ReloadBegun));
        self.rollout.begun = Some(now);
        self.rollout.all_before = Some(now);
        for slot in &mut self.slots {
            slot.renew(now);
        }
    }

    /// Replaces the worker of one slot; if it has none, one is started.
    pub(super) fn restart(&mut self, index: usize, now: Moment, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        actions.push(Action::Report(Report::RestartBegun { slot: index }));
        self.rollout.begun.get_or_insert(now);
        slot.renew(now);
        if slot.current.is_none() {
            slot.start_at.get_or_insert(now);
        }
    }

    /// Begins with the next slot if none is being replaced.
    pub(super) fn advance(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let is_busy = self.rollout.step.is_some() || self.boots_first();
        if !matches!(self.phase, Phase::Running) || is_busy {
            return;
        }
        if let Some(begun) = self.rollout.begun {
            if let Some(index) = (0..self.target).find(|index| self.is_outdated(*index, now)) {
                self.rollout.recycles = false;
                self.renew(index, now, actions);
                return;
            }
            let mut wanted = self.slots.iter().take(self.target);
            if !wanted.all(|slot| self.is_slot_settled(slot)) {
                return;
            }
            self.renew_spares(now, actions);
            self.clear_requests();
            let took = now.saturating_sub(begun);
            actions.push(Action::Report(Report::ReloadDone { took }));
            let done = Done::Replaced {
                took,
                serving: self.serving().count(),
                wanted: self.target,
            };
            self.requests.end_replacements(Reply::Done(done), actions);
        }
        if let Some((index, worker, reason)) = self.first_over_limit(now) {
            self.rollout.recycles = true;
            actions.push(Action::Report(Report::Recycled { worker, reason }));
            self.begin_recycling(index, worker, now);
            self.renew(index, now, actions);
        }
    }

    /// Whether a slot's worker is to be replaced, or its next start is due. A worker that is drained
    /// is followed by a new one anyway.
    fn is_outdated(&self, index: usize, now: Moment) -> bool {
        let Some((slot, before)) = self
            .slots
            .get(index)
            .and_then(|slot| Some((slot, slot.renew_before?)))
        else {
            return false;
        };
        match slot.current.and_then(|current| self.workers.get(current)) {
            Some(worker) => worker.asked < before && !worker.is_draining(),
            None => slot.start_at.is_some_and(|at| at <= now),
        }
    }

    fn renew(&mut self, index: usize, now: Moment, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let step = match slot.current {
            None => {
                self.start_or_wait(index, now, actions);
                self.watch_boot(index);
                return;
            }
            Some(old) if self.rules.in_place => {
                self.drain(old, DrainStart::Retire, now, actions);
                Replacement::Retiring(old)
            }
            Some(_) => Replacement::Booting(self.start_successor(index, now, actions)),
        };
        self.rollout.step = Some(step);
    }

    fn renew_spares(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Some(before) = self.rollout.all_before else {
            return;
        };
        let spares = self.spares.iter().filter_map(|spare| spare.worker);
        for spare in spares.collect::<Vec<_>>() {
            let is_old = |spare: &Worker| spare.asked < before;
            if self.workers.get(spare).is_some_and(is_old) {
                self.drain(spare, DrainStart::Retire, now, actions);
            }
        }
    }

    /// Clears the reload and restart requests, which are complete or have failed.
    fn clear_requests(&mut self) {
        self.rollout.begun = None;
        self.rollout.all_before = None;
        for slot in &mut self.slots {
            slot.renew_before = None;
        }
    }

    fn start_successor(
        &mut self,
        index: usize,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> WorkerId {
        let slot = self.slots.get(index);
        let instance = slot.map_or(index, |slot| slot.instance);
        let member = slot.map(|slot| slot.member.other());
        let worker = self.launch(Role::Slot(index), instance, member, now, actions);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.successor = Some(worker);
        }
        worker
    }

    /// A worker of this slot has become ready.
    pub(super) fn on_slot_ready(
        &mut self,
        index: usize,
        id: WorkerId,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let is_successor = |slot: &Slot| slot.successor == Some(id);
        let is_watched = self.rollout.step == Some(Replacement::Booting(id));
        if is_watched {
            let (slot, worker) = (index, id);
            actions.push(Action::Report(Report::SlotReplaced { slot, worker }));
            self.requests.tell_progress(slot, worker, actions);
        }
        if self.slots.get(index).is_some_and(is_successor)
            && let Some(old) = self.promote(index, id)
        {
            self.rollout.step = Some(Replacement::Retiring(old));
            self.drain(old, DrainStart::Retire, now, actions);
        } else if is_watched {
            self.rollout.step = None;
        }
    }

    /// Whether the rollout waits for this worker's exit.
    pub(super) fn is_retiring(&self, id: WorkerId) -> bool {
        self.rollout.step == Some(Replacement::Retiring(id))
    }

    /// The worker that the rollout waited for has exited.
    pub(super) fn on_retired(&mut self) {
        self.rollout.step = None;
    }

    /// Makes the rollout wait until this slot's new worker is ready.
    pub(super) fn watch_boot(&mut self, index: usize) {
        let current = self.slots.get(index).and_then(|slot| slot.current);
        self.rollout.step = current.map(Replacement::Booting);
    }

    /// Makes a successor the slot's current worker; returns the worker it replaces.
    pub(super) fn promote(&mut self, index: usize, successor: WorkerId) -> Option<WorkerId> {
        let member = self.workers.get(successor).and_then(|worker| worker.member);
        let slot = self.slots.get_mut(index)?;
        slot.successor = None;
        slot.member = member.unwrap_or(slot.member);
        slot.current.replace(successor)
    }

    /// A successor has failed: the old worker stays. Requests end with a failure; a worker that
    /// exceeds a limit is replaced later.
    pub(super) fn give_up_successor(
        &mut self,
        id: WorkerId,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let is_watched = self.rollout.step == Some(Replacement::Booting(id));
        for index in 0..self.slots.len() {
            if let Some(slot) = self.slots.get_mut(index)
                && slot.successor == Some(id)
            {
                slot.successor = None;
                if is_watched && self.rollout.recycles {
                    self.recycling_failed(index, now);
                }
            }
        }
        if !is_watched {
            return;
        }
        self.rollout.step = None;
        if !self.rollout.recycles {
            self.clear_requests();
            actions.push(Action::Report(Report::ReloadFailed { worker: id }));
            let reply = Reply::Failed { worker: id };
            self.requests.end_replacements(reply, actions);
        }
    }

    /// Changes the number of workers because a user wants it.
    pub(super) fn scale(&mut self, to: usize, now: Moment, actions: &mut Vec<Action>) {
        let from = self.target;
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        self.is_scaling = true;
        self.limits.set_by_user();
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
            slot.renew_before = self.rollout.all_before;
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
        for worker in [slot.successor.take(), slot.current].into_iter().flatten() {
            self.drain(worker, DrainStart::Retire, now, actions);
            // The slot is removed; the booting worker has not failed.
            if self.rollout.step == Some(Replacement::Booting(worker)) {
                self.rollout.step = Some(Replacement::Retiring(worker));
            }
        }
    }

    /// Whether no worker starts or is drained. A slot whose worker is not restarted counts as settled.
    pub(super) fn is_settled(&self) -> bool {
        self.slots.iter().all(|slot| self.is_slot_settled(slot))
    }

    fn is_slot_settled(&self, slot: &Slot) -> bool {
        match slot.current.and_then(|id| self.workers.get(id)) {
            Some(worker) => worker.is_ready(),
            None => !slot.is_pending(),
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
