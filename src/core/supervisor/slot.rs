//! Slots and spares: the current worker, its successor, and the next start.

use super::backoff::Backoff;
use super::event::Moment;
use super::health::Recycling;
use super::member::{Member, WorkerId};
use crate::ended::Ended;

/// One serving worker, and its successor while it is being replaced.
#[derive(Debug)]
pub(super) struct Slot {
    /// The instance number of its worker, or of the next one.
    pub(super) instance: usize,
    /// The member of its worker, or of the next one.
    pub(super) member: Member,
    /// The worker that boots, serves, or is drained without a successor.
    pub(super) current: Option<WorkerId>,
    /// The worker that boots to replace `current`.
    pub(super) successor: Option<WorkerId>,
    /// When to start the next worker.
    pub(super) start_at: Option<Moment>,
    /// The next worker is started when another one is ready, or when no other slot has one
    /// starting.
    pub(super) waits: bool,
    /// It is to be filled by the first start, and has had no worker yet.
    pub(super) is_first: bool,
    pub(super) backoff: Backoff,
    pub(super) history: History,
    /// A request replaces workers that were started before this time.
    pub(super) renew_before: Option<Moment>,
    pub(super) recycling: Recycling,
}

impl Slot {
    pub(super) fn new(index: usize) -> Self {
        Self {
            instance: index,
            member: Member::first_of(index),
            current: None,
            successor: None,
            start_at: None,
            waits: false,
            is_first: false,
            backoff: Backoff::default(),
            history: History::default(),
            renew_before: None,
            recycling: Recycling::default(),
        }
    }

    /// A slot of the first start.
    pub(super) fn first(index: usize) -> Self {
        Self {
            is_first: true,
            ..Self::new(index)
        }
    }

    /// The slot has a worker that boots, serves or is drained.
    pub(super) fn has_worker(&self) -> bool {
        self.current.is_some() || self.successor.is_some()
    }

    /// The slot has no worker, and one is to be started.
    pub(super) fn is_pending(&self) -> bool {
        self.start_at.is_some() || self.waits
    }

    /// Requests that the worker be replaced. The next start may succeed, so it is not delayed.
    pub(super) fn renew(&mut self, now: Moment) {
        self.renew_before = Some(now);
        self.start_at = self.start_at.map(|at| at.min(now));
    }
}

/// Restarts and the last unplanned exit.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The number of restarts after an unplanned exit.
    pub(super) restarts: u32,
    pub(super) last_end: Option<(Ended, Moment)>,
}

/// A worker in reserve.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) instance: usize,
    pub(super) worker: Option<WorkerId>,
    pub(super) start_at: Option<Moment>,
    /// The next spare is started when a worker is ready.
    pub(super) waits: bool,
    /// It has not been started yet.
    pub(super) is_first: bool,
    pub(super) backoff: Backoff,
    pub(super) history: History,
}

impl Spare {
    pub(super) fn new(instance: usize) -> Self {
        Self {
            instance,
            worker: None,
            start_at: None,
            waits: false,
            is_first: true,
            backoff: Backoff::default(),
            history: History::default(),
        }
    }
}
