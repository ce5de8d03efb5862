//! How a worker gets ready other than by its channel: `--ready notify` and `--ready port`.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Runtime;
use super::sources::{Registered, Source};
use crate::channel::notify;
use crate::supervisor::{Event, WorkerId};
use crate::sys::connecting::Connecting;
use crate::sys::poll::Interest;
use crate::sys::process;

/// Where a worker's port is tried, in turn.
const HERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// A connection to a worker's port, without an answer so far.
#[derive(Debug)]
pub(super) struct Probe {
    connecting: Registered<Connecting>,
    /// The next address to try.
    next: usize,
}

impl Runtime<'_> {
    /// A message from a process in a worker's group counts as the worker's.
    pub(super) fn read_notify(&mut self) {
        while let Some((pid, message)) = self.notify.as_ref().and_then(|socket| socket.receive()) {
            let worker = self.workers.of_pid(pid);
            let worker = worker.or_else(|| self.workers.of_pid(process::group_of(pid)?));
            if let Some(worker) = worker
                && notify::is_ready(&message)
            {
                self.events.push_back(Event::Ready(worker));
            }
        }
    }

    /// Most ports accept or refuse at once. Without an answer until the next probe, that one
    /// continues with the other address.
    pub(super) fn probe_port(&mut self, worker: WorkerId) {
        let unanswered = self.probes.remove(worker);
        let next = unanswered.map_or(0, |probe| probe.next % HERE.len());
        self.probe_from(next, worker);
    }

    /// There is an answer to a probe.
    pub(super) fn on_probed(&mut self, worker: WorkerId) {
        if let Some(probe) = self.probes.remove(worker) {
            match probe.connecting.is_established() {
                Ok(true) => self.events.push_back(Event::Ready(worker)),
                _ => self.probe_from(probe.next, worker),
            }
        }
    }

    fn probe_from(&mut self, first: usize, worker: WorkerId) {
        let instance = self.workers.instance(worker);
        let Some(port) = instance.and_then(|instance| self.starter.port(instance)) else {
            return;
        };
        for (index, ip) in HERE.into_iter().enumerate().skip(first) {
            let connecting = Connecting::begin(SocketAddr::new(ip, port));
            let answer = connecting.and_then(|it| Ok((it.is_established()?, it)));
            match answer {
                Ok((true, _)) => return self.events.push_back(Event::Ready(worker)),
                Ok((false, connecting)) => {
                    let source = Source::Probe(worker);
                    let connecting =
                        Registered::new(&self.sources, source, connecting, Interest::Write);
                    let next = index + 1;
                    return self.probes.insert(worker, Probe { connecting, next });
                }
                Err(_) => {}
            }
        }
    }
}
