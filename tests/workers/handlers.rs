//! An app's own handler of the stop signal: called once, while its server still listens, and no
//! answer is lost; with `--http-drain` and with `--stop signal`.

use crate::harness::http::{answer, ask};
use crate::harness::net::connect;
use crate::harness::service::{App, FASTIFY_CLOSE};
use crate::harness::{scaled_ms, words};
use crate::node::on_every_node;

const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

#[derive(Clone, Copy, PartialEq)]
enum Stop {
    HttpDrain,
    Signal,
}
use Stop::{HttpDrain, Signal};

/// A reload and a stop, with a request in progress: each of the two workers says all this once.
#[track_caller]
fn says(app: App, stop: Stop, words: &[&str]) {
    let options = match stop {
        // A worker that has not answered the announcement by then is disconnected.
        HttpDrain => ["--http-drain".into(), scaled_ms(1000)],
        Signal => ["--stop".into(), "signal".into()],
    };
    let service = app.workers(1, options).ready();
    service.reload();
    let mut idle = connect((LOCALHOST, service.app.port));
    assert!(!ask(&mut idle, "/", true).closing());
    let mut client = match stop {
        // Longer than the announcement.
        HttpDrain => service.asked("/slow?ms=1500"),
        Signal => service.held(),
    };
    service.run.signal(libc::SIGTERM);
    service.run.until_stderr(words::STOPPING);
    service.release();
    assert_eq!(answer(&mut client).status(), 200);
    let end = service.run.end();
    end.code(0);
    assert!(!end.stderr.contains(words::OVERDUE), "{end:?}");
    for word in words {
        let said = end.text();
        let times = said.lines().filter(|line| line.starts_with(word));
        assert_eq!(times.count(), 2, "{word}: {end:?}");
    }
}

#[test]
fn nestjs_runs_its_shutdown_hooks() {
    for stop in [HttpDrain, Signal] {
        let words = ["onModuleDestroy", "onApplicationShutdown SIGTERM"];
        says(App::named("nest.js"), stop, &words);
    }
}

#[test]
fn terminus_runs_its_hooks() {
    for stop in [HttpDrain, Signal] {
        let words = ["onSignal", "onShutdown"];
        says(App::named("terminus.js"), stop, &words);
    }
}

#[test]
fn http_terminator_closes_the_server_itself() {
    for stop in [HttpDrain, Signal] {
        let words = ["SIGTERM", "terminated"];
        says(App::named("http-terminator.js"), stop, &words);
    }
}

#[test]
fn fastify_closes_by_itself() {
    for stop in [HttpDrain, Signal] {
        says(App::named(FASTIFY_CLOSE), stop, &["SIGTERM"]);
    }
}

/// Its answer has gone out by then.
#[test]
fn a_handler_that_exits_at_once_loses_no_request() {
    const SCRIPT: &str = "
        require('./plain.js');
        process.on('SIGTERM', () => { console.log('SIGTERM'); process.exit(0); });
    ";
    on_every_node(|node| {
        if node.major >= 18 {
            says(
                App::script(SCRIPT).node(&node.path),
                HttpDrain,
                &["SIGTERM"],
            );
        }
    });
}

#[test]
fn a_handler_closes_a_server_that_still_listens() {
    const SCRIPT: &str = "
        const server = require('http').createServer(require('./answer.js'));
        server.listen(process.env.PORT, () => console.log('up', process.pid));
        process.on('SIGTERM', () => server.close(({ code } = {}) => console.log('closed', code)));
        process.on('beforeExit', () => console.log('beforeExit'));
    ";
    on_every_node(|node| {
        if node.major >= 18 {
            let words = ["closed undefined", "beforeExit"];
            says(App::script(SCRIPT).node(&node.path), HttpDrain, &words);
        }
    });
}
