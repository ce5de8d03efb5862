//! What ends a worker, and that the outbox does not do it.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;

use nix::sys::eventfd::EventFd;
use pidone::channel::cluster::{FromWorker, HandleKind};
use pidone::channel::outbox::{Fate, Outcome};
use pidone::channel::query::Query;

use crate::apps::{IDLE, SERVER, SLOW_SERVER};
use crate::node::{Node, on_every_node};
use crate::primary::Worker;
use crate::serving::serving;
use crate::sockets::{ask, connect, is_answered, is_served, listener};

const PING: &str = r#"{"cmd":"NODE_HANDLE"}"#;
const DISCONNECT: &str = r#"{"cmd":"NODE_CLUSTER","act":"disconnect","seq":900}"#;

fn idle(node: &Node) -> Worker {
    let mut worker = Worker::start(node, IDLE);
    worker.until_line("\"up\"");
    worker
}

#[test]
fn rule_1_every_line_is_json() {
    on_every_node(|node| {
        let mut worker = idle(node);
        // However it is cut.
        for byte in format!("{PING}\n").bytes() {
            worker.send_bytes(&[byte]);
        }
        worker.until(|said| (said.message == FromWorker::Nack).then_some(()));
        worker.outbox.disconnect();
        worker.ends_well_after_the_channel();

        for line in ["", "{\"cmd\":"] {
            let mut worker = idle(node);
            worker.send_raw(line, None);
            worker.crashes("SyntaxError");
        }
    });
}

#[test]
fn rule_2_only_what_was_offered_is_acknowledged() {
    on_every_node(|node| {
        for line in [
            r#"{"cmd":"NODE_HANDLE_ACK"}"#,
            r#"{"cmd":"NODE_HANDLE_NACK"}"#,
        ] {
            let mut worker = idle(node);
            worker.send_raw(line, None);
            worker.crashes("ERR_INTERNAL_ASSERTION");
        }
        // An app can pretend to offer something: the worker would die of any answer.
        let script = "process.send({ cmd: 'NODE_HANDLE' }); process.send('sent');";
        let mut worker = Worker::start(node, script);
        worker.until_line("\"sent\"");
        worker.ping();
        worker.outbox.disconnect();
        worker.ends_well_after_the_channel();
    });
}

#[test]
fn rule_3_a_ping_and_a_descriptor_are_never_read_together() {
    on_every_node(|node| {
        // Both are wanted while the worker cannot read.
        let mut worker = Worker::start(node, SERVER);
        let query = worker.until_query();
        worker.stop();
        let (handle, address) = listener();
        assert!(worker.outbox.ping());
        worker
            .outbox
            .queue_listener(query.seq, &query.data, handle, HandleKind::Stream)
            .unwrap();
        worker.flush();
        worker.resume();
        worker.until(|said| matches!(said.outcome, Outcome::PingAnswered).then_some(()));
        worker.until_listening();
        is_served(address);

        // Both are sent: the ping gets the descriptor.
        let mut worker = Worker::start(node, SERVER);
        let query = worker.until_query();
        worker.stop();
        let (handle, _) = listener();
        worker.send_raw(PING, None);
        worker.send_raw(&answer_to(&query, "1"), Some(&handle));
        worker.resume();
        worker.crashes("TypeError");
    });
}

/// The answer that goes with a descriptor.
fn answer_to(query: &Query, key: &str) -> String {
    let (seq, data) = (query.seq, query.data.as_json());
    format!(
        r#"{{"cmd":"NODE_HANDLE","type":"net.Native","msg":{{"cmd":"NODE_CLUSTER","ack":{seq},"key":"{key}","errno":0,"data":{data}}}}}"#
    )
}

const TWO_SERVERS: &str = "
    const http = require('http');
    for (let index = 0; index < 2; index++)
        http.createServer((request, response) => response.end('served')).listen(0, '127.0.0.1');
";

#[test]
fn rule_4_no_two_listeners_have_the_same_name() {
    on_every_node(|node| {
        let mut worker = Worker::start(node, TWO_SERVERS);
        let mut addresses = Vec::new();
        for _ in 0..2 {
            let query = worker.until_query();
            let (handle, address) = listener();
            worker
                .outbox
                .queue_listener(query.seq, &query.data, handle, HandleKind::Stream)
                .unwrap();
            addresses.push(address);
        }
        worker.until_listening();
        worker.until_listening();
        addresses.into_iter().for_each(is_served);

        let mut worker = Worker::start(node, TWO_SERVERS);
        for _ in 0..2 {
            let query = worker.until_query();
            let (handle, _) = listener();
            worker.send_raw(&answer_to(&query, "same"), Some(&handle));
        }
        worker.crashes("ERR_INTERNAL_ASSERTION");
    });
}

#[test]
fn rule_5_a_worker_is_told_once_to_disconnect() {
    on_every_node(|node| {
        let (mut worker, address) = serving(node, SLOW_SERVER);
        let mut client = connect(address);
        ask(&mut client);
        worker.until_line("\"asked\"");
        worker.outbox.disconnect();
        worker.until(|said| matches!(said.message, FromWorker::Close { .. }).then_some(()));
        worker.outbox.disconnect();
        assert!(!worker.outbox.ping());
        worker.send_raw("\"go\"", None);
        is_answered(&mut client);
        worker.ends_well_after_the_channel();

        let (mut worker, address) = serving(node, SLOW_SERVER);
        let mut client = connect(address);
        ask(&mut client);
        worker.until_line("\"asked\"");
        worker.send_raw(DISCONNECT, None);
        worker.send_raw(DISCONNECT, None);
        worker.until_end();
        drop(client);
        worker.crashes("ERR_IPC_DISCONNECTED");
    });
}

#[test]
fn rule_5_nobody_pings_a_worker_that_has_been_told_to_disconnect() {
    on_every_node(|node| {
        let mut worker = idle(node);
        worker.outbox.ping();
        worker.outbox.disconnect();
        assert!(!worker.outbox.ping());
        worker.ends_well_after_the_channel();

        let mut worker = idle(node);
        worker.stop();
        worker.send_raw(DISCONNECT, None);
        worker.send_raw(PING, None);
        worker.resume();
        worker.crashes("ERR_INTERNAL_ASSERTION");
    });
}

#[test]
fn rule_6_the_channel_stays_open_until_the_worker_closes_it() {
    on_every_node(|node| {
        let asked = |node: &Node| {
            let (mut worker, address) = serving(node, SLOW_SERVER);
            let mut client = connect(address);
            ask(&mut client);
            worker.until_line("\"asked\"");
            (worker, client)
        };
        let (mut worker, client) = asked(node);
        worker.outbox.disconnect();
        worker.until(|said| matches!(said.message, FromWorker::Close { .. }).then_some(()));
        worker.close_channel();
        drop(client);
        worker.crashes("ERR_IPC_DISCONNECTED");

        // Without a disconnect it leaves at once, whatever it was doing.
        let (mut worker, mut client) = asked(node);
        worker.close_channel();
        worker.ends_well();
        assert!(!crate::sockets::answer(&mut client).contains("200 OK"));
    });
}

#[test]
fn rule_7_what_came_with_the_query_goes_back() {
    const TLS: &str = "
        const server = require('tls').createServer();
        server.on('listening', () => process.send(server.getTicketKeys().toString('hex')));
        server.on('error', (error) => process.send(error.code));
        server.listen(0, '127.0.0.1');
    ";
    on_every_node(|node| {
        let mut first = Worker::start(node, TLS);
        let Query { seq, data, .. } = first.until_query();
        assert!(data.as_json().contains("ticketKeys"));

        // The keys of the first worker are those of the next one.
        let mut next = Worker::start(node, TLS);
        let query = next.until_query();
        assert_ne!(query.data, data);
        next.outbox
            .queue_listener(query.seq, &data, listener().0, HandleKind::Stream)
            .unwrap();
        let keys = next.until_user_message();
        let keys = keys.trim_matches('"').to_owned();
        // Node sends them as Latin-1, so compare what the first one says for the same.
        first
            .outbox
            .queue_listener(seq, &data, listener().0, HandleKind::Stream)
            .unwrap();
        assert_eq!(first.until_user_message().trim_matches('"'), keys);

        let mut worker = Worker::start(node, TLS);
        let query = worker.until_query();
        worker
            .outbox
            .queue_failure(query.seq, 98, &query.data)
            .unwrap();
        worker.until_line("\"EADDRINUSE\"");

        let mut worker = Worker::start(node, TLS);
        let seq = worker.until_query().seq;
        let line = format!(r#"{{"cmd":"NODE_CLUSTER","ack":{seq},"errno":-98,"data":null}}"#);
        worker.send_raw(&line, None);
        worker.crashes("TypeError");
    });
}

#[test]
fn rule_8_listeners_do_not_block() {
    on_every_node(|node| {
        let (_worker, address) = serving(node, SERVER);
        is_served(address);
        is_served(address);

        if node.major >= 20 {
            return;
        }
        let mut worker = Worker::start(node, SERVER);
        let query = worker.until_query();
        let blocking = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = blocking.local_addr().unwrap();
        let handle = Rc::new(OwnedFd::from(blocking));
        worker
            .outbox
            .queue_listener(query.seq, &query.data, handle, HandleKind::Stream)
            .unwrap();
        worker.until_listening();
        let _client = connect(address);
        // The event loop hangs in the kernel, waiting for another connection.
        let accept = libc::SYS_accept4.to_string();
        let path = format!("/proc/{}/syscall", worker.pid());
        while std::fs::read_to_string(&path)
            .unwrap()
            .split(' ')
            .next()
            .is_none_or(|call| call != accept)
        {
            worker.lives();
        }
    });
}

#[test]
fn rule_9_only_sockets_are_handed_over() {
    const REPORT: &str = "
        const server = require('net').createServer();
        server.on('error', (error) => process.send(error.code));
        server.listen(0, '127.0.0.1');
    ";
    on_every_node(|node| {
        // What Node can refuse, it does, and the app is told.
        let mut worker = Worker::start(node, REPORT);
        let query = worker.until_query();
        let handle = Rc::new(OwnedFd::from(EventFd::new().unwrap()));
        worker
            .outbox
            .queue_listener(query.seq, &query.data, handle, HandleKind::Stream)
            .unwrap();
        let fate = worker.until(|said| match said.outcome {
            Outcome::HandleReleased { fate, .. } => Some(fate),
            _ => None,
        });
        assert_eq!(fate, Fate::Refused);
        worker.until_line("\"EMFILE\"");

        if node.major < 18 {
            return;
        }
        let mut worker = Worker::start(node, REPORT);
        let query = worker.until_query();
        let file = std::fs::File::open("/proc/version").unwrap();
        worker.send_raw(&answer_to(&query, "1"), Some(&OwnedFd::from(file)));
        let (status, _) = worker.end();
        assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}");
    });
}

#[test]
fn rule_10_what_is_offered_is_acknowledged() {
    const OFFER: &str = "
        const net = require('net');
        const server = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true });
        server.on('listening', () => {
            for (let index = 0; index < 3; index++) process.send('take', server);
            process.send('after');
        });
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, OFFER);
        for _ in 0..3 {
            worker.until(|said| (said.message == FromWorker::HandleOffered).then_some(()));
        }
        worker.until_line("\"after\"");
        worker.outbox.disconnect();
        worker.until_end();

        // Not acknowledged, nothing follows: answers to pings do, and nothing else.
        let mut worker = Worker::start(node, OFFER);
        worker.stop_answering();
        worker.until(|said| (said.message == FromWorker::HandleOffered).then_some(()));
        for _ in 0..3 {
            worker.send_raw(PING, None);
            let said = worker.hear().unwrap();
            assert_eq!(said.message, FromWorker::Nack);
        }
        worker.send_raw(r#"{"cmd":"NODE_HANDLE_ACK"}"#, None);
        let said = worker.hear().unwrap();
        assert_eq!(said.message, FromWorker::HandleOffered);
    });
}

#[test]
fn a_full_table_of_descriptors_is_told_to_the_app() {
    const GREEDY: &str = "
        const fs = require('fs');
        const server = require('net').createServer();
        server.on('error', (error) => process.send(error.code));
        server.listen(0, '127.0.0.1');
        try { for (;;) fs.openSync('/dev/null'); } catch (error) { }
    ";
    on_every_node(|node| {
        let mut worker = Worker::start_after(node, "ulimit -n 64;", GREEDY);
        let query = worker.until_query();
        worker
            .outbox
            .queue_listener(query.seq, &query.data, listener().0, HandleKind::Stream)
            .unwrap();
        let mut nacks = 0;
        worker.until(|said| {
            nacks += u32::from(said.message == FromWorker::Nack);
            (said.line == "\"EMFILE\"").then_some(())
        });
        assert_eq!(nacks, 4);
    });
}
