//! One place in the set: who serves there, who comes next, and when.

use super::backoff::Backoff;
use super::event::Moment;
use super::health::Recycling;
use super::member::{Member, WorkerId};
use crate::ended::Ended;

/// A place for one serving worker, and for its successor while it is being replaced.
#[derive(Debug)]
pub(super) struct Slot {
    /// The number its worker has, or will have.
    pub(super) instance: usize,
    /// Where its worker accepts, or the next one will.
    pub(super) member: Member,
    /// Who serves, or boots to do so, or leaves without a successor.
    pub(super) current: Option<WorkerId>,
    /// Who boots to replace `current`.
    pub(super) successor: Option<WorkerId>,
    /// When the next one is to be started.
    pub(super) start_at: Option<Moment>,
    /// The next one is to be started when a worker serves, or when no other slot has one on its way.
    pub(super) waits: bool,
    pub(super) backoff: Backoff,
    pub(super) past: Past,
    /// A worker that was started earlier is to be replaced, because somebody has asked for it.
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
            backoff: Backoff::default(),
            past: Past::default(),
            renew_before: None,
            recycling: Recycling::default(),
        }
    }

    /// Somebody serves, boots or leaves here.
    pub(super) fn has_worker(&self) -> bool {
        self.current.is_some() || self.successor.is_some()
    }

    /// It has no worker, and one is to be started.
    pub(super) fn is_pending(&self) -> bool {
        self.start_at.is_some() || self.waits
    }

    /// Whoever is or was here is to be replaced. What failed before may do now: no more delay.
    pub(super) fn renew(&mut self, now: Moment) {
        self.renew_before = Some(now);
        self.start_at = self.start_at.map(|at| at.min(now));
    }
}

/// What is remembered of the workers that were lost.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// How often another one had to be started for it.
    pub(super) restarts: u32,
    pub(super) last_end: Option<(Ended, Moment)>,
}

/// A place for a worker in reserve.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) instance: usize,
    pub(super) worker: Option<WorkerId>,
    pub(super) start_at: Option<Moment>,
    /// The next one is to be started when a worker serves.
    pub(super) waits: bool,
    pub(super) backoff: Backoff,
    pub(super) past: Past,
}

impl Spare {
    pub(super) fn new(instance: usize) -> Self {
        Self {
            instance,
            worker: None,
            start_at: None,
            waits: false,
            backoff: Backoff::default(),
            past: Past::default(),
        }
    }
}
