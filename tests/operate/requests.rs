//! Each request is answered by what has become of it, and of no other.

use std::thread;

use crate::harness::admin::AdminEndpoints;
use crate::harness::service::{App, Service};
use crate::harness::{processes, words};

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
    let last_ports = |pidone: crate::harness::Pidone| pidone.env("PORT", "65534");
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
