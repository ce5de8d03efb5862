//! What must hold of those that are worn out or hang, and of what people ask for.

use super::*;
use crate::scenario::MEMORY;

/// How often memory is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// How long at most until an event loop that turns is asked again.
const PING_EVERY: Duration = Duration::from_secs(5);

impl Oracle {
    /// One that serves; perhaps only since a moment ago, as a spare that was ready before.
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
        must!(watched || looked, "nobody wants to know");
        must!(self.channel(), "there is no channel");
        if looked && self.serves(id).is_err() {
            let seen = self.seen(id)?;
            must!(seen.waits_since.is_some(), "it does not run yet");
            must!(!seen.hung_up, "it cannot be asked");
            return Ok(());
        }
        let seen = self.serves(id)?;
        must!(!seen.hung_up, "it cannot be asked");
        must!(
            !looked || seen.question.is_none(),
            "it has not answered the last one"
        );
        seen.pinged.get_or_insert(now);
        seen.question.get_or_insert(now);
        Ok(())
    }

    pub(super) fn unresponsive_after(&self) -> Duration {
        let workers = self.config.workers.as_ref();
        workers.map_or(Duration::MAX, |workers| workers.unresponsive_after)
    }

    /// No event loop of those who serve has answered for so long.
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
            "nobody wants to know"
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
        must!(timeout == Some(after), "another timeout was asked for");
        let seen = self.seen(id)?;
        let waited = seen.pinged.map(|at| now - at);
        must!(
            waited.is_some_and(|waited| waited >= after),
            "it was waited for {waited:?}"
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
        must!(!self.is_ending(), "it is over");
        must!(self.reload.is_none(), "a reload comes first");
        let mut others = self.known.values();
        let boots = others.any(|seen| seen.member.is_some() && !seen.said_ready && !seen.stopped);
        must!(!self.in_place() || !boots, "somebody else boots");
        let max_age = self.rule(|rules| rules.max_age);
        let seen = self.seen(id)?;
        match reason {
            Reason::Memory { bytes, limit } => {
                must!(limit == MEMORY, "another limit was asked for");
                must!(
                    bytes == seen.bytes && bytes > limit,
                    "it has {}",
                    seen.bytes
                );
            }
            Reason::Age => {
                let served = seen.served_since.map(|since| now - since);
                let (Some(served), Some(age)) = (served, max_age) else {
                    return Err("nobody wants that".into());
                };
                must!(served >= age * 9 / 10, "it has served for {served:?}");
            }
        }
        let last = seen.recycled.replace(now);
        let is_rare = last.is_none_or(|last| now >= last + MEASURE_EVERY);
        must!(is_rare, "that was tried at {last:?}");
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
        must!(right, "that is not so");
        Ok(())
    }

    /// Nobody stands still for long, or is forgotten.
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
            let stands_still = |id: &&WorkerId| {
                let seen = self.known.get(id);
                seen.is_some_and(|seen| {
                    !seen.hung_up && seen.stuck_since.is_some_and(|since| since + most < now)
                })
            };
            let still = self.serving.iter().find(stands_still);
            must!(still.is_none(), "{still:?} hangs, and nobody sees it");
        }
        Ok(())
    }

    /// Nothing else is going on: whoever is old was to be replaced.
    pub(super) fn check_ages(&self, now: Moment) -> Result<(), Broken> {
        let Some(age) = self.rule(|rules| rules.max_age) else {
            return Ok(());
        };
        let is_forgotten = |id: &&WorkerId| {
            let seen = self.known.get(id);
            seen.is_some_and(|seen| {
                // It may wait because those before it were replaced in vain.
                let wait = self.config.restart.max_delay.max(MEASURE_EVERY);
                let most = age * 11 / 10 + wait + self.slack;
                let old = seen.served_since.is_some_and(|at| at + most < now);
                old && seen.recycled.is_none()
            })
        };
        let forgotten = self.serving.iter().find(is_forgotten);
        must!(forgotten.is_none(), "{forgotten:?} is too old");
        Ok(())
    }

    /// What is seen from outside is what is.
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
        must!(seen == serving, "{seen:?} are seen, and {serving:?} serve");
        must!(supervisor.target() == self.target, "another number is seen");
        if self.config.restart.policy != RestartPolicy::Never && !self.is_ending() {
            let is_hung = |id: &WorkerId| self.known.get(id).is_some_and(|seen| seen.hung);
            let mut places = supervisor.slots().filter_map(|slot| slot.worker);
            must!(
                !places.any(|id| is_hung(&id)),
                "one that hangs keeps its place"
            );
        }
        must!(
            !supervisor.is_reloading() || self.reload.is_some(),
            "nobody has asked for a reload"
        );
        let wanted = supervisor.slots().take(self.target);
        let all = wanted
            .map(|slot| slot.state == StateView::Ready)
            .reduce(|one, other| one && other);
        self.has_been_complete |= all == Some(true);
        let ending = self.is_ending() || self.end.child_asked || self.exited;
        let is_ready = self.has_been_complete && !serving.is_empty() && !ending;
        let after = self.unresponsive_after();
        if is_ready && self.all_open_for(after, now) {
            // A pause does not count, as far as it can be told.
            let for_sure = after.saturating_add(self.slack);
            let may_be = !self.all_open_for(for_sure, now);
            must!(
                !supervisor.is_ready() || may_be,
                "all hang, and it is ready"
            );
            return Ok(());
        }
        must!(
            supervisor.is_ready() == is_ready,
            "it is said to be ready: {}",
            !is_ready
        );
        Ok(())
    }
}
