//! Workers that hang or are stopped: who looks sees it, and whoever still serves does.

use std::time::Duration;

use crate::harness::admin::AdminEndpoints;
use crate::harness::service::{App, PLAIN};
use crate::harness::{processes, scaled, words};

/// Its event loop stands still for as long as a file is there.
const HANGS: &str = "
    process.on('SIGUSR2', () => {
        console.log('hanging');
        while (require('fs').existsSync('hang'));
    });
    require('./plain.js');
";

/// Reads commands from the terminal.
const REPL: &str = "
    process.stdin.on('end', () => console.log('no input'));
    process.stdin.on('data', () => {});
    require('./plain.js');
";

#[test]
fn readiness_ends_when_no_event_loop_answers() {
    let admin = AdminEndpoints::fresh();
    let seconds = scaled(Duration::from_secs(1)).as_secs();
    let options = ["--unresponsive-after".into(), format!("{seconds}s")];
    let service = admin.workers(App::script(HANGS), 2, &options).ready();
    let is = |status: u16, text: &str| {
        let (its, body) = admin.get("/readyz");
        assert_eq!((its, body.as_str()), (status, text));
    };
    let hang = service.app.directory.file("hang", "", 0o644);
    service.run.signal(libc::SIGUSR2);
    for _ in 0..2 {
        assert_eq!(service.after("hanging"), "");
    }
    // Nothing is known against them yet, and nothing is made up for them either.
    is(200, "ready\n");
    let status = admin.ask("status --json").done().text;
    assert_eq!(
        status.matches("\"loop_delay_us\":null").count(),
        2,
        "{status}"
    );
    service.run.until_stderr_times("is unresponsive", 2);
    let why = format!(
        "unresponsive: no worker's event loop has answered for {seconds} s (--unresponsive-after)"
    );
    is(503, &format!("{why}\n"));
    admin.ask("ready").refused(&why);
    let table = admin.ask("status").done().text;
    assert!(table.contains(&format!("not ready ({why})")), "{table}");
    assert_eq!(admin.get("/livez").0, 200);
    std::fs::remove_file(hang).unwrap();
    service.run.until_stderr_times("is responsive again", 2);
    is(200, "ready\n");
    service.stop().code(0);
}

/// A program that looks whether its port is in use by connecting, and then takes any other.
#[test]
fn readiness_ends_when_the_services_port_is_lost() {
    const SCRIPT: &str = "
        const answer = require('./answer.js');
        const listen = (port) => require('http').createServer(answer).listen(port, () => console.log('up', process.pid));
        const taken = require('net').connect(process.env.PORT, '127.0.0.1', () => { taken.destroy(); listen(0); });
        taken.on('error', () => listen(process.env.PORT));
    ";
    let admin = AdminEndpoints::fresh();
    let service = admin
        .workers(App::script(SCRIPT), 2, &["--boot", "first"])
        .ready();
    assert_eq!(admin.get("/readyz").0, 200);
    // Known by now; who had the port is one of them, or both.
    service.run.until_stderr(words::DIFFERENT_PORTS);
    service.reload();
    service.run.until_stderr(words::CLOSED_PORTS);
    let port = service.app.port;
    let why = format!("no worker listens on [::]:{port} any longer");
    admin.ask("ready").refused(&why);
    assert_eq!(admin.get("/readyz"), (503, format!("{why}\n")));
    assert_eq!(admin.get("/livez").0, 200);
    service.stop().code(0);
}

#[test]
fn a_stopped_worker_is_steered_around_until_continued() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
    let workers: Vec<_> = service.workers().into_iter().collect();
    let [one, other] = workers[..] else {
        panic!("{workers:?}");
    };
    processes::kill(one, libc::SIGSTOP);
    for _ in 0..20 {
        assert_eq!(service.who(), other);
    }
    let line = format!("(pid {one}) was stopped by SIGSTOP");
    service.run.until_stderr(&line);
    let status = admin.ask("status").done().text;
    assert!(status.contains("  stopped  "), "{status}");
    let metrics = admin.get("/metrics").1;
    assert_eq!(
        metrics.matches("state=\"stopped\"} 1").count(),
        1,
        "{metrics}"
    );
    assert_eq!(admin.get("/readyz").0, 200);
    processes::kill(other, libc::SIGSTOP);
    service
        .run
        .until_stderr(&format!("(pid {other}) was stopped"));
    let (status, why) = admin.get("/readyz");
    assert_eq!(status, 503);
    assert!(why.starts_with("all workers are stopped"), "{why}");
    processes::kill(one, libc::SIGCONT);
    service
        .run
        .until_stderr(&format!("(pid {one}) was continued"));
    assert_eq!(admin.get("/readyz").0, 200);
    for _ in 0..20 {
        assert_eq!(service.who(), one);
    }
    processes::kill(other, libc::SIGCONT);
    service
        .run
        .until_stderr(&format!("(pid {other}) was continued"));
    service.stop().code(0);
}

#[test]
fn workers_never_read_from_the_terminal() {
    let service = App::script(REPL).start_with(2, [""; 0], |pidone| pidone.in_terminal());
    let seen = service.run.until("workers are ready");
    assert_eq!(seen.matches("they get /dev/null").count(), 1, "{seen}");
    for pid in service.workers() {
        let stdin = std::fs::read_link(format!("/proc/{pid}/fd/0")).unwrap();
        assert_eq!(stdin.to_str(), Some("/dev/null"));
    }
    service.who();
    let mut run = service.run;
    run.write("\x03");
    let _ = run.until(words::STOPPING);
    run.end().code(0);
}
