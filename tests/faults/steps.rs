//! kill -9 at every step of a reload: nothing is lost but what was inside, and all of it comes to an
//! end with all places filled.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::SOON;
use crate::harness::http::{answer, request};
use crate::harness::killed::Killed;
use crate::harness::load::Load;
use crate::harness::net::connect;
use crate::harness::service::{App, Service};
use crate::harness::words;
use crate::vitals::Vitals;

/// Boots no further while there is a file `gate`; `/hold` is answered when there is a file `release`.
const GATED: &str = "
    const fs = require('fs');
    const answer = require('./answer.js');
    const when = (is, then) => is() ? then() : setTimeout(when, 5, is, then);
    console.log('boot', process.pid);
    const server = require('http').createServer((request, response) => {
        if (!request.url.startsWith('/hold')) return answer(request, response);
        console.log('held', process.pid);
        when(() => fs.existsSync('release'), () => answer(request, response));
    });
    when(() => !fs.existsSync('gate'), () => {
        server.listen(process.env.PORT, () => console.log('up', process.pid));
    });
";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victims {
    Old,
    Successor,
    Both,
}

const ALL: [Victims; 3] = [Victims::Old, Victims::Successor, Victims::Both];

struct Scene {
    service: Service,
    load: Load,
    old: BTreeSet<i32>,
    before: Vitals,
    killed: Vec<Killed>,
}

impl Scene {
    fn begin() -> Self {
        let service = App::script(GATED).workers(2, SOON).ready();
        // Under load, pidone has connections that it hands to workers.
        let before = Vitals::of(&service);
        let load = service.load().rate(200).start();
        load.until_answered_by(2);
        Self {
            old: service.workers(),
            before,
            service,
            load,
            killed: Vec::new(),
        }
    }

    /// Whose place a successor is to have: they have the same number.
    #[track_caller]
    fn predecessor_of(&self, successor: i32) -> i32 {
        let number = |pid: i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
            let mut entries = environment.split(|byte| *byte == 0);
            let own = entries.find(|entry| entry.starts_with(b"NODE_APP_INSTANCE="));
            own.unwrap().to_vec()
        };
        let wanted = number(successor);
        *self.old.iter().find(|pid| number(**pid) == wanted).unwrap()
    }

    #[track_caller]
    fn kill(&mut self, victims: Victims, old: i32, successor: i32) {
        let pids = match victims {
            Victims::Old => vec![old],
            Victims::Successor => vec![successor],
            Victims::Both => vec![successor, old],
        };
        for pid in pids {
            self.killed.push(Killed::now(pid, self.service.app.port));
        }
        for killed in &self.killed {
            self.service.run.until_stderr(&words::killed(killed.pid));
        }
    }

    /// All places are filled, and another reload is like any other.
    #[track_caller]
    fn end(self, times_ready: usize) {
        self.service
            .run
            .until_stderr_times(words::ALL_READY, times_ready);
        self.service.reload();
        assert!(self.service.workers().is_disjoint(&self.old));
        self.load.until_answered_by(2);
        self.load
            .stop()
            .only_failures("what was inside a killed worker", |failure| {
                self.killed.iter().any(|one| one.explains(failure))
            });
        self.before.are_those_of(&self.service);
        self.service.stop().code(0);
    }
}

#[test]
fn while_the_successor_boots() {
    for victims in ALL {
        let mut scene = Scene::begin();
        let gate = scene.service.app.directory.file("gate", "", 0o644);
        scene.service.run.signal(libc::SIGHUP);
        let successor = scene.service.pid_after("boot ");
        let old = scene.predecessor_of(successor);
        scene.kill(victims, old, successor);
        if victims == Victims::Successor {
            scene.service.run.until_stderr(words::RELOAD_FAILED);
            assert_eq!(scene.service.workers(), scene.old);
        }
        fs::remove_file(gate).unwrap();
        let times_ready = match victims {
            Victims::Old => {
                scene.service.run.until_stderr(words::RELOADED);
                2
            }
            Victims::Successor => 1,
            Victims::Both => 2,
        };
        scene.end(times_ready);
    }
}

/// A request that is not answered yet inside each of the workers.
#[track_caller]
fn hold_all(service: &Service) -> BTreeMap<i32, TcpStream> {
    let workers = service.workers();
    let mut held = BTreeMap::new();
    while held.len() < workers.len() {
        let mut stream = connect(([127, 0, 0, 1], service.app.port));
        stream
            .write_all(request("/hold?", false).as_bytes())
            .unwrap();
        held.entry(service.pid_after("held ")).or_insert(stream);
    }
    held
}

#[test]
fn while_the_old_one_finishes_what_it_has() {
    for victims in ALL {
        let mut scene = Scene::begin();
        let held = hold_all(&scene.service);
        scene.service.run.signal(libc::SIGHUP);
        let successor = scene.service.pid_after("up ");
        scene.service.run.until_stderr(" serves");
        let old = scene.predecessor_of(successor);
        scene.kill(victims, old, successor);
        scene.service.app.directory.file("release", "", 0o644);
        for (pid, mut stream) in held {
            if scene.killed.iter().any(|killed| killed.pid == pid) {
                // The end, or a reset: nothing was said.
                assert!(!matches!(stream.read(&mut [0]), Ok(1..)), "{victims:?}");
            } else {
                assert_eq!(answer(&mut stream).status(), 200, "{victims:?}");
            }
        }
        scene.service.run.until_stderr(words::RELOADED);
        scene.end(if victims == Victims::Old { 1 } else { 2 });
    }
}
