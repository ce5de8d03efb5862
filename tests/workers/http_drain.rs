//! `--http-drain`: how its module gets into a worker, and that clients lose nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::http::ask;
use crate::harness::net::connect;
use crate::harness::service::{App, PLAIN, Service};
use crate::harness::words;
use crate::harness::{processes, scaled_ms};
use crate::node::{Node, on_every_node};

const LOCALHOST: [u8; 4] = [127, 0, 0, 1];

/// Says how it was started, it and a child of its own, and what a Node.js that it starts makes of that.
const REPORTER: &str = "
    const { execArgv, env } = process;
    const see = () => JSON.stringify({
        loaded: globalThis.loaded,
        heap: require('v8').getHeapStatistics().heap_size_limit,
        header: require('http').maxHeaderSize,
        options: env.NODE_OPTIONS,
        pidone: Object.keys(env).filter((name) => name.startsWith('NODE_PIDONE')),
        setting: env.SETTING,
        execArgv,
        args: [require('path').relative('.', process.argv[1]), ...process.argv.slice(2)],
        main: require.main === module,
    });
    if (process.argv[2] === 'child') {
        process.send(see());
        process.disconnect();
    } else {
        require('http').createServer((request, response) => response.end(String(process.pid)))
            .listen(env.PORT, () => {
                const child = require('child_process').fork(__filename, ['child']);
                child.on('message', (report) => {
                    const { Worker } = require('worker_threads');
                    const thread = new Worker('require(\"worker_threads\").parentPort.postMessage(1)', { eval: true });
                    thread.on('message', () => console.log('started', see(), report));
                });
            });
    }
";

/// The end is announced: a kept connection gets its last answer, and says so.
#[track_caller]
fn announces(service: Service) {
    let mut client = connect((LOCALHOST, service.app.port));
    assert!(!ask(&mut client, "/", true).closing());
    service.run.signal(libc::SIGTERM);
    service.run.until_stderr(words::STOPPING);
    processes::wait_until("the end is announced", || {
        let mut probe = connect((LOCALHOST, service.app.port));
        ask(&mut probe, "/", true).closing()
    });
    assert!(ask(&mut client, "/", true).closing());
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    service.run.end().code(0);
}

/// The app as it is started by this line, with the name `node` for this Node.js.
fn started(node: &Node, line: &[&str], drain: bool) -> Service {
    let app = App::script(REPORTER);
    let real = Command::new(&node.path)
        .args(["-p", "process.execPath"])
        .output();
    let real = String::from_utf8(real.unwrap().stdout).unwrap();
    symlink(real.trim(), app.directory.path("node")).unwrap();
    let file = |name: &str, text: &str| app.directory.file(name, text, 0o755);
    let mark = |mark| format!("globalThis.loaded = (globalThis.loaded ?? '') + '{mark}';");
    file("a.js", &mark("a"));
    file("b.js", &mark("b"));
    file("c.mjs", &mark("c"));
    file("d.mjs", &mark("d"));
    let options = r#"NODE_OPTIONS="--max-old-space-size=96 -r ./a.js""#;
    file("env", &format!("SETTING=here\n{options}\n"));
    file(
        "node.config.json",
        r#"{"nodeOptions":{"import":["./d.mjs"],"max-http-header-size":12345}}"#,
    );
    file("app", &format!("#!/usr/bin/env node\n{REPORTER}"));
    file("start.sh", "#!/bin/sh\nexec node test.js \"$@\"\n");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", app.directory.path(".").display());
    let announced = drain.then(|| ["--http-drain".into(), scaled_ms(1000)]);
    app.command_line(line)
        .start_with(1, announced.into_iter().flatten(), |pidone| {
            pidone.env("PATH", path).env("NODE_NO_WARNINGS", "1")
        })
}

#[test]
fn http_drain_takes_no_option_of_the_app_away() {
    on_every_node(|node| {
        if node.major < 18 {
            return;
        }
        let mut direct = vec!["node", "-r", "./b.js", "--import", "./c.mjs"];
        if node.major >= 20 {
            direct.push("--env-file=env");
        }
        if node.major >= 24 {
            direct.push("--experimental-default-config-file");
        }
        direct.extend(["test.js", "an argument"]);
        for line in [&direct[..], &["app", "an argument"], &["./start.sh", "x"]] {
            let [alone, with] = [false, true].map(|drain| {
                let service = started(node, line, drain);
                let report = service.after("started ");
                service.run.until_stderr(words::READY);
                if drain {
                    announces(service);
                } else {
                    service.stop().code(0);
                }
                report
            });
            assert_eq!(alone, with, "{line:?}");
            assert!(alone.contains("an argument") || alone.contains("\"x\""));
            if line == direct && node.major >= 24 {
                assert!(alone.contains(r#""loaded":"abdc""#), "{alone}");
                assert!(alone.contains(r#""header":12345"#), "{alone}");
            }
        }
    });
}

/// As an app does, or a proxy that passes the header of its upstream on.
#[test]
fn an_app_that_says_keep_alive_itself_loses_nothing() {
    const SCRIPT: &str = "
        const answer = require('./answer.js');
        require('http').createServer((request, response) => {
            response.setHeader('Connection', 'keep-alive');
            answer(request, response);
        }).listen(process.env.PORT, () => console.log('up', process.pid));
    ";
    on_every_node(|node| {
        if node.major < 18 {
            return;
        }
        let service = App::script(SCRIPT)
            .node(&node.path)
            .workers(2, ["--http-drain", &scaled_ms(1000)])
            .ready();
        let load = service.load().rate(100).keep_alive(16).start();
        load.until_answered(50);
        service.reload();
        load.until_answered(50);
        load.stop().no_failures();
        service.stop().code(0);
    });
}

/// The clients of http2.js, which keep their sessions.
struct Clients(Child);

impl Clients {
    fn of(service: &Service) -> Self {
        let directory = service.app.directory.path(".");
        let child = Command::new("node")
            .arg("http2-client.js")
            .env("PORT", service.app.port.to_string())
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut clients = Self(child.unwrap());
        assert_eq!(clients.line(), "asking\n");
        clients
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let output = self.0.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        line
    }

    /// From now on being refused is no failure.
    fn may_be_refused(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With and without TLS, and in gRPC; Node.js before 24 keeps sessions until the client ends them.
#[test]
fn persistent_clients_of_http2_and_grpc_lose_nothing() {
    on_every_node(|node| {
        if node.major < 18 {
            return;
        }
        let service = App::named("http2.js")
            .with_packages()
            .with_certificate()
            .node(&node.path)
            .workers(1, ["--http-drain", &scaled_ms(1000), "--grace", "1h"])
            .ready();
        let mut clients = Clients::of(&service);
        service.reload();
        clients.may_be_refused();
        service.stop().code(0);
        let told = clients.line();
        assert!(told.contains(r#""pids":2,"lost":[]"#), "{told}");
    });
}

/// A frame of HTTP/2: its type, flags, stream, and what is in it.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()];
    [&head.concat()[..], payload].concat()
}

/// `GET` of this path (RFC 7541, appendix A).
fn request(stream: u32, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    let fields = [b"\x82\x86\x01\x01a\x04", &[length][..], path.as_bytes()].concat();
    frame(HEADERS, 0x5, stream, &fields)
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// Node.js answers none that comes after its GOAWAY: the client learns it at once, not at the end.
#[test]
fn a_request_that_crosses_the_goaway_is_refused_at_once() {
    const SCRIPT: &str = "
        require('http2').createServer(require('./answer.js'))
            .listen(process.env.PORT, () => console.log('up', process.pid));
    ";
    on_every_node(|node| {
        if node.major < 18 {
            return;
        }
        let app = App::script(SCRIPT).node(&node.path);
        let service = app.workers(1, ["--http-drain", &scaled_ms(1000)]).ready();
        let mut client = connect((LOCALHOST, service.app.port));
        client
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        client.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        client.write_all(&request(1, "/")).unwrap();
        let mut told = Vec::new();
        loop {
            let mut head = [0; 9];
            if client.read_exact(&mut head).is_err() {
                break;
            }
            let [a, b, c, kind, _, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            client.read_exact(&mut payload).unwrap();
            let stream = u32::from_be_bytes(stream);
            if kind == DATA && !payload.is_empty() {
                told.push(format!("answer {stream}"));
                if stream == 1 {
                    client.write_all(&request(3, "/?ms=1500")).unwrap();
                    service.run.signal(libc::SIGTERM);
                }
            } else if kind == GOAWAY {
                let last = u32::from_be_bytes(payload[..4].try_into().unwrap());
                told.push(format!("until {last}"));
                if last > 3 {
                    client.write_all(&request(5, "/")).unwrap();
                }
            }
        }
        drop(client);
        // `close()` says it again.
        told.dedup();
        let expected = ["answer 1", "until 2147483647", "until 3", "answer 3"];
        assert_eq!(told[..4], expected, "{told:?}");
        service.run.end().code(0);
    });
}

#[test]
fn workers_without_the_drain_module_are_named_once() {
    let app = App::snapshot(Path::new("node"));
    let service = app.workers(2, ["--http-drain", "100ms"]).until_ready();
    service.reload();
    let end = service.stop();
    end.code(0);
    assert_eq!(end.stderr.matches(words::NO_DRAIN_MODULE).count(), 1);
    // Those that have it are not.
    let service = App::named(PLAIN).workers(2, ["--http-drain", "100ms"]);
    let end = service.ready().stop();
    end.code(0);
    assert!(
        !end.stderr.contains(words::NO_DRAIN_MODULE),
        "{}",
        end.stderr
    );
}

#[test]
fn a_node_too_old_for_http_drain_is_told_so() {
    on_every_node(|node| {
        if node.major == 16 {
            let app = App::named(PLAIN).node(&node.path);
            let service = app.workers(2, ["--http-drain", "100ms"]);
            let end = service.run.end();
            end.code(9);
            assert_eq!(end.stderr.matches("needs Node.js 18.19").count(), 1);
        }
    });
}
