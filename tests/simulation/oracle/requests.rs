//! Rules for requests: each gets one final reply, which belongs to it and is true.

use super::*;

/// Requests without their final reply.
#[derive(Default)]
pub struct Requests {
    open: BTreeMap<RequestId, (Request, Moment)>,
    /// When a worker was last started, got ready or exited.
    moved: Moment,
}

impl Oracle {
    pub(super) fn requested(&mut self, id: RequestId, request: Request, now: Moment) {
        let request = match request {
            Request::Scale { to } => Request::Scale {
                to: ScaleTo::Number(self.number(to)),
            },
            _ => request,
        };
        self.requests.open.insert(id, (request, now));
    }

    /// How many workers that means now.
    fn number(&self, to: ScaleTo) -> usize {
        let cpus = self.limits.newest_cpus();
        match to {
            ScaleTo::Number(number) => number,
            ScaleTo::More(more) => self.target + more,
            ScaleTo::Fewer(fewer) => self.target.saturating_sub(fewer),
            ScaleTo::Auto => cpus,
            ScaleTo::Percent(percent) => (cpus * percent).div_ceil(100),
        }
    }

    pub(super) fn replied(&mut self, id: RequestId, reply: Reply) -> Result<(), Broken> {
        let asked = self.requests.open.get(&id).copied();
        let (request, at) = asked.ok_or("no such request is open")?;
        if reply.is_final() {
            self.requests.open.remove(&id);
        }
        let replaces = |slot: usize| match request {
            Request::Reload => true,
            Request::Restart { slot: own } => own == slot,
            _ => false,
        };
        let right = match (request, reply) {
            (
                _,
                Reply::Progress {
                    slot,
                    worker,
                    progress,
                },
            ) => {
                let counts = progress.replaced <= progress.of && progress.of <= self.target;
                let seen = self.seen(worker)?;
                let own = seen.member.map(Member::slot) == Some(slot);
                own && seen.said_ready && replaces(slot) && counts && progress.replaced > 0
            }
            (Request::Reload | Request::Restart { .. }, Reply::Failed { .. })
            | (Request::BeginReload, Reply::Done(Done::Begun))
            | (Request::Stop, Reply::Done(Done::Stopping)) => true,
            (Request::Reload, Reply::Done(Done::Replaced { .. })) => {
                let is_old = |(id, seen): (&WorkerId, &Seen)| {
                    seen.asked < at && self.serving.contains(id) && seen.retired.is_none()
                };
                !self
                    .known
                    .iter()
                    .any(|it| is_old(it) && !it.1.disconnects_itself)
            }
            (Request::Restart { .. }, Reply::Done(Done::Replaced { .. })) => true,
            (
                Request::Scale {
                    to: ScaleTo::Number(to),
                },
                Reply::Done(Done::Scaled { workers }),
            ) => to == self.target && workers <= to,
            (
                Request::Scale {
                    to: ScaleTo::Number(to),
                },
                Reply::Superseded { by },
            ) => to != by && by == self.target,
            (Request::Restart { slot }, Reply::Superseded { by }) => {
                slot >= by && by == self.target
            }
            (
                Request::Scale {
                    to: ScaleTo::Number(to),
                },
                Reply::Refused(Refusal::TooFew),
            ) => to == 0,
            (
                Request::Scale {
                    to: ScaleTo::Number(to),
                },
                Reply::Refused(Refusal::TooMany { most }),
            ) => to > most,
            (Request::Restart { slot }, Reply::Refused(Refusal::NoSuchSlot { slot: own, .. })) => {
                slot == own && slot >= self.target
            }
            (Request::Stop, _) => false,
            (_, Reply::Refused(Refusal::Stopping)) => {
                self.is_ending() || self.end.aborted || self.all_gone()
            }
            (_, Reply::Refused(Refusal::SingleMode)) => self.single(),
            (_, Reply::Refused(Refusal::NotStarted)) => self.newest == 1,
            _ => false,
        };
        must!(right, "the reply to {request:?} is wrong");
        Ok(())
    }

    /// A reload goes on until it ends: each of its steps has a time limit.
    pub(super) fn check_progress(
        &mut self,
        event: &Event,
        actions: &[Action],
        now: Moment,
    ) -> Result<(), Broken> {
        let moves = matches!(
            event,
            Event::Started(_) | Event::Ready(_) | Event::Exited { .. } | Event::StartFailed { .. }
        );
        let starts = |action: &Action| matches!(action, Action::Start(_));
        let Some(begun) = self.reload else {
            return Ok(());
        };
        if moves || actions.iter().any(starts) {
            self.requests.moved = now;
        }
        let moved = self.requests.moved.max(begun);
        let drain = self.rule(|rules| rules.http_drain).unwrap_or_default() + self.grace();
        // A worker may miss its time to get ready, and be drained then.
        let longest = self.ready_timeout() + drain + self.config.restart.max_delay + self.slack;
        must!(
            now <= moved + longest || self.is_ending() || self.exited,
            "the reload has not gone on since {moved:?}"
        );
        Ok(())
    }

    fn all_gone(&self) -> bool {
        !self.known.values().any(|seen| seen.member.is_some())
    }

    /// No request stays without a reply.
    pub(super) fn check_requests(&self, actions: &[Action]) -> Result<(), Broken> {
        let waits = self.requests.open.iter().next();
        must!(
            waits.is_none() || !(self.is_ending() || self.exited),
            "{waits:?} has no reply"
        );
        let is_done = |action: &Action| match action {
            Action::Reply { reply, .. } => matches!(reply, Reply::Done(Done::Replaced { .. })),
            _ => false,
        };
        // A worker beyond its age or memory may be the next to be replaced in place.
        let always = self.config.restart.policy == RestartPolicy::Always && !self.in_place();
        let halted = self.known.values().filter(|seen| seen.halted).count();
        let empty = self.serving.len() + halted < self.target;
        must!(
            !(always && empty && actions.iter().any(is_done)),
            "a reload is done, but a slot is empty"
        );
        Ok(())
    }
}
