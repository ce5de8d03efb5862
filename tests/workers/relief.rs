//! Connections that wait behind a busy worker go to the others (`--balance auto`, the default).

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::Command;

use crate::harness::admin::AdminEndpoints;
use crate::harness::http::{answer, server_of};
use crate::harness::killed::Killed;
use crate::harness::net::connect;
use crate::harness::service::{App, Service};
use crate::harness::{processes, words};
use crate::node::on_every_node;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// SIGUSR2 blocks the event loop until there is a file named `gate`. It leaves the processor to others.
const BLOCKS: &str = "
    process.on('SIGUSR2', () => {
        console.log('blocked', process.pid);
        require('os').setPriority(19);
        while (!require('fs').existsSync(`${__dirname}/gate`));
    });
";

const HTTP: &str = "require('./plain.js');";

fn app(then: &str) -> App {
    App::script(&format!("{BLOCKS}{then}"))
}

/// Blocks one worker, until [`open_gate`].
fn block(service: &Service, worker: i32) {
    processes::kill(worker, libc::SIGUSR2);
    assert_eq!(service.pid_after("blocked "), worker);
}

fn open_gate(service: &Service) {
    service.app.directory.file("gate", "", 0o644);
}

#[test]
fn requests_do_not_wait_for_a_blocked_worker() {
    on_every_node(|node| {
        let service = app(HTTP).node(&node.path).workers(2, [""; 0]).ready();
        let load = service.load().rate(200).start();
        load.until_answered_by(2);
        let blocked = *service.workers().first().unwrap();
        block(&service, blocked);
        // Without relief, half of the requests would be answered when the gate is open.
        let answers = load.next(300);
        assert!(answers.iter().filter(|it| it.pid == blocked).count() < 10);
        open_gate(&service);
        load.until(&format!("an answer of {blocked}"), |answers| {
            answers
                .iter()
                .any(|answer| answer.pid == blocked)
                .then_some(())
        });
        load.stop().no_failures();
        service.stop().code(0);
    });
}

/// HTTPS, HTTP/2, raw sockets, and raw sockets that the app reads from later.
#[test]
fn every_kind_of_server_is_relieved() {
    const SERVERS: &str = "
        const fs = require('fs'), net = require('net');
        const keys = { key: fs.readFileSync(`${__dirname}/key.pem`), cert: fs.readFileSync(`${__dirname}/cert.pem`) };
        const port = Number(process.env.PORT);
        const answer = (request, response) => response.end(`${process.pid}`);
        const servers = [
            require('https').createServer(keys, answer),
            require('http2').createSecureServer(keys, answer),
            net.createServer((socket) => socket.end(`${process.pid}`)),
            net.createServer({ pauseOnConnect: true }, (socket) => {
                setTimeout(() => socket.once('data', () => socket.end(`${process.pid}`)).resume(), 5);
            }),
        ];
        let left = servers.length;
        servers.forEach((server, index) => server.listen(port + index, () => {
            if (--left === 0) console.log('up', process.pid);
        }));
    ";
    // One process for all connections; prints the processes that have answered.
    const CLIENT: &str = "
        const https = require('https'), http2 = require('http2'), net = require('net');
        const port = Number(process.argv[2]);
        const body = (stream, done) => {
            let text = '';
            stream.on('data', (bytes) => text += bytes).on('end', () => done(text));
        };
        const ask = [
            (done, failed) => https.get({ port, agent: false, rejectUnauthorized: false }, (it) => body(it, done)).on('error', failed),
            (done, failed) => {
                const session = http2.connect(`https://localhost:${port + 1}`, { rejectUnauthorized: false });
                session.on('error', failed);
                body(session.request().on('error', failed), (text) => { session.close(); done(text); });
            },
            ...[2, 3].map((index) => (done, failed) => {
                const socket = net.connect(port + index, '127.0.0.1').on('error', failed);
                socket.write('x');
                body(socket, done);
            }),
        ];
        (async () => {
            for (const one of ask) {
                const all = Array.from({ length: 12 }, () => new Promise(one));
                console.log(new Set(await Promise.all(all)).size === 1 ? await all[0] : 'several');
            }
        })().catch((error) => { console.error(error); process.exit(1); });
    ";
    on_every_node(|node| {
        let app = app(SERVERS).with_certificate().node(&node.path);
        let service = app.workers(2, [""; 0]).ready();
        let workers = service.workers();
        let blocked = *workers.first().unwrap();
        block(&service, blocked);
        let client = service.app.directory.file("client.js", CLIENT, 0o644);
        let port = service.app.port.to_string();
        let output = Command::new(&node.path).arg(client).arg(port).output();
        let output = output.unwrap();
        open_gate(&service);
        assert!(output.status.success(), "{output:?}");
        let other = workers.last().unwrap();
        let answers = String::from_utf8(output.stdout).unwrap();
        assert_eq!(answers, format!("{other}\n").repeat(4));
        service.stop().code(0);
    });
}

/// And a drain of one that is handed connections, and a stop.
#[test]
fn nothing_is_lost_while_workers_that_relieve_leave() {
    let service = app(HTTP).workers(3, [""; 0]).ready();
    let load = service.load().rate(300).start();
    load.until_answered_by(3);
    let blocked = *service.workers().first().unwrap();
    block(&service, blocked);
    load.next(200);
    service.run.signal(libc::SIGHUP);
    load.next(200);
    open_gate(&service);
    service.run.until_stderr(words::RELOADED);
    load.next(100);
    load.stop().no_failures();
    service.stop().code(0);
}

#[test]
fn a_death_beside_a_blocked_worker_loses_no_waiting_connection() {
    let service = app(HTTP).workers(3, [""; 0]).ready();
    let mut workers = service.workers().into_iter();
    let (victim, blocked) = (workers.next().unwrap(), workers.next().unwrap());
    let load = service.load().rate(300).start();
    load.until_answered_by(3);
    block(&service, blocked);
    load.next(100);
    let death = Killed::now(victim, service.app.port);
    service.up(1);
    load.next(200);
    open_gate(&service);
    let report = load.stop();
    report.only_failures("inside the dead one", |failure| death.explains(failure));
    service.stop().code(0);
}

/// One that hangs gets nothing more, and its queue is taken from it before it is replaced.
#[test]
fn a_hung_workers_queue_does_not_wait_for_its_end() {
    let options = ["--hang-timeout", "1h"];
    let service = app(HTTP).workers(2, options).ready();
    let hung = *service.workers().first().unwrap();
    block(&service, hung);
    for _ in 0..10 {
        let all: Vec<_> = (0..10).map(|_| connect((V4, service.app.port))).collect();
        for stream in all {
            assert_ne!(server_of(stream), hung);
        }
    }
    open_gate(&service);
    service.stop().code(0);
}

/// A worker that has just closed its server refuses what pidone hands to it.
#[test]
fn refused_connections_go_to_a_worker_that_takes_them() {
    const CLOSES: &str = "
        const server = require('http').createServer(require('./answer.js'));
        process.on('SIGWINCH', () => server.close(() => console.log('closed', process.pid)));
        server.listen(process.env.PORT, () => console.log('up', process.pid));
    ";
    let service = app(CLOSES).workers(3, [""; 0]).ready();
    let mut workers = service.workers().into_iter();
    let (closed, blocked) = (workers.next().unwrap(), workers.next().unwrap());
    let left = workers.next().unwrap();
    block(&service, blocked);
    processes::kill(closed, libc::SIGWINCH);
    assert_eq!(service.pid_after("closed "), closed);
    let load = service.load().rate(200).start();
    let answers = load.next(200);
    assert!(answers.iter().all(|answer| answer.pid == left));
    open_gate(&service);
    load.stop().no_failures();
    service.stop().code(0);
}

/// What comes to a full server by its own queue, Node.js closes (`'drop'`); what pidone hands to it, it
/// refuses, and that waits for the other worker.
#[test]
fn a_full_server_closes_no_connection_of_another_worker() {
    const FULL: &str = "
        const server = require('net').createServer((socket) => {
            socket.on('error', () => {});
            socket.write(`${process.pid}\\n`);
        });
        server.on('drop', () => console.log('drop', process.pid));
        process.on('SIGWINCH', () => {
            server.maxConnections = 1;
            console.log('full', process.pid);
        });
        server.listen(process.env.PORT, () => console.log('up', process.pid));
    ";
    const CLIENTS: usize = 40;
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(app(FULL), 2, &[""; 0]).ready();
    let mut workers = service.workers().into_iter();
    let (blocked, full) = (workers.next().unwrap(), workers.next().unwrap());
    let mut kept = Vec::new();
    loop {
        let mut stream = BufReader::new(connect((V4, service.app.port)));
        let pid = pid_of(&mut stream);
        kept.push(stream);
        if pid == Some(full) {
            break;
        }
    }
    processes::kill(full, libc::SIGWINCH);
    assert_eq!(service.pid_after("full "), full);
    block(&service, blocked);
    let streams: Vec<_> = (0..CLIENTS)
        .map(|_| connect((V4, service.app.port)))
        .collect();
    processes::wait_until("a connection was handed over", || {
        let (_, metrics) = admin.get("/metrics");
        let mut lines = metrics.lines();
        let count = lines.find_map(|line| line.strip_prefix("pidone_relieved_connections_total "));
        count.is_some_and(|count| count != "0")
    });
    open_gate(&service);
    let answers = streams.into_iter().map(BufReader::new);
    let (mut answered, mut closed) = (0, 0);
    for mut stream in answers {
        match pid_of(&mut stream) {
            Some(pid) => {
                assert_eq!(pid, blocked);
                answered += 1;
            }
            None => closed += 1,
        }
        kept.push(stream);
    }
    assert!(answered > 0, "{closed} closed");
    for _ in 0..closed {
        assert_eq!(service.pid_after("drop "), full);
    }
    drop(kept);
    service.stop().code(0);
}

/// The process that has answered; `None`: the connection was closed.
fn pid_of(stream: &mut BufReader<TcpStream>) -> Option<i32> {
    let mut line = String::new();
    let read = stream.read_line(&mut line);
    let reset = read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
    (!reset && !line.is_empty()).then(|| line.trim().parse().unwrap())
}

/// It has taken the last connection when it gets the next one.
#[test]
fn in_turn_a_busy_worker_gets_one_connection_at_most() {
    let options = ["--balance", "round-robin"];
    let service = app(HTTP).workers(2, options).ready();
    let blocked = *service.workers().first().unwrap();
    block(&service, blocked);
    let mut streams: Vec<TcpStream> = (0..30).map(|_| connect((V4, service.app.port))).collect();
    for stream in &mut streams {
        use std::io::Write;
        stream
            .write_all(crate::harness::http::request("/", false).as_bytes())
            .unwrap();
    }
    // All but one are answered while the worker is blocked.
    let mut answered = BTreeSet::new();
    processes::wait_until("the other worker has answered 29", || {
        for (place, stream) in streams.iter().enumerate() {
            stream.set_nonblocking(true).unwrap();
            if stream.peek(&mut [0]).is_ok_and(|bytes| bytes > 0) {
                answered.insert(place);
            }
            stream.set_nonblocking(false).unwrap();
        }
        answered.len() >= 29
    });
    open_gate(&service);
    for mut stream in streams {
        assert_eq!(answer(&mut stream).status(), 200);
    }
    service.stop().code(0);
}
