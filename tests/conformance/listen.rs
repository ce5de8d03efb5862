//! What apps ask for, in every form there is, and what becomes of the answers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;

use pidone::channel::cluster::{FromWorker, HandleKind};
use pidone::channel::outbox::{Fate, Outcome};
use pidone::channel::query::ListenerKey;

use crate::apps::SERVER;
use crate::harness::patience;
use crate::node::on_every_node;
use crate::primary::Worker;
use crate::sockets::{ask, connection, hang_up, is_answered, is_served, listener, udp_socket};

const V4: Ipv4Addr = Ipv4Addr::LOCALHOST;
const V6: Ipv6Addr = Ipv6Addr::UNSPECIFIED;

fn tcp(address: Option<std::net::IpAddr>, port: u16) -> ListenerKey {
    ListenerKey::Tcp {
        address: address.map(Into::into),
        port,
        v6only: false,
        index: 0,
    }
}

fn udp(address: std::net::IpAddr, port: u16) -> ListenerKey {
    ListenerKey::Udp {
        address: address.into(),
        port,
        v6only: false,
        reuse_addr: false,
        index: 0,
    }
}

fn fd(number: i32, is_udp: bool) -> ListenerKey {
    ListenerKey::Fd { number, is_udp }
}

#[test]
fn every_form_of_listen_is_understood() {
    const SCRIPT: &str = "
        const tcp = (...how) => require('net').createServer().listen(...how);
        const udp = (kind, ...how) => require('dgram').createSocket(kind).bind(...how);
        process.on('message', (call) => { eval(call); });
        process.send({ cwd: process.cwd() });
    ";
    on_every_node(|node| {
        let unix = |readable_all, writable_all| {
            move |directory: &str| ListenerKey::Unix {
                path: format!("{directory}/s"),
                readable_all,
                writable_all,
            }
        };
        let is = |key: ListenerKey| move |_: &str| key.clone();
        type Expected = Box<dyn Fn(&str) -> ListenerKey>;
        let mut forms: Vec<(&str, Expected, u32)> = vec![
            ("tcp(8080)", Box::new(is(tcp(None, 8080))), 0),
            ("tcp({ port: 8080 })", Box::new(is(tcp(None, 8080))), 0),
            ("tcp('8080')", Box::new(is(tcp(None, 8080))), 0),
            (
                "tcp({ port: 8080, backlog: 5 })",
                Box::new(is(tcp(None, 8080))),
                5,
            ),
            ("tcp(0)", Box::new(is(tcp(None, 0))), 0),
            ("tcp()", Box::new(is(tcp(None, 0))), 0),
            (
                "tcp(8080, '127.0.0.1')",
                Box::new(is(tcp(Some(V4.into()), 8080))),
                0,
            ),
            (
                "tcp(8080, '0.0.0.0', 7)",
                Box::new(is(tcp(Some(Ipv4Addr::UNSPECIFIED.into()), 8080))),
                7,
            ),
            (
                "tcp(8080, '::')",
                Box::new(is(tcp(Some(V6.into()), 8080))),
                0,
            ),
            (
                "tcp(8080, '::1')",
                Box::new(is(tcp(Some(Ipv6Addr::LOCALHOST.into()), 8080))),
                0,
            ),
            (
                "tcp({ port: 8080, host: '::', ipv6Only: true })",
                Box::new(is(ListenerKey::Tcp {
                    address: Some(std::net::IpAddr::from(V6).into()),
                    port: 8080,
                    v6only: true,
                    index: 0,
                })),
                0,
            ),
            ("tcp('s')", Box::new(unix(false, false)), 0),
            (
                "tcp({ path: process.cwd() + '/s' })",
                Box::new(unix(false, false)),
                0,
            ),
            (
                "tcp({ path: 's', readableAll: true, writableAll: true })",
                Box::new(unix(true, true)),
                0,
            ),
            (
                "tcp({ path: '\\0a/name' })",
                Box::new(is(ListenerKey::Abstract("a/name".into()))),
                0,
            ),
            ("tcp({ fd: 7 })", Box::new(is(fd(7, false))), 0),
            ("udp('udp4', { fd: 7 })", Box::new(is(fd(7, true))), 0),
            ("udp('udp6', { fd: 7 })", Box::new(is(fd(7, true))), 0),
            (
                "udp('udp4')",
                Box::new(is(udp(Ipv4Addr::UNSPECIFIED.into(), 0))),
                0,
            ),
            (
                "udp('udp4', 8080, '127.0.0.1')",
                Box::new(is(udp(V4.into(), 8080))),
                0,
            ),
            ("udp('udp6', 8080)", Box::new(is(udp(V6.into(), 8080))), 0),
            (
                "udp({ type: 'udp6', ipv6Only: true, reuseAddr: true }, 8080)",
                Box::new(is(ListenerKey::Udp {
                    address: std::net::IpAddr::from(V6).into(),
                    port: 8080,
                    v6only: true,
                    reuse_addr: true,
                    index: 0,
                })),
                0,
            ),
        ];
        if node.major < 22 {
            // Ignored here; later ones bind themselves.
            let form = "tcp({ port: 8080, reusePort: true })";
            forms.push((form, Box::new(is(tcp(None, 8080))), 0));
        }
        let mut worker = Worker::start(node, SCRIPT);
        let directory = worker.until_user_message();
        let directory = directory
            .trim_start_matches(r#"{"cwd":""#)
            .trim_end_matches("\"}");
        for (call, expected, backlog) in &forms {
            worker.send_raw(&format!("{call:?}"), None);
            let query = worker.until_query();
            let mut key = query.listener.unwrap();
            // Counted by Node, not by this test.
            if let ListenerKey::Tcp { index, .. } | ListenerKey::Udp { index, .. } = &mut key {
                *index = 0;
            }
            assert_eq!(key, expected(directory), "{call}");
            assert_eq!(query.backlog, *backlog, "{call}");
        }
    });
}

#[test]
fn listens_on_port_0_are_told_apart_and_others_are_not() {
    const SCRIPT: &str = "
        const net = require('net');
        for (const port of [0, 0, 8080, 8080]) net.createServer().listen(port);
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let keys: Vec<_> = (0..4)
            .map(|_| worker.until_query().listener.unwrap())
            .collect();
        assert_ne!(keys[0], keys[1]);
        assert_eq!(keys[2], keys[3]);
    });
}

#[test]
fn a_server_of_its_own_says_nothing() {
    const SCRIPT: &str = "
        const net = require('net');
        const options = { port: 0, host: '127.0.0.1', exclusive: true };
        const server = net.createServer().listen(options, () => {
            server.close();
            process.send('listened');
        });
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        worker.until(|said| {
            assert!(
                !matches!(
                    said.message,
                    FromWorker::Query(_) | FromWorker::Listening(_)
                ),
                "{said:?}"
            );
            (said.line == "\"listened\"").then_some(())
        });
    });
}

#[test]
fn a_listener_is_used_and_reported_and_closed_by_its_name() {
    const SCRIPT: &str = "
        const server = require('http').createServer((request, response) => response.end('served'));
        const listen = () => server.listen(0, '127.0.0.1', () => process.send(server.address()));
        process.on('message', () => server.close(listen));
        listen();
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let mut last = None;
        // Once more after it was closed.
        for _ in 0..2 {
            let query = worker.until_query();
            let (handle, address) = listener();
            let key = worker
                .outbox
                .queue_listener(query.seq, &query.data, handle, HandleKind::Stream)
                .unwrap();
            assert_ne!(last.replace(key), Some(key));
            worker.until(|said| match &said.outcome {
                Outcome::HandleReleased { key: of, fate, .. } => {
                    assert_eq!((*of, *fate), (key, Fate::Delivered));
                    Some(())
                }
                _ => None,
            });
            let port = format!("\"port\":{}", address.port());
            assert!(worker.until_user_message().contains(&port));
            let real = tcp(Some(V4.into()), address.port());
            assert_eq!(worker.until_listening().listener, Ok(real));
            is_served(address);
            worker.send_raw("\"close\"", None);
            worker.until(|said| match said.outcome {
                Outcome::ListenerClosed(closed) => {
                    assert_eq!(closed, key);
                    Some(())
                }
                _ => None,
            });
        }
    });
}

#[test]
fn unix_sockets_are_served() {
    const SCRIPT: &str = "
        require('http').createServer((request, response) => response.end('served')).listen('s');
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let query = worker.until_query();
        let Ok(ListenerKey::Unix { path, .. }) = query.listener else {
            panic!("{query:?}")
        };
        assert!(std::path::Path::new(&path).starts_with(worker.directory()));
        let socket = UnixListener::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let handle = Rc::new(OwnedFd::from(socket));
        worker
            .outbox
            .queue_listener(query.seq, &query.data, handle, HandleKind::Stream)
            .unwrap();
        worker.until_listening();
        let mut client = UnixStream::connect(&path).unwrap();
        client.set_read_timeout(Some(patience())).unwrap();
        ask(&mut client);
        is_answered(&mut client);
    });
}

#[test]
fn udp_sockets_are_served() {
    const SCRIPT: &str = "
        const socket = require('dgram').createSocket('udp4');
        socket.on('message', (text, from) => socket.send('re: ' + text, from.port, from.address));
        socket.bind(0, '127.0.0.1');
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let query = worker.until_query();
        let (handle, address) = udp_socket();
        worker
            .outbox
            .queue_listener(query.seq, &query.data, handle, HandleKind::Datagram)
            .unwrap();
        worker.until_listening();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(patience())).unwrap();
        client.send_to(b"hello", address).unwrap();
        let mut buffer = [0; 64];
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"re: hello");
    });
}

#[test]
fn errors_reach_the_app_as_those_of_node() {
    const SCRIPT: &str = "
        const { getSystemErrorName } = require('util');
        const report = (error) => {
            const named = getSystemErrorName(error.errno) === error.code;
            process.send([error.code, error.syscall, named].join(' '));
        };
        const again = () => {
            require('net').createServer().on('error', report).listen(80);
            require('net').createServer().on('error', report).listen('s');
            require('dgram').createSocket('udp4').on('error', report).bind(80);
        };
        process.on('message', again);
        process.send('up');
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        worker.until_line("\"up\"");
        for (errno, name) in [
            (libc::EADDRINUSE, "EADDRINUSE"),
            (libc::EACCES, "EACCES"),
            (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
            (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
            (libc::EINVAL, "EINVAL"),
            (libc::EMFILE, "EMFILE"),
            (libc::ENAMETOOLONG, "ENAMETOOLONG"),
            (libc::E2BIG, "E2BIG"),
        ] {
            worker.send_raw("\"again\"", None);
            for _ in 0..3 {
                let query = worker.until_query();
                worker
                    .outbox
                    .queue_failure(query.seq, errno, &query.data)
                    .unwrap();
            }
            for _ in 0..3 {
                let said = worker.until_user_message();
                assert_eq!(said, format!("\"{name} bind true\""));
            }
        }
    });
}

#[test]
fn a_port_other_than_the_one_asked_for_is_refused_by_node() {
    const SCRIPT: &str = "
        const server = require('net').createServer();
        server.on('error', (error) => process.send(error.code));
        server.listen(1);
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let query = worker.until_query();
        worker
            .outbox
            .queue_listener(query.seq, &query.data, listener().0, HandleKind::Stream)
            .unwrap();
        worker.until_line("\"EADDRINUSE\"");
    });
}

#[test]
fn connections_are_handed_over_one_by_one() {
    const SCRIPT: &str = "
        const server = require('http').createServer((request, response) => response.end('served'));
        server.listen(0, '127.0.0.1', () => process.send(server.address().port));
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let query = worker.until_query();
        let address = SocketAddr::from((V4, 4321));
        let key = worker
            .outbox
            .queue_round_robin(query.seq, &query.data, Some(address))
            .unwrap();
        let real = tcp(Some(V4.into()), 4321);
        assert_eq!(worker.until_user_message(), "4321");
        assert_eq!(worker.until_listening().listener, Ok(real));
        let mut clients = Vec::new();
        for _ in 0..20 {
            let (mut client, server) = connection();
            ask(&mut client);
            worker.outbox.queue_connection(key, server).unwrap();
            assert!(worker.outbox.ping());
            clients.push(client);
            worker.until(|said| match said.outcome {
                Outcome::HandleReleased { fate, .. } => {
                    assert_eq!(fate, Fate::Delivered);
                    Some(())
                }
                _ => None,
            });
            if worker.outbox.ping_in_flight() {
                worker.until(|said| matches!(said.outcome, Outcome::PingAnswered).then_some(()));
            }
        }
        for client in &mut clients {
            is_answered(client);
        }
        worker.outbox.disconnect();
        worker.ends_well_after_the_channel();
    });
}

#[test]
fn connections_that_are_not_taken_come_back() {
    const SCRIPT: &str = "
        const server = require('net').createServer((socket) => {
            socket.on('data', (data) => socket.write(data));
            socket.on('end', () => socket.end());
        });
        server.maxConnections = 1;
        server.listen(0, '127.0.0.1');
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let query = worker.until_query();
        let key = worker
            .outbox
            .queue_round_robin(query.seq, &query.data, None)
            .unwrap();
        worker.until_listening();
        let (client, first) = connection();
        let (mut other, second) = connection();
        worker.outbox.queue_connection(key, first).unwrap();
        worker.outbox.queue_connection(key, second).unwrap();
        let mut fates = Vec::new();
        let back = worker.until(|said| match &said.outcome {
            Outcome::HandleReleased { handle, fate, .. } => {
                fates.push(*fate);
                (*fate == Fate::Refused).then(|| handle.clone())
            }
            _ => None,
        });
        assert_eq!(fates, [Fate::Delivered, Fate::Refused]);

        // It works on: another worker can have it.
        hang_up(&client);
        let mut next = Worker::start(node, SERVER);
        let query = next.until_query();
        let key = next
            .outbox
            .queue_round_robin(query.seq, &query.data, None)
            .unwrap();
        next.until_listening();
        next.outbox.queue_connection(key, back).unwrap();
        next.until(|said| matches!(said.outcome, Outcome::HandleReleased { .. }).then_some(()));
        ask(&mut other);
        is_answered(&mut other);
    });
}

#[test]
fn what_a_dead_worker_had_not_confirmed_is_served_by_another() {
    on_every_node(|node| {
        let start = || {
            let mut worker = Worker::start(node, SERVER);
            let query = worker.until_query();
            let key = worker
                .outbox
                .queue_round_robin(query.seq, &query.data, None)
                .unwrap();
            worker.until_listening();
            (worker, key)
        };
        let (mut dying, key) = start();
        let (mut next, next_key) = start();
        dying.stop();
        let mut clients = Vec::new();
        for _ in 0..3 {
            let (mut client, server) = connection();
            ask(&mut client);
            clients.push(client);
            dying.outbox.queue_connection(key, server).unwrap();
        }
        dying.flush();
        dying.signal(nix::sys::signal::Signal::SIGKILL);
        dying.until_end();
        let unfinished = std::mem::take(&mut dying.outbox).into_unfinished();
        assert_eq!(unfinished.len(), 3);
        for (_, handle) in unfinished {
            next.outbox.queue_connection(next_key, handle).unwrap();
        }
        for _ in 0..3 {
            next.until(|said| matches!(said.outcome, Outcome::HandleReleased { .. }).then_some(()));
        }
        for client in &mut clients {
            is_answered(client);
        }
    });
}

#[test]
fn ready_and_large_messages_are_told_from_the_rest() {
    const SCRIPT: &str = "
        process.send('ready');
        process.send('x'.repeat(5000000));
        process.send({ cmd: 'NODE_' + 'x'.repeat(5000000) });
        process.send({ type: 'ready' });
        process.send('ready');
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let messages: Vec<_> = (0..6).map(|_| worker.hear().unwrap().message).collect();
        assert_eq!(
            messages,
            [
                FromWorker::Online,
                FromWorker::Ready,
                FromWorker::UserMessage,
                FromWorker::Garbage,
                FromWorker::UserMessage,
                FromWorker::Ready,
            ]
        );
    });
}

#[test]
fn a_full_channel_only_delays() {
    const SCRIPT: &str = "
        const server = require('net').createServer();
        server.on('error', (error) => process.send(error.code));
        server.listen(0, '127.0.0.1');
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        let query = worker.until_query();
        worker.stop();
        worker.fill();
        worker
            .outbox
            .queue_failure(query.seq, libc::EACCES, &query.data)
            .unwrap();
        worker.outbox.ping();
        worker.flush();
        assert!(worker.outbox.poll_transmit().is_some());
        worker.resume();
        worker.until_line("\"EACCES\"");
        worker.outbox.disconnect();
        worker.ends_well_after_the_channel();
    });
}
