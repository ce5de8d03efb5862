//! Workers that serve, but should not any more: worn out, or hung.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::member::WorkerId;
use super::report::{Reason, Report};
use super::worker::{Due, Watch, Worker, earliest};
use super::{Phase, Supervisor};
use crate::rules::{RestartPolicy, RestartRules};

/// How often `--max-memory` has the workers measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// The attempts to replace a slot's workers that were worn out.
#[derive(Debug, Default)]
pub(super) struct Recycling {
    not_before: Moment,
    /// Those that failed, or were of use for a short time only: an app may need more memory than it
    /// is given as soon as it has started.
    in_vain: u32,
    last: Option<WorkerId>,
}

impl Recycling {
    fn begin(&mut self, worker: &Worker, now: Moment, rules: &RestartRules) {
        let is_new = self.last.replace(worker.id) != Some(worker.id);
        let watch = &worker.watch;
        let is_old = watch.worn() == Some(Reason::Age);
        if is_new && (is_old || watch.lasted() >= rules.min_uptime) {
            self.in_vain = 0;
        }
        self.put_off(now, rules);
        self.in_vain = self.in_vain.saturating_add(1);
    }

    /// The next attempt waits, the longer the more have been in vain.
    fn put_off(&mut self, now: Moment, rules: &RestartRules) {
        let doubled = MEASURE_EVERY.saturating_mul(2_u32.saturating_pow(self.in_vain));
        self.not_before = now + doubled.min(rules.max_delay.max(MEASURE_EVERY));
    }
}

impl Supervisor {
    /// This one serves from now on.
    pub(super) fn watch(&mut self, id: WorkerId, now: Moment) {
        let rules = &self.rules.watch;
        if let Some(worker) = self.workers.get_mut(id) {
            worker.watch = Watch::begin(id, worker.has_channel(), now, rules);
        }
        if rules.max_memory.is_some() {
            self.measure_at.get_or_insert(now + MEASURE_EVERY);
        }
    }

    /// When somebody is to be looked after; `None`: nobody asked for it.
    pub(super) fn health_deadline(&self) -> Option<Moment> {
        let ready = self.workers.values().filter(|worker| worker.is_ready());
        let watches = ready.filter_map(|worker| worker.watch.deadline()).min();
        let worn = self.worn().map(|(index, ..)| index);
        let recycling = worn
            .filter_map(|index| Some(self.slots.get(index)?.recycling.not_before))
            .min()
            .filter(|_| self.rollout.is_idle() && !self.rollout.is_asked_for());
        earliest(earliest(watches, self.measure_at), recycling)
    }

    pub(super) fn look_after(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let mut hung = Vec::new();
        for worker in self.workers.values_mut().filter(|worker| worker.is_ready()) {
            match worker.watch.on_tick(now, &self.rules.watch) {
                Some(Due::Ping) => actions.push(Action::Ping(worker.id)),
                Some(Due::Hung) => hung.push(worker.id),
                None => {}
            }
            if worker.watch.has_missed_question(now) {
                actions.push(Action::Report(Report::Unresponsive {
                    worker: worker.id,
                    after: self.rules.watch.unresponsive_after,
                }));
            }
        }
        for worker in hung {
            self.on_hung(worker, now, actions);
        }
        if self.measure_at.is_some_and(|at| at <= now) {
            let measures = self.serving().map(Action::MeasureMemory);
            actions.extend(measures);
            let anybody = self.workers.values().any(Worker::is_ready);
            self.measure_at = anybody.then_some(now + MEASURE_EVERY);
        }
    }

    /// Somebody looks: every event loop is asked, that of a worker that boots or leaves for the
    /// sake of its delay only. An answer takes until the next look; nobody waits for it.
    pub(super) fn on_look(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !self.rules.leave.channel {
            return;
        }
        for worker in self.workers.values_mut() {
            let runs = worker.since().is_some() && worker.has_channel();
            if runs && worker.watch.ask(now, &self.rules.watch) {
                actions.push(Action::Ping(worker.id));
            }
        }
    }

    pub(super) fn on_pong(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        if let Some(worker) = self.workers.get_mut(id)
            && worker.watch.on_pong(now, &self.rules.watch)
        {
            actions.push(Action::Report(Report::Responsive { worker: id }));
        }
    }

    /// Those who serve have all been asked, and none has answered for too long.
    pub(super) fn is_unresponsive(&self) -> bool {
        let mut serving = self.workers.values().filter(|worker| worker.serves());
        serving.all(|worker| worker.watch.is_unresponsive())
    }

    /// It will never do anything again: somebody else serves in its place, at once.
    fn on_hung(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        actions.push(Action::Report(Report::Hung {
            worker: id,
            after: self.rules.watch.hang_timeout.unwrap_or_default(),
        }));
        self.with(
            id,
            |worker, rules, actions| worker.abort(now, rules, actions),
            actions,
        );
        if self.rules.restart.policy != RestartPolicy::Never {
            self.replace_lost(id, now, actions);
        }
    }

    /// The first worker that is worn out, and may be replaced now.
    pub(super) fn worn_out(&self, now: Moment) -> Option<(usize, WorkerId, Reason)> {
        let may_go = |index: usize| {
            let slot = self.slots.get(index);
            slot.is_some_and(|slot| slot.recycling.not_before <= now)
        };
        self.worn().find(|(index, ..)| may_go(*index))
    }

    pub(super) fn begin_recycling(&mut self, index: usize, id: WorkerId, now: Moment) {
        let rules = &self.rules.restart;
        if let (Some(slot), Some(worker)) = (self.slots.get_mut(index), self.workers.get(id)) {
            slot.recycling.begin(worker, now, rules);
        }
    }

    /// A successor for one that is worn out was no good.
    pub(super) fn recycling_failed(&mut self, index: usize, now: Moment) {
        let rules = &self.rules.restart;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.recycling.put_off(now, rules);
        }
    }

    /// Where one must leave before the next can boot, only while all the others serve.
    fn worn(&self) -> impl Iterator<Item = (usize, WorkerId, Reason)> {
        let may_leave = !self.rules.in_place || self.is_settled();
        let may_leave = may_leave && matches!(self.phase, Phase::Running);
        let slots = self.slots.iter().take(self.target).enumerate();
        slots
            .filter(move |_| may_leave)
            .filter_map(|(index, slot)| {
                let worker = self.workers.get(slot.current?)?;
                let worker = Some(worker).filter(|worker| Worker::is_ready(worker))?;
                Some((index, worker.id, worker.watch.worn()?))
            })
    }
}
