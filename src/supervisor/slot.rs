//! One place in the set: who serves there, who comes next, and when.

#![forbid(unsafe_code)]

use super::backoff::Backoff;
use super::event::Moment;
use super::lane::{Lane, WorkerId};

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
        }
    }
}

/// A place for a worker in reserve.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) instance: usize,
    pub(super) worker: Option<WorkerId>,
    pub(super) start_at: Option<Moment>,
    pub(super) backoff: Backoff,
}

impl Spare {
    pub(super) fn new(instance: usize) -> Self {
        Self {
            instance,
            worker: None,
            start_at: None,
            backoff: Backoff::default(),
        }
    }
}
