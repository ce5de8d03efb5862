//! When the ports that no worker listens on are closed, and workers' ports are compared.
//!
//! A port is kept for whoever may still want it: a worker that boots, or one that is to be started.
//! So the shell is told to look only when every wanted worker serves, nothing is being replaced, and
//! the workers have opened and closed nothing for a while.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::member::WorkerId;
use super::worker::{Worker, earliest};
use super::{Phase, Supervisor};

/// How long nothing may have changed. Apps open their second port when a database has answered, not
/// all at the same time.
const QUIET: Duration = Duration::from_secs(2);

/// An app that opens and closes ports all the time puts it off for so long at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// What an app does at once, it does within this time.
const MOMENT: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Review {
    /// When a worker's ports changed for the first and for the last time since the last look.
    changed: Option<(Moment, Moment)>,
    /// Since when every wanted worker serves.
    settled: Option<Moment>,
}

impl Supervisor {
    /// A worker has opened a port or closed one.
    pub(super) fn on_listens(
        &mut self,
        id: WorkerId,
        any: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        self.ports_changed(now);
        if let Some(worker) = self.workers.get_mut(id) {
            worker.silent_since = (!any).then_some(now);
            worker.on_listens(any, actions);
        }
    }

    pub(super) fn ports_changed(&mut self, now: Moment) {
        let first = self.review.changed.map_or(now, |(first, _)| first);
        self.review.changed = Some((first, now));
    }

    /// When the ports are to be looked at, unless something changes before.
    pub(super) fn review_due(&self) -> Option<Moment> {
        let ((first, last), settled) = self.review.changed.zip(self.review.settled)?;
        let quiet = (last + QUIET).min((first + PATIENCE).max(last + MOMENT));
        let quiet = quiet.max(settled + QUIET);
        // One that has closed all its ports finishes its requests and leaves, most often; its
        // successor wants them.
        let grace = self.rules.leave.grace;
        let serving = self.workers.values().filter(|worker| worker.is_ready());
        let silent = serving.filter_map(|worker| Some(worker.silent_since? + grace));
        Some(silent.fold(quiet, Moment::max))
    }

    pub(super) fn look_at_ports(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.nobody_is_on_the_way() {
            self.review.settled.get_or_insert(now);
        } else {
            self.review.settled = None;
        }
        if self.review_due().is_some_and(|at| at <= now) {
            self.review.changed = None;
            actions.push(Action::CloseUnheldPorts);
        }
    }

    /// Nobody boots, waits to be started, or is about to be replaced.
    fn nobody_is_on_the_way(&self) -> bool {
        let boots = |worker: &Worker| worker.member.is_some() && worker.is_starting();
        matches!(self.phase, Phase::Running)
            && self.rollout.is_idle()
            && !self.rollout.is_asked_for()
            && self.is_settled()
            && !self.workers.values().any(boots)
    }

    /// What is due of a run that goes on.
    pub(super) fn running_deadline(&self) -> Option<Moment> {
        let slots = self.slots.iter().filter_map(|slot| slot.start_at);
        let spares = self.spares.iter().filter_map(|spare| spare.start_at);
        let start = slots.chain(spares).min();
        earliest(earliest(start, self.health_deadline()), self.review_due())
    }
}
