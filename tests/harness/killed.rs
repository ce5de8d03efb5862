//! Workers that tests kill, and the requests that are lost with them.

use std::collections::HashSet;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::load::Failure;
use super::net::accepted;
use super::processes;

/// A process that was killed, and the connections inside it at that time.
pub struct Killed {
    pub pid: i32,
    /// Right before the signal.
    pub from: Instant,
    /// Right after it.
    pub at: Instant,
    inside: HashSet<u16>,
}

impl Killed {
    /// kill -9, of a process that is stopped first: then the connections it has accepted are known
    /// exactly.
    #[track_caller]
    pub fn now(pid: i32, port: u16) -> Self {
        Self::if_alive(pid, port).expect("it is alive")
    }

    /// The same, unless it exits by itself at this moment.
    #[track_caller]
    pub fn if_alive(pid: i32, port: u16) -> Option<Self> {
        let send = |signal| nix::sys::signal::kill(Pid::from_raw(pid), signal);
        send(Signal::SIGSTOP).ok()?;
        let mut state = None;
        processes::wait_until("it is stopped, or gone", || {
            state = processes::state(pid);
            let is_over = matches!(state, Some('T' | 'Z') | None);
            // pidone continues a stopped worker that must exit.
            is_over || send(Signal::SIGSTOP).is_err()
        });
        if state != Some('T') {
            return None;
        }
        let inside = accepted(pid, port);
        let from = Instant::now();
        send(Signal::SIGKILL).unwrap();
        Some(Self {
            pid,
            from,
            at: Instant::now(),
            inside,
        })
    }

    /// kill -9, without stopping it first.
    #[track_caller]
    pub fn suddenly(pid: i32) -> Self {
        let from = Instant::now();
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        Self {
            pid,
            from,
            at: Instant::now(),
            inside: HashSet::new(),
        }
    }

    /// Whether a failed request was lost inside it. A request on a kept connection is also lost
    /// between the death and the end of the connection.
    pub fn explains(&self, failure: &Failure) -> bool {
        failure.established
            && (failure.asked <= self.at || failure.reused > 0)
            && self.inside.contains(&failure.port)
    }
}
