//! A stop: its signal, its limits, and its repetition.

use std::time::{Duration, Instant};

use crate::harness::http::answer;
use crate::harness::service::{App, PLAIN};
use crate::harness::{processes, scaled_ms, words};

/// A grace period that no test lasts: what waits for its end fails.
const LONG: [&str; 2] = ["--grace", "1h"];

#[test]
fn the_stop_signal_can_be_another() {
    let script = "
        process.on('SIGUSR2', () => { console.log('USR2'); process.exit(0); });
        process.on('SIGTERM', () => console.log('TERM'));
        setInterval(() => {}, 1e6);
        require('./plain.js');
    ";
    let service = App::script(script)
        .workers(1, ["--stop-signal", "USR2"])
        .ready();
    service.run.signal(libc::SIGTERM);
    service.run.expect("USR2");
    service.run.end().code(0);
}

/// At four fifths of the grace the signal, which ends an app without a handler.
#[test]
fn a_request_without_end_is_cut_by_the_signal() {
    let grace = scaled_ms(2000);
    let service = App::named(PLAIN).workers(2, ["--grace", &grace]).ready();
    let _client = service.held();
    let begin = Instant::now();
    service.stop().code(0);
    assert!(begin.elapsed() >= Duration::from_millis(1500));
}

#[test]
fn one_that_will_not_end_is_killed_at_the_end_of_the_grace() {
    let script = "
        process.on('SIGTERM', () => console.log('SIGTERM'));
        setInterval(() => {}, 1e6);
        require('./plain.js');
    ";
    let service = App::script(script).workers(2, ["--grace", "1s"]).ready();
    let begin = Instant::now();
    let end = service.stop();
    end.code(137);
    assert!(end.stderr.contains(words::OVERDUE), "{end:?}");
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[test]
fn many_requests_to_stop_are_granted_at_once() {
    let service = App::named(PLAIN).workers(2, LONG).ready();
    let _client = service.held();
    let pidone = service.run.pid();
    processes::wait_until("patience ends", || {
        processes::kill(pidone, libc::SIGTERM);
        service.run.stderr_count(words::STOPPING_AT_ONCE) > 0
    });
    service.run.end().code(137);
}

#[test]
fn two_stop_signals_within_a_second_are_one() {
    let service = App::named(PLAIN).workers(2, [""; 0]).ready();
    let mut client = service.asked("/slow?ms=700");
    let begin = Instant::now();
    service.run.signal(libc::SIGINT);
    service.run.until_stderr(words::STOPPING);
    service.run.signal(libc::SIGTERM);
    // Else the machine was in trouble, and it was the second one.
    if begin.elapsed() < Duration::from_secs(1) {
        assert_eq!(answer(&mut client).status(), 200);
        service.run.end().code(0);
    }
}

/// timeout(1) signals its child, and then its whole group.
#[test]
fn a_stop_by_timeout_is_no_double_stop() {
    let service = App::named(PLAIN)
        .start_with(2, [""; 0], |pidone| pidone.under(["timeout", "600"]))
        .ready();
    let mut client = service.asked("/slow?ms=300");
    processes::kill(service.run.outer_pid(), libc::SIGTERM);
    assert_eq!(answer(&mut client).status(), 200);
    service.run.end().code(0);
}

#[test]
fn what_a_worker_leaves_behind_is_asked_to_end() {
    const SCRIPT: &str = "
        const { spawn } = require('child_process');
        const script = \"trap 'echo cleaned up; exit' TERM; echo child; while :; do read line; done\";
        spawn('bash', ['-c', script], { detached: true, stdio: ['pipe', 'inherit', 'inherit'] });
        require('./plain.js');
    ";
    let service = App::script(SCRIPT).workers(1, [""; 0]);
    service.after("child");
    service.run.until_stderr(words::READY);
    let end = service.stop();
    end.code(0);
    assert!(end.text().contains("cleaned up"), "{end:?}");
}

#[test]
fn drain_delay_serves_on_for_a_while() {
    let service = App::named(PLAIN)
        .workers(2, ["--drain-delay", &scaled_ms(1000)])
        .ready();
    let begin = Instant::now();
    service.run.signal(libc::SIGTERM);
    service.run.until_stderr(words::STOPPING);
    // New ones are welcome still.
    service.who();
    service.run.end().code(0);
    assert!(begin.elapsed() >= Duration::from_secs(1));
}
