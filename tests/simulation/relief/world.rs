//! Workers, their queues, and pidone, which moves connections between them.

use std::collections::VecDeque;
use std::time::Duration;

use pidone::relief::{Move, Queue, Relief};
use pidone::supervisor::{Member, WorkerId};

use super::load::{Load, Outcome};
use crate::oracle::Broken;
use pidone_testkit::random::Random;

/// From an event to what a worker does about it.
const LATENCY: Duration = Duration::from_micros(100);

/// From an event to what pidone does about it.
const OWN_LATENCY: Duration = Duration::from_micros(50);

/// When nothing waits any more, looks stop within this time.
const SILENCE: Duration = Duration::from_millis(120);

/// A worker that has been busy with one request for so long gets nothing more.
const BLOCKED: Duration = Duration::from_millis(40);

/// No connection may wait so long for a busy worker while another one is idle all the time.
const LIMIT: Duration = Duration::from_millis(25);

/// A request that has waited so long is late.
const LATE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy)]
struct Connection {
    arrived: Duration,
    cost: Duration,
}

#[derive(Debug, Default)]
struct Worker {
    queue: VecDeque<Connection>,
    /// On its way over the channel.
    channel: VecDeque<Connection>,
    accepted: VecDeque<Connection>,
    /// It runs until then; `None`: it sleeps.
    runs_until: Option<Duration>,
    /// It is in the middle of a request.
    is_serving: bool,
    began: Duration,
    /// It runs no JavaScript although it sleeps, as in `execSync`.
    sleeps_in_request: bool,
    is_away: bool,
}

impl Worker {
    fn is_idle(&self) -> bool {
        self.runs_until.is_none() && !self.is_away
    }
}

pub struct World {
    load: Load,
    random: Random,
    relief: Relief<u8>,
    now: Duration,
    workers: Vec<Worker>,
    next_arrival: Option<Duration>,
    arrived: u64,
    leaves_at: Option<Duration>,
    served_last: Duration,
    /// When pidone runs next.
    runs_at: Option<Duration>,
    acknowledged: Vec<usize>,
    /// Since then some worker has been idle all the time.
    idle_since: Option<Duration>,
    outcome: Outcome,
    prints: bool,
}

impl World {
    pub fn new(load: &Load, seed: u64, prints: bool) -> Self {
        let mut random = Random::new(seed);
        let leaves_at = load.leaves.then(|| random.up_to(500));
        Self {
            load: *load,
            random,
            relief: Relief::default(),
            now: Duration::ZERO,
            workers: (0..load.workers).map(|_| Worker::default()).collect(),
            next_arrival: Some(Duration::ZERO),
            arrived: 0,
            leaves_at,
            served_last: Duration::ZERO,
            runs_at: None,
            acknowledged: Vec::new(),
            idle_since: Some(Duration::ZERO),
            outcome: Outcome::default(),
            prints,
        }
    }

    pub fn run(mut self) -> Result<Outcome, Broken> {
        while let Some(next) = self.next_event() {
            self.now = next;
            if self.outcome.served < self.load.arrivals {
                self.served_last = next;
            }
            self.outcome.events += 1;
            if self.leaves_at.is_some_and(|at| at <= next) {
                self.leaves_at = None;
                self.leave();
            }
            if self.next_arrival.is_some_and(|at| at <= next) {
                self.arrive();
            }
            for worker in 0..self.workers.len() {
                self.turn(worker);
            }
            if self.runs_at.is_some_and(|at| at <= next) {
                self.runs_at = None;
                self.manage()?;
            }
            self.wake_manager();
            self.check_waits()?;
            let silent = self.now - self.served_last;
            must!(
                silent < SILENCE || self.relief.deadline().is_none(),
                "looks go on, although nothing waits"
            );
        }
        must!(self.relief.deadline().is_none(), "a timer is left");
        must!(
            self.outcome.served == self.load.arrivals,
            "a connection is lost"
        );
        self.outcome.time = self.now;
        Ok(self.outcome)
    }

    fn next_event(&self) -> Option<Duration> {
        let workers = self.workers.iter().filter_map(|worker| worker.runs_until);
        let others = [self.next_arrival, self.runs_at, self.leaves_at];
        workers.chain(others.into_iter().flatten()).min()
    }

    fn arrive(&mut self) {
        for _ in 0..self.load.at_once.min(self.load.arrivals - self.arrived) {
            self.arrived += 1;
            let mut cost =
                self.load.cost * u32::try_from(50 + self.random.below(100)).unwrap() / 100;
            if let Some((percent, block)) = self.load.blocks
                && (self.random.below(100) < percent || percent == 0 && self.arrived == 10)
            {
                cost = block;
            }
            let open: Vec<_> = (0..self.workers.len())
                .filter(|it| !self.workers[*it].is_away)
                .collect();
            let home = self.random.pick(&open);
            self.workers[home].queue.push_back(Connection {
                arrived: self.now,
                cost,
            });
            self.wake(home);
        }
        // Exponential, in steps.
        let mean = 1_000_000 * self.load.at_once / self.load.per_second;
        let uniform = 1 + self.random.below(1000);
        let factor = -(f64::from(u32::try_from(uniform).unwrap()) / 1000.0).ln();
        let pause = Duration::from_micros(mean).mul_f64(factor);
        self.next_arrival = (self.arrived < self.load.arrivals).then_some(self.now + pause);
    }

    /// The others get its new connections; it serves those in its queue.
    fn leave(&mut self) {
        if self.workers.len() > 1 {
            self.workers[0].is_away = true;
            self.relief.forget(WorkerId(0));
        }
    }

    fn wake(&mut self, worker: usize) {
        let worker = &mut self.workers[worker];
        worker.runs_until.get_or_insert(self.now + LATENCY);
    }

    /// Ends a request, and begins the next one: of those accepted, else a new turn of the event loop.
    fn turn(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        if worker.runs_until.is_none_or(|until| until > self.now) {
            return;
        }
        if std::mem::take(&mut worker.is_serving) {
            self.outcome.served += 1;
        }
        worker.sleeps_in_request = false;
        if worker.accepted.is_empty() {
            if let Some(connection) = worker.channel.pop_front() {
                worker.accepted.push_back(connection);
                self.acknowledged.push(place);
            }
            let most = if self.load.accepts_all {
                worker.queue.len()
            } else {
                1
            };
            let most = most.min(worker.queue.len());
            worker.accepted.extend(worker.queue.drain(..most));
        }
        let Some(connection) = worker.accepted.pop_front() else {
            worker.runs_until = None;
            return;
        };
        let waited = self.now - connection.arrived;
        self.outcome.longest = self.outcome.longest.max(waited);
        self.outcome.late += u64::from(waited > LATE);
        worker.runs_until = Some(self.now + connection.cost);
        worker.is_serving = true;
        worker.began = self.now;
        worker.sleeps_in_request = connection.cost > LIMIT && self.random.chance(10);
    }

    fn wake_manager(&mut self) {
        let is_ready = self.relief.polls() && self.has_ready();
        if is_ready || !self.acknowledged.is_empty() {
            let at = self.now + OWN_LATENCY;
            self.runs_at = Some(self.runs_at.map_or(at, |runs_at| runs_at.min(at)));
        }
    }

    /// Whether a connection waits in a queue that pidone polls.
    fn has_ready(&self) -> bool {
        let mut workers = self.workers.iter();
        let waits = |worker: &Worker| !worker.is_away && !worker.queue.is_empty();
        self.load.has_relief && workers.any(waits)
    }

    fn manage(&mut self) -> Result<(), Broken> {
        self.outcome.wakes += 1;
        for worker in std::mem::take(&mut self.acknowledged) {
            let workers = &self.workers;
            let length = |_, member: Member| {
                let worker = &workers[member.slot()];
                if worker.is_away {
                    0
                } else {
                    length(&worker.queue)
                }
            };
            if let Some(one) = self.relief.on_taken(id(worker), self.now, length) {
                self.hand_over(one)?;
            }
        }
        self.relief.on_tick(self.now);
        if self.relief.polls() && self.relief.on_poll(self.now, self.has_ready()) {
            self.look()?;
        }
        if let Some(deadline) = self.relief.deadline() {
            let timeout = deadline.saturating_sub(self.now);
            self.runs_at = Some(self.now + timeout + OWN_LATENCY);
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), Broken> {
        self.outcome.looks += 1;
        let served = self
            .workers
            .iter()
            .enumerate()
            .filter(|(_, worker)| !worker.is_away);
        let queues: Vec<_> = served
            .map(|(place, worker)| Queue {
                port: 0,
                member: Member::first_of(place),
                worker: id(place),
                length: length(&worker.queue),
                is_free: worker.channel.is_empty(),
            })
            .collect();
        let (workers, states) = (&self.workers, &mut self.outcome.states);
        if self.prints {
            println!("{:?} {queues:?}", self.now);
        }
        let moves = self.relief.look(self.now, &queues, |worker| {
            *states += 1;
            let worker = &workers[place(worker)];
            worker.runs_until.is_none() || worker.sleeps_in_request
        });
        must!(moves.len() < queues.len().max(1), "more moves than targets");
        moves.into_iter().try_for_each(|one| self.hand_over(one))
    }

    /// The oracle: what a move must not do.
    fn hand_over(&mut self, one: Move<u8>) -> Result<(), Broken> {
        if self.prints {
            println!("{:?} {one:?}", self.now);
        }
        self.outcome.moves += 1;
        let from = one.from.slot();
        let to = place(one.to);
        must!(from != to, "to the same worker");
        must!(
            !self.workers[from].is_away && !self.workers[to].is_away,
            "a worker does not serve"
        );
        must!(
            self.workers[to].channel.is_empty(),
            "a second connection before the worker has taken the first"
        );
        let target = &self.workers[to];
        let is_blocked = target.is_serving && !target.sleeps_in_request;
        must!(
            !is_blocked || self.now - target.began < BLOCKED,
            "to a worker that is blocked"
        );
        let longer = self.workers[from].queue.len();
        must!(
            self.workers[to].queue.len() < longer,
            "to a queue that is as long"
        );
        let connection = self.workers[from].queue.pop_front().unwrap();
        self.workers[to].channel.push_back(connection);
        if !self.workers[to].sleeps_in_request {
            self.wake(to);
        }
        Ok(())
    }

    /// The head of a queue has waited longest.
    fn check_waits(&mut self) -> Result<(), Broken> {
        if !self.workers.iter().any(Worker::is_idle) {
            self.idle_since = None;
            return Ok(());
        }
        let idle_since = *self.idle_since.get_or_insert(self.now);
        for worker in self
            .workers
            .iter()
            .filter(|worker| worker.is_serving && !worker.is_away)
        {
            if let Some(head) = worker.queue.front() {
                let waited = self.now - head.arrived.max(idle_since);
                let longest = &mut self.outcome.longest_beside_idle;
                *longest = waited.max(*longest);
                must!(
                    waited < LIMIT || !self.load.has_relief,
                    "waited {waited:?} beside an idle worker"
                );
            }
        }
        Ok(())
    }
}

fn id(place: usize) -> WorkerId {
    WorkerId(u32::try_from(place).unwrap())
}

fn place(worker: WorkerId) -> usize {
    usize::try_from(worker.0).unwrap()
}

fn length<T>(queue: &VecDeque<T>) -> u32 {
    u32::try_from(queue.len()).unwrap()
}
