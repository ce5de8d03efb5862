//! Workers that fail in ways of their own.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener};

use crate::SOON;
use crate::harness::http::request;
use crate::harness::net::connect;
use crate::harness::service::{App, all_answer};
use crate::harness::{processes, scaled_ms, words};
use crate::vitals::Vitals;

/// An app; the first of its workers does something special, once, when it listens.
fn special(then: &str) -> App {
    App::script(&format!(
        "const fs = require('fs');
        const first = process.env.NODE_APP_INSTANCE === '0' && !fs.existsSync('done');
        const server = require('http').createServer((request, response) => {{
            if (request.url !== '/half') return require('./answer.js')(request, response);
            response.writeHead(200, {{ 'Content-Length': 100 }});
            response.write('half', () => process.exit(7));
        }});
        server.listen(process.env.PORT, () => {{
            console.log('up', process.pid);
            if (!first) return;
            fs.writeFileSync('done', '');
            {then}
        }});"
    ))
}

/// It cannot be told anything any more, and serves.
#[test]
fn one_that_closes_its_channel_serves_on_until_it_is_replaced() {
    let hang_up = "fs.closeSync(Number(process.channel.fd)); console.log('closed');";
    let service = special(hang_up).workers(2, SOON);
    service.after("closed");
    let service = service.until_ready();
    let before = Vitals::of(&service);
    all_answer(&service, || service.who());
    let old = service.workers();
    service.reload();
    assert!(service.workers().is_disjoint(&old));
    all_answer(&service, || service.who());
    assert_eq!(service.run.pid(), before.pid());
    service.stop().code(0);
}

#[test]
fn one_that_leaves_in_the_middle_of_an_answer_is_replaced() {
    let service = special("").workers(2, SOON).ready();
    let before = Vitals::of(&service);
    for times in 1..=4 {
        let mut stream = connect(([127, 0, 0, 1], service.app.port));
        stream.write_all(request("/half", true).as_bytes()).unwrap();
        let mut seen = String::new();
        let _ = stream.read_to_string(&mut seen);
        assert!(seen.ends_with("\r\n\r\nhalf"), "{seen:?}");
        service
            .run
            .until_stderr_times("exited with status 7", times);
        service.up(1);
        // Whoever comes next finds somebody.
        service.who();
    }
    service.run.until_stderr_times(words::ALL_READY, 5);
    all_answer(&service, || service.who());
    before.are_those_of(&service);
    service.stop().code(0);
}

#[test]
fn one_that_is_stopped_is_taken_for_hung() {
    let hang = scaled_ms(4000);
    let options = SOON.into_iter().chain(["--hang-timeout", &hang]);
    let service = special("").workers(2, options).ready();
    let before = Vitals::of(&service);
    let stopped = *service.workers().first().unwrap();
    processes::kill(stopped, libc::SIGSTOP);
    service.run.until_stderr(words::HANGS);
    service.up(1);
    service
        .run
        .until_stderr(&format!("(pid {stopped}) was killed by"));
    service.run.until_stderr_times(words::ALL_READY, 2);
    all_answer(&service, || service.who());
    before.are_those_of(&service);
    service.stop().code(0);
}

/// The kernel goes on to put connections into a socket for as long as anybody has it.
#[test]
fn a_daemon_that_keeps_the_socket_keeps_no_connection_and_no_port() {
    let daemon = "
        const stdio = ['ignore', 'ignore', 'ignore', server._handle.fd];
        const sleep = require('child_process').spawn('sleep', ['1000'], { detached: true, stdio });
        sleep.on('spawn', () => { console.log('daemon', sleep.pid); process.exit(0); });
    ";
    let service = special(daemon).workers(2, SOON);
    let sleep = service.pid_after("daemon ");
    let load = service.load().rate(200).start();
    service.run.until_stderr(words::RESTARTING);
    let service = service.until_ready();
    load.until_answered_by(2);
    load.stop().no_failures();
    assert!(processes::state(sleep).is_some_and(|state| state != 'Z'));
    let port = service.app.port;
    let end = service.stop();
    end.code(0);
    assert_eq!(processes::state(sleep), None, "{end:?}");
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
}
