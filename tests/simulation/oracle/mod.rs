//! What must hold, judged from outside: by the events that go in and the actions that come out.

mod actions;
mod health;
mod requests;
mod restarts;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pidone::ended::Ended;
use pidone::rules::{Boot, Readiness, RestartPolicy, RunRules, StopMode, WorkerRules};
use pidone::signal::{Signal, SignalSet};
use pidone::supervisor::{
    Action, Done, Event, Member, Moment, Next, Queues, Reason, Refusal, Reply, Report, Request,
    RequestId, Start, StateView, Supervisor, WorkerId,
};

use restarts::Starts;

/// The sentence that says what does not hold.
pub type Broken = String;

/// Deaths and ticks take a moment.
const SLACK: Duration = Duration::from_secs(1);

/// How long the last leftovers are waited for after SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(1);

pub struct Oracle {
    config: RunRules,
    /// Those whose end has not been told.
    known: BTreeMap<WorkerId, Seen>,
    /// Those whose helpers are left, and since when.
    groups: BTreeMap<WorkerId, Moment>,
    /// Whose end is being told.
    just_gone: Option<Seen>,
    /// How the others ended.
    statuses: BTreeMap<WorkerId, u8>,
    last_to_end: Option<WorkerId>,
    newest: u32,
    target: usize,
    serving: Vec<WorkerId>,
    steered: Option<Vec<Option<Member>>>,
    reload: Option<Moment>,
    /// All have been asked for, not only one slot's.
    whole_reload: bool,
    /// Their number was asked for, and has not been said to be complete.
    scale_pending: bool,
    /// Before the last event.
    scale_was_pending: bool,
    /// All wanted slots have served at the same time.
    has_been_complete: bool,
    /// A worker's ports have changed, and nobody has looked at them since.
    ports_changed: Option<Moment>,
    requests: requests::Requests,
    starts: Starts,
    end: End,
    exited: bool,
    last_tick: Option<Moment>,
    ticks_in_a_row: u32,
    /// The last event was a look.
    looked: bool,
    /// By how much anything may be late.
    slack: Duration,
}

/// What is known of how the run ends.
#[derive(Default)]
struct End {
    asked: Option<Moment>,
    /// The signal that asks the workers to stop.
    signal: Option<Signal>,
    crash_loop: Option<WorkerId>,
    /// A command was done.
    command: bool,
    closed: Option<Moment>,
    queues_empty: bool,
    leftovers: Option<Moment>,
    any_left: bool,
    killed: bool,
    /// Single mode: the child was asked to stop.
    child_asked: bool,
    in_a_hurry: bool,
    /// When signals asked to stop; those of one moment are one.
    stop_signals: BTreeSet<Moment>,
    /// The last one came with another one.
    echo: bool,
    leftovers_killed: bool,
    /// SIGABRT was for pidone.
    aborted: bool,
    first_failed: Option<u8>,
}

#[derive(Default)]
struct Seen {
    instance: usize,
    member: Option<Member>,
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
    /// What its app listens to, as far as it has said so.
    handles: SignalSet,
    /// It was asked to say when all is answered, and has.
    finishing: bool,
    finished: bool,
    disconnected: bool,
    /// It got a stop signal, or SIGKILL.
    stopped: bool,
    killed: bool,
    leaves_by_itself: bool,
    never_ready: bool,
    hung_up: bool,
    /// It has listeners that it has not closed.
    listens: bool,
    /// When it first got a stop signal while it listened, so that its handler has something to close.
    signalled: Option<Moment>,
    /// It has closed all its ports.
    silent_since: Option<Moment>,
    released: bool,
    served_since: Option<Moment>,
    /// A sign of life was asked for, and has not come.
    pinged: Option<Moment>,
    /// A question that somebody's look or pidone itself has caused while it served is open.
    question: Option<Moment>,
    /// A signal has stopped it.
    halted: bool,
    /// Its event loop has stopped to turn.
    stuck_since: Option<Moment>,
    /// It was said to hang.
    hung: bool,
    measured: Option<Moment>,
    bytes: u64,
    /// When it was last said to be worn out.
    recycled: Option<Moment>,
}

impl Seen {
    /// It is a spare that is booted.
    fn rests(&self) -> bool {
        self.held && self.member.is_none() && !self.stopped && !self.disconnected
    }

    fn boots(&self) -> bool {
        self.member.is_some()
            && self.waits_since.is_some()
            && !self.has_served
            && !self.stopped
            && !self.disconnected
    }
}

impl Oracle {
    pub fn new(config: &RunRules, target: usize) -> Self {
        let target = if config.workers.is_some() { target } else { 1 };
        let first = Seen {
            member: Some(Member(0)),
            ..Seen::default()
        };
        Self {
            config: config.clone(),
            known: BTreeMap::from([(WorkerId(1), first)]),
            groups: BTreeMap::new(),
            just_gone: None,
            statuses: BTreeMap::new(),
            last_to_end: None,
            newest: 1,
            target,
            serving: Vec::new(),
            steered: None,
            reload: None,
            whole_reload: false,
            scale_pending: false,
            scale_was_pending: false,
            has_been_complete: false,
            ports_changed: None,
            requests: requests::Requests::default(),
            starts: Starts::new(),
            end: End::default(),
            exited: false,
            last_tick: None,
            ticks_in_a_row: 0,
            looked: false,
            slack: SLACK,
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

    fn can_steer(&self) -> bool {
        self.channel() || (!self.single() && self.config.listens)
    }

    fn ready_timeout(&self) -> Duration {
        let workers = self.config.workers.as_ref();
        workers.map_or(Duration::ZERO, |workers| workers.ready_timeout)
    }

    fn grace(&self) -> Duration {
        self.config.grace.unwrap_or_default()
    }

    fn stop_signal(&self) -> Signal {
        let own = self.config.signals.stop;
        own.or(self.end.signal).unwrap_or(Signal::TERM)
    }

    /// Whether a worker has had four fifths of its grace.
    fn is_out_of_patience(&self, seen: &Seen, now: Moment) -> bool {
        let begun = [seen.signalled, seen.retired, self.end.closed];
        let begun = begun.into_iter().flatten().min();
        begun.is_some_and(|begun| begun + self.grace() * 4 / 5 <= now)
    }

    fn drains(&self) -> bool {
        let workers = self.config.workers.as_ref();
        self.channel() && workers.is_some_and(|workers| workers.stop == StopMode::Drain)
    }

    fn spares(&self) -> usize {
        let workers = self.config.workers.as_ref();
        workers.map_or(0, |workers| usize::from(workers.spares))
    }

    fn rule<T>(&self, of: impl Fn(&WorkerRules) -> Option<T>) -> Option<T> {
        self.config.workers.as_ref().and_then(of)
    }

    /// What `--rewrite` makes of a signal.
    fn rewritten(&self, signal: Signal) -> Option<Signal> {
        let rewrites = &self.config.signals.rewrites;
        let rewrite = rewrites.iter().find(|(from, _)| *from == signal);
        rewrite.map_or(Some(signal), |(_, to)| *to)
    }

    fn is_ending(&self) -> bool {
        self.end.asked.is_some() || self.end.leftovers.is_some()
    }

    /// It is a signal to stop, after `--rewrite`.
    fn asks_to_stop(&self, event: &Event) -> bool {
        let signal = match event {
            Event::Signal(signal) => self.rewritten(*signal),
            Event::TerminalClosed => self.rewritten(Signal::HUP),
            _ => None,
        };
        signal.is_some_and(Signal::asks_to_stop)
    }

    /// A second signal to stop, a second or more after the first; or a third.
    fn is_impatient(&self) -> bool {
        let signals = &self.end.stop_signals;
        let apart = match (signals.first(), signals.last()) {
            (Some(first), Some(last)) => *last - *first,
            _ => Duration::ZERO,
        };
        signals.len() > 2 || apart >= Duration::from_secs(1)
    }

    pub fn before(&mut self, event: &Event, supervisor: &Supervisor, now: Moment) {
        // What still arrives has a quarter of a second, from when new connections were kept away.
        let is_done = |queues, since: Option<Moment>| match queues {
            Queues::Waiting => false,
            Queues::Unread => since.is_some_and(|at| at + Duration::from_millis(250) <= now),
            Queues::Empty => true,
        };
        self.serving = supervisor.serving().collect();
        self.just_gone = None;
        self.looked = *event == Event::Look;
        self.starts.command_ended = false;
        self.scale_was_pending = self.scale_pending;
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
                self.gone(worker, status, now);
            }
            Event::Exited { worker, ended } => {
                self.starts.command_ended = self.is_command(worker, ended);
                self.gone(worker, ended.status(), now);
                self.count_failure(ended.status(), now);
            }
            Event::Ready(id) => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.said_ready = true;
                }
            }
            Event::Leaving(id) => {
                let serves = self.serving.contains(&id);
                if let Some(seen) = self.known.get_mut(&id)
                    && (serves || (seen.halted && seen.has_served))
                {
                    seen.leaves_by_itself = true;
                    self.starts.lost(seen.member);
                }
            }
            Event::Listens { worker, any } => {
                self.ports_changed = Some(now);
                if let Some(seen) = self.known.get_mut(&worker) {
                    seen.listens = any;
                    seen.silent_since = (!any).then_some(now);
                }
            }
            Event::Announced { worker, handles } => {
                if let Some(seen) = self.known.get_mut(&worker) {
                    seen.handles = handles;
                }
            }
            Event::Finished(id) => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.finished = seen.finishing;
                }
            }
            Event::ChannelClosed(id) => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.hung_up = true;
                    seen.question = None;
                }
            }
            Event::Queues {
                worker: Some(id),
                queues,
            } => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.queue_empty |= is_done(queues, seen.retired);
                }
            }
            Event::Queues {
                worker: None,
                queues,
            } => self.end.queues_empty |= is_done(queues, self.end.closed),
            Event::Leftovers { any } => self.end.any_left = any,
            Event::GroupLeft(id) if self.end.leftovers.is_none() => {
                self.groups.insert(id, now);
            }
            Event::GroupLeft(_) => {}
            Event::GroupGone(id) => {
                self.groups.remove(&id);
            }
            Event::Asked(_) => self.starts.anybody_asked = true,
            Event::Held(id) => {
                self.starts.anybody_asked = true;
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.held = true;
                }
            }
            Event::Signal(_) | Event::TerminalClosed if self.asks_to_stop(event) => {
                self.end.child_asked |= self.single();
                self.end.echo = !self.end.stop_signals.insert(now);
            }
            Event::Request { id, request } => {
                self.requested(id, request, now);
                match request {
                    Request::Stop => self.end.child_asked |= self.single(),
                    Request::Scale { .. } => self.scale_pending = true,
                    Request::Reload | Request::Restart { .. } => {}
                }
            }
            Event::Pong(id) => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.pinged = None;
                    seen.question = None;
                }
            }
            Event::Stopped {
                worker,
                signal,
                job_control,
            } => {
                let with_pidone = job_control && signal != Signal::STOP;
                if let Some(seen) = self.known.get_mut(&worker)
                    && signal != Signal::TSTP
                    && !with_pidone
                {
                    seen.halted = true;
                }
            }
            Event::Continued(id) => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.halted = false;
                }
            }
            Event::Memory { worker, bytes } => {
                if let Some(seen) = self.known.get_mut(&worker) {
                    seen.bytes = bytes;
                }
            }
            Event::Signal(_)
            | Event::TerminalClosed
            | Event::LeftoversUnwatched
            | Event::Look
            | Event::Tick => {}
        }
    }

    /// Time has passed in which pidone could do nothing.
    pub fn jumped(&mut self, by: Duration) {
        self.slack += by;
    }

    /// What pidone cannot see by itself.
    pub fn stuck(&mut self, id: WorkerId, now: Moment) {
        if let Some(seen) = self.known.get_mut(&id) {
            seen.stuck_since = Some(now);
        }
    }

    fn gone(&mut self, id: WorkerId, status: u8, now: Moment) {
        self.just_gone = self.known.remove(&id);
        if let Some(seen) = &self.just_gone {
            if seen.listens {
                self.ports_changed = Some(now);
            }
            let counts = seen.member.is_some() && self.end.leftovers.is_none();
            self.end.killed |= seen.killed && counts && self.end.asked.is_some();
            if counts {
                self.last_to_end = Some(id);
            }
        }
        self.statuses.insert(id, status);
    }
}
