//! Each request is answered by what has become of it, and of no other.

use std::thread;

use crate::harness::admin::AdminEndpoints;
use crate::harness::service::{App, PLAIN, Service};
use crate::harness::{Pidone, Run, processes, words};

/// Says when it boots, and goes on when the test has made a file by the name of its process.
const GATED: &str = "
    console.log('boots', process.pid);
    const { existsSync } = require('fs');
    const timer = setInterval(() => {
        if (!existsSync(`${__dirname}/${process.pid}`)) return;
        clearInterval(timer);
        process.send('ready');
        require('./plain.js');
    }, 10);
";

/// Lets the next worker that boots go on.
#[track_caller]
fn boot(service: &Service) -> i32 {
    let pid = service.pid_after("boots ");
    let_go(service, pid);
    pid
}

fn let_go(service: &Service, pid: i32) {
    let directory = &service.app.directory;
    directory.file(&pid.to_string(), "", 0o644);
}

#[test]
fn the_refusal_of_a_signal_is_told_to_nobody() {
    let admin = AdminEndpoints::fresh();
    let script = GATED.replace("require('./plain.js')", "");
    let mut options = admin.options();
    options.extend(["--port-env", "PORT", "--ready", "message"].map(String::from));
    let last_ports = |pidone: Pidone| pidone.env("PORT", "65534");
    let service = App::script(&script).start_with(2, options, last_ports);
    boot(&service);
    boot(&service);
    service.run.until_stderr(words::ALL_READY);
    thread::scope(|scope| {
        let reload = scope.spawn(|| admin.ask("reload"));
        let successor = service.pid_after("boots ");
        service.run.signal(libc::SIGTTIN);
        service.run.until_stderr("at most 2 workers");
        let_go(&service, successor);
        boot(&service);
        assert_eq!(reload.join().unwrap().done().progress.len(), 2);
    });
    service.stop().code(0);
}

#[test]
fn a_number_that_another_request_changes_is_superseded() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::script(GATED), 2, &[""; 0]);
    boot(&service);
    boot(&service);
    service.run.until_stderr(words::ALL_READY);
    thread::scope(|scope| {
        let three = scope.spawn(|| admin.ask("scale 3"));
        service.pid_after("boots ");
        admin.ask("scale 1").done();
        let three = three.join().unwrap();
        three.refused("superseded: another request has set the number of workers to 1");
    });
    assert_eq!(service.workers().len(), 1);
    service.stop().code(0);
}

/// A client with `pidone ctl`, not only its end of a socket.
fn ctl(admin: &AdminEndpoints, words: &[&str]) -> Run {
    let options = ["ctl", "--control", admin.control.to_str().unwrap()];
    Pidone::new(options.iter().chain(words)).start()
}

#[test]
fn a_reload_goes_on_when_its_client_is_gone() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::script(GATED), 2, &[""; 0]);
    let old = [boot(&service), boot(&service)];
    service.run.until_stderr(words::ALL_READY);
    let client = ctl(&admin, &["reload"]);
    let first = boot(&service);
    client.expect("1 of 2: slot 0: ");
    let second = service.pid_after("boots ");
    processes::kill(client.pid(), libc::SIGKILL);
    client.end();
    // pidone has seen that it is gone when it answers another one.
    admin.ask("status").done();
    let_go(&service, second);
    service.run.until_stderr(words::RELOADED);
    let new = service.workers();
    assert_eq!(new, [first, second].into());
    assert!(!new.contains(&old[0]) && !new.contains(&old[1]));
    service.stop().code(0);
}

#[test]
fn a_reload_that_is_not_waited_for_returns_at_once() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::script(GATED), 1, &[""; 0]);
    boot(&service);
    service.run.until_stderr(words::READY);
    let end = ctl(&admin, &["reload", "--no-wait"]).end();
    assert_eq!(end.code(0).text(), "reload started\n");
    assert_eq!(service.run.stderr_count(words::RELOADED), 0);
    let new = boot(&service);
    service.run.until_stderr(words::RELOADED);
    assert_eq!(service.workers(), [new].into());
    service.stop().code(0);
}

/// `auto` is the number of CPUs when it is asked for.
#[test]
fn a_number_can_be_relative() {
    let admin = AdminEndpoints::fresh();
    let one_cpu = |pidone: Pidone| pidone.under(["taskset", "1"]);
    let service = App::named(PLAIN).start_with(2, admin.options(), one_cpu);
    let service = service.ready();
    for (number, workers) in [("+2", 4), ("-1", 3), ("auto", 1), ("250%", 3), ("50%", 1)] {
        ctl(&admin, &["scale", number]).end().code(0);
        assert_eq!(service.workers().len(), workers, "{number}");
    }
    let end = ctl(&admin, &["scale", "-1"]).end();
    end.code(1).says(&["at least 1 worker"]);
    service.stop().code(0);
}

#[test]
fn a_reload_is_done_when_every_slot_has_a_worker() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::script(GATED), 2, &[""; 0]);
    boot(&service);
    let old = boot(&service);
    service.run.until_stderr(words::ALL_READY);
    thread::scope(|scope| {
        let reload = scope.spawn(|| admin.ask("reload"));
        let mut new = boot(&service);
        let successor = service.pid_after("boots ");
        let mut last = new;
        // Its place is filled again at once, and then after a delay.
        for _ in 0..2 {
            processes::kill(last, libc::SIGKILL);
            last = service.pid_after("boots ");
        }
        let_go(&service, successor);
        processes::wait_until("the old one is gone", || !service.workers().contains(&old));
        service.run.until_stderr(&words::left(old, 0));
        assert!(!reload.is_finished());
        let_go(&service, last);
        new = last;
        reload.join().unwrap().done();
        assert_eq!(service.workers(), [successor, new].into());
    });
    service.stop().code(0);
}
