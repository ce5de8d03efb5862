//! The event loop: waits for events, passes them to the supervisor, and performs its actions.
//!
//! The only module that uses both the core and the system. It makes no decisions.

#![forbid(unsafe_code)]

mod accept;
mod admin;
mod app_metrics;
mod clients;
mod control;
pub mod drain_module;
pub mod environment;
mod error;
mod limits;
mod link;
mod notices;
mod ports;
mod readiness;
mod reaping;
mod relief;
mod report;
mod sources;
mod start;
mod status;
mod systemd;
mod unread;
mod waiting;
mod workers;

use std::collections::VecDeque;
use std::os::fd::{OwnedFd, RawFd};
use std::time::{Duration, Instant};

use crate::accept_backoff::AcceptBackoff;
use crate::config::{Config, Readiness};
use crate::reap_throttle::ReapThrottle;
use crate::relief::Relief;
use crate::signal::Signal;
use crate::supervisor::{Action, Event, Member, Moment, Report, Start, Supervisor, WorkerId};
use crate::sys::limits::raise_open_files;
use crate::sys::notify::NotifySocket;
use crate::sys::poll::Interest;
use crate::sys::signal::{SignalQueue, Target, send};
use crate::sys::terminal::{self, Terminal};
use crate::sys::{host, leftovers, procfs, signal};
use crate::table::Table;
use admin::AdminEndpoints;
use app_metrics::Scrapes;
pub use error::RunError;
use limits::LimitsWatch;
use link::Link;
use ports::{PortId, Ports};
use readiness::Probe;
use reaping::Group;
use relief::RelievedQueue;
use report::Reporter;
use sources::{Registered, Registration, Source, Sources};
use start::Starter;
use status::Tally;
use systemd::Notifier;
use unread::UnreadCheck;
use workers::Workers;

/// Runs the configured command until it ends, and returns the exit status.
///
/// # Errors
/// Why the command could not start; nothing runs then.
pub fn run(config: &Config, signals: SignalQueue) -> Result<u8, RunError> {
    let open_files = raise_open_files();
    let mut ports = start::prepare(config)?;
    let terminal = Terminal::on_stdin().filter(|_| config.workers.is_none());
    let foreground = terminal.as_ref().is_some_and(Terminal::is_ours);
    let notify = start::notify_socket(config)?;
    let starter = Starter::new(config, foreground, notify.as_ref(), open_files)?;
    let sources = Sources::default();
    let signals = Registered::new(&sources, Source::Signals, signals, Interest::Read);
    let notify =
        notify.map(|socket| Registered::new(&sources, Source::Notify, socket, Interest::Read));
    let admin = AdminEndpoints::open(config, starter.user(), &sources)?;
    let limits = LimitsWatch::begin(config, &sources)?;
    let rules = config.workers.as_ref();
    let http_drain = rules.and_then(|workers| workers.http_drain);
    let supervisor = Supervisor::new(&config.rules(), limits.last());
    let _ = ports.ensure_members(supervisor.target() * Member::PER_SLOT);
    let runtime = Runtime {
        supervisor,
        reporter: Reporter::new(config),
        ready: config
            .workers
            .as_ref()
            .map_or(Readiness::None, |workers| workers.ready),
        started: Instant::now(),
        started_unix: host::time_of_day(),
        event_time: Moment::ZERO,
        signals_read_at: Moment::ZERO,
        workers: Workers::new(http_drain.is_some(), config.relay),
        accept_backoff: AcceptBackoff::default(),
        unread: UnreadCheck::default(),
        accepts: true,
        probes: Table::default(),
        queues: Vec::new(),
        queues_changed: true,
        relief: Relief::default(),
        offered: Moment::ZERO,
        held_since: None,
        relieved: Vec::new(),
        foreign: Vec::new(),
        unwatched_left: false,
        groups: Vec::new(),
        children_left: false,
        waiting_for_leftovers: false,
        just_started: false,
        reap_throttle: ReapThrottle::default(),
        events: VecDeque::new(),
        config,
        sources,
        limits,
        signals,
        starter,
        notify,
        ports,
        admin,
        scrapes: Scrapes::default(),
        tally: Tally::default(),
        // In single mode the child reports to the service manager itself.
        notifier: config.workers.as_ref().and_then(|_| Notifier::find()),
        terminal,
        foreground,
    };
    runtime.run()
}

struct Runtime<'a> {
    config: &'a Config,
    supervisor: Supervisor,
    reporter: Reporter,
    sources: Sources,
    limits: LimitsWatch,
    signals: Registered<SignalQueue>,
    starter: Starter<'a>,
    /// Where workers send `READY=1` with `--ready notify`.
    notify: Option<Registered<NotifySocket>>,
    /// What makes a worker ready.
    ready: Readiness,
    ports: Ports,
    admin: AdminEndpoints,
    /// `--app-metrics`
    scrapes: Scrapes,
    tally: Tally,
    notifier: Option<Notifier>,
    workers: Workers,
    accept_backoff: AcceptBackoff,
    /// `--ready port`: of booting workers.
    probes: Table<WorkerId, Probe>,
    /// accept(2) has not failed just now.
    accepts: bool,
    /// The orphaned queues that are watched.
    queues: Vec<(PortId, Member, RawFd, Registration)>,
    /// Something has happened since they were looked up.
    queues_changed: bool,
    /// When connections that pidone holds were last offered.
    offered: Moment,
    /// Since when pidone holds connections.
    held_since: Option<Moment>,
    /// `--balance auto`
    relief: Relief<PortId>,
    /// The queues that may be relieved.
    relieved: Vec<RelievedQueue>,
    unread: UnreadCheck,
    terminal: Option<Terminal>,
    /// The child runs in the terminal's foreground process group.
    foreground: bool,
    started: Instant,
    /// `started` in Unix time.
    started_unix: Duration,
    /// When the supervisor got the last event.
    event_time: Moment,
    /// When signals were last read from the kernel: all of one batch have this time.
    signals_read_at: Moment,
    /// Leftover processes that are not pidone's children; each is readable when it has exited.
    foreign: Vec<Registered<OwnedFd>>,
    /// There are others whose exit cannot be watched.
    unwatched_left: bool,
    /// Process groups of workers that have exited.
    groups: Vec<Group>,
    children_left: bool,
    waiting_for_leftovers: bool,
    /// Memory that only the start needed is not released yet.
    just_started: bool,
    reap_throttle: ReapThrottle,
    /// Events that the supervisor has not got yet.
    events: VecDeque<Event>,
}

impl Runtime<'_> {
    fn run(mut self) -> Result<u8, RunError> {
        let mut actions = Vec::new();
        self.supervisor.start(self.now(), &mut actions);
        loop {
            for action in actions.drain(..) {
                if let Some(status) = self.perform(action) {
                    return Ok(status);
                }
            }
            let event = match self.events.pop_front() {
                Some(event) => event,
                None => match self.wait()? {
                    Some(event) => event,
                    None => continue,
                },
            };
            log::trace!("{event:?}");
            self.event_time = match event {
                Event::Signal(_) | Event::TerminalClosed => {
                    self.signals_read_at.max(self.event_time)
                }
                _ => self.now(),
            };
            self.tell(event, &mut actions);
            self.queues_changed = true;
        }
    }

    fn now(&self) -> Moment {
        self.started.elapsed()
    }

    fn perform(&mut self, action: Action) -> Option<u8> {
        log::trace!("{action:?}");
        match action {
            Action::Start(start) => self.start(&start),
            Action::Admit { worker, member } => {
                let (ports, events) = (&mut self.ports, &mut self.events);
                self.workers.admit(worker, member, ports, events);
            }
            Action::Signal {
                worker,
                signal,
                group,
            } => self.signal_worker(worker, signal, group),
            Action::SignalGroup { worker, signal } => self.signal_group(worker, signal),
            Action::Announce(worker) => self.workers.announce(worker),
            Action::Finish(worker) => self.workers.finish(worker),
            Action::Disconnect(worker) => self.workers.disconnect(worker),
            Action::ProbePort(worker) => self.probe_port(worker),
            Action::CheckPending(worker) => self.check_pending(worker),
            Action::MeasureMemory(worker) => self.measure_memory(worker),
            Action::Ping(worker) => self.workers.ping(worker),
            Action::Steer(members) => self.ports.serve(&members),
            Action::CloseToNewConnections => {
                let now = self.now();
                self.ports.close_to_new_connections(&self.sources, now);
            }
            Action::CloseUnheldPorts => self.close_unheld_ports(),
            Action::ReleasePorts(worker) => self.release_ports(worker),
            Action::Suspend(worker) => self.suspend(worker),
            Action::Resume(worker) => self.resume(worker),
            Action::Reply { id, reply } => self.reply(id, reply),
            Action::Report(report) => self.report(report),
            Action::SignalLeftovers(signal) => self.signal_leftovers(signal),
            Action::CountLeftovers => self.count_leftovers(),
            Action::Exit(status) => return Some(status),
            Action::Abort => {
                // Also unknown processes, and those started just now. If pidone is PID 1, the kernel
                // kills all.
                if !leftovers::is_init() {
                    leftovers::signal(Signal::KILL);
                }
                signal::end_by(Signal::ABRT);
                return Some(Signal::ABRT.exit_code());
            }
        }
        None
    }

    fn start(&mut self, start: &Start) {
        let worker = start.worker;
        if let Some(member) = start.member
            && let Err(error) = self
                .ports
                .ensure_members((member.slot() + 1) * Member::PER_SLOT)
        {
            notices::no_socket_for_worker(&error);
        }
        let has_port = |port| self.workers.has_inspector_at(port);
        let inspect_port = self.starter.inspect_port(start, has_port);
        match self.starter.start(start, inspect_port, &self.ports) {
            Ok((pid, channel)) => {
                let source = Source::Worker(worker);
                let link = channel.map(|channel| {
                    let channel = Registered::new(&self.sources, source, channel, Interest::Read);
                    Link::new(channel, self.config.relay)
                });
                self.workers.add(start, link, inspect_port);
                self.workers.started(worker, pid);
                let single = self.config.workers.is_none();
                self.reporter.started(self.workers.name(worker, single));
                self.just_started = true;
                self.events.push_back(Event::Started(worker));
            }
            Err(error) => {
                // The child may have taken the terminal before execve(2) failed.
                if let Some(terminal) = self.terminal.as_ref().filter(|_| self.foreground) {
                    terminal.reclaim();
                }
                log::error!("{error}");
                let status = error.status();
                self.events.push_back(Event::StartFailed { worker, status });
            }
        }
    }

    fn signal_worker(&self, worker: WorkerId, signal: Signal, group: bool) {
        let Some(pid) = self.workers.pid(worker) else {
            return;
        };
        let target = if group {
            Target::Group(pid)
        } else {
            Target::Process(pid)
        };
        log::debug!("{signal} to {target:?}");
        if let Err(error) = send(target, signal) {
            notices::signal_not_sent(signal, pid, &error);
        }
    }

    fn measure_memory(&mut self, worker: WorkerId) {
        let pid = self.workers.pid(worker);
        if let Some(bytes) = pid.and_then(procfs::resident) {
            self.events.push_back(Event::Memory { worker, bytes });
        }
    }

    fn report(&mut self, report: Report) {
        let single = self.config.workers.is_none();
        let name = self
            .workers
            .name(report.worker().unwrap_or(WorkerId(0)), single);
        let member = report
            .worker()
            .and_then(|worker| self.workers.member(worker));
        let now = self.now();
        self.tally.count(report, member.is_some(), now);
        if let Some(what) = self.reporter.report(report, name) {
            self.record_end(name, member.map(Member::slot), what);
        }
        self.just_started |= matches!(report, Report::AllReady { .. });
    }

    fn suspend(&self, worker: WorkerId) {
        if let (Some(terminal), Some(pid)) = (&self.terminal, self.workers.pid(worker)) {
            terminal.take_back(pid);
        }
        terminal::stop_ourselves();
    }

    fn resume(&self, worker: WorkerId) {
        let Some(pid) = self.workers.pid(worker) else {
            return;
        };
        if let Some(terminal) = &self.terminal {
            terminal.lend(pid);
        }
        terminal::continue_group(pid);
    }
}
