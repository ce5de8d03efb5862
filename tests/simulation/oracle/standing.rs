//! Rules after each event, and at the end.

use super::*;

impl Oracle {
    pub fn after(
        &mut self,
        event: &Event,
        actions: &[Action],
        supervisor: &Supervisor,
        now: Moment,
    ) -> Result<(), Broken> {
        let before = std::mem::take(&mut self.serving);
        self.serving = supervisor.serving().collect();
        let halted: Vec<_> = supervisor
            .slots()
            .filter(|slot| slot.state == StateView::Stopped)
            .filter_map(|slot| slot.worker)
            .collect();
        for (id, seen) in &mut self.known {
            let serves = self.serving.contains(id);
            must!(!serves || !seen.halted, "{id:?} is stopped, but serves");
            // Perhaps only for a moment: a reload that was requested while it booted comes next.
            let could_serve =
                seen.said_ready && seen.member.is_some() && seen.waits_since.is_some();
            let is_new = *event == Event::Ready(*id) && seen.is_ready_unasked;
            let is_unasked = is_new || (!seen.stopped && !seen.disconnected);
            let may_serve = could_serve && is_unasked && !seen.halted;
            seen.has_served |= serves || may_serve;
            if seen.has_served && !serves && !halted.contains(id) {
                seen.retired.get_or_insert(now);
            }
        }
        self.check_serving(supervisor)?;
        self.check_restarts(supervisor)?;
        self.check_numbers()?;
        self.check_departures(now)?;
        self.check_stop(event)?;
        self.check_closed(event, actions)?;
        self.check_requests(actions)?;
        self.check_progress(event, actions, now)?;
        self.check_continued(actions)?;
        self.check_loss(&before, event, actions)?;
        self.check_steering()?;
        self.check_health(now)?;
        self.check_limits(now)?;
        self.check_views(supervisor, now)?;
        self.check_leftovers(supervisor, now)?;
        self.check_groups(supervisor)?;
        self.check_deadline(event, actions, supervisor, now)
    }

    /// One worker for each slot, and not too many.
    fn check_serving(&self, supervisor: &Supervisor) -> Result<(), Broken> {
        let mut instances = BTreeSet::new();
        let mut slots = BTreeSet::new();
        for id in &self.serving {
            let seen = self
                .known
                .get(id)
                .ok_or_else(|| format!("{id:?} serves, but has exited"))?;
            let member = seen
                .member
                .ok_or_else(|| format!("{id:?} is a spare, but serves"))?;
            must!(seen.said_ready, "{id:?} has not reported readiness");
            must!(
                instances.insert(seen.instance),
                "two have the number of {id:?}"
            );
            must!(
                slots.insert(member.slot()),
                "two serve in the slot of {id:?}"
            );
            must!(
                supervisor.accepts(*id),
                "{id:?} serves, but does not accept"
            );
        }
        let booting: Vec<_> = self.known.values().filter(|seen| seen.boots()).collect();
        // Those that have begun go on when fewer are wanted.
        let surge = self.surge(self.most_wanted);
        let most = self.target + surge;
        must!(
            self.serving.len() <= self.target && self.serving.len() + booting.len() <= most,
            "{} serve and {} boot, of {}",
            self.serving.len(),
            booting.len(),
            self.target
        );
        // A replacement has the number of its predecessor.
        let mut numbers = BTreeMap::new();
        for seen in self.known.values().filter(|seen| seen.boots()) {
            *numbers.entry(seen.instance).or_insert(0) += 1;
        }
        let twins = numbers
            .iter()
            .filter(|(number, count)| **count + usize::from(instances.contains(number)) > 1);
        let twins = twins.count();
        must!(twins <= surge, "{twins} are being replaced, of {surge}");
        Ok(())
    }

    /// Every worker has a purpose: it serves, boots, is a spare, or stops.
    fn check_numbers(&self) -> Result<(), Broken> {
        let mut spares = 0;
        for (id, seen) in &self.known {
            spares += usize::from(seen.member.is_none() && !seen.stopped);
            let has_slot = self.serving.contains(id) || seen.boots() || seen.member.is_none();
            let begins = seen.waits_since.is_none();
            let stopping = seen.stopped || seen.disconnected || seen.retired.is_some();
            must!(
                has_slot || seen.halted || begins || stopping || self.single(),
                "{id:?} has no purpose"
            );
        }
        let most = self.spares();
        must!(spares <= most, "{spares} spares, of {most}");
        Ok(())
    }

    /// A worker that must exit is killed in time.
    fn check_departures(&self, now: Moment) -> Result<(), Broken> {
        let Some(workers) = &self.config.workers else {
            return Ok(());
        };
        let most = workers.http_drain.unwrap_or_default() + self.grace() + self.slack;
        let late = self.known.iter().find(|(_, seen)| {
            let is_over = seen.retired.is_some_and(|at| at + most < now);
            is_over && !seen.killed && self.end.leftovers.is_none()
        });
        must!(
            late.is_none(),
            "{:?} was not killed in time",
            late.map(|it| it.0)
        );
        Ok(())
    }

    /// A request to stop is obeyed.
    fn check_stop(&self, event: &Event) -> Result<(), Broken> {
        let wanted = match event {
            Event::Signal(signal) => self.rewritten(*signal).is_some_and(Signal::asks_to_stop),
            Event::Request { request, .. } => *request == Request::Stop,
            _ => false,
        };
        let closed = *event == Event::TerminalClosed;
        let wanted = wanted || (closed && self.rewritten(Signal::HUP) == Some(Signal::HUP));
        let aborts = matches!(event, Event::Signal(signal)
            if self.rewritten(*signal) == Some(Signal::ABRT) && !self.single());
        must!(!aborts || self.exited, "SIGABRT has no effect");
        let obeys = self.single() || self.exited || self.is_ending();
        must!(!wanted || obeys, "the request to stop has no effect");
        let by_signal = wanted && matches!(event, Event::Signal(_));
        let end = &self.end;
        let at_once = end.leftovers_killed || self.exited;
        let at_once = at_once || (end.leftovers.is_none() && (self.single() || end.urgent));
        must!(
            !by_signal || end.echo || !self.is_urgent() || at_once,
            "the second request to stop has no effect"
        );
        Ok(())
    }

    /// The remaining processes of a worker's group have two seconds.
    fn check_groups(&self, supervisor: &Supervisor) -> Result<(), Broken> {
        let next = supervisor.next_deadline();
        let grace = Duration::from_secs(2);
        let mut left = self.groups.iter().filter(|_| !self.exited);
        let forgotten = left.find(|(_, since)| next.is_none_or(|at| at > **since + grace));
        must!(forgotten.is_none(), "{forgotten:?} are not killed in time");
        Ok(())
    }

    /// Leftover processes delay the exit by at most two seconds.
    fn check_leftovers(&self, supervisor: &Supervisor, now: Moment) -> Result<(), Broken> {
        let waits = !self.exited && !self.end.leftovers_killed;
        if let Some(asked) = self.end.leftovers.filter(|_| waits) {
            let until = asked + Duration::from_secs(2);
            let next = supervisor.next_deadline();
            must!(
                next.is_some_and(|at| at <= until) && now <= until + self.slack,
                "leftovers signalled at {asked:?} are killed at {next:?}"
            );
        }
        Ok(())
    }

    /// A stopped worker is continued when it gets a stop signal.
    fn check_continued(&self, actions: &[Action]) -> Result<(), Broken> {
        let continued = |id| {
            let is_so = |action: &Action| match action {
                Action::Signal { worker, signal, .. } => {
                    *worker == id && matches!(*signal, Signal::CONT | Signal::KILL)
                }
                _ => false,
            };
            actions.iter().any(is_so)
        };
        for action in actions {
            if let Action::Signal { worker, signal, .. } = action
                && signal.asks_to_stop()
                && let Some(seen) = self.known.get(worker)
            {
                let obeys = !seen.halted || continued(*worker);
                must!(obeys, "{worker:?} is stopped, and does not get {signal}");
            }
        }
        Ok(())
    }

    /// A worker whose handler has closed its listeners is told to disconnect.
    fn check_closed(&self, event: &Event, actions: &[Action]) -> Result<(), Broken> {
        if let Event::Listens { worker, any: false } = event
            && let Some(seen) = self.known.get(worker)
            && seen.signalled.is_some()
            && !(seen.channel_closed || seen.hung || seen.disconnects_itself || seen.killed)
        {
            let told = seen.disconnected || actions.contains(&Action::Disconnect(*worker));
            must!(
                told,
                "{worker:?} has closed its listeners, but is not told to disconnect"
            );
        }
        Ok(())
    }

    /// A worker stops serving only for a reason.
    fn check_loss(
        &self,
        before: &[WorkerId],
        event: &Event,
        actions: &[Action],
    ) -> Result<(), Broken> {
        let explained = match event {
            Event::Exited { worker, .. }
            | Event::Disconnects(worker)
            | Event::Stopped { worker, .. } => before.contains(worker),
            _ => false,
        };
        let lost = before.len().saturating_sub(self.serving.len());
        let wanted = actions.iter().map(|action| match action {
            Action::Report(Report::Hung { .. }) => 1,
            Action::Report(Report::Scaled { from, to } | Report::CpusChanged { from, to }) => {
                from.saturating_sub(*to)
            }
            Action::Report(Report::Recycled { .. }) => usize::from(self.in_place()),
            _ => 0,
        });
        let allowed = usize::from(explained || self.in_place()) + wanted.sum::<usize>();
        must!(
            lost <= allowed || self.is_ending() || self.end.child_asked || self.end.aborted,
            "{lost} fewer serve than before"
        );
        Ok(())
    }

    /// New connections go to all workers that serve, and to no others.
    fn check_steering(&self) -> Result<(), Broken> {
        if !self.can_steer() || self.exited || self.is_ending() {
            return Ok(());
        }
        let Some(members) = &self.steered else {
            return Err("no member is steered to".into());
        };
        let named: BTreeSet<_> = members.iter().copied().flatten().collect();
        must!(!named.is_empty(), "no member gets new connections");
        let serve: BTreeSet<_> = self
            .serving
            .iter()
            .filter_map(|id| self.known.get(id)?.member)
            .collect();
        must!(
            serve.is_empty() || serve == named,
            "{serve:?} serve, but new connections go to {named:?}"
        );
        let in_order = members.iter().enumerate();
        let mut orphaned_queues =
            in_order.filter_map(|(slot, member)| Some((slot, (*member)?.slot())));
        must!(
            orphaned_queues.all(|(slot, own)| slot == own),
            "another slot's member"
        );
        Ok(())
    }

    fn check_deadline(
        &mut self,
        event: &Event,
        actions: &[Action],
        supervisor: &Supervisor,
        now: Moment,
    ) -> Result<(), Broken> {
        if self.exited {
            return Ok(());
        }
        let deadline = supervisor.next_deadline();
        if *event == Event::Tick {
            let overdue = deadline.is_some_and(|at| at <= now);
            let same_time = self.last_tick == Some(now);
            // After a time jump, one tick may make another deadline due.
            let has_jumped = self.slack > SLACK && !same_time;
            let progress = !overdue || !actions.is_empty() || has_jumped;
            must!(progress, "a tick without progress");
            self.last_tick = Some(now);
            self.ticks_in_a_row = if same_time {
                self.ticks_in_a_row + 1
            } else {
                0
            };
            must!(self.ticks_in_a_row < 50, "too many ticks at one time");
        }
        if let Some(asked) = self.end.asked
            && let Some(workers) = &self.config.workers
        {
            let serving = workers
                .drain_delay
                .max(workers.http_drain.unwrap_or_default());
            let most = serving + self.grace() + KILL_GRACE + self.slack;
            must!(now <= asked + most, "the stop takes longer than {most:?}");
        }
        if !self.is_ending() {
            self.check_rest(deadline, now)?;
        }
        Ok(())
    }

    /// When there is nothing to do, pidone sleeps; when a worker is missing, it does not.
    fn check_rest(&self, deadline: Option<Moment>, now: Moment) -> Result<(), Broken> {
        let complete = self.serving.len() == self.target;
        let rests = |(id, seen): (&WorkerId, &Seen)| self.serving.contains(id) || seen.rests();
        let no_others = self.known.len() == self.target + self.spares();
        if complete && no_others && self.known.iter().all(rests) && !self.single() {
            let looks_after = |rules: &WorkerRules| {
                rules.max_memory.is_some()
                    || rules.max_age.is_some()
                    || rules.hang_timeout.is_some()
            };
            let has_news = self.ports_changed.is_some();
            must!(
                !has_news || deadline.is_some(),
                "ports have changed, but no check is scheduled"
            );
            let may_wake = |seen: &Seen| seen.channel_closed || seen.question.is_some();
            let sleeps = deadline.is_none()
                || has_news
                || self.limits_may_wake(now)
                || !self.groups.is_empty()
                || self.known.values().any(may_wake)
                || self.config.workers.as_ref().is_some_and(looks_after);
            must!(sleeps, "pidone wakes up without work");
            must!(self.reload.is_none(), "a reload makes no progress");
            must!(
                !self.scale_pending,
                "the scaling is complete, but was not reported"
            );
            self.check_ages(now)?;
        }
        let always = self.config.restart.policy == RestartPolicy::Always;
        if always && !self.single() && !complete {
            let mut others = self.known.iter().filter(|(_, seen)| seen.member.is_some());
            let changes = others.any(|(id, _)| !self.serving.contains(id));
            must!(
                changes || deadline.is_some(),
                "a worker is missing, but no start is scheduled"
            );
        }
        Ok(())
    }

    pub fn at_the_end(&self, status: u8, left: bool, now: Moment) -> Result<(), Broken> {
        if self.end.aborted {
            must!(status == 134, "pidone must end by SIGABRT");
            return Ok(());
        }
        must!(
            !(left && self.end.leftovers.is_none_or(|at| now < at)),
            "a process is left running"
        );
        let expected = |status: u8| {
            if self.config.expected.contains(&status) {
                0
            } else {
                status
            }
        };
        let killed = if self.end.killed {
            Ended::Killed(Signal::KILL).status()
        } else {
            0
        };
        let right = if let Some(failed) = self.end.first_failed {
            failed
        } else if let Some(looper) = self.end.crash_loop {
            let status = match self.statuses.get(&looper).copied().unwrap_or(0) {
                0 => expected(killed),
                own => expected(own),
            };
            // 0 would look like success.
            status.max(1)
        } else if self.end.asked.is_some() {
            expected(killed)
        } else if self.single() {
            let last = self.last_to_end.and_then(|id| self.statuses.get(&id));
            expected(last.copied().unwrap_or(0))
        } else {
            let one_of_them = |own: &&u8| expected(**own) == status;
            let own = self.statuses.values().find(one_of_them);
            own.map_or(255, |own| expected(*own))
        };
        must!(status == right, "the exit status is {status}, not {right}");
        Ok(())
    }
}
