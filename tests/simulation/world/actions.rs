//! How the simulated kernel performs each action.

use std::time::Duration;

use pidone::ended::Ended;
use pidone::signal::Signal;
use pidone::supervisor::{Action, Event, Member, Pending, WorkerId};

use super::{Happening, Other, World};
use crate::process::{OnStop, Process};
use crate::scenario::ms;

impl World {
    pub(super) fn perform(&mut self, action: &Action) {
        match *action {
            Action::Start(ref start) => self.start(start.worker, start.member),
            Action::Admit { worker, member } => {
                if let Some(process) = self.alive(worker) {
                    let told_already = std::mem::replace(&mut process.admitted, true);
                    let wait = ms(u64::from(worker.0 % 7));
                    let boots = process.booted && !told_already;
                    self.ports.add(worker, member);
                    if boots {
                        self.after(wait, Happening::Booted(worker));
                    }
                }
            }
            Action::Signal { worker, signal, .. } => self.signal(worker, signal),
            Action::Disconnect(worker) => {
                let hears = |process: &&mut Process| process.channel_open;
                if let Some(process) = self.alive(worker).filter(hears) {
                    process.disconnected = true;
                    self.drain(worker);
                }
            }
            Action::ProbePort(worker) => {
                if self.alive(worker).is_some_and(|process| process.booted) {
                    self.news.push_back(Event::Ready(worker));
                }
            }
            Action::CheckPending(worker) => {
                let about = |id: &WorkerId| worker.is_none_or(|worker| worker == *id);
                let mut processes = self.processes.iter();
                let stuck = processes.any(|(id, process)| {
                    about(id) && process.alive && (process.hangs || process.stuck)
                });
                let pending = if stuck || self.random.chance(20) {
                    Pending::Queued
                } else if self.random.chance(40) {
                    Pending::Unread
                } else {
                    Pending::Nothing
                };
                self.news.push_back(Event::Pending { worker, pending });
            }
            Action::SignalGroup { worker, signal } => {
                let dies_in = match signal {
                    Signal::KILL => Some(Duration::ZERO),
                    Signal::TERM => self.groups.get(&worker).copied().flatten(),
                    _ => None,
                };
                if let Some(wait) = dies_in {
                    self.after(wait, Happening::GroupDies(worker));
                }
            }
            Action::SignalLeftovers(signal) => self.signal_leftovers(signal),
            Action::CountLeftovers => self.count_leftovers(),
            Action::Exit(status) => self.status = Some(status),
            Action::Abort => self.status = Some(Signal::ABRT.exit_code()),
            Action::MeasureMemory(worker) => {
                let now = self.now;
                if let Some(process) = self.alive(worker) {
                    let age = (now - process.started).as_secs();
                    let bytes = process.bytes + process.growth * age;
                    self.news.push_back(Event::Memory { worker, bytes });
                }
            }
            Action::Ping(worker) => {
                let hears = |process: &&mut Process| process.channel_open && !process.stuck;
                let Some(process) = self.alive(worker).filter(hears) else {
                    return;
                };
                process.asked = process.halted;
                if !process.halted {
                    let wait = self.random.up_to(20);
                    self.after(wait, Happening::Told(Event::Pong(worker)));
                }
            }
            Action::Announce(worker) => {
                let hears = |process: &&mut Process| process.channel_open && !process.stuck;
                if let Some(process) = self.alive(worker).filter(hears) {
                    let handles = process.handles();
                    let wait = self.random.up_to(2000);
                    let event = Event::Announced { worker, handles };
                    self.after(wait, Happening::Told(event));
                }
            }
            Action::Finish(worker) => {
                let answers = |process: &&mut Process| process.channel_open && !process.stuck;
                let answers = self.alive(worker).filter(answers);
                if let Some(wait) = answers.and_then(|process| process.drains_in) {
                    self.after(wait, Happening::Told(Event::Finished(worker)));
                }
            }
            Action::Steer(ref members) => self.ports.serve(members),
            Action::CloseToNewConnections => self.ports.close_to_new_connections(),
            Action::CloseUnheldPorts => {
                let serving: Vec<_> = self.supervisor.serving().collect();
                let is_lost = self.ports.review(&serving);
                self.news.extend(is_lost.map(Event::PortLost));
            }
            Action::ReleasePorts(worker) => {
                if let Some(process) = self.alive(worker) {
                    let listened = std::mem::take(&mut process.listens);
                    self.ports.release(worker);
                    let any = false;
                    let closed = listened.then_some(Event::Listens { worker, any });
                    self.news.extend(closed);
                }
            }
            Action::Suspend(_) | Action::Reply { .. } | Action::Report(_) => {}
            Action::Resume(worker) => self.resume(worker),
        }
    }

    fn start(&mut self, id: WorkerId, member: Option<Member>) {
        let mut process = Process::draw(&mut self.random, self.scenario.faults, member.is_some());
        if let Some(status) = process.cannot_start {
            let worker = id;
            self.news.push_back(Event::StartFailed { worker, status });
            self.processes.insert(id, process);
            return;
        }
        process.alive = true;
        process.started = self.now;
        if let Some(member) = member {
            self.ports.add(id, member);
        }
        if let Some(wait) = process.boots_in {
            self.after(wait, Happening::Booted(id));
        }
        if let Some((wait, ended)) = process.crashes {
            self.after(wait, Happening::Ends(id, ended));
        }
        if let Some(wait) = process.hangs_up_in {
            self.after(wait, Happening::HangsUp(id));
        }
        self.processes.insert(id, process);
        self.news.push_back(Event::Started(id));
    }

    fn signal(&mut self, id: WorkerId, signal: Signal) {
        let Some(process) = self.alive(id) else {
            return;
        };
        if signal == Signal::CONT {
            self.resume(id);
        } else if process.halted && signal != Signal::KILL {
            process.pending.push(signal);
        } else if signal == Signal::KILL {
            let wait = process.dies_in;
            self.after(wait, Happening::Ends(id, Ended::Killed(signal)));
        } else if signal.asks_to_stop() || signal == Signal::ABRT {
            // Node.js handles signals in its event loop only.
            if process.stuck && signal != Signal::ABRT && !matches!(process.on_stop, OnStop::Dies) {
                return;
            }
            if process.stuck {
                // It may write a large core dump first.
                let wait = process.dies_in * 30;
                self.after(wait, Happening::Ends(id, Ended::Killed(signal)));
                return;
            }
            let has_handler = process.handles().contains(signal);
            let (on_stop, closes_in) = (process.on_stop, process.closes_in);
            if has_handler && let Some(wait) = closes_in {
                self.after(wait, Happening::Closes(id));
            }
            match on_stop {
                OnStop::Dies => self.end(id, Ended::Killed(signal)),
                OnStop::Exits(wait, status) => {
                    self.after(wait, Happening::Ends(id, Ended::Code(status)));
                }
                OnStop::WaitsForChannel
                    if self.alive(id).is_some_and(|process| !process.channel_open) =>
                {
                    self.end(id, Ended::Code(0));
                }
                OnStop::WaitsForChannel | OnStop::Ignores => {}
            }
        } else if self.random.chance(5) {
            let job_control = self.random.chance(50);
            let signal = self
                .random
                .pick(&[Signal::STOP, Signal::TSTP, Signal::TTIN]);
            let time = self.random.up_to(60_000);
            self.halt(id, signal, job_control, time);
        }
    }

    /// A signal stops a process until it is continued.
    pub(super) fn halt(&mut self, id: WorkerId, signal: Signal, job_control: bool, time: Duration) {
        let Some(process) = self.alive(id).filter(|process| !process.halted) else {
            return;
        };
        process.halted = true;
        self.news.push_back(Event::Stopped {
            worker: id,
            signal,
            job_control,
        });
        self.after(time, Happening::Resumed(id));
    }

    pub(super) fn resume(&mut self, id: WorkerId) {
        let Some(process) = self.alive(id).filter(|process| process.halted) else {
            return;
        };
        process.halted = false;
        let pending = std::mem::take(&mut process.pending);
        // Its event loop answers then, unless it is stuck.
        let asked = std::mem::take(&mut process.asked) && !process.stuck;
        self.news.push_back(Event::Continued(id));
        if asked {
            let wait = self.random.up_to(20);
            self.after(wait, Happening::Told(Event::Pong(id)));
        }
        for signal in pending {
            self.signal(id, signal);
        }
    }

    fn signal_leftovers(&mut self, signal: Signal) {
        self.leftovers_asked = true;
        let ids: Vec<_> = self.processes.keys().copied().collect();
        for id in ids {
            self.signal(id, signal);
        }
        for index in 0..self.others.len() {
            let dies = match self.others[index] {
                Other::Obeys => true,
                Other::Ignores => signal == Signal::KILL,
                Other::CannotDie | Other::Gone => false,
            };
            if dies {
                let wait = self.random.up_to(3000);
                self.after(wait, Happening::OtherDies(index));
            }
        }
        self.count_leftovers();
    }

    pub(super) fn count_leftovers(&mut self) {
        let any = self.processes.values().any(|process| process.alive)
            || self.others.iter().any(|other| *other != Other::Gone);
        self.news.push_back(Event::Leftovers { any });
        if any && self.unwatched {
            self.news.push_back(Event::LeftoversUnwatched);
        }
    }
}
