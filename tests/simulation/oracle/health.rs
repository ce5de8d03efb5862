//! Rules for workers that hang or are replaced for age or memory, and for what `pidone ctl` shows.

use super::*;

/// The interval of memory measurements.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// The maximum interval of pings to a worker that answers.
const PING_EVERY: Duration = Duration::from_secs(5);

impl Oracle {
    /// A worker that serves, perhaps only since a moment ago, as a spare that was ready before.
    fn serves(&mut self, id: WorkerId) -> Result<&mut Seen, Broken> {
        let served_before = self.serving.contains(&id);
        let seen = self.seen(id)?;
        let serves = served_before || (seen.said_ready && seen.member.is_some());
        must!(serves && !seen.stopped, "it does not serve");
        Ok(seen)
    }

    pub(super) fn check_ping(&mut self, id: WorkerId, now: Moment) -> Result<(), Broken> {
        let watched = self.rule(|rules| rules.hang_timeout).is_some();
        let looked = self.looked;
        must!(watched || looked, "no option or status request needs it");
        must!(self.channel(), "there is no channel");
        if looked && self.serves(id).is_err() {
            let seen = self.seen(id)?;
            must!(seen.waits_since.is_some(), "it is not running yet");
            must!(!seen.channel_closed, "its channel is closed");
            return Ok(());
        }
        let seen = self.serves(id)?;
        must!(!seen.channel_closed, "its channel is closed");
        must!(
            !looked || seen.question.is_none(),
            "it has not answered the last ping"
        );
        seen.pinged.get_or_insert(now);
        seen.question.get_or_insert(now);
        Ok(())
    }

    pub(super) fn unresponsive_after(&self) -> Duration {
        let workers = self.config.workers.as_ref();
        workers.map_or(Duration::MAX, |workers| workers.unresponsive_after)
    }

    /// No serving worker has answered a ping for this long.
    fn all_open_for(&self, time: Duration, now: Moment) -> bool {
        let is_open = |id: &WorkerId| {
            let question = self.known.get(id).and_then(|seen| seen.question);
            question.is_some_and(|at| now - at >= time)
        };
        self.serving.iter().all(is_open)
    }

    pub(super) fn check_measure(&mut self, id: WorkerId, now: Moment) -> Result<(), Broken> {
        must!(
            self.rule(|rules| rules.max_memory).is_some(),
            "no option or status request needs it"
        );
        let seen = self.serves(id)?;
        let last = seen.measured.replace(now);
        let is_rare = last.is_none_or(|last| now >= last + MEASURE_EVERY);
        must!(is_rare, "it was measured at {last:?}");
        Ok(())
    }

    pub(super) fn hung(
        &mut self,
        id: WorkerId,
        after: Duration,
        now: Moment,
    ) -> Result<(), Broken> {
        let timeout = self.rule(|rules| rules.hang_timeout);
        must!(timeout == Some(after), "not the configured timeout");
        let seen = self.seen(id)?;
        let waited = seen.pinged.map(|at| now - at);
        must!(
            waited.is_some_and(|waited| waited >= after),
            "its ping is unanswered for {waited:?}"
        );
        must!(!seen.hung, "twice");
        seen.hung = true;
        let member = seen.member;
        self.starts.lost(member);
        Ok(())
    }

    pub(super) fn recycled(
        &mut self,
        id: WorkerId,
        reason: Reason,
        now: Moment,
    ) -> Result<(), Broken> {
        let halted = self.seen(id)?.halted;
        must!(halted || self.serving.contains(&id), "it does not serve");
        must!(!self.is_ending(), "pidone is stopping");
        must!(self.reload.is_none(), "a reload is in progress");
        let mut others = self.known.values();
        let boots = others.any(|seen| seen.member.is_some() && !seen.said_ready && !seen.stopped);
        must!(!self.in_place() || !boots, "another worker boots");
        let max_memory = self.limits.max_memory;
        let max_age = self.rule(|rules| rules.max_age);
        let seen = self.seen(id)?;
        match reason {
            Reason::Memory { bytes, limit } => {
                must!(max_memory == Some(limit), "not the configured limit");
                must!(
                    bytes == seen.bytes && bytes > limit,
                    "it uses {}",
                    seen.bytes
                );
            }
            Reason::Age => {
                let served = seen.served_since.map(|since| now - since);
                let (Some(served), Some(age)) = (served, max_age) else {
                    return Err("no maximum age is configured".into());
                };
                must!(served >= age * 9 / 10, "it has served for {served:?}");
            }
        }
        let last = seen.recycled.replace(now);
        let is_rare = last.is_none_or(|last| now >= last + MEASURE_EVERY);
        must!(is_rare, "it was replaced at {last:?} already");
        Ok(())
    }

    pub(super) fn refused(&mut self, why: Refusal) -> Result<(), Broken> {
        self.scale_pending = self.scale_was_pending;
        let right = match why {
            Refusal::SingleMode => self.single(),
            Refusal::NotStarted => self.newest == 1,
            Refusal::Stopping => self.is_ending(),
            Refusal::NoSuchSlot { slot, slots } => slots == self.target && slot >= slots,
            Refusal::TooFew => true,
            Refusal::TooMany { most } => self.target <= most,
        };
        must!(right, "the reason is wrong");
        Ok(())
    }

    /// A hanging worker is detected in time.
    pub(super) fn check_health(&mut self, now: Moment) -> Result<(), Broken> {
        for id in &self.serving {
            if let Some(seen) = self.known.get_mut(id) {
                seen.served_since.get_or_insert(now);
            }
        }
        if self.is_ending() {
            return Ok(());
        }
        if let Some(timeout) = self.rule(|rules| rules.hang_timeout) {
            let most = timeout + PING_EVERY + self.slack;
            let is_stuck = |id: &&WorkerId| {
                let seen = self.known.get(id);
                seen.is_some_and(|seen| {
                    !seen.channel_closed && seen.stuck_since.is_some_and(|since| since + most < now)
                })
            };
            let stuck = self.serving.iter().find(is_stuck);
            must!(stuck.is_none(), "{stuck:?} hangs undetected");
        }
        Ok(())
    }

    /// When nothing else is in progress, no worker is beyond its maximum age.
    pub(super) fn check_ages(&self, now: Moment) -> Result<(), Broken> {
        let Some(age) = self.rule(|rules| rules.max_age) else {
            return Ok(());
        };
        let is_too_old = |id: &&WorkerId| {
            let seen = self.known.get(id);
            seen.is_some_and(|seen| {
                // It may wait because replacements of workers before it have failed.
                let wait = self.config.restart.max_delay.max(MEASURE_EVERY);
                let most = age * 11 / 10 + wait + self.slack;
                let old = seen.served_since.is_some_and(|at| at + most < now);
                old && seen.recycled.is_none()
            })
        };
        let too_old = self.serving.iter().find(is_too_old);
        must!(too_old.is_none(), "{too_old:?} is too old");
        Ok(())
    }

    /// The status must match the actual state.
    pub(super) fn check_views(
        &mut self,
        supervisor: &Supervisor,
        now: Moment,
    ) -> Result<(), Broken> {
        let ready = supervisor
            .slots()
            .filter(|slot| slot.state == StateView::Ready);
        let seen: BTreeSet<_> = ready.filter_map(|slot| slot.worker).collect();
        let serving: BTreeSet<_> = self.serving.iter().copied().collect();
        must!(
            seen == serving,
            "{seen:?} are shown as ready, but {serving:?} serve"
        );
        must!(
            supervisor.target() == self.target,
            "the target number is wrong"
        );
        if self.config.restart.policy != RestartPolicy::Never && !self.is_ending() {
            let is_hung = |id: &WorkerId| self.known.get(id).is_some_and(|seen| seen.hung);
            let mut held = supervisor.slots().filter_map(|slot| slot.worker);
            must!(
                !held.any(|id| is_hung(&id)),
                "a hanging worker keeps its slot"
            );
        }
        must!(
            !supervisor.is_reloading() || self.reload.is_some(),
            "no reload was requested"
        );
        let wanted = supervisor.slots().take(self.target);
        let all = wanted
            .map(|slot| slot.state == StateView::Ready)
            .reduce(|one, other| one && other);
        self.has_been_complete |= all == Some(true);
        let ending = self.is_ending() || self.end.child_asked || self.exited;
        let is_ready =
            self.has_been_complete && !serving.is_empty() && !ending && !self.port_is_lost;
        let after = self.unresponsive_after();
        if is_ready && self.all_open_for(after, now) {
            // Time in which pidone did not run does not count, as far as pidone can know.
            let for_sure = after.saturating_add(self.slack);
            let may_be = !self.all_open_for(for_sure, now);
            must!(
                !supervisor.is_ready() || may_be,
                "all workers hang, but pidone is ready"
            );
            return Ok(());
        }
        must!(
            supervisor.is_ready() == is_ready,
            "pidone's readiness is {}",
            !is_ready
        );
        Ok(())
    }
}
