//! Workers that are booted and held back.

use std::collections::BTreeSet;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::http::server_of;
use crate::harness::net::connect;
use crate::harness::service::{App, Service};
use crate::harness::words;
use crate::node::on_every_node;

const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

/// Says when it has called listen(), which is as far as a spare gets, and when it listens.
const BOOTING: &str = "
    const server = require('http').createServer(require('./answer.js'));
    server.listen(process.env.PORT, () => console.log('up', process.pid));
    setImmediate(() => console.log('boot', process.pid));
";

/// Two workers and a spare; and who serves.
fn two_and_a_spare(app: App) -> (Service, BTreeSet<i32>, i32) {
    let service = app.workers(2, ["--spares", "1"]);
    let (mut booted, mut serving) = (BTreeSet::new(), BTreeSet::new());
    while booted.len() < 3 || serving.len() < 2 {
        let line = service.run.line();
        let (what, pid) = line.split_once(' ').unwrap();
        let pid = pid.parse().unwrap();
        if what == "up" {
            &mut serving
        } else {
            &mut booted
        }
        .insert(pid);
    }
    let spare = *booted.difference(&serving).next().unwrap();
    (service.until_ready(), serving, spare)
}

fn answering(service: &Service, times: usize) -> BTreeSet<i32> {
    (0..times)
        .map(|_| server_of(connect((LOCALHOST, service.app.port))))
        .collect()
}

#[test]
fn a_spare_serves_nobody_until_a_worker_dies() {
    on_every_node(|node| {
        let (service, serving, spare) = two_and_a_spare(App::script(BOOTING).node(&node.path));
        assert_eq!(answering(&service, 40), serving);
        let victim = *serving.first().unwrap();
        kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
        assert_eq!(service.pid_after("up "), spare);
        service.run.until_stderr(words::SPARE);
        let next = service.pid_after("boot ");
        let mut expected = serving.clone();
        expected.remove(&victim);
        expected.insert(spare);
        assert_eq!(answering(&service, 40), expected);
        assert!(service.workers().contains(&next) && !expected.contains(&next));
        service.stop().code(0);
    });
}

#[test]
fn a_spare_that_dies_is_replaced_and_nobody_notices() {
    let (service, serving, spare) = two_and_a_spare(App::script(BOOTING));
    kill(Pid::from_raw(spare), Signal::SIGKILL).unwrap();
    let next = service.pid_after("boot ");
    assert_ne!(next, spare);
    assert_eq!(answering(&service, 40), serving);
    let victim = *serving.first().unwrap();
    kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    assert_eq!(service.pid_after("up "), next);
    service.stop().code(0);
}

/// All that it listens on is held back, one after the other.
#[test]
fn a_spare_with_several_servers_gets_them_all() {
    const SCRIPT: &str = "
        const { once } = require('events');
        const answer = require('./answer.js');
        const port = Number(process.env.PORT);
        setImmediate(() => console.log('boot', process.pid));
        (async () => {
            for (const where of [port, port + 1, port + 2]) {
                await once(require('http').createServer(answer).listen(where), 'listening');
            }
            console.log('up', process.pid);
        })();
    ";
    let (service, serving, spare) = two_and_a_spare(App::script(SCRIPT));
    for pid in &serving {
        kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
    }
    assert_eq!(service.pid_after("up "), spare);
    service.pid_after("up ");
    for port in service.app.port..service.app.port + 3 {
        let pids: BTreeSet<_> = (0..40)
            .map(|_| server_of(connect((LOCALHOST, port))))
            .collect();
        assert!(
            pids.contains(&spare) && pids.is_disjoint(&serving),
            "{pids:?}"
        );
    }
    service.stop().code(0);
}

#[test]
fn a_reload_replaces_spares_too() {
    let (service, serving, spare) = two_and_a_spare(App::script(BOOTING));
    service.reload();
    let old: BTreeSet<_> = serving.iter().copied().chain([spare]).collect();
    crate::harness::processes::wait_until("there is a new spare", || {
        let all = service.workers();
        all.len() == 3 && all.is_disjoint(&old)
    });
    let new = answering(&service, 40);
    assert!(new.len() == 2 && new.is_disjoint(&old), "{new:?}");
    service.stop().code(0);
}

#[test]
fn the_number_of_a_spare_is_that_of_no_place() {
    const SCRIPT: &str = "
        console.log('instance', process.env.NODE_APP_INSTANCE);
        require('./plain.js');
    ";
    let service = App::script(SCRIPT).workers(2, ["--spares", "2"]);
    let mut numbers: Vec<u32> = (0..4)
        .map(|_| service.after("instance ").parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4);
    assert_eq!(numbers[..2], [0, 1]);
    service.run.until_stderr(words::READY);
    service.stop().code(0);
}
