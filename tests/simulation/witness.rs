//! What must hold, judged from outside: by the events that go in and the actions that come out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pidone::config::{Config, Readiness, RestartPolicy};
use pidone::ended::Ended;
use pidone::signal::Signal;
use pidone::supervisor::{Action, Event, Lane, Moment, Next, Report, Start, Supervisor, WorkerId};

/// The sentence that says what does not hold.
pub type Broken = String;

macro_rules! must {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

/// Deaths and ticks take a moment.
const SLACK: Duration = Duration::from_secs(1);

/// How long the last leftovers are waited for after SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(1);

pub struct Witness {
    config: Config,
    /// Those whose end has not been told.
    known: BTreeMap<WorkerId, Seen>,
    /// How the others ended.
    statuses: BTreeMap<WorkerId, u8>,
    last_to_end: Option<WorkerId>,
    newest: u32,
    target: usize,
    serving: Vec<WorkerId>,
    steered: Option<Vec<Option<Lane>>>,
    reload: Option<Moment>,
    end: End,
    exited: bool,
    last_tick: Option<Moment>,
    ticks_in_a_row: u32,
}

/// What is known of how the run ends.
#[derive(Default)]
struct End {
    asked: Option<Moment>,
    crash_loop: Option<WorkerId>,
    closed: Option<Moment>,
    queues_empty: bool,
    leftovers: Option<Moment>,
    any_left: bool,
    killed: bool,
    in_a_hurry: bool,
    first_failed: Option<u8>,
}

#[derive(Default)]
struct Seen {
    instance: usize,
    lane: Option<Lane>,
    asked: Moment,
    waits_since: Option<Moment>,
    /// It has said that it serves.
    said_ready: bool,
    /// It waits for a place.
    held: bool,
    has_served: bool,
    retired: Option<Moment>,
    queue_empty: bool,
    announced: bool,
    disconnected: bool,
    /// It got a stop signal, or SIGKILL.
    stopped: bool,
    killed: bool,
    leaves_by_itself: bool,
    never_ready: bool,
    hung_up: bool,
}

impl Seen {
    fn boots(&self) -> bool {
        self.lane.is_some() && self.waits_since.is_some() && !self.has_served && !self.stopped
    }
}

impl Witness {
    pub fn new(config: &Config, target: usize) -> Self {
        let target = if config.workers.is_some() { target } else { 1 };
        let first = Seen {
            lane: Some(Lane(0)),
            ..Seen::default()
        };
        Self {
            config: config.clone(),
            known: BTreeMap::from([(WorkerId(1), first)]),
            statuses: BTreeMap::new(),
            last_to_end: None,
            newest: 1,
            target,
            serving: Vec::new(),
            steered: None,
            reload: None,
            end: End::default(),
            exited: false,
            last_tick: None,
            ticks_in_a_row: 0,
        }
    }

    fn channel(&self) -> bool {
        let workers = self.config.workers.as_ref();
        workers.is_some_and(|workers| workers.channel)
    }

    fn single(&self) -> bool {
        self.config.workers.is_none()
    }

    fn in_place(&self) -> bool {
        let workers = self.config.workers.as_ref();
        workers.is_some_and(|workers| workers.port_env.is_some()) && !self.channel()
    }

    fn has_lanes(&self) -> bool {
        self.channel() || (!self.single() && !self.config.listen.is_empty())
    }

    fn ready_timeout(&self) -> Duration {
        let workers = self.config.workers.as_ref();
        workers.map_or(Duration::ZERO, |workers| workers.ready_timeout)
    }

    fn grace(&self) -> Duration {
        self.config.grace.unwrap_or_default()
    }

    fn spares(&self) -> usize {
        let workers = self.config.workers.as_ref();
        workers.map_or(0, |workers| usize::from(workers.spares))
    }

    fn is_ending(&self) -> bool {
        self.end.asked.is_some() || self.end.leftovers.is_some()
    }

    pub fn before(&mut self, event: &Event, supervisor: &Supervisor, now: Moment) {
        self.serving = supervisor.serving().collect();
        match *event {
            Event::Started(id) => {
                let ready_at_once = self
                    .config
                    .workers
                    .as_ref()
                    .is_none_or(|workers| workers.ready == Readiness::None);
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.waits_since = Some(now);
                    seen.said_ready = ready_at_once;
                }
            }
            Event::StartFailed { worker, status } => {
                if worker == WorkerId(1) {
                    self.end.first_failed = Some(status);
                }
                self.gone(worker, status);
            }
            Event::Exited { worker, ended } => self.gone(worker, ended.status()),
            Event::Ready(id) => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.said_ready = true;
                }
            }
            Event::Leaving(id) => {
                let serves = self.serving.contains(&id);
                if let Some(seen) = self.known.get_mut(&id).filter(|_| serves) {
                    seen.leaves_by_itself = true;
                }
            }
            Event::ChannelClosed(id) => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.hung_up = true;
                }
            }
            Event::Queues {
                worker: Some(id),
                empty,
            } => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.queue_empty |= empty;
                }
            }
            Event::Queues {
                worker: None,
                empty,
            } => self.end.queues_empty |= empty,
            Event::Leftovers { any } => self.end.any_left = any,
            Event::Held(id) => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.held = true;
                }
            }
            Event::Signal(_) | Event::Stopped { .. } | Event::Tick => {}
        }
    }

    fn gone(&mut self, id: WorkerId, status: u8) {
        if let Some(seen) = self.known.remove(&id) {
            let counts = seen.lane.is_some() && self.end.leftovers.is_none();
            self.end.killed |= seen.killed && counts && self.end.asked.is_some();
            if counts {
                self.last_to_end = Some(id);
            }
        }
        self.statuses.insert(id, status);
    }

    pub fn actions(
        &mut self,
        event: &Event,
        actions: &[Action],
        now: Moment,
    ) -> Result<(), Broken> {
        for action in actions {
            must!(!self.exited, "{action:?} after the exit");
            self.action(event, action, now)
                .map_err(|broken| format!("{broken}: {action:?}"))?;
        }
        Ok(())
    }

    fn action(&mut self, event: &Event, action: &Action, now: Moment) -> Result<(), Broken> {
        match action {
            Action::Start(start) => self.starts(start, now)?,
            Action::Admit { worker, lane } => {
                self.check_free(*lane)?;
                let seen = self.seen(*worker)?;
                must!(seen.lane.is_none(), "it has a place already");
                must!(!seen.stopped, "it is to leave");
                seen.lane = Some(*lane);
                seen.waits_since = Some(now);
                let at_once = self
                    .config
                    .workers
                    .as_ref()
                    .is_some_and(|workers| workers.ready == Readiness::None);
                self.seen(*worker)?.said_ready |= at_once;
                must!(!self.is_ending(), "it is over");
            }
            Action::Signal { worker, signal, .. } => {
                let stops = signal.asks_to_stop() || *signal == Signal::ABRT;
                if stops && !self.single() {
                    self.check_quiet(*worker, now)?;
                }
                let seen = self.seen(*worker)?;
                must!(seen.waits_since.is_some(), "it does not run yet");
                seen.stopped |= stops || *signal == Signal::KILL;
                must!(
                    *signal != Signal::KILL || !seen.killed,
                    "it is killed already"
                );
                seen.killed |= *signal == Signal::KILL;
            }
            Action::Announce(worker) => {
                let seen = self.seen(*worker)?;
                must!(!seen.announced, "twice");
                must!(!seen.disconnected && !seen.stopped, "too late");
                seen.announced = true;
            }
            Action::Disconnect(worker) => {
                must!(self.channel(), "there is no channel");
                self.check_quiet(*worker, now)?;
                let seen = self.seen(*worker)?;
                must!(!seen.disconnected, "twice");
                must!(!seen.hung_up, "its channel is closed");
                seen.disconnected = true;
            }
            Action::CheckQueues(Some(worker)) => {
                must!(self.has_lanes(), "there are no queues");
                self.seen(*worker)?;
            }
            Action::CheckQueues(None) => must!(self.end.closed.is_some(), "it is not closed"),
            Action::ProbePort(worker) => must!(self.seen(*worker)?.boots(), "it does not boot"),
            Action::Steer(lanes) => {
                must!(self.has_lanes(), "there is nothing to steer");
                must!(self.end.closed.is_none(), "it is closed");
                must!(self.steered.as_ref() != Some(lanes), "that is no change");
                self.steered = Some(lanes.clone());
            }
            Action::CloseToNewcomers => {
                must!(self.has_lanes(), "there is nothing to close");
                must!(self.end.closed.is_none(), "it is closed already");
                must!(self.end.asked.is_some(), "nobody wants to stop");
                self.end.closed = Some(now);
            }
            Action::Suspend(worker) | Action::Resume(worker) => {
                self.seen(*worker)?;
            }
            Action::Report(report) => self.report(event, *report, now)?,
            Action::SignalLeftovers(_) => {
                let waited_for = self.known.values().any(|seen| seen.lane.is_some());
                must!(!waited_for, "a worker is still there");
                self.end.leftovers.get_or_insert(now);
            }
            Action::Exit(_) => self.exited = true,
        }
        Ok(())
    }

    fn seen(&mut self, id: WorkerId) -> Result<&mut Seen, Broken> {
        self.known
            .get_mut(&id)
            .ok_or_else(|| format!("{id:?} is gone, or never was"))
    }

    fn starts(&mut self, start: &Start, now: Moment) -> Result<(), Broken> {
        must!(start.worker.0 == self.newest + 1, "no fresh number");
        self.newest += 1;
        must!(!self.is_ending(), "it is over");
        if let Some(lane) = start.lane {
            self.check_free(lane)?;
        }
        let seen = Seen {
            instance: start.instance,
            lane: start.lane,
            asked: now,
            ..Seen::default()
        };
        self.known.insert(start.worker, seen);
        Ok(())
    }

    /// Nobody serves or boots in this lane.
    fn check_free(&self, lane: Lane) -> Result<(), Broken> {
        let taken = |id: &WorkerId, seen: &Seen| {
            let serves = self.serving.contains(id)
                && !seen.leaves_by_itself
                && !seen.stopped
                && seen.retired.is_none();
            seen.lane == Some(lane) && (serves || seen.boots())
        };
        let taker = self.known.iter().find(|(id, seen)| taken(id, seen));
        must!(taker.is_none(), "the lane is {:?}'s", taker.map(|it| it.0));
        Ok(())
    }

    /// Nothing can be waiting for a worker that has served and is to close.
    fn check_quiet(&mut self, id: WorkerId, now: Moment) -> Result<(), Broken> {
        let (has_lanes, grace, closed) = (self.has_lanes(), self.grace(), self.end.closed);
        let all_empty = self.end.queues_empty;
        let in_a_hurry = self.end.in_a_hurry;
        let seen = self.seen(id)?;
        let out_of_patience = |since: Option<Moment>| since.is_some_and(|at| at + grace / 2 <= now);
        let quiet = !has_lanes
            || !seen.has_served
            || seen.leaves_by_itself
            || seen.queue_empty
            || all_empty
            || in_a_hurry
            || out_of_patience(seen.retired)
            || out_of_patience(closed);
        must!(quiet, "connections may wait for it");
        Ok(())
    }

    fn report(&mut self, event: &Event, report: Report, now: Moment) -> Result<(), Broken> {
        match report {
            Report::Ended {
                next: Next::Restart(delay),
                ..
            } => {
                let rules = &self.config.restart;
                let bounds = rules.min_delay..=rules.max_delay;
                must!(
                    delay.is_zero() || bounds.contains(&delay),
                    "a delay out of bounds"
                );
            }
            Report::Ended { .. } | Report::Overdue { .. } | Report::LastWorker => {}
            Report::NeverReady { worker, timeout } => {
                let expected = self.ready_timeout();
                let seen = self.seen(worker)?;
                let waited = seen.waits_since.map(|since| now - since);
                must!(timeout == expected, "another timeout was asked for");
                must!(
                    waited.is_some_and(|waited| waited >= timeout),
                    "it has waited {waited:?}"
                );
                must!(!(seen.said_ready && seen.lane.is_some()), "it said it is");
                seen.never_ready = true;
            }
            Report::AllReady { .. } => must!(!self.is_ending(), "it is over"),
            Report::CrashLoop { worker, .. } => {
                self.end.asked.get_or_insert(now);
                self.end.crash_loop = Some(worker);
                self.reload = None;
            }
            Report::ReloadBegun => self.reload = Some(now),
            Report::ReloadDone { .. } => {
                let begun = self.reload.take();
                must!(begun.is_some(), "none was begun");
                let old = self.known.iter().find(|(id, seen)| {
                    let serves = self.serving.contains(id) && !seen.leaves_by_itself;
                    let stays = (serves && seen.retired.is_none()) || seen.boots();
                    stays && Some(seen.asked) < begun
                });
                must!(old.is_none(), "{:?} is an old one", old.map(|it| it.0));
            }
            Report::ReloadFailed { worker } => {
                must!(self.reload.take().is_some(), "none was begun");
                let by_itself = match self.known.get(&worker) {
                    Some(seen) => seen.never_ready,
                    None => matches!(event, Event::Exited { .. } | Event::StartFailed { .. }),
                };
                must!(by_itself, "its successor has not failed");
            }
            Report::Scaled { from, to } => {
                must!(from == self.target && to > 0, "there were {}", self.target);
                self.target = to;
            }
            Report::Stopping { .. } => {
                must!(self.end.asked.is_none(), "twice");
                self.end.asked = Some(now);
                self.reload = None;
            }
            Report::StoppingAtOnce => self.end.in_a_hurry = true,
        }
        Ok(())
    }

    pub fn after(
        &mut self,
        event: &Event,
        actions: &[Action],
        supervisor: &Supervisor,
        now: Moment,
    ) -> Result<(), Broken> {
        let before = std::mem::take(&mut self.serving);
        self.serving = supervisor.serving().collect();
        for id in &self.serving {
            if let Some(seen) = self.known.get_mut(id) {
                seen.has_served = true;
            }
        }
        for id in before.iter().filter(|id| !self.serving.contains(id)) {
            if let Some(seen) = self.known.get_mut(id) {
                seen.retired = Some(now);
            }
        }
        self.check_serving(supervisor)?;
        self.check_loss(&before, event)?;
        self.check_steering()?;
        self.check_deadline(event, actions, supervisor, now)
    }

    /// One for each place, and not too many.
    fn check_serving(&self, supervisor: &Supervisor) -> Result<(), Broken> {
        let mut instances = BTreeSet::new();
        let mut slots = BTreeSet::new();
        for id in &self.serving {
            let seen = self
                .known
                .get(id)
                .ok_or_else(|| format!("{id:?} serves, and is dead"))?;
            let lane = seen
                .lane
                .ok_or_else(|| format!("{id:?} is a spare, and serves"))?;
            must!(seen.said_ready, "{id:?} never said that it serves");
            must!(
                instances.insert(seen.instance),
                "two have the number of {id:?}"
            );
            must!(slots.insert(lane.slot()), "two serve in the slot of {id:?}");
            must!(supervisor.is_served(lane), "nobody accepts for {id:?}");
        }
        let booting: Vec<_> = self.known.values().filter(|seen| seen.boots()).collect();
        let most = self.target + 1;
        must!(
            self.serving.len() <= self.target && self.serving.len() + booting.len() <= most,
            "{} serve and {} boot, of {}",
            self.serving.len(),
            booting.len(),
            self.target
        );
        // A replacement has the number of the one before.
        let mut numbers = BTreeMap::new();
        for seen in self.known.values().filter(|seen| seen.boots()) {
            *numbers.entry(seen.instance).or_insert(0) += 1;
        }
        let twins = numbers
            .iter()
            .filter(|(number, count)| **count + usize::from(instances.contains(number)) > 1);
        must!(twins.count() <= 1, "more than one is being replaced");
        Ok(())
    }

    /// Nobody stops to serve without a reason.
    fn check_loss(&self, before: &[WorkerId], event: &Event) -> Result<(), Broken> {
        let explained = match event {
            Event::Exited { worker, .. } | Event::Leaving(worker) => before.contains(worker),
            Event::Signal(_) => true,
            _ => false,
        };
        let lost = before.len().saturating_sub(self.serving.len());
        let allowed = usize::from(explained || self.in_place());
        must!(
            lost <= allowed || self.is_ending(),
            "{lost} less serve than before"
        );
        Ok(())
    }

    /// Newcomers go to all those who serve, and to nobody else.
    fn check_steering(&self) -> Result<(), Broken> {
        if !self.has_lanes() || self.exited || self.is_ending() {
            return Ok(());
        }
        let Some(lanes) = &self.steered else {
            return Err("nothing is steered".into());
        };
        let named: BTreeSet<_> = lanes.iter().copied().flatten().collect();
        must!(!named.is_empty(), "newcomers go nowhere");
        let serve: BTreeSet<_> = self
            .serving
            .iter()
            .filter_map(|id| self.known.get(id)?.lane)
            .collect();
        must!(
            serve.is_empty() || serve == named,
            "{serve:?} serve, and newcomers go to {named:?}"
        );
        let in_order = lanes.iter().enumerate();
        let mut strays = in_order.filter_map(|(slot, lane)| Some((slot, (*lane)?.slot())));
        must!(strays.all(|(slot, own)| slot == own), "another slot's lane");
        Ok(())
    }

    fn check_deadline(
        &mut self,
        event: &Event,
        actions: &[Action],
        supervisor: &Supervisor,
        now: Moment,
    ) -> Result<(), Broken> {
        if self.exited {
            return Ok(());
        }
        let deadline = supervisor.next_deadline();
        if *event == Event::Tick {
            let overdue = deadline.is_some_and(|at| at <= now);
            must!(!overdue || !actions.is_empty(), "a tick without progress");
            let same_time = self.last_tick == Some(now);
            self.last_tick = Some(now);
            self.ticks_in_a_row = if same_time {
                self.ticks_in_a_row + 1
            } else {
                0
            };
            must!(self.ticks_in_a_row < 50, "it ticks and ticks");
        }
        if let Some(asked) = self.end.asked
            && let Some(workers) = &self.config.workers
        {
            let serving = workers
                .drain_delay
                .max(workers.http_drain.unwrap_or_default());
            let most = serving + self.grace() + KILL_GRACE + SLACK;
            must!(now <= asked + most, "it takes longer to stop than {most:?}");
        }
        if !self.is_ending() {
            self.check_rest(deadline)?;
        }
        Ok(())
    }

    /// Who has nothing to do sleeps; who lacks a worker does not.
    fn check_rest(&self, deadline: Option<Moment>) -> Result<(), Broken> {
        let all_there = self.serving.len() == self.target;
        let rests = |(id, seen): (&WorkerId, &Seen)| {
            self.serving.contains(id) || (seen.held && seen.lane.is_none() && !seen.stopped)
        };
        let nobody_else = self.known.len() == self.target + self.spares();
        if all_there && nobody_else && self.known.iter().all(rests) && !self.single() {
            must!(deadline.is_none(), "nothing is going on, but it wakes up");
            must!(self.reload.is_none(), "a reload does not go on");
        }
        let always = self.config.restart.policy == RestartPolicy::Always;
        if always && !self.single() && !all_there {
            let mut others = self.known.iter().filter(|(_, seen)| seen.lane.is_some());
            let changes = others.any(|(id, _)| !self.serving.contains(id));
            must!(
                changes || deadline.is_some(),
                "somebody is missing, and nobody comes"
            );
        }
        Ok(())
    }

    pub fn at_the_end(&self, status: u8, left: bool, now: Moment) -> Result<(), Broken> {
        must!(
            !(left && self.end.leftovers.is_none_or(|at| now < at)),
            "somebody is left behind"
        );
        let expected = |status: u8| {
            if self.config.expected.contains(&status) {
                0
            } else {
                status
            }
        };
        let killed = if self.end.killed {
            Ended::Killed(Signal::KILL).status()
        } else {
            0
        };
        let right = if let Some(failed) = self.end.first_failed {
            failed
        } else if let Some(looper) = self.end.crash_loop {
            match self.statuses.get(&looper).copied().unwrap_or(0) {
                0 => expected(killed),
                own => expected(own),
            }
        } else if self.end.asked.is_some() {
            expected(killed)
        } else if self.single() {
            let last = self.last_to_end.and_then(|id| self.statuses.get(&id));
            expected(last.copied().unwrap_or(0))
        } else {
            let one_of_them = |own: &&u8| expected(**own) == status;
            let own = self.statuses.values().find(one_of_them);
            own.map_or(255, |own| expected(*own))
        };
        must!(status == right, "the exit status is {status}, not {right}");
        Ok(())
    }
}
