//! Rules for each action.

use super::*;

impl Oracle {
    pub fn actions(&mut self, actions: &[Action], now: Moment) -> Result<(), Broken> {
        for action in actions {
            must!(!self.exited, "{action:?} after the exit");
            self.action(action, now)
                .map_err(|broken| format!("{broken}: {action:?}"))?;
        }
        Ok(())
    }

    fn action(&mut self, action: &Action, now: Moment) -> Result<(), Broken> {
        match action {
            Action::Start(start) => self.starts(start, now)?,
            Action::Admit { worker, member } => {
                self.check_free(*member)?;
                let seen = self.seen(*worker)?;
                must!(seen.member.is_none(), "it has a slot already");
                must!(!seen.stopped, "it must exit");
                seen.member = Some(*member);
                seen.waits_since = Some(now);
                self.count_admission(*member)?;
                let at_once = self
                    .config
                    .workers
                    .as_ref()
                    .is_some_and(|workers| workers.ready == Readiness::None);
                self.seen(*worker)?.said_ready |= at_once;
                must!(!self.is_ending(), "pidone is stopping");
            }
            Action::Signal { worker, signal, .. } => {
                let stops = signal.asks_to_stop() || *signal == Signal::ABRT;
                if stops && !self.single() {
                    self.check_quiet(*worker, now)?;
                    self.check_answered(*worker, *signal, now)?;
                }
                let single = self.single();
                let seen = self.seen(*worker)?;
                must!(seen.waits_since.is_some(), "it is not running yet");
                must!(single || !stops || !seen.killed, "it was killed");
                if signal.asks_to_stop() && seen.listens {
                    seen.signalled.get_or_insert(now);
                }
                seen.stopped |= stops || *signal == Signal::KILL;
                must!(
                    *signal != Signal::KILL || !seen.killed,
                    "it was killed already"
                );
                seen.killed |= *signal == Signal::KILL;
            }
            Action::Announce(worker) => {
                let seen = self.seen(*worker)?;
                must!(!seen.announced, "twice");
                must!(!seen.disconnected && !seen.stopped, "too late");
                seen.announced = true;
            }
            Action::Finish(worker) => {
                must!(self.drains(), "it gets the signal first in this mode");
                self.check_quiet(*worker, now)?;
                let seen = self.seen(*worker)?;
                must!(
                    seen.announced && !seen.finishing,
                    "not announced, or finishing already"
                );
                must!(!seen.disconnected && !seen.stopped, "too late");
                must!(!seen.channel_closed, "its channel is closed");
                seen.finishing = true;
            }
            Action::Disconnect(worker) => {
                must!(self.channel(), "there is no channel");
                self.check_quiet(*worker, now)?;
                self.check_handler_done(*worker, now)?;
                let seen = self.seen(*worker)?;
                must!(!seen.disconnected, "twice");
                must!(!seen.channel_closed, "its channel is closed");
                must!(!seen.killed, "it was killed");
                seen.disconnected = true;
            }
            Action::CheckPending(Some(worker)) => {
                must!(self.can_steer(), "there are no queues");
                let seen = self.seen(*worker)?;
                let is_past = seen.finishing || seen.disconnected || seen.stopped;
                must!(!is_past, "its queues are drained already");
            }
            Action::CheckPending(None) => {
                must!(self.end.closed.is_some(), "not closed to new connections");
            }
            Action::ProbePort(worker) => must!(self.seen(*worker)?.boots(), "it does not boot"),
            Action::Ping(worker) => self.check_ping(*worker, now)?,
            Action::MeasureMemory(worker) => self.check_measure(*worker, now)?,
            Action::Steer(members) => {
                must!(self.can_steer(), "steering is not available");
                must!(self.end.closed.is_none(), "closed to new connections");
                must!(
                    self.steered.as_ref() != Some(members),
                    "the same members again"
                );
                self.steered = Some(members.clone());
            }
            Action::CloseToNewConnections => {
                must!(
                    self.can_steer(),
                    "closing to new connections is not available"
                );
                must!(
                    self.end.closed.is_none(),
                    "closed to new connections already"
                );
                must!(self.end.asked.is_some(), "no stop was requested");
                self.end.closed = Some(now);
            }
            Action::CloseUnheldPorts => self.check_unheld(now)?,
            Action::ReleasePorts(worker) => {
                let seen = self.seen(*worker)?;
                must!(seen.channel_closed, "its channel is open");
                must!(!seen.released, "twice");
                must!(!seen.disconnected && !seen.stopped, "it is stopping");
                seen.released = true;
            }
            Action::Suspend(worker) | Action::Resume(worker) => {
                self.seen(*worker)?;
            }
            Action::Reply { id, reply } => self.replied(*id, *reply)?,
            Action::Report(report) => self.report(*report, now)?,
            Action::SignalLeftovers(signal) => {
                self.end.leftovers_killed |= *signal == Signal::KILL;
                let waited_for = self.known.values().any(|seen| seen.member.is_some());
                must!(!waited_for, "a worker still runs");
                self.end.leftovers.get_or_insert(now);
            }
            Action::SignalGroup { worker, signal } => {
                let since = self.groups.get(worker);
                let is_time = match *signal {
                    Signal::KILL => Duration::from_secs(2),
                    _ => Duration::ZERO,
                };
                must!(
                    since.is_some_and(|since| now >= *since + is_time),
                    "{signal} for the group of {worker:?}, which has members since {since:?}"
                );
                if *signal == Signal::KILL {
                    self.groups.remove(worker);
                }
            }
            Action::CountLeftovers => must!(self.end.leftovers.is_some(), "not yet"),
            Action::Exit(_) => self.exited = true,
            Action::Abort => {
                let runs = |seen: &Seen| seen.waits_since.is_some() && !seen.killed;
                must!(!self.known.values().any(runs), "a worker still runs");
                must!(self.end.aborted, "it was not requested");
                self.exited = true;
            }
        }
        Ok(())
    }

    fn retarget(&mut self, to: usize) {
        self.target = to;
        self.most_wanted = self.most_wanted.max(to);
        self.least_wanted = self.least_wanted.min(to);
        self.starts.wanted();
        self.scale_pending = true;
    }

    pub(super) fn seen(&mut self, id: WorkerId) -> Result<&mut Seen, Broken> {
        self.known
            .get_mut(&id)
            .ok_or_else(|| format!("{id:?} is gone, or never was"))
    }

    fn report(&mut self, report: Report, now: Moment) -> Result<(), Broken> {
        match report {
            Report::Ended {
                next: Next::Restart(delay),
                ..
            } => {
                let rules = &self.config.restart;
                let bounds = rules.min_delay..=rules.max_delay;
                must!(
                    delay.is_zero() || bounds.contains(&delay),
                    "the delay is out of bounds"
                );
            }
            Report::Ended { .. } | Report::Overdue { .. } | Report::LastWorker => {}
            Report::NeverReady { worker, timeout } => {
                let expected = self.ready_timeout();
                let seen = self.seen(worker)?;
                let waited = seen.waits_since.map(|since| now - since);
                must!(timeout == expected, "not the configured timeout");
                must!(
                    waited.is_some_and(|waited| waited >= timeout),
                    "it has waited {waited:?}"
                );
                let said_ready = seen.said_ready && seen.member.is_some();
                must!(!said_ready || seen.halted, "it has reported readiness");
                seen.never_ready = true;
            }
            // If a worker exits before its replacement starts, this lasts only for a moment.
            Report::AllReady { workers } => {
                must!(!self.is_ending(), "pidone is stopping");
                must!(workers == self.target, "not the requested number");
                self.has_been_complete = true;
            }
            Report::Command { worker, .. } => {
                must!(self.starts.command_ended, "it is not a command");
                let own = self.statuses.get(&worker);
                must!(own == Some(&0), "it has failed");
                self.end.asked.get_or_insert(now);
                self.end.command = true;
                self.reload = None;
            }
            Report::CrashLoop { worker, status, .. } => {
                must!(status != 0, "status 0 would count as success");
                self.end.asked.get_or_insert(now);
                self.end.crash_loop = Some(worker);
                self.reload = None;
            }
            Report::ReloadBegun => {
                self.starts.wanted();
                self.reload = Some(now);
                self.whole_reload = true;
            }
            Report::RestartBegun { slot } => {
                self.starts.wanted();
                must!(slot < self.target, "there is no such slot");
                self.reload.get_or_insert(now);
            }
            Report::SlotReplaced { slot, worker } => {
                let seen = self.seen(worker)?;
                must!(seen.said_ready, "it does not serve");
                let own = seen.member.map(Member::slot);
                must!(own == Some(slot), "it is in another slot");
            }
            Report::Recycled { worker, reason } => self.recycled(worker, reason, now)?,
            Report::Hung { worker, after } => self.hung(worker, after, now)?,
            Report::Unresponsive { worker, after } => {
                let expected = self.unresponsive_after();
                must!(expected == after, "not the configured time");
                let open = self.seen(worker)?.question.map(|at| now - at);
                must!(
                    open.is_some_and(|open| open >= after),
                    "its ping is unanswered for {open:?}"
                );
            }
            Report::Stopped { worker, .. } => {
                must!(self.seen(worker)?.halted, "it is running");
            }
            Report::Continued { worker } => {
                must!(!self.seen(worker)?.halted, "it is stopped");
            }
            Report::Responsive { worker } => {
                must!(self.seen(worker)?.question.is_none(), "it has not answered");
            }
            Report::ScaleDone { workers } => {
                must!(self.scale_pending, "it was not requested");
                self.scale_pending = false;
                must!(workers <= self.target, "not the requested number");
            }
            Report::RequestRefused { why } => self.refused(why)?,
            Report::ReloadDone { .. } => {
                let begun = self.reload.take();
                must!(begun.is_some(), "no reload has begun");
                let whole = std::mem::take(&mut self.whole_reload);
                let old = self.known.iter().find(|(id, seen)| {
                    let serves = self.serving.contains(id) && !seen.disconnects_itself;
                    let in_reserve = seen.rests();
                    let stays = (serves && seen.retired.is_none()) || seen.boots() || in_reserve;
                    // A hung worker was killed just now, and a spare has its slot.
                    let stays = stays && !seen.hung;
                    whole && stays && Some(seen.asked) < begun
                });
                must!(
                    old.is_none(),
                    "{:?} is older than the reload",
                    old.map(|it| it.0)
                );
            }
            Report::ReloadFailed { worker, progress } => {
                must!(self.reload.take().is_some(), "no reload has begun");
                for seen in self.known.values_mut() {
                    seen.dropped |= seen.waits_since.is_none();
                }
                let counts = progress.replaced < progress.of && progress.of <= self.target;
                must!(counts, "a wrong number");
                self.whole_reload = false;
                let seen = self.known.get(&worker).or(self.just_gone.as_ref());
                let by_itself = seen.is_some_and(|seen| seen.never_ready || !seen.stopped);
                must!(by_itself, "its successor has not failed");
            }
            Report::CpusChanged { from, to } => {
                self.cpus_changed(to, now)?;
                must!(
                    from == self.target && from != to,
                    "there were {}",
                    self.target
                );
                self.retarget(to);
            }
            Report::MemoryChanged { from, to } => self.memory_changed(from, to, now)?,
            Report::Scaled { from, to } => {
                self.set_by_user(to)?;
                must!(from == self.target && to > 0, "there were {}", self.target);
                self.retarget(to);
            }
            Report::Stopping { signal } => {
                self.end.signal = Some(signal);
                must!(self.end.asked.is_none(), "twice");
                self.end.asked = Some(now);
                self.reload = None;
            }
            Report::TerminalClosed => must!(!self.is_ending(), "pidone is stopping"),
            Report::Aborting => {
                must!(!self.single(), "SIGABRT belongs to the child");
                self.end.aborted = true;
            }
            Report::StoppingAtOnce => {
                must!(self.is_urgent(), "no second request to stop");
                must!(!self.end.urgent, "twice");
                self.end.urgent = true;
            }
            Report::WaitingForLeftovers | Report::KillingLeftovers => {
                must!(
                    self.end.leftovers.is_some(),
                    "they were not signalled before"
                );
            }
        }
        Ok(())
    }
}
