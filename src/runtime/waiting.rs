//! Sleeping until somebody wants something, or something is due.

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

/// What runs no longer than this after a start is over before pidone makes itself small.
const SHORT_LIFE: Duration = Duration::from_millis(20);

/// Who can wake pidone.
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
    /// Sleeps until there is news, and takes the first; `None`: it was nothing after all.
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
            // What is due may go on for long, and signals come first.
            self.take_signals()?;
            self.news.push_back(Event::Tick);
            return Ok(self.news.pop_front());
        }
        let due = self.notify_manager(now, due);
        if let Some(rest) = self.reap_throttle.rest(now) {
            poll::wait_readable(&[], Some(rest.min(due.unwrap_or(rest))))
                .map_err(RunError::System)?;
            return Ok(None);
        }
        // The dead whom the last round has left behind send no second SIGCHLD.
        let due = if self.reap_throttle.is_behind() {
            Some(Duration::ZERO)
        } else {
            due
        };
        if self.hears_only_signals() {
            if self.until_signalled(due)? || self.reap_throttle.is_behind() {
                self.take_signals()?;
            }
            return Ok(self.news.pop_front());
        }
        for source in self.until_ready(due, now)? {
            match source {
                Source::Signals => self.take_signals()?,
                Source::Worker(id) => {
                    let (ports, news) = (&mut self.ports, &mut self.news);
                    self.workers.hear(id, now, self.ready, ports, news);
                }
                Source::Notify => self.hear_notify(),
                Source::Queue(port, member) => self.accept(port, member),
                Source::AdminListener(source) => self.on_admin(source),
                Source::Foreign => {}
            }
        }
        if self.waiting_for_leftovers {
            self.count_leftovers();
        }
        Ok(self.news.pop_front())
    }

    /// In single mode without admin endpoints: the way from one signal to the next is as short as it can be.
    fn hears_only_signals(&self) -> bool {
        self.config.workers.is_none()
            && self.notify.is_none()
            && self.admin.are_none()
            && !self.waiting_for_leftovers
    }

    /// Whether a signal has come.
    fn until_signalled(&mut self, due: Option<Duration>) -> Result<bool, RunError> {
        let tidies_up = tidies_up(self.just_started, due);
        let limit = if tidies_up { Some(SHORT_LIFE) } else { due };
        let mut come = self.signals.wait(limit).map_err(RunError::System)?;
        if tidies_up && !come {
            tidy_up(&mut self.just_started, &mut self.reporter);
            come = self.signals.wait(due).map_err(RunError::System)?;
        }
        Ok(come)
    }

    /// Who wants something.
    fn until_ready(&mut self, due: Option<Duration>, now: Moment) -> Result<Vec<Source>, RunError> {
        let accept_backoff = self.accept_backoff.lasts_until(now);
        let rest = self
            .workers
            .rest_ends(now)
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
        let tidies_up = tidies_up(self.just_started, due);
        let limit = if tidies_up { Some(SHORT_LIFE) } else { due };
        let mut ready = poll::wait(&watched, limit).map_err(RunError::System)?;
        if tidies_up && !ready.contains(&true) {
            tidy_up(&mut self.just_started, &mut self.reporter);
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
        self.signalled_at = self.now();
        let news = &mut self.news;
        let drained = self
            .signals
            .drain(|received| {
                news.push_back(match received.signal {
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

/// Whether pidone makes itself small before it sleeps for long: not in the way of a run that is
/// over at once.
fn tidies_up(just_started: bool, due: Option<Duration>) -> bool {
    just_started && due.is_none_or(|due| due > SHORT_LIFE)
}

/// The code comes last, since all that runs is mapped again.
fn tidy_up(just_started: &mut bool, reporter: &mut Reporter) {
    *just_started = false;
    reporter.look_at_oom_kills();
    memory::release_code();
}
