//! Probes, from the first moment to the last, and clients of every kind.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::harness::admin::AdminEndpoints;
use crate::harness::http::server_of;
use crate::harness::net::connect;
use crate::harness::service::{App, PLAIN};
use crate::harness::{Pidone, words};

/// Listens when it is told to.
const HESITANT: &str = "
    process.on('SIGUSR2', () => require('./plain.js'));
    console.log('waiting');
";

#[test]
fn readiness_is_true_between_the_start_and_the_stop_only() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(
        App::script(HESITANT),
        2,
        &["--drain-delay", "1h", "--grace", "2h"],
    );
    for _ in 0..2 {
        assert_eq!(service.run.line(), "waiting");
    }
    let is = |page: &str, status: u16, text: &str| {
        let (its, body) = admin.get(page);
        assert_eq!((its, body.as_str()), (status, text));
    };
    is("/livez", 200, "alive\n");
    is("/readyz", 503, "starting: 0 of 2 ready\n");
    admin.ask("ready").refused("not ready: starting");
    service.run.signal(libc::SIGUSR2);
    let service = service.ready();
    is("/readyz", 200, "ready\n");
    admin.ask("ready").done();
    service.run.signal(libc::SIGTERM);
    service.run.until_stderr(words::STOPPING);
    // It serves on, and says that it wants no more.
    is("/readyz", 503, "stopping\n");
    is("/livez", 200, "alive\n");
    admin.ask("ready").refused("stopping");
    admin.ask("live").done();
    server_of(connect(([127, 0, 0, 1], service.app.port)));
    // The second within a second is none, and the third counts at any time.
    service.run.signal(libc::SIGTERM);
    admin.ask("live").done();
    service.run.signal(libc::SIGTERM);
    service.run.end().code(137);
}

#[test]
fn a_reload_does_not_touch_readiness() {
    let admin = AdminEndpoints::fresh();
    let service = admin.workers(App::named(PLAIN), 2, &[""; 0]).ready();
    std::thread::scope(|scope| {
        let reload = scope.spawn(|| admin.ask("reload"));
        while !reload.is_finished() {
            assert_eq!(admin.get("/readyz").0, 200);
        }
        reload.join().unwrap().done();
    });
    service.stop().code(0);
}

#[test]
fn the_address_must_be_free() {
    let admin = AdminEndpoints::fresh();
    let run = admin.sleepers(1);
    let address = format!("127.0.0.1:{}", admin.http);
    let end = Pidone::new(["--http", &address]).command(["true"]).run();
    end.code(125).says(&["error: ", "--http", &address]);
    admin.ask("stop").done();
    run.end();
}

/// The whole answer to some bytes, after which nothing more is said.
fn answer_to(admin: &AdminEndpoints, bytes: &[u8]) -> String {
    let mut stream = admin.source();
    // It need not be read to the end.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

#[test]
fn each_kind_of_request_gets_its_answer() {
    let admin = AdminEndpoints::fresh();
    let run = admin.sleepers(1);
    let long = format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    for (request, begins) in [
        ("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "),
        ("HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "),
        ("GET /livez?verbose HTTP/1.0\r\n\r\n", "HTTP/1.1 200 "),
        ("POST /livez HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 "),
        (
            "GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n",
            "HTTP/1.1 404 ",
        ),
        ("\x16\x03\x01\x02\x00\x01\x00\x01", "HTTP/1.1 400 "),
        ("what is this\r\n\r\n", "HTTP/1.1 400 "),
        ("GET /livez HTTP/1.1\r\nHost: x", "HTTP/1.1 431 "),
        (long.as_str(), "HTTP/1.1 431 "),
        ("", ""),
    ] {
        let answer = answer_to(&admin, request.as_bytes());
        assert!(answer.starts_with(begins), "{request:?}: {answer:?}");
        assert_eq!(answer.is_empty(), begins.is_empty());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert_eq!(
            body.is_empty(),
            request.starts_with("HEAD") || begins.is_empty()
        );
    }
    admin.ask("stop").done();
    run.end();
}

#[test]
fn a_request_that_comes_byte_by_byte_is_answered_and_half_a_one_is_waited_for() {
    let admin = AdminEndpoints::fresh();
    let run = admin.sleepers(1);
    let mut half = admin.source();
    half.write_all(b"GET /livez HTTP/1.1\r\nHo").unwrap();
    let mut slow = admin.source();
    slow.set_nodelay(true).unwrap();
    for byte in b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        slow.write_all(&[*byte]).unwrap();
        assert_eq!(admin.get("/livez").0, 200);
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("alive\n"), "{answer:?}");
    half.write_all(b"st: x\r\n\r\n").unwrap();
    half.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("alive\n"), "{answer:?}");
    admin.ask("stop").done();
    run.end();
}
