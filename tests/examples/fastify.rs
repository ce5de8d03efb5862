//! examples/fastify: two signals, two kinds of failure.

use std::io::Write;
use std::net::TcpStream;

use crate::example::{Example, get, in_flight, pid_in, visit};
use crate::harness::http::{answer, request};
use crate::harness::service::{Service, all_answer};
use crate::harness::{processes, words};

const SLOW: &str = "/slow?ms=1000";

/// Requests that Fastify has seen.
#[track_caller]
fn slow_ones(service: &Service, count: usize) -> Vec<TcpStream> {
    let streams = in_flight(service, SLOW, count);
    for _ in 0..count {
        service.run.until("\"msg\":\"incoming request\"");
    }
    streams
}

fn alone() -> Service {
    let service = Example::named("fastify").start("pidone -- ");
    service.run.until("Server listening at");
    service
}

#[test]
fn signals_let_requests_in_flight_be_answered() {
    for (signal, name) in [(libc::SIGTERM, "SIGTERM"), (libc::SIGINT, "SIGINT")] {
        let service = alone();
        let mut slow = slow_ones(&service, 4);
        service.run.signal(signal);
        service.run.until(&format!("\"msg\":\"{name}: closing\""));
        for stream in &mut slow {
            assert_eq!(answer(stream).status(), 200);
        }
        let end = service.run.end();
        end.code(0).quiet();
        assert!(!end.text().contains("\"level\":60"), "{end:?}");
    }
}

#[test]
fn an_uncaught_exception_is_told_and_ends_the_app_when_the_others_have_been_answered() {
    fails("/throw", "uncaughtException", "not caught");
}

#[test]
fn an_unhandled_rejection_too() {
    fails("/reject", "unhandledRejection", "not awaited");
}

/// The request that has failed is never answered, which must not keep the app from its end.
#[track_caller]
fn fails(path: &str, event: &str, message: &str) {
    let service = alone();
    let mut slow = slow_ones(&service, 4);
    let mut failing = visit(&service);
    failing.write_all(request(path, false).as_bytes()).unwrap();
    service.run.until("\"level\":60");
    let fatal = service.run.line();
    assert!(
        fatal.contains(message) && fatal.contains(&format!("\"msg\":\"{event}\"")),
        "{fatal}"
    );
    for stream in &mut slow {
        assert_eq!(answer(stream).status(), 200);
    }
    let end = service.run.end();
    end.code(1);
    assert!(
        end.text()
            .contains(&format!("\"msg\":\"{event}: closing\""))
    );
}

#[test]
fn a_worker_that_has_failed_is_started_anew() {
    let service = Example::named("fastify").start("pidone -i 2").until_ready();
    let old = service.workers();
    let mut slow = slow_ones(&service, 8);
    let mut failing = visit(&service);
    failing
        .write_all(request("/throw", false).as_bytes())
        .unwrap();
    for stream in &mut slow {
        let response = answer(stream);
        assert_eq!(response.status(), 200);
        assert!(old.contains(&pid_in(response.body())));
    }
    service.run.until_stderr("exited with status 1 after");
    service.run.until_stderr(words::RESTARTING);
    service.run.until_stderr_times(words::READY, 2);
    processes::wait_until("the old one is gone", || service.workers().len() == 2);
    assert_eq!(service.workers().intersection(&old).count(), 1);
    all_answer(&service, || pid_in(&get(&service, "/")));
    service.stop().code(0);
}
