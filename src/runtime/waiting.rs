//! Sleeping until an event source is ready or a deadline passes.

#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::time::Duration;

use super::Runtime;
use super::admin::AdminSource;
use super::error::RunError;
use super::ports::PortId;
use super::report::Reporter;
use crate::signal::Signal;
use crate::supervisor::{Event, Member, Moment, WorkerId};
use crate::sys::memory;
use crate::sys::poll::{self, Interest, Watched};

/// pidone releases memory only after it has run for this long, so that a short run does not pay for it.
const SHORT_RUN: Duration = Duration::from_millis(20);

/// The event sources.
#[derive(Debug, Clone, Copy)]
enum Source {
    Signals,
    Foreign,
    Worker(WorkerId),
    Notify,
    Queue(PortId, Member),
    AdminListener(AdminSource),
}

impl Runtime<'_> {
    /// Sleeps until there are events, and returns the first; `None`: there was none.
    pub(super) fn wait(&mut self) -> Result<Option<Event>, RunError> {
        self.workers.forget_dead();
        self.hand_over_accepted();
        self.workers.flush();
        let now = self.now();
        let due = self
            .supervisor
            .next_deadline()
            .map(|at| at.saturating_sub(now));
        if due == Some(Duration::ZERO) {
            // Handling a deadline may take long, so signals are read first.
            self.take_signals()?;
            self.events.push_back(Event::Tick);
            return Ok(self.events.pop_front());
        }
        let due = self.notify_manager(now, due);
        if let Some(rest) = self.reap_throttle.rest(now) {
            poll::wait_readable(&[], Some(rest.min(due.unwrap_or(rest))))
                .map_err(RunError::System)?;
            return Ok(None);
        }
        // The zombies that the last round left send no second SIGCHLD.
        let due = if self.reap_throttle.is_behind() {
            Some(Duration::ZERO)
        } else {
            due
        };
        if self.waits_for_signals_only() {
            if self.until_signalled(due)? || self.reap_throttle.is_behind() {
                self.take_signals()?;
            }
            return Ok(self.events.pop_front());
        }
        for source in self.until_ready(due, now)? {
            match source {
                Source::Signals => self.take_signals()?,
                Source::Worker(id) => {
                    let (ports, events) = (&mut self.ports, &mut self.events);
                    self.workers
                        .read_channel(id, now, self.ready, ports, events);
                }
                Source::Notify => self.read_notify(),
                Source::Queue(port, member) => self.accept(port, member),
                Source::AdminListener(source) => self.on_admin(source),
                Source::Foreign => {}
            }
        }
        if self.waiting_for_leftovers {
            self.count_leftovers();
        }
        Ok(self.events.pop_front())
    }

    /// In single mode without admin endpoints: a shorter path to the next signal.
    fn waits_for_signals_only(&self) -> bool {
        self.config.workers.is_none()
            && self.notify.is_none()
            && self.admin.are_none()
            && !self.waiting_for_leftovers
    }

    /// Whether a signal arrived.
    fn until_signalled(&mut self, due: Option<Duration>) -> Result<bool, RunError> {
        let trims_memory = trims_memory(self.just_started, due);
        let limit = if trims_memory { Some(SHORT_RUN) } else { due };
        let mut signalled = self.signals.wait(limit).map_err(RunError::System)?;
        if trims_memory && !signalled {
            trim_memory(&mut self.just_started, &mut self.reporter);
            signalled = self.signals.wait(due).map_err(RunError::System)?;
        }
        Ok(signalled)
    }

    /// The event sources that are ready.
    fn until_ready(&mut self, due: Option<Duration>, now: Moment) -> Result<Vec<Source>, RunError> {
        let accept_backoff = self.accept_backoff.lasts_until(now);
        let rest = self
            .workers
            .pause_ends(now)
            .into_iter()
            .chain(accept_backoff);
        let due = due.into_iter().chain(rest.map(|end| end - now)).min();
        let orphaned_queues = match accept_backoff {
            None => self.ports.orphaned_queues(|member| self.is_served(member)),
            Some(_) => Vec::new(),
        };
        let orphaned_queues = orphaned_queues
            .into_iter()
            .filter(|(port, ..)| self.takers(*port).next().is_some());
        let foreign = self.foreign.watched.iter().map(AsFd::as_fd);
        let notify = self.notify.iter().map(AsFd::as_fd);
        let workers = self.workers.watched(now);
        let admin = self.admin.watched(accept_backoff.is_none());
        let (sources, watched): (Vec<_>, Vec<Watched<'_>>) =
            std::iter::once((Source::Signals, (self.signals.as_fd(), Interest::Read)))
                .chain(foreign.map(|fd| (Source::Foreign, (fd, Interest::Read))))
                .chain(notify.map(|fd| (Source::Notify, (fd, Interest::Read))))
                .chain(workers.map(|(id, watched)| (Source::Worker(id), watched)))
                .chain(
                    orphaned_queues.map(|(port, member, fd)| {
                        (Source::Queue(port, member), (fd, Interest::Read))
                    }),
                )
                .chain(admin.map(|(source, watched)| (Source::AdminListener(source), watched)))
                .unzip();
        let trims_memory = trims_memory(self.just_started, due);
        let limit = if trims_memory { Some(SHORT_RUN) } else { due };
        let mut ready = poll::wait(&watched, limit).map_err(RunError::System)?;
        if trims_memory && !ready.contains(&true) {
            trim_memory(&mut self.just_started, &mut self.reporter);
            ready = poll::wait(&watched, due).map_err(RunError::System)?;
        }
        self.admin.wake();
        let is_behind = self.reap_throttle.is_behind();
        let is_due = |source| is_behind && matches!(source, Source::Signals);
        let ready = sources.into_iter().zip(ready);
        Ok(ready
            .filter_map(|(source, ready)| (ready || is_due(source)).then_some(source))
            .collect())
    }

    fn take_signals(&mut self) -> Result<(), RunError> {
        self.signals_read_at = self.now();
        let events = &mut self.events;
        let drained = self
            .signals
            .drain(|received| {
                events.push_back(match received.signal {
                    Signal::HUP if received.by_kernel => Event::TerminalClosed,
                    signal => Event::Signal(signal),
                });
            })
            .map_err(RunError::System)?;
        if drained.child || self.reap_throttle.is_behind() {
            self.reap();
        }
        Ok(())
    }
}

/// Whether pidone releases memory before it sleeps: not in a run that ends at once.
fn trims_memory(just_started: bool, due: Option<Duration>) -> bool {
    just_started && due.is_none_or(|due| due > SHORT_RUN)
}

/// The code comes last, because the kernel maps again what runs after it.
fn trim_memory(just_started: &mut bool, reporter: &mut Reporter) {
    *just_started = false;
    reporter.look_at_oom_kills();
    memory::release_code();
}
