//! The state of a run for `pidone ctl status`, probes and metrics.

use core::time::Duration;

use super::event::Moment;
use super::member::WorkerId;
use super::rollout::Progress;
use super::slot::{History, Slot, Spare};
use super::worker::Worker;
use super::{Phase, Supervisor};
use crate::ended::Ended;

/// A slot or a spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotView {
    /// Its index among the slots, or among the spares.
    pub slot: usize,
    /// The instance number of its worker, or of the next one.
    pub instance: usize,
    /// The worker that boots, serves or is drained.
    pub worker: Option<WorkerId>,
    /// The worker that boots to replace it.
    pub successor: Option<WorkerId>,
    /// What the worker does, or what follows if there is none.
    pub state: StateView,
    /// Since when the worker runs.
    pub since: Option<Moment>,
    /// The number of restarts after an unplanned exit.
    pub restarts: u32,
    /// The last unplanned exit: its status, and when it was.
    pub last_end: Option<(Ended, Moment)>,
}

/// What a slot's worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateView {
    /// It boots.
    Starting,
    /// It is ready; a spare: it is booted.
    Ready,
    /// It is stopped by a signal, and not drained: it does nothing until it is continued.
    Stopped,
    /// It is being drained, or exits.
    Draining,
    /// There is none; one is to be started later.
    Waiting,
    /// There is none; none will be started.
    Empty,
}

/// Why pidone is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unready {
    /// Not every worker has been ready yet, or none is ready.
    Starting,
    /// pidone is stopping.
    Stopping,
    /// All ready workers are stopped by a signal.
    Stopped,
    /// No event loop has answered a ping.
    Unresponsive {
        /// The age of that ping.
        after: Duration,
    },
    /// No worker listens any longer where all of them did.
    PortLost,
}

impl Supervisor {
    /// The slots in order, those that are being vacated included.
    pub fn slots(&self) -> impl Iterator<Item = SlotView> {
        self.slots.iter().enumerate().map(|(index, slot)| {
            let Slot {
                instance,
                current,
                successor,
                history,
                ..
            } = slot;
            let mut view = self.view(index, *instance, *current, slot.is_pending(), history);
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
                history,
                ..
            } = spare;
            let is_pending = start_at.is_some() || *waits;
            self.view(index, *instance, *worker, is_pending, history)
        })
    }

    fn view(
        &self,
        slot: usize,
        instance: usize,
        worker: Option<WorkerId>,
        is_pending: bool,
        history: &History,
    ) -> SlotView {
        let process = worker.and_then(|worker| self.workers.get(worker));
        SlotView {
            slot,
            instance,
            worker,
            successor: None,
            state: match process {
                Some(process) if process.is_draining() => StateView::Draining,
                Some(process) if process.is_stopped() => StateView::Stopped,
                Some(process) if process.is_starting() => StateView::Starting,
                Some(_) => StateView::Ready,
                None if is_pending => StateView::Waiting,
                None => StateView::Empty,
            },
            since: process.and_then(Worker::since),
            restarts: history.restarts,
            last_end: history.last_end,
        }
    }

    /// Whether pidone is ready: every worker has been ready once, a worker serves now whose event
    /// loop is not known to be blocked, and no stop was requested. In single mode: the child runs.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.unready().is_none()
    }

    /// Why pidone is not ready; `None`: it is.
    #[must_use]
    pub fn unready(&self) -> Option<Unready> {
        let complete = self.rules.transparent || self.has_been_complete;
        let none_serves = self.serving().next().is_none();
        let mut ready = self.workers.values().filter(|worker| worker.is_ready());
        if self.is_stopping() {
            Some(Unready::Stopping)
        } else if !matches!(self.phase, Phase::Running) || !complete {
            Some(Unready::Starting)
        } else if none_serves && ready.next().is_some() {
            Some(Unready::Stopped)
        } else if none_serves {
            Some(Unready::Starting)
        } else if self.is_unresponsive() {
            let after = self.rules.watch.unresponsive_after;
            Some(Unready::Unresponsive { after })
        } else {
            self.review.port_is_lost.then_some(Unready::PortLost)
        }
    }

    /// A worker's time from its start until it was ready; `None`: it is not ready, or was a spare.
    #[must_use]
    pub fn boot_time(&self, worker: WorkerId) -> Option<Duration> {
        self.workers.get(worker)?.boot_time()
    }

    /// Since when a worker that was ready is drained; `None`: it is not, or hangs.
    #[must_use]
    pub fn draining_since(&self, worker: WorkerId) -> Option<Moment> {
        self.workers.get(worker)?.draining_since()
    }

    /// The number of workers wanted.
    #[must_use]
    pub fn target(&self) -> usize {
        self.target
    }

    /// Whether a requested reload or restart is in progress.
    #[must_use]
    pub fn is_reloading(&self) -> bool {
        matches!(self.phase, Phase::Running) && self.rollout.is_asked_for()
    }

    /// How far the requested reload or restart is; `None`: none is in progress.
    #[must_use]
    pub fn reload_progress(&self) -> Option<Progress> {
        self.is_reloading().then(|| self.progress())
    }

    /// How many workers are being drained, or exit.
    #[must_use]
    pub fn draining(&self) -> usize {
        let workers = self.workers.values();
        workers.filter(|worker| worker.is_draining()).count()
    }

    /// The memory above which a worker is replaced (`--max-memory`), in bytes.
    #[must_use]
    pub fn max_memory(&self) -> Option<u64> {
        self.rules.watch.max_memory
    }

    /// Whether pidone is stopping.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping(_) | Phase::Exiting(_))
            || self.stop_requested.is_some()
    }
}
