//! What must hold of each action.

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
                must!(seen.member.is_none(), "it has a place already");
                must!(!seen.stopped, "it is to leave");
                seen.member = Some(*member);
                seen.waits_since = Some(now);
                self.count_admission(*member)?;
                let at_once = self
                    .config
                    .workers
                    .as_ref()
                    .is_some_and(|workers| workers.ready == Readiness::None);
                self.seen(*worker)?.said_ready |= at_once;
                must!(!self.is_ending(), "it is over");
            }
            Action::Signal { worker, signal, .. } => {
                let stops = signal.asks_to_stop() || *signal == Signal::ABRT;
                if stops && !self.single() {
                    self.check_quiet(*worker, now)?;
                    self.check_answered(*worker, *signal, now)?;
                }
                let seen = self.seen(*worker)?;
                must!(seen.waits_since.is_some(), "it does not run yet");
                if signal.asks_to_stop() && seen.listens {
                    seen.signalled.get_or_insert(now);
                }
                seen.stopped |= stops || *signal == Signal::KILL;
                must!(
                    *signal != Signal::KILL || !seen.killed,
                    "it is killed already"
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
                must!(self.drains(), "it gets the signal first anyway");
                self.check_quiet(*worker, now)?;
                let seen = self.seen(*worker)?;
                must!(seen.announced && !seen.finishing, "out of turn");
                must!(!seen.disconnected && !seen.stopped, "too late");
                must!(!seen.hung_up, "its channel is closed");
                seen.finishing = true;
            }
            Action::Disconnect(worker) => {
                must!(self.channel(), "there is no channel");
                self.check_quiet(*worker, now)?;
                self.check_handler_done(*worker, now)?;
                let seen = self.seen(*worker)?;
                must!(!seen.disconnected, "twice");
                must!(!seen.hung_up, "its channel is closed");
                seen.disconnected = true;
            }
            Action::CheckQueues(Some(worker)) => {
                must!(self.can_steer(), "there are no queues");
                self.seen(*worker)?;
            }
            Action::CheckQueues(None) => must!(self.end.closed.is_some(), "it is not closed"),
            Action::ProbePort(worker) => must!(self.seen(*worker)?.boots(), "it does not boot"),
            Action::Ping(worker) => self.check_ping(*worker, now)?,
            Action::MeasureMemory(worker) => self.check_measure(*worker, now)?,
            Action::Steer(members) => {
                must!(self.can_steer(), "there is nothing to steer");
                must!(self.end.closed.is_none(), "it is closed");
                must!(self.steered.as_ref() != Some(members), "that is no change");
                self.steered = Some(members.clone());
            }
            Action::CloseToNewConnections => {
                must!(self.can_steer(), "there is nothing to close");
                must!(self.end.closed.is_none(), "it is closed already");
                must!(self.end.asked.is_some(), "nobody wants to stop");
                self.end.closed = Some(now);
            }
            Action::CloseUnheldPorts => self.check_unheld(now)?,
            Action::ReleasePorts(worker) => {
                let seen = self.seen(*worker)?;
                must!(seen.hung_up, "its channel is open");
                must!(!seen.released, "twice");
                must!(!seen.disconnected && !seen.stopped, "it leaves");
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
                must!(!waited_for, "a worker is still there");
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
                    "{signal} for the group of {worker:?}, where somebody is since {since:?}"
                );
                if *signal == Signal::KILL {
                    self.groups.remove(worker);
                }
            }
            Action::CountLeftovers => must!(self.end.leftovers.is_some(), "not yet"),
            Action::Exit(_) => self.exited = true,
            Action::Abort => {
                let runs = |seen: &Seen| seen.waits_since.is_some() && !seen.killed;
                must!(!self.known.values().any(runs), "a worker stays");
                must!(self.end.aborted, "nobody has asked for it");
                self.exited = true;
            }
        }
        Ok(())
    }

    pub(super) fn seen(&mut self, id: WorkerId) -> Result<&mut Seen, Broken> {
        self.known
            .get_mut(&id)
            .ok_or_else(|| format!("{id:?} is gone, or never was"))
    }

    fn starts(&mut self, start: &Start, now: Moment) -> Result<(), Broken> {
        must!(start.worker.0 == self.newest + 1, "no fresh number");
        self.newest += 1;
        must!(!self.is_ending() && !self.end.child_asked, "it is over");
        if let Some(member) = start.member {
            self.check_free(member)?;
        }
        self.check_start(start)?;
        let seen = Seen {
            instance: start.instance,
            member: start.member,
            asked: now,
            ..Seen::default()
        };
        self.known.insert(start.worker, seen);
        Ok(())
    }

    /// Nobody serves or boots in this member.
    fn check_free(&self, member: Member) -> Result<(), Broken> {
        let taken = |id: &WorkerId, seen: &Seen| {
            let serves = self.serving.contains(id)
                && !seen.leaves_by_itself
                && !seen.stopped
                && seen.retired.is_none();
            seen.member == Some(member) && (serves || seen.boots())
        };
        let taker = self.known.iter().find(|(id, seen)| taken(id, seen));
        must!(
            taker.is_none(),
            "the member is {:?}'s",
            taker.map(|it| it.0)
        );
        let somebody_in = |member| self.known.values().any(|seen| seen.member == Some(member));
        must!(
            !somebody_in(member) || somebody_in(member.other()),
            "somebody still leaves from there"
        );
        Ok(())
    }

    /// Nothing can be waiting for a worker that has served and is to close.
    fn check_quiet(&mut self, id: WorkerId, now: Moment) -> Result<(), Broken> {
        let (can_steer, grace, closed) = (self.can_steer(), self.grace(), self.end.closed);
        let all_empty = self.end.queues_empty;
        let in_a_hurry = self.end.in_a_hurry;
        let seen = self.seen(id)?;
        let out_of_patience = |since: Option<Moment>| since.is_some_and(|at| at + grace / 2 <= now);
        let quiet = !can_steer
            || !seen.has_served
            || seen.leaves_by_itself
            || seen.hung
            || seen.queue_empty
            || all_empty
            || in_a_hurry
            || out_of_patience(seen.retired)
            || out_of_patience(closed);
        must!(quiet, "connections may wait for it");
        Ok(())
    }

    /// A handler that has been called closes what it listens on itself, or has had its time.
    fn check_handler_done(&mut self, id: WorkerId, now: Moment) -> Result<(), Broken> {
        let Some(seen) = self.known.get(&id) else {
            return Ok(());
        };
        let is_over = self.is_out_of_patience(seen, now);
        let may = seen.signalled.is_none() || !seen.listens || is_over;
        must!(may, "its handler is at work");
        // What has been told to stop before it served has had its signal.
        let has_handler = seen.announced && seen.handles.contains(self.stop_signal());
        must!(!has_handler || seen.stopped, "its handler was not called");
        Ok(())
    }

    /// The stop signal may end a worker at once: before that it is told to disconnect, or has said
    /// that it has a handler and that all is answered.
    fn check_answered(&self, id: WorkerId, signal: Signal, now: Moment) -> Result<(), Broken> {
        let Some(seen) = self.known.get(&id).filter(|_| self.drains()) else {
            return Ok(());
        };
        let is_over = self.is_out_of_patience(seen, now);
        let called = seen.handles.contains(signal) && seen.finishing && (seen.finished || is_over);
        let may = !seen.has_served
            || seen.disconnected
            || seen.leaves_by_itself
            || seen.hung_up
            || seen.hung;
        must!(may || called, "requests may be in progress");
        Ok(())
    }

    /// Nobody may come who wants what is closed, and the workers have had time to listen.
    fn check_unheld(&mut self, now: Moment) -> Result<(), Broken> {
        let changed = self.ports_changed.take();
        must!(!self.is_ending(), "it is over");
        must!(
            changed.is_some_and(|at| at < now),
            "nothing has changed, or just now"
        );
        let boots = |seen: &Seen| seen.boots() && !seen.said_ready;
        must!(!self.known.values().any(boots), "somebody boots");
        must!(self.reload.is_none(), "workers are being replaced");
        let always = self.config.restart.policy == RestartPolicy::Always;
        // One that a signal has stopped keeps its place, and its ports.
        let halted = self.known.values().filter(|seen| seen.halted).count();
        must!(
            !always || self.serving.len() + halted >= self.target,
            "somebody is missing"
        );
        let grace = self.grace();
        let silent = self.known.iter().find(|(id, seen)| {
            self.serving.contains(id) && seen.silent_since.is_some_and(|at| now < at + grace)
        });
        must!(silent.is_none(), "{:?} may leave", silent.map(|it| it.0));
        Ok(())
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
                    "a delay out of bounds"
                );
            }
            Report::Ended { .. } | Report::Overdue { .. } | Report::LastWorker => {}
            Report::NeverReady { worker, timeout } => {
                let expected = self.ready_timeout();
                let seen = self.seen(worker)?;
                let waited = seen.waits_since.map(|since| now - since);
                must!(timeout == expected, "another timeout was asked for");
                must!(
                    waited.is_some_and(|waited| waited >= timeout),
                    "it has waited {waited:?}"
                );
                let said_ready = seen.said_ready && seen.member.is_some();
                must!(!said_ready || seen.halted, "it said it is");
                seen.never_ready = true;
            }
            // Where one leaves first to be replaced, they are so for a moment.
            Report::AllReady { workers } => {
                must!(!self.is_ending(), "it is over");
                must!(workers == self.target, "so many were not wanted");
                self.has_been_complete = true;
            }
            Report::Command { worker, .. } => {
                must!(self.starts.command_ended, "it was none");
                let own = self.statuses.get(&worker);
                must!(own == Some(&0), "it has failed");
                self.end.asked.get_or_insert(now);
                self.end.command = true;
                self.reload = None;
            }
            Report::CrashLoop { worker, status, .. } => {
                must!(status != 0, "it would count as success");
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
                must!(expected == after, "another time was asked for");
                let open = self.seen(worker)?.question.map(|at| now - at);
                must!(
                    open.is_some_and(|open| open >= after),
                    "its question is open for {open:?}"
                );
            }
            Report::Stopped { worker, .. } => {
                must!(self.seen(worker)?.halted, "it runs");
            }
            Report::Continued { worker } => {
                must!(!self.seen(worker)?.halted, "it does not run");
            }
            Report::Responsive { worker } => {
                must!(self.seen(worker)?.question.is_none(), "it has not answered");
            }
            Report::ScaleDone { workers } => {
                must!(self.scale_pending, "nobody has asked for it");
                self.scale_pending = false;
                must!(workers <= self.target, "so many were not wanted");
            }
            Report::RequestRefused { why } => self.refused(why)?,
            Report::ReloadDone { .. } => {
                let begun = self.reload.take();
                must!(begun.is_some(), "none was begun");
                let whole = std::mem::take(&mut self.whole_reload);
                let old = self.known.iter().find(|(id, seen)| {
                    let serves = self.serving.contains(id) && !seen.leaves_by_itself;
                    let in_reserve = seen.rests();
                    let stays = (serves && seen.retired.is_none()) || seen.boots() || in_reserve;
                    whole && stays && Some(seen.asked) < begun
                });
                must!(old.is_none(), "{:?} is an old one", old.map(|it| it.0));
            }
            Report::ReloadFailed { worker } => {
                must!(self.reload.take().is_some(), "none was begun");
                self.whole_reload = false;
                let seen = self.known.get(&worker).or(self.just_gone.as_ref());
                let by_itself = seen.is_some_and(|seen| seen.never_ready || !seen.stopped);
                must!(by_itself, "its successor has not failed");
            }
            Report::Scaled { from, to } => {
                must!(from == self.target && to > 0, "there were {}", self.target);
                self.target = to;
                self.starts.wanted();
                self.scale_pending = true;
            }
            Report::Stopping { signal } => {
                self.end.signal = Some(signal);
                must!(self.end.asked.is_none(), "twice");
                self.end.asked = Some(now);
                self.reload = None;
            }
            Report::TerminalClosed => must!(!self.is_ending(), "it is over"),
            Report::Aborting => {
                must!(!self.single(), "it is the child's");
                self.end.aborted = true;
            }
            Report::StoppingAtOnce => {
                must!(self.is_impatient(), "nobody is in a hurry");
                must!(!self.end.in_a_hurry, "twice");
                self.end.in_a_hurry = true;
            }
            Report::WaitingForLeftovers | Report::KillingLeftovers => {
                must!(self.end.leftovers.is_some(), "they were not asked");
            }
        }
        Ok(())
    }
}
