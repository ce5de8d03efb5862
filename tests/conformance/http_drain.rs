//! `--http-drain`: what pidone adds to `NODE_OPTIONS`, and what it makes of kept-alive connections.

use std::io::{Read, Write};
use std::net::TcpStream;

use pidone::channel::cluster::FromWorker;
use pidone::runtime::drain_module;
use pidone::runtime::environment::Variables;
use pidone::signal::Signal;
use pidone::supervisor::WorkerId;
use pidone::sys::environment::Environment;

use crate::apps::{SERVER, SLOW_SERVER};
use crate::node::{Node, on_every_node};
use crate::primary::Worker;
use crate::serving::with_listener;
use crate::sockets::{answer, connect};

const ANNOUNCEMENT: &str = r#"{"cmd":"NODE_PIDONE_DRAIN"}"#;

/// A worker with the variable that pidone would give it; `None`: a Node.js that is too old.
fn start(node: &Node, script: &str) -> Option<Worker> {
    let variables = Variables {
        worker: WorkerId(1),
        instance: 0,
        sockets: &[],
        has_channel: true,
        instance_var: None,
        otel_host: None,
        port_env: None,
        notify_socket: None,
        inspect_port: None,
        loads_drain_module: true,
    };
    let mut own = Environment::of(Vec::new());
    own.set(drain_module::VARIABLE, drain_module::url());
    let environment = variables.added_to(&own);
    let exported = ["NODE_OPTIONS", drain_module::VARIABLE].map(|name| {
        let value = str::from_utf8(environment.get(name).unwrap()).unwrap();
        format!("export {name}='{}';", value.replace('\'', r"'\''"))
    });
    let before = exported.concat();
    let mut worker = Worker::start_after(node, &before, script);
    if node.major < 18 {
        worker.crashes("--import is not allowed in NODE_OPTIONS");
        return None;
    }
    Some(worker)
}

fn serving(node: &Node, script: &str) -> Option<(Worker, TcpStream)> {
    let (worker, address) = with_listener(start(node, script)?);
    Some((worker, connect(address)))
}

fn ask_and_stay(client: &mut TcpStream) {
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
}

/// An answer after which the connection stays open.
fn one_answer(client: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"served") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn once_announced_each_answer_is_the_last_on_its_connection() {
    let script = format!("process.on('message', () => process.send('seen'));{SERVER}");
    on_every_node(|node| {
        let Some((mut worker, mut client)) = serving(node, &script) else {
            return;
        };
        for _ in 0..2 {
            ask_and_stay(&mut client);
            let text = one_answer(&mut client);
            assert!(text.contains("\r\nConnection: keep-alive\r\n"), "{text}");
        }
        worker.send_raw(ANNOUNCEMENT, None);
        worker.ping();
        ask_and_stay(&mut client);
        let text = answer(&mut client);
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        worker.outbox.disconnect();
        let said = worker.until_end();
        assert!(said.iter().all(|said| said.line != "\"seen\""), "{said:?}");
        worker.ends_well();
    });
}

/// Whether by name, by list, by a list of pairs or one by one, and in the answer that is in progress.
#[test]
fn an_app_that_says_keep_alive_itself_is_overruled() {
    const SCRIPT: &str = "
        const forms = {
            set: (response) => response.setHeader('Connection', 'keep-alive'),
            head: (response) => response.writeHead(200, { connection: 'Keep-Alive', 'X-A': 'b' }),
            list: (response) => response.writeHead(200, 'Fine', ['Connection', 'keep-alive']),
            pairs: (response) => response.writeHead(200, [['connection', 'keep-alive'], ['a', 'b']]),
            both: (response) => response.setHeader('Connection', 'close').writeHead(200, {
                Connection: 'keep-alive',
            }),
            several: (response) => response.setHeader('Connection', ['keep-alive', 'x-a']),
            removed: (response) => response.removeHeader('Connection'),
        };
        require('http').createServer((request, response) => {
            const [form, late] = request.url.slice(1).split('?');
            const serve = () => {
                forms[form](response);
                response.end('served');
            };
            if (!late) return serve();
            process.once('message', serve);
            process.send('asked');
        }).listen(0, '127.0.0.1');
    ";
    on_every_node(|node| {
        let Some(worker) = start(node, SCRIPT) else {
            return;
        };
        let (mut worker, address) = with_listener(worker);
        let ask = |path: &str| {
            let mut client = connect(address);
            let request = format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n");
            client.write_all(request.as_bytes()).unwrap();
            client
        };
        assert!(one_answer(&mut ask("set")).contains("\r\nConnection: keep-alive\r\n"));
        let mut late = ask("set?late");
        worker.until_line("\"asked\"");
        worker.send_raw(ANNOUNCEMENT, None);
        worker.ping();
        worker.send_raw("\"go\"", None);
        let text = answer(&mut late);
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        for form in ["set", "head", "list", "pairs", "both", "several", "removed"] {
            // The list of pairs is newer.
            if form == "pairs" && node.major < 20 {
                continue;
            }
            let text = answer(&mut ask(form)).to_lowercase();
            assert!(text.contains("served"), "{form}: {text}");
            assert!(!text.contains("keep-alive"), "{form}: {text}");
            let says_so = text.contains("\r\nconnection: close\r\n");
            assert_eq!(says_so, form != "removed", "{form}: {text}");
        }
        worker.outbox.disconnect();
        worker.ends_well_after_the_channel();
    });
}

#[test]
fn the_module_says_that_it_runs_and_what_the_app_listens_to() {
    const HANDLER: &str = "
        process.on('SIGTERM', () => {});
        process.once('SIGUSR2', () => {});
        process.on('SIGINT', process.exit).off('SIGINT', process.exit);
        process.send = new Proxy(process.send, { apply: (send, self, args) =>
            args[0].cmd !== 'NODE_PIDONE' && Reflect.apply(send, self, args) });
    ";
    let usr2 = Signal::parse("USR2").unwrap();
    for (handler, signals) in [("", vec![]), (HANDLER, vec![Signal::TERM, usr2])] {
        let script = format!("{handler}{SERVER}");
        let handles = signals.into_iter().collect();
        on_every_node(|node| {
            let Some(mut worker) = start(node, &script) else {
                return;
            };
            assert_eq!(worker.hear().unwrap().message, FromWorker::Online);
            assert_eq!(worker.hear().unwrap().message, FromWorker::Loaded);
            let (mut worker, _) = with_listener(worker);
            worker.send_raw(ANNOUNCEMENT, None);
            let announced = worker.hear().unwrap().message;
            assert_eq!(announced, FromWorker::Announced { handles });
            worker.outbox.disconnect();
            worker.ends_well_after_the_channel();
        });
    }
}

#[test]
fn the_module_says_when_what_it_was_asked_for_is_answered() {
    const FINISH: &str = r#"{"cmd":"NODE_PIDONE_FINISH"}"#;
    let says_finished = |worker: &mut Worker| {
        worker.send_raw(FINISH, None);
        assert_eq!(worker.hear().unwrap().message, FromWorker::Finished);
    };
    on_every_node(|node| {
        let Some((mut worker, mut client)) = serving(node, SLOW_SERVER) else {
            return;
        };
        says_finished(&mut worker);
        ask_and_stay(&mut client);
        worker.until_line("\"asked\"");
        worker.send_raw(FINISH, None);
        worker.ping();
        worker.send_raw("\"go\"", None);
        assert_eq!(worker.hear().unwrap().message, FromWorker::Finished);
        assert!(one_answer(&mut client).ends_with("served"));
        // A client that has gone away waits for nothing.
        ask_and_stay(&mut client);
        worker.until_line("\"asked\"");
        drop(client);
        says_finished(&mut worker);
        worker.outbox.disconnect();
        worker.ends_well_after_the_channel();
    });
}

/// The client's next request is there before the answer to the one that is in progress, so that the
/// server cannot end the connection between the two.
#[test]
fn an_app_that_closes_its_server_by_itself_says_so_to_its_clients() {
    const SCRIPT: &str = "
        let first;
        const server = require('http').createServer((request, response) => {
            if (first) return response.end('served');
            first = response;
            process.send('asked');
        });
        process.on('message', (message) => {
            if (message !== 'close') return first.end('served');
            server.close();
            process.send('closed');
        });
        server.listen(0, '127.0.0.1');
    ";
    on_every_node(|node| {
        let Some((mut worker, mut client)) = serving(node, SCRIPT) else {
            return;
        };
        ask_and_stay(&mut client);
        worker.until_line("\"asked\"");
        worker.send_raw("\"close\"", None);
        worker.until_line("\"closed\"");
        ask_and_stay(&mut client);
        worker.send_raw("\"go\"", None);
        let text = answer(&mut client);
        let connections = text.matches("Connection: close").count();
        assert_eq!(
            (text.matches("served").count(), connections),
            (2, 1),
            "{text}"
        );
        worker.outbox.disconnect();
        worker.ends_well_after_the_channel();
    });
}

/// As @socket.io/sticky does it: connections come from elsewhere.
#[test]
fn a_server_that_never_listens_keeps_its_connections() {
    const SCRIPT: &str = "
        const http = require('http').createServer((request, response) => response.end('served'));
        require('net').createServer((socket) => http.emit('connection', socket))
            .listen(0, '127.0.0.1');
    ";
    on_every_node(|node| {
        let Some((mut worker, mut client)) = serving(node, SCRIPT) else {
            return;
        };
        for announced in [false, true] {
            if announced {
                worker.send_raw(ANNOUNCEMENT, None);
                worker.ping();
            }
            ask_and_stay(&mut client);
            let text = one_answer(&mut client);
            assert_eq!(
                text.contains("\r\nConnection: close\r\n"),
                announced,
                "{text}"
            );
        }
        drop(client);
        worker.outbox.disconnect();
        worker.ends_well_after_the_channel();
    });
}
