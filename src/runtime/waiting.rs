//! Sleeping until an event source is ready or a deadline passes.

#![forbid(unsafe_code)]

use std::os::fd::AsRawFd;
use std::time::Duration;

use super::Runtime;
use super::error::RunError;
use super::notices;
use super::sources::Source;
use crate::signal::Signal;
use crate::supervisor::{Event, Moment};
use crate::sys::poll::Interest;

/// pidone releases memory only after it has run for this long, so that a short run does not pay for it.
const SHORT_RUN: Duration = Duration::from_millis(20);

impl Runtime<'_> {
    /// Sleeps until there are events, and returns the first; `None`: there was none.
    pub(super) fn wait(&mut self) -> Result<Option<Event>, RunError> {
        self.workers.forget_dead();
        let now = self.now();
        let offer_due = self.hand_over_accepted(now);
        let channel_pause = self.workers.flush(now);
        let deadline = self.supervisor.next_deadline();
        if deadline.is_some_and(|at| at <= now) {
            // Handling a deadline may take long, so signals are read first.
            self.take_signals()?;
            self.events.push_back(Event::Tick);
            return Ok(self.events.pop_front());
        }
        let accept_backoff = self.accept_backoff.lasts_until(now);
        self.watch_listeners(accept_backoff.is_none());
        let closing = self.ports.keep_open(&self.sources, now);
        let relief_due = self.prepare_relief(now);
        let reap_pause = self.reap_throttle.paused_until(now);
        self.signals.wait_for(match reap_pause {
            Some(_) => Interest::None,
            None => Interest::Read,
        });
        // The zombies that the last round left send no second SIGCHLD.
        let is_behind = self.reap_throttle.is_behind();
        let ends = [
            deadline,
            channel_pause,
            accept_backoff,
            closing,
            reap_pause,
            relief_due,
            offer_due,
            self.scrapes.due(),
            is_behind.then_some(now),
        ];
        let due = ends.into_iter().flatten().min();
        let due = self.notify_manager(now, due.map(|at| at.saturating_sub(now)));
        self.sleep(due)?;
        self.admin.wake();
        self.check_limits(now);
        if is_behind {
            self.take_signals()?;
        }
        let mut is_any_waiting = false;
        while let Some(source) = self.sources.next_ready() {
            is_any_waiting |= source == Source::Relieved;
            self.on_ready(source, now)?;
        }
        self.finish_scrapes();
        self.relieve(is_any_waiting);
        if self.waiting_for_leftovers {
            self.count_leftovers();
        }
        Ok(self.events.pop_front())
    }

    fn on_ready(&mut self, source: Source, now: Moment) -> Result<(), RunError> {
        match source {
            Source::Signals => self.take_signals()?,
            Source::Worker(id) => {
                let (ports, events) = (&mut self.ports, &mut self.events);
                self.workers
                    .read_channel(id, now, self.ready, ports, events);
                self.take_app_metrics(id);
                self.queues_changed = true;
            }
            Source::Notify => self.read_notify(),
            Source::Probe(worker) => self.on_probed(worker),
            Source::Closing(port) => self.ports.continue_closing(port, &self.sources),
            Source::Queue(port, member) => self.accept(port, member),
            Source::Http | Source::Control => self.accept_clients(source),
            Source::Client(id) => self.proceed(id),
            Source::Limits => self.on_limits_written(),
            // All are checked after each sleep.
            Source::Foreign | Source::Relieved => {}
        }
        Ok(())
    }

    fn sleep(&mut self, due: Option<Duration>) -> Result<(), RunError> {
        // Not in a run that ends at once.
        let is_small = self.just_started && due.is_none_or(|due| due > SHORT_RUN);
        if is_small {
            let is_ready = self.sources.wait(Some(SHORT_RUN), false);
            if is_ready.map_err(RunError::System)? {
                return Ok(());
            }
            self.just_started = false;
            self.reporter.look_at_oom_kills();
        }
        let is_ready = self.sources.wait(due, is_small);
        is_ready.map(drop).map_err(RunError::System)
    }

    /// Whether to accept connections of clients, and from which orphaned queues.
    fn watch_listeners(&mut self, accepts: bool) {
        if self.accepts != accepts {
            self.accepts = accepts;
            self.queues_changed = true;
            self.admin.accepts(accepts);
        }
        if !std::mem::take(&mut self.queues_changed) {
            return;
        }
        self.watch_relieved(accepts);
        let takers: Vec<_> = self.free_workers().collect();
        let is_accepting = |worker| self.supervisor.accepts(worker);
        let mut orphaned = self.ports.orphaned_queues(is_accepting, &takers);
        orphaned.retain(|_| accepts);
        let known = self
            .queues
            .iter()
            .map(|(port, member, fd, _)| (*port, *member, *fd));
        if known.eq(orphaned
            .iter()
            .map(|(port, member, fd)| (*port, *member, fd.as_raw_fd())))
        {
            return;
        }
        self.queues.clear();
        for (port, member, fd) in orphaned {
            let source = Source::Queue(port, member);
            let registration = self.sources.register(source, fd, Interest::Read);
            self.queues
                .push((port, member, fd.as_raw_fd(), registration));
        }
    }

    pub(super) fn accept_failed(&mut self, error: &std::io::Error) {
        if self.accept_backoff.failed(self.now()) {
            notices::cannot_accept(error);
        }
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
