//! Workers under load, what can be done to them, and what must be so in the end.

use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::killed::Killed;
use crate::harness::load::Load;
use crate::harness::service::{App, PLAIN, Service};
use crate::harness::{TempDir, binary, patience, processes, words};

/// The most workers at a time, and how many there are in the beginning and in the end.
pub const MOST: usize = 4;
const USUAL: usize = 2;

/// The allocator keeps some of what it has had.
const KEPT_KIB: usize = 64;

/// A reload of all waits for each of them, and the machine may be slow.
fn long() -> Duration {
    4 * patience()
}

pub struct Scene {
    /// On connections of their own, and on kept ones. Over before the service is, if a test fails.
    loads: [Load; 2],
    service: Service,
    directory: TempDir,
    killed: Vec<Killed>,
    counts: [usize; 4],
    descriptors: usize,
    resident: usize,
}

impl Scene {
    /// What happens for the first time takes memory and descriptors for good, such as the sockets of
    /// a place: all of it has happened before they are counted.
    pub fn begin() -> Self {
        let directory = TempDir::new();
        let control = directory.path("control.sock");
        let service = App::named(PLAIN).workers(
            USUAL,
            [
                "--http-drain",
                "2s",
                "--backoff",
                "10ms..100ms",
                "--max-restarts",
                "1000/1s",
                "--control",
                control.to_str().unwrap(),
            ],
        );
        let service = service.ready();
        // Far less than a slow machine can do: who is late here is lost.
        let plan = service.load().rate(50).timeout(long());
        let new = plan.clone().start();
        let kept = plan.keep_alive(8).start();
        let mut scene = Self {
            loads: [new, kept],
            service,
            directory,
            killed: Vec::new(),
            counts: [0; 4],
            descriptors: 0,
            resident: 0,
        };
        scene.scale(MOST);
        scene.kill_during_a_reload(0);
        scene.kill(0);
        scene.settle(USUAL);
        let pid = scene.service.run.pid();
        scene.descriptors = processes::descriptors(pid);
        scene.resident = processes::memory(pid, "RssAnon");
        scene
    }

    /// One of them, the successors and those who leave included. The only one may be about to be
    /// started anew.
    #[track_caller]
    fn any(&self, chance: u64) -> i32 {
        let mut workers = BTreeSet::new();
        processes::wait_until("somebody is there", || {
            workers = self.service.workers();
            !workers.is_empty()
        });
        let which = chance % workers.len() as u64;
        *workers.iter().nth(usize::try_from(which).unwrap()).unwrap()
    }

    /// kill -9, unless it leaves at this moment.
    #[track_caller]
    fn kill_one(&mut self, pid: i32) {
        if let Some(killed) = Killed::if_alive(pid, self.service.app.port) {
            self.service.run.until_stderr(&words::killed(pid));
            self.killed.push(killed);
            self.counts[0] += 1;
        }
    }

    #[track_caller]
    pub fn kill(&mut self, chance: u64) {
        let victim = self.any(chance);
        self.kill_one(victim);
        // Both clients find somebody.
        for load in &self.loads {
            load.until_answered(10);
        }
    }

    /// Stops one for a moment. Who is with it waits.
    #[track_caller]
    pub fn pause(&mut self, chance: u64) {
        let pid = Pid::from_raw(self.any(chance));
        if kill(pid, Signal::SIGSTOP).is_ok() {
            std::thread::sleep(Duration::from_millis(chance % 500));
            // One that was about to leave may be gone.
            let _ = kill(pid, Signal::SIGCONT);
            self.counts[1] += 1;
        }
    }

    #[track_caller]
    pub fn reload(&mut self) {
        let code = self.finish(self.ctl(&["reload"]));
        assert_eq!(code, 0, "a reload that nobody disturbs");
        self.counts[2] += 1;
    }

    /// What comes of it depends on who it was.
    #[track_caller]
    pub fn kill_during_a_reload(&mut self, chance: u64) {
        let reload = self.ctl(&["reload"]);
        std::thread::sleep(Duration::from_millis(chance % 3000));
        let victim = self.any(chance >> 32);
        self.kill_one(victim);
        self.finish(reload);
        self.counts[2] += 1;
    }

    #[track_caller]
    pub fn scale(&mut self, to: usize) {
        self.settle(to);
        self.counts[3] += 1;
    }

    /// So many serve, and nobody else is there to come: that is when pidone calls it done.
    #[track_caller]
    fn settle(&self, to: usize) {
        assert_eq!(self.finish(self.ctl(&["scale", &to.to_string()])), 0);
    }

    fn ctl(&self, request: &[&str]) -> Child {
        let mut command = Command::new(binary());
        command.args(["ctl", "--control"]);
        command.arg(self.directory.path("control.sock"));
        command.args(request).stdout(std::process::Stdio::null());
        command.spawn().unwrap()
    }

    #[track_caller]
    fn finish(&self, mut ctl: Child) -> i32 {
        let deadline = Instant::now() + long();
        loop {
            if let Some(status) = ctl.try_wait().unwrap() {
                return status.code().unwrap();
            }
            if Instant::now() > deadline {
                let _ = ctl.kill();
                panic!("`pidone ctl` waits in vain");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    pub fn end(self) {
        self.settle(USUAL);
        let pid = self.service.run.pid();
        processes::wait_until("those who leave have left", || {
            processes::children(pid).len() == USUAL
        });
        processes::wait_until("pidone has as many descriptors as in the beginning", || {
            processes::descriptors(pid) == self.descriptors
        });
        let resident = processes::memory(pid, "RssAnon");
        let [kills, pauses, reloads, scales] = self.counts;
        eprintln!(
            "{kills} killed, {pauses} stopped for a moment, {reloads} reloads, {scales} times scaled; \
             {} descriptors, {} KiB, and {resident} KiB in the end",
            self.descriptors, self.resident
        );
        for load in self.loads {
            load.stop()
                .only_failures("what was inside a killed worker", |failure| {
                    self.killed.iter().any(|one| one.explains(failure))
                });
        }
        assert!(
            resident <= self.resident + KEPT_KIB,
            "{resident} KiB after {}",
            self.resident
        );
        self.service.stop().code(0);
    }
}
