//! How a worker leaves, and what is lost or not.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::Signal;
use pidone::channel::cluster::FromWorker;
use pidone::channel::outbox::Outcome;

use crate::apps::SERVER;
use crate::node::{Node, on_every_node};
use crate::primary::Worker;
use crate::serving::{serving, serving_on};
use crate::sockets::{answer, ask, connect, is_answered, listener};

const DISCONNECT: &str = r#"{"cmd":"NODE_CLUSTER","act":"disconnect","seq":900}"#;

/// How many connections wait to be accepted: the receive queue of a listener (`tcp_diag.c`).
fn waiting(address: SocketAddr) -> usize {
    const LISTEN: &str = "0A";
    let port = format!(":{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let queues = table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        (fields[1].ends_with(&port) && fields[3] == LISTEN).then(|| fields[4].to_owned())
    });
    let queues = queues.unwrap();
    usize::from_str_radix(queues.split_once(':').unwrap().1, 16).unwrap()
}

/// A slow server with a request in progress.
fn asked(node: &Node, script: &str) -> (Worker, std::net::TcpStream) {
    let (mut worker, address) = serving(node, script);
    let mut client = connect(address);
    ask(&mut client);
    worker.until_line("\"asked\"");
    (worker, client)
}

#[test]
fn an_idle_worker_closes_its_listeners_then_the_channel_then_ends() {
    on_every_node(|node| {
        let (mut worker, _) = serving(node, SERVER);
        worker.outbox.disconnect();
        let said = worker.until_end();
        assert!(
            said.iter()
                .any(|said| matches!(said.outcome, Outcome::ListenerClosed(_)))
        );
        worker.ends_well();
    });
}

#[test]
fn all_that_was_accepted_is_answered() {
    on_every_node(|node| {
        for _ in 0..3 {
            let (mut worker, address) = serving(node, SERVER);
            worker.stop();
            let mut clients: Vec<_> = (0..30)
                .map(|_| {
                    let mut client = connect(address);
                    ask(&mut client);
                    client
                })
                .collect();
            assert_eq!(waiting(address), 30);
            worker.resume();
            while waiting(address) > 0 {
                worker.lives();
            }
            worker.outbox.disconnect();
            worker.until_end();
            for client in &mut clients {
                is_answered(client);
            }
            worker.ends_well();
        }
    });
}

/// Whether a worker looks at its channel or at its listener first is chance: it has accepted all (16
/// and 18), one (20 and newer) or none by then. What it has accepted it serves; but 26 resets the one,
/// as it has not read from it. The rest waits for a successor, because the primary keeps the socket.
#[test]
fn a_disconnect_at_once_leaves_the_queue_to_a_successor() {
    const CLIENTS: usize = 30;
    on_every_node(|node| {
        let (handle, address) = listener();
        let mut worker = serving_on(node, SERVER, &handle);
        worker.stop();
        let mut clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut client = connect(address);
                ask(&mut client);
                client
            })
            .collect();
        worker.send_raw(DISCONNECT, None);
        worker.resume();
        worker.until_end();
        worker.ends_well();
        let left = waiting(address);
        let _successor = serving_on(node, SERVER, &handle);
        let answers = clients.iter_mut().map(answer);
        let served = answers.filter(|text| text.contains("200 OK")).count();
        let accepted = CLIENTS - left;
        let most = if node.major < 20 { CLIENTS } else { 1 };
        assert!([0, most].contains(&accepted), "{accepted} accepted");
        let lost = if node.major < 26 { 0 } else { accepted };
        assert_eq!(CLIENTS - served, lost, "{accepted} accepted");
    });
}

#[test]
fn the_end_of_the_channel_is_early_if_the_app_had_closed_its_server() {
    const SCRIPT: &str = "
        const server = require('http').createServer((request, response) => {
            server.close();
            process.send('asked');
            process.once('message', () => response.end('served'));
        });
        server.listen(0, '127.0.0.1');
        process.on('disconnect', () => process.emit('message'));
    ";
    on_every_node(|node| {
        let (mut worker, mut client) = asked(node, SCRIPT);
        // The channel ends first: only that makes the app answer.
        worker.outbox.disconnect();
        worker.until_end();
        is_answered(&mut client);
        worker.ends_well();
    });
}

/// Answers when told to; leaves when asked to.
const LEAVING_SERVER: &str = "
    const server = require('http').createServer((request, response) => {
        process.send('asked');
        process.on('message', (what) => {
            if (what === 'leave') require('cluster').worker.disconnect();
            else response.end('served');
        });
    });
    server.listen(0, '127.0.0.1');
";

#[test]
fn an_app_that_disconnects_by_itself_gets_leave_when_it_is_drained() {
    on_every_node(|node| {
        let (mut worker, mut client) = asked(node, LEAVING_SERVER);
        worker.send_raw("\"leave\"", None);
        worker.until(|said| matches!(said.outcome, Outcome::ListenerClosed(_)).then_some(()));
        // It does not ask for leave before its last answer, however long that takes.
        for _ in 0..10 {
            assert!(worker.outbox.ping());
            let said = worker.hear().unwrap();
            assert!(matches!(said.outcome, Outcome::PingAnswered), "{said:?}");
        }
        worker.send_raw("\"go\"", None);
        worker.until(|said| matches!(said.outcome, Outcome::Disconnects).then_some(()));
        worker.until_end();
        is_answered(&mut client);
        worker.ends_well();
    });
}

#[test]
fn an_app_that_is_told_to_disconnect_gets_no_leave_to_do_so_again() {
    let draining = |node: &Node| {
        let (mut worker, client) = asked(node, LEAVING_SERVER);
        worker.outbox.disconnect();
        worker.until(|said| matches!(said.outcome, Outcome::ListenerClosed(_)).then_some(()));
        worker.send_raw("\"leave\"", None);
        let seq = worker.until(|said| match said.message {
            FromWorker::ExitedAfterDisconnect { seq } => Some(seq),
            _ => None,
        });
        (worker, client, seq)
    };
    on_every_node(|node| {
        let (mut worker, mut client, _) = draining(node);
        worker.send_raw("\"go\"", None);
        worker.until_end();
        is_answered(&mut client);
        worker.ends_well();

        let (mut worker, client, seq) = draining(node);
        worker.send_raw(&format!(r#"{{"cmd":"NODE_CLUSTER","ack":{seq}}}"#), None);
        // The channel ends with the request still in progress.
        worker.until_end();
        drop(client);
        worker.crashes("ERR_IPC_DISCONNECTED");
    });
}

#[test]
fn a_worker_with_something_else_to_do_is_drained_but_does_not_end() {
    let script = format!("{SERVER} setInterval(() => {{}}, 1000);");
    let nodes = move |node: &Node| {
        let (mut worker, _) = serving(node, &script);
        worker.outbox.disconnect();
        worker.until_end();
        worker.lives();
        worker.signal(Signal::SIGTERM);
        let (status, _) = worker.end();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
    };
    on_every_node(nodes);
}

#[test]
fn the_announcement_is_seen_by_who_looks_for_it_and_by_nobody_else() {
    const SCRIPT: &str = "
        process.on('message', (message) => process.send({ message }));
        process.on('internalMessage', (message) => {
            if (message.cmd === 'NODE_PIDONE_DRAIN') process.send('announced');
        });
        process.send('up');
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        worker.until_line("\"up\"");
        worker.outbox.announce();
        assert_eq!(worker.until_user_message(), "\"announced\"");
        worker.outbox.disconnect();
        for said in worker.until_end() {
            assert_ne!(said.message, FromWorker::UserMessage);
        }
        worker.ends_well();
    });
}

#[test]
fn a_ping_is_answered_by_the_event_loop_and_by_nothing_else() {
    const SCRIPT: &str = "
        process.on('message', () => {
            process.send('blocked');
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
            process.send('unblocked');
        });
        process.send('up');
    ";
    on_every_node(|node| {
        let mut worker = Worker::start(node, SCRIPT);
        worker.until_line("\"up\"");
        worker.send_raw("\"block\"", None);
        worker.until_line("\"blocked\"");
        assert!(worker.outbox.ping());
        let said = worker.hear().unwrap();
        assert_eq!(said.line, "\"unblocked\"");
        let said = worker.hear().unwrap();
        assert!(matches!(said.outcome, Outcome::PingAnswered), "{said:?}");
    });
}
