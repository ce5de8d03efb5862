//! Who comes in the place of a worker that is gone, and when: a successor, a spare, or another one
//! after a delay; or nobody, because it is a crash loop.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::report::{Next, Verdict};
use super::slot::Slot;
use super::worker::{Place, Worker};
use super::{Phase, Supervisor};
use crate::ended::Ended;
use crate::rules::{Boot, Readiness, RestartPolicy};

impl Supervisor {
    /// How long a worker that has ended did well; `None`: it never got ready. Where nothing tells
    /// whether it did, an end by failure within `--min-uptime` counts as that.
    pub(super) fn run_of(&self, worker: &Worker, ended: Ended, now: Moment) -> Option<Duration> {
        let run = worker.well_for(now)?;
        let failed = self.expected(ended.status()) != 0;
        let is_short = run < self.rules.restart.min_uptime;
        let tells = self.rules.ready != Readiness::None;
        (tells || !failed || !is_short).then_some(run)
    }

    /// Whether any worker has done well since the start.
    fn has_ever_served(&self, now: Moment) -> bool {
        let min_uptime = self.rules.restart.min_uptime;
        let does_well = |worker: &Worker| worker.well_for(now).is_some_and(|run| run >= min_uptime);
        self.has_served
            || (self.rules.ready == Readiness::None && self.workers.values().any(does_well))
    }

    /// Whether the workers may be no servers: nobody has ever asked for a listener, though listening is
    /// what shows that a worker is ready.
    pub(super) fn may_be_commands(&self) -> bool {
        matches!(self.phase, Phase::Running)
            && self.rules.leave.channel
            && self.rules.ready == Readiness::Listen
            && self.rules.restart.policy == RestartPolicy::Always
            && !self.has_listened
    }

    /// Whether this end is that of a command that is done.
    pub(super) fn is_command(&self, worker: &Worker, ended: Ended) -> bool {
        self.may_be_commands()
            && ended == Ended::Code(0)
            // What was told to stop says nothing by its status; what was told to disconnect, when it
            // had not got ready in time, has ended because nothing was left to do.
            && (worker.failed || !worker.is_leaving())
            && !worker.was_sent(self.rules.leave.stop_signal)
            && !worker.killed
    }

    pub(super) fn follow_spare(
        &mut self,
        index: usize,
        worker: &Worker,
        ended: Ended,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Next {
        let Some(spare) = self.spares.get_mut(index) else {
            return Next::Nothing;
        };
        spare.worker = None;
        let delay = if worker.is_leaving() && !worker.failed {
            Duration::ZERO
        } else {
            spare.past.restarts = spare.past.restarts.saturating_add(1);
            spare.past.last_end = Some((ended, now));
            // Those that serve must not suffer from one that does not.
            let rules = &self.rules.restart;
            let delay = spare.backoff.after(worker.well_for(now), true, now, rules);
            delay.unwrap_or(rules.max_delay)
        };
        self.plan_spare(index, delay, now, actions)
    }

    /// The next spare comes after `delay`, or when somebody serves.
    fn plan_spare(
        &mut self,
        index: usize,
        delay: Duration,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Next {
        let waits = !self.may_spares_boot();
        if let Some(spare) = self.spares.get_mut(index) {
            spare.waits = waits;
            spare.start_at = (!waits).then_some(now + delay);
        }
        if waits {
            return Next::Wait;
        }
        if delay.is_zero() {
            self.start_spare(index, now, actions);
        }
        Next::Restart(delay)
    }

    /// Finds somebody for a slot whose worker is gone, or going.
    pub(super) fn replace(
        &mut self,
        index: usize,
        run: Option<Duration>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<Next, Verdict> {
        let ever = self.has_ever_served(now);
        let Some(slot) = self.slots.get_mut(index) else {
            return Ok(Next::Nothing);
        };
        slot.past.restarts = slot.past.restarts.saturating_add(1);
        if let Some(successor) = slot.successor.take() {
            self.promote(index, successor);
            return Ok(Next::Successor);
        }
        slot.current = None;
        let delay = slot.backoff.after(run, ever, now, &self.rules.restart)?;
        if self.admit_spare(index, delay, now, actions) {
            return Ok(Next::Spare);
        }
        let waits = self.leaves_retries_to_others(index);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.waits = waits;
            slot.start_at = (!waits).then_some(now + delay);
        }
        if waits {
            return Ok(Next::Wait);
        }
        if delay.is_zero() && !self.start_or_wait(index, now, actions) {
            return Ok(Next::Wait);
        }
        Ok(Next::Restart(delay))
    }

    /// As long as no worker has ever been ready, the last slot whose worker has failed tries again and
    /// again, and alone: what is broken need not be broken, and be said, by all.
    fn leaves_retries_to_others(&self, index: usize) -> bool {
        !self.has_served && self.rules.ready != Readiness::None && self.is_awaited_besides(index)
    }

    /// Another slot's worker is on its way.
    fn is_awaited_besides(&self, index: usize) -> bool {
        let mut slots = self.slots.iter().take(self.target).enumerate();
        slots.any(|(other, slot)| other != index && (slot.has_worker() || slot.start_at.is_some()))
    }

    /// Some worker is ready, whether or not somebody has stopped it: it has booted.
    fn is_any_ready(&self) -> bool {
        self.workers.values().any(Worker::is_ready)
    }

    /// One boots, and nobody else is to before it is ready: with `--boot first` while none serves.
    pub(super) fn boots_first(&self) -> bool {
        let mut slots = self.slots.iter().take(self.target);
        self.rules.boot == Boot::First && !self.is_any_ready() && slots.any(Slot::has_worker)
    }

    fn may_spares_boot(&self) -> bool {
        match self.rules.boot {
            Boot::First => self.is_any_ready(),
            Boot::Together => self.has_served || self.rules.ready == Readiness::None,
        }
    }

    /// Starts a worker in a slot, if `--boot first` does not want it to wait. Whether it did.
    pub(super) fn start_or_wait(
        &mut self,
        index: usize,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> bool {
        let waits = self.boots_first();
        if let Some(slot) = self.slots.get_mut(index) {
            slot.start_at = None;
            slot.waits = waits;
        }
        if !waits {
            self.start_in_slot(index, now, actions);
        }
        !waits
    }

    pub(super) fn start_spare_or_wait(
        &mut self,
        index: usize,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let waits = self.rules.boot == Boot::First && !self.is_any_ready();
        if let Some(spare) = self.spares.get_mut(index) {
            spare.start_at = None;
            spare.waits = waits;
        }
        if !waits {
            self.start_spare(index, now, actions);
        }
    }

    /// Fills empty slots with spares that are booted, and starts those that wait for others, when one
    /// of these serves, or none is on its way any more.
    pub(super) fn fill_slots(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        for index in 0..self.target {
            let Some(slot) = self.slots.get(index).filter(|slot| slot.is_pending()) else {
                continue;
            };
            // The next spare comes when the slot's worker would have.
            let delay = slot.start_at.map(|at| at.saturating_sub(now));
            let all = match self.rules.boot {
                Boot::First => self.is_any_ready(),
                Boot::Together => self.has_served,
            };
            let may_start = slot.waits && (all || !self.is_awaited_besides(index));
            if !self.admit_spare(index, delay.unwrap_or_default(), now, actions) && may_start {
                self.start_in_slot(index, now, actions);
            }
        }
        if self.spares.iter().any(|spare| spare.waits) && self.may_spares_boot() {
            for spare in self.spares.iter_mut().filter(|spare| spare.waits) {
                spare.waits = false;
                spare.start_at = Some(now);
            }
            self.start_spares_due(now, actions);
        }
    }

    /// Gives a slot a spare that is booted, if there is one. The next spare comes after `delay`.
    fn admit_spare(
        &mut self,
        index: usize,
        delay: Duration,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> bool {
        let workers = &mut self.workers;
        let mut booted = self
            .spares
            .iter_mut()
            .enumerate()
            .filter_map(|(at, spare)| {
                let id = spare.worker?;
                workers.get(id)?.is_held().then_some((at, spare, id))
            });
        let (Some((at, spare, id)), Some(slot)) = (booted.next(), self.slots.get_mut(index)) else {
            return false;
        };
        spare.worker = None;
        // The numbers stay unique: the next spare gets the one that has become free.
        core::mem::swap(&mut slot.instance, &mut spare.instance);
        drop(booted);
        if workers
            .values()
            .any(|worker| worker.member == Some(slot.member))
        {
            slot.member = slot.member.other();
        }
        slot.current = Some(id);
        slot.start_at = None;
        slot.waits = false;
        let member = slot.member;
        if let Some(worker) = workers.get_mut(id) {
            worker.admit(Place::Slot(index), member, self.rules.ready_timeout, now);
        }
        actions.push(Action::Admit { worker: id, member });
        if workers.get(id).is_some_and(|worker| worker.said_ready) {
            self.on_ready(id, now, actions);
        }
        self.plan_spare(at, delay, now, actions);
        true
    }
}
