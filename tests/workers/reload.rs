//! Replacing workers, and changing their number.

use std::collections::BTreeSet;

use crate::harness::http::answer;
use crate::harness::service::{App, FRAGILE, PLAIN, Service, all_answer};
use crate::harness::{processes, scaled_ms, words};
use crate::node::on_every_node;

/// Says who comes and who goes, and in which place.
const GOSSIP: &str = "
    const place = process.env.NODE_APP_INSTANCE;
    process.on('exit', () => console.log('gone', place, process.pid));
    const server = require('http').createServer(require('./answer.js'));
    server.listen(process.env.PORT, () => console.log('up', place, process.pid));
";

/// The next line: who comes or goes, the place, the process.
#[track_caller]
fn gossip(service: &Service) -> (String, String, i32) {
    let line = service.run.line();
    let [what, place, pid] = line.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{line:?}")
    };
    (what.into(), place.into(), pid.parse().unwrap())
}

#[test]
fn each_place_in_turn_gets_its_successor_first() {
    on_every_node(|node| {
        let service = App::script(GOSSIP).node(&node.path).workers(3, [""; 0]);
        let mut old: Vec<_> = (0..3).map(|_| gossip(&service)).collect();
        old.sort();
        let service = service.until_ready();
        for _ in 0..2 {
            service.reload();
            let lines: Vec<_> = (0..6).map(|_| gossip(&service)).collect();
            let (new, gone): (Vec<_>, Vec<_>) =
                lines.iter().cloned().partition(|line| line.0 == "up");
            let place_of = |line: &(String, String, i32)| line.1.clone();
            let in_turn: Vec<_> = new.iter().map(place_of).collect();
            assert_eq!(in_turn, ["0", "1", "2"], "{lines:?}");
            for (up, before) in new.iter().zip(&old) {
                let left = gone.iter().find(|gone| gone.1 == up.1);
                assert_eq!(left.map(|gone| gone.2), Some(before.2), "{lines:?}");
                let at = |line| lines.iter().position(|known| Some(known) == line);
                assert!(
                    at(Some(up)) < at(left),
                    "the successor comes first: {lines:?}"
                );
            }
            old = new;
        }
        all_answer(&service, || service.who());
        service.stop().code(0);
    });
}

#[test]
fn a_reload_runs_what_the_file_has_become() {
    let service = App::script("console.log('first'); require('./plain.js')").workers(2, [""; 0]);
    for _ in 0..2 {
        service.after("first");
    }
    let service = service.until_ready();
    service.app.directory.file(
        "test.js",
        "console.log('second'); require('./plain.js')",
        0o644,
    );
    service.reload();
    for _ in 0..2 {
        service.after("second");
    }
    service.stop().code(0);
}

#[test]
fn a_successor_that_never_listens_leaves_the_old_one_where_it_is() {
    const SCRIPT: &str = "
        if (!require('fs').existsSync('mute')) require('./plain.js');
        else setInterval(() => {}, 1e6);
    ";
    let service = App::script(SCRIPT)
        .workers(2, ["--ready-timeout", &scaled_ms(2000)])
        .ready();
    let old = service.workers();
    service.app.directory.file("mute", "", 0o644);
    service.run.signal(libc::SIGHUP);
    service.run.until_stderr(words::RELOAD_FAILED);
    service.run.until_stderr(words::NEVER_READY);
    all_answer_of(&service, &old);
    service.stop().code(0);
}

/// Those and no others answer.
#[track_caller]
fn all_answer_of(service: &Service, workers: &BTreeSet<i32>) {
    let mut seen = BTreeSet::new();
    while seen != *workers {
        let pid = service.who();
        assert!(workers.contains(&pid), "{pid} of {workers:?}");
        seen.insert(pid);
    }
}

#[test]
fn a_crashing_successor_is_no_crash_loop() {
    let service = App::named(FRAGILE)
        .workers(2, ["--max-restarts", "2/60s"])
        .ready();
    let old = service.workers();
    service.app.directory.file("crash", "", 0o644);
    for times in 1..=4 {
        service.run.signal(libc::SIGHUP);
        service.run.until_stderr_times(words::RELOAD_FAILED, times);
    }
    assert_eq!(service.workers(), old);
    all_answer(&service, || service.who());
    service.stop().code(0);
}

#[test]
fn a_reload_during_a_reload_is_one_more() {
    let service = App::named(PLAIN).workers(3, [""; 0]).ready();
    let old = service.workers();
    service.run.signal(libc::SIGHUP);
    // The first successor is there; it is outdated again from now on.
    let first = service.pid_after("up ");
    service.run.signal(libc::SIGHUP);
    service.run.until_stderr(words::RELOADED);
    let new = service.workers();
    assert!(
        new.is_disjoint(&old) && !new.contains(&first),
        "{first} {old:?} {new:?}"
    );
    all_answer(&service, || service.who());
    service.stop().code(0);
}

/// Says who boots, and waits until the file is there; then as the other one.
pub const GATED: &str = "
    const fs = require('fs');
    console.log('boots', process.env.NODE_APP_INSTANCE, process.pid);
    const wait = () => fs.existsSync('closed') ? setTimeout(wait, 10) : require('./plain.js');
    wait();
";

#[test]
fn the_next_successor_boots_while_a_replaced_worker_drains() {
    on_every_node(|node| {
        let options = ["--grace", "1h"];
        let service = App::named(PLAIN)
            .node(&node.path)
            .workers(2, options)
            .ready();
        let old = service.workers();
        // Each of the old workers has a request that it does not answer.
        let mut clients: Vec<_> = (0..40).map(|_| service.held()).collect();
        service.run.signal(libc::SIGHUP);
        let new = service.up(2);
        assert_eq!(service.workers(), old.union(&new).copied().collect());
        assert_eq!(service.run.stderr_count(words::RELOADED), 0);
        service.release();
        for client in &mut clients {
            assert_eq!(answer(client).status(), 200);
        }
        service.run.until_stderr(words::RELOADED);
        assert_eq!(service.workers(), new);
        service.stop().code(0);
    });
}

#[test]
fn surge_sets_how_many_successors_boot_at_the_same_time() {
    for (surge, at_once) in [("1", 1), ("2", 2), ("60%", 3)] {
        let service = App::script(GATED)
            .workers(4, ["--surge", surge])
            .until_ready();
        service.app.directory.file("closed", "", 0o644);
        service.run.signal(libc::SIGHUP);
        let all: BTreeSet<_> = (0..4 + at_once).map(|_| service.after("boots ")).collect();
        assert_eq!(all.len(), 4 + at_once);
        assert_eq!(service.workers().len(), 4 + at_once);
        std::fs::remove_file(service.app.directory.path("closed")).unwrap();
        service.run.until_stderr(words::RELOADED);
        assert_eq!(service.workers().len(), 4);
        service.stop().code(0);
    }
}

#[test]
fn a_reload_with_surge_loses_nothing_under_load() {
    let options = ["--surge", "50%", "--http-drain", "500ms"];
    let service = App::named(PLAIN).workers(4, options).ready();
    let old = service.workers();
    let load = service.load().start();
    service.reload();
    service.reload();
    load.stop().no_failures();
    assert!(service.workers().is_disjoint(&old));
    service.stop().code(0);
}

#[test]
fn a_stop_during_a_reload_ends_all() {
    let app = App::script("require('fs').readFileSync('gate'); require('./plain.js')");
    let gate = app.directory.path("gate");
    std::fs::write(&gate, "open").unwrap();
    let service = app.workers(2, [""; 0]).ready();
    // From now on nobody gets through.
    std::fs::remove_file(&gate).unwrap();
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    service.run.signal(libc::SIGHUP);
    service.run.until_stderr(words::RELOAD_BEGUN);
    processes::wait_until("a successor boots", || service.workers().len() == 3);
    service.stop().code(0);
}

#[test]
fn workers_come_and_go_at_the_end_and_the_last_one_stays() {
    on_every_node(|node| {
        let service = App::script(GOSSIP).node(&node.path).workers(2, [""; 0]);
        let mut first: Vec<_> = (0..2).map(|_| gossip(&service)).collect();
        first.sort();
        let service = service.until_ready();
        service.run.signal(libc::SIGTTIN);
        let third = gossip(&service);
        assert_eq!((third.0.as_str(), third.1.as_str()), ("up", "2"));
        service.run.until_stderr(&words::scaling(2, 3));
        service.run.until_stderr_times(words::READY, 2);
        service.run.signal(libc::SIGTTOU);
        assert_eq!(gossip(&service), ("gone".into(), "2".into(), third.2));
        service.run.signal(libc::SIGTTOU);
        assert_eq!(gossip(&service), ("gone".into(), "1".into(), first[1].2));
        service.run.until_stderr(&words::left(first[1].2, 0));
        service.run.signal(libc::SIGTTOU);
        service.run.until_stderr(words::LAST_ONE);
        assert_eq!(service.workers(), BTreeSet::from([first[0].2]));
        // A place that was given up is filled again.
        service.run.signal(libc::SIGTTIN);
        let again = gossip(&service);
        assert_eq!((again.0.as_str(), again.1.as_str()), ("up", "1"));
        all_answer(&service, || service.who());
        service.stop().code(0);
    });
}

#[test]
fn other_signals_go_to_every_worker() {
    const SCRIPT: &str = "
        process.on('SIGUSR2', () => console.log('USR2', process.pid));
        process.on('SIGWINCH', () => console.log('WINCH', process.pid));
        require('./plain.js');
    ";
    let service = App::script(SCRIPT).workers(3, ["-r", "USR1:WINCH"]).ready();
    for (sent, received) in [(libc::SIGUSR2, "USR2 "), (libc::SIGUSR1, "WINCH ")] {
        service.run.signal(sent);
        let got: BTreeSet<_> = (0..3).map(|_| service.pid_after(received)).collect();
        assert_eq!(got, service.workers());
    }
    service.stop().code(0);
}
