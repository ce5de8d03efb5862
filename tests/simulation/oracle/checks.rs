//! What must hold when a worker is started, stopped, or its ports are closed.

use super::*;

impl Oracle {
    pub(super) fn starts(&mut self, start: &Start, now: Moment) -> Result<(), Broken> {
        must!(
            start.worker.0 == self.newest + 1,
            "not the next worker number"
        );
        self.newest += 1;
        must!(
            !self.is_ending() && !self.end.child_asked,
            "pidone is stopping"
        );
        if let Some(member) = start.member {
            self.check_free(member)?;
            self.check_surge(member)?;
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

    /// A worker that starts beside the one that it replaces is one of `--surge`, and shares its
    /// member with none.
    fn check_surge(&self, member: Member) -> Result<(), Broken> {
        let serves = |slot: usize| {
            let here = |id: &WorkerId| {
                let seen = self.known.get(id)?;
                let leaves = seen.disconnects_itself || seen.hung || seen.retired.is_some();
                seen.member.filter(|_| !leaves && !seen.stopped)
            };
            let mut serving = self.serving.iter().filter_map(here);
            serving.any(|member| member.slot() == slot)
        };
        let boots = |seen: &Seen| {
            let begins = seen.waits_since.is_none() && !seen.dropped;
            (begins || seen.boots()) && !seen.said_ready
        };
        let booting = self.known.values().filter(|seen| boots(seen));
        let beside = booting.filter(|seen| seen.member.is_some_and(|own| serves(own.slot())));
        let surge = self.surge(self.target);
        if self.in_place() || !serves(member.slot()) {
            return Ok(());
        }
        must!(
            beside.count() < surge,
            "more than {surge} are being replaced"
        );
        let mut known = self.known.iter();
        let sharer = known.find(|(_, seen)| seen.member == Some(member));
        must!(
            sharer.is_none(),
            "it shares its member with {:?}",
            sharer.map(|it| it.0)
        );
        Ok(())
    }

    /// No worker that serves or boots has this member.
    pub(super) fn check_free(&self, member: Member) -> Result<(), Broken> {
        let taken = |id: &WorkerId, seen: &Seen| {
            let serves = self.serving.contains(id)
                && !seen.disconnects_itself
                && !seen.stopped
                && seen.retired.is_none();
            seen.member == Some(member) && (serves || seen.boots())
        };
        let taker = self.known.iter().find(|(id, seen)| taken(id, seen));
        must!(
            taker.is_none(),
            "the member belongs to {:?}",
            taker.map(|it| it.0)
        );
        let others = self.known.iter().filter(|(id, seen)| {
            let leaves = seen.disconnects_itself || seen.hung || seen.halted;
            let is_wanted = seen
                .member
                .is_some_and(|member| member.slot() < self.target);
            self.serving.contains(id) && is_wanted && !leaves
        });
        let has_left_queues = |seen: &Seen| {
            let told = seen.finishing || seen.disconnected || seen.stopped;
            (told || seen.disconnects_itself) && !seen.listens
        };
        let mut holders = self.known.values();
        let drains = |seen: &Seen| seen.member == Some(member) && !has_left_queues(seen);
        must!(
            !holders.any(drains) || others.count() == 0,
            "a worker of this member still drains, and others serve"
        );
        let is_taken = |member| self.known.values().any(|seen| seen.member == Some(member));
        must!(
            !is_taken(member) || is_taken(member.other()),
            "another worker of this member still stops"
        );
        Ok(())
    }

    /// The accept queue of a worker that has served must be empty before it closes.
    pub(super) fn check_quiet(&mut self, id: WorkerId, now: Moment) -> Result<(), Broken> {
        let (can_steer, grace, closed) = (self.can_steer(), self.grace(), self.end.closed);
        let all_empty = self.end.queues_empty;
        let urgent = self.end.urgent;
        let seen = self.seen(id)?;
        let has_waited = |since: Option<Moment>| since.is_some_and(|at| at + grace / 2 <= now);
        let quiet = !can_steer
            || !seen.has_served
            || seen.disconnects_itself
            || seen.hung
            || seen.queue_empty
            || all_empty
            || urgent
            || has_waited(seen.retired)
            || has_waited(closed);
        must!(quiet, "its accept queue may not be empty");
        Ok(())
    }

    /// Once a handler was called, it closes its listeners itself, unless its time is over.
    pub(super) fn check_handler_done(&mut self, id: WorkerId, now: Moment) -> Result<(), Broken> {
        let Some(seen) = self.known.get(&id) else {
            return Ok(());
        };
        let is_over = self.has_used_most_grace(seen, now);
        let may = seen.signalled.is_none() || !seen.listens || is_over;
        must!(may, "its handler is still running");
        // A worker that was told to stop before it served has had its signal.
        let has_handler = seen.announced && seen.handles.contains(self.stop_signal());
        must!(!has_handler || seen.stopped, "its handler was not called");
        Ok(())
    }

    /// The stop signal may kill a worker at once: before that it must be told to disconnect, or
    /// have reported that it has a handler and that all requests are answered.
    pub(super) fn check_answered(
        &self,
        id: WorkerId,
        signal: Signal,
        now: Moment,
    ) -> Result<(), Broken> {
        let Some(seen) = self.known.get(&id).filter(|_| self.drains()) else {
            return Ok(());
        };
        let is_over = self.has_used_most_grace(seen, now);
        let called = seen.handles.contains(signal) && seen.finishing && (seen.finished || is_over);
        let may = !seen.has_served
            || seen.disconnected
            || seen.disconnects_itself
            || seen.channel_closed
            || seen.hung;
        must!(may || called, "requests may be in progress");
        Ok(())
    }

    /// Ports may only be closed when no starting worker may want them and the workers have had time
    /// to listen.
    pub(super) fn check_unheld(&mut self, now: Moment) -> Result<(), Broken> {
        let changed = self.ports_changed.take();
        must!(!self.is_ending(), "pidone is stopping");
        must!(
            changed.is_some_and(|at| at < now),
            "no change of ports, or only at this moment"
        );
        let boots = |seen: &Seen| seen.boots() && !seen.said_ready;
        must!(!self.known.values().any(boots), "a worker boots");
        must!(self.reload.is_none(), "a reload is in progress");
        let always = self.config.restart.policy == RestartPolicy::Always;
        // A worker that a signal has stopped keeps its slot and its ports.
        let halted = self.known.values().filter(|seen| seen.halted).count();
        let halted = halted + usize::from(self.continues);
        must!(
            !always || self.serving.len() + halted >= self.target,
            "a worker is missing"
        );
        let grace = self.grace();
        let silent = self.known.iter().find(|(id, seen)| {
            self.serving.contains(id) && seen.silent_since.is_some_and(|at| now < at + grace)
        });
        must!(
            silent.is_none(),
            "{:?} may be exiting",
            silent.map(|it| it.0)
        );
        Ok(())
    }
}
