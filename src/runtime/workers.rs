//! The workers: their processes, their members, their channels and their listeners.

#![forbid(unsafe_code)]

mod handing;
mod listening;
mod receiving;
mod relaying;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::link::{Link, connection};
use super::notices;
use super::ports::{PortId, Ports};
use super::report::Name;
use crate::channel::cluster::Key;
use crate::channel::query::Query;
use crate::channel::relay::Relay;
use crate::supervisor::{Event, Member, Moment, Start, WorkerId};
use crate::table::Table;
use relaying::{Dropped, Relayed};

pub(super) struct Worker {
    instance: usize,
    /// Where its inspector listens, or will listen.
    inspect_port: Option<u16>,
    pid: Option<i32>,
    member: Option<Member>,
    link: Option<Link>,
    /// Its queries before it has a slot.
    held: Vec<Query>,
    /// Its open listeners, by its key and by pidone's port.
    open: Vec<(Key, PortId)>,
    /// Whether it listens has changed, and the supervisor does not know yet.
    has_changed: bool,
    /// pidone has sent `disconnect`: the listeners that it closes now are not reported.
    told_to_disconnect: bool,
    sent_malformed: bool,
    /// The warning about too many listeners was logged.
    has_hit_limit: bool,
    /// It has queried a listener.
    has_asked: bool,
    /// The module of `--http-drain` is loaded in it.
    has_drain_module: bool,
    /// How many connections were taken from its queue.
    relieved: u64,
    /// It was logged that its messages for other workers, or theirs for it, are dropped.
    drops_logged: Dropped,
}

/// A connection for a worker that listens on this port.
pub(super) type AcceptedConnection = (PortId, OwnedFd);

#[derive(Default)]
pub(super) struct Workers {
    all: Table<WorkerId, Worker>,
    by_pid: Table<i32, WorkerId>,
    /// Exited, and not reported yet.
    dead: Vec<WorkerId>,
    /// Connections that a worker rejected or did not take.
    pub(super) accepted_connections: VecDeque<AcceptedConnection>,
    /// A worker has rejected one of them since they were last offered.
    pub(super) was_refused: bool,
    /// They have taken a connection that was handed to them.
    pub(super) have_taken: Vec<WorkerId>,
    /// `--http-drain`: true until it is logged that a worker runs without the module.
    wants_drain_module: bool,
    relay: Relay,
    /// It was logged that lines of log4js are lost.
    log4js_logged: bool,
    /// A message that pidone does not know has been logged.
    unknown_logged: bool,
    /// By `NODE_APP_INSTANCE`.
    relayed: Table<usize, Relayed>,
}

impl Workers {
    pub(super) fn new(wants_drain_module: bool, relays_all: bool) -> Self {
        Self {
            wants_drain_module,
            relay: Relay::new(relays_all),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, start: &Start, link: Option<Link>, inspect_port: Option<u16>) {
        if link.is_some() {
            self.relay.add(start.worker, start.instance);
        }
        let worker = Worker {
            instance: start.instance,
            inspect_port,
            pid: None,
            member: start.member,
            link,
            held: Vec::new(),
            open: Vec::new(),
            has_changed: false,
            told_to_disconnect: false,
            sent_malformed: false,
            has_hit_limit: false,
            has_drain_module: false,
            relieved: 0,
            has_asked: false,
            drops_logged: Dropped::default(),
        };
        self.all.insert(start.worker, worker);
    }

    pub(super) fn started(&mut self, id: WorkerId, pid: i32) {
        if let Some(worker) = self.all.get_mut(id) {
            worker.pid = Some(pid);
            self.by_pid.insert(pid, id);
        }
    }

    /// The process id of a worker that is not reaped yet, so the kernel has not reused it.
    pub(super) fn pid(&self, id: WorkerId) -> Option<i32> {
        let pid = self.all.get(id)?.pid?;
        self.by_pid.get(pid).map(|_| pid)
    }

    pub(super) fn of_pid(&self, pid: i32) -> Option<WorkerId> {
        self.by_pid.get(pid).copied()
    }

    pub(super) fn pids(&self) -> Vec<i32> {
        self.by_pid.keys().collect()
    }

    /// As log lines name it, in single mode too.
    pub(super) fn name(&self, id: WorkerId, single: bool) -> Name {
        let worker = self.all.get(id);
        Name {
            instance: worker.filter(|_| !single).map(|worker| worker.instance),
            pid: worker.and_then(|worker| worker.pid),
        }
    }

    pub(super) fn instance(&self, id: WorkerId) -> Option<usize> {
        self.all.get(id).map(|worker| worker.instance)
    }

    pub(super) fn inspect_port(&self, id: WorkerId) -> Option<u16> {
        self.all.get(id)?.inspect_port
    }

    /// Counts a connection that was taken from its queue.
    pub(super) fn count_relieved(&mut self, id: WorkerId) {
        if let Some(worker) = self.all.get_mut(id) {
            worker.relieved += 1;
        }
    }

    /// How many connections were taken from its queue.
    pub(super) fn relieved(&self, id: WorkerId) -> Option<u64> {
        self.all.get(id).map(|worker| worker.relieved)
    }

    /// Whether a running worker may have its inspector on this port.
    pub(super) fn has_inspector_at(&self, port: u16) -> bool {
        let mut running = self.by_pid.values().filter_map(|id| self.all.get(*id));
        running.any(|worker| worker.inspect_port == Some(port))
    }

    pub(super) fn member(&self, id: WorkerId) -> Option<Member> {
        self.all.get(id)?.member
    }

    /// Its process is reaped and its channel is read to the end. Connections that it did not take go to
    /// other workers.
    pub(super) fn reaped(&mut self, pid: i32, id: WorkerId, ports: &mut Ports) {
        self.by_pid.remove(pid);
        self.dead.push(id);
        ports.forget(id);
        self.channel_ended(id);
        let Some(worker) = self.all.get_mut(id) else {
            return;
        };
        if let Some(link) = worker.link.take() {
            let untaken = link.into_untaken();
            let accepted_connections =
                untaken.filter_map(|(key, fd)| Some((worker.port(key)?, fd)));
            self.accepted_connections.extend(accepted_connections);
        }
    }

    /// Removes the workers that have exited, after all reports about them.
    pub(super) fn forget_dead(&mut self) {
        for id in self.dead.drain(..) {
            self.all.remove(id);
        }
    }

    /// Writes to every channel what it has room for, and waits for what comes next. Returns when the
    /// next paused channel is read again.
    pub(super) fn flush(&mut self, now: Moment) -> Option<Moment> {
        let pauses = self.links().filter_map(|link| {
            link.flush();
            link.watch(now)
        });
        pauses.min()
    }

    /// A spare gets a slot.
    pub(super) fn admit(
        &mut self,
        id: WorkerId,
        member: Member,
        ports: &mut Ports,
        events: &mut VecDeque<Event>,
    ) {
        if let Some(worker) = self.all.get_mut(id) {
            worker.member = Some(member);
            for query in std::mem::take(&mut worker.held) {
                worker.answer(id, &query, ports);
            }
            worker.report_listening(id, events);
        }
        self.accepted_connections.extend(ports.take_displaced());
    }

    /// The worker keeps running without pidone's listeners.
    pub(super) fn release(
        &mut self,
        id: WorkerId,
        ports: &mut Ports,
        events: &mut VecDeque<Event>,
    ) {
        if let Some(worker) = self.all.get_mut(id) {
            worker.forget_ports();
            ports.release(id);
            worker.report_listening(id, events);
        }
    }

    /// If the channel is closed, the worker counts as leaving; the supervisor knows that.
    pub(super) fn ping(&mut self, id: WorkerId) {
        if let Some(link) = self.link(id) {
            link.ping();
        }
    }

    /// See [`Link::loop_delay`].
    pub(super) fn loop_delay(&self, id: WorkerId, fresh: Duration) -> Option<Duration> {
        self.all.get(id)?.link.as_ref()?.loop_delay(fresh)
    }

    pub(super) fn announce(&mut self, id: WorkerId) {
        if let Some(link) = self.link(id) {
            link.outbox.announce();
        }
    }

    pub(super) fn finish(&mut self, id: WorkerId) {
        if let Some(link) = self.link(id) {
            link.outbox.finish();
        }
    }

    pub(super) fn disconnect(&mut self, id: WorkerId) {
        let Some(worker) = self.all.get_mut(id) else {
            return;
        };
        worker.told_to_disconnect = true;
        self.relay.leaves(id);
        if let Some(link) = &mut worker.link {
            let unsent = link.disconnect();
            let unsent = unsent.into_iter().filter_map(connection);
            let accepted_connections = unsent.filter_map(|(key, fd)| Some((worker.port(key)?, fd)));
            self.accepted_connections.extend(accepted_connections);
        }
    }

    /// A worker exited because of an invalid option: if the module may be the cause, that is logged,
    /// once.
    pub(super) fn report_bad_option(&mut self, id: WorkerId) {
        if let Some(worker) = self.all.get(id)
            && worker.link.is_some()
            && !worker.has_drain_module
            && std::mem::take(&mut self.wants_drain_module)
        {
            notices::drain_module_refused(worker.instance);
        }
    }

    pub(super) fn links(&mut self) -> impl Iterator<Item = &mut Link> {
        let workers = self.all.values_mut();
        workers.filter_map(|worker| worker.link.as_mut())
    }

    pub(super) fn link_of(&self, id: WorkerId) -> Option<&Link> {
        self.all.get(id)?.link.as_ref()
    }

    pub(super) fn link(&mut self, id: WorkerId) -> Option<&mut Link> {
        self.all.get_mut(id)?.link.as_mut()
    }
}
