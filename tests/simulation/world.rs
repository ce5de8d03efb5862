//! The simulated kernel: it performs the real supervisor's actions, with a simulated clock.

mod actions;
mod ports;
mod workers;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use pidone::ended::Ended;
use pidone::rules::Readiness;
use pidone::signal::Signal;
use pidone::supervisor::{Event, Moment, Request, RequestId, Supervisor, WorkerId};

use crate::oracle::{Broken, Oracle};
use crate::process::Process;
use crate::record::Record;
use crate::scenario::{Scenario, ms};
use pidone_testkit::random::Random;
use ports::Ports;

/// The number of events after which a run counts as endless.
const MANY: u64 = 200_000;

pub struct World {
    random: Random,
    scenario: Scenario,
    now: Moment,
    supervisor: Supervisor,
    oracle: Oracle,
    processes: BTreeMap<WorkerId, Process>,
    ports: Ports,
    others: Vec<Other>,
    /// The processes that workers have left in their groups, and how long they take to exit.
    groups: BTreeMap<WorkerId, Option<Duration>>,
    /// There is no notification when one of them exits.
    unwatched: bool,
    leftovers_asked: bool,
    /// Events that have happened and were not delivered yet.
    news: VecDeque<Event>,
    /// Future events; the number keeps the order of those at the same time.
    future: BTreeMap<(Moment, u64), Happening>,
    numbers: u64,
    status: Option<u8>,
    pub record: Record,
}

/// A process that is not a worker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Obeys,
    Ignores,
    /// Uninterruptible, in the middle of a system call.
    CannotDie,
    Gone,
}

#[derive(Clone, Copy)]
enum Happening {
    Asked(Signal),
    Wanted(Request),
    Stuck(WorkerId),
    Halted(WorkerId, Duration),
    Resumed(WorkerId),
    Looks,
    Booted(WorkerId),
    Ends(WorkerId, Ended),
    Disconnects(WorkerId),
    HangsUp(WorkerId),
    Closes(WorkerId),
    ClosesPorts(WorkerId),
    ListensAgain(WorkerId),
    Drained(WorkerId),
    OtherDies(usize),
    GroupDies(WorkerId),
    Told(Event),
    /// The container runtime's stop timeout has passed.
    RuntimeKills,
}

impl World {
    pub fn new(seed: u64, record: Record) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::draw(&mut random);
        let others = [Other::Obeys, Other::Obeys, Other::Ignores, Other::CannotDie];
        let mut world = Self {
            now: Moment::ZERO,
            supervisor: Supervisor::new(&scenario.config, scenario.limits),
            oracle: Oracle::new(&scenario.config, scenario.limits),
            processes: BTreeMap::new(),
            ports: Ports::new(seed, &scenario.config),
            others: (0..scenario.others).map(|_| random.pick(&others)).collect(),
            groups: BTreeMap::new(),
            unwatched: random.chance(30),
            leftovers_asked: false,
            news: VecDeque::new(),
            future: BTreeMap::new(),
            numbers: 0,
            status: None,
            random,
            record,
            scenario,
        };
        let config = &world.scenario.config;
        world.record.note(world.now, config, "config");
        let signals = std::mem::take(&mut world.scenario.signals);
        let last = signals.iter().map(|(at, _)| *at).max().unwrap_or_default();
        for (at, signal) in signals {
            world.later(at, Happening::Asked(signal));
        }
        for (at, request) in std::mem::take(&mut world.scenario.requests) {
            world.later(at, Happening::Wanted(request));
        }
        for (at, limits) in std::mem::take(&mut world.scenario.changes) {
            world.later(at, Happening::Told(Event::Limits(limits)));
        }
        if world.scenario.looks.is_some() {
            world.later(Moment::ZERO, Happening::Looks);
        }
        if world.scenario.config.grace.is_none() {
            world.later(last + ms(60_000), Happening::RuntimeKills);
        }
        world
    }

    /// Runs from the start to the exit.
    pub fn run(&mut self) -> Result<(), Broken> {
        let mut actions = Vec::new();
        self.supervisor.start(self.now, &mut actions);
        loop {
            for action in actions.drain(..) {
                self.perform(&action);
            }
            self.ports.check(&self.supervisor)?;
            if let Some(status) = self.status {
                let left = self.processes.values().any(|process| process.alive);
                return self.oracle.at_the_end(status, left, self.now);
            }
            let Some(event) = self.next_event()? else {
                continue;
            };
            self.record.note(self.now, event, "  <-");
            self.record.steps += 1;
            if self.record.steps > MANY {
                return Err("the run does not end".into());
            }
            self.oracle.before(&event, &self.supervisor, self.now);
            self.supervisor.handle(event, self.now, &mut actions);
            for action in &actions {
                self.record.note(self.now, action, "->");
            }
            self.record.digest(&actions);
            self.oracle.actions(&actions, self.now)?;
            self.oracle
                .after(&event, &actions, &self.supervisor, self.now)?;
        }
    }

    /// The next event for pidone; `None`: something has happened that it does not see.
    fn next_event(&mut self) -> Result<Option<Event>, Broken> {
        self.shuffle();
        if let Some(event) = self.news.pop_front() {
            self.disturb(event);
            return Ok(Some(event));
        }
        if self.random.below(10_000) < self.scenario.jumps {
            self.jump();
        }
        let due = self.supervisor.next_deadline();
        let happens = self.future.first_key_value().map(|((at, _), _)| *at);
        match (due, happens) {
            (None, None) => Err("no event is left, and pidone has not exited".into()),
            (Some(due), happens) if happens.is_none_or(|at| due <= at) => {
                self.now = self.now.max(due);
                if self.random.chance(10) {
                    self.now += self.random.up_to(5);
                }
                Ok(Some(Event::Tick))
            }
            _ => {
                if let Some(((at, _), happening)) = self.future.pop_first() {
                    self.now = self.now.max(at);
                    self.happen(happening);
                }
                Ok(None)
            }
        }
    }

    /// The machine was suspended, or so busy that pidone did not run, for up to a day.
    fn jump(&mut self) {
        let wait = self.random.up_to(86_400_000);
        self.now += wait;
        self.oracle.jumped(wait);
    }

    /// The order of events of different workers is arbitrary.
    fn shuffle(&mut self) {
        let worker = |event: &Event| match *event {
            Event::Started(id)
            | Event::Ready(id)
            | Event::Asked(id)
            | Event::Held(id)
            | Event::Disconnects(id)
            | Event::ChannelClosed(id)
            | Event::Pong(id)
            | Event::Finished(id)
            | Event::Announced { worker: id, .. }
            | Event::Listens { worker: id, .. }
            | Event::Continued(id)
            | Event::Exited { worker: id, .. }
            | Event::StartFailed { worker: id, .. }
            | Event::Stopped { worker: id, .. } => Some(id),
            _ => None,
        };
        let mut news = self.news.iter().map(worker);
        if let (Some(Some(one)), Some(Some(other))) = (news.next(), news.next())
            && one != other
            && self.random.chance(20)
        {
            self.news.swap(0, 1);
        }
    }

    /// Repeats some events, delays some, and adds spurious ones.
    fn disturb(&mut self, event: Event) {
        if self.random.chance(2) {
            self.news.push_back(Event::Tick);
        }
        let may_repeat = matches!(
            event,
            Event::Ready(_) | Event::Held(_) | Event::Disconnects(_) | Event::ChannelClosed(_)
        );
        if may_repeat && self.random.chance(10) {
            let at = self.now + self.random.up_to(5000);
            self.later(at, Happening::Told(event));
        }
    }

    fn later(&mut self, at: Moment, happening: Happening) {
        self.numbers += 1;
        self.future.insert((at, self.numbers), happening);
    }

    fn after(&mut self, wait: Duration, happening: Happening) {
        self.later(self.now + wait, happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            // Sometimes the terminal closes instead.
            Happening::Asked(Signal::HUP) if self.random.chance(5) => {
                self.news.push_back(Event::TerminalClosed);
            }
            Happening::Asked(signal) => self.news.push_back(Event::Signal(signal)),
            Happening::Wanted(request) => {
                self.numbers += 1;
                let id = RequestId(self.numbers);
                self.news.push_back(Event::Request { id, request });
            }
            Happening::Stuck(id) => {
                let now = self.now;
                if let Some(process) = self.alive(id) {
                    process.stuck = true;
                    self.oracle.stuck(id, now);
                }
            }
            Happening::Halted(id, time) => self.halt(id, Signal::STOP, false, time),
            Happening::Resumed(id) => self.resume(id),
            Happening::Looks => {
                self.news.push_back(Event::Look);
                if let Some(period) = self.scenario.looks {
                    self.after(period, Happening::Looks);
                }
            }
            Happening::Booted(id) => self.booted(id),
            Happening::Ends(id, ended) => self.end(id, ended),
            Happening::Disconnects(id) => {
                let may = |process: &mut Process| process.channel_open && !process.stuck;
                if self.alive(id).is_some_and(may) {
                    self.listens(id, false);
                    self.news.push_back(Event::Disconnects(id));
                    self.drain(id);
                }
            }
            Happening::HangsUp(id) => self.close_channel(id),
            Happening::Closes(id) => self.listens(id, false),
            Happening::ClosesPorts(id) => self.closes_ports(id),
            Happening::ListensAgain(id) => {
                if self.alive(id).is_some_and(|process| process.channel_open) {
                    self.listens(id, true);
                }
            }
            Happening::Drained(id) if self.alive(id).is_some_and(|process| process.stuck) => {}
            Happening::Drained(id) => {
                self.close_channel(id);
                if let Some(lingers) = self.alive(id).and_then(|process| process.lingers) {
                    self.after(lingers, Happening::Ends(id, Ended::Code(0)));
                }
            }
            Happening::OtherDies(index) => {
                self.others[index] = Other::Gone;
                if self.leftovers_asked && !self.unwatched {
                    self.count_leftovers();
                }
            }
            Happening::GroupDies(id) => {
                if self.groups.remove(&id).is_some() {
                    self.news.push_back(Event::GroupGone(id));
                }
            }
            Happening::Told(event) => {
                if self.is_known(&event) {
                    self.news.push_back(event);
                }
            }
            Happening::RuntimeKills => {
                let ids: Vec<_> = self.processes.keys().copied().collect();
                for id in ids {
                    self.end(id, Ended::Killed(Signal::KILL));
                }
            }
        }
    }

    /// The runtime never reports a leaving worker as accepting: a repeated event is about its past.
    fn is_known(&self, event: &Event) -> bool {
        match event {
            Event::Disconnects(id) => self
                .processes
                .get(id)
                .is_some_and(|process| process.alive || !process.channel_open),
            _ => true,
        }
    }

    fn alive(&mut self, id: WorkerId) -> Option<&mut Process> {
        self.processes.get_mut(&id).filter(|process| process.alive)
    }

    fn has_channel(&self) -> bool {
        let workers = self.scenario.config.workers.as_ref();
        workers.is_some_and(|workers| workers.channel)
    }

    fn readiness(&self) -> Readiness {
        let workers = self.scenario.config.workers.as_ref();
        workers.map_or(Readiness::None, |workers| workers.ready)
    }
}
