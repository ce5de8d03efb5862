//! Sockets that pidone itself is started with, by the real thing.

use std::net::Ipv4Addr;

use crate::harness::http::server_of;
use crate::harness::is_installed;
use crate::harness::net::{connect, connect_unix};
use crate::harness::service::{App, PLAIN, all_answer};

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ACTIVATE: &str = "systemd-socket-activate";

fn can_activate(test: &str) -> bool {
    is_installed(test, ACTIVATE, "systemd")
}

/// It starts pidone when the first client comes, who gets its answer too.
#[test]
fn an_app_that_listens_on_that_port_gets_the_inherited_socket() {
    if !can_activate("an_app_that_listens_on_that_port_gets_the_inherited_socket") {
        return;
    }
    for balance in ["auto", "reuseport", "shared", "source-ip", "round-robin"] {
        let app = App::named(PLAIN);
        let port = app.port;
        // Which passes nothing on from the environment by itself.
        let activate = [ACTIVATE, "-E", "PORT", "-l", &port.to_string()].map(String::from);
        let service = app.start_with(2, ["--balance", balance], |pidone| pidone.under(activate));
        service.run.until_stderr("Listening on");
        let first = server_of(connect((HOME, port)));
        service.up(2);
        service.run.until_stderr(crate::harness::words::READY);
        assert!(service.workers().contains(&first));
        all_answer(&service, || server_of(connect((HOME, port))));
        service.stop().code(0);
    }
}

#[test]
fn an_app_serves_inherited_descriptors_by_their_numbers() {
    const SCRIPT: &str = "
        const answer = require('./answer.js');
        const { LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID } = process.env;
        console.log('given', LISTEN_FDS, LISTEN_FDNAMES, Number(LISTEN_PID) === process.pid);
        const [first, second] = [3, 4].map((fd) => require('http').createServer(answer).listen({ fd }));
        first.on('listening', () => console.log('up', process.pid));
    ";
    if !can_activate("an_app_serves_inherited_descriptors_by_their_numbers") {
        return;
    }
    for channel in ["node", "off"] {
        let app = App::script(SCRIPT);
        let port = app.port;
        let path = app.directory.path("app.sock");
        let activate = [
            ACTIVATE,
            "-l",
            &format!("127.0.0.1:{port}"),
            "-l",
            path.to_str().unwrap(),
            "--fdname=web:local",
        ]
        .map(String::from);
        let service = app.start_with(2, ["--channel", channel], |pidone| pidone.under(activate));
        service.run.until_stderr("app.sock");
        let first = server_of(connect((HOME, port)));
        for _ in 0..2 {
            assert_eq!(service.after("given "), "2 web:local true", "{channel}");
        }
        assert!(service.workers().contains(&first));
        all_answer(&service, || server_of(connect((HOME, port))));
        all_answer(&service, || server_of(connect_unix(&path)));
        service.stop().code(0);
    }
}

/// With one child, pidone passes them through as if it were not there.
#[test]
fn one_child_alone_gets_them_as_they_are() {
    if !can_activate("one_child_alone_gets_them_as_they_are") {
        return;
    }
    const SCRIPT: &str = "
        const { LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID } = process.env;
        console.log('given', LISTEN_FDS, LISTEN_FDNAMES, Number(LISTEN_PID) === process.pid);
        require('http').createServer(require('./answer.js')).listen({ fd: 3 });
    ";
    let app = App::script(SCRIPT);
    let port = app.port;
    let run = crate::harness::Pidone::plain()
        .command(["node", "test.js"])
        .directory(app.directory.path("."))
        .under([ACTIVATE, "-l", &port.to_string(), "--fdname=web"])
        .start();
    run.until_stderr("Listening on");
    let pid = server_of(connect((HOME, port)));
    assert_eq!(run.expect("given "), "1 web true");
    assert_eq!(run.child_pid(), pid);
    run.signal(libc::SIGTERM);
    run.end().code(143);
}
