//! How an exited worker is replaced: by a successor, a spare, or another start after a delay; or
//! not at all in a crash loop.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::member::Member;
use super::report::{Next, Verdict};
use super::slot::Slot;
use super::worker::{Role, Worker};
use super::{Phase, Supervisor};
use crate::ended::Ended;
use crate::rules::{Boot, Readiness, RestartPolicy};

impl Supervisor {
    /// How long an exited worker was ready; `None`: it never was. Without a readiness signal, a
    /// failure within `--min-uptime` counts as never ready.
    pub(super) fn run_of(&self, worker: &Worker, ended: Ended, now: Moment) -> Option<Duration> {
        let run = worker.booted_for(now)?;
        let failed = self.expected(ended.status()) != 0;
        let is_short = run < self.rules.restart.min_uptime;
        let tells = self.rules.ready != Readiness::None;
        (tells || !failed || !is_short).then_some(run)
    }

    /// Whether any worker has been ready since the start.
    fn has_ever_served(&self, now: Moment) -> bool {
        let min_uptime = self.rules.restart.min_uptime;
        let does_well =
            |worker: &Worker| worker.booted_for(now).is_some_and(|run| run >= min_uptime);
        self.has_served
            || (self.rules.ready == Readiness::None && self.workers.values().any(does_well))
    }

    /// Whether the workers may be commands instead of servers: none has ever asked for a listener,
    /// although readiness means listening.
    pub(super) fn may_be_commands(&self) -> bool {
        matches!(self.phase, Phase::Running)
            && self.rules.drain.channel
            && self.rules.ready == Readiness::Listen
            && self.rules.restart.policy == RestartPolicy::Always
            && !self.has_listened
    }

    /// Whether this exit is that of a finished command.
    pub(super) fn is_command(&self, worker: &Worker, ended: Ended) -> bool {
        self.may_be_commands()
            && ended == Ended::Code(0)
            // The status of a worker that was stopped says nothing. A worker that was told to
            // disconnect because it was not ready in time, and exited, had nothing left to do.
            && (worker.failed || !worker.is_draining())
            && !worker.was_sent(self.rules.drain.stop_signal)
            && !worker.is_killed()
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
        let delay = if worker.is_draining() && !worker.failed {
            Duration::ZERO
        } else {
            spare.history.restarts = spare.history.restarts.saturating_add(1);
            spare.history.last_end = Some((ended, now));
            // A spare that fails must not stop the workers that serve.
            let rules = &self.rules.restart;
            let delay = spare
                .backoff
                .after(worker.booted_for(now), true, now, rules);
            delay.unwrap_or(rules.max_delay)
        };
        self.plan_spare(index, delay, now, actions)
    }

    /// Starts the next spare after `delay`, or when a worker is ready.
    fn plan_spare(
        &mut self,
        index: usize,
        delay: Duration,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Next {
        let waits = !self.may_others_boot();
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

    /// Finds a worker for a slot whose worker has exited or is about to.
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
        slot.history.restarts = slot.history.restarts.saturating_add(1);
        if let Some(successor) = slot.successor.take() {
            self.promote(index, successor);
            return Ok(Next::Successor);
        }
        slot.current = None;
        let delay = slot.backoff.after(run, ever, now, &self.rules.restart)?;
        if self.admit_spare(index, delay, now, actions) {
            return Ok(Next::Spare);
        }
        let waits = self.defers_retries(index);
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

    /// As long as no worker has ever been ready, only the slot that failed last tries again: the
    /// same failure need not repeat, and be logged, in every slot.
    fn defers_retries(&self, index: usize) -> bool {
        !self.has_served && self.rules.ready != Readiness::None && self.has_pending_other(index)
    }

    /// Another slot has a worker, or a start planned.
    pub(super) fn has_pending_other(&self, index: usize) -> bool {
        let mut slots = self.slots.iter().take(self.target).enumerate();
        slots.any(|(other, slot)| other != index && (slot.has_worker() || slot.start_at.is_some()))
    }

    /// Some worker is ready, even if it is stopped by a signal: it has booted.
    fn is_any_ready(&self) -> bool {
        self.workers.values().any(Worker::is_ready)
    }

    /// With `--boot first` while none is ready: one worker boots, and the others must wait for it.
    pub(super) fn boots_first(&self) -> bool {
        let mut slots = self.slots.iter().take(self.target);
        self.rules.boot == Boot::First && !self.is_any_ready() && slots.any(Slot::has_worker)
    }

    /// Whether workers boot beside those that the first ones wait for: some worker has been ready.
    pub(super) fn may_others_boot(&self) -> bool {
        match self.rules.boot {
            Boot::First => self.is_any_ready(),
            Boot::Together | Boot::All => self.has_served || self.rules.ready == Readiness::None,
        }
    }

    /// The member for a slot's next worker: one of its two that no other worker has, or only one
    /// that needs its queues no more. `None`: workers are still draining both.
    pub(super) fn member_for(&self, index: usize) -> Option<Member> {
        let first = self.slots.get(index)?.member;
        let is_free = |member: &Member, may_share: bool| {
            let workers = self.workers.values();
            let mut holders = workers.filter(|worker| worker.member == Some(*member));
            holders.all(|worker| may_share && worker.has_left_queues())
        };
        let mut members = [first, first.other()].into_iter();
        let shared = members.clone().find(|member| is_free(member, true));
        members.find(|member| is_free(member, false)).or(shared)
    }

    /// Both of a slot's members are draining: its next worker would get their connections, and they
    /// its own. It waits as long as others serve.
    fn is_blocked(&self, index: usize) -> bool {
        self.member_for(index).is_none() && self.serving().next().is_some()
    }

    /// Starts a worker in a slot unless `--boot first`, the first start or draining workers make it
    /// wait. Returns whether it was started.
    pub(super) fn start_or_wait(
        &mut self,
        index: usize,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> bool {
        let is_first = self.slots.get(index).is_some_and(|slot| slot.is_first);
        let waits =
            self.boots_first() || self.is_blocked(index) || (is_first && self.free_cpus() == 0);
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
        let is_first = self.spares.get(index).is_some_and(|spare| spare.is_first);
        let waits = (self.rules.boot == Boot::First && !self.is_any_ready())
            || (is_first && self.free_cpus() == 0);
        if let Some(spare) = self.spares.get_mut(index) {
            spare.start_at = None;
            spare.waits = waits;
        }
        if !waits {
            self.start_spare(index, now, actions);
        }
    }

    /// Fills empty slots with booted spares, and starts workers that wait for another one when that
    /// one is ready, or when no other one is starting.
    pub(super) fn fill_slots(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        for index in 0..self.target {
            let is_pending = |slot: &&Slot| slot.is_pending() && !slot.is_first;
            let Some(slot) = self.slots.get(index).filter(is_pending) else {
                continue;
            };
            // The next spare is started when the slot's worker would have been.
            let delay = slot.start_at.map(|at| at.saturating_sub(now));
            let waits = slot.waits && !self.is_blocked(index);
            let may_start = waits && (self.may_others_boot() || !self.has_pending_other(index));
            if !self.admit_spare(index, delay.unwrap_or_default(), now, actions) && may_start {
                self.start_in_slot(index, now, actions);
            }
        }
        self.continue_first_start(now, actions);
        if self.spares.iter().any(|spare| spare.waits) && self.may_others_boot() {
            let mut free = self.free_cpus();
            for spare in self.spares.iter_mut().filter(|spare| spare.waits) {
                if spare.is_first && free == 0 {
                    continue;
                }
                free = free.saturating_sub(usize::from(spare.is_first));
                spare.waits = false;
                spare.start_at = Some(now);
            }
            self.start_spares_due(now, actions);
        }
    }

    /// Gives a slot a booted spare, if there is one. The next spare is started after `delay`.
    fn admit_spare(
        &mut self,
        index: usize,
        delay: Duration,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> bool {
        let (member, blocked) = (self.member_for(index), self.is_blocked(index));
        let workers = &mut self.workers;
        let mut booted = self
            .spares
            .iter_mut()
            .enumerate()
            .filter_map(|(at, spare)| {
                let id = spare.worker?;
                workers.get(id)?.is_held().then_some((at, spare, id))
            });
        let (Some((at, spare, id)), Some(slot), false) =
            (booted.next(), self.slots.get_mut(index), blocked)
        else {
            return false;
        };
        spare.worker = None;
        // Instance numbers stay unique: the next spare gets the one that has become free.
        core::mem::swap(&mut slot.instance, &mut spare.instance);
        drop(booted);
        slot.member = member.unwrap_or(slot.member.other());
        slot.current = Some(id);
        slot.start_at = None;
        slot.waits = false;
        slot.is_first = false;
        let member = slot.member;
        if let Some(worker) = workers.get_mut(id) {
            worker.admit(Role::Slot(index), member, self.rules.ready_timeout, now);
        }
        actions.push(Action::Admit { worker: id, member });
        self.review.on_admitted();
        if workers.get(id).is_some_and(|worker| worker.reported_ready) {
            self.on_ready(id, now, actions);
        }
        self.plan_spare(at, delay, now, actions);
        true
    }
}
