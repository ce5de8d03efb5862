//! How a worker gets ready other than by its channel: `--ready notify` and `--ready port`.

#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::Runtime;
use crate::channel::notify;
use crate::supervisor::{Event, WorkerId};
use crate::sys::process;

/// The timeout of a readiness probe; on the same machine a port answers at once.
const PROBE_LIMIT: Duration = Duration::from_millis(20);

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

    pub(super) fn probe_port(&mut self, worker: WorkerId) {
        let port = self
            .workers
            .instance(worker)
            .and_then(|instance| self.starter.port(instance));
        let answers = |port| {
            let here = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            here.into_iter().any(|ip| {
                TcpStream::connect_timeout(&SocketAddr::new(ip, port), PROBE_LIMIT).is_ok()
            })
        };
        if port.is_some_and(answers) {
            self.events.push_back(Event::Ready(worker));
        }
    }
}
