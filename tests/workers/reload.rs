//! Replacing workers, and changing their number.

use std::collections::BTreeSet;

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
            let mut new = Vec::new();
            for (place, before) in old.iter().enumerate() {
                let up = gossip(&service);
                assert_eq!(
                    (up.0.as_str(), up.1.as_str()),
                    ("up", place.to_string().as_str())
                );
                assert_ne!(up.2, before.2);
                let gone = gossip(&service);
                assert_eq!(gone, ("gone".into(), place.to_string(), before.2));
                new.push(up);
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
