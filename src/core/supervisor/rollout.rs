//! Rollouts: replaces workers, `--surge` at a time.

use super::drain::DrainStart;
use super::event::{Action, Moment};
use super::member::WorkerId;
use super::report::Report;
use super::request::{Done, Reply};
use super::slot::Slot;
use super::worker::{Role, Worker};
use super::{Phase, Supervisor};
use alloc::vec::Vec;
use core::fmt;

/// The rollout: `--surge` slots at a time, for any reason. Requests made during a rollout are merged
/// into it and complete together; workers that exceed a limit come last.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    /// When it was requested; `None`: no request is open.
    begun: Option<Moment>,
    /// All workers that were started before this time are replaced, spares included.
    all_before: Option<Moment>,
    /// The replacements in progress, at most one for a slot.
    steps: Vec<Step>,
    /// Workers that have been replaced: they drain while the next successors boot.
    leaving: Vec<WorkerId>,
}

/// The replacement of one slot's worker.
#[derive(Debug, Clone, Copy)]
struct Step {
    at: Replacement,
    /// The worker exceeds a limit; no request replaces it.
    recycles: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacement {
    /// A successor boots.
    Booting(WorkerId),
    /// The old worker is drained, and its successor boots in its place then.
    InPlace(WorkerId),
}

impl Rollout {
    /// Whether a reload or restart was requested.
    pub(super) fn is_asked_for(&self) -> bool {
        self.begun.is_some()
    }

    /// Whether no worker is being replaced, and none that was replaced is left.
    pub(super) fn is_idle(&self) -> bool {
        self.steps.is_empty() && self.leaving.is_empty()
    }

    fn take(&mut self, at: Replacement) -> Option<Step> {
        let place = self.steps.iter().position(|step| step.at == at)?;
        Some(self.steps.swap_remove(place))
    }

    /// A worker has exited. Returns whether its successor takes its place now, and whether that
    /// recycles it.
    pub(super) fn on_exited(&mut self, id: WorkerId) -> Option<bool> {
        self.leaving.retain(|worker| *worker != id);
        let step = self.take(Replacement::InPlace(id))?;
        Some(step.recycles)
    }

    /// A worker is drained because its slot is removed: if it boots, it has not failed.
    pub(super) fn on_vacated(&mut self, id: WorkerId) {
        self.take(Replacement::Booting(id));
        if self.is_asked_for() {
            self.leaving.push(id);
        }
    }

    /// All workers that were started before this time are replaced.
    pub(super) fn all_before(&self) -> Option<Moment> {
        self.all_before
    }
}

/// How many of the workers that are to be replaced have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The workers that have been replaced.
    pub replaced: usize,
    /// The workers that are to be replaced.
    pub of: usize,
}

impl fmt::Display for Progress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {}", self.replaced, self.of)
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
        if !slot.has_worker() {
            slot.start_at.get_or_insert(now);
        }
    }

    /// Begins with the next slots, as many as `--surge` allows.
    pub(super) fn advance(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while matches!(self.phase, Phase::Running) && self.may_begin() && !self.boots_first() {
            if let Some(begun) = self.rollout.begun {
                let outdated = || (0..self.target).filter(|index| self.is_outdated(*index, now));
                let can_renew = |index: &usize| {
                    let slot = self.slots.get(*index);
                    slot.is_some_and(|slot| self.can_renew(slot))
                };
                if let Some(index) = outdated().find(can_renew) {
                    self.renew(index, false, now, actions);
                    continue;
                }
                let mut wanted = self.slots.iter().take(self.target);
                let is_idle = self.rollout.is_idle() && outdated().next().is_none();
                if !is_idle || !wanted.all(|slot| self.is_slot_settled(slot)) {
                    return;
                }
                self.end_reload(begun, now, actions);
            }
            let Some((index, worker, reason)) = self.first_over_limit(now) else {
                return;
            };
            actions.push(Action::Report(Report::Recycled { worker, reason }));
            self.begin_recycling(index, worker, now);
            self.renew(index, true, now, actions);
        }
    }

    /// Whether `--surge` allows another replacement now.
    pub(super) fn may_begin(&self) -> bool {
        self.rollout.steps.len() < self.rules.surge.of(self.target)
    }

    fn end_reload(&mut self, begun: Moment, now: Moment, actions: &mut Vec<Action>) {
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

    /// Whether a slot's worker can be replaced now: not before the one that it has replaced itself
    /// is gone, whose member the successor needs; nor while it is watched itself.
    pub(super) fn can_renew(&self, slot: &Slot) -> bool {
        let needed = slot.member.other();
        let mut workers = self.workers.values();
        let any_place = self.rules.in_place || slot.current.is_none();
        let is_free = any_place || !workers.any(|worker| worker.member == Some(needed));
        let is_watched = |current: WorkerId| {
            let mut steps = self.rollout.steps.iter();
            steps.any(|step| step.at == Replacement::Booting(current))
        };
        is_free && slot.successor.is_none() && !slot.current.is_some_and(is_watched)
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

    fn renew(&mut self, index: usize, recycles: bool, now: Moment, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let at = match slot.current {
            None => {
                self.start_or_wait(index, now, actions);
                self.watch_boot(index, recycles);
                return;
            }
            Some(old) if self.rules.in_place => {
                self.drain(old, DrainStart::Retire, now, actions);
                Replacement::InPlace(old)
            }
            Some(_) => Replacement::Booting(self.start_successor(index, now, actions)),
        };
        self.rollout.steps.push(Step { at, recycles });
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
        let old = match self.slots.get(index).is_some_and(is_successor) {
            true => self.promote(index, id),
            false => None,
        };
        if self.rollout.take(Replacement::Booting(id)).is_some() {
            let (slot, worker) = (index, id);
            actions.push(Action::Report(Report::SlotReplaced { slot, worker }));
            if self.is_renewed(index) {
                let progress = self.progress();
                self.requests.tell_progress(slot, worker, progress, actions);
            }
        }
        if let Some(old) = old {
            self.rollout.leaving.push(old);
            self.drain(old, DrainStart::Retire, now, actions);
        }
    }

    /// Whether a slot's worker is ready and was started for a request.
    fn is_renewed(&self, index: usize) -> bool {
        let slot = self.slots.get(index);
        let asked =
            slot.and_then(|slot| Some((self.workers.get(slot.current?)?, slot.renew_before?)));
        asked.is_some_and(|(worker, before)| worker.asked >= before && worker.is_ready())
    }

    /// How far the requested replacements are.
    pub(super) fn progress(&self) -> Progress {
        let wanted = self.slots.iter().take(self.target);
        Progress {
            replaced: (0..self.target)
                .filter(|index| self.is_renewed(*index))
                .count(),
            of: wanted.filter(|slot| slot.renew_before.is_some()).count(),
        }
    }

    /// Makes the rollout wait until this slot's new worker is ready.
    pub(super) fn watch_boot(&mut self, index: usize, recycles: bool) {
        let current = self.slots.get(index).and_then(|slot| slot.current);
        let at = current.map(Replacement::Booting);
        let steps = &mut self.rollout.steps;
        steps.extend(at.map(|at| Step { at, recycles }));
    }

    /// Makes a successor the slot's current worker; returns the worker it replaces.
    pub(super) fn promote(&mut self, index: usize, successor: WorkerId) -> Option<WorkerId> {
        let member = self.workers.get(successor).and_then(|worker| worker.member);
        let slot = self.slots.get_mut(index)?;
        slot.successor = None;
        slot.member = member.unwrap_or(slot.member);
        slot.current.replace(successor)
    }

    /// A successor has failed: the old worker stays. Requests end with a failure, and the other
    /// successors are stopped; a worker that exceeds a limit is replaced later.
    pub(super) fn give_up_successor(
        &mut self,
        id: WorkerId,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let step = self.rollout.take(Replacement::Booting(id));
        for index in 0..self.slots.len() {
            if let Some(slot) = self.slots.get_mut(index)
                && slot.successor == Some(id)
            {
                slot.successor = None;
                if step.is_some_and(|step| step.recycles) {
                    self.recycling_failed(index, now);
                }
            }
        }
        if step.is_none_or(|step| step.recycles) {
            return;
        }
        let progress = self.progress();
        self.clear_requests();
        actions.push(Action::Report(Report::ReloadFailed {
            worker: id,
            progress,
        }));
        let reply = Reply::Failed {
            worker: id,
            progress,
        };
        self.requests.end_replacements(reply, actions);
        self.stop_successors(now, actions);
    }

    /// Stops the successors that boot for requests which have ended.
    fn stop_successors(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let (recycling, asked) = self.rollout.steps.iter().partition(|step| step.recycles);
        self.rollout.steps = recycling;
        let asked: Vec<Step> = asked;
        for step in asked {
            let Replacement::Booting(id) = step.at else {
                continue;
            };
            let mut slots = self.slots.iter_mut();
            // In a slot without an old worker, it goes on.
            if let Some(slot) = slots.find(|slot| slot.successor == Some(id)) {
                slot.successor = None;
                self.drain(id, DrainStart::Retire, now, actions);
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
}
