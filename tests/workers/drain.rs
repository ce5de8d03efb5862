//! How a worker leaves when pidone stops: its requests first.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::http::{answer, ask, request};
use crate::harness::net::connect;
use crate::harness::service::{App, CLOSE, FASTIFY, FASTIFY_CLOSE, PLAIN, Service};
use crate::harness::{processes, words};
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

/// A request that is inside a worker, which takes so long.
#[track_caller]
fn asked(service: &Service, ms: u32) -> TcpStream {
    let mut client = connect((LOCALHOST, service.app.port));
    let path = format!("/slow?ms={ms}");
    client.write_all(request(&path, false).as_bytes()).unwrap();
    client
}

#[test]
fn a_stop_waits_for_requests_whatever_handlers_the_app_has() {
    for app in [PLAIN, CLOSE, FASTIFY, FASTIFY_CLOSE] {
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT] {
            let service = App::named(app).workers(2, [""; 0]).ready();
            let mut clients: Vec<_> = (0..8).map(|_| asked(&service, 700)).collect();
            service.run.signal(signal);
            service.run.until_stderr(words::STOPPING);
            for client in &mut clients {
                assert_eq!(answer(client).status(), 200);
            }
            let end = service.run.end();
            end.code(0);
            assert!(end.took < Duration::from_secs(6), "{app}: {end:?}");
        }
    }
}

/// Node.js 26 resets connections on which nothing has come when it closes a server. pidone waits for
/// what does within a quarter of a second.
#[test]
fn a_client_that_hesitates_is_served() {
    const HESITATION: Duration = Duration::from_millis(100);
    on_every_node(|node| {
        let in_time = (0..20).any(|_| {
            let app = App::named(PLAIN).node(&node.path);
            let service = app.workers(1, [""; 0]).ready();
            let mut client = connect((LOCALHOST, service.app.port));
            let begin = Instant::now();
            service.run.signal(libc::SIGTERM);
            thread::sleep(HESITATION);
            let mut words = String::new();
            let served = client.write_all(request("/", false).as_bytes());
            // On a machine that is so busy it says nothing.
            let in_time = begin.elapsed() < 2 * HESITATION;
            let served = served.and_then(|()| client.read_to_string(&mut words));
            if in_time {
                assert!(words.starts_with("HTTP/1.1 200 "), "{served:?} {words}");
            }
            service.run.end().code(0);
            in_time
        });
        assert!(in_time, "the machine has no quiet moment");
    });
}

/// Reloads of an app on Node.js 26, whose clients take 100 ms to ask for something. One that was slow
/// itself says nothing.
fn clients_that_hesitate_are_served(app: &str, protocols: &[&str]) {
    const CLIENT: &str = "
        const seen = { asked: 0, answered: 0, lost: [] };
        const connect = (version) => {
            const begin = Date.now();
            let all = '';
            const options = { port: Number(process.argv[2]) };
            const tls = { rejectUnauthorized: false, minVersion: version, maxVersion: version };
            const connect = version === 'plain'
                ? (asks) => require('net').connect(options, asks)
                : (asks) => require('tls').connect({ ...options, ...tls }, asks);
            const client = connect(() => setTimeout(() => {
                client.write('GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');
            }, 100));
            client.on('data', (part) => { all += part; });
            client.on('error', () => {});
            client.on('close', () => {
                if (all.startsWith('HTTP/1.1 200')) seen.answered += 1;
                else if (Date.now() - begin < 200) seen.lost.push(version);
            });
        };
        const timer = setInterval(() => {
            process.argv.slice(3).forEach(connect);
            seen.asked += 1;
            if (seen.asked === 20) console.log('going on');
        }, 10);
        process.stdin.on('data', () => clearInterval(timer));
        process.on('exit', () => console.log(JSON.stringify(seen)));
    ";
    on_every_node(|node| {
        // The others keep such connections, and would only slow this one down.
        if node.major < 26 {
            return;
        }
        let app = App::named(app).with_certificate().node(&node.path);
        let service = app.workers(1, [""; 0]).ready();
        let client = service.app.directory.file("client.js", CLIENT, 0o644);
        let mut client = Command::new(&node.path)
            .arg(client)
            .arg(service.app.port.to_string())
            .args(protocols)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut says = BufReader::new(client.stdout.take().unwrap()).lines();
        assert_eq!(says.next().unwrap().unwrap(), "going on");
        for _ in 0..3 {
            service.reload();
        }
        client.stdin.take().unwrap().write_all(b"enough").unwrap();
        let seen = says.next().unwrap().unwrap();
        assert!(client.wait().unwrap().success());
        assert!(seen.ends_with("\"lost\":[]}"), "{seen}");
        service.stop().code(0);
    });
}

#[test]
fn clients_that_hesitate_are_served_in_a_reload() {
    clients_that_hesitate_are_served(PLAIN, &["plain", "plain"]);
}

#[test]
fn clients_that_hesitate_after_the_handshake_are_served() {
    clients_that_hesitate_are_served("tls.js", &["TLSv1.2", "TLSv1.3"]);
}

/// pidone's own connections, which keep new connections out, are none that is waited for.
#[test]
fn a_stop_waits_for_no_client_where_there_is_none() {
    let is_short = |_| {
        let service = App::named(PLAIN).workers(2, [""; 0]).ready();
        let begin = Instant::now();
        service.stop().code(0);
        begin.elapsed() < Duration::from_millis(200)
    };
    assert!((0..20).any(is_short), "each takes a quarter of a second");
}

#[test]
fn the_signal_comes_after_the_last_answer() {
    on_every_node(|node| {
        let service = App::script(BUSY)
            .node(&node.path)
            .workers(1, [""; 0])
            .ready();
        let mut client = asked(&service, 500);
        service.run.expect("asked");
        service.run.signal(libc::SIGTERM);
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
        let mut client = asked(&service, 700);
        service.run.expect("asked");
        service.run.signal(libc::SIGTERM);
        service.run.expect("SIGTERM");
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
        let mut client = asked(&service, 900);
        service.run.expect("asked");
        service.run.signal(libc::SIGTERM);
        service.run.expect("SIGTERM");
        assert_eq!(answer(&mut client).status(), 200);
        service.run.expect("closed undefined");
        service.run.expect("closed too undefined");
        service.run.end().code(0);
    });
}

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
    let service = App::named(PLAIN).workers(2, ["--grace", "2s"]).ready();
    let _client = asked(&service, 60_000);
    let begin = Instant::now();
    service.stop().code(0);
    let took = begin.elapsed();
    assert!(
        (Duration::from_millis(1500)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
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
    let service = App::named(PLAIN).workers(2, [""; 0]).ready();
    let _client = asked(&service, 60_000);
    let begin = Instant::now();
    let pidone = service.run.pid();
    processes::wait_until("patience ends", || {
        processes::kill(pidone, libc::SIGTERM);
        service.run.stderr_count(words::STOPPING_AT_ONCE) > 0
    });
    service.run.end().code(137);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn two_stop_signals_within_a_second_are_one() {
    let service = App::named(PLAIN).workers(2, [""; 0]).ready();
    let mut client = asked(&service, 1500);
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
    let mut client = asked(&service, 700);
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
        let mut clients: Vec<_> = (0..30).map(|_| asked(&service, 1)).collect();
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
        let service = App::named(PLAIN)
            .node(&node.path)
            .workers(2, [""; 0])
            .ready();
        let mut clients: Vec<_> = (0..8)
            .map(|_| connect((LOCALHOST, service.app.port)))
            .collect();
        for client in &mut clients {
            assert!(!ask(client, "/who?", true).closing());
        }
        let begin = Instant::now();
        service.stop().code(0);
        let limit = if node.major >= 20 { 3 } else { 8 };
        assert!(
            begin.elapsed() < Duration::from_secs(limit),
            "{:?}",
            begin.elapsed()
        );
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
            .workers(1, ["--http-drain", "2s"])
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
        // The one that has asked nothing more holds it up for as long as was announced; Node.js 18
        // keeps it until its own keep-alive timeout.
        service.run.end().code(0);
        let took = begin.elapsed();
        let limit = Duration::from_secs(if node.major < 20 { 10 } else { 5 });
        assert!(
            (Duration::from_millis(1900)..limit).contains(&took),
            "{took:?}"
        );
        drop(idle);
    });
}

#[test]
fn drain_delay_serves_on_for_a_while() {
    let service = App::named(PLAIN)
        .workers(2, ["--drain-delay", "1s"])
        .ready();
    let begin = Instant::now();
    service.run.signal(libc::SIGTERM);
    service.run.until_stderr(words::STOPPING);
    // New ones are welcome still.
    let mut client = connect((LOCALHOST, service.app.port));
    assert_eq!(ask(&mut client, "/late", false).status(), 200);
    service.run.end().code(0);
    assert!(begin.elapsed() >= Duration::from_secs(1));
}
