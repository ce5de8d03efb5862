//! Connections that the primary accepts and hands over.

use std::net::SocketAddr;

use pidone::channel::cluster::Key;
use pidone::channel::outbox::{Fate, Outcome};

use crate::apps::SERVER;
use crate::forms::{V4, tcp};
use crate::node::{Node, on_every_node};
use crate::primary::Worker;
use crate::sockets::{ask, connection, hang_up, is_answered};

/// A worker that listens, and gets its connections from pidone.
fn in_turn(node: &Node, script: &str) -> (Worker, Key) {
    let mut worker = Worker::start(node, script);
    let query = worker.until_query();
    let outbox = &mut worker.outbox;
    let key = outbox
        .queue_round_robin(query.seq, &query.data, None)
        .unwrap();
    worker.until_listening();
    (worker, key)
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
        let (mut worker, key) = in_turn(node, SCRIPT);
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
        let (mut next, key) = in_turn(node, SERVER);
        next.outbox.queue_connection(key, back).unwrap();
        next.until(|said| matches!(said.outcome, Outcome::HandleReleased { .. }).then_some(()));
        ask(&mut other);
        is_answered(&mut other);
    });
}

#[test]
fn what_a_dead_worker_had_not_confirmed_is_served_by_another() {
    on_every_node(|node| {
        let start = || in_turn(node, SERVER);
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
