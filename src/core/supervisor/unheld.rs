//! When ports that no worker listens on are closed, and the workers' ports are compared.
//!
//! A port is kept open as long as a worker may still need it: one that boots, or is to be started.
//! So the ports are checked only when every wanted worker is ready, no rollout is in progress, and
//! the workers have opened and closed no port for a while.

use alloc::vec::Vec;
use core::time::Duration;

use super::drain::DrainEvent;
use super::event::{Action, Moment};
use super::member::WorkerId;
use super::worker::{Worker, earliest};
use super::{Phase, Supervisor};

/// How long no port may have changed. Apps open their second port when a database has answered,
/// which is not the same time in each worker.
const QUIET: Duration = Duration::from_secs(2);

/// An app that keeps opening and closing ports delays the check by this much at most.
const MAX_DELAY: Duration = Duration::from_secs(20);

/// Port changes within this time belong together.
const BURST: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Review {
    /// The first and the last port change since the last check.
    changed: Option<(Moment, Moment)>,
    /// Since when every wanted worker is ready.
    settled: Option<Moment>,
    /// No worker listens any longer where all of them did.
    pub(super) port_is_lost: bool,
}

impl Review {
    /// A spare gets a slot, perhaps one that is ready already: it still has to open its ports.
    pub(super) fn on_admitted(&mut self) {
        self.settled = None;
    }
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
            worker.no_listener_since = (!any).then_some(now);
            worker.listens = any;
        }
        // After the stop signal, that means its handler has closed the servers itself.
        if !any {
            self.on_drain_event(Some(id), DrainEvent::ListenersClosed, now, actions);
        }
    }

    pub(super) fn ports_changed(&mut self, now: Moment) {
        let first = self.review.changed.map_or(now, |(first, _)| first);
        self.review.changed = Some((first, now));
    }

    /// When to check the ports, unless something changes before.
    pub(super) fn review_due(&self) -> Option<Moment> {
        let ((first, last), settled) = self.review.changed.zip(self.review.settled)?;
        let quiet = (last + QUIET).min((first + MAX_DELAY).max(last + BURST));
        let quiet = quiet.max(settled + QUIET);
        // A worker that has closed all its ports usually finishes its requests and exits; its
        // successor needs the ports.
        let grace = self.rules.drain.grace;
        let serving = self.workers.values().filter(|worker| worker.is_ready());
        let silent = serving.filter_map(|worker| Some(worker.no_listener_since? + grace));
        Some(silent.fold(quiet, Moment::max))
    }

    pub(super) fn check_ports(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.all_workers_settled() {
            self.review.settled.get_or_insert(now);
        } else {
            self.review.settled = None;
        }
        if self.review_due().is_some_and(|at| at <= now) {
            self.review.changed = None;
            actions.push(Action::CloseUnheldPorts);
        }
    }

    /// Whether no worker boots, waits for its start, or is about to be replaced.
    fn all_workers_settled(&self) -> bool {
        let boots = |worker: &Worker| worker.member.is_some() && worker.is_starting();
        matches!(self.phase, Phase::Running)
            && self.rollout.is_idle()
            && !self.rollout.is_asked_for()
            && self.is_settled()
            && !self.workers.values().any(boots)
    }

    /// The next deadline while no stop is in progress.
    pub(super) fn running_deadline(&self) -> Option<Moment> {
        let slots = self.slots.iter().filter_map(|slot| slot.start_at);
        let spares = self.spares.iter().filter_map(|spare| spare.start_at);
        let start = slots.chain(spares).min();
        let health = earliest(self.health_deadline(), self.limits_deadline());
        earliest(earliest(start, health), self.review_due())
    }
}
