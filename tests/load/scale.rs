//! More and fewer workers under load.

use std::time::Duration;

use crate::harness::alone;
use crate::harness::load::Plan;
use crate::harness::service::{App, FASTIFY_CLOSE, PLAIN, Service};
use crate::harness::{processes, scaled_ms, words};

/// One more or one fewer. Two of these signals that come together are one.
fn scale(service: &Service, signal: i32, words: &str) {
    let times = service.run.stderr_count(words);
    service.run.signal(signal);
    service.run.until_stderr_times(words, times + 1);
}

/// `sticks`: clients that keep their connections see no new connections.
fn four_one_four(service: &Service, plan: Plan, sticks: bool) {
    let load = plan.start();
    load.until_answered_by(4);
    for size in [3, 2, 1] {
        scale(service, libc::SIGTTOU, &words::scaling(size + 1, size));
    }
    processes::wait_until("one is left", || service.workers().len() == 1);
    load.until_answered(500);
    let left = service.workers();
    for size in [2, 3, 4] {
        scale(service, libc::SIGTTIN, &words::scaling(size - 1, size));
    }
    let new_connections = service.up(3);
    if !sticks {
        load.until_answered_by(4);
    }
    load.until_answered(500);
    assert!(service.workers().is_superset(&new_connections));
    assert_eq!(service.workers().intersection(&left).count(), 1);
    load.stop().no_failures();
}

#[test]
fn new_connections_lose_nothing() {
    let _alone = alone();
    for app in [PLAIN, FASTIFY_CLOSE] {
        let service = App::named(app).workers(4, [""; 0]).ready();
        four_one_four(&service, service.load(), false);
        four_one_four(
            &service,
            service.load().slow(Duration::from_millis(200)),
            false,
        );
        service.stop().code(0);
    }
}

#[test]
fn kept_connections_lose_nothing_with_http_drain() {
    let _alone = alone();
    let service = App::named(PLAIN)
        .workers(4, ["--http-drain", &scaled_ms(2000)])
        .ready();
    // So many at a time that each worker has some.
    let plan = service.load().slow(Duration::from_millis(50));
    four_one_four(&service, plan.keep_alive(64), true);
    service.stop().code(0);
}
