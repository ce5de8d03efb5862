//! What must hold after each event, and at the end.

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
            must!(!serves || !seen.halted, "{id:?} is stopped, and serves");
            // Perhaps only for a moment: a reload that was asked for while it booted is next.
            let could_serve =
                seen.said_ready && seen.member.is_some() && seen.waits_since.is_some();
            let may_serve = could_serve && !seen.stopped && !seen.disconnected && !seen.halted;
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
        self.check_continued(actions)?;
        self.check_loss(&before, event, actions)?;
        self.check_steering()?;
        self.check_health(now)?;
        self.check_views(supervisor, now)?;
        self.check_leftovers(supervisor, now)?;
        self.check_groups(supervisor)?;
        self.check_deadline(event, actions, supervisor, now)
    }

    /// One for each place, and not too many.
    fn check_serving(&self, supervisor: &Supervisor) -> Result<(), Broken> {
        let mut instances = BTreeSet::new();
        let mut slots = BTreeSet::new();
        for id in &self.serving {
            let seen = self
                .known
                .get(id)
                .ok_or_else(|| format!("{id:?} serves, and is dead"))?;
            let member = seen
                .member
                .ok_or_else(|| format!("{id:?} is a spare, and serves"))?;
            must!(seen.said_ready, "{id:?} never said that it serves");
            must!(
                instances.insert(seen.instance),
                "two have the number of {id:?}"
            );
            must!(
                slots.insert(member.slot()),
                "two serve in the slot of {id:?}"
            );
            must!(supervisor.is_served(member), "nobody accepts for {id:?}");
        }
        let booting: Vec<_> = self.known.values().filter(|seen| seen.boots()).collect();
        let most = self.target + 1;
        must!(
            self.serving.len() <= self.target && self.serving.len() + booting.len() <= most,
            "{} serve and {} boot, of {}",
            self.serving.len(),
            booting.len(),
            self.target
        );
        // A replacement has the number of the one before.
        let mut numbers = BTreeMap::new();
        for seen in self.known.values().filter(|seen| seen.boots()) {
            *numbers.entry(seen.instance).or_insert(0) += 1;
        }
        let twins = numbers
            .iter()
            .filter(|(number, count)| **count + usize::from(instances.contains(number)) > 1);
        must!(twins.count() <= 1, "more than one is being replaced");
        Ok(())
    }

    /// Nobody is there without a reason: they serve, boot, are held in reserve, or leave.
    fn check_numbers(&self) -> Result<(), Broken> {
        let mut spares = 0;
        for (id, seen) in &self.known {
            spares += usize::from(seen.member.is_none() && !seen.stopped);
            let has_place = self.serving.contains(id) || seen.boots() || seen.member.is_none();
            let begins = seen.waits_since.is_none();
            let leaves = seen.stopped || seen.disconnected || seen.retired.is_some();
            must!(
                has_place || seen.halted || begins || leaves || self.single(),
                "nobody wants {id:?}"
            );
        }
        let most = self.spares();
        must!(spares <= most, "{spares} spares, of {most}");
        Ok(())
    }

    /// Who is to leave is killed in time.
    fn check_departures(&self, now: Moment) -> Result<(), Broken> {
        let Some(workers) = &self.config.workers else {
            return Ok(());
        };
        let most = workers.http_drain.unwrap_or_default() + self.grace() + self.slack;
        let late = self.known.iter().find(|(_, seen)| {
            let is_over = seen.retired.is_some_and(|at| at + most < now);
            is_over && !seen.killed && self.end.leftovers.is_none()
        });
        must!(late.is_none(), "{:?} leaves for ever", late.map(|it| it.0));
        Ok(())
    }

    /// Who is asked to stop does.
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
        must!(!aborts || self.exited, "SIGABRT is lost");
        let hears = self.single() || self.exited || self.is_ending();
        must!(!wanted || hears, "the stop is lost");
        let by_signal = wanted && matches!(event, Event::Signal(_));
        let end = &self.end;
        let at_once = end.leftovers_killed || self.exited;
        let at_once = at_once || (end.leftovers.is_none() && (self.single() || end.in_a_hurry));
        must!(
            !by_signal || end.echo || !self.is_impatient() || at_once,
            "the hurry is lost"
        );
        Ok(())
    }

    /// What a worker leaves behind has two seconds.
    fn check_groups(&self, supervisor: &Supervisor) -> Result<(), Broken> {
        let next = supervisor.next_deadline();
        let grace = Duration::from_secs(2);
        let mut left = self.groups.iter().filter(|_| !self.exited);
        let forgotten = left.find(|(_, since)| next.is_none_or(|at| at > **since + grace));
        must!(forgotten.is_none(), "{forgotten:?} stay for ever");
        Ok(())
    }

    /// What is left of others holds up nothing for longer than two seconds.
    fn check_leftovers(&self, supervisor: &Supervisor, now: Moment) -> Result<(), Broken> {
        let waits = !self.exited && !self.end.leftovers_killed;
        if let Some(asked) = self.end.leftovers.filter(|_| waits) {
            let until = asked + Duration::from_secs(2);
            let next = supervisor.next_deadline();
            must!(
                next.is_some_and(|at| at <= until) && now <= until + self.slack,
                "leftovers asked at {asked:?} have until {next:?}"
            );
        }
        Ok(())
    }

    /// One that is stopped takes no stop signal before it is continued.
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
                let hears = !seen.halted || continued(*worker);
                must!(hears, "{worker:?} is stopped, and does not hear {signal}");
            }
        }
        Ok(())
    }

    /// A handler that has closed what it listens on does not wait for the disconnect.
    fn check_closed(&self, event: &Event, actions: &[Action]) -> Result<(), Broken> {
        if let Event::Listens { worker, any: false } = event
            && let Some(seen) = self.known.get(worker)
            && seen.signalled.is_some()
            && !(seen.hung_up || seen.hung || seen.leaves_by_itself)
        {
            let told = seen.disconnected || actions.contains(&Action::Disconnect(*worker));
            must!(
                told,
                "{worker:?} is done, and nobody tells it to disconnect"
            );
        }
        Ok(())
    }

    /// Nobody stops to serve without a reason.
    fn check_loss(
        &self,
        before: &[WorkerId],
        event: &Event,
        actions: &[Action],
    ) -> Result<(), Broken> {
        let explained = match event {
            Event::Exited { worker, .. }
            | Event::Leaving(worker)
            | Event::Stopped { worker, .. } => before.contains(worker),
            _ => false,
        };
        let lost = before.len().saturating_sub(self.serving.len());
        let wanted = actions.iter().map(|action| match action {
            Action::Report(Report::Hung { .. }) => 1,
            Action::Report(Report::Scaled { from, to }) => from.saturating_sub(*to),
            Action::Report(Report::Recycled { .. }) => usize::from(self.in_place()),
            _ => 0,
        });
        let allowed = usize::from(explained || self.in_place()) + wanted.sum::<usize>();
        must!(
            lost <= allowed || self.is_ending(),
            "{lost} less serve than before"
        );
        Ok(())
    }

    /// New connections go to all those who serve, and to nobody else.
    fn check_steering(&self) -> Result<(), Broken> {
        if !self.can_steer() || self.exited || self.is_ending() {
            return Ok(());
        }
        let Some(members) = &self.steered else {
            return Err("nothing is steered".into());
        };
        let named: BTreeSet<_> = members.iter().copied().flatten().collect();
        must!(!named.is_empty(), "new connections go nowhere");
        let serve: BTreeSet<_> = self
            .serving
            .iter()
            .filter_map(|id| self.known.get(id)?.member)
            .collect();
        must!(
            serve.is_empty() || serve == named,
            "{serve:?} serve, and new connections go to {named:?}"
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
            // One may show that something else is overdue, when time has jumped.
            let has_jumped = self.slack > SLACK && !same_time;
            let progress = !overdue || !actions.is_empty() || has_jumped;
            must!(progress, "a tick without progress");
            self.last_tick = Some(now);
            self.ticks_in_a_row = if same_time {
                self.ticks_in_a_row + 1
            } else {
                0
            };
            must!(self.ticks_in_a_row < 50, "it ticks and ticks");
        }
        if let Some(asked) = self.end.asked
            && let Some(workers) = &self.config.workers
        {
            let serving = workers
                .drain_delay
                .max(workers.http_drain.unwrap_or_default());
            let most = serving + self.grace() + KILL_GRACE + self.slack;
            must!(now <= asked + most, "it takes longer to stop than {most:?}");
        }
        if !self.is_ending() {
            self.check_rest(deadline, now)?;
        }
        Ok(())
    }

    /// Who has nothing to do sleeps; who lacks a worker does not.
    fn check_rest(&self, deadline: Option<Moment>, now: Moment) -> Result<(), Broken> {
        let all_there = self.serving.len() == self.target;
        let rests = |(id, seen): (&WorkerId, &Seen)| self.serving.contains(id) || seen.rests();
        let nobody_else = self.known.len() == self.target + self.spares();
        if all_there && nobody_else && self.known.iter().all(rests) && !self.single() {
            let looks_after = |rules: &WorkerRules| {
                rules.max_memory.is_some()
                    || rules.max_age.is_some()
                    || rules.hang_timeout.is_some()
            };
            let has_news = self.ports_changed.is_some();
            must!(
                !has_news || deadline.is_some(),
                "ports have changed, and nobody will look at them"
            );
            let may_wake = |seen: &Seen| seen.hung_up || seen.question.is_some();
            let sleeps = deadline.is_none()
                || has_news
                || !self.groups.is_empty()
                || self.known.values().any(may_wake)
                || self.config.workers.as_ref().is_some_and(looks_after);
            must!(sleeps, "nothing is going on, but it wakes up");
            must!(self.reload.is_none(), "a reload does not go on");
            must!(
                !self.scale_pending,
                "the number is right, and nobody says so"
            );
            self.check_ages(now)?;
        }
        let always = self.config.restart.policy == RestartPolicy::Always;
        if always && !self.single() && !all_there {
            let mut others = self.known.iter().filter(|(_, seen)| seen.member.is_some());
            let changes = others.any(|(id, _)| !self.serving.contains(id));
            must!(
                changes || deadline.is_some(),
                "somebody is missing, and nobody comes"
            );
        }
        Ok(())
    }

    pub fn at_the_end(&self, status: u8, left: bool, now: Moment) -> Result<(), Broken> {
        if self.end.aborted {
            must!(status == 134, "it ends by SIGABRT");
            return Ok(());
        }
        must!(
            !(left && self.end.leftovers.is_none_or(|at| now < at)),
            "somebody is left behind"
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
            // Whoever watches pidone would take 0 for success.
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
