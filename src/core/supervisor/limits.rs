//! The container's limits, followed while it lives: `-i auto` by its CPUs, `--max-memory P%` by its
//! memory.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{Action, Moment};
use super::report::{Reason, Report};
use super::{Phase, Supervisor};

/// A change must last this long: a program that changes limits writes several files, and may write twice.
const SETTLE: Duration = Duration::from_secs(2);

/// What the container's present limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerLimits {
    /// The CPUs that quota and affinity allow, at least 1.
    pub cpus: usize,
    /// The value of `--max-memory` in bytes; `None`: not given, or the container has no limit now.
    pub max_memory: Option<u64>,
}

/// The limits that hold, and those that may follow.
#[derive(Debug)]
pub(super) struct FollowedLimits {
    current: ContainerLimits,
    /// Other limits, and when they hold if nothing changes until then.
    next: Option<(ContainerLimits, Moment)>,
    /// The number of workers follows the CPUs: `-i auto`, unless a user has set another number.
    pub(super) is_auto: bool,
}

impl FollowedLimits {
    pub(super) fn new(current: ContainerLimits, is_auto: bool) -> Self {
        Self {
            current,
            next: None,
            is_auto,
        }
    }

    /// The CPUs.
    pub(super) fn cpus(&self) -> usize {
        self.current.cpus
    }

    /// The CPUs as they were read last: a user who has just changed the limit means the new one.
    pub(super) fn newest_cpus(&self) -> usize {
        self.next.map_or(self.current, |(next, _)| next).cpus
    }

    /// A user wants the number of workers that the last reading of the CPUs gives.
    pub(super) fn hold_newest_cpus(&mut self) {
        self.current.cpus = self.newest_cpus();
        self.next = self.next.filter(|(next, _)| *next != self.current);
    }

    /// The limits were read.
    pub(super) fn on_read(&mut self, read: ContainerLimits, now: Moment) {
        if read == self.current {
            self.next = None;
        } else if self.next.is_none_or(|(next, _)| next != read) {
            self.next = Some((read, now + SETTLE));
        }
    }

    fn deadline(&self) -> Option<Moment> {
        self.next.map(|(_, at)| at)
    }

    /// The limits that hold from now on, if they are others than before.
    fn settled(&mut self, now: Moment) -> Option<ContainerLimits> {
        let (next, _) = self.next.take_if(|(_, at)| *at <= now)?;
        self.current = next;
        Some(next)
    }
}

impl Supervisor {
    /// When other limits hold.
    pub(super) fn limits_deadline(&self) -> Option<Moment> {
        // The first worker's start comes first.
        let is_running = matches!(self.phase, Phase::Running);
        self.limits.deadline().filter(|_| is_running)
    }

    /// Applies limits that have settled.
    pub(super) fn follow_limits(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let Some(limits) = self.limits.settled(now) else {
            return;
        };
        let (from, to) = (self.target, limits.cpus.clamp(1, self.rules.most));
        if from != to && self.limits.is_auto {
            self.change_number(to, Report::CpusChanged { from, to }, now, actions);
        }
        let max_memory = &mut self.rules.watch.max_memory;
        // Without a limit there is nothing to take a percentage of: the last value stays.
        if let (Some(from), Some(to)) = (*max_memory, limits.max_memory)
            && from != to
        {
            *max_memory = Some(to);
            actions.push(Action::Report(Report::MemoryChanged { from, to }));
            for worker in self.workers.values_mut() {
                if let Some(Reason::Memory { bytes, .. }) = worker.watch.over_limit() {
                    worker.watch.on_memory(bytes, now, &self.rules.watch);
                }
            }
        }
    }
}
