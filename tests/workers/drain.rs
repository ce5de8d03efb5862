//! How a worker leaves when pidone stops: its requests first.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::harness::http::{answer, ask};
use crate::harness::net::connect;
use crate::harness::service::{App, CLOSE, FASTIFY, FASTIFY_CLOSE, PLAIN};
use crate::harness::{processes, scaled_ms, words};
use crate::node::on_every_node;

const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

/// Says when it has a request, and when it has answered; has something else to do all the time.
const BUSY: &str = "
    const server = require('http').createServer((request, response) => {
        console.log('asked');
        response.on('finish', () => console.log('answered'));
        require('./answer.js')(request, response);
    });
    server.listen(process.env.PORT, () => console.log('up', process.pid));
    process.on('SIGTERM', () => {
        console.log('SIGTERM');
        process.exit(0);
    });
    setInterval(() => {}, 1e6);
";

/// A grace period that no test lasts: what waits for its end fails.
const LONG: [&str; 2] = ["--grace", "1h"];

#[test]
fn a_stop_waits_for_requests_whatever_handlers_the_app_has() {
    for app in [PLAIN, CLOSE, FASTIFY, FASTIFY_CLOSE] {
        a_stop_waits_for_requests(app, libc::SIGTERM);
    }
}

#[test]
fn a_stop_waits_for_requests_whatever_signal_asks_for_it() {
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        a_stop_waits_for_requests(PLAIN, signal);
    }
}

fn a_stop_waits_for_requests(app: &str, signal: i32) {
    let service = App::named(app).workers(2, LONG).ready();
    let mut clients: Vec<_> = (0..8).map(|_| service.held()).collect();
    service.run.signal(signal);
    service.run.until_stderr(words::STOPPING);
    service.release();
    for client in &mut clients {
        assert_eq!(answer(client).status(), 200);
    }
    service.run.end().code(0);
}

#[test]
fn the_signal_comes_after_the_last_answer() {
    on_every_node(|node| {
        let service = App::script(BUSY)
            .node(&node.path)
            .workers(1, [""; 0])
            .ready();
        let mut client = service.held();
        service.run.expect("asked");
        service.run.signal(libc::SIGTERM);
        service.run.until_stderr(words::STOPPING);
        service.release();
        assert_eq!(answer(&mut client).status(), 200);
        service.run.expect("answered");
        service.run.expect("SIGTERM");
        service.run.end().code(0);
    });
}

#[test]
fn with_stop_signal_the_app_hears_of_it_first() {
    const SCRIPT: &str = "
        const server = require('http').createServer((request, response) => {
            console.log('asked');
            response.on('finish', () => console.log('answered'));
            require('./answer.js')(request, response);
        });
        server.listen(process.env.PORT, () => console.log('up', process.pid));
        process.on('SIGTERM', () => {
            console.log('SIGTERM');
            server.close();
        });
    ";
    on_every_node(|node| {
        let service = App::script(SCRIPT)
            .node(&node.path)
            .workers(1, ["--stop", "signal"])
            .ready();
        let mut client = service.held();
        service.run.expect("asked");
        service.run.signal(libc::SIGTERM);
        service.run.expect("SIGTERM");
        service.release();
        assert_eq!(answer(&mut client).status(), 200);
        service.run.expect("answered");
        service.run.end().code(0);
    });
}

/// As http-terminator does it: requests first, then the server.
#[test]
fn a_handler_that_waits_for_requests_can_still_close_its_server() {
    const SCRIPT: &str = "
        const server = require('http').createServer((request, response) => {
            console.log('asked');
            response.on('finish', () => server.close(({ code } = {}) => {
                console.log('closed', code);
                server2.close(({ code } = {}) => console.log('closed too', code));
            }));
            require('./answer.js')(request, response);
        });
        const server2 = require('net').createServer();
        server2.listen(0, () =>
            server.listen(process.env.PORT, () => console.log('up', process.pid)));
        process.on('SIGTERM', () => console.log('SIGTERM'));
    ";
    on_every_node(|node| {
        let service = App::script(SCRIPT)
            .node(&node.path)
            .workers(1, ["--stop", "signal"])
            .ready();
        let mut client = service.held();
        service.run.expect("asked");
        service.run.signal(libc::SIGTERM);
        service.run.expect("SIGTERM");
        service.release();
        assert_eq!(answer(&mut client).status(), 200);
        service.run.expect("closed undefined");
        service.run.expect("closed too undefined");
        service.run.end().code(0);
    });
}

/// The kernel's queue is part of the service: a worker that is stopped has accepted nothing of it.
#[test]
fn connections_in_the_queue_are_answered() {
    on_every_node(|node| {
        let service = App::named(PLAIN)
            .node(&node.path)
            .workers(1, [""; 0])
            .ready();
        let worker = *service.workers().first().unwrap();
        processes::kill(worker, libc::SIGSTOP);
        processes::wait_until("it is stopped", || processes::state(worker) == Some('T'));
        let mut clients: Vec<_> = (0..30).map(|_| service.asked("/")).collect();
        service.run.signal(libc::SIGTERM);
        service.run.until_stderr(words::STOPPING);
        processes::kill(worker, libc::SIGCONT);
        for client in &mut clients {
            assert_eq!(answer(client).status(), 200);
        }
        service.run.end().code(0);
    });
}

/// Node.js ends them itself, at once from 20 on.
#[test]
fn idle_kept_connections_do_not_hold_up_a_stop() {
    on_every_node(|node| {
        let service = App::named(PLAIN).node(&node.path).workers(2, LONG).ready();
        let mut clients: Vec<_> = (0..8)
            .map(|_| connect((LOCALHOST, service.app.port)))
            .collect();
        for client in &mut clients {
            assert!(!ask(client, "/who?", true).closing());
        }
        service.stop().code(0);
    });
}

#[test]
fn with_http_drain_the_end_is_announced_and_comes_right_after_it() {
    on_every_node(|node| {
        if node.major < 18 {
            return;
        }
        let service = App::named(PLAIN)
            .node(&node.path)
            .workers(1, ["--http-drain", &scaled_ms(1500), "--grace", "1h"])
            .ready();
        let mut clients: Vec<_> = (0..3)
            .map(|_| connect((LOCALHOST, service.app.port)))
            .collect();
        for client in &mut clients {
            assert!(!ask(client, "/before", true).closing());
        }
        let begin = Instant::now();
        service.run.signal(libc::SIGTERM);
        service.run.until_stderr(words::STOPPING);
        // The announcement is on its way as soon as the stop has begun; the worker reads it in order.
        let idle = clients.pop().unwrap();
        processes::wait_until("the end is announced", || {
            let mut probe = connect((LOCALHOST, service.app.port));
            ask(&mut probe, "/announced?", true).closing()
        });
        for client in &mut clients {
            let last = ask(client, "/last", true);
            assert!(last.closing());
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
        // The one that has asked nothing more holds it up for as long as was announced.
        service.run.end().code(0);
        assert!(begin.elapsed() >= Duration::from_millis(1400));
        drop(idle);
    });
}
