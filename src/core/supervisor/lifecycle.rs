//! Worker lifecycle: which worker is started, in which slot, and what follows from each exit.

use super::drain::DrainStart;
use super::event::{Action, Moment, Start};
use super::leftovers::Leftovers;
use super::member::{Member, WorkerId};
use super::report::{Next, Report, Verdict};
use super::worker::{Role, Worker};
use super::{Phase, Supervisor};
use crate::ended::Ended;
use crate::rules::{Readiness, RestartPolicy};
use alloc::vec::Vec;

/// How many spares are started before other events are handled: each start takes 1 to 2 ms.
const SPARES_AT_ONCE: usize = 4;

impl Supervisor {
    /// Starts a worker for a slot, in its member; in the other member if a worker is still draining
    /// there.
    pub(super) fn start_in_slot(&mut self, index: usize, now: Moment, actions: &mut Vec<Action>) {
        let member = self.member_for(index);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.member = member.unwrap_or(slot.member.other());
        slot.start_at = None;
        slot.waits = false;
        slot.is_first = false;
        let (instance, member) = (slot.instance, slot.member);
        let worker = self.launch(Role::Slot(index), instance, Some(member), now, actions);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.current = Some(worker);
        }
    }

    pub(super) fn launch(
        &mut self,
        role: Role,
        instance: usize,
        member: Option<Member>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> WorkerId {
        // Ids begin with 1, as Node.js treats 0 as missing.
        self.launched += 1;
        let worker = WorkerId(self.launched);
        let (channel, to_group) = (self.rules.drain.channel, self.rules.signals.to_group);
        let process = Worker::new(worker, role, member, channel, to_group, now);
        self.workers.insert(worker, process);
        actions.push(Action::Start(Start {
            worker,
            instance,
            member,
        }));
        worker
    }

    pub(super) fn start_spare(&mut self, index: usize, now: Moment, actions: &mut Vec<Action>) {
        let Some(spare) = self.spares.get_mut(index) else {
            return;
        };
        spare.start_at = None;
        spare.waits = false;
        spare.is_first = false;
        let instance = spare.instance;
        let worker = self.launch(Role::Spare(index), instance, None, now, actions);
        if let Some(spare) = self.spares.get_mut(index) {
            spare.worker = Some(worker);
        }
    }

    pub(super) fn start_due(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let is_due = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        for index in 0..self.slots.len() {
            if self
                .slots
                .get(index)
                .is_some_and(|slot| is_due(slot.start_at))
            {
                self.start_or_wait(index, now, actions);
            }
        }
        self.start_spares_due(now, actions);
    }

    /// Starts a few spares; the others stay due, so that events in between are handled.
    pub(super) fn start_spares_due(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let spares = self.spares.iter().enumerate();
        let due = spares.filter(|(_, spare)| spare.start_at.is_some_and(|at| at <= now));
        let due: Vec<_> = due.map(|(index, _)| index).take(SPARES_AT_ONCE).collect();
        for index in due {
            self.start_spare_or_wait(index, now, actions);
        }
    }

    pub(super) fn on_started(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        let (timeout, ready) = (self.rules.ready_timeout, self.rules.ready);
        let probed = ready == Readiness::Port;
        if let Some(worker) = self.workers.get_mut(id) {
            worker.on_started(now, timeout, probed, actions);
        }
        if ready == Readiness::None {
            self.on_ready(id, now, actions);
        }
        if matches!(self.phase, Phase::Beginning) {
            self.phase = Phase::Running;
            for index in 1..self.target {
                self.start_or_wait(index, now, actions);
            }
            for spare in &mut self.spares {
                spare.start_at = Some(now);
            }
            self.start_spares_due(now, actions);
        }
    }

    pub(super) fn on_start_failed(
        &mut self,
        id: WorkerId,
        status: u8,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        // The very first start failed, so the command is wrong: exit with that status, even after a
        // stop request.
        if self.launched == 1 {
            self.workers.remove(id);
            self.phase = Phase::Exiting(Leftovers::none(status, actions));
        } else {
            self.on_exited(id, Ended::Code(status), now, actions);
        }
    }

    pub(super) fn on_ready(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        if !worker.on_ready(now) {
            return;
        }
        if let Role::Slot(index) = worker.role {
            self.has_listened = true;
            self.on_slot_ready(index, id, now, actions);
            // Without a readiness signal, only the run time shows that the worker works.
            if self.rules.ready != Readiness::None {
                self.has_served = true;
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.backoff.on_ready();
                }
            }
        }
        self.watch(id, now);
    }

    /// A stopped worker was continued; it is ready if it reported that before.
    pub(super) fn on_continued(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        if let Some(worker) = self.workers.get_mut(id) {
            worker.on_continued(actions);
            if worker.reported_ready {
                self.on_ready(id, now, actions);
            }
        }
    }

    /// Reports when all wanted slots are ready.
    pub(super) fn check_complete(&mut self, actions: &mut Vec<Action>) {
        let is_ready = |id: &WorkerId| self.workers.get(*id).is_some_and(Worker::is_ready);
        let mut wanted = self.slots.iter().take(self.target);
        let complete = matches!(self.phase, Phase::Running)
            && wanted.all(|slot| slot.current.as_ref().is_some_and(is_ready));
        if complete && !self.was_complete && !self.rules.transparent {
            let workers = self.target;
            actions.push(Action::Report(Report::AllReady { workers }));
        }
        self.was_complete |= complete;
        self.has_been_complete |= complete;
    }

    /// The worker did not get ready within `--ready-timeout`.
    pub(super) fn on_never_ready(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        actions.push(Action::Report(Report::NeverReady {
            worker: id,
            timeout: self.rules.ready_timeout,
        }));
        let may_be_command = self.may_be_commands();
        let start = if may_be_command {
            DrainStart::NeverReady
        } else {
            DrainStart::Retire
        };
        self.drain(id, start, now, actions);
        self.give_up_successor(id, now, actions);
    }

    /// The app disconnects on its own and will exit: replaces the worker already now.
    pub(super) fn on_disconnects(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        if !self.workers.get(id).is_some_and(Worker::is_ready) {
            return;
        }
        self.drain(id, DrainStart::Disconnects, now, actions);
        if self.rules.restart.policy == RestartPolicy::Always {
            self.replace_lost(id, now, actions);
        }
    }

    /// Replaces a worker that is about to exit.
    pub(super) fn replace_lost(&mut self, id: WorkerId, now: Moment, actions: &mut Vec<Action>) {
        let Some(worker) = self.workers.get_mut(id) else {
            return;
        };
        let (role, run) = (worker.role, worker.booted_for(now));
        if let (Phase::Running, Role::Slot(index)) = (&self.phase, role) {
            worker.lost = true;
            self.was_complete = false;
            if let Err(verdict) = self.replace(index, run, now, actions) {
                self.crash_loop(id, verdict, None, now, actions);
            }
        }
    }

    pub(super) fn on_exited(
        &mut self,
        id: WorkerId,
        ended: Ended,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let Some(worker) = self.workers.remove(id) else {
            return;
        };
        let sent_by_us = matches!(ended, Ended::Killed(signal) if worker.was_sent(signal));
        let uptime = worker.uptime(now);
        if worker.listens {
            self.ports_changed(now);
        }
        // The report goes before the actions of `follow`, whose result it contains.
        let place_of_report = actions.len();
        let is_command = self.is_command(&worker, ended);
        let next = match &mut self.phase {
            Phase::Running if is_command => Ok(Next::Nothing),
            Phase::Running => self.follow(&worker, ended, now, actions),
            Phase::Stopping(stop) => {
                stop.on_exited(&worker, ended);
                Ok(Next::Nothing)
            }
            Phase::Beginning | Phase::Exiting(_) => Ok(Next::Nothing),
        };
        let report = Report::Ended {
            worker: id,
            ended,
            uptime,
            sent_by_us,
            is_planned: worker.is_draining() && !worker.failed && !worker.lost,
            next: next.unwrap_or(Next::Nothing),
        };
        actions.insert(place_of_report, Action::Report(report));
        if let Err(verdict) = next {
            self.crash_loop(id, verdict, Some(ended.status()), now, actions);
        }
        if is_command {
            self.end_command(id, now, actions);
        }
        self.exit_if_done(worker.kill_at(), now, actions);
    }

    /// What follows from the exit of a worker, which is removed from `workers` already.
    fn follow(
        &mut self,
        worker: &Worker,
        ended: Ended,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<Next, Verdict> {
        let index = match worker.role {
            Role::Slot(index) => index,
            Role::Spare(index) => {
                return Ok(self.follow_spare(index, worker, ended, now, actions));
            }
        };
        self.give_up_successor(worker.id, now, actions);
        let in_place = self.rollout.on_exited(worker.id);
        let run = self.run_of(worker, ended, now);
        self.has_served |= run.is_some();
        let Some(slot) = self.slots.get_mut(index) else {
            return Ok(Next::Nothing);
        };
        let was_current = slot.current == Some(worker.id);
        if was_current {
            slot.current = None;
        }
        if worker.lost || (was_current && in_place.is_none()) {
            slot.history.last_end = Some((ended, now));
        }
        if !was_current || index >= self.target {
            self.trim();
            return Ok(Next::Nothing);
        }
        if let Some(recycles) = in_place {
            self.start_or_wait(index, now, actions);
            self.watch_boot(index, recycles);
            return Ok(Next::Nothing);
        }
        self.was_complete = false;
        self.status = ended.status();
        let restarts = match self.rules.restart.policy {
            RestartPolicy::Always => true,
            RestartPolicy::Never => false,
            RestartPolicy::OnFailure => self.expected(self.status) != 0,
        };
        if !restarts || self.stop_requested.is_some() {
            return Ok(Next::Nothing);
        }
        self.replace(index, run, now, actions)
    }
}
