//! Reloads under load.

use std::time::Duration;

use crate::BALANCES;
use crate::harness::alone;
use crate::harness::load::Plan;
use crate::harness::service::{App, CLOSE, FASTIFY, FASTIFY_CLOSE, FRAGILE, PLAIN, Service};
use crate::harness::{scaled_ms, words};

const SLOW: Duration = Duration::from_millis(200);

/// Some reloads under a load, which loses nothing.
#[track_caller]
fn reload_under(service: &Service, plan: Plan, reloads: usize) {
    let mut old = service.workers();
    let load = plan.start();
    load.until_answered(500);
    for _ in 0..reloads {
        service.reload();
        let new = service.workers();
        assert!(
            new.len() == old.len() && new.is_disjoint(&old),
            "{old:?} {new:?}"
        );
        old = new;
    }
    load.until_answered(500);
    let report = load.stop();
    report.no_failures();
}

#[test]
fn requests_in_flight_are_answered_whatever_handlers_the_app_has() {
    let _alone = alone();
    for app in [PLAIN, CLOSE, FASTIFY, FASTIFY_CLOSE] {
        let service = App::named(app).workers(2, [""; 0]).ready();
        reload_under(&service, service.load().slow(SLOW), 2);
        service.stop().code(0);
    }
}

#[test]
fn ten_reloads_of_four_workers_in_a_row_lose_nothing() {
    let _alone = alone();
    let service = App::named(PLAIN).workers(4, [""; 0]).ready();
    reload_under(&service, service.load(), 10);
    service.stop().code(0);
}

#[test]
fn a_reload_loses_nothing_in_any_way_of_balancing() {
    let _alone = alone();
    for balance in BALANCES {
        let service = App::named(PLAIN).workers(2, ["--balance", balance]).ready();
        reload_under(&service, service.load(), 2);
        reload_under(&service, service.load().slow(SLOW), 1);
        service.stop().code(0);
    }
}

/// Each worker announces for two seconds and is gone right after that.
#[test]
fn kept_connections_lose_nothing_with_http_drain() {
    let _alone = alone();
    for app in [PLAIN, CLOSE, FASTIFY_CLOSE] {
        let service = App::named(app)
            .workers(2, ["--http-drain", &scaled_ms(2000)])
            .ready();
        reload_under(&service, service.load().keep_alive(64), 1);
        service.stop().code(0);
    }
}

#[test]
fn slow_answers_on_kept_connections_lose_nothing_with_http_drain() {
    let _alone = alone();
    for app in [PLAIN, FASTIFY_CLOSE] {
        let service = App::named(app)
            .workers(2, ["--http-drain", &scaled_ms(2000)])
            .ready();
        reload_under(&service, service.load().slow(SLOW).keep_alive(400), 1);
        service.stop().code(0);
    }
}

#[test]
fn a_successor_that_crashes_at_boot_changes_nothing() {
    let _alone = alone();
    let service = App::named(FRAGILE).workers(4, [""; 0]).ready();
    let old = service.workers();
    let load = service.load().start();
    load.until_answered(500);
    let crash = service.app.directory.file("crash", "", 0o644);
    for times in 1..=3 {
        service.run.signal(libc::SIGHUP);
        service.run.until_stderr_times(words::RELOAD_FAILED, times);
        assert_eq!(service.workers(), old);
    }
    load.until_answered(500);
    assert_eq!(service.run.stderr_count(words::RELOADED), 0);
    // The reload after the repair is an ordinary one.
    std::fs::remove_file(crash).unwrap();
    service.reload();
    assert!(service.workers().is_disjoint(&old));
    load.until_answered(500);
    load.stop().no_failures();
    service.stop().code(0);
}
