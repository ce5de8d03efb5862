//! What works in Bun and in Deno alike.

use std::io::Read;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::harness::http::server_of;
use crate::harness::load::Plan;
use crate::harness::net::{connect, connect_unix};
use crate::harness::service::all_answer;
use crate::harness::{Pidone, words};
use crate::runtime::Runtime;

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Says who has accepted each connection, and nothing else.
const NET: &str = "
    import net from 'node:net';
    const greet = (connection) => connection.end(`${process.pid}\\n`);
    for (let fd = 3; fd < 3 + Number(process.env.LISTEN_FDS); fd++)
        await new Promise((resolve) => net.createServer(greet).listen({ fd }, resolve));
    const { LISTEN_PID, LISTEN_FDNAMES, NODE_CHANNEL_FD, NODE_APP_INSTANCE } = process.env;
    console.log('given', LISTEN_FDNAMES, Number(LISTEN_PID) === process.pid, NODE_CHANNEL_FD, NODE_APP_INSTANCE);
";

/// Who accepts a connection.
fn greeted_by(mut stream: impl Read) -> i32 {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?}"))
}

/// The channel is off by itself.
#[test]
fn workers_serve_the_sockets_of_listen_with_node_net() {
    for runtime in Runtime::all("workers_serve_the_sockets_of_listen_with_node_net") {
        let app = runtime.app(NET);
        let port = app.port;
        let path = app.directory.path("app.sock");
        let unix = format!("unix:{}", path.display());
        let service = app.workers(2, ["--listen", &port.to_string(), "--listen", &unix]);
        for _ in 0..2 {
            let given = service.after("given ");
            let expected = format!("tcp-{port}:unix-app.sock true undefined ");
            assert!(given.starts_with(&expected), "{}: {given}", runtime.name);
        }
        all_answer(&service, || greeted_by(connect((HOME, port))));
        all_answer(&service, || greeted_by(connect_unix(&path)));
        service.stop().code(0);
    }
}

#[test]
fn one_child_alone_has_them_too() {
    for runtime in Runtime::all("one_child_alone_has_them_too") {
        let app = runtime.app(NET);
        let port = app.port;
        let run = Pidone::new(["--listen", &format!("127.0.0.1:{port}")])
            .command(runtime.command())
            .directory(app.directory.path("."))
            .start();
        let given = format!("tcp-{port} true undefined undefined");
        assert_eq!(run.expect("given "), given, "{}", runtime.name);
        assert_eq!(greeted_by(connect((HOME, port))), run.child_pid());
        run.signal(libc::SIGTERM);
        run.end().code(143);
    }
}

/// Closes as such apps are told to by their own documentation.
const CLOSES: &str = "process.on('SIGTERM', () => server.close());";

/// A reload under a load that each worker ends with its own handler for SIGTERM.
#[test]
fn a_reload_loses_nothing_when_the_app_closes_its_server() {
    for runtime in Runtime::all("a_reload_loses_nothing_when_the_app_closes_its_server") {
        for slow in [None, Some(Duration::from_millis(200))] {
            let app = runtime.http(CLOSES);
            let address = format!("127.0.0.1:{}", app.port);
            let service = app.workers(2, ["--listen", &address]).ready();
            let plan = slow.into_iter().fold(service.load().rate(200), Plan::slow);
            let load = plan.start();
            load.until_answered(200);
            for _ in 0..2 {
                let old = service.workers();
                service.reload();
                assert!(service.workers().is_disjoint(&old));
                load.until_answered(100);
            }
            load.stop().no_failures();
            service.stop().code(0);
        }
    }
}

/// As HAProxy wants it: each has its own port.
#[test]
fn each_worker_has_a_port_of_its_own() {
    const SERVER: &str = "
        import http from 'node:http';
        http.createServer(answer).listen(Number(process.env.PORT), '127.0.0.1', up);
    ";
    for runtime in Runtime::all("each_worker_has_a_port_of_its_own") {
        let app = runtime.app(SERVER);
        let port = app.port;
        let service = app.workers(2, ["--port-env", "PORT", "--ready", "port"]);
        service.run.until_stderr(words::READY);
        let by_port = || [0, 1].map(|more| server_of(connect((HOME, port + more))));
        let before = by_port();
        assert_eq!(service.workers(), before.into(), "{}", runtime.name);
        service.reload();
        let after = by_port();
        assert_eq!(service.workers(), after.into(), "{}", runtime.name);
        assert!(after.iter().all(|pid| !before.contains(pid)));
        service.stop().code(0);
    }
}
