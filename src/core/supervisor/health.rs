//! Replaces ready workers that exceed their memory or age limit, or hang.

use alloc::vec::Vec;
use core::time::Duration;

use super::drain::DrainStart;
use super::event::{Action, Moment};
use super::member::WorkerId;
use super::report::{Reason, Report};
use super::worker::{Due, Watch, Worker, earliest};
use super::{Phase, Supervisor};
use crate::rules::{RestartPolicy, RestartRules};

/// How often workers are measured for `--max-memory`.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// The attempts to replace a slot's workers that exceeded a limit.
#[derive(Debug, Default)]
pub(super) struct Recycling {
    not_before: Moment,
    /// Attempts in a row that failed or helped only for a short time: an app may exceed its memory
    /// limit as soon as it has started.
    failures: u32,
    last: Option<WorkerId>,
}

impl Recycling {
    fn begin(&mut self, worker: &Worker, now: Moment, rules: &RestartRules) {
        let is_new = self.last.replace(worker.id) != Some(worker.id);
        let watch = &worker.watch;
        let is_old = watch.over_limit() == Some(Reason::Age);
        if is_new && (is_old || watch.lasted() >= rules.min_uptime) {
            self.failures = 0;
        }
        self.put_off(now, rules);
        self.failures = self.failures.saturating_add(1);
    }

    /// Delays the next attempt; the delay doubles with each failure.
    fn put_off(&mut self, now: Moment, rules: &RestartRules) {
        let doubled = MEASURE_EVERY.saturating_mul(2_u32.saturating_pow(self.failures));
        self.not_before = now + doubled.min(rules.max_delay.max(MEASURE_EVERY));
    }
}

impl Supervisor {
    /// Begins to watch a worker that has become ready.
    pub(super) fn watch(&mut self, id: WorkerId, now: Moment) {
        let rules = &self.rules.watch;
        if let Some(worker) = self.workers.get_mut(id) {
            worker.watch = Watch::begin(id, worker.has_channel(), now, rules);
        }
        if rules.max_memory.is_some() {
            self.measure_at.get_or_insert(now + MEASURE_EVERY);
        }
    }

    /// When the next health check is due; `None`: none is configured.
    pub(super) fn health_deadline(&self) -> Option<Moment> {
        let ready = self.workers.values().filter(|worker| worker.is_ready());
        let watches = ready.filter_map(|worker| worker.watch.deadline()).min();
        let over_limit = self.over_limit().map(|(index, ..)| index);
        let recycling = over_limit
            .filter_map(|index| Some(self.slots.get(index)?.recycling.not_before))
            .min()
            .filter(|_| self.may_begin() && !self.rollout.is_asked_for());
        earliest(earliest(watches, self.measure_at), recycling)
    }

    pub(super) fn check_health(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let mut hung = Vec::new();
        for worker in self.workers.values_mut().filter(|worker| worker.is_ready()) {
            match worker.watch.on_tick(now, &self.rules.watch) {
                Some(Due::Ping) => actions.push(Action::Ping(worker.id)),
                Some(Due::Hung) => hung.push(worker.id),
                None => {}
            }
            if worker.watch.has_missed_ping(now) {
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
            let any_ready = self.workers.values().any(Worker::is_ready);
            self.measure_at = any_ready.then_some(now + MEASURE_EVERY);
        }
    }

    /// Pings every event loop. Booting and draining workers are pinged only to measure their delay.
    /// The answers show in the next query; this one does not wait for them.
    pub(super) fn on_look(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !self.rules.drain.channel {
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

    /// Whether all workers that serve were pinged and none has answered in time.
    pub(super) fn is_unresponsive(&self) -> bool {
        let mut serving = self.workers.values().filter(|worker| worker.serves());
        serving.all(|worker| worker.watch.is_unresponsive())
    }

    /// Aborts a worker that hangs and replaces it at once.
    fn on_hung(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        actions.push(Action::Report(Report::Hung {
            worker: id,
            after: self.rules.watch.hang_timeout.unwrap_or_default(),
        }));
        self.drain(id, DrainStart::Hung, now, actions);
        if self.rules.restart.policy != RestartPolicy::Never {
            self.replace_lost(id, now, actions);
        }
    }

    /// The first worker that exceeds a limit and may be replaced now.
    pub(super) fn first_over_limit(&self, now: Moment) -> Option<(usize, WorkerId, Reason)> {
        let may_go = |index: usize| {
            let slot = self.slots.get(index);
            slot.is_some_and(|slot| slot.recycling.not_before <= now)
        };
        self.over_limit().find(|(index, ..)| may_go(*index))
    }

    pub(super) fn begin_recycling(&mut self, index: usize, id: WorkerId, now: Moment) {
        let rules = &self.rules.restart;
        if let (Some(slot), Some(worker)) = (self.slots.get_mut(index), self.workers.get(id)) {
            slot.recycling.begin(worker, now, rules);
        }
    }

    /// The successor of a worker that exceeds a limit has failed.
    pub(super) fn recycling_failed(&mut self, index: usize, now: Moment) {
        let rules = &self.rules.restart;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.recycling.put_off(now, rules);
        }
    }

    /// The ready workers that exceed a limit. Where a worker must exit before its successor can
    /// boot, only while all the others are ready.
    fn over_limit(&self) -> impl Iterator<Item = (usize, WorkerId, Reason)> {
        let may_drain = !self.rules.in_place || self.is_settled();
        let may_drain = may_drain && matches!(self.phase, Phase::Running);
        let slots = self.slots.iter().take(self.target).enumerate();
        slots
            .filter(move |(_, slot)| may_drain && self.can_renew(slot))
            .filter_map(|(index, slot)| {
                let worker = self.workers.get(slot.current?)?;
                let worker = Some(worker).filter(|worker| Worker::is_ready(worker))?;
                Some((index, worker.id, worker.watch.over_limit()?))
            })
    }
}
