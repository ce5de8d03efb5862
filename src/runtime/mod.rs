//! The shell: waits, tells the supervisor what happened, and does what it says.
//!
//! The only room that sees both the core and the system. It decides nothing.

#![forbid(unsafe_code)]

mod error;
mod pace;
mod report;

use std::collections::VecDeque;
use std::env;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::ended::Ended;
use crate::signal::Signal;
use crate::supervisor::{Action, Event, Moment, Supervisor};
use crate::sys::identity::Identity;
use crate::sys::process::{Program, Setup};
use crate::sys::reaper::{self, Change, Reaped};
use crate::sys::signal::{SignalQueue, Target, send};
use crate::sys::terminal::{self, Terminal};
use crate::sys::{leftovers, memory, poll, prctl};
pub use error::RunError;
use pace::{Pace, Round};
use report::Reporter;

/// Runs the configured command to its end, and returns the status to leave with.
///
/// # Errors
/// What kept the command from starting; nothing runs then.
pub fn run(config: &Config, signals: SignalQueue) -> Result<u8, RunError> {
    let identity = config.user.as_ref().map(Identity::look_up).transpose()?;
    if let Some(signal) = config.parent_death {
        prctl::signal_on_parent_death(signal).map_err(RunError::ParentDeath)?;
    }
    if !leftovers::is_init()
        && let Err(error) = prctl::become_subreaper()
    {
        if config.subreaper {
            return Err(RunError::Subreaper(error));
        }
        log::debug!("cannot become a subreaper: {error}; orphans go to the init above");
    }
    let path = env::var_os("PATH");
    let program = Program::new(&config.command, path.as_deref())
        .map_err(|error| RunError::Spawn(config.command.program.clone(), error))?;
    let terminal = Terminal::on_stdin();
    let runtime = Runtime {
        supervisor: Supervisor::new(config),
        reporter: Reporter::new(config),
        setup: Setup {
            foreground: terminal.as_ref().is_some_and(Terminal::is_ours),
            identity,
        },
        started: Instant::now(),
        child: None,
        strangers: Vec::new(),
        children_left: false,
        waiting_for_leftovers: false,
        pace: Pace::default(),
        news: VecDeque::new(),
        config,
        signals,
        program,
        terminal,
    };
    runtime.run()
}

struct Runtime<'a> {
    config: &'a Config,
    supervisor: Supervisor,
    reporter: Reporter,
    signals: SignalQueue,
    program: Program,
    setup: Setup,
    terminal: Option<Terminal>,
    started: Instant,
    /// The child's process id, which is its group's too, until it is reaped.
    child: Option<i32>,
    /// Ends of processes that are not our children, while leftovers are waited for.
    strangers: Vec<OwnedFd>,
    children_left: bool,
    waiting_for_leftovers: bool,
    pace: Pace,
    /// What has happened and has not been told yet.
    news: VecDeque<Event>,
}

impl Runtime<'_> {
    fn run(mut self) -> Result<u8, RunError> {
        let mut actions = vec![self.supervisor.start()];
        loop {
            for action in actions.drain(..) {
                if let Some(status) = self.perform(action)? {
                    return Ok(status);
                }
            }
            let event = match self.news.pop_front() {
                Some(event) => event,
                None => match self.wait()? {
                    Some(event) => event,
                    None => continue,
                },
            };
            log::trace!("{event:?}");
            self.supervisor.handle(event, self.now(), &mut actions);
        }
    }

    fn now(&self) -> Moment {
        self.started.elapsed()
    }

    /// Sleeps until there is news, and takes the first; `None`: it was nothing after all.
    fn wait(&mut self) -> Result<Option<Event>, RunError> {
        let now = self.now();
        let due = self
            .supervisor
            .next_deadline()
            .map(|at| at.saturating_sub(now));
        if due == Some(Duration::ZERO) {
            return Ok(Some(Event::Tick));
        }
        if let Some(rest) = self.pace.rest(now) {
            poll::wait_readable(&[], Some(rest.min(due.unwrap_or(rest))))
                .map_err(RunError::System)?;
            return Ok(None);
        }
        let signals: BorrowedFd<'_> = self.signals.as_fd();
        let fds: Vec<_> = std::iter::once(signals)
            .chain(self.strangers.iter().map(AsFd::as_fd))
            .collect();
        poll::wait_readable(&fds, due).map_err(RunError::System)?;
        self.take_signals()?;
        if self.waiting_for_leftovers {
            self.count_leftovers();
        }
        Ok(self.news.pop_front())
    }

    fn take_signals(&mut self) -> Result<(), RunError> {
        let news = &mut self.news;
        let drained = self
            .signals
            .drain(|signal| news.push_back(Event::Signal(signal)))
            .map_err(RunError::System)?;
        if drained.child || self.pace.is_behind() {
            self.reap();
        }
        Ok(())
    }

    /// Collects everybody who has ended; an orphan's end is no news.
    fn reap(&mut self) {
        self.look_after_child();
        let mut round = Round::begin(self.now());
        self.children_left = loop {
            match reaper::next_dead() {
                Reaped::Child(pid, ended) if self.child == Some(pid) => {
                    self.child_ended(pid, ended);
                }
                Reaped::Child(pid, ended) => self.reporter.orphan(pid, ended),
                Reaped::Nobody => break true,
                Reaped::Childless => break false,
            }
            if round.is_too_costly(|| self.started.elapsed()) {
                break true;
            }
        };
        self.pace.end(&round, self.now());
    }

    /// The child's own news come first, however many orphans there are.
    fn look_after_child(&mut self) {
        let Some(pid) = self.child else { return };
        match reaper::news_of(pid) {
            Some(Change::Ended(ended)) => self.child_ended(pid, ended),
            Some(Change::Stopped(signal)) => {
                let job_control = terminal::has_job_control();
                self.news.push_back(Event::Stopped {
                    signal,
                    job_control,
                });
            }
            None => {}
        }
    }

    fn child_ended(&mut self, pid: i32, ended: Ended) {
        self.child = None;
        if let Some(terminal) = &self.terminal {
            terminal.take_back(pid);
        }
        self.news.push_back(Event::Exited(ended));
    }

    fn perform(&mut self, action: Action) -> Result<Option<u8>, RunError> {
        log::trace!("{action:?}");
        match action {
            Action::Start => self.start()?,
            Action::Signal { signal, group } => self.signal_child(signal, group),
            Action::ReportOverdue { grace } => self.reporter.overdue(grace),
            Action::ReportDeath {
                signal,
                uptime,
                sent_by_us,
            } => self.reporter.death(signal, uptime, sent_by_us),
            Action::Suspend => self.suspend(),
            Action::Resume => self.resume(),
            Action::SignalLeftovers(signal) => self.signal_leftovers(signal),
            Action::Exit(status) => return Ok(Some(status)),
        }
        Ok(None)
    }

    fn start(&mut self) -> Result<(), RunError> {
        let pid = self.program.spawn(&self.setup).map_err(|error| {
            if let Some(terminal) = self.terminal.as_ref().filter(|_| self.setup.foreground) {
                terminal.reclaim();
            }
            RunError::Spawn(self.config.command.program.clone(), error)
        })?;
        self.child = Some(pid);
        self.reporter.started(pid);
        memory::release_code();
        self.news.push_back(Event::Started);
        Ok(())
    }

    fn signal_child(&self, signal: Signal, group: bool) {
        let Some(pid) = self.child else { return };
        let target = if group {
            Target::Group(pid)
        } else {
            Target::Process(pid)
        };
        log::debug!("{signal} to {target:?}");
        // The child is not reaped, so its process id is still its own.
        if let Err(error) = send(target, signal) {
            log::warn!("cannot send {signal} to pid {pid}: {error}");
        }
    }

    fn suspend(&self) {
        if let (Some(terminal), Some(pid)) = (&self.terminal, self.child) {
            terminal.take_back(pid);
        }
        terminal::stop_ourselves();
    }

    fn resume(&self) {
        let Some(pid) = self.child else { return };
        if let Some(terminal) = &self.terminal {
            terminal.lend(pid);
        }
        terminal::continue_group(pid);
    }

    fn signal_leftovers(&mut self, signal: Signal) {
        // Most often nobody is left, and then /proc need not be read to know.
        if self.children_left || leftovers::strangers_exist() {
            log::debug!("{signal} to the processes that are left");
            leftovers::signal(signal);
            if !self.waiting_for_leftovers {
                self.waiting_for_leftovers = true;
                self.strangers = leftovers::watch_strangers();
            }
        }
        self.count_leftovers();
    }

    fn count_leftovers(&mut self) {
        self.strangers
            .retain(|process| !poll::is_readable(process.as_fd()));
        let any = self.children_left || !self.strangers.is_empty();
        self.news.push_back(Event::Leftovers { any });
    }
}
