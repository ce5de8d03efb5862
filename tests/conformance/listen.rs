//! Listeners that workers ask for, and what becomes of the answers.

use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;

use pidone::channel::cluster::{FromWorker, HandleKind};
use pidone::channel::outbox::{Fate, Outcome};
use pidone::channel::query::ListenerKey;

use crate::forms::{V4, tcp};
use crate::harness::patience;
use crate::node::on_every_node;
use crate::primary::Worker;
use crate::sockets::{ask, is_answered, is_served, listener, udp_socket};

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
