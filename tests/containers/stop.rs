//! `docker stop`, `docker kill`, and what is left behind.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::docker::{Container, elsewhere, images, patience, run};

/// A server that has no handler for any signal.
pub const PLAIN: &str = "require('http').createServer((q, r) => r.end('hello'))
    .listen(0, '127.0.0.1', function () { console.log('port ' + this.address().port) })";

/// Sends one request, and gives all of the answer.
pub fn get(port: u16, path: &str) -> String {
    request(port, "GET", path)
}

/// The same with another method.
pub fn request(port: u16, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn fastify_answers_the_request_in_flight_and_leaves_with_0() {
    let options = ["--network=host", "-e", "HOST=127.0.0.1", "-e", "PORT=0"];
    let app = Container::start(&options, &images().fastify, &[]);
    let port = app.port("listening at http://127.0.0.1:");
    assert!(get(port, "/").contains(r#"{"hello":"world","pid":"#));

    let answer = elsewhere(move || get(port, "/slow?ms=3000"));
    app.line(r#""url":"/slow"#);
    let status = app.stop("3600");
    let answer = answer.recv_timeout(patience()).unwrap();
    let (stdout, stderr) = app.logs();

    assert_eq!(status, 0, "{stdout}{stderr}");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains(r#"{"slow":3000,"pid":"#), "{answer}");
    // The stop did come while the request was in flight.
    let closing = stdout.find("SIGTERM: closing").expect(&stdout);
    let completed = stdout.rfind("request completed").expect(&stdout);
    assert!(closing < completed, "{stdout}");
    assert_eq!(stderr, "", "pidone has nothing to say in a good run");
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn an_app_without_a_handler_ends_at_once_with_143() {
    let app = Container::start(&["--network=host"], &images().node, &["node", "-e", PLAIN]);
    assert!(get(app.port("port "), "/").ends_with("hello"));
    let status = app.stop("3600");
    assert_eq!(status, 143, "{:?}", app.logs());
}

/// What pidone is for: the same app as PID 1 ignores the signal, and is killed.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn without_pidone_the_same_app_has_to_be_killed() {
    let app = Container::start(&[], "pidone-test/node", &["node", "-e", PLAIN]);
    app.line("port ");
    assert_eq!(app.stop("1"), 137);
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_runtimes_deadline_rules_unless_a_grace_is_given() {
    let deaf = "process.on('SIGTERM', () => console.log('deaf')); setInterval(() => {}, 1e6); console.log('ready')";
    let app = Container::start(&[], &images().node, &["node", "-e", deaf]);
    app.line("ready");
    let start = Instant::now();
    let status = app.stop("2");
    app.line("deaf");
    assert_eq!(status, 137);
    assert!(start.elapsed() >= Duration::from_secs(2));

    let app = Container::start(
        &["-e", "PIDONE_GRACE=200ms"],
        &images().node,
        &["node", "-e", deaf],
    );
    app.line("ready");
    let status = app.stop("3600");
    app.line("deaf");
    assert_eq!(status, 137);
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn docker_kill_reaches_the_app() {
    let app = Container::start(
        &[],
        &images().node,
        &[
            "node",
            "-e",
            "for (const s of ['SIGHUP', 'SIGUSR2', 'SIGWINCH']) process.on(s, () => console.log('got ' + s));
             setInterval(() => {}, 1e6); console.log('ready')",
        ],
    );
    app.line("ready");
    for signal in ["HUP", "USR2", "WINCH"] {
        crate::docker::docker(&["kill", "-s", signal, &app.id]);
        app.line(&format!("got SIG{signal}"));
    }
    crate::docker::docker(&["kill", "-s", "INT", &app.id]);
    assert_eq!(app.wait(), 130);
}

/// Starts node processes that outlive the one that started them, and counts zombies when all are
/// gone: they hold a pipe, whose end tells.
const ORPHANS: &str = "
    const { spawn } = require('child_process'), fs = require('fs');
    const parent = `for (let i = 0; i < 20; i++)
        require('child_process').spawn(process.execPath, ['-p', '1'], { stdio: ['ignore', 'inherit', 'ignore'] }).unref();
        process.exit()`;
    const zombies = () => fs.readdirSync('/proc').filter((p) => +p).filter((p) => {
        try { return / Z [^)]*$/.test(fs.readFileSync(`/proc/${p}/stat`, 'utf8')) } catch { return false } }).length;
    let answers = '';
    const child = spawn(process.execPath, ['-e', parent], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('data', (data) => answers += data);
    child.on('close', () => {
        console.log('orphans ' + answers.trim().split('\\n').length);
        let tries = 0;
        const look = () => {
            const count = zombies();
            if (count > 0 && ++tries < 100) return setTimeout(look, 20);
            console.log('zombies ' + count);
        };
        look();
    });";

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn orphans_leave_no_zombie() {
    let (status, stdout, stderr) = run(&[], &images().node, &["node", "-e", ORPHANS]);
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(stdout, "orphans 20\nzombies 0\n");
    // Node.js as PID 1 does not reap what it did not start.
    let (_, stdout, _) = run(&[], "pidone-test/node", &["node", "-e", ORPHANS]);
    assert_eq!(stdout, "orphans 20\nzombies 20\n");
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn a_process_left_behind_may_finish_and_does_not_change_the_status() {
    let left = "process.on('SIGTERM', () => { console.log('left: done'); process.exit(9) });
        setInterval(() => {}, 1e6); process.send('ready')";
    let main = format!(
        "const c = require('child_process').spawn(process.execPath, ['-e', {left:?}],
            {{ detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }});
         c.on('message', () => process.exit(3))"
    );
    let (status, stdout, stderr) = run(&[], &images().node, &["node", "-e", &main]);
    assert_eq!(status, 3, "{stderr}");
    assert_eq!(stdout, "left: done\n");
}
