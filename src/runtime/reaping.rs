//! Reaping: workers, orphans, and the processes that remain at the end.

#![forbid(unsafe_code)]

use std::os::fd::AsFd;

use super::Runtime;
use super::sources::{Registered, Source};
use crate::config::KillMode;
use crate::ended::Ended;
use crate::reap_throttle::Round;
use crate::signal::Signal;
use crate::supervisor::{Event, WorkerId};
use crate::sys::leftovers::{self, ForeignProcesses};
use crate::sys::poll::Interest;
use crate::sys::reaper::{self, Change, Reaped};
use crate::sys::signal::{Target, send};
use crate::sys::{poll, terminal};

/// How many reads empty the channel of a worker that has exited: more than fits into it
/// (net.core.wmem_default, 208 KiB).
const FINAL_READS: u32 = 64;

/// The process group of a worker that has exited. The worker was its leader, so `id` was its process
/// id.
#[derive(Debug)]
pub(super) struct Group {
    worker: WorkerId,
    id: i32,
    /// The supervisor knows that the group has other members.
    reported: bool,
}

/// The exit status of Node.js for an invalid option ("Exit codes" in its documentation of `process`).
const INVALID_ARGUMENT: u8 = 9;

impl Runtime<'_> {
    /// Reaps all processes that have exited. The exit of an orphan is not an event.
    pub(super) fn reap(&mut self) {
        self.check_workers();
        let mut round = Round::begin(self.now());
        self.children_left = loop {
            match reaper::next_dead() {
                Reaped::Child(pid, ended) => match self.workers.of_pid(pid) {
                    Some(worker) => self.worker_ended(worker, pid, ended),
                    None => self.reporter.orphan(pid, ended),
                },
                Reaped::NoneExited => break true,
                Reaped::NoChildren => break false,
            }
            if round.is_too_long(|| self.started.elapsed()) {
                break true;
            }
        };
        self.reap_throttle.end(&round, self.now());
        self.check_groups();
    }

    /// Checks the groups of exited workers: reports those with members, and those whose members have
    /// all exited.
    fn check_groups(&mut self) {
        let events = &mut self.events;
        self.groups.retain_mut(|group| {
            let exists = reaper::has_children_in_group(group.id);
            match (exists, group.reported) {
                (true, false) => events.push_back(Event::GroupLeft(group.worker)),
                (false, true) => events.push_back(Event::GroupGone(group.worker)),
                _ => {}
            }
            group.reported = true;
            exists
        });
    }

    pub(super) fn signal_group(&mut self, worker: WorkerId, signal: Signal) {
        self.check_groups();
        let mut groups = self.groups.iter();
        let Some(group) = groups.find(|group| group.worker == worker) else {
            return;
        };
        if signal != Signal::CONT {
            let names = leftovers::names_in_group(group.id);
            let (level, what) = match signal {
                Signal::KILL => (log::Level::Warn, "did not exit"),
                _ => (log::Level::Info, "remain"),
            };
            if !names.is_empty() {
                log::log!(
                    level,
                    "processes of the exited worker with pid {} {what}; sending {signal}: {names}",
                    group.id
                );
            }
        }
        if let Err(error) = send(Target::Group(group.id), signal) {
            log::debug!(
                "cannot send {signal} to process group {}: {error}",
                group.id
            );
        }
        if signal == Signal::KILL {
            self.groups.retain(|group| group.worker != worker);
        }
    }

    /// Workers are checked first, however many orphans there are.
    pub(super) fn check_workers(&mut self) {
        for pid in self.workers.pids() {
            let Some(worker) = self.workers.of_pid(pid) else {
                continue;
            };
            match reaper::news_of(pid) {
                Some(Change::Ended(ended)) => self.worker_ended(worker, pid, ended),
                Some(Change::Stopped(signal)) => self.events.push_back(Event::Stopped {
                    worker,
                    signal,
                    job_control: self.config.workers.is_none() && terminal::has_job_control(),
                }),
                Some(Change::Continued) => self.events.push_back(Event::Continued(worker)),
                None => {}
            }
        }
    }

    pub(super) fn worker_ended(&mut self, worker: WorkerId, pid: i32, ended: Ended) {
        if let Some(terminal) = &self.terminal {
            terminal.take_back(pid);
        }
        // Its last messages tell which connections it took. A child of the worker may keep writing.
        let now = self.now();
        for _ in 0..FINAL_READS {
            let (ports, events) = (&mut self.ports, &mut self.events);
            if !self
                .workers
                .read_channel(worker, now, self.ready, ports, events)
            {
                break;
            }
        }
        if ended == Ended::Code(INVALID_ARGUMENT) {
            self.workers.report_bad_option(worker);
        }
        self.workers.reaped(pid, worker, &mut self.ports);
        self.unread.forget(worker);
        self.probes.remove(worker);
        self.events.push_back(Event::Exited { worker, ended });
        let workers = self.config.workers.as_ref();
        if workers.is_some_and(|workers| workers.kill_mode == KillMode::Group) {
            self.groups.push(Group {
                worker,
                id: pid,
                reported: false,
            });
        }
    }

    pub(super) fn signal_leftovers(&mut self, signal: Signal) {
        // Usually no process remains, and then /proc is not read.
        if self.children_left || leftovers::foreign_exist() {
            log::debug!("{signal} to the processes that are left");
            leftovers::signal(signal);
            if signal == Signal::TERM {
                leftovers::hang_up();
            }
            if !self.waiting_for_leftovers {
                self.waiting_for_leftovers = true;
                self.find_foreign();
            }
        }
        self.count_leftovers();
    }

    pub(super) fn count_leftovers(&mut self) {
        let mut watched = self.foreign.iter();
        let ended = watched.any(|process| poll::is_readable(process.as_fd()));
        // The children of a foreign process become pidone's when it exits, without a SIGCHLD. Foreign
        // processes are looked up first, so that a child that changes its parent in between is found
        // one way or the other.
        if self.waiting_for_leftovers && (ended || !self.children_left) {
            self.find_foreign();
            self.reap();
        }
        let any = self.children_left || self.unwatched_left || !self.foreign.is_empty();
        self.events.push_back(Event::Leftovers { any });
        if self.unwatched_left {
            self.events.push_back(Event::LeftoversUnwatched);
        }
    }

    fn find_foreign(&mut self) {
        let found = ForeignProcesses::find();
        let register = |fd| Registered::new(&self.sources, Source::Foreign, fd, Interest::Read);
        self.foreign = found.watched.into_iter().map(register).collect();
        self.unwatched_left = found.unwatched;
    }
}
