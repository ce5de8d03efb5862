//! Rules checked from outside: by the events that go in and the actions that come out.

mod actions;
mod checks;
mod health;
mod limits;
mod options;
mod requests;
mod restarts;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pidone::ended::Ended;
use pidone::rules::{Boot, Instances, Readiness, RestartPolicy, RunRules, StopMode, WorkerRules};
use pidone::signal::{Signal, SignalSet};
use pidone::supervisor::{
    Action, ContainerLimits, Done, Event, Member, Moment, Next, Pending, Reason, Refusal, Reply,
    Report, Request, RequestId, ScaleTo, SlotView, Start, StateView, Supervisor, WorkerId,
};

use restarts::Starts;

/// The rule that was broken, as a sentence.
pub type Broken = String;

/// Tolerance for exits and ticks.
const SLACK: Duration = Duration::from_secs(1);

/// How long pidone waits for the last leftovers after SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(1);

pub struct Oracle {
    config: RunRules,
    /// Workers whose exit was not reported.
    known: BTreeMap<WorkerId, Seen>,
    /// Workers with remaining processes in their group, and since when.
    groups: BTreeMap<WorkerId, Moment>,
    /// The worker whose exit is being reported.
    just_gone: Option<Seen>,
    /// The exit statuses of the others.
    statuses: BTreeMap<WorkerId, u8>,
    last_to_end: Option<WorkerId>,
    newest: u32,
    target: usize,
    /// The largest number of workers wanted so far.
    most_wanted: usize,
    /// The smallest number: slots below it belong to the first start.
    least_wanted: usize,
    serving: Vec<WorkerId>,
    steered: Option<Vec<Option<Member>>>,
    reload: Option<Moment>,
    /// A reload of all workers, not only of one slot.
    whole_reload: bool,
    /// A scale request is not complete.
    scale_pending: bool,
    /// The same before the last event.
    scale_was_pending: bool,
    /// All wanted slots have served at the same time.
    has_been_complete: bool,
    /// When a worker's ports changed, until pidone has looked at them.
    ports_changed: Option<Moment>,
    /// No worker listens on the service's port any longer.
    port_is_lost: bool,
    requests: requests::Requests,
    starts: Starts,
    limits: limits::Limits,
    end: End,
    exited: bool,
    last_tick: Option<Moment>,
    ticks_in_a_row: u32,
    /// The last event was [`Event::Look`].
    looked: bool,
    /// The last event was [`Event::Continued`]: its worker may serve again.
    continues: bool,
    /// By how much deadlines may be missed.
    slack: Duration,
}

/// The state of the end of the run.
#[derive(Default)]
struct End {
    asked: Option<Moment>,
    /// The signal that tells the workers to stop.
    signal: Option<Signal>,
    crash_loop: Option<WorkerId>,
    /// A command has finished.
    command: bool,
    closed: Option<Moment>,
    queues_empty: bool,
    leftovers: Option<Moment>,
    any_left: bool,
    killed: bool,
    /// Single mode: the child was told to stop.
    child_asked: bool,
    urgent: bool,
    /// When stop signals arrived; those of one moment count once.
    stop_signals: BTreeSet<Moment>,
    /// The last one arrived together with another one.
    echo: bool,
    leftovers_killed: bool,
    /// SIGABRT was sent to pidone.
    aborted: bool,
    first_failed: Option<u8>,
}

#[derive(Default)]
struct Seen {
    instance: usize,
    member: Option<Member>,
    asked: Moment,
    waits_since: Option<Moment>,
    /// A reload failed before its program ran: its signal waits for that.
    dropped: bool,
    /// It has reported readiness.
    said_ready: bool,
    /// When it last said so, it was not asked to exit yet.
    is_ready_unasked: bool,
    /// It waits for a slot.
    held: bool,
    has_served: bool,
    retired: Option<Moment>,
    queue_empty: bool,
    announced: bool,
    /// The signals its app handles, as far as it has reported them.
    handles: SignalSet,
    /// It was told to report when all requests are answered, and has done so.
    finishing: bool,
    finished: bool,
    disconnected: bool,
    /// It got a stop signal, or SIGKILL.
    stopped: bool,
    killed: bool,
    disconnects_itself: bool,
    never_ready: bool,
    channel_closed: bool,
    /// It has listeners that it has not closed.
    listens: bool,
    /// When it first got a stop signal while it listened, so that its handler can close listeners.
    signalled: Option<Moment>,
    /// When it closed all its ports.
    silent_since: Option<Moment>,
    released: bool,
    served_since: Option<Moment>,
    /// When it was pinged, until it answers.
    pinged: Option<Moment>,
    /// When a status request or pidone itself pinged it while it served, until it answers.
    question: Option<Moment>,
    /// A signal has stopped it.
    halted: bool,
    /// When its event loop blocked.
    stuck_since: Option<Moment>,
    /// It was reported as hanging.
    hung: bool,
    measured: Option<Moment>,
    bytes: u64,
    /// When its replacement for age or memory was last reported.
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
    pub fn new(config: &RunRules, limits: ContainerLimits) -> Self {
        let target = match config.workers.as_ref().map(|workers| workers.instances) {
            Some(Instances::Auto) => limits.cpus,
            Some(Instances::Count(count)) => usize::from(count),
            None => 1,
        };
        let workers = config.workers.as_ref();
        let spares = workers.map_or(0, |workers| usize::from(workers.spares));
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
            most_wanted: target,
            least_wanted: target,
            serving: Vec::new(),
            steered: None,
            reload: None,
            whole_reload: false,
            scale_pending: false,
            scale_was_pending: false,
            has_been_complete: false,
            ports_changed: None,
            port_is_lost: false,
            requests: requests::Requests::default(),
            starts: Starts::new(target..target + spares),
            limits: limits::Limits::new(config, limits),
            end: End::default(),
            exited: false,
            last_tick: None,
            ticks_in_a_row: 0,
            looked: false,
            continues: false,
            slack: SLACK,
        }
    }

    /// Whether a worker has used four fifths of its grace.
    fn has_used_most_grace(&self, seen: &Seen, now: Moment) -> bool {
        let begun = [seen.signalled, seen.retired, self.end.closed];
        let begun = begun.into_iter().flatten().min();
        begun.is_some_and(|begun| begun + self.grace() * 4 / 5 <= now)
    }

    fn is_ending(&self) -> bool {
        self.end.asked.is_some() || self.end.leftovers.is_some()
    }

    /// The event is a signal to stop, after `--rewrite`.
    fn asks_to_stop(&self, event: &Event) -> bool {
        let signal = match event {
            Event::Signal(signal) => self.rewritten(*signal),
            Event::TerminalClosed => self.rewritten(Signal::HUP),
            _ => None,
        };
        signal.is_some_and(Signal::asks_to_stop)
    }

    /// A second signal to stop, a second or more after the first; or a third.
    fn is_urgent(&self) -> bool {
        let signals = &self.end.stop_signals;
        let apart = match (signals.first(), signals.last()) {
            (Some(first), Some(last)) => *last - *first,
            _ => Duration::ZERO,
        };
        signals.len() > 2 || apart >= Duration::from_secs(1)
    }

    pub fn before(&mut self, event: &Event, supervisor: &Supervisor, now: Moment) {
        // Connections that still arrive have 250 ms, from when new connections were steered away.
        let is_done = |pending, since: Option<Moment>| match pending {
            Pending::Queued => false,
            Pending::Unread => since.is_some_and(|at| at + Duration::from_millis(250) <= now),
            Pending::Nothing => true,
        };
        self.serving = supervisor.serving().collect();
        self.just_gone = None;
        self.looked = *event == Event::Look;
        self.continues = matches!(event, Event::Continued(_));
        self.starts.command_ended = false;
        self.scale_was_pending = self.scale_pending;
        self.limits_before(event, now);
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
                    seen.is_ready_unasked = !seen.stopped && !seen.disconnected;
                }
            }
            Event::Disconnects(id) => {
                let serves = self.serving.contains(&id);
                if let Some(seen) = self.known.get_mut(&id)
                    && (serves || (seen.halted && seen.has_served))
                {
                    seen.disconnects_itself = true;
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
                    seen.channel_closed = true;
                    seen.question = None;
                }
            }
            Event::Pending {
                worker: Some(id),
                pending,
            } => {
                if let Some(seen) = self.known.get_mut(&id) {
                    seen.queue_empty |= is_done(pending, seen.retired);
                }
            }
            Event::Pending {
                worker: None,
                pending,
            } => self.end.queues_empty |= is_done(pending, self.end.closed),
            Event::Leftovers { any } => self.end.any_left = any,
            Event::GroupLeft(id) if self.end.leftovers.is_none() => {
                self.groups.insert(id, now);
            }
            Event::GroupLeft(_) => {}
            Event::GroupGone(id) => {
                self.groups.remove(&id);
            }
            Event::Asked(_) => self.starts.any_asked = true,
            Event::Held(id) => {
                self.starts.any_asked = true;
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
                    Request::Reload | Request::BeginReload | Request::Restart { .. } => {}
                }
            }
            Event::PortLost(is_lost) => self.port_is_lost = is_lost,
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
                    // It may serve from now on only, and is watched from then on.
                    if !seen.has_served {
                        seen.question = None;
                    }
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
            | Event::Limits(_)
            | Event::Tick => {}
        }
    }

    /// Time has passed in which pidone did not run.
    pub fn jumped(&mut self, by: Duration) {
        self.slack += by;
    }

    /// A state that pidone cannot see directly.
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
