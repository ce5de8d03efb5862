//! How long a port lives, and who may have it.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpListener};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use crate::harness::http::{answer, request, server_of};
use crate::harness::net::{connect, connect_unix};
use crate::harness::processes::wait_until;
use crate::harness::service::{App, Service, all_answer};
use crate::harness::words;
use crate::node::on_every_node;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn sockets(service: &Service) -> usize {
    let entries = std::fs::read_dir(service.app.directory.path(".")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".sock")).count()
}

#[test]
fn ports_of_workers_that_are_gone_are_closed() {
    const SCRIPT: &str = "
        const answer = require('./answer.js');
        require('http').createServer(answer).listen(`${__dirname}/${process.pid}.sock`);
        require('http').createServer(answer).listen(process.env.PORT, () => console.log('up', process.pid));
    ";
    let service = App::script(SCRIPT).workers(2, [""; 0]).ready();
    service.run.until_stderr(words::DIFFERENT_PORTS);
    service.reload();
    service.run.until_stderr(words::CLOSED_PORTS);
    wait_until("two are left", || sockets(&service) == 2);
    for pid in service.workers() {
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        service.run.until_stderr(&words::killed(pid));
    }
    service.run.until_stderr_times(words::CLOSED_PORTS, 2);
    wait_until("two are left", || sockets(&service) == 2);
    all_answer(&service, || service.who());
    service.stop().code(0);
}

#[test]
fn workers_on_different_ports_are_told_apart_once() {
    const SCRIPT: &str = "
        const answer = require('./answer.js');
        const port = Number(process.env.PORT);
        if (process.env.NODE_APP_INSTANCE !== '1') require('http').createServer(answer).listen(port + 1);
        require('http').createServer(answer).listen(port, () => console.log('up', process.pid));
    ";
    let service = App::script(SCRIPT).workers(3, [""; 0]).ready();
    let port = service.app.port + 1;
    let text = format!("[::]:{port} only in workers 0, 2");
    service.run.until_stderr(&text);
    let closing = connect((V4, port));
    drop(closing);
    service.reload();
    // The same as before: what is said later is said by then.
    service.run.signal(libc::SIGTTIN);
    service
        .run
        .until_stderr(&format!("[::]:{port} only in workers 0, 2, 3"));
    assert_eq!(service.run.stderr_count(&text), 2);
    service.stop().code(0);
}

/// Its successor boots, and finds them.
#[test]
fn clients_wait_for_the_successor_of_a_worker_that_closed_by_itself() {
    for leave in [
        "require('cluster').worker.disconnect()",
        "server.close(() => process.exit())",
        "server.close(() => setTimeout(() => process.exit(), 300))",
    ] {
        on_every_node(|node| {
            let script = format!(
                "require('fs').readFileSync('gate');
                const answer = require('./answer.js');
                const server = require('http').createServer((request, response) => {{
                    if (request.url === '/leave') response.on('finish', () => {leave});
                    answer(request, response);
                }}).listen(process.env.PORT, () => console.log('up', process.pid));"
            );
            clients_wait(App::script(&script).node(&node.path), "/leave");
        });
    }
}

/// Those who come when an app's only worker has left, which it does when it is asked for this, are
/// served by the next one, which cannot boot before there is a gate.
fn clients_wait(app: App, path: &str) {
    let gate = app.directory.path("gate");
    std::fs::write(&gate, "open").unwrap();
    let service = app.workers(1, [""; 0]).ready();
    let old = *service.workers().first().unwrap();
    std::fs::remove_file(&gate).unwrap();
    mkfifo(&gate, Mode::S_IRWXU).unwrap();
    let port = service.app.port;
    let mut client = connect((V4, port));
    client.write_all(request(path, false).as_bytes()).unwrap();
    answer(&mut client);
    service.run.until_stderr(&words::left(old, 0));
    let mut waiting: Vec<_> = (0..5).map(|_| connect((V4, port))).collect();
    for client in &mut waiting {
        client
            .write_all(request("/late", false).as_bytes())
            .unwrap();
    }
    std::fs::write(&gate, "open").unwrap();
    let new = service.pid_after("up ");
    for client in &mut waiting {
        assert_eq!(answer(client).body(), format!("{new} /late"));
    }
    service.stop().code(0);
}

#[test]
fn a_port_that_the_app_gives_up_is_free_again() {
    const SCRIPT: &str = "
        const answer = require('./answer.js');
        const port = Number(process.env.PORT);
        const second = require('http').createServer(answer).listen(port + 1);
        require('http').createServer((request, response) => {
            second.close();
            answer(request, response);
        }).listen(port, () => console.log('up', process.pid));
    ";
    let service = App::script(SCRIPT).workers(1, [""; 0]).ready();
    let port = service.app.port;
    assert!(TcpListener::bind((V4, port + 1)).is_err());
    service.who();
    wait_until("it is free", || TcpListener::bind((V4, port + 1)).is_ok());
    assert_eq!(service.run.stderr_count(words::CLOSED_PORTS), 0);
    service.who();
    service.stop().code(0);
}

/// As from Node.js' own primary.
#[test]
fn a_second_listen_of_the_same_worker_is_an_error() {
    const SCRIPT: &str = "
        const { once } = require('events');
        const port = Number(process.env.PORT);
        const tcp = (...where) => () => require('net').createServer().listen(...where);
        const udp = (...where) => () => require('dgram').createSocket('udp4').bind(...where);
        (async () => {
            for (const open of [tcp(port + 1), tcp(port + 1, '127.0.0.1'), udp(port + 1), tcp(`${__dirname}/app.sock`)]) {
                const first = open();
                await once(first, 'listening');
                const [error] = await once(open(), 'error');
                console.log('error', error.code, error.syscall, error.port);
                first.close();
                await once(first, 'close');
                const again = open();
                await once(again, 'listening');
                again.close();
                await once(again, 'close');
            }
            require('http').createServer(require('./answer.js')).listen(port, () => console.log('up', process.pid));
        })();
    ";
    for balance in ["auto", "reuseport", "round-robin"] {
        on_every_node(|node| {
            let app = App::script(SCRIPT).node(&node.path);
            let port = app.port + 1;
            let service = app.workers(1, ["--balance", balance]);
            for number in [
                &port.to_string(),
                &port.to_string(),
                &port.to_string(),
                "-1",
            ] {
                assert_eq!(service.after("error "), format!("EADDRINUSE bind {number}"));
            }
            service.ready().stop().code(0);
        });
    }
}

/// And whoever has come in the meantime is served.
#[test]
fn new_code_may_listen_in_another_form_after_a_crash() {
    on_every_node(|node| {
        let script = |form: &str, gate: &str| {
            format!(
                "{gate}
                require('http').createServer(require('./answer.js')).listen({form}, () => console.log('up', process.pid));"
            )
        };
        let app = App::script(&script("process.env.PORT", "")).node(&node.path);
        let service = app.workers(1, [""; 0]).ready();
        let directory = &service.app.directory;
        mkfifo(&directory.path("gate"), Mode::S_IRWXU).unwrap();
        let new = script(
            "{ port: process.env.PORT, host: '0.0.0.0' }",
            "require('fs').readFileSync('gate');",
        );
        directory.file("test.js", &new, 0o644);
        let old = *service.workers().first().unwrap();
        kill(Pid::from_raw(old), Signal::SIGKILL).unwrap();
        service.run.until_stderr(&words::killed(old));
        let mut client = connect((V4, service.app.port));
        client
            .write_all(request("/late", false).as_bytes())
            .unwrap();
        std::fs::write(directory.path("gate"), "open").unwrap();
        let pid = service.pid_after("up ");
        assert_eq!(answer(&mut client).body(), format!("{pid} /late"));
        assert_eq!(service.who(), pid);
        service.stop().code(0);
    });
}

/// The new program has no channel and binds for itself.
#[test]
fn a_worker_that_becomes_another_program_can_bind_its_port() {
    const SCRIPT: &str = "
        const answer = require('./answer.js');
        const report = (error) => console.log('error', error.code);
        require('http').createServer((request, response) => {
            if (request.url === '/exec') response.on('finish', () => {
                process.execve(process.execPath, [process.execPath, __filename], process.env);
            });
            answer(request, response);
        }).on('error', report).listen(process.env.PORT, () => console.log('up', process.pid));
    ";
    on_every_node(|node| {
        // From 22.15 on.
        if node.major < 22 {
            return;
        }
        let service = App::script(SCRIPT)
            .node(&node.path)
            .workers(1, [""; 0])
            .ready();
        let pid = *service.workers().first().unwrap();
        let mut client = connect((V4, service.app.port));
        client
            .write_all(request("/exec", false).as_bytes())
            .unwrap();
        answer(&mut client);
        assert_eq!(service.run.line(), format!("up {pid}"));
        assert_eq!(service.who(), pid);
        service.stop();
    });
}

/// Its channel ends first, and itself a while later.
#[test]
fn clients_wait_for_the_successor_of_a_worker_that_left_its_channel() {
    const SCRIPT: &str = "
        process.on('exit', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200));
        require('fs').readFileSync('gate');
        const answer = require('./answer.js');
        require('http').createServer((request, response) => {
            if (request.url === '/leave') response.on('finish', () => process.disconnect());
            answer(request, response);
        }).listen(process.env.PORT, () => console.log('up', process.pid));
    ";
    on_every_node(|node| clients_wait(App::script(SCRIPT).node(&node.path), "/leave"));
}

/// A habit of several frameworks: the path is removed before somebody listens on it, or at the end.
#[test]
fn a_unix_socket_that_each_worker_removes_first_is_served_by_all() {
    const SCRIPT: &str = "
        const path = `${__dirname}/app.sock`;
        require('fs').rmSync(path, { force: true });
        require('http').createServer(require('./answer.js')).listen(path, () => console.log('up', process.pid));
        if (process.env.NODE_APP_INSTANCE === '1') process.on('exit', () => require('fs').rmSync(path, { force: true }));
    ";
    for options in [&[][..], &["--listen", "unix:app.sock"]] {
        on_every_node(|node| {
            let service = App::script(SCRIPT)
                .node(&node.path)
                .workers(2, options.iter().copied())
                .ready();
            let path = service.app.directory.path("app.sock");
            let ask = || server_of(connect_unix(&path));
            all_answer(&service, ask);
            service.reload();
            all_answer(&service, ask);
            let (app, end) = service.stop_and_keep();
            end.code(0);
            assert!(!app.directory.path("app.sock").exists());
        });
    }
}

#[test]
fn a_worker_with_too_many_ports_is_told_which_is_one_too_many() {
    const SCRIPT: &str = "
        const { once } = require('events');
        (async () => {
            for (let number = 0; number < 65; number += 1) {
                const server = require('net').createServer().listen(`${__dirname}/${number}.sock`);
                const [error] = await Promise.race([once(server, 'listening'), once(server, 'error').catch((e) => [e])]).catch((e) => [e]);
                if (error) console.log('error', error.code, number);
            }
        })();
    ";
    let service = App::script(SCRIPT).workers(1, [""; 0]);
    assert_eq!(service.after("error "), "EMFILE 64");
    service.run.until_stderr("64.sock");
    service.stop();
}
