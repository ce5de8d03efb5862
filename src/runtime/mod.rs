//! The shell: waits, tells the supervisor what happened, and does what it says.
//!
//! The only room that sees both the core and the system. It decides nothing.

#![forbid(unsafe_code)]

mod environment;
mod error;
mod link;
mod pace;
mod ports;
mod report;
mod start;
mod workers;

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::config::{Config, Readiness};
use crate::ended::Ended;
use crate::signal::Signal;
use crate::supervisor::{Action, Event, Lane, Moment, Report, Supervisor, WorkerId};
use crate::sys::poll::{self, Watched};
use crate::sys::reaper::{self, Change, Reaped};
use crate::sys::signal::{SignalQueue, Target, send};
use crate::sys::terminal::{self, Terminal};
use crate::sys::{leftovers, memory};
pub use error::RunError;
use pace::{Pace, Round};
use ports::{PortId, Ports};
use report::Reporter;
use start::Starter;
use workers::{Arrival, Workers};

/// How many connections are accepted from one queue before the others have their turn.
const ACCEPTED_AT_ONCE: usize = 16;

/// How long a port may take to answer when it is tried; on this machine it does so at once.
const PROBE_LIMIT: Duration = Duration::from_millis(20);

/// Runs the configured command to its end, and returns the status to leave with.
///
/// # Errors
/// What kept the command from starting; nothing runs then.
pub fn run(config: &Config, signals: SignalQueue) -> Result<u8, RunError> {
    let mut ports = start::prepare(config)?;
    let terminal = Terminal::in_foreground().filter(|_| config.workers.is_none());
    let starter = Starter::new(config, terminal.is_some())?;
    let instances = start::instances(config);
    let _ = ports.ensure_lanes(instances * Lane::PER_SLOT);
    let runtime = Runtime {
        supervisor: Supervisor::new(config, instances),
        reporter: Reporter::new(config),
        ready: config
            .workers
            .as_ref()
            .map_or(Readiness::None, |workers| workers.ready),
        started: Instant::now(),
        workers: Workers::default(),
        turns: BTreeMap::new(),
        strangers: Vec::new(),
        children_left: false,
        waiting_for_leftovers: false,
        pace: Pace::default(),
        news: VecDeque::new(),
        config,
        signals,
        starter,
        ports,
        terminal,
    };
    runtime.run()
}

struct Runtime<'a> {
    config: &'a Config,
    supervisor: Supervisor,
    reporter: Reporter,
    signals: SignalQueue,
    starter: Starter<'a>,
    /// How a worker shows that it serves.
    ready: Readiness,
    ports: Ports,
    workers: Workers,
    /// Who got the last connection that pidone accepted on a port.
    turns: BTreeMap<PortId, WorkerId>,
    terminal: Option<Terminal>,
    started: Instant,
    /// Ends of processes that are not our children, while leftovers are waited for.
    strangers: Vec<OwnedFd>,
    children_left: bool,
    waiting_for_leftovers: bool,
    pace: Pace,
    /// What has happened and has not been told yet.
    news: VecDeque<Event>,
}

/// Who can wake pidone.
#[derive(Debug, Clone, Copy)]
enum Source {
    Signals,
    Stranger,
    Worker(WorkerId),
    Queue(PortId, Lane),
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
            self.workers.bury();
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
        self.hand_over_arrivals();
        self.workers.flush();
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
        for source in self.until_ready(due)? {
            match source {
                Source::Signals => self.take_signals()?,
                Source::Worker(id) => {
                    self.workers
                        .hear(id, self.ready, &mut self.ports, &mut self.news);
                }
                Source::Queue(port, lane) => self.accept(port, lane),
                Source::Stranger => {}
            }
        }
        if self.waiting_for_leftovers {
            self.count_leftovers();
        }
        Ok(self.news.pop_front())
    }

    /// Sleeps until somebody wants something, or something is due; and tells who.
    fn until_ready(&self, due: Option<Duration>) -> Result<Vec<Source>, RunError> {
        let strays = self.ports.strays(|lane| self.is_served(lane));
        let strays = strays
            .into_iter()
            .filter(|(port, ..)| self.takers(*port).next().is_some());
        let strangers = self.strangers.iter().map(AsFd::as_fd);
        let workers = self.workers.watched();
        let (sources, watched): (Vec<_>, Vec<Watched<'_>>) =
            std::iter::once((Source::Signals, (self.signals.as_fd(), false)))
                .chain(strangers.map(|fd| (Source::Stranger, (fd, false))))
                .chain(workers.map(|(id, watched)| (Source::Worker(id), watched)))
                .chain(strays.map(|(port, lane, fd)| (Source::Queue(port, lane), (fd, false))))
                .unzip();
        let ready = poll::wait(&watched, due).map_err(RunError::System)?;
        let ready = sources.into_iter().zip(ready);
        Ok(ready
            .filter_map(|(source, ready)| ready.then_some(source))
            .collect())
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
        self.look_after_workers();
        let mut round = Round::begin(self.now());
        self.children_left = loop {
            match reaper::next_dead() {
                Reaped::Child(pid, ended) => match self.workers.of_pid(pid) {
                    Some(worker) => self.worker_ended(worker, pid, ended),
                    None => self.reporter.orphan(pid, ended),
                },
                Reaped::Nobody => break true,
                Reaped::Childless => break false,
            }
            if round.is_too_costly(|| self.started.elapsed()) {
                break true;
            }
        };
        self.pace.end(&round, self.now());
    }

    /// The workers' own news come first, however many orphans there are.
    fn look_after_workers(&mut self) {
        for pid in self.workers.pids() {
            let Some(worker) = self.workers.of_pid(pid) else {
                continue;
            };
            match reaper::news_of(pid) {
                Some(Change::Ended(ended)) => self.worker_ended(worker, pid, ended),
                Some(Change::Stopped(signal)) => self.news.push_back(Event::Stopped {
                    worker,
                    signal,
                    job_control: self.config.workers.is_none() && terminal::has_job_control(),
                }),
                None => {}
            }
        }
    }

    fn worker_ended(&mut self, worker: WorkerId, pid: i32, ended: Ended) {
        if let Some(terminal) = &self.terminal {
            terminal.take_back(pid);
        }
        // Its last words tell what it has taken.
        while self
            .workers
            .hear(worker, self.ready, &mut self.ports, &mut self.news)
        {}
        self.workers.gone(pid, worker, &mut self.ports);
        self.news.push_back(Event::Exited { worker, ended });
    }

    fn perform(&mut self, action: Action) -> Option<u8> {
        log::trace!("{action:?}");
        match action {
            Action::Start(start) => self.start(&start),
            Action::Admit { worker, lane } => self.workers.admit(worker, lane, &mut self.ports),
            Action::Signal {
                worker,
                signal,
                group,
            } => self.signal_worker(worker, signal, group),
            Action::Announce(worker) => self.workers.announce(worker),
            Action::Disconnect(worker) => self.workers.disconnect(worker),
            Action::ProbePort(worker) => self.probe_port(worker),
            Action::CheckQueues(worker) => self.check_queues(worker),
            Action::Steer(lanes) => self.ports.steer(&lanes),
            Action::CloseToNewcomers => self.ports.close_to_newcomers(),
            Action::Suspend(worker) => self.suspend(worker),
            Action::Resume(worker) => self.resume(worker),
            Action::Report(report) => self.report(report),
            Action::SignalLeftovers(signal) => self.signal_leftovers(signal),
            Action::Exit(status) => return Some(status),
        }
        None
    }

    fn start(&mut self, start: &crate::supervisor::Start) {
        let worker = start.worker;
        if let Some(lane) = start.lane
            && let Err(error) = self.ports.ensure_lanes((lane.slot() + 1) * Lane::PER_SLOT)
        {
            log::error!("no socket to be had for another worker: {error}; see ulimit -n");
        }
        match self.starter.start(start, &self.ports) {
            Ok((pid, link)) => {
                self.workers.add(start, link);
                self.workers.started(worker, pid);
                let single = self.config.workers.is_none();
                self.reporter.started(self.workers.name(worker, single));
                if single {
                    memory::release_code();
                }
                self.news.push_back(Event::Started(worker));
            }
            Err(error) => {
                log::error!("{error}");
                let status = error.status();
                self.news.push_back(Event::StartFailed { worker, status });
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
            log::warn!("cannot send {signal} to pid {pid}: {error}");
        }
    }

    fn probe_port(&mut self, worker: WorkerId) {
        let port = self
            .workers
            .instance(worker)
            .and_then(|instance| self.starter.port(instance));
        let answers = |port| {
            let here = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            here.into_iter().any(|ip| {
                TcpStream::connect_timeout(&SocketAddr::new(ip, port), PROBE_LIMIT).is_ok()
            })
        };
        if port.is_some_and(answers) {
            self.news.push_back(Event::Ready(worker));
        }
    }

    fn check_queues(&mut self, worker: Option<WorkerId>) {
        let lane = worker.and_then(|worker| self.workers.lane(worker));
        let empty = !self.ports.waiting(lane) && !self.workers.expects(worker);
        self.news.push_back(Event::Queues { worker, empty });
    }

    fn report(&mut self, report: Report) {
        let single = self.config.workers.is_none();
        let name = self
            .workers
            .name(report.worker().unwrap_or(WorkerId(0)), single);
        self.reporter.report(report, name);
        if matches!(report, Report::AllReady { .. }) {
            memory::release_code();
        }
    }

    /// Whether somebody accepts what comes into this lane.
    fn is_served(&self, lane: Lane) -> bool {
        self.supervisor.is_served(lane)
    }

    /// Who can be handed a connection of this port.
    fn takers(&self, port: PortId) -> impl Iterator<Item = WorkerId> {
        let serving = self.supervisor.serving();
        serving.filter(move |worker| self.workers.listens(*worker, port))
    }

    /// Takes connections out of a queue that nobody else empties.
    fn accept(&mut self, port: PortId, lane: Lane) {
        for _ in 0..ACCEPTED_AT_ONCE {
            match self.ports.accept(port, lane) {
                Ok(Some(connection)) => self.hand_over((port, connection)),
                Ok(None) => return,
                Err(error) => {
                    log::warn!("cannot accept a connection: {error}; see ulimit -n");
                    return;
                }
            }
        }
    }

    fn hand_over_arrivals(&mut self) {
        for _ in 0..self.workers.arrivals.len() {
            if let Some(arrival) = self.workers.arrivals.pop_front() {
                self.hand_over(arrival);
            }
        }
    }

    /// To the next worker whose turn it is; if nobody is there, to the first who will be.
    fn hand_over(&mut self, arrival: Arrival) {
        let port = arrival.0;
        let takers: Vec<_> = self.takers(port).collect();
        let last = self.turns.get(&port).copied().unwrap_or(WorkerId(0));
        let behind = takers.partition_point(|worker| *worker <= last);
        let in_turn = takers
            .iter()
            .cycle()
            .skip(behind)
            .take(takers.len())
            .copied();
        match self.workers.hand_over(arrival, in_turn) {
            Ok(worker) => {
                self.turns.insert(port, worker);
            }
            Err(arrival) => self.workers.arrivals.push_back(arrival),
        }
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
