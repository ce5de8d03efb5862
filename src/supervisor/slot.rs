//! One place in the set: who serves there, who comes next, and when.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::backoff::Backoff;
use super::event::Moment;
use super::lane::{Lane, WorkerId};
use crate::config::RestartRules;
use crate::ended::Ended;

/// The least time between two attempts to replace a worker that is worn out.
const RECYCLE_AGAIN: Duration = Duration::from_secs(5);

/// A place for one serving worker, and for its successor while it is being replaced.
#[derive(Debug)]
pub(super) struct Slot {
    /// The number its worker has, or will have.
    pub(super) instance: usize,
    /// Where its worker accepts, or the next one will.
    pub(super) lane: Lane,
    /// Who serves, or boots to do so, or leaves without a successor.
    pub(super) current: Option<WorkerId>,
    /// Who boots to replace `current`.
    pub(super) successor: Option<WorkerId>,
    /// When the next one is to be started.
    pub(super) start_at: Option<Moment>,
    pub(super) backoff: Backoff,
    pub(super) past: Past,
    /// A worker that was started earlier is to be replaced, because somebody has asked for it.
    pub(super) renew_before: Option<Moment>,
    /// When a worker that is worn out may be replaced, after attempts that failed.
    pub(super) recycle_at: Moment,
    pub(super) recycling: Backoff,
}

impl Slot {
    pub(super) fn new(index: usize) -> Self {
        Self {
            instance: index,
            lane: Lane::first_of(index),
            current: None,
            successor: None,
            start_at: None,
            backoff: Backoff::default(),
            past: Past::default(),
            renew_before: None,
            recycle_at: Moment::ZERO,
            recycling: Backoff::default(),
        }
    }

    /// Its worker is worn out, but the one that was to replace it was no good.
    pub(super) fn put_off_recycling(&mut self, now: Moment, rules: &RestartRules) {
        let delay = self.recycling.after(None, now, rules);
        self.recycle_at = now + delay.unwrap_or(rules.max_delay).max(RECYCLE_AGAIN);
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
    pub(super) backoff: Backoff,
    pub(super) past: Past,
}

impl Spare {
    pub(super) fn new(instance: usize) -> Self {
        Self {
            instance,
            worker: None,
            start_at: None,
            backoff: Backoff::default(),
            past: Past::default(),
        }
    }
}
