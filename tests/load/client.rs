//! The load client tells the truth: of bare Node.js servers whose faults are known.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::killed::Killed;
use crate::harness::load::{Failure, Kind, Plan};
use crate::harness::net::fresh_port;
use crate::harness::processes::kill;
use crate::harness::service::{App, FASTIFY, PLAIN, Service};

fn bare(script: &str) -> Service {
    let service = App::script(script).bare();
    service.up(1);
    service
}

/// A server whose answer to the n-th request, from 1, is written by hand.
fn by_hand(answer: &str) -> Service {
    bare(&format!(
        "let count = 0;
        const server = require('net').createServer((socket) => {{
            socket.on('error', () => {{}});
            socket.on('data', (data) => {{
                const url = String(data).split(' ')[1];
                const n = ++count;
                const body = process.pid + ' ' + url;
                const head = 'HTTP/1.1 200 OK\\r\\nContent-Length: ' + body.length + '\\r\\n';
                {answer}
            }});
        }});
        server.listen(process.env.PORT, () => console.log('up', process.pid));"
    ))
}

/// The only failure of a short load on such a server.
#[track_caller]
fn only_failure(service: &Service, plan: Plan) -> Failure {
    let load = plan.rate(500).start();
    load.until_answered(100);
    let report = load.stop();
    let [failure] = &report.failures[..] else {
        panic!("{report}\n{:?}\n{}", report.failures, service.app.port)
    };
    report.only_failures("one", |_| true);
    failure.clone()
}

#[test]
fn a_good_server_has_no_failures() {
    for app in [PLAIN, FASTIFY] {
        let service = App::named(app).bare();
        let pid = service.pid_after("up ");
        for plan in [
            service.load(),
            service.load().keep_alive(16),
            service.load().slow(Duration::from_millis(200)),
            service
                .load()
                .slow(Duration::from_millis(200))
                .keep_alive(300),
        ] {
            let load = plan.start();
            load.until_answered(1000);
            let report = load.stop();
            report.no_failures();
            assert_eq!(report.pids().into_iter().collect::<Vec<_>>(), [pid]);
        }
    }
}

#[test]
fn connections_are_kept_and_each_has_its_turn() {
    let service = bare(
        "
        const server = require('http').createServer(require('./answer.js'));
        server.on('connection', () => console.log('connection'));
        server.listen(process.env.PORT, () => console.log('up', process.pid));
    ",
    );
    let load = service.load().rate(200).keep_alive(16).start();
    load.until_answered(300);
    let report = load.stop();
    report.no_failures();
    let new = report
        .answers
        .iter()
        .filter(|answer| answer.reused == 0)
        .count();
    assert!(new < 150, "{new} connections for {report}");
    for _ in 0..new {
        service.run.expect("connection");
    }
}

#[test]
fn a_response_that_says_so_ends_the_connection() {
    let service = bare(
        "
        require('http').createServer((request, response) => {
            response.shouldKeepAlive = false;
            require('./answer.js')(request, response);
        }).listen(process.env.PORT, () => console.log('up', process.pid));
    ",
    );
    let load = service.load().keep_alive(16).start();
    load.until_answered(500);
    let report = load.stop();
    report.no_failures();
    assert!(
        report
            .answers
            .iter()
            .all(|answer| answer.closing && answer.reused == 0)
    );
}

#[test]
fn a_connection_that_is_known_to_be_closed_is_not_used() {
    // Closes after each answer without a word, long before the connection has its next turn.
    let service = by_hand("socket.end(head + '\\r\\n' + body);");
    let load = service.load().rate(20).keep_alive(16).start();
    load.until_answered(40);
    load.stop().no_failures();
}

#[test]
fn each_fault_is_told_as_what_it_is() {
    let rest = "else socket.end(head + '\\r\\n' + body);";
    for (fault, kind, bytes) in [
        ("socket.resetAndDestroy();", Kind::Reset, 0..=0),
        ("socket.end();", Kind::Closed, 0..=0),
        ("socket.end(head);", Kind::Short, 20..=60),
        (
            "socket.end(head + '\\r\\n' + body.slice(1));",
            Kind::Short,
            50..=90,
        ),
        (
            "socket.end(head + '\\r\\n' + '1 ' + url.padEnd(body.length - 2));",
            Kind::Wrong,
            50..=90,
        ),
        (
            "socket.end('HTTP/1.1 503 Oh\\r\\nContent-Length: 2\\r\\n\\r\\nno');",
            Kind::Status(503),
            40..=40,
        ),
        ("socket.end('what?\\r\\n\\r\\n');", Kind::Malformed, 9..=9),
    ] {
        let service = by_hand(&format!("if (n === 50) {fault} {rest}"));
        let failure = only_failure(&service, service.load());
        assert_eq!(failure.kind, kind, "{failure:?}");
        assert_eq!((failure.request, failure.reused), (49, 0));
        assert!(
            failure.established && bytes.contains(&failure.bytes),
            "{failure:?}"
        );
    }
}

#[test]
fn two_responses_to_one_request_are_a_fault() {
    for twice in [
        "socket.end(all + all);",
        "socket.write(all); setImmediate(() => socket.end(all));",
    ] {
        let service = by_hand(&format!(
            "const all = head + '\\r\\n' + body; if (n === 50) {{ {twice} }} else socket.end(all);"
        ));
        assert_eq!(only_failure(&service, service.load()).kind, Kind::TooMuch);
    }
}

#[test]
fn a_request_on_a_kept_connection_that_is_cut_is_a_fault() {
    let service =
        by_hand("if (n === 50) socket.destroy(); else socket.write(head + '\\r\\n' + body);");
    let failure = only_failure(&service, service.load().keep_alive(4));
    assert!(
        matches!(failure.kind, Kind::Closed | Kind::Reset),
        "{failure:?}"
    );
    assert!(failure.reused > 0 && failure.bytes == 0, "{failure:?}");
}

#[test]
fn a_request_that_is_never_answered_is_a_fault() {
    let service = by_hand("if (n !== 50) socket.end(head + '\\r\\n' + body);");
    let plan = service.load().timeout(Duration::from_millis(300));
    let failure = only_failure(&service, plan);
    assert_eq!((failure.kind, failure.request), (Kind::TimedOut, 49));
    assert!(failure.at - failure.asked >= Duration::from_millis(300));
}

#[test]
fn nobody_there_is_refused() {
    let load = Plan::of(fresh_port()).start();
    while load.report().failures.len() < 100 {
        std::thread::yield_now();
    }
    let report = load.stop();
    report.only_failures("refused", |one| {
        one.kind == Kind::Refused && !one.established
    });
    assert_eq!(report.answers.len(), 0);
}

/// The server's own record of what it had read and not answered agrees with the client's.
#[test]
fn what_a_killed_server_had_inside_is_lost_and_known() {
    for keep_alive in [None, Some(300)] {
        let service = App::named(PLAIN).bare();
        let pid = service.pid_after("up ");
        let mut plan = service.load().slow(Duration::from_millis(100));
        if let Some(idle) = keep_alive {
            plan = plan.keep_alive(idle);
        }
        let load = plan.start();
        load.until_answered(500);
        let killed = Killed::now(pid, service.app.port);
        service.run.end();
        let report = load.stop();
        // A hundred or so were waiting for their answer; the rest found nobody.
        let inside = report
            .failures
            .iter()
            .filter(|one| killed.explains(one))
            .count();
        assert!(inside > 50, "{inside} inside: {report}");
        report.only_failures("inside, in the queue, or after the end", |one| {
            // Whatever was read is closed in an orderly way; what waited in the queue is reset.
            killed.explains(one) || (one.at >= killed.at && one.kind != Kind::Closed)
        });
        assert!(
            report
                .answers
                .iter()
                .all(|answer| answer.asked <= killed.at)
        );
    }
}

#[test]
fn a_server_that_is_asked_to_end_loses_what_is_in_flight() {
    let service = App::named(PLAIN).bare();
    let pid = service.pid_after("up ");
    let load = service.load().slow(Duration::from_millis(200)).start();
    load.until_answered(300);
    kill(pid, Signal::SIGTERM as i32);
    service.run.end();
    let report = load.stop();
    let reset = report.failures.iter().filter(|one| one.established).count();
    assert!(reset > 100, "{report}");
}

#[test]
fn clients_come_from_the_addresses_they_are_given() {
    let service = bare(
        "
        require('http').createServer((request, response) => {
            console.log(request.socket.remoteAddress);
            require('./answer.js')(request, response);
        }).listen(process.env.PORT, '127.0.0.1', () => console.log('up', process.pid));
    ",
    );
    let addresses = [2, 3, 4].map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
    let load = service.load().rate(100).from(addresses).start();
    load.until_answered(12);
    load.stop().no_failures();
    let seen: Vec<_> = (0..3).map(|_| service.run.line()).collect();
    assert_eq!(seen, ["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
}
