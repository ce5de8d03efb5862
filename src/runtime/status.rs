//! The status, from the supervisor, /proc, the sockets and the control group, collected on demand.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::Runtime;
use super::report::Name;
use super::systemd::ServiceState;
use crate::admin::status::{
    ContainerStatus, EndStatus, LastEnds, Mode, Restarts, Status, Times, Totals, WorkerStatus,
};
use crate::ended::Ended;
use crate::supervisor::{
    Action, Event, Moment, Next, Reason, Report, SlotView, StateView, Unready, WorkerId,
};
use crate::sys::cgroup::ContainerMeter;
use crate::sys::{cpu, procfs};
use crate::text::HumanDuration;

/// Counters since pidone started: restarts by cause, exits, reloads.
#[derive(Debug, Default)]
pub(super) struct Tally {
    restarts: Restarts,
    /// Counted as hung, and not exited yet.
    hung: Vec<WorkerId>,
    reloads_done: (u64, Duration),
    reloads_failed: (u64, Duration),
    /// At most 256 exit codes and 64 signals.
    exits: Vec<(Ended, u64)>,
    pub(super) boots: Times,
    pub(super) drains: Times,
    crash_loop: bool,
    /// Connections taken from the queue of a busy worker.
    pub(super) relieved: u64,
    ends: LastEnds,
    /// Made for the first status.
    meter: Option<ContainerMeter>,
}

impl Tally {
    /// `has_slot`: the worker of the report has a slot, so it is not a spare.
    pub(super) fn count(&mut self, report: Report, has_slot: bool, now: Moment) {
        let restarts = &mut self.restarts;
        match report {
            Report::Recycled { reason, .. } => match reason {
                Reason::Memory { .. } => restarts.memory += 1,
                Reason::Age => restarts.age += 1,
            },
            Report::Hung { worker, .. } => {
                restarts.hang += 1;
                self.hung.push(worker);
            }
            Report::ReloadDone { .. } => self.reloads_done = (self.reloads_done.0 + 1, now),
            Report::ReloadFailed { .. } => self.reloads_failed = (self.reloads_failed.0 + 1, now),
            Report::CrashLoop { .. } => self.crash_loop = true,
            Report::Ended {
                worker,
                next,
                ended,
                ..
            } => {
                match self.exits.iter_mut().find(|(known, _)| *known == ended) {
                    Some((_, count)) => *count += 1,
                    None => self.exits.push((ended, 1)),
                }
                let was_hung = self.hung.contains(&worker);
                self.hung.retain(|hung| *hung != worker);
                let is_again = matches!(next, Next::Restart(_) | Next::Spare);
                restarts.exit += u64::from(is_again && has_slot && !was_hung);
            }
            _ => {}
        }
    }

    fn container(&self) -> ContainerStatus {
        let Some(meter) = &self.meter else {
            return ContainerStatus::default();
        };
        ContainerStatus {
            cpu_ms: meter.cpu_ms(),
            cpu_limit: cpu::limit(meter.cpu_limit()),
            memory: meter.memory(),
            memory_limit: meter.memory_limit(),
        }
    }
}

impl Runtime<'_> {
    /// The current status, with event loop delays at most `fresh` old; cached until pidone sleeps.
    pub(super) fn snapshot(&mut self, fresh: Duration) -> &Status {
        self.ping_loops();
        if self.admin.seen.as_ref().is_none_or(|(of, _)| *of != fresh) {
            self.tally.meter.get_or_insert_with(ContainerMeter::find);
            self.admin.seen = Some((fresh, self.status(fresh)));
        }
        let (_, status) = self.admin.seen.get_or_insert_default();
        status
    }

    /// Pings the workers' event loops; the result appears in the next status.
    fn ping_loops(&mut self) {
        if !std::mem::replace(&mut self.admin.was_queried, true) {
            self.events.push_back(Event::Look);
        }
    }

    fn status(&self, fresh: Duration) -> Status {
        let supervisor = &self.supervisor;
        let worker_status = |view, is_spare| self.worker_status(view, is_spare, fresh);
        let slots = supervisor.slots().map(|view| worker_status(view, false));
        let spares = supervisor.spares().map(|view| worker_status(view, true));
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            mode: match self.config.workers {
                Some(_) => Mode::Workers,
                None => Mode::Single,
            },
            pid: std::process::id(),
            uptime_ms: milliseconds(self.now()),
            ready: supervisor.is_ready(),
            reason: self.why_unready(),
            stopping: supervisor.is_stopping(),
            reloading: supervisor.is_reloading(),
            progress: supervisor.reload_progress(),
            crash_loop: self.tally.crash_loop,
            draining: supervisor.draining(),
            target: supervisor.target(),
            workers: slots.collect(),
            spares: spares.collect(),
            restarts: self.tally.restarts,
            oom_kills: self.reporter.oom_kills(),
            relieved: self.tally.relieved,
            max_memory: supervisor.max_memory(),
            container: self.tally.container(),
            ends: self.tally.ends.clone(),
            totals: self.totals(),
        }
    }

    /// Adds to the last ends. `what`: what was logged about this worker.
    pub(super) fn record_end(&mut self, name: Name, slot: Option<usize>, what: String) {
        self.tally.ends.push(EndStatus {
            time_ms: self.unix_ms(self.now()),
            slot: slot.filter(|_| name.instance.is_some()),
            instance: name.instance,
            pid: name.pid,
            what,
        });
    }

    /// Passes an event to the supervisor, and records boot and drain times.
    pub(super) fn tell(&mut self, event: Event, actions: &mut Vec<Action>) {
        let (supervisor, now) = (&mut self.supervisor, self.event_time);
        if let Event::Exited { worker, .. } = event
            && let Some(since) = supervisor.draining_since(worker)
        {
            self.tally.drains.add(now.saturating_sub(since));
        }
        let boots = match event {
            Event::Ready(worker) | Event::Started(worker) => Some(worker),
            _ => None,
        };
        let boots = boots.filter(|worker| supervisor.boot_time(*worker).is_none());
        supervisor.handle(event, now, actions);
        if let Some(took) = boots.and_then(|worker| supervisor.boot_time(worker)) {
            self.tally.boots.add(took);
        }
    }

    fn totals(&self) -> Totals {
        let pid = i32::try_from(std::process::id()).ok();
        let timed = |(count, at)| (count, self.unix_ms(at));
        Totals {
            start_time_ms: self.unix_ms(Moment::ZERO),
            cpu_ms: pid.and_then(procfs::cpu_ms),
            resident: pid.and_then(procfs::resident),
            reloads_done: timed(self.tally.reloads_done),
            reloads_failed: timed(self.tally.reloads_failed),
            exits: self.tally.exits.clone(),
            boots: self.tally.boots,
            drains: self.tally.drains,
        }
    }

    /// Does not change with the wall clock while pidone runs.
    fn unix_ms(&self, at: Moment) -> u64 {
        milliseconds(self.started_unix + at)
    }

    fn worker_status(&self, view: SlotView, is_spare: bool, fresh: Duration) -> WorkerStatus {
        let worker = view.worker;
        let pid = worker.and_then(|worker| self.workers.pid(worker));
        let member = worker.and_then(|worker| self.workers.member(worker));
        WorkerStatus {
            slot: (!is_spare && self.config.workers.is_some()).then_some(view.slot),
            instance: view.instance,
            state: match view.state {
                StateView::Starting => "starting",
                StateView::Ready => "ready",
                StateView::Stopped => "stopped",
                StateView::Draining => "draining",
                StateView::Waiting => "waiting",
                StateView::Empty => "empty",
            },
            pid,
            uptime_ms: view
                .since
                .map_or(0, |since| milliseconds(self.now().saturating_sub(since))),
            start_time_ms: view.since.map(|since| self.unix_ms(since)),
            restarts: view.restarts,
            last_end: view.last_end.map(|(ended, _)| ended.to_string()),
            cpu_ms: pid.and_then(procfs::cpu_ms),
            resident: pid.and_then(procfs::resident),
            loop_delay_us: worker
                .and_then(|worker| self.workers.loop_delay(worker, fresh))
                .map(|delay| u64::try_from(delay.as_micros()).unwrap_or(u64::MAX)),
            queue: member.and_then(|member| self.ports.queue(member)),
            relieved: worker.and_then(|worker| self.workers.relieved(worker)),
            inspect_port: worker.and_then(|worker| self.workers.inspect_port(worker)),
            relayed: self
                .workers
                .relayed(view.instance)
                .map(|relayed| (relayed.passed_on, relayed.dropped)),
        }
    }

    /// Why pidone is not ready for requests; `None`: it is ready.
    pub(super) fn unreadiness(&mut self) -> Option<String> {
        self.ping_loops();
        self.why_unready()
    }

    fn why_unready(&self) -> Option<String> {
        let why = match self.supervisor.unready()? {
            Unready::Stopping => "stopping".into(),
            Unready::Starting => format!("starting: {}", self.ready_count()),
            Unready::Stopped if self.config.workers.is_none() => {
                "the child is stopped by a signal; SIGCONT continues it".into()
            }
            Unready::Stopped => {
                "all workers are stopped by a signal; SIGCONT continues them".into()
            }
            Unready::Unresponsive { after } => format!(
                "unresponsive: no worker's event loop has answered for {} \
                 (--unresponsive-after)",
                HumanDuration(after)
            ),
            Unready::PortLost => format!(
                "no worker listens on {} any longer",
                self.ports
                    .lost()
                    .unwrap_or_else(|| "the port that all workers had".into())
            ),
        };
        Some(why)
    }

    fn ready_count(&self) -> String {
        let serving = self.supervisor.serving().count();
        format!("{serving} of {} ready", self.supervisor.target())
    }

    /// The state for the service manager.
    pub(super) fn service(&self) -> ServiceState {
        let supervisor = &self.supervisor;
        let is_reloading = supervisor.is_reloading();
        let is_stopping = supervisor.is_stopping();
        let what = match (is_stopping, is_reloading) {
            (true, _) => "stopping, ",
            (_, true) => "reloading, ",
            _ => "",
        };
        ServiceState {
            is_ready: supervisor.is_ready(),
            is_reloading,
            is_stopping,
            text: format!("{what}{}", self.ready_count()),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_restart_counts_once_by_its_cause() {
        let mut tally = Tally::default();
        let ended = |worker, next| Report::Ended {
            worker: WorkerId(worker),
            ended: Ended::Code(1),
            uptime: Duration::ZERO,
            sent_by_us: false,
            is_planned: false,
            next,
        };
        let again = Next::Restart(Duration::ZERO);
        let reason = Reason::Age;
        let hung = Report::Hung {
            worker: WorkerId(2),
            after: Duration::ZERO,
        };
        for (report, has_slot) in [
            (ended(1, again), true),
            (hung, true),
            (ended(2, again), true),
            (ended(3, Next::Spare), true),
            (ended(4, Next::Nothing), true),
            (ended(5, again), false),
            (
                Report::Recycled {
                    worker: WorkerId(6),
                    reason,
                },
                true,
            ),
            (ended(6, Next::Nothing), true),
        ] {
            tally.count(report, has_slot, Moment::ZERO);
        }
        let wanted = Restarts {
            exit: 2,
            hang: 1,
            memory: 0,
            age: 1,
        };
        assert_eq!(tally.restarts, wanted);
        assert!(tally.hung.is_empty());
    }
}
