//! What can be seen of a run from outside: for `pidone ctl status`, probes and metrics.

use core::time::Duration;

use super::event::Moment;
use super::member::WorkerId;
use super::slot::{Past, Slot, Spare};
use super::worker::Worker;
use super::{Phase, Supervisor};
use crate::ended::Ended;

/// A slot, or a spare's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotView {
    /// Its index among the slots, or among the spares.
    pub slot: usize,
    /// The number its worker has, or will have.
    pub instance: usize,
    /// Who serves, boots or leaves here.
    pub worker: Option<WorkerId>,
    /// Who boots to replace it.
    pub successor: Option<WorkerId>,
    /// What the worker does, or what is to come if there is none.
    pub state: StateView,
    /// Since when the worker runs.
    pub since: Option<Moment>,
    /// How often a worker had to be started here because the one before was lost.
    pub restarts: u32,
    /// How the last one that was lost ended, and when.
    pub last_end: Option<(Ended, Moment)>,
}

/// What a slot's worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateView {
    /// It boots.
    Starting,
    /// It serves; of a spare: it is booted.
    Ready,
    /// A signal has stopped it, and it is not to leave: it does nothing until it is continued.
    Stopped,
    /// It leaves.
    Draining,
    /// There is none, and one is to be started later.
    Waiting,
    /// There is none, and none will be.
    Empty,
}

/// Why requests are not welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unready {
    /// Not every worker has been ready yet, or none is.
    Starting,
    /// All workers are to end, or have.
    Stopping,
    /// All workers that could serve are stopped by a signal.
    Stopped,
    /// No event loop has answered a question.
    Unresponsive {
        /// That is older than this.
        after: Duration,
    },
}

impl Supervisor {
    /// The slots in order, those that are being vacated included.
    pub fn slots(&self) -> impl Iterator<Item = SlotView> {
        self.slots.iter().enumerate().map(|(index, slot)| {
            let Slot {
                instance,
                current,
                successor,
                past,
                ..
            } = slot;
            let mut view = self.view(index, *instance, *current, slot.is_pending(), past);
            view.successor = *successor;
            view
        })
    }

    /// The spares in order.
    pub fn spares(&self) -> impl Iterator<Item = SlotView> {
        self.spares.iter().enumerate().map(|(index, spare)| {
            let Spare {
                instance,
                worker,
                start_at,
                waits,
                past,
                ..
            } = spare;
            let is_pending = start_at.is_some() || *waits;
            self.view(index, *instance, *worker, is_pending, past)
        })
    }

    fn view(
        &self,
        slot: usize,
        instance: usize,
        worker: Option<WorkerId>,
        is_pending: bool,
        past: &Past,
    ) -> SlotView {
        let life = worker.and_then(|worker| self.workers.get(worker));
        SlotView {
            slot,
            instance,
            worker,
            successor: None,
            state: match life {
                Some(life) if life.is_leaving() => StateView::Draining,
                Some(life) if life.is_stopped() => StateView::Stopped,
                Some(life) if life.is_starting() => StateView::Starting,
                Some(_) => StateView::Ready,
                None if is_pending => StateView::Waiting,
                None => StateView::Empty,
            },
            since: life.and_then(Worker::since),
            restarts: past.restarts,
            last_end: past.last_end,
        }
    }

    /// Whether requests are welcome: every worker has served once, somebody serves now whose event
    /// loop turns as far as is known, and nobody wants to stop. In single mode: the child runs.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.unready().is_none()
    }

    /// Why requests are not welcome; `None`: they are.
    #[must_use]
    pub fn unready(&self) -> Option<Unready> {
        let complete = self.rules.transparent || self.has_been_complete;
        let nobody_serves = self.serving().next().is_none();
        let mut ready = self.workers.values().filter(|worker| worker.is_ready());
        if self.is_stopping() {
            Some(Unready::Stopping)
        } else if !matches!(self.phase, Phase::Running) || !complete {
            Some(Unready::Starting)
        } else if nobody_serves && ready.next().is_some() {
            Some(Unready::Stopped)
        } else if nobody_serves {
            Some(Unready::Starting)
        } else if self.is_unresponsive() {
            let after = self.rules.watch.unresponsive_after;
            Some(Unready::Unresponsive { after })
        } else {
            None
        }
    }

    /// How long a worker took from its start until it was ready; `None`: it does not serve, or was a
    /// spare.
    #[must_use]
    pub fn boot_time(&self, worker: WorkerId) -> Option<Duration> {
        self.workers.get(worker)?.boot_time()
    }

    /// Since when a worker that served is on its way out; `None`: it is not, or hangs.
    #[must_use]
    pub fn draining_since(&self, worker: WorkerId) -> Option<Moment> {
        let worker = self.workers.get(worker)?;
        let drains = worker.is_leaving() && worker.is_drained();
        worker.asked_to_leave(&self.rules.leave).filter(|_| drains)
    }

    /// How many workers there shall be.
    #[must_use]
    pub fn target(&self) -> usize {
        self.target
    }

    /// Whether workers are being replaced because somebody has asked for it.
    #[must_use]
    pub fn is_reloading(&self) -> bool {
        matches!(self.phase, Phase::Running) && self.rollout.is_asked_for()
    }

    /// Whether all workers are to end, or have.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping(_) | Phase::Leaving(_))
            || self.stop_requested.is_some()
    }
}
