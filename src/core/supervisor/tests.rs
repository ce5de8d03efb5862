//! The most important histories, event by event; `tests/simulation` generates random ones.

mod commands;
mod first_boots;
mod groups;
mod handlers;
mod hang;
mod in_place;
mod limits;
mod recycling;
mod reload;
mod requests;
mod responsive;
mod restart;
mod scale;
mod single;
mod spares;
mod stop;
mod unheld;
mod views;

use core::time::Duration;

use super::*;
use crate::ended::Ended;
use crate::rules::{Balance, Boot, Instances, KillMode, MemoryLimit, RestartPolicy, WorkerRules};
use crate::rules::{Readiness, RestartRules, StopMode, Surge};
use alloc::vec::Vec;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A request id for tests with one client.
const ME: RequestId = RequestId(1);

/// Single mode.
fn config() -> RunRules {
    RunRules::default()
}

/// `-i COUNT` and its defaults.
fn workers(count: u16) -> RunRules {
    RunRules {
        grace: Some(30 * SECOND),
        restart: RestartRules {
            policy: RestartPolicy::Always,
            ..RestartRules::default()
        },
        workers: Some(WorkerRules {
            instances: Instances::Count(count),
            channel: true,
            port_env: None,
            balance: Balance::ReusePort,
            ready: Readiness::Listen,
            ready_timeout: 30 * SECOND,
            inspector: None,
            boot: Boot::Together,
            surge: Surge::default(),
            spares: 0,
            stop: StopMode::Drain,
            kill_mode: KillMode::Group,
            http_drain: None,
            drain_delay: Duration::ZERO,
            max_memory: None,
            max_age: None,
            hang_timeout: None,
            unresponsive_after: 5 * SECOND,
        }),
        ..config()
    }
}

/// `workers` with changed rules.
fn workers_with(count: u16, change: impl FnOnce(&mut WorkerRules)) -> RunRules {
    let mut config = workers(count);
    change(config.workers.as_mut().unwrap());
    config
}

/// A supervisor with a clock that the test sets.
struct Run {
    supervisor: Supervisor,
    now: Moment,
}

impl Run {
    /// The first worker is starting, with a CPU for each.
    fn begin(config: &RunRules) -> Self {
        Self::begin_on(1024, config)
    }

    /// The first worker is starting, with so many CPUs.
    fn begin_on(cpus: usize, config: &RunRules) -> Self {
        let workers = config.workers.as_ref();
        let max_memory = workers.and_then(|workers| match workers.max_memory? {
            MemoryLimit::Bytes(bytes) => Some(bytes),
            MemoryLimit::Percent(_) => None,
        });
        let limits = ContainerLimits { cpus, max_memory };
        let mut run = Self {
            supervisor: Supervisor::new(config, limits),
            now: Moment::ZERO,
        };
        let mut actions = Vec::new();
        run.supervisor.start(run.now, &mut actions);
        assert_eq!(actions, [start(1, 0, Some(0))]);
        run
    }

    /// The child runs.
    fn of(config: &RunRules) -> Self {
        let mut run = Self::begin(config);
        assert_eq!(run.tell(Event::Started(WorkerId(1))), []);
        run
    }

    /// All workers are ready, spares are booted, and nothing is due.
    fn serving(config: &RunRules) -> Self {
        Self::begin(config).all_ready(config)
    }

    fn all_ready(mut self, config: &RunRules) -> Self {
        let run = &mut self;
        let actions = run.tell(Event::Started(WorkerId(1)));
        let others = actions.iter().filter_map(|action| match action {
            Action::Start(start) => Some(start),
            _ => None,
        });
        for start in others {
            run.tell(Event::Started(start.worker));
            if start.member.is_some() {
                run.ready(start.worker.0);
            } else {
                run.tell(Event::Held(start.worker));
            }
        }
        run.ready(1);
        let is_watched = |workers: &WorkerRules| {
            workers.max_memory.is_some()
                || workers.max_age.is_some()
                || workers.hang_timeout.is_some()
        };
        if !config.workers.as_ref().is_some_and(is_watched) {
            assert_eq!(run.supervisor.next_deadline(), None);
        }
        self
    }

    /// The same with `--boot first`.
    fn serving_in_turn(config: &RunRules) -> Self {
        let mut run = Self::begin(config);
        run.started(1);
        for action in run.ready(1) {
            if let Action::Start(start) = action {
                run.tell(Event::Started(start.worker));
                run.ready(start.worker.0);
            }
        }
        run
    }

    fn tell(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.supervisor.handle(event, self.now, &mut actions);
        actions
    }

    fn asks(&mut self, request: Request) -> Vec<Action> {
        self.asks_as(ME, request)
    }

    fn asks_as(&mut self, id: RequestId, request: Request) -> Vec<Action> {
        self.tell(Event::Request { id, request })
    }

    fn refuses(&mut self, request: Request) -> Refusal {
        match self.asks(request)[..] {
            [
                Action::Report(Report::RequestRefused { why }),
                Action::Reply { reply, .. },
                ..,
            ] if reply == Reply::Refused(why) => why,
            ref actions => panic!("{actions:?}"),
        }
    }

    fn signal(&mut self, signal: Signal) -> Vec<Action> {
        self.tell(Event::Signal(signal))
    }

    fn started(&mut self, worker: u32) -> Vec<Action> {
        self.tell(Event::Started(WorkerId(worker)))
    }

    fn ready(&mut self, worker: u32) -> Vec<Action> {
        self.tell(Event::Ready(WorkerId(worker)))
    }

    fn listens(&mut self, worker: u32, any: bool) -> Vec<Action> {
        let worker = WorkerId(worker);
        self.tell(Event::Listens { worker, any })
    }

    /// A worker exits with this status.
    fn exits(&mut self, worker: u32, code: u8) -> Vec<Action> {
        let worker = WorkerId(worker);
        let ended = Ended::Code(code);
        self.tell(Event::Exited { worker, ended })
    }

    fn queue_is_empty(&mut self, worker: Option<u32>) -> Vec<Action> {
        let worker = worker.map(WorkerId);
        let pending = Pending::Nothing;
        self.tell(Event::Pending { worker, pending })
    }

    fn after(&mut self, wait: Duration) -> &mut Self {
        self.now += wait;
        self
    }

    /// Jumps to the next deadline.
    fn tick(&mut self) -> Vec<Action> {
        self.now = self.supervisor.next_deadline().expect("nothing is due");
        self.tell(Event::Tick)
    }

    /// Ticks until one has actions.
    fn next_actions(&mut self) -> Vec<Action> {
        loop {
            let actions = self.tick();
            if !actions.is_empty() {
                return actions;
            }
        }
    }

    /// A draining worker drains its queue, disconnects and exits.
    fn drains(&mut self, worker: u32) -> Vec<Action> {
        assert_eq!(self.tick(), [Action::CheckPending(Some(WorkerId(worker)))]);
        assert_eq!(self.queue_is_empty(Some(worker)), [disconnect(worker)]);
        assert_eq!(self.tell(Event::ChannelClosed(WorkerId(worker))), []);
        self.exits(worker, 0)
    }

    fn serve(&self) -> Vec<u32> {
        self.supervisor.serving().map(|worker| worker.0).collect()
    }
}

fn start(worker: u32, instance: usize, member: Option<usize>) -> Action {
    Action::Start(Start {
        worker: WorkerId(worker),
        instance,
        member: member.map(Member),
    })
}

fn scale(to: ScaleTo) -> Request {
    Request::Scale { to }
}

fn reply_to(id: RequestId, reply: Reply) -> Action {
    Action::Reply { id, reply }
}

/// The final replies among the actions.
fn replies(actions: &[Action]) -> Vec<(RequestId, Reply)> {
    let replies = actions.iter().filter_map(|action| match action {
        Action::Reply { id, reply } if reply.is_final() => Some((*id, *reply)),
        _ => None,
    });
    replies.collect()
}

/// The report that a slot has a new worker.
fn replaced(slot: usize, worker: u32) -> Action {
    let worker = WorkerId(worker);
    report(Report::SlotReplaced { slot, worker })
}

/// The report of a failed successor, after so many have been replaced.
fn failed(worker: WorkerId, replaced: usize, of: usize) -> Report {
    let progress = Progress { replaced, of };
    Report::ReloadFailed { worker, progress }
}

fn signal(worker: u32, signal: Signal) -> Action {
    Action::Signal {
        worker: WorkerId(worker),
        signal,
        group: false,
    }
}

fn disconnect(worker: u32) -> Action {
    Action::Disconnect(WorkerId(worker))
}

/// Steers new connections to these members; `None`: the slot gets none.
fn steer(members: &[Option<usize>]) -> Action {
    Action::Steer(members.iter().map(|member| member.map(Member)).collect())
}

fn kill_leftovers() -> [Action; 2] {
    [
        report(Report::KillingLeftovers),
        Action::SignalLeftovers(Signal::KILL),
    ]
}

fn report(report: Report) -> Action {
    Action::Report(report)
}

/// The actions without exit reports (a test would only repeat their uptime) and replies.
fn done(actions: Vec<Action>) -> Vec<Action> {
    let is_other = |action: &Action| {
        matches!(
            action,
            Action::Report(Report::Ended { .. }) | Action::Reply { .. }
        )
    };
    let rest = actions.into_iter().filter(|action| !is_other(action));
    rest.collect()
}

/// What follows from an exit, as reported.
fn next(actions: &[Action]) -> Option<Next> {
    actions.iter().find_map(|action| match action {
        Action::Report(Report::Ended { next, .. }) => Some(*next),
        _ => None,
    })
}
